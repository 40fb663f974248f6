"""`nook ingest`: what it says before, while and after it reads, and how it is stopped."""

from __future__ import annotations

import json
import os
import signal
import time
import zipfile

import pytest

NOISE = "\x00\x01\x02" * 50
"""What no loader takes for text."""


def counts_of(ran) -> dict[str, int]:
    return json.loads(ran.out)["counts"]


def archive(papers, name: str, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(papers.documents / name, "w") as file:
        for member, data in members.items():
            file.writestr(member, data)


# --- before ---------------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_be_done_and_does_nothing(nook, papers, home):
    ran = nook("ingest", "./papers", "--dry-run")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "TASK  SOURCE",
        "add   documents/one.txt",
        "add   documents/two.txt",
        "2 to read, 0 to remove, 0 unchanged; nothing was done.",
    ]
    assert not (home / "data" / "knowledge").exists()
    assert counts_of(nook("ingest", "./papers", "--json")) == {"added": 2}


def test_a_dry_run_names_every_kind_of_task(nook, papers):
    papers.write("noise.txt", NOISE)
    assert nook("ingest", "./papers").code == 1
    papers.write("one.txt", "The first paper is about egrets.\n")
    (papers.documents / "two.txt").rename(papers.documents / "second.txt")
    papers.write("three.txt", "The third paper is about voles.\n")
    ran = nook("ingest", "./papers", "--dry-run", "--json")
    plan = json.loads(ran.out)
    tasks = {step["name"].removeprefix("documents/"): step["task"] for step in plan["steps"]}
    assert tasks == {
        "noise.txt": "still-failed",
        "one.txt": "update",
        "second.txt": "rename",
        "three.txt": "add",
    }
    assert (ran.code, plan["to_read"], plan["assistant"]) == (0, 2, "papers")
    again = json.loads(nook("ingest", "./papers", "--dry-run", "--retry-failed", "--json").out)
    assert {"name", "task", "path"} == set(again["steps"][0])
    assert "add" in {s["task"] for s in again["steps"] if s["name"] == "documents/noise.txt"}
    (papers.documents / "one.txt").unlink()
    removed = nook("ingest", "./papers", "--dry-run").out
    assert "remove        documents/one.txt" in removed
    assert "still failed  documents/noise.txt" in removed


def test_a_dry_run_does_not_watch(nook, papers):
    ran = nook("ingest", "./papers", "--dry-run", "--watch")
    assert ran.code == 2
    assert "do not go together" in ran.err


# --- after ----------------------------------------------------------------------------------------


def test_a_part_that_failed_is_named_once_and_sets_the_exit_code_every_time(nook, papers):
    archive(papers, "letters.zip", {"good.txt": b"About badgers.", "bad.txt": NOISE.encode()})
    for outcome, options in (("added", ()), ("unchanged", ("--verbose",))):
        ran = nook("ingest", "./papers", *options)
        assert ran.code == 1
        rows = [line for line in ran.out.splitlines() if "letters.zip" in line]
        assert rows[0].startswith(f"{outcome} ")
        assert rows[1].startswith("part failed  ")
        assert "bad.txt: unsupported: it is not text but binary data." in rows[1]
        assert "1 part failed" in ran.out.splitlines()[-1]
    again = nook("ingest", "./papers")
    assert again.code == 1
    assert "letters.zip" not in again.out
    assert "1 document, or parts of them, failed before and did not change: " in again.out
    form = json.loads(nook("ingest", "./papers", "--json").out)
    [zipped] = [r for r in form["results"] if r["name"] == "documents/letters.zip"]
    assert [notice["code"] for notice in zipped["notices"]] == ["part-failed"]
    archive(papers, "letters.zip", {"good.txt": b"About badgers."})
    assert nook("ingest", "./papers").code == 0


def test_a_first_search_says_which_part_it_does_not_know(nook, papers):
    archive(papers, "letters.zip", {"good.txt": b"About badgers.", "bad.txt": NOISE.encode()})
    ran = nook("search", "./papers", "badgers")
    assert ran.code == 1
    assert "documents/letters.zip: part failed: bad.txt: unsupported" in ran.err
    assert "letters.zip" in ran.out


def test_what_failed_before_is_counted_and_told_how_to_see_and_to_try_again(nook, papers):
    papers.write("noise.txt", NOISE)
    first = nook("ingest", "./papers")
    assert "failed   documents/noise.txt" in first.out
    assert "2 added, 1 failed; " in first.out
    papers.write("three.txt", "The third paper is about voles.\n")
    again = nook("ingest", "./papers")
    assert again.code == 1
    assert "noise.txt" not in again.out
    assert "1 added, 2 unchanged, 1 failed before; " in again.out
    assert again.out.splitlines()[-1] == (
        "1 document, or parts of them, failed before and did not change: "
        "nook kb status ./papers lists them, nook ingest ./papers --retry-failed tries again."
    )
    assert "noise.txt" in nook("kb", "status", "./papers").out
    for option in ("--verbose", "--retry-failed"):
        rows = nook("ingest", "./papers", option).out.splitlines()
        assert [row.split()[0] for row in rows if "noise.txt" in row] == ["failed"]


def test_what_is_left_out_is_told_when_it_is_new_and_counted_then(nook, papers):
    (papers.documents / "film.mov").write_bytes(NOISE.encode())
    (papers.documents / ".hidden").write_text("Hidden.")
    first = nook("ingest", "./papers")
    assert "film.mov" in first.err
    assert ".hidden" in first.err
    second = nook("ingest", "./papers")
    assert (second.code, second.err) == (0, "")
    assert "2 notes as before; --verbose shows them." in second.out
    assert "film.mov" in nook("ingest", "./papers", "--verbose").err
    (papers.documents / "other.mov").write_bytes(NOISE.encode())
    third = nook("ingest", "./papers")
    assert "other.mov" in third.err
    assert ".hidden" not in third.err
    assert "1 note as before; --verbose shows them." in third.out
    report = json.loads(nook("ingest", "./papers", "--json").out)
    assert len(report["notices"]) == 2


def test_empty_documents_are_told_together_and_once(nook, papers):
    for number in range(8):
        papers.write(f"package/{number}/__init__.py", "")
    told = "Nothing to read in 8 documents: documents/package/0/__init__.py, "
    first = nook("ingest", "./papers")
    assert first.code == 0
    assert first.err.startswith(told)
    assert first.err.endswith("documents/package/7/__init__.py\n")
    second = nook("ingest", "./papers")
    assert (second.code, second.err) == (0, "")
    assert "10 unchanged" in second.out


@pytest.mark.parametrize("width", [40, 80, 110, 200])
def test_the_table_loses_nothing_and_breaks_no_word(screen, nook, papers, environment, width):
    environment["COLUMNS"] = str(width)
    deep = "a/rather/deep/folder/with a name that is long enough to fill a line/cut.pdf"
    for name in ("cut.pdf", deep):
        papers.write(name, "%PDF-1.4 this is the beginning of what was to be a document")
    piped = nook("ingest", "./papers", "--retry-failed").out.splitlines()
    [row] = [line for line in piped if "documents/cut.pdf" in line]
    remark = row[row.index("broken") :]
    assert "cut.pdf" not in remark
    shown = screen("ingest", "./papers", "--retry-failed")
    assert shown.end() == 1
    table = shown.text[shown.text.index("OUTCOME") :]
    assert f"documents/{deep}" in table
    assert remark in " ".join(table.split())
    assert "…" not in row + table
    for line in table.splitlines():
        assert len(line) <= width or deep in line, line


@pytest.fixture
def many(papers):
    """So many documents that nobody reads a list of them, some of them no text."""
    for number in range(120):
        papers.write(f"{number:03}.txt", f"Number {number}.\n" if number % 40 else NOISE)
    return papers


def test_on_a_pipe_every_document_is_listed(nook, many):
    ran = nook("ingest", "./papers")
    assert ran.code == 1
    assert sum(line.startswith("added ") for line in ran.out.splitlines()) == 119
    assert sum(line.startswith("failed ") for line in ran.out.splitlines()) == 3
    assert len(json.loads(nook("ingest", "./papers", "--json").out)["results"]) == 122


def test_on_a_terminal_a_long_list_names_what_failed_and_counts_the_rest(screen, many):
    plan = screen("ingest", "./papers", "--dry-run")
    assert plan.end() == 0
    assert "Not listed: 122 add. --verbose lists them." in plan.text
    assert "122 to read" in plan.text
    shown = screen("ingest", "./papers")
    assert shown.end() == 1
    for name in ("000", "040", "080"):
        assert f"failed   documents/{name}.txt" in shown.text
    assert "added    documents/" not in shown.text
    assert "Not listed: 119 added. --verbose lists them." in shown.text
    assert "119 added, 3 failed" in shown.text


def test_on_a_terminal_verbose_lists_everything(screen, many):
    shown = screen("ingest", "./papers", "--verbose")
    assert shown.end() == 1
    assert shown.text.count("added    documents/") == 119


# --- while ----------------------------------------------------------------------------------------


def test_a_person_sees_how_far_it_is_how_fast_what_failed_and_how_long_it_takes(
    screen, papers, slow_files
):
    papers.write("noise.txt", NOISE)
    for number in range(40):
        papers.write(f"{number}.slow", f"0.3 Number {number}.")
    shown = screen("ingest", "./papers")
    shown.wait_for("/43", 60)
    for what in ("chunks/s", "1 failed", "left"):
        shown.wait_for(what, 60)
    assert shown.end() == 1


def test_nothing_is_drawn_where_nobody_looks(nook, papers):
    ran = nook("ingest", "./papers")
    assert (ran.code, ran.err) == (0, "")


# --- stopping -------------------------------------------------------------------------------------


def test_ctrl_c_finishes_what_is_in_hand_and_the_next_run_goes_on(screen, nook, papers, slow_files):
    for number in range(60):
        papers.write(f"{number:02}.slow", f"0.4 Number {number}.")
    shown = screen("ingest", "./papers")
    shown.wait_for("about ", 60)
    os.kill(shown.process.pid, signal.SIGINT)
    before = time.monotonic()
    shown.wait_for("Stopping: what is in hand is finished first.")
    assert shown.end() == 130
    assert time.monotonic() - before < 10
    assert "Stopped before the end; run it again to go on." in shown.text
    done = sum(line.startswith("added ") for line in shown.text.splitlines())
    assert 2 < done < 62
    rest = nook("ingest", "./papers", "--json")
    assert rest.code == 0
    assert counts_of(rest) == {"unchanged": done, "added": 62 - done}


def test_a_second_ctrl_c_ends_it_at_once(screen, nook, papers, slow_files):
    for number in range(8):
        papers.write(f"{number}.slow", f"20 Number {number}.")
    shown = screen("ingest", "./papers")
    shown.wait_for("/10", 60)
    os.kill(shown.process.pid, signal.SIGINT)
    shown.wait_for("Stopping:")
    before = time.monotonic()
    os.kill(shown.process.pid, signal.SIGINT)
    assert shown.end() == 130
    assert time.monotonic() - before < 2
    assert shown.text.rstrip().endswith("Stopped.")
    assert nook("search", "./papers", "herons", "--no-ingest").code in (0, 2)


def test_ctrl_c_without_a_terminal_ends_with_130_and_a_report(running, live, papers, slow_files):
    for number in range(60):
        papers.write(f"{number:02}.slow", f"0.4 Number {number}.")
    ran = running("ingest", "./papers", "--json")
    ran.until(lambda: live() > 2)
    assert ran.stop() == 130
    report = json.loads("".join(ran.out))
    assert report["cancelled"] is True
    assert 0 < report["counts"]["added"] < 62
