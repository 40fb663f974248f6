"""The runtime `xllamacpp`: llama.cpp's own server, called inside this process.

Answers come through a callback of the library in a thread of ours and are handed on through a
queue. Run it with `inglenook.models.worker.RuntimeWorker`, which keeps crashes and what native
code prints away from the program.
"""

from __future__ import annotations

import dataclasses
import gc
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from inglenook.errors import (
    MissingDependencyError,
    RuntimeFailure,
)
from inglenook.models.adapter_files import require_adapters
from inglenook.models.gguf import GgufInfo, read_gguf
from inglenook.models.local_requests import SAMPLING_DEFAULTS, require_room
from inglenook.types import (
    CancelToken,
    DeviceReport,
    Done,
    Failed,
    GenerateRequest,
    ModelFiles,
    PromptProgress,
    RuntimeEvent,
    RuntimeInfo,
    RuntimeOptions,
    TokenScore,
    Usage,
)
from inglenook_xllamacpp.answer import Answer
from inglenook_xllamacpp.bare import BareXllamacpp
from inglenook_xllamacpp.devices import device_reports
from inglenook_xllamacpp.endpoint import Endpoint
from inglenook_xllamacpp.loading import Device, choose_device, server_parameters
from inglenook_xllamacpp.prompt_states import PromptStates
from inglenook_xllamacpp.sampling import completion_body

__all__ = ["XllamacppRuntime"]

_ABANDON_S = 0.2
_CLOSE_S = 1.0
_TURN_POLL_S = 0.05


class XllamacppRuntime:
    """Runs one GGUF model. Several requests at a time if opened with several `slots`."""

    def __init__(self, files: ModelFiles, options: RuntimeOptions) -> None:
        self._files = files
        self._options = options
        self._server: Any = None
        self._endpoint: Endpoint | None = None
        self._info: RuntimeInfo | None = None
        self._answering: set[threading.Thread] = set()
        self._load_s = 0.0
        self._states: PromptStates | None = None
        self._using_slot = threading.Lock()

    @classmethod
    def devices(cls) -> tuple[DeviceReport, ...]:
        """What this build of the library can compute on; see `protocols.DeviceProbe`."""
        return device_reports(_import_library())

    @classmethod
    def bare(cls, files: ModelFiles, options: RuntimeOptions) -> BareXllamacpp:
        """The library alone; see `protocols.RuntimeWithBareModel`."""
        return BareXllamacpp(_import_library(), files.files["model"], options)

    def open(self) -> RuntimeInfo:
        """Load the model; does nothing when it is loaded."""
        if self._info is not None:
            return self._info
        path = self._files.files["model"]
        header = read_gguf(path, tokens=True)
        require_adapters(self._options.adapters, header, self._files.reference)
        started = time.monotonic()
        native = _import_library()
        device = choose_device(native, self._options.devices)
        endpoint = Endpoint()
        try:
            parameters = server_parameters(native, path, header, self._options, device)
            parameters.hostnames = [endpoint.hostname]
            parameters.port = 0
            parameters.api_keys = [endpoint.key]
            server = _start(native, parameters, self._files.reference, self._options)
            endpoint.address = server.listening_address
            # Also needed for closing: a server that is ended before its loop runs hangs for ever.
            opened = endpoint.ask("/props")["default_generation_settings"]["n_ctx"]
        except BaseException:
            endpoint.close()
            raise
        self._server, self._endpoint = server, endpoint
        if self._keeps_states:
            self._states = PromptStates(
                self._files, self._options, device.reason, parameters.n_batch, endpoint
            )
        self._load_s = time.monotonic() - started
        self._info = _info(
            header, int(opened), self._options.slots, device, state=self._keeps_states
        )
        return self._info

    @property
    def _keeps_states(self) -> bool:
        """Several slots would each need a file of their own."""
        return self._options.state_folder is not None and self._options.slots == 1

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The model's own tokens of `text`."""
        if not text:
            return []
        _, endpoint, _ = self._opened()
        # Half a surrogate pair is no UTF-8; it counts as the one character that it would show as.
        text = text.encode("utf-8", "replace").decode()
        body = {"content": text, "add_special": False, "parse_special": special}
        return [int(id) for id in endpoint.ask("/tokenize", body)["tokens"]]

    def generate(self, request: GenerateRequest, cancel: CancelToken) -> Iterator[RuntimeEvent]:
        """Stream one answer."""
        _, _, info = self._opened()
        prompt = completion_body(request)["prompt"]
        require_room(len(prompt), info.context_length, self._files.reference)
        states = self._states
        if states is None:
            yield from self._answer(request, cancel)
            return
        while not self._using_slot.acquire(timeout=_TURN_POLL_S):
            if cancel.cancelled:
                yield Usage(prompt_tokens=len(prompt))
                yield Done("cancelled")
                return
        try:
            yield from self._answer_in_slot(states, request, cancel)
        finally:
            self._using_slot.release()

    def _answer_in_slot(
        self, states: PromptStates, request: GenerateRequest, cancel: CancelToken
    ) -> Iterator[RuntimeEvent]:
        """One answer, its beginning from disk, or kept there for the next time."""
        fixed = states.wanted(request)
        states.holds(())
        read, began = Usage(), time.monotonic()
        if fixed and not states.restore(fixed):
            # From the first token on: a part that was read before was read in other batches.
            beginning = dataclasses.replace(
                request,
                tokens=fixed,
                max_tokens=0,
                stop=(),
                fixed=0,
                reuse_prefix=False,
                logprobs=0,
            )
            for event in self._answer(beginning, cancel):
                if isinstance(event, PromptProgress):
                    yield PromptProgress(event.processed, len(request.tokens or ()))
                elif isinstance(event, Usage):
                    read = event
                elif isinstance(event, Failed):
                    yield event
                    return
            if not cancel.cancelled:
                states.save(fixed)
        read = dataclasses.replace(read, prompt_s=time.monotonic() - began if fixed else 0.0)
        for event in self._answer(request, cancel):
            if isinstance(event, Done) and not cancel.cancelled:
                states.holds(request.tokens or ())
            yield _together(read, event)

    def _answer(self, request: GenerateRequest, cancel: CancelToken) -> Iterator[RuntimeEvent]:
        server, _, _ = self._opened()
        body = completion_body(request)
        if cancel.cancelled:
            yield Usage(prompt_tokens=len(body["prompt"]))
            yield Done("cancelled")
            return
        answer = Answer(request, cancel, self._take_load_s())
        thread = threading.Thread(target=answer.run, args=(server, body), name="xllamacpp-answer")
        self._answering.add(thread)
        thread.start()
        # The thread holds the server alive; this frame must not, or `close` could not end it.
        del server
        try:
            yield from answer.events()
        finally:
            answer.abandon()
            thread.join(_ABANDON_S)
            self._answering = {other for other in self._answering if other.is_alive()}

    def scores(self, tokens: Sequence[int], cancel: CancelToken) -> list[TokenScore]:
        """How likely the model finds a text; see `protocols.ScoresTokens`."""
        from inglenook_xllamacpp.scoring import token_scores

        server, _, info = self._opened()
        require_room(len(tokens), info.context_length, self._files.reference)
        with self._using_slot:
            return token_scores(server, tokens, cancel)

    def close(self) -> None:
        """Free the model. Answers under way must be cancelled or closed first."""
        server, self._server, self._info = self._server, None, None
        self._states = None
        # First: what is still computing may take longer than this process is given.
        if self._endpoint is not None:
            self._endpoint.close()
            self._endpoint = None
        for thread in tuple(self._answering):
            thread.join(_CLOSE_S)
        del server
        gc.collect()

    def _opened(self) -> tuple[Any, Endpoint, RuntimeInfo]:
        if self._server is None or self._endpoint is None or self._info is None:
            raise RuntimeFailure(f"{self._files.reference} is not open.")
        return self._server, self._endpoint, self._info

    def _take_load_s(self) -> float:
        """The seconds of loading belong to the first answer only."""
        load_s, self._load_s = self._load_s, 0.0
        return load_s


def _together(read: Usage, event: RuntimeEvent) -> RuntimeEvent:
    """The usage of an answer whose beginning was read for itself; other events as they are."""
    if not isinstance(event, Usage):
        return event
    return dataclasses.replace(
        event,
        cached_tokens=event.cached_tokens if read.prompt_tokens is None else 0,
        load_s=read.load_s + event.load_s,
        prompt_s=read.prompt_s + event.prompt_s,
    )


def _import_library() -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise MissingDependencyError(
            f"The runtime 'xllamacpp' needs the library xllamacpp: {error}.",
            hint="Install it with: pip install 'inglenook[xllamacpp]'",
        ) from error
    return xllamacpp


def _start(native: Any, parameters: Any, reference: str, options: RuntimeOptions) -> Any:
    try:
        return native.Server(parameters)
    except RuntimeError as error:
        if options.adapters:
            names = ", ".join(path.name for path in options.adapters)
            raise RuntimeFailure(
                f"llama.cpp cannot load {reference} with {names}.",
                hint="The LoRA may be for another model of the same kind: try without the ADAPTER"
                " line.",
            ) from error
        raise RuntimeFailure(
            f"llama.cpp cannot load {reference}.",
            hint="Its architecture may be too new for this xllamacpp, or memory too small: "
            "update xllamacpp, or set a smaller num_ctx.",
        ) from error


def _info(
    header: GgufInfo, context: int, slots: int, device: Device, *, state: bool
) -> RuntimeInfo:
    return RuntimeInfo(
        context_length=context,
        trained_context_length=header.context_length,
        chat_template=header.chat_template,
        bos=header.bos,
        eos=header.eos,
        add_bos=bool(header.add_bos),
        control_tokens=header.control_tokens,
        slots=slots,
        grammar=True,
        logprobs=True,
        state=state,
        parameters=tuple(SAMPLING_DEFAULTS),
        # A reused prefix was computed in other batches and rounds differently.
        reproducible="same_cache",
        device=device.reason,
    )
