"""Real files are read as a careful person reads them; `expected.toml` beside them says how.

All of them are ingested once through the command line, without OCR and without an embedder; what
was read is taken from the catalog. Those that need a password or OCR are read once more.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from inglenook.errors import LoadError
from inglenook.host import Host
from inglenook.knowledge.catalog import Catalog, ChunkRow
from inglenook.knowledge.file_reader import FileReader, ReadLimits, ReadTask
from inglenook.knowledge.loaders import LoaderTable
from inglenook.types import Locator, Section

DATA = Path(__file__).parents[1] / "data"
COLLECTIONS = ("corpus", "hebrew")
TOGETHER = 60
"""The most characters between two cells of a row: separators, or the next one's header."""
PLACES = ("page", "slide", "sheet", "message")
NEVER = re.compile("[\x00-\x08\x0e-\x1f\ufffe\uffff\u202a-\u202e\u2066-\u2069]")
"""What no reader sees: controls, the bidi controls of PDF tools, and their mark for a hyphen."""
WRONG = "not the password of any file"


@dataclass(frozen=True)
class Entry:
    """What is expected of one file."""

    collection: str
    expected: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.collection}/{self.expected['path']}"

    @property
    def path(self) -> Path:
        return DATA / self.name

    def variant(self, key: str) -> Entry:
        return Entry(self.collection, {"path": self.expected["path"], **self.expected[key]})


@dataclass(frozen=True)
class Piece:
    """A part of what was read: `text` begins at `start` in the text of its place."""

    locator: Locator
    text: str
    start: int
    headings: tuple[str, ...]

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(frozen=True)
class Place:
    """A page, slide, sheet or message, or all of a file that has none; `name` is its locator."""

    name: str
    member: str
    text: str


@dataclass(frozen=True)
class Reading:
    """How a file ended and what was read."""

    outcome: str
    reason: str = ""
    message: str = ""
    notices: tuple[Mapping[str, Any], ...] = ()
    pieces: tuple[Piece, ...] = ()
    places: tuple[Place, ...] = field(default=())

    @property
    def text(self) -> str:
        return plain("\n".join(place.text for place in self.places))


def entries() -> Iterator[Entry]:
    for collection in COLLECTIONS:
        source = DATA / collection / "expected.toml"
        for expected in tomllib.loads(source.read_text("utf-8"))["file"]:
            yield Entry(collection, expected)


ALL = tuple(entries())
PASSWORDS = tuple(entry for entry in ALL if "with_password" in entry.expected)
SCANS = tuple(entry for entry in ALL if "with_ocr" in entry.expected)


def those(*fields: str, of: Iterable[Entry] = ALL) -> pytest.MarkDecorator:
    """One test for each entry that says something about any of the fields."""
    chosen = [entry for entry in of if set(fields) & set(entry.expected)]
    return pytest.mark.parametrize("entry", chosen, ids=[entry.name for entry in chosen])


def every(chosen: Iterable[Entry]) -> pytest.MarkDecorator:
    return those("path", of=chosen)


# --- reading ------------------------------------------------------------------------------------


class Library:
    """A folder with copies of some of the files, ingested once."""

    def __init__(self, folder: Path, chosen: Iterable[Entry], *, ocr: bool) -> None:
        self._home = folder / "home"
        names = [entry.name for entry in chosen]
        for name in names:
            copy = folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(DATA / name, copy)
        lines = [
            f"FILE ./{collection}" for collection in COLLECTIONS if (folder / collection).is_dir()
        ]
        profile = folder / "Assistantfile"
        profile.write_text("\n".join(["FROM any", "RETRIEVE mode=lexical", *lines, ""]), "utf-8")
        if not ocr:
            self._nook("plugins", "disable", "ocr")
        done = self._nook("ingest", str(profile), "--json")
        assert done.stdout, done.stderr
        self._results = {result["name"]: result for result in json.loads(done.stdout)["results"]}
        self._pieces = self._read_catalog()

    def _nook(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "inglenook", "--home", str(self._home), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )

    def _read_catalog(self) -> dict[str, tuple[Piece, ...]]:
        (pointer,) = (self._home / "data" / "knowledge").glob("*/current")
        with closing(Catalog(pointer.with_name(pointer.read_text()))) as catalog:
            keys = iter([key for key, _, _ in catalog.embeddings()])
            rows: list[ChunkRow] = []
            while part := list(islice(keys, 500)):
                rows.extend(catalog.chunks(part).values())
        found: dict[str, list[Piece]] = {}
        for row in sorted(rows, key=lambda row: (row.source, row.ordinal)):
            piece = Piece(row.locator, row.text, row.start, row.headings)
            found.setdefault(row.source, []).append(piece)
        return {name: tuple(pieces) for name, pieces in found.items()}

    def reading(self, entry: Entry) -> Reading:
        assert entry.name in self._results, f"{entry.name} was passed over in silence"
        result = self._results[entry.name]
        pieces = self._pieces.get(entry.name, ())
        return Reading(
            outcome=result["outcome"],
            reason=result["reason"],
            message=result["message"],
            notices=tuple(result["notices"]),
            pieces=pieces,
            places=tuple(places_of(pieces)),
        )


def read_with_password(entry: Entry, password: str) -> Reading:
    """What the loaders give for a password. Raises `LoadError`."""
    reader = FileReader(LoaderTable.of(Host()), ReadLimits())
    try:
        batch = reader.begin(ReadTask(entry.path, entry.name, password))
        items = list(batch.items)
        while not batch.ended:
            batch = reader.more()
            items += batch.items
    finally:
        reader.close()
    pieces = tuple(
        Piece(item.locator, item.text, item.start, item.headings)
        for item in items
        if isinstance(item, Section)
    )
    return Reading("added", pieces=pieces, places=tuple(places_of(pieces)))


def places_of(pieces: Iterable[Piece]) -> Iterator[Place]:
    """Put the pieces together again where they were cut; they may overlap."""
    place, text, end = ("", ""), "", 0
    for piece in pieces:
        name = str(piece.locator) if piece.locator.kind in PLACES else ""
        here = (name, piece.locator.member)
        shared = end - piece.start
        follows = here == place and shared >= 0 and text.endswith(piece.text[:shared])
        if here == place and shared < 0:
            text += "\n" + piece.text
        elif follows and text:
            text += piece.text[shared:]
        elif here == place:
            text += "\n\n" + piece.text
        else:
            if text:
                yield Place(*place, text)
            place, text = here, piece.text
        end = piece.end
    if text:
        yield Place(*place, text)


def plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def spot(text: str, within: str) -> int:
    """Where it begins, white space apart, or -1."""
    return plain(within).find(plain(text))


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Every file, read without OCR."""
    return Library(tmp_path_factory.mktemp("corpus"), ALL, ocr=False)


@pytest.fixture(scope="session")
def recognised(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The scans, read with OCR."""
    return Library(tmp_path_factory.mktemp("scans"), SCANS, ocr=True)


# --- what is expected ---------------------------------------------------------------------------


def missing(pieces: Iterable[str], text: str) -> list[str]:
    return [piece for piece in pieces if spot(piece, text) < 0]


def out_of_order(pieces: Iterable[str], text: str) -> str:
    """The first piece that does not follow the ones before it, or ""."""
    rest = plain(text)
    for piece in pieces:
        _, found, rest = rest.partition(plain(piece))
        if not found:
            return piece
    return ""


def has_row(cells: Iterable[str], text: str) -> bool:
    words = (rf"(?<!\w){re.escape(plain(cell))}(?!\w)" for cell in cells)
    return re.search(f".{{0,{TOGETHER}}}?".join(words), plain(text)) is not None


def counted(reading: Reading, kind: str) -> list[int | str]:
    values = {
        p.locator.value for p in reading.pieces if p.locator.kind == kind and not p.locator.member
    }
    return sorted(values, key=lambda value: (isinstance(value, str), value))


def assert_counts(entry: Entry, reading: Reading) -> None:
    for kind in PLACES:
        number = entry.expected.get(f"{kind}s")
        if number is None:
            continue
        values = counted(reading, kind)
        if kind == "sheet":
            assert number == len(values), values
        else:
            assert list(range(1, number + 1)) == values


def assert_in_place(entry: Entry, reading: Reading) -> None:
    for wanted in entry.expected.get("in_place", ()):
        there = "\n".join(p.text for p in reading.places if p.name == wanted["locator"])
        assert spot(wanted["text"], there) >= 0, f"{wanted['locator']}: {there[:2000]}"


def test_every_file_of_the_index_has_an_expectation() -> None:
    rows = (DATA / "corpus" / "index.tsv").read_text("utf-8").splitlines()[1:]

    assert sorted(row.split("\t")[0] for row in rows) == sorted(
        entry.expected["path"] for entry in ALL if entry.collection == "corpus"
    )


@every(ALL)
def test_a_file_ends_as_it_should_and_says_why(entry: Entry, library: Library) -> None:
    reading = library.reading(entry)
    reasons = entry.expected.get("reason", "")

    assert entry.expected["outcome"] == reading.outcome, f"{reading.reason}: {reading.message}"
    assert reading.reason in (reasons if isinstance(reasons, list) else [reasons]), reading.message


@those("pages", "slides", "sheets", "messages")
def test_every_page_slide_and_sheet_was_read(entry: Entry, library: Library) -> None:
    assert_counts(entry, library.reading(entry))


@those("must_contain")
def test_the_text_is_there_to_the_letter(entry: Entry, library: Library) -> None:
    text = library.reading(entry).text

    assert [] == missing(entry.expected["must_contain"], text), text[:4000]


@those("in_order")
def test_the_text_stands_in_reading_order(entry: Entry, library: Library) -> None:
    text = library.reading(entry).text

    assert "" == out_of_order(entry.expected["in_order"], text), text[:4000]


@those("rows")
def test_the_cells_of_a_row_stand_together(entry: Entry, library: Library) -> None:
    text = library.reading(entry).text

    assert [] == [row for row in entry.expected["rows"] if not has_row(row, text)], text[:4000]


@those("once")
def test_nothing_is_read_twice(entry: Entry, library: Library) -> None:
    text = library.reading(entry).text

    assert dict.fromkeys(entry.expected["once"], 1) == {
        piece: text.count(plain(piece)) for piece in entry.expected["once"]
    }


@those("must_not_contain")
def test_what_no_reader_sees_is_not_text(entry: Entry, library: Library) -> None:
    text = library.reading(entry).text

    assert "" != text
    assert [] == [piece for piece in entry.expected["must_not_contain"] if piece in text]


@every(
    entry
    for entry in ALL
    if entry.expected["outcome"] == "added" and "empty" not in entry.expected.get("notices", ())
)
def test_no_controls_are_left_in_the_text(entry: Entry, library: Library) -> None:
    text = "\n".join(place.text for place in library.reading(entry).places)

    assert "" != text
    assert [] == [repr(text[m.start() - 20 : m.end() + 20]) for m in NEVER.finditer(text)][:3]


@those("in_place")
def test_a_text_is_cited_with_its_place(entry: Entry, library: Library) -> None:
    assert_in_place(entry, library.reading(entry))


@those("under")
def test_a_text_is_known_by_its_heading(entry: Entry, library: Library) -> None:
    pieces = library.reading(entry).pieces

    for wanted in entry.expected["under"]:
        holding = [piece for piece in pieces if spot(wanted["text"], piece.text) >= 0]
        assert holding, f"no chunk holds {wanted['text']!r}"
        assert any(wanted["heading"] in piece.headings for piece in holding), holding[0].headings


@those("members")
def test_a_text_is_cited_with_the_file_inside_the_file(entry: Entry, library: Library) -> None:
    places = library.reading(entry).places

    for wanted in entry.expected["members"]:
        there = "\n".join(place.text for place in places if place.member == wanted["member"])
        assert spot(wanted["text"], there) >= 0, [place.member for place in places]


@those("notices", "notices_say")
def test_what_could_not_be_read_is_said(entry: Entry, library: Library) -> None:
    notices = library.reading(entry).notices
    said = "\n".join(f"{notice['code']} {notice['message']}" for notice in notices)

    assert set(entry.expected.get("notices", ())) <= {notice["code"] for notice in notices}
    for word in entry.expected.get("notices_say", ()):
        assert word in said


# --- passwords and scans ------------------------------------------------------------------------


@every(PASSWORDS)
def test_the_password_opens_the_file(entry: Entry) -> None:
    wanted = entry.variant("with_password")
    reading = read_with_password(wanted, wanted.expected["password"])

    assert [] == missing(wanted.expected["must_contain"], reading.text), reading.text[:4000]
    assert "" == out_of_order(wanted.expected.get("in_order", ()), reading.text)
    assert_counts(wanted, reading)


@every(PASSWORDS)
def test_a_wrong_password_opens_nothing(entry: Entry) -> None:
    with pytest.raises(LoadError) as caught:
        read_with_password(entry, WRONG)

    assert "encrypted" == caught.value.reason
    assert WRONG not in str(caught.value)


@every(SCANS)
def test_a_scan_is_read_with_ocr(entry: Entry, recognised: Library) -> None:
    wanted = entry.variant("with_ocr")
    reading = recognised.reading(wanted)
    pieces = wanted.expected.get("must_contain", [])
    at_least = wanted.expected.get("at_least", len(pieces))

    assert wanted.expected["outcome"] == reading.outcome, f"{reading.reason}: {reading.message}"
    lost = missing(pieces, reading.text)
    assert len(pieces) - len(lost) >= at_least, f"{lost} in {reading.text[:2000]}"
    assert_in_place(wanted, reading)
