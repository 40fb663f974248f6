"""Finds out what an e-book is made of: its title, its chapters in order, its table of contents.

Follows EPUB 3.3 (sections 5 and 7) and the NCX of EPUB 2. Everything is read with the same
forgiving tokenizer as web pages, so broken XML is no obstacle and its entities are no danger.
"""

from __future__ import annotations

import lzma
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from inglenook.types import PART_FAILED, Notice
from inglenook_text.decoding import decoded
from inglenook_text.markup import EndTag, StartTag, tokens

__all__ = ["Book", "find_book", "read_member"]

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_OBFUSCATED_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#rc")
_ATTRIBUTES = frozenset(
    "full-path id href idref media-type properties toc src uri algorithm epub:type".split()
)
_PAGES = ("application/xhtml+xml", "text/html", "text/x-oeb1-document", "application/xml")
_MOST_MEMBER_BYTES = 50_000_000
_DEEPEST = 6

_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
)


@dataclass(slots=True)
class Book:
    """What the package file says.

    Args:
        title: The title of the book.
        creators: Its authors.
        language: Its language tag, or "".
        chapters: The members that hold its text, in reading order.
        outlines: For each of them the headings of the table of contents, by id of the element;
            see `html.PageReader.read_page`.
        sealed: The members that are encrypted.
        notices: What could not be read.
    """

    title: str = ""
    creators: list[str] = field(default_factory=list)
    language: str = ""
    chapters: list[str] = field(default_factory=list)
    outlines: dict[str, dict[str, tuple[int, str]]] = field(default_factory=dict)
    sealed: frozenset[str] = frozenset()
    notices: list[Notice] = field(default_factory=list)


@dataclass(slots=True)
class _Package:
    items: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    spine: list[str] = field(default_factory=list)
    contents_id: str = ""
    texts: dict[str, list[list[str]]] = field(default_factory=dict)

    def values(self, name: str) -> list[str]:
        """The texts of the elements of a name, such as `creator`."""
        found = (" ".join("".join(pieces).split()) for pieces in self.texts.get(name, ()))
        return [text for text in found if text]


def find_book(archive: zipfile.ZipFile) -> Book:
    """What the archive holds; a book without a readable package file is its pages by name."""
    members = {name.lower(): name for name in archive.namelist()}
    book = Book()
    place = _package_place(archive, members)
    text = _text(archive, members.get(place.lower(), ""))
    package = _read_package(text)
    folder = posixpath.dirname(place)

    def member(reference: str) -> str:
        path = posixpath.normpath(posixpath.join(folder, unquote(reference.partition("#")[0])))
        return members.get(path.lower(), "")

    book.title = next(iter(package.values("title")), "")
    book.creators = package.values("creator")
    book.language = next(iter(package.values("language")), "")
    contents = _contents_items(package)
    in_spine = frozenset(package.spine)
    chapters: dict[str, None] = {}
    for id in dict.fromkeys((*package.spine, *package.items)):
        reference, type, _ = package.items.get(id, ("", "", ""))
        if id not in in_spine and (type not in _PAGES or reference in contents):
            continue
        if found := member(reference):
            chapters[found] = None
        elif id in in_spine:
            missing = f"{reference or id}: broken: the book does not hold it"
            book.notices.append(Notice(PART_FAILED, missing))
    book.chapters = list(chapters)
    if not book.chapters:
        book.chapters = sorted(
            name
            for name in archive.namelist()
            if name.lower().endswith((".xhtml", ".html", ".htm"))
        )
        book.notices.append(
            Notice("no-reading-order", "the book does not tell the order of its pages; by name")
        )
    book.outlines = _outlines(archive, [member(reference) for reference in contents], members)
    book.sealed = frozenset(_sealed(archive, members))
    return book


def read_member(archive: zipfile.ZipFile, name: str) -> bytes | None:
    """The bytes of a member; None if they are damaged or too many."""
    try:
        if archive.getinfo(name).file_size > _MOST_MEMBER_BYTES:
            return None
        return archive.read(name)
    except _DAMAGED:
        return None


def _text(archive: zipfile.ZipFile, name: str) -> str:
    data = read_member(archive, name) if name else None
    return decoded(data, name).text if data else ""


def _package_place(archive: zipfile.ZipFile, members: Mapping[str, str]) -> str:
    container = _text(archive, members.get(_CONTAINER.lower(), ""))
    for token in tokens(container, _ATTRIBUTES):
        if isinstance(token, StartTag) and _local(token.name) == "rootfile":
            place = unquote(token.attributes.get("full-path", "")).lstrip("/")
            if place.lower() in members:
                return place
    return next((name for name in archive.namelist() if name.lower().endswith(".opf")), "")


def _read_package(text: str) -> _Package:
    package = _Package()
    inside = ""
    for token in tokens(text, _ATTRIBUTES):
        if isinstance(token, str):
            if inside:
                package.texts[inside][-1].append(token)
            continue
        name = _local(token.name)
        if isinstance(token, EndTag):
            inside = ""
        elif name == "item":
            attributes = token.attributes
            package.items[attributes.get("id", "")] = (
                attributes.get("href", ""),
                attributes.get("media-type", "").lower(),
                attributes.get("properties", "").lower(),
            )
        elif name == "itemref":
            package.spine.append(token.attributes.get("idref", ""))
        elif name == "spine":
            package.contents_id = token.attributes.get("toc", "")
        elif name in ("title", "creator", "language") and not token.closed:
            inside = name
            package.texts.setdefault(name, []).append([])
    return package


def _contents_items(package: _Package) -> list[str]:
    """The references of the tables of contents, that of EPUB 3 first."""
    pages = [item[0] for item in package.items.values() if "nav" in item[2].split()]
    named = package.items.get(package.contents_id)
    listed = [named] if named else []
    listed += [item for item in package.items.values() if item[1] == "application/x-dtbncx+xml"]
    return list(dict.fromkeys([*pages, *(item[0] for item in listed)]))


def _outlines(
    archive: zipfile.ZipFile, contents: list[str], members: Mapping[str, str]
) -> dict[str, dict[str, tuple[int, str]]]:
    """The headings of the first table of contents that has any."""
    for name in filter(None, contents):
        outlines: dict[str, dict[str, tuple[int, str]]] = {}
        for level, title, reference in _entries(_text(archive, name)):
            path, _, fragment = reference.partition("#")
            place = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(path)))
            found = members.get(place.lower())
            if found and title:
                outlines.setdefault(found, {}).setdefault(unquote(fragment), (level, title))
        if outlines:
            return outlines
    return {}


_Entry = tuple[int, str, str]


def _entries(text: str) -> Iterator[_Entry]:
    """Level, title and reference of each entry of an NCX or of a navigation page."""
    contents = _Contents()
    for token in tokens(text, _ATTRIBUTES):
        entry = None
        if isinstance(token, str):
            contents.text(token)
        elif isinstance(token, EndTag):
            entry = contents.end(_local(token.name))
        else:
            entry = contents.start(_local(token.name), token.attributes)
        if entry is not None:
            yield entry


class _Contents:
    """Where in a table of contents a reader is."""

    def __init__(self) -> None:
        self._is_inside = self._is_label = False
        self._depth = 0
        self._title: list[str] = []
        self._reference = ""

    def text(self, text: str) -> None:
        if self._is_label:
            self._title.append(text)

    def start(self, name: str, attributes: Mapping[str, str]) -> _Entry | None:
        if name in ("nav", "navmap"):
            self._is_inside = name == "navmap" or "toc" in attributes.get("epub:type", "toc")
            self._depth = 0
        elif name in ("ol", "navpoint"):
            self._depth += 1
        elif name in ("a", "text") and self._is_inside:
            self._title, self._is_label = [], True
            self._reference = attributes.get("href", "")
        elif name == "content" and self._is_inside:
            # In an NCX the reference stands behind the label.
            self._reference = attributes.get("src", "")
            return self._entry()
        return None

    def end(self, name: str) -> _Entry | None:
        if name in ("nav", "navmap"):
            self._is_inside = False
        elif name in ("ol", "navpoint"):
            self._depth -= 1
        elif name in ("a", "text"):
            self._is_label = False
            return self._entry() if name == "a" and self._is_inside else None
        return None

    def _entry(self) -> _Entry | None:
        reference, self._reference = self._reference, ""
        if not reference:
            return None
        level = max(1, min(self._depth, _DEEPEST))
        return level, " ".join("".join(self._title).split()), reference


def _sealed(archive: zipfile.ZipFile, members: Mapping[str, str]) -> Iterator[str]:
    """The members that are encrypted; fonts that are only disguised do not count."""
    algorithm = ""
    for token in tokens(_text(archive, members.get(_ENCRYPTION.lower(), "")), _ATTRIBUTES):
        if not isinstance(token, StartTag):
            continue
        if _local(token.name) == "encrypteddata":
            algorithm = ""
        elif _local(token.name) == "encryptionmethod":
            algorithm = algorithm or token.attributes.get("algorithm", "").lower()
        elif _local(token.name) == "cipherreference" and algorithm not in _OBFUSCATED_FONTS:
            name = unquote(token.attributes.get("uri", "")).lstrip("/")
            yield members.get(name.lower(), name)


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()
