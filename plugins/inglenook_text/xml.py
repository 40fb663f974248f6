"""The loader `xml`: the text of XML files, a section for each entry or chapter.

A value reads as `name: value`, prose as prose. Titles inside become headings. Nothing is fetched or
expanded: entities that a file declares for itself are refused. What is not well-formed is read as
plain text. The extracted text is one place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html.entities import html5
from itertools import groupby
from typing import Any
from xml.parsers import expat

from inglenook.errors import Cancelled, LoadError
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, Section
from inglenook_text.decoding import read_bytes, read_text
from inglenook_text.html import declared_encoding
from inglenook_text.sections import sections_by_heading
from inglenook_text.xml_lines import Line, LineReader

__all__ = ["XmlLoader"]

_CHUNK_CHARACTERS = 200_000
_SHORT_CHARACTERS = 600
_DEEPEST_ENTRY = 3
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_OF_XML = frozenset(("amp", "lt", "gt", "quot", "apos"))


class _Entities(Exception):
    """The file declares entities of its own."""


class XmlLoader:
    """Implements `protocols.Loader`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section for each entry of the outermost element that holds several.

        Raises `LoadError`: as `decoding.read_text`, unsupported for declared entities, no text:
        needs OCR for a drawing without words, broken where no text is left.
        """
        decoded = read_text(request, declared_encoding(read_bytes(request)))
        yield from decoded.notices
        reader = LineReader(is_drawing=request.extension == ".svg")
        try:
            _parse(decoded.text, reader, cancel)
        except expat.ExpatError as error:
            yield Notice(
                "not-xml",
                f"line {error.lineno}, column {error.offset + 1}: not well-formed XML;"
                " read as plain text",
            )
            yield from sections_by_heading(decoded.text, (), cancel)
            return
        except _Entities:
            raise LoadError(
                f"{request.name} declares entities, which are not read: they can hide other files"
                " or grow without bound.",
                reason="unsupported",
            ) from None
        if reader.binary:
            yield Notice("binary-content", f"{reader.binary} embedded file(s) were left out")
        if not reader.lines:
            raise _without_text(request)
        yield from _sections(reader, cancel)


def _parse(text: str, reader: LineReader, cancel: CancelToken) -> None:
    """Feed the text to the reader. Expat loads nothing from elsewhere by itself."""
    text = _ENTITY.sub(_character, text)
    parser = expat.ParserCreate()
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.buffer_text = True
    for start in range(0, len(text), _CHUNK_CHARACTERS):
        if cancel.cancelled:
            raise Cancelled
        parser.Parse(text[start : start + _CHUNK_CHARACTERS], False)
    parser.Parse("", True)


def _refuse(*_: object) -> None:
    raise _Entities


def _character(found: re.Match[str]) -> str:
    """The character of an entity of HTML, which many files use without declaring it."""
    if found[1] in _OF_XML:
        return found[0]
    return html5.get(f"{found[1]};", found[0])


def _sections(reader: LineReader, cancel: CancelToken) -> Iterator[Section]:
    start = 0
    for headings, text in _joined(_entries(reader.lines)):
        if cancel.cancelled:
            raise Cancelled
        place = Locator("section", headings[-1]) if headings else Locator("whole", "")
        yield Section(text, place, headings, start, reader.language)
        start += len(text) + 2


def _entries(lines: list[Line]) -> Iterator[tuple[tuple[str, ...], bool, str]]:
    """Headings of each entry, whether they are titles of the file, and the entry's text."""
    level = _entry_level(lines)
    for (entry, headings), group in groupby(
        lines, key=lambda line: (line.entry[: level + 1], line.headings)
    ):
        text = "\n".join(line.text for line in group)
        path = (" › ".join(entry),) if entry else ()
        yield (headings, True, text) if headings else (path, False, text)


def _entry_level(lines: list[Line]) -> int:
    """The outermost level at which there is more than one element."""
    entries = [line.entry for line in lines if line.entry]
    for level in range(_DEEPEST_ENTRY):
        if any(entry[: level + 1] != entries[0][: level + 1] for entry in entries):
            return level
    return _DEEPEST_ENTRY


def _joined(
    entries: Iterator[tuple[tuple[str, ...], bool, str]],
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Join short neighbours of one line each, so that a list does not become crumbs."""
    waiting: tuple[str, ...] | None = None
    titled, texts, size = False, [""], 0
    for headings, is_title, text in entries:
        is_short = "\n" not in text and (not is_title or headings == waiting)
        if (
            waiting is not None
            and is_short
            and titled == is_title
            and (size + len(text) <= _SHORT_CHARACTERS)
        ):
            texts.append(text)
            size += len(text)
            continue
        if waiting is not None:
            yield waiting, "\n".join(texts)
        waiting, titled, texts, size = headings, is_title, [text], len(text)
        if "\n" in text:
            size = _SHORT_CHARACTERS
    if waiting is not None:
        yield waiting, "\n".join(texts)


def _without_text(request: LoadRequest) -> LoadError:
    if request.extension == ".svg":
        return LoadError(f"{request.name} is a drawing without words.", reason="no text: needs OCR")
    return LoadError(f"{request.name} holds no text.", reason="broken")
