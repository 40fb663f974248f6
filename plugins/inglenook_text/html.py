"""The loader `html`: what a reader of a web page sees, with headings, lists and tables.

Tags are read as a stream, so that nesting of any depth and tags that nobody closed are read like
any others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from inglenook.errors import Cancelled, LoadError
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, Section
from inglenook_text.decoding import read_bytes, read_text, without_invisible
from inglenook_text.markup import EndTag, StartTag, tokens

__all__ = ["HtmlLoader", "PageReader", "declared_encoding", "page_sections", "page_text"]

_DECLARED = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)|<\?xml[^>]{0,200}?encoding=[\"']([\w.:-]+)",
    re.IGNORECASE,
)
_DECLARED_WITHIN_BYTES = 4096
_TOKENS_BETWEEN_CANCEL_CHECKS = 10_000
_DROPPED = frozenset(
    "script style template svg annotation annotation-xml iframe object canvas noscript select"
    " datalist".split()
)
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_HEADING_TAG = re.compile(r"<h[1-6][\s>]", re.IGNORECASE)
_BLOCKS = frozenset(
    "p div section article main header footer nav aside ul ol dl table blockquote form fieldset"
    " figure figcaption address details summary pre".split()
)
_LINES = frozenset("li dt dd tr caption thead tbody tfoot option legend".split())
_CELLS = frozenset(("td", "th"))
_ENDS_ITSELF = frozenset("p li td th tr dt dd option".split())
_MARK = "-"
_LONGEST_CELL_ON_ONE_LINE = 300
_FILE_NAME = re.compile(r"\S+\.(?:png|jpe?g|gif|svg|webp|bmp|tiff?)", re.IGNORECASE)
_NOTE = re.compile(r"note", re.IGNORECASE)
_HIDDEN_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)


class HtmlLoader:
    """Implements `protocols.Loader`. The extracted text is one place; sections name headings."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section for each heading.

        Raises `LoadError`: as `decoding.read_text`, and broken where no text is left.
        """
        decoded = read_text(request, declared_encoding(read_bytes(request)))
        yield from decoded.notices
        reader = PageReader()
        reader.read_page(decoded.text, cancel)
        if reader.hidden:
            yield Notice("hidden-text", f"{reader.hidden} hidden element(s) were left out")
        found = False
        for section in page_sections(reader):
            found = True
            yield section
        if not found:
            raise LoadError(f"{request.name} shows no text.", reason="broken")


def declared_encoding(data: bytes) -> str:
    """The encoding that a page or an XML file names for itself; "" if none."""
    match = _DECLARED.search(data[:_DECLARED_WITHIN_BYTES])
    return (match[1] or match[2]).decode("ascii") if match else ""


def page_text(page: str) -> str:
    """What a reader of a piece of HTML sees."""
    reader = PageReader()
    reader.read_page(page, CancelToken())
    return "\n\n".join(part.text for part in reader.parts())


def page_sections(reader: PageReader, start: int = 0, language: str = "") -> Iterator[Section]:
    """A section for each heading, the text of the place continuing from `start`."""
    path: list[tuple[int, str]] = []
    pending = ""
    for part in reader.parts():
        if part.level:
            title = " ".join(part.text.split())
            path = [entry for entry in path if entry[0] < part.level]
            path.append((part.level, title))
            if part.is_shown:
                pending = f"{pending}\n\n{title}" if pending else title
            continue
        body = f"{pending}\n\n{part.text}" if pending else part.text
        pending = ""
        yield _section(body, path, reader.title, start, language)
        start += len(body) + 2
    if pending:
        yield _section(pending, path, reader.title, start, language)


def _section(
    text: str, path: list[tuple[int, str]], title: str, start: int, language: str
) -> Section:
    headings = tuple(entry[1] for entry in path) or ((title,) if title else ())
    place = Locator("section", headings[-1]) if headings else Locator("whole", "")
    return Section(text, place, headings, start, language)


@dataclass(slots=True)
class _Part:
    """A heading (level 1 to 6) or what stands below one (level 0).

    A heading that is not shown stands in a table of contents only.
    """

    level: int
    pieces: list[str] = field(default_factory=list)
    is_shown: bool = True

    @property
    def text(self) -> str:
        joined = "".join(self.pieces)
        joined = re.sub(r"[ \t]*\n[ \t]*", "\n", joined)
        joined = re.sub(r"\n{3,}", "\n\n", joined).strip().translate(_KEPT_BLANKS)
        return without_invisible(joined)


_INDENT, _KEPT_BREAK = "\ue000", "\ue001"
_KEPT_BLANKS = str.maketrans({_INDENT: " ", _KEPT_BREAK: "\n"})


@dataclass(slots=True)
class _Table:
    """An open table: how many cells its row has so far, and where the open cell begins."""

    cells: int = 0
    cell_start: int | None = None


class PageReader:
    """Collects the visible text of a stream of tokens."""

    def __init__(self) -> None:
        self.title = ""
        self.hidden = 0
        self._parts = [_Part(0)]
        self._open: list[str] = []
        self._dropped_at: int | None = None
        self._in_title = False
        self._preformatted = 0
        self._tables: list[_Table] = []
        self._gap = ""
        self._outline: dict[str, tuple[int, str]] = {}

    def parts(self) -> Iterator[_Part]:
        return (part for part in self._parts if part.text)

    def read_page(
        self, page: str, cancel: CancelToken, outline: Mapping[str, tuple[int, str]] | None = None
    ) -> None:
        """Read a page, behind those that were read before. Raises `Cancelled`.

        `outline` gives ids of elements, "" for the page itself, a level and a heading that a
        table of contents has for them. They hold where the page has no headings of its own.
        """
        self._end_page()
        self._outline = {} if _HEADING_TAG.search(page) else dict(outline or {})
        self._begin_outlined("")
        for number, token in enumerate(tokens(page)):
            if not number % _TOKENS_BETWEEN_CANCEL_CHECKS and cancel.cancelled:
                raise Cancelled
            self.read(token)

    def _end_page(self) -> None:
        self._open.clear()
        self._dropped_at = None
        self._in_title = False
        self._preformatted = 0
        self._tables.clear()
        self._break(2)

    def _begin_outlined(self, id: str) -> None:
        level, title = self._outline.pop(id, (0, ""))
        if title:
            self._parts += [_Part(level, [title], is_shown=False), _Part(0)]
            self._gap = ""

    def read(self, token: StartTag | EndTag | str) -> None:
        if isinstance(token, str):
            self._read_text(token)
        elif isinstance(token, EndTag):
            self._read_end(token.name)
        else:
            self._read_start(token)
            # A slash on a tag means nothing in HTML, but XHTML closes it.
            if token.closed and token.name not in _VOID:
                self._read_end(token.name)

    def _read_start(self, token: StartTag) -> None:
        tag = token.name
        self._end_implied(tag)
        if tag not in _VOID:
            self._open.append(tag)
        if self._dropped_at is not None:
            return
        if tag not in _VOID and self._is_dropped(tag, token.attributes):
            self._dropped_at = len(self._open)
            return
        if self._outline:
            self._begin_outlined(token.attributes.get("id", ""))
        if tag == "title":
            self._in_title = not self.title
            if self.title:
                self._dropped_at = len(self._open)
        elif tag == "img":
            self._read_picture(token.attributes.get("alt", ""))
        elif tag in _HEADINGS:
            self._begin_part(_HEADINGS[tag])
        else:
            self._lay_out(tag)

    def _read_end(self, tag: str) -> None:
        self._close(tag)
        if self._dropped_at is not None:
            if len(self._open) >= self._dropped_at:
                return
            self._dropped_at = None
            return
        if tag == "title":
            self._in_title = False
        elif tag in _HEADINGS:
            self._begin_part(0)
        elif tag in _CELLS:
            self._end_cell()
        elif tag in _BLOCKS:
            if tag == "pre":
                self._preformatted = max(0, self._preformatted - 1)
            elif tag == "table" and self._tables:
                self._end_cell()
                self._tables.pop()
            self._break(self._lines_around_blocks())
        elif tag in _LINES:
            self._break(1)

    def _read_text(self, data: str) -> None:
        if self._in_title:
            self.title = " ".join(f"{self.title} {data}".split())
        elif self._dropped_at is None:
            if self._preformatted:
                self._write(data.replace(" ", _INDENT).replace("\n", _KEPT_BREAK))
            else:
                self._write_words(data)

    def _read_picture(self, words: str) -> None:
        """The words that the author wrote for who does not see the picture."""
        words = " ".join(words.split())
        if words and not _FILE_NAME.fullmatch(words):
            self._gap = self._gap or " "
            self._write(f"[{words}]")
            self._gap = " "

    def _is_dropped(self, tag: str, attributes: Mapping[str, str]) -> bool:
        if tag in _DROPPED:
            return True
        if _NOTE.search(attributes.get("epub:type", "") + attributes.get("role", "")):
            return False  # e-books hide footnotes until somebody asks for them
        hidden = "hidden" in attributes or _HIDDEN_STYLE.search(attributes.get("style", ""))
        self.hidden += bool(hidden)
        return bool(hidden)

    def _close(self, tag: str) -> None:
        """Close the innermost tag of this name and all within it; ignore a stray end tag."""
        for depth in range(len(self._open) - 1, max(-1, len(self._open) - 65), -1):
            if self._open[depth] == tag:
                del self._open[depth:]
                return

    def _lay_out(self, tag: str) -> None:
        if tag == "pre":
            self._preformatted += 1
        if tag in _CELLS:
            self._begin_cell()
        elif tag in _BLOCKS:
            self._break(self._lines_around_blocks())
            if tag == "table":
                self._tables.append(_Table())
        elif tag in _LINES or tag in ("br", "hr"):
            if tag == "tr" and self._tables:
                self._end_cell()
                self._tables[-1].cells = 0
            self._break(1)
            if tag == "li":
                self._write(_MARK)
                self._gap = " "

    def _end_implied(self, tag: str) -> None:
        """A left-out paragraph, item or cell that nobody closed ends where the next begins."""
        depth = self._dropped_at
        if depth is not None and tag in _ENDS_ITSELF and self._open[depth - 1 : depth] == [tag]:
            del self._open[depth - 1 :]
            self._dropped_at = None

    def _begin_part(self, level: int) -> None:
        for table in self._tables:
            table.cell_start = None
        self._gap = ""
        self._parts.append(_Part(level))

    def _begin_cell(self) -> None:
        self._end_cell()
        if not self._tables:
            self._tables.append(_Table())
        table = self._tables[-1]
        table.cells += 1
        if table.cells > 1:
            self._gap = ""
            self._write(" | ")
        else:
            self._fill_gap()
        table.cell_start = len(self._parts[-1].pieces)

    def _end_cell(self) -> None:
        """Put the open cell on one line if it is short, so that a row reads as a row."""
        if not self._tables or self._tables[-1].cell_start is None:
            return
        pieces, start = self._parts[-1].pieces, self._tables[-1].cell_start
        self._tables[-1].cell_start = None
        cell = "".join(pieces[start:])
        if len(cell) <= _LONGEST_CELL_ON_ONE_LINE and _KEPT_BREAK not in cell:
            pieces[start:] = [" ".join(cell.split())]
            self._gap = ""

    def _write_words(self, data: str) -> None:
        words = " ".join(data.split())
        if data[0].isspace():
            self._gap = self._gap or " "
        if words:
            self._write(words)
            if data[-1].isspace():
                self._gap = " "

    def _lines_around_blocks(self) -> int:
        return 1 if "li" in self._open[-3:] else 2

    def _break(self, lines: int) -> None:
        """Begin a new line, after `lines` - 1 blank ones, before the next text."""
        pieces = self._parts[-1].pieces
        if pieces and pieces[-1] == _MARK:
            # What stands in an item goes on behind its mark, a block too.
            self._gap = " "
        else:
            self._gap = max(self._gap.replace(" ", ""), "\n" * lines)

    def _fill_gap(self) -> None:
        pieces = self._parts[-1].pieces
        if self._gap and pieces:
            pieces.append(self._gap)
        self._gap = ""

    def _write(self, text: str) -> None:
        self._fill_gap()
        self._parts[-1].pieces.append(text)
