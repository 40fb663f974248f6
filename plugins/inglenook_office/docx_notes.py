"""Reads the footnotes, endnotes or comments of a Word document, by id."""

from __future__ import annotations

from inglenook_office.docx_body import BodyReader, References
from inglenook_office.docx_lists import Lists
from inglenook_office.docx_styles import Styles
from inglenook_office.flow import Budget
from inglenook_office.sinks import Lines
from inglenook_office.visible_text import one_line
from inglenook_office.xml_events import Attributes, Handlers

__all__ = ["NoteReader"]


class NoteReader:
    """Collects notes; `handlers` is what the parser is given."""

    def __init__(self, styles: Styles, lists: Lists, budget: Budget) -> None:
        self.notes: dict[str, str] = {}
        self._lines = Lines()
        self._id = ""
        self._author: str | None = None
        body = BodyReader(self._lines, styles, lists, References(), budget)
        kinds = ("w:footnote", "w:endnote", "w:comment")
        self.handlers = Handlers(
            {**body.handlers.starts, **dict.fromkeys(kinds, self._start)},
            {**body.handlers.ends, **dict.fromkeys(kinds, self._end)},
            body.handlers.text,
        )

    def _start(self, attributes: Attributes) -> bool:
        """Skip the lines that separate notes from the text, which are notes to the format."""
        self._lines.lines.clear()
        self._id = attributes.get("w:id", "")
        self._author = attributes.get("w:author")
        return attributes.get("w:type", "normal") != "normal"

    def _end(self) -> None:
        text = "\n".join(line for line in self._lines.lines if line)
        if text and self._author is not None:
            author = one_line(self._author)
            text = f"[Comment by {author}: {text}]" if author else f"[Comment: {text}]"
        self.notes[self._id] = text
        self._lines.lines.clear()
