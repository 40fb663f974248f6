"""The one place where the terminal UI touches the engine: jobs that stream events.

A job is an iterator to be run in a thread. It never raises: what goes wrong is its last event,
a `Failed`. Everything else here may be called from the screen's own thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from inglenook.errors import Cancelled, InglenookError, UserError
from inglenook.types import Answer, Answered, AskEvent, CancelToken, Failed, IngestEvent, Message

if TYPE_CHECKING:
    from inglenook.assistants.assistant import Assistant
    from inglenook.assistants.installation import Installation

__all__ = ["Choice", "Job", "LoadingModel", "Opened", "Session", "SessionEvent"]

CLOSING_PATIENCE_S = 0.5
"""How long a stopped job may take to end before its model is closed under its hands."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that can be asked: an assistant, or a bare model.

    Args:
        name: What `Session.start` takes.
        is_model: Whether it is a model without documents.
        model: The model that answers.
        model_missing: Whether that model must be pulled first.
        problem: Why it cannot be used, or "".
    """

    name: str
    is_model: bool
    model: str
    model_missing: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """An assistant was chosen. `remote` is the host that prompts are sent to, "" for none."""

    name: str
    model: str
    has_documents: bool
    remote: str = ""


@dataclass(frozen=True, slots=True)
class LoadingModel:
    """The model is being loaded, so that the first answer comes sooner."""

    model: str


SessionEvent = Opened | LoadingModel | IngestEvent | AskEvent
Job = Generator[SessionEvent, None, None]


class Session:
    """One conversation with one assistant at a time.

    Args:
        installation: Where assistants and models come from; the caller closes it.
    """

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._assistant: Assistant | None = None
        self._history: list[Message] = []
        self._cancel = CancelToken()
        self._working = threading.Lock()
        self._closed = False

    # --- jobs -------------------------------------------------------------------------------

    def start(self, name: str) -> Job:
        """Open an assistant, read its documents if that was never done, load its model."""
        return self._job(partial(self._start, name))

    def ask(self, question: str) -> Job:
        """Answer a question. A finished or stopped answer becomes part of the conversation."""
        return self._job(partial(self._ask, question, self._history))

    def choices(self) -> tuple[Choice, ...] | Failed:
        """What can be asked. Reads files, so it is for a thread as well."""
        try:
            return (*self._assistants(), *self._models())
        except Exception as error:  # noqa: BLE001 - as in `_reported`
            return _failure(error)

    # --- from the screen's thread -----------------------------------------------------------

    def stop(self) -> None:
        """Ask the running job to end; what it has said stays."""
        self._cancel.cancel()

    def forget(self) -> None:
        """Begin a new conversation."""
        self._history = []

    def close(self) -> None:
        """End the running job and free the model. May be called twice; blocks for seconds."""
        self._closed = True
        self.stop()
        free = self._working.acquire(timeout=CLOSING_PATIENCE_S)
        try:
            assistant, self._assistant = self._assistant, None
            if assistant is not None:
                assistant.close()
        finally:
            if free:
                self._working.release()

    # --- inside a job -----------------------------------------------------------------------

    def _job(self, events: Callable[[CancelToken], Iterator[SessionEvent]]) -> Job:
        # Made here and not in the thread: a stop that comes before the thread runs must count.
        self._cancel = cancel = CancelToken()
        return self._reported(events, cancel)

    def _reported(
        self, events: Callable[[CancelToken], Iterator[SessionEvent]], cancel: CancelToken
    ) -> Job:
        try:
            with self._working:
                if not self._closed:
                    yield from events(cancel)
        except Exception as error:  # noqa: BLE001 - a defect below is told; the chat goes on
            yield _failure(error)

    def _start(self, name: str, cancel: CancelToken) -> Iterator[SessionEvent]:
        assistant = self._installation.assistant(name)
        if self._assistant is not None:
            self._assistant.close()
        self._assistant = assistant
        self._history = []
        model = assistant.profile.model
        yield Opened(assistant.name, model, assistant.knowledge is not None, assistant.remote)
        yield from self._read_documents(assistant, cancel)
        if not cancel.cancelled:
            yield LoadingModel(model)
            known = assistant.remote
            assistant.open()
            if assistant.remote != known:
                # A server on this machine turned out to send prompts on.
                yield Opened(
                    assistant.name, model, assistant.knowledge is not None, assistant.remote
                )

    def _ask(
        self, question: str, history: list[Message], cancel: CancelToken
    ) -> Iterator[SessionEvent]:
        assistant = self._assistant
        if assistant is None:
            raise UserError("No assistant is chosen.", hint="Press Ctrl+L to choose one.")
        yield from self._read_documents(assistant, cancel)
        if cancel.cancelled:
            raise Cancelled()
        for event in assistant.ask_events(question, tuple(history), cancel):
            if isinstance(event, Answered):
                history += _turn(question, event.answer)
            yield event

    @staticmethod
    def _read_documents(assistant: Assistant, cancel: CancelToken) -> Iterator[IngestEvent]:
        if assistant.needs_ingest and not cancel.cancelled:
            yield from assistant.ingest_events(cancel)

    # --- what there is ----------------------------------------------------------------------

    def _assistants(self) -> Iterator[Choice]:
        for record in self._installation.assistants():
            here = not record.problem and not record.server
            missing = here and self._is_missing(record.model)
            yield Choice(record.name, False, record.model, missing, record.problem)

    def _models(self) -> Iterator[Choice]:
        for record in self._installation.library.list():
            if not record.format.startswith("sentence"):
                yield Choice(record.name, True, record.name, problem=record.problem)

    def _is_missing(self, model: str) -> bool:
        if model.startswith((".", "/", "~")):
            return False
        try:
            return not self._installation.library.has(model)
        except InglenookError:
            # Not a reference of the library; whether it can be used shows when it is opened.
            return False


def _turn(question: str, answer: Answer) -> list[Message]:
    """What the next question should know of this one; what a filter stopped stays out."""
    if not answer.text or answer.stop_reason == "content_filter":
        return []
    return [Message.of("user", question), Message.of("assistant", answer.text)]


def _failure(error: Exception) -> Failed:
    if isinstance(error, InglenookError):
        return Failed(type(error).__name__, error.message, error.hint)
    said = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    return Failed(
        type(error).__name__,
        f"Something unexpected went wrong: {said}",
        "This is a defect of the program or of a plugin; the chat goes on. `nook doctor` may say "
        "more.",
    )
