"""Runs any `Runtime` in a process of its own, so that native code can crash, print or hang there.

The proxy is a `Runtime` itself; the engine never holds a native runtime directly.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from inglenook.errors import RuntimeFailure
from inglenook.models.checked_files import require_as_seen
from inglenook.models.grammar_checks import require_usable_form
from inglenook.processes.worker_process import WorkerGoneError, WorkerProcess
from inglenook.types import (
    CancelToken,
    Done,
    Failed,
    GenerateRequest,
    ModelFiles,
    RuntimeEvent,
    RuntimeInfo,
    RuntimeOptions,
    Usage,
)

__all__ = ["RuntimeWorker"]


class RuntimeWorker:
    """A `Runtime` that forwards to one in a child process, and starts it again when it died.

    Args:
        load: The runtime's class, `package.module:Class`.
        files: What to open.
        options: How to open it.
        log: The file that the runtime's native output is appended to.
    """

    def __init__(self, load: str, files: ModelFiles, options: RuntimeOptions, log: Path) -> None:
        self._load = load
        self._files = files
        self._options = options
        self._log = log
        self._process: WorkerProcess | None = None
        self._info: RuntimeInfo | None = None
        self._starting = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.alive else None

    def open(self) -> RuntimeInfo:
        """Start the child and load the model there; does nothing when that is done."""
        self._running()
        assert self._info is not None
        return self._info

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The model's token ids of `text`; see `Runtime.tokenize`."""
        process = self._running()
        try:
            ids: list[int] = process.call("tokenize", text, special=special)
        except WorkerGoneError as error:
            raise RuntimeFailure(self._ended("", error), hint=self._hint(error)) from error
        return ids

    def generate(self, request: GenerateRequest, cancel: CancelToken) -> Iterator[RuntimeEvent]:
        """Stream one answer; see `Runtime.generate`. A death of the child ends it in `Failed`.

        A child that does not hear a cancel while it follows a grammar is ended.
        """
        require_usable_form(request)
        if cancel.cancelled:
            # The child would hear of it only after it had begun.
            yield Usage()
            yield Done("cancelled")
        else:
            yield from self._streamed(request, cancel)

    def _streamed(self, request: GenerateRequest, cancel: CancelToken) -> Iterator[RuntimeEvent]:
        ended = False
        try:
            with closing(self._running().stream("generate", request, cancel=cancel)) as events:
                for event in events:
                    ended = isinstance(event, Done | Failed)
                    yield event
        except WorkerGoneError as error:
            if not ended:
                message = self._ended(" in mid-answer", error)
                yield Failed("RuntimeFailure", message, self._hint(error))
            return
        if not ended and cancel.cancelled:
            if request.grammar is not None or request.json_schema is not None:
                # It may search for ever for what fits, and nobody else would be answered.
                self.close()
            yield Usage()
            yield Done("cancelled")
        elif not ended:
            yield Failed("RuntimeFailure", f"{self._load} stopped without saying how it ended.")

    def close(self) -> None:
        """End the child within two seconds, also while it loads or answers."""
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def _running(self) -> WorkerProcess:
        with self._starting:
            process = self._process
            if process is not None and process.alive:
                return process
            if process is not None:
                process.close()
            require_as_seen(self._files)
            # Stored before the model is loaded, so that `close` can end the loading.
            process = WorkerProcess(self._load, (self._files, self._options), self._log)
            self._process = process
            try:
                self._info = process.call("open")
            except BaseException as error:  # noqa: BLE001 - the child must not outlive it
                self._process = None
                process.close()
                raise self._explained(error) from None
            return process

    def _explained(self, error: BaseException) -> BaseException:
        """The error of opening, with where to read on."""
        if isinstance(error, WorkerGoneError):
            return RuntimeFailure(self._ended(" while loading", error), hint=self._hint(error))
        # Where a server runs the model, no library of this machine says anything.
        if type(error) is RuntimeFailure and self._files.files:
            hint = f"{error.hint} What the library said is in {self._log}.".strip()
            return RuntimeFailure(error.message, hint=hint)
        return error

    def _ended(self, when: str, error: WorkerGoneError) -> str:
        name = self._files.reference
        return f"The runtime of {name} ended unexpectedly{when}: {error.reason}."

    def _hint(self, error: WorkerGoneError) -> str:
        log = f"Its last words are in {self._log}."
        if "SIGKILL" in error.reason:
            return f"The machine may have run out of memory; a smaller num_ctx needs less. {log}"
        return f"Ask again to restart it. {log}"
