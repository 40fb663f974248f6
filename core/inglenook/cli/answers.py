"""Shows an answer as it comes, and the passages that each of its sentences rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from inglenook import errors
from inglenook.cli.columns import shortened
from inglenook.cli.interrupts import stopped_by_interrupt
from inglenook.cli.terminal import visible
from inglenook.errors import InglenookError
from inglenook.types import (
    Answer,
    Answered,
    AskEvent,
    CancelToken,
    Citation,
    Failed,
    Finding,
    Message,
    Narrowing,
    Notice,
    PromptProgress,
    Queued,
    Retrieved,
    TextDelta,
    ThinkingDelta,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inglenook.assistants.assistant import Assistant
    from inglenook.cli.terminal import Terminal

__all__ = ["error_of", "events_of", "exit_code", "marked", "print_answer", "references"]

_QUOTE = 240
_SENTENCE = 120


def events_of(
    assistant: Assistant,
    question: str,
    history: Sequence[Message] = (),
    within: Narrowing | None = None,
    *,
    extractive: bool = False,
) -> Iterator[AskEvent]:
    """The events of an answer; Ctrl-C stops it, and what was said so far is kept."""
    cancel = CancelToken()
    with stopped_by_interrupt(cancel):
        yield from assistant.ask_events(
            question, history, cancel, within=within, extractive=extractive
        )


def print_answer(
    terminal: Terminal,
    assistant: Assistant,
    question: str,
    history: Sequence[Message] = (),
    within: Narrowing | None = None,
    *,
    extractive: bool = False,
) -> Answer:
    """Ask and show. Raises the error of an answer that failed.

    On a terminal the text streams and what it rests on follows. Elsewhere the text is written
    once it is whole, with the marks in their places.
    """
    live = _LiveAnswer(terminal)
    for event in events_of(assistant, question, history, within, extractive=extractive):
        if isinstance(event, Answered):
            live.finish()
            _print_end(terminal, event.answer, grounded=assistant.knowledge is not None)
            for notice in live.notices:
                terminal.note(f"Note: {visible(notice)}")
            return event.answer
        if isinstance(event, Failed):
            live.finish()
            raise error_of(event)
        live.show(event)
    raise InglenookError("The answer ended without an end.")


class _LiveAnswer:
    """What a person sees while the answer comes."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._streaming = terminal.out_is_terminal
        self._begun = False
        self.notices: list[str] = []
        terminal.status("Searching…")

    def show(self, event: AskEvent) -> None:
        if isinstance(event, TextDelta):
            self._text(event.text)
        elif isinstance(event, Notice):
            # It would stand in the middle of the text: it is shown after it. Which parts of the
            # passages the model was given says nothing where passages are not listed.
            if event.code not in ("passages-far-behind", "passages-trimmed"):
                self.notices.append(event.message)
        elif isinstance(event, Finding):
            self.notices.append(f"{event.filter}: {event.label} ({event.action.name.lower()})")
        elif not self._begun:
            self._terminal.status(_waiting_for(event))

    def _text(self, text: str) -> None:
        if not self._begun:
            self._terminal.status("")
            self._begun = True
        if self._streaming:
            self._terminal.out(text, end="")

    def finish(self) -> None:
        self._terminal.status("")
        if self._streaming and self._begun:
            self._terminal.out()


def _waiting_for(event: AskEvent) -> str:
    if isinstance(event, PromptProgress):
        return f"Reading the passages… {100 * event.processed // max(1, event.total)} %"
    if isinstance(event, ThinkingDelta):
        return "Thinking…"
    if isinstance(event, Queued):
        return f"{event}…"
    return "Waiting for the model…" if isinstance(event, Retrieved) else ""


def _print_end(terminal: Terminal, answer: Answer, *, grounded: bool) -> None:
    if not terminal.out_is_terminal:
        terminal.out(marked(answer) if grounded else answer.text)
    lines = references(answer) if grounded else []
    if grounded and terminal.out_is_terminal:
        lines += _unsupported(answer)
    if lines:
        terminal.out("\n" + "\n".join(lines))
    if answer.stop_reason == "length":
        terminal.note("Note: the answer reached its longest length and is cut there.")


# --- citations --------------------------------------------------------------------------------


def _numbers(answer: Answer) -> dict[Citation, int]:
    """Every citation once, numbered in the order of the sentences."""
    found: dict[Citation, int] = {}
    for sentence in answer.sentences:
        for citation in sentence.citations:
            found.setdefault(citation, len(found) + 1)
    return found


def marked(answer: Answer) -> str:
    """The text with `[1]` behind each sentence that a passage supports, `[unsupported]` else."""
    numbers = _numbers(answer)
    pieces: list[str] = []
    done = 0
    for sentence in () if answer.abstained else answer.sentences:
        end = sentence.start + len(sentence.text.rstrip())
        pieces.append(answer.text[done:end])
        done = end
        marks = "".join(f"[{numbers[citation]}]" for citation in sentence.citations)
        if marks or sentence.supported is False:
            pieces.append(f" {marks or '[unsupported]'}")
    return "".join(pieces) + answer.text[done:]


def references(answer: Answer) -> list[str]:
    """A line for each citation: where, and the words."""
    return [
        f'[{number}] {place(citation)}: "{shortened(citation.quote, _QUOTE)}"'
        for citation, number in _numbers(answer).items()
    ]


def place(citation: Citation) -> str:
    """The file and the place in it."""
    where = str(citation.locator)
    return visible(f"{citation.source}, {where}" if where else citation.source)


def _unsupported(answer: Answer) -> list[str]:
    return [
        f'[!] not supported by the documents: "{shortened(sentence.text, _SENTENCE)}"'
        for sentence in (() if answer.abstained else answer.sentences)
        if sentence.supported is False
    ]


# --- ends -------------------------------------------------------------------------------------


def error_of(event: Failed) -> InglenookError:
    """The error that the last event of a failed answer stands for."""
    kind = getattr(errors, event.error, InglenookError)
    if not (isinstance(kind, type) and issubclass(kind, InglenookError)):
        kind = InglenookError
    return kind(event.message, hint=event.hint)


def exit_code(answer: Answer) -> int:
    """0 for an answer, 130 for one that was stopped."""
    return 130 if answer.stop_reason == "cancelled" else 0
