"""`nook kb`: the state of a knowledge base, its vector store, and space that nothing uses."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

NOISE = "\x00\x01\x02" * 50
"""What no loader takes for text."""


def catalog_of(home):
    [pointer] = (home / "data" / "knowledge").glob("*/current")
    return pointer.with_name(pointer.read_text("utf-8").strip())


def test_the_status_names_what_failed_and_what_changed(nook, papers):
    papers.write("noise.txt", NOISE)
    nook("ingest", "./papers")
    papers.write("one.txt", "The first paper is about egrets now.\n")
    papers.write("new.txt", "A new paper.\n")
    ran = nook("kb", "status", "./papers")
    assert ran.code == 0
    assert ran.out.startswith(
        "papers: 2 sources, 2 chunks\n"
        "In order, but 2 sources changed since they were read."
        " To bring it up to date: nook ingest ./papers\n"
        "1 document, or parts of them, could not be read."
        " To try again: nook ingest ./papers --retry-failed\n"
    )
    assert "documents/noise.txt  unsupported  it is not text but binary data." in ran.out
    assert ran.out.endswith("CHANGED (2)\ndocuments/new.txt\ndocuments/one.txt\n")
    form = json.loads(nook("kb", "status", "./papers", "--json").out)
    assert (form["sources"], form["chunks"], form["healthy"]) == (2, 2, True)
    assert form["failed"][0]["name"] == "documents/noise.txt"
    assert form["changed"] == ["documents/new.txt", "documents/one.txt"]
    assert form["catalog_bytes"] > 0


def test_the_status_of_what_was_never_read_says_what_there_is_to_read(nook, papers):
    ran = nook("kb", "status", "./papers")
    assert ran.code == 0
    assert ran.out.startswith("papers: 0 sources, 0 chunks")
    assert "No documents have been read yet, 2 sources to read." in ran.out
    assert "To read them: nook ingest ./papers" in ran.out
    assert "in order" not in ran.out


def test_a_rename_is_one_change_that_names_both(nook, papers):
    nook("ingest", "./papers")
    assert "Everything is in order." in nook("kb", "status", "./papers").out.splitlines()
    (papers.documents / "one.txt").rename(papers.documents / "first.txt")
    ran = nook("kb", "status", "./papers")
    assert "In order, but 1 source changed" in ran.out
    assert ran.out.endswith("CHANGED (1)\ndocuments/first.txt  (was documents/one.txt)\n")
    form = json.loads(nook("kb", "status", "./papers", "--json").out)
    assert form["changed"] == ["documents/first.txt"]
    assert form["renamed"] == [["documents/first.txt", "documents/one.txt"]]


def test_of_many_changes_some_are_listed_and_the_rest_counted(nook, papers):
    nook("ingest", "./papers")
    for number in range(30):
        papers.write(f"new/{number}.txt", f"New {number}.\n")
    lines = nook("kb", "status", "./papers").out.splitlines()
    assert "In order, but 30 sources changed" in lines[1]
    assert lines[-1] == "… and 10 more; --json lists all"
    assert sum(line.startswith("documents/new/") for line in lines) == 20


def test_a_first_reading_that_did_not_end_is_no_order(running, nook, papers, live, slow_files):
    for number in range(60):
        papers.write(f"{number:02}.slow", f"0.3 Number {number}.")
    ran = running("ingest", "./papers")
    ran.until(lambda: live() > 2)
    ran.process.kill()
    ran.process.wait()
    kept = live()
    told = nook("kb", "status", "./papers")
    assert told.code == 0
    assert "Reading the documents has begun and not ended" in told.out
    assert f"{kept} sources that are read are kept. To go on: nook ingest ./papers" in told.out
    assert "in order" not in told.out
    form = json.loads(nook("kb", "status", "./papers", "--json").out)
    assert (form["begun"], form["kept"], form["sources"]) == (True, kept, 0)


def test_other_settings_are_outdated(nook, papers):
    nook("ingest", "./papers")
    file = papers.folder / "Assistantfile"
    file.write_text(file.read_text() + "SPLITTER sentences overlap_tokens=8\n")
    ran = nook("kb", "status", "./papers")
    assert "other settings than the Assistantfile" in ran.out
    assert json.loads(nook("kb", "status", "./papers", "--json").out)["outdated"] is True


def test_a_damaged_catalog_is_a_problem(nook, papers, home):
    nook("ingest", "./papers")
    path = catalog_of(home)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM terms_content")
    ran = nook("kb", "status", "./papers")
    form = json.loads(nook("kb", "status", "./papers", "--json").out)
    assert ran.code == 1
    assert "Problem: " in ran.out
    assert "in order" not in ran.out
    assert (form["healthy"], bool(form["problems"])) == (False, True)


def test_vacuum_frees_what_removed_documents_left(nook, papers, home):
    for number in range(300):
        papers.write(f"{number}.txt", f"Number {number}. " + "Some words. " * 60)
    nook("ingest", "./papers")
    for number in range(300):
        (papers.documents / f"{number}.txt").unlink()
    nook("ingest", "./papers")
    before = catalog_of(home).stat().st_size
    form = json.loads(nook("kb", "vacuum", "./papers", "--json").out)
    assert form["freed_bytes"] > before // 2
    assert catalog_of(home).stat().st_size < before // 2
    assert nook("kb", "vacuum", "./papers").out == "There was nothing to free.\n"
    assert "herons" in nook("search", "./papers", "herons").out


def test_what_was_never_read_cannot_be_vacuumed_or_rebuilt(nook, papers):
    for command in ("vacuum", "rebuild"):
        ran = nook("kb", command, "./papers")
        assert ran.code == 2
        assert "No documents have been read yet" in ran.err


class TestWithAnEmbedder:
    @pytest.fixture
    def home(self, assistant_home):
        return assistant_home

    def test_rebuild_makes_the_vector_store_anew_without_embedding(self, nook, papers, home):
        file = papers.folder / "Assistantfile"
        file.write_text("FROM any\nSTORE chroma\nEMBEDDER minilm:int8\nFILE ./documents\n")
        assert nook("ingest", "./papers").code == 0
        before = json.loads(nook("search", "./papers", "birds", "--mode", "vector", "--json").out)
        form = json.loads(nook("kb", "rebuild", "./papers", "--json").out)
        assert (form["vectors"], form["assistant"]) == (2, "papers")
        status = json.loads(nook("kb", "status", "./papers", "--json").out)
        assert (status["store_vectors"], status["healthy"]) == (2, True)
        assert status["store_bytes"] > 0
        after = json.loads(nook("search", "./papers", "birds", "--mode", "vector", "--json").out)
        assert after["passages"] == before["passages"]
        told = nook("kb", "rebuild", "./papers")
        assert "was built anew: 2 vectors in" in told.out
        assert "2 vectors" in nook("kb", "status", "./papers").out

    def test_vacuum_gives_back_what_dead_vectors_take_in_the_store(self, nook, papers, home):
        file = papers.folder / "Assistantfile"
        file.write_text("FROM any\nSTORE chroma\nEMBEDDER minilm:int8\nFILE ./documents\n")
        lines = "\n\n".join(f"Line number {number} of the ledger." for number in range(1500))
        papers.write("ledger.csv", "text\n" + lines.replace("\n\n", "\n"))
        file.write_text(file.read_text() + "SPLITTER sentences max_tokens=16\n")
        assert nook("ingest", "./papers").code == 0
        (papers.documents / "ledger.csv").unlink()
        assert nook("ingest", "./papers").code == 0
        before = json.loads(nook("kb", "status", "./papers", "--json").out)
        form = json.loads(nook("kb", "vacuum", "./papers", "--json").out)
        after = json.loads(nook("kb", "status", "./papers", "--json").out)
        assert after["store_bytes"] < before["store_bytes"] / 2
        freed = sum(
            before[key] - after[key] for key in ("store_bytes", "catalog_bytes", "embeddings_bytes")
        )
        assert form["freed_bytes"] == pytest.approx(freed, rel=0.2)
        assert (after["store_vectors"], after["healthy"]) == (2, True)
        assert "otters" in nook("search", "./papers", "otters", "--mode", "vector").out
        assert nook("kb", "vacuum", "./papers").out == "There was nothing to free.\n"
