"""The loader `docx`: Word documents as a person reads them, with headings, lists and tables.

Reading order: headers of pages, the text with its notes and comments behind their paragraphs,
endnotes, footers of pages. The text of the document is one place; a section is a heading's.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from inglenook.types import CancelToken, LoadRequest, Notice, PartFile, Section
from inglenook_office.charts import PartTexts, chart_lines, diagram_lines
from inglenook_office.docx_body import BodyReader, References
from inglenook_office.docx_lists import Lists
from inglenook_office.docx_notes import NoteReader
from inglenook_office.docx_styles import Styles
from inglenook_office.embedded import embedded_parts
from inglenook_office.flow import Budget, Flow
from inglenook_office.outcome import damaged_notice, misnamed, without_text
from inglenook_office.package import Package, opened_package
from inglenook_office.relations import main_part, relations_of
from inglenook_office.xml_events import DamagedXmlError

__all__ = ["DocxLoader"]

_MOST_ELEMENTS_OF_NOTES = 1_500_000


class DocxLoader:
    """Implements `protocols.Loader`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(
        self, request: LoadRequest, cancel: CancelToken
    ) -> Iterator[Section | PartFile | Notice]:
        """Yield a section for each heading; files inside where they stand.

        Raises `LoadError`: unreadable, broken, unsupported, encrypted, too large, no text.
        """
        with opened_package(request) as package:
            yield from _Document(package, request, cancel).read()


class _Document:
    def __init__(self, package: Package, request: LoadRequest, cancel: CancelToken) -> None:
        self._package = package
        self._request = request
        self._cancel = cancel
        self._part = main_part(package, "word/document.xml", cancel)
        self._relations = relations_of(package, self._part, cancel)
        self._styles = Styles()
        self._lists = Lists(lambda style: self._styles.list_of(style)[0])
        self._notices: list[Notice] = []

    def read(self) -> Iterator[Section | PartFile | Notice]:
        if self._part not in self._package:
            raise misnamed(self._package, "a Word document")
        if self._package.damage:
            self._notices.append(damaged_notice(self._package.damage))
        self._read_part("styles", self._styles.read)
        self._read_part("numbering", self._lists.read)
        flow = Flow(Budget(self._request))
        body = BodyReader(
            flow, self._styles, self._lists, self._references(), Budget(self._request)
        )
        self._add_margins(flow, "header")
        found = False
        for part in self._body(body, flow):
            found = found or isinstance(part, Section)
            yield part
        flow.leave_headings()
        for note in body.seen.endnotes:
            flow.paragraph(note)
        self._add_margins(flow, "footer")
        for section in flow.end():
            found = True
            yield section
        if not found:
            has_pictures = any("/media/" in name for name in self._package)
            raise without_text(self._request.name, self._notices, has_pictures=has_pictures)
        yield from self._notices
        yield from _changes(body)

    def _body(self, body: BodyReader, flow: Flow) -> Iterator[Section | PartFile | Notice]:
        def finished() -> Iterator[Section | PartFile | Notice]:
            yield from flow.take()
            targets = [self._relations.target(id) for id in body.seen.embedded]
            body.seen.embedded.clear()
            yield from embedded_parts(self._package, targets)

        try:
            for _ in self._package.read(self._part, body.handlers, self._cancel):
                yield from finished()
        except DamagedXmlError as error:
            self._notices.append(damaged_notice(str(error)))
        yield from finished()

    def _references(self) -> References:
        footnotes = self._notes("footnotes")
        endnotes = self._notes("endnotes")
        comments = self._notes("comments")

        texts = PartTexts(self._package, self._cancel)
        return References(
            footnote=lambda note: footnotes.get(note, ""),
            endnote=lambda note: endnotes.get(note, ""),
            comment=lambda note: comments.get(note, ""),
            chart=texts.behind(self._relations, chart_lines),
            diagram=texts.behind(self._relations, diagram_lines),
        )

    def _notes(self, kind: str) -> dict[str, str]:
        """The notes of a part of this kind, by id; what cannot be read becomes a notice."""
        notes: dict[str, str] = {}
        for part in self._relations.of_kind(kind):
            reader = NoteReader(self._styles, self._lists, Budget(self._request))
            try:
                self._package.read_whole(
                    part, reader.handlers, self._cancel, max_elements=_MOST_ELEMENTS_OF_NOTES
                )
            except DamagedXmlError as error:
                self._notices.append(damaged_notice(f"{kind}: {error}"))
            notes.update(reader.notes)
        return notes

    def _add_margins(self, flow: Flow, kind: str) -> None:
        """Add what stands above or below the text of every page, once."""
        told: set[str] = set()
        for part in self._relations.of_kind(kind):
            margin = Flow(Budget(self._request))
            lists = Lists(lambda _: "")
            reader = BodyReader(margin, self._styles, lists, References(), Budget(self._request))
            try:
                self._package.read_whole(part, reader.handlers, self._cancel)
            except DamagedXmlError as error:
                self._notices.append(damaged_notice(f"{kind}: {error}"))
            text = "\n".join(section.text for section in margin.end())
            if text not in told and any(character.isalpha() for character in text):
                flow.paragraph(text)
            told.add(text)

    def _read_part(self, kind: str, read: Callable[[Package, str, CancelToken], None]) -> None:
        for part in self._relations.of_kind(kind):
            try:
                read(self._package, part, self._cancel)
            except DamagedXmlError as error:
                self._notices.append(damaged_notice(f"{posixpath.basename(part)}: {error}"))


def _changes(body: BodyReader) -> Iterator[Notice]:
    seen = body.seen
    if seen.deletions or seen.insertions:
        yield Notice(
            "tracked-changes",
            f"{seen.deletions} tracked deletion(s) were left out,"
            f" {seen.insertions} insertion(s) are in the text",
        )
    if seen.hidden:
        yield Notice("hidden-text", f"{seen.hidden} hidden character(s) were left out")
