"""Reads OpenDocument texts: headers of pages, the text by heading, footers of pages."""

from __future__ import annotations

from collections.abc import Iterator

from inglenook.types import Notice, Section
from inglenook_office.flow import Flow
from inglenook_office.odf_body import OdfBody
from inglenook_office.xml_events import Attributes, Handlers

__all__ = ["TextReader"]

_HEADERS = ("style:header", "style:header-left", "style:header-first")
_FOOTERS = ("style:footer", "style:footer-left", "style:footer-first")


class TextReader:
    """Makes sections of a text; `handlers` is what the parser is given."""

    def __init__(self, body: OdfBody, flow: Flow) -> None:
        self._body = body
        self._flow = flow
        self._headers: list[str] = []
        self._footers: list[str] = []

    @property
    def notices(self) -> Iterator[Notice]:
        if self._body.deletions:
            yield Notice("tracked-changes", "text that was deleted with tracking was left out")
        if self._body.hidden:
            yield Notice("hidden-text", f"{self._body.hidden} hidden piece(s) were left out")

    def handlers(self) -> Handlers:
        handlers = self._body.handlers()
        margins = (*_HEADERS, *_FOOTERS)
        return Handlers(
            {
                **handlers.starts,
                **dict.fromkeys(margins, self._start_margin),
                "office:text": self._start_text,
            },
            {
                **handlers.ends,
                **dict.fromkeys(_HEADERS, lambda: self._end_margin(self._headers)),
                **dict.fromkeys(_FOOTERS, lambda: self._end_margin(self._footers)),
            },
            handlers.text,
        )

    def take(self) -> Iterator[Section]:
        return self._flow.take()

    def end(self) -> Iterator[Section]:
        self._flow.leave_headings()
        for footer in dict.fromkeys(self._footers):
            self._flow.paragraph(footer)
        return self._flow.end()

    def _start_text(self, _: Attributes) -> None:
        for header in dict.fromkeys(self._headers):
            self._flow.paragraph(header)
        self._body.begin(self._flow)

    def _start_margin(self, attributes: Attributes) -> bool:
        if attributes.get("style:display", "true") == "false":
            return True
        self._body.push()
        return False

    def _end_margin(self, margins: list[str]) -> None:
        text = "\n".join(self._body.pop())
        if any(character.isalpha() for character in text):
            margins.append(text)
