"""The side pane: the passages that the answer rests on, as soon as they are found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from inglenook.tui.foreign_text import one_line, plain_text, shown
from inglenook.tui.widgets.line import Line
from inglenook.tui.wording import place
from inglenook.types import Answer, Citation, Passage

__all__ = ["PassageCard", "PassagesPane"]

NOTHING_YET = "Passages from the documents appear here as soon as a question is asked."
NOTHING_FOUND = "No passage bears on this question."


class PassageCard(Static):
    """One passage: number, source, place, score and text; what an answer quotes stands out."""

    def __init__(self, number: int, passage: Passage) -> None:
        super().__init__(_card(number, passage, ()), markup=False)
        self.passage = passage
        self._number = number

    def mark(self, citations: Sequence[Citation]) -> None:
        """Show which stretches of the passage the answer quotes."""
        self.set_class(bool(citations), "cited")
        self.update(_card(self._number, self.passage, citations))


class PassagesPane(VerticalScroll):
    """The passages of the last question, best first."""

    BORDER_TITLE = "Passages"

    def compose(self) -> Iterator[Widget]:
        yield Line(NOTHING_YET, "hint")

    def show(self, passages: Sequence[Passage]) -> None:
        """Put these passages in place of what is there."""
        self.border_title = f"Passages · {len(passages)}" if passages else "Passages"
        cards = [PassageCard(number, passage) for number, passage in enumerate(passages, 1)]
        self._fill(cards or [Line(NOTHING_FOUND, "hint")])

    def mark(self, answer: Answer) -> None:
        """Show what the finished answer cites."""
        citations = [c for sentence in answer.sentences for c in sentence.citations]
        for card in self.query(PassageCard):
            card.mark([c for c in citations if c.chunk in card.passage.chunks])

    def clear(self) -> None:
        """Back to the beginning."""
        self.border_title = "Passages"
        self._fill([Line(NOTHING_YET, "hint")])

    def _fill(self, widgets: Iterable[Widget]) -> None:
        with self.app.batch_update():
            self.remove_children()
            self.mount(*widgets)
            self.scroll_home(animate=False)


def _card(number: int, passage: Passage, citations: Sequence[Citation]) -> Content:
    headings = " › ".join(one_line(heading) for heading in passage.headings)
    return Content.assemble(
        shown(f"[{number}] ", "bold $text-accent"),
        shown(one_line(place(passage)), "bold"),
        shown(f"  score {passage.score:.2f}", "$text-muted"),
        shown(f"\n{headings}" if headings else "", "italic $text-muted"),
        "\n",
        _quoted(passage, citations),
    )


def _quoted(passage: Passage, citations: Sequence[Citation]) -> Content:
    """The passage's text with the quotes in another style."""
    parts: list[Content] = []
    position = 0
    for citation in sorted(citations, key=lambda c: c.start):
        start, end = citation.start - passage.start, citation.end - passage.start
        if start < position or passage.text[start:end] != citation.quote:
            continue
        parts += [shown(passage.text[position:start]), shown(citation.quote, "reverse")]
        position = end
    return Content("").join([*parts, Content(plain_text(passage.text[position:]))])
