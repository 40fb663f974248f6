"""Files whose name does not say what they are: text is read, told where that is a guess."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from inglenook.host import Host
from inglenook.knowledge.loaders import LoaderTable
from inglenook.knowledge.media import is_text

DATA = Path(__file__).parents[2] / "data"
TEXT = "The harbour opens at dawn.\n"


@pytest.fixture(scope="module")
def table() -> LoaderTable:
    return LoaderTable.of(Host())


def told(report) -> list[str]:
    return [f"{n.code}: {n.message}" for result in report.results for n in result.notices]


@pytest.mark.parametrize("name", ["README", "LICENSE", "Makefile", "Dockerfile", "docs/NEWS"])
def test_text_without_an_extension_is_read_without_a_word(desk, table, name) -> None:
    path = desk.write(name, TEXT)

    assert table.accepts(path)
    report = desk.ingest()
    assert [("added", "")] == [(r.outcome, r.reason) for r in report.results]
    assert [] == told(report)
    assert [TEXT.strip()] == desk.found("harbour")


@pytest.mark.parametrize("name", ["Dockerfile.dev", "README.he", "notes.1st", "poem.verse"])
def test_text_with_an_unknown_extension_is_read_and_told(desk, table, name) -> None:
    path = desk.write(name, TEXT)

    assert table.accepts(path)
    report = desk.ingest()
    extension = path.suffix
    assert [f"read-as-text: no loader knows {extension}; it was read as plain text"] == told(report)
    assert [TEXT.strip()] == desk.found("harbour")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("program", b"\x7fELF\x02\x01\x01" + bytes(60)),
        ("film.mov", b"\x00\x00\x00\x14ftypqt  " + bytes(60)),
        ("legacy.zzz", "שלום לכולם".encode("cp1255")),
        ("secret.key", b"-----BEGIN PRIVATE KEY-----\nMIIEvQ\n"),
        ("table.sqlite", b"SQLite format 3\x00" + bytes(60)),
        ("package.whl", b"PK\x03\x04" + bytes(60)),
    ],
)
def test_what_is_not_plainly_text_is_not_read_by_guess(desk, table, name, content) -> None:
    assert not table.accepts(desk.write(name, content))


def test_a_document_without_an_extension_is_read_as_what_it_is(desk, table) -> None:
    path = desk.write("report", (DATA / "documents" / "right_to_left_01.pdf").read_bytes())

    assert table.accepts(path)
    report = desk.ingest()
    assert ["added"] == [r.outcome for r in report.results]
    assert any(line.startswith("other-type: ") for line in told(report))


def test_what_cannot_be_opened_is_accepted_so_that_it_is_told(table, tmp_path) -> None:
    assert table.accepts(tmp_path / "gone")
    assert table.accepts(tmp_path / "gone.xyz")


def test_in_an_archive_the_content_decides_too(desk) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("README", TEXT)
        archive.writestr("poem.verse", "Herons wade.\n")
        archive.writestr("program", b"\x7fELF\x02\x01\x01" + bytes(60))
        archive.writestr("film.mov", bytes(60))
    desk.write("a.zip", buffer.getvalue())

    report = desk.ingest()

    assert [("added", True)] == [(r.outcome, r.is_whole) for r in report.results]
    assert {
        "read-as-text: poem.verse: no loader knows .verse; it was read as plain text",
        "part-skipped: program: no loader reads this kind of file",
        "part-skipped: film.mov: no loader reads this kind of file",
    } == set(told(report))
    assert [TEXT.strip()] == desk.found("harbour")
    assert ["Herons wade."] == desk.found("herons")


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"", True),
        ("Grüße\tan alle\r\n".encode(), True),
        ("של".encode()[:3], True),
        ("עברית".encode("utf-16"), True),
        (b"\x1b[1mbold\x1b[0m", True),
        (b"\xff\xfb\x90\x44", False),
        (b"ab\x00cd", False),
        ("Grüße".encode("latin-1"), False),
    ],
)
def test_text_is_known_by_its_first_bytes(head, text) -> None:
    assert text is is_text(head)
