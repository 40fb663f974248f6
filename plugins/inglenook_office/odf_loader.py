"""The loader `odf`: OpenDocument texts, presentations and spreadsheets.

In a text a section is a heading's; in a presentation it is a slide, in a spreadsheet a run of rows.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from inglenook.errors import LoadError
from inglenook.types import CancelToken, LoadRequest, Notice, Section
from inglenook_office.flow import Budget, Flow
from inglenook_office.odf_body import OdfBody
from inglenook_office.odf_encryption import opened_encrypted
from inglenook_office.odf_sheets import SheetsReader
from inglenook_office.odf_slides import SlidesReader
from inglenook_office.odf_styles import OdfStyles
from inglenook_office.odf_texts import TextReader
from inglenook_office.outcome import damaged_notice, misnamed, without_text
from inglenook_office.package import Package, file_head, opened_package
from inglenook_office.sinks import Lines
from inglenook_office.xml_events import (
    Attributes,
    ByteStream,
    DamagedXmlError,
    Handlers,
    Meter,
    XmlReader,
)

__all__ = ["OdfLoader"]

_KINDS = {
    "text": (".odt", ".ott", ".fodt"),
    "presentation": (".odp", ".otp", ".fodp"),
    "spreadsheet": (".ods", ".ots", ".fods"),
}
_MIME = b"application/vnd.oasis.opendocument."
_MOST_ELEMENTS = 16_000_000
_LONGEST_MIME = 200

_Reader = TextReader | SlidesReader | SheetsReader


class OdfLoader:
    """Implements `protocols.Loader`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield sections.

        Raises `LoadError`: unreadable, broken, unsupported, encrypted, too large, no text.
        """
        if _is_flat(file_head(request)):
            with _opened_flat(request) as stream:
                yield from _Document(None, request, cancel).read_flat(stream)
            return
        with opened_package(request) as package:
            if "content.xml" not in package and "encrypted-package" not in package:
                raise misnamed(package, "an OpenDocument file")
            with opened_encrypted(package, request, cancel) as readable:
                yield from _Document(readable, request, cancel).read()


class _Document:
    """One document; without a package it is a single XML file."""

    def __init__(self, package: Package | None, request: LoadRequest, cancel: CancelToken) -> None:
        self._package = package
        self._request = request
        self._cancel = cancel
        self._budget = Budget(request)
        self._notices: list[Notice] = []

    def read(self) -> Iterator[Section | Notice]:
        package = self._package
        assert package is not None
        if package.damage:
            self._notices.append(damaged_notice(package.damage))
        reader = self._reader(package.data("mimetype", _LONGEST_MIME) or b"")
        handlers = reader.handlers()
        package.meter.elements_left = _MOST_ELEMENTS
        with suppress(DamagedXmlError):
            package.read_whole("styles.xml", handlers, self._cancel)
        has_pictures = any(name.startswith("pictures/") for name in package)
        pieces = package.read("content.xml", handlers, self._cancel, max_elements=_MOST_ELEMENTS)
        yield from self._sections(reader, pieces, has_pictures=has_pictures)

    def read_flat(self, stream: ByteStream) -> Iterator[Section | Notice]:
        reader = self._reader(b"")
        meter = Meter(self._request.max_inflated_bytes, _MOST_ELEMENTS)
        parser = XmlReader(
            reader.handlers(), self._request.name, meter, max_elements=_MOST_ELEMENTS
        )
        yield from self._sections(reader, parser.read(stream, self._cancel), has_pictures=False)

    def _sections(
        self, reader: _Reader, pieces: Iterator[None], *, has_pictures: bool
    ) -> Iterator[Section | Notice]:
        found = False
        try:
            for _ in pieces:
                for section in reader.take():
                    found = True
                    yield section
        except DamagedXmlError as error:
            self._notices.append(damaged_notice(str(error)))
        for section in reader.end():
            found = True
            yield section
        notices = [*self._notices, *reader.notices]
        if not found:
            raise without_text(self._request.name, notices, has_pictures=has_pictures)
        yield from notices

    def _reader(self, mime: bytes) -> _Reader:
        kind = mime.strip().removeprefix(_MIME).decode("ascii", "replace").partition("-")[0]
        if kind not in _KINDS:
            extension = self._request.extension
            kind = next((name for name, ends in _KINDS.items() if extension in ends), "text")
        styles = OdfStyles()
        if kind == "spreadsheet":
            budget = Budget(self._request, most_paragraphs=_MOST_ELEMENTS)  # each cell has one
            body = OdfBody(Lines(), styles, budget, self._read_titles)
            return SheetsReader(body, styles, Budget(self._request), Budget(self._request))
        body = OdfBody(Lines(), styles, self._budget, self._read_object)
        if kind == "presentation":
            return SlidesReader(body, styles)
        return TextReader(body, Flow(Budget(self._request)))

    def _read_object(self, address: str) -> list[str]:
        """The texts of a chart or formula, which stands in a folder of its own."""
        return self._read_embedded(address, {})

    def _read_titles(self, address: str) -> list[str]:
        """The titles of a chart; its numbers stand in cells anyway."""
        return self._read_embedded(address, {"table:table": _skip})

    def _read_embedded(self, address: str, over: Mapping[str, Any]) -> list[str]:
        part = posixpath.join(address.removeprefix("./"), "content.xml")
        if self._package is None or not address or part not in self._package:
            return []
        lines = Lines()
        handlers = OdfBody(lines, OdfStyles(), self._budget).handlers()
        with suppress(DamagedXmlError):
            self._package.read_whole(
                part,
                Handlers({**handlers.starts, **over}, handlers.ends, handlers.text),
                self._cancel,
            )
        return lines.lines


def _skip(_: Attributes) -> bool:
    return True


def _is_flat(head: bytes) -> bool:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith((b"<?xml", b"<office:document"))


@contextmanager
def _opened_flat(request: LoadRequest) -> Iterator[ByteStream]:
    size = request.path.stat().st_size
    if size > request.max_inflated_bytes:
        raise LoadError(f"{request.name} has {size:,} bytes.", reason="too large")
    with request.path.open("rb") as stream:
        yield stream
