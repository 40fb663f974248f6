"""Reads what the sheets of a workbook share, and what belongs to one: texts, formats, comments.

Source: ECMA-376-1, 18.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from inglenook.types import CancelToken
from inglenook_office.flow import Budget
from inglenook_office.number_formats import BUILT_IN_FORMATS
from inglenook_office.package import Package
from inglenook_office.visible_text import one_line, visible
from inglenook_office.xml_events import Attributes, DamagedXmlError, Handlers, whole_number

__all__ = [
    "Area",
    "SheetEntry",
    "Tail",
    "Workbook",
    "area",
    "cell_place",
    "comments_of",
    "formats_of",
    "people_of",
    "read_tail",
    "shared_strings",
    "table_headers",
    "workbook_of",
]

_MOST_STRINGS = 6_000_000
_MOST_MERGES = 200_000
_MOST_COLUMNS = 16_384
_MOST_ROWS = 1_048_576
_TAIL_BYTES = 20_000_000
_CHUNK_BYTES = 262_144
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})\Z")
_SHEET_DATA_END = re.compile(
    rb"</(?:[\w.-]{1,40}:)?sheetData\s*>|<(?:[\w.-]{1,40}:)?sheetData\s*/>"
)
_LONGEST_END = 100
_MERGE = re.compile(rb"<(?:[\w.-]{1,40}:)?mergeCell\s[^<>]*?ref\s*=\s*[\"']([A-Z0-9:$]{1,30})[\"']")
_FILTER = re.compile(rb"<(?:[\w.-]{1,40}:)?filterColumn\s")

Area = tuple[int, int, int, int]
"""First row, first column, last row, last column; rows from 1, columns from 0."""


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """A sheet as the workbook lists it."""

    name: str
    relation: str
    is_hidden: bool


@dataclass(slots=True)
class Workbook:
    """The sheets in the order of their tabs, and from which day on dates are counted."""

    sheets: list[SheetEntry] = field(default_factory=list)
    from_1904: bool = False


@dataclass(slots=True)
class Tail:
    """What a sheet says behind its cells: merged cells, and whether a filter hides rows."""

    merges: list[Area] = field(default_factory=list)
    is_filtered: bool = False


def workbook_of(package: Package, part: str, cancel: CancelToken) -> Workbook:
    """Read the list of sheets. Raises `DamagedXmlError`."""
    workbook = Workbook()

    def properties(attributes: Attributes) -> None:
        workbook.from_1904 = attributes.get("date1904", "0") in ("1", "true")

    def sheet(attributes: Attributes) -> None:
        workbook.sheets.append(
            SheetEntry(
                one_line(attributes.get("name", "")) or f"Sheet{len(workbook.sheets) + 1}",
                attributes.get("r:id", ""),
                attributes.get("state", "visible") != "visible",
            )
        )

    package.read_whole(part, Handlers({"x:workbookPr": properties, "x:sheet": sheet}), cancel)
    return workbook


def shared_strings(
    package: Package, part: str, budget: Budget, cancel: CancelToken, strings: list[str]
) -> None:
    """Append the texts that cells refer to by number. Raises `DamagedXmlError`, `LoadError`."""
    pieces: list[str] = []
    in_text = False

    def start_text(_: Attributes) -> None:
        nonlocal in_text
        in_text = True

    def end_text() -> None:
        nonlocal in_text
        in_text = False

    def write(data: str) -> None:
        if in_text:
            budget.spend(len(data))
            pieces.append(data)

    def end_item() -> None:
        strings.append(visible("".join(pieces)))
        pieces.clear()

    handlers = Handlers(
        {"x:t": start_text, "x:rPh": lambda _: True},
        {"x:t": end_text, "x:si": end_item},
        write,
        plain_attributes=True,
    )
    for _ in package.read(part, handlers, cancel, max_elements=3 * _MOST_STRINGS):
        pass


def formats_of(package: Package, part: str, cancel: CancelToken, codes: list[str]) -> None:
    """Append the format code of each style of cells. Raises `DamagedXmlError`."""
    own: dict[int, str] = {}
    in_styles: list[bool] = []

    def number_format(attributes: Attributes) -> None:
        own[whole_number(attributes.get("numFmtId"), 0)] = attributes.get("formatCode", "")

    def style(attributes: Attributes) -> None:
        if in_styles:
            id = whole_number(attributes.get("numFmtId"), 0)
            codes.append(own.get(id) or BUILT_IN_FORMATS.get(id, "General"))

    handlers = Handlers(
        {
            "x:numFmt": number_format,
            "x:cellXfs": lambda _: in_styles.append(True),
            "x:xf": style,
            "x:dxfs": lambda _: True,
        },
        {"x:cellXfs": in_styles.clear},
    )
    package.read_whole(part, handlers, cancel)


def cell_place(reference: str) -> tuple[int, int] | None:
    """The row, from 1, and the column, from 0, of a cell such as B7; None if there is no such."""
    match = _REFERENCE.match(reference)
    if match is None:
        return None
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    row = int(match[2])
    return (row, column - 1) if column <= _MOST_COLUMNS and 0 < row <= _MOST_ROWS else None


def area(reference: str) -> Area | None:
    """The cells of a reference such as A1:C3."""
    first, _, last = reference.partition(":")
    begin, end = cell_place(first), cell_place(last or first)
    return (*begin, *end) if begin and end else None


def read_tail(package: Package, part: str) -> Tail:
    """Find out what stands behind the cells before they are read; damage is met there again."""
    tail = Tail()
    found = b""
    try:
        with package.opened(part) as stream:
            kept = b""
            while data := stream.read(_CHUNK_BYTES):
                if found:
                    found += data
                    if len(found) > _TAIL_BYTES:
                        break
                    continue
                window = kept + data
                match = _SHEET_DATA_END.search(window)
                found = window[match.end() :] or b" " if match else b""
                kept = window[-_LONGEST_END:]
    except (DamagedXmlError, OSError, EOFError, zipfile.BadZipFile, zlib.error):
        pass
    matches = islice(_MERGE.finditer(found), _MOST_MERGES)
    areas = (area(match[1].decode("ascii")) for match in matches)
    tail.merges = [merged for merged in areas if merged]
    tail.is_filtered = bool(_FILTER.search(found))
    return tail


def table_headers(
    package: Package, parts: Iterable[str], cancel: CancelToken
) -> tuple[dict[int, tuple[int, int]], bool]:
    """The rows that are headers of tables, with their columns; whether a table is filtered."""
    headers: dict[int, tuple[int, int]] = {}
    filters: list[bool] = []

    def table(attributes: Attributes) -> None:
        place = area(attributes.get("ref", ""))
        if place and whole_number(attributes.get("headerRowCount"), 1):
            headers[place[0]] = (place[1], place[3])

    handlers = Handlers({"x:table": table, "x:filterColumn": lambda _: filters.append(True)})
    for part in parts:
        _read_what_can_be_read(package, part, handlers, cancel)
    return headers, bool(filters)


def people_of(package: Package, parts: Iterable[str], cancel: CancelToken) -> dict[str, str]:
    """The names of those who comment, by id."""
    people: dict[str, str] = {}

    def person(attributes: Attributes) -> None:
        people[attributes.get("id", "")] = one_line(attributes.get("displayName", ""))

    for part in parts:
        _read_what_can_be_read(package, part, Handlers({"xt:person": person}), cancel)
    return people


def comments_of(
    package: Package,
    notes: Iterable[str],
    threads: Iterable[str],
    people: dict[str, str],
    budget: Budget,
    cancel: CancelToken,
) -> dict[tuple[int, int], str]:
    """The comments by cell. A thread is also kept as a note for old programs, which is left out."""
    reader = _CommentReader(people, budget)
    for part in threads:
        _read_what_can_be_read(package, part, reader.handlers, cancel)
    reader.keep_these()
    for part in notes:
        _read_what_can_be_read(package, part, reader.handlers, cancel)
    return reader.texts


class _CommentReader:
    def __init__(self, people: dict[str, str], budget: Budget) -> None:
        self.texts: dict[tuple[int, int], str] = {}
        self._people = people
        self._budget = budget
        self._kept: set[tuple[int, int]] = set()
        self._authors: list[str] = []
        self._author = ""
        self._place: tuple[int, int] | None = None
        self._pieces: list[str] | None = None
        texts = ("x:t", "xt:text", "x:author")
        self.handlers = Handlers(
            {
                "x:authors": lambda _: self._authors.clear(),
                "x:comment": self._start_note,
                "xt:threadedComment": self._start_thread,
                "x:rPh": lambda _: True,
                **dict.fromkeys(texts, self._start_text),
            },
            {
                "x:author": self._end_author,
                "x:comment": self._end_comment,
                "xt:threadedComment": self._end_comment,
            },
            self._text,
        )

    def keep_these(self) -> None:
        self._kept = set(self.texts)

    def _start_note(self, attributes: Attributes) -> None:
        self._place = cell_place(attributes.get("ref", ""))
        number = whole_number(attributes.get("authorId"), -1)
        self._author = self._authors[number] if 0 <= number < len(self._authors) else ""
        self._pieces = None

    def _start_thread(self, attributes: Attributes) -> None:
        self._place = cell_place(attributes.get("ref", ""))
        self._author = self._people.get(attributes.get("personId", ""), "")
        self._pieces = None

    def _start_text(self, _: Attributes) -> None:
        self._pieces = self._pieces if self._pieces is not None else []

    def _text(self, data: str) -> None:
        if self._pieces is not None:
            self._budget.spend(len(data))
            self._pieces.append(data)

    def _end_author(self) -> None:
        self._authors.append(one_line("".join(self._pieces or ())))
        self._pieces = None

    def _end_comment(self) -> None:
        text = one_line("".join(self._pieces or ())).removeprefix(f"{self._author}:").strip()
        self._pieces = None
        if self._place is None or self._place in self._kept or not text:
            return
        by = f"Comment by {self._author}" if self._author else "Comment"
        before = self.texts.get(self._place, "")
        self.texts[self._place] = f"{before} [{by}: {text}]".strip()


def _read_what_can_be_read(
    package: Package, part: str, handlers: Handlers, cancel: CancelToken
) -> None:
    try:
        package.read_whole(part, handlers, cancel)
    except DamagedXmlError:
        return
