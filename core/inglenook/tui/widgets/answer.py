"""An answer while it comes and when it is there, with its sources, remarks and cost."""

from __future__ import annotations

from collections.abc import Iterator

from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget

from inglenook.tui.foreign_text import one_line, shown
from inglenook.tui.widgets.annotation import annotated
from inglenook.tui.widgets.growing_text import GrowingText
from inglenook.tui.widgets.line import Line, failure_line
from inglenook.tui.wording import (
    END_REMARKS,
    citation_numbers,
    finding_line,
    place,
    usage_line,
)
from inglenook.types import (
    Answer,
    Answered,
    AskEvent,
    Citation,
    Failed,
    Finding,
    Notice,
    PromptProgress,
    Queued,
    Retrieved,
    TextDelta,
    ThinkingDelta,
    Usage,
)

__all__ = ["AnswerView"]


class AnswerView(Vertical):
    """Shows the events of one question, in the order in which they come."""

    def __init__(self) -> None:
        super().__init__()
        self.body = GrowingText()
        self._state = Line("searching …", "state")
        self._sources = Vertical(classes="sources")
        self._notes = Vertical(classes="notes")
        self._said: dict[str, None] = {}
        self._thought = 0

    def compose(self) -> Iterator[Widget]:
        yield self._state
        yield self.body
        yield self._sources
        yield self._notes

    def show(self, event: AskEvent) -> None:
        """Bring the next event onto the screen."""
        match event:
            case TextDelta(text=text):
                self._say_state("")
                self.body.append(text)
            case Retrieved(passages=passages):
                found = f"reading {len(passages)} passages …" if passages else "thinking …"
                self._say_state(found)
            case PromptProgress() | Queued():
                self._say_state(_waiting_line(event))
            case ThinkingDelta(text=text):
                self._thought += len(text)
                self._say_state(f"thinking … {self._thought} characters so far")
            case Finding():
                self._note("⚑ " + finding_line(event), "finding")
            case Notice(message=message):
                self._note("• " + message, "notice")
            case Usage():
                pass  # Part of the answer, which follows.
            case Answered(answer=answer):
                self._finish(answer)
            case Failed():
                self._say_state("")
                self.add_class("failed")
                self._notes.mount(failure_line(event))

    def _say_state(self, text: str) -> None:
        self._state.update(shown(text))
        self._state.display = bool(text)

    def _note(self, text: str, kind: str) -> None:
        # The same remark about each of many passages is said once.
        if text not in self._said:
            self._said[text] = None
            self._notes.mount(Line(text, kind))

    def _finish(self, answer: Answer) -> None:
        self._say_state("")
        if answer.text:
            self.body.replace(annotated(answer, citation_numbers(answer.passages)))
        self._sources.mount(*(Line(content, "citation") for content in _citations(answer)))
        if answer.abstained:
            self.add_class("abstained")
            if answer.stop_reason != "content_filter":
                asked = answer.usage.completion_tokens
                why = "." if asked else ", so the model was not asked."
                self._note(f"∅ Nothing relevant was found{why}", "remark")
        remark = END_REMARKS.get(answer.stop_reason, "")
        if not answer.text and not remark:
            remark = "the model said nothing"
        last = " · ".join(part for part in (remark, usage_line(answer.usage)) if part)
        if last:
            self._note(last, "usage")


def _citations(answer: Answer) -> Iterator[Content]:
    numbers = citation_numbers(answer.passages)
    seen: dict[tuple[str, int, int], tuple[int, Citation]] = {}
    for sentence in answer.sentences:
        for citation in sentence.citations:
            if citation.chunk in numbers:
                key = (citation.chunk, citation.start, citation.end)
                seen.setdefault(key, (numbers[citation.chunk], citation))
    for number, citation in sorted(seen.values(), key=lambda entry: entry[0]):
        yield Content.assemble(
            shown(f"[{number}] ", "bold $text-accent"),
            shown(one_line(place(citation)), "bold"),
            shown(f"  “{one_line(citation.quote)}”", "$text-muted"),
        )


def _waiting_line(event: PromptProgress | Queued) -> str:
    """What is being waited for."""
    if isinstance(event, Queued):
        return f"{event} …".lower()
    return f"reading the passages · {100 * event.processed // max(1, event.total)} %"
