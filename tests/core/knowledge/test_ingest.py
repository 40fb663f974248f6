"""Sources come in, change, move and go; nothing is lost, nothing is there twice."""

from __future__ import annotations

import io
import os
import sqlite3
import threading
import time
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from inglenook.errors import StoreError, UserError
from inglenook.knowledge.catalog import Catalog, NewChunk
from inglenook.knowledge.knowledge_base import KnowledgeBase
from inglenook.knowledge.pipeline import Pipeline
from inglenook.types import CancelToken, ChunkText, IngestPlan, IngestReport, SourceResult

DATA = Path(__file__).parents[2] / "data" / "corpus"
LONG = "The harbour opens at dawn. " * 40


def test_a_first_run_adds_every_source_and_a_second_changes_nothing(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.write("b/c.md", "# Pears\n\nPears are green.")

    assert {"a.txt": "added", "b/c.md": "added"} == desk.outcomes()
    before = desk.base.count_chunks()
    report = desk.ingest()

    assert ["unchanged", "unchanged"] == [r.outcome for r in report.results]
    assert 0 == sum(r.embedded for r in report.results)
    assert before == report.chunks == desk.base.count_chunks()
    assert 0 == report.exit_code


def test_a_changed_source_shows_its_new_text_only(desk) -> None:
    path = desk.write("a.txt", "Apples are red.")
    desk.ingest()
    path.write_text("Apples are green and large.")

    assert {"a.txt": "updated"} == desk.outcomes()
    assert ["Apples are green and large."] == desk.found("apples")


def test_the_same_bytes_with_a_new_time_are_unchanged(desk) -> None:
    path = desk.write("a.txt", "Apples are red.")
    desk.ingest()
    os.utime(path, (1, 1))

    assert {"a.txt": "unchanged"} == desk.outcomes()
    assert () == desk.base.changed(desk.files())


def test_a_renamed_source_keeps_its_chunks(desk) -> None:
    path = desk.write("a.txt", "Apples are red.")
    desk.ingest()
    before = desk.base.retrieve("apples", 1, "lexical")[0]
    path.rename(path.with_name("z.txt"))

    assert {"z.txt": "renamed"} == desk.outcomes()
    after = desk.base.retrieve("apples", 1, "lexical")[0]
    assert (before.chunk, before.source_id, "z.txt") == (after.chunk, after.source_id, after.source)


def test_a_removed_source_is_gone(desk) -> None:
    path = desk.write("a.txt", "Apples are red.")
    desk.write("b.txt", "Pears are green.")
    desk.ingest()
    path.unlink()

    assert {"b.txt": "unchanged", "a.txt": "removed"} == desk.outcomes()
    assert [] == desk.found("apples")


def test_one_bad_source_never_stops_the_others(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.write("cut.pdf", "%PDF-1.4")
    desk.write("noise.txt", b"\x00\x01\x02\xff\xfe\x00" * 50)
    desk.write("z.txt", "Zebras are striped.")

    report = desk.ingest()

    outcomes = {r.name: r.outcome for r in report.results}
    assert {"a.txt": "added", "cut.pdf": "failed", "noise.txt": "failed", "z.txt": "added"} == (
        outcomes
    )
    assert 1 == report.exit_code
    assert all(r.reason and r.message for r in report.results if r.outcome == "failed")


def test_a_file_that_cannot_be_opened_is_listed(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    files = [*desk.files(), ("gone.txt", desk.documents / "gone.txt")]

    *_, report = desk.base.ingest(files, CancelToken())

    gone = next(r for r in report.results if r.name == "gone.txt")
    assert ("failed", "unreadable") == (gone.outcome, gone.reason)


def test_a_failed_update_keeps_the_old_version_answerable(desk) -> None:
    path = desk.write("a.txt", "Apples are red.")
    desk.ingest()
    path.write_bytes(b"\x00\x01\x02" * 100)

    report = desk.ingest()

    assert "failed" == report.results[0].outcome
    assert "stays answerable" in report.results[0].message
    assert ["Apples are red."] == desk.found("apples")


def test_a_failed_source_is_read_again_only_when_asked_or_changed(desk) -> None:
    path = desk.write("a.txt", b"\x00" * 50)
    assert {"a.txt": "failed"} == desk.outcomes()

    plan = next(iter(desk.base.ingest(desk.files(), CancelToken())))
    assert isinstance(plan, IngestPlan)
    assert 0 == plan.to_read
    assert {"a.txt": "failed"} == desk.outcomes()
    retried = next(iter(desk.base.ingest(desk.files(), CancelToken(), retry_failed=True)))
    assert isinstance(retried, IngestPlan)
    assert 1 == retried.to_read
    path.write_text("Apples are red.")
    assert {"a.txt": "added"} == desk.outcomes()


def told(report, name: str) -> list[str]:
    return [f"{n.code}: {n.message}" for r in report.results if r.name == name for n in r.notices]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("package/__init__.py", "", "it is empty (0 bytes)"),
        ("notes.txt", " \n\t\n", "it holds nothing but white space"),
        ("marked.txt", "\ufeff", "it holds nothing but white space"),
        ("inbox.mbox", "", "it is empty (0 bytes)"),
        ("list.json", "[]", "it holds no values"),
    ],
)
def test_an_empty_file_is_no_failure_and_told_once(desk, name, content, said) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.write(name, content)

    first = desk.ingest()
    second = desk.ingest()

    assert {"a.txt": "added", name: "added"} == {r.name: r.outcome for r in first.results}
    assert [f"empty: {said}"] == told(first, name)
    assert (0, 1) == (first.exit_code, first.chunks)
    assert {"a.txt": "unchanged", name: "unchanged"} == {r.name: r.outcome for r in second.results}
    assert 0 == second.exit_code
    assert () == desk.base.changed(desk.files())
    texts = {"inbox.mbox": "From a@b Mon Nov 23 2026\nSubject: Eggs\n\nEggs.\n", "list.json": "[3]"}
    desk.write(name, texts.get(name, "Eggs."))
    assert "updated" == desk.outcomes()[name]


def test_a_document_that_becomes_empty_is_not_answered_from_any_more(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.ingest()
    desk.write("a.txt", "")

    assert {"a.txt": "updated"} == desk.outcomes()
    assert [] == desk.found("apples")
    assert 0 == desk.base.count_chunks()


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.zip", "a.epub"])
def test_a_file_that_cannot_be_empty_and_is_so_is_broken(desk, name) -> None:
    desk.write(name, "")

    assert [("failed", "broken")] == [(r.outcome, r.reason) for r in desk.ingest().results]


def test_empty_files_in_an_archive_are_told_and_no_failure(desk) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("empty.txt", "")
    desk.write("only.zip", buffer.getvalue())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("notes.txt", "Notes that anybody may read.")
    desk.write("both.zip", buffer.getvalue())

    report = desk.ingest()

    assert 0 == report.exit_code
    assert ["part-empty: empty.txt: it is empty (0 bytes)"] == told(report, "both.zip")
    assert "part-empty: empty.txt: it is empty (0 bytes)" in told(report, "only.zip")
    assert ["Notes that anybody may read."] == desk.found("anybody")


def test_equal_texts_of_two_sources_are_both_there_and_embedded_once(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.write("b.txt", "Apples are red.")

    report = desk.ingest()

    assert 2 == desk.base.count_chunks()
    assert 1 == sum(r.embedded for r in report.results)


def test_the_same_text_is_not_embedded_again_by_another_assistant(make_desk, tmp_path) -> None:
    first, second = make_desk(), make_desk()
    shared = tmp_path / "embeddings.sqlite"
    for desk in (first, second):
        desk.base.close()
        desk.base = KnowledgeBase(desk.folder, shared, desk.recipe)
        desk.write("a.txt", LONG)

    assert first.ingest().results[0].embedded > 0
    assert 0 == second.ingest().results[0].embedded


def test_a_cancel_finishes_the_sources_in_hand_and_a_rerun_ends_the_same(desk, make_desk) -> None:
    other = make_desk()
    for target in (desk, other):
        for number in range(400):
            target.write(f"{number}.txt", f"Source number {number}. {LONG}")
    cancel = CancelToken()
    seen = []
    for event in desk.base.ingest(desk.files(), cancel):
        if isinstance(event, SourceResult):
            seen.append(event)
            cancel.cancel()
    assert isinstance(event, IngestReport)
    assert event.cancelled
    assert 1 == event.exit_code
    assert 0 < len(seen) < 400
    assert {"added"} == {result.outcome for result in seen}
    assert len(seen) == event.sources == len(desk.base.sources())
    assert sum(result.chunks for result in seen) == desk.base.count_chunks()

    desk.ingest()
    other.ingest()

    assert sorted(other.found("harbour")) == sorted(desk.found("harbour"))
    assert other.base.count_chunks() == desk.base.count_chunks()


def test_a_paused_run_waits_and_goes_on(desk) -> None:
    for number in range(300):
        desk.write(f"{number}.txt", f"Source number {number}. {LONG}")
    token = CancelToken()
    ended: list[str] = []

    def read() -> None:
        for event in desk.base.ingest(desk.files(), token):
            if isinstance(event, SourceResult):
                if not ended:
                    token.pause()
                ended.append(event.name)

    thread = threading.Thread(target=read)
    thread.start()
    while not token.paused:
        time.sleep(0.01)
    time.sleep(0.5)
    while_paused = len(ended)
    time.sleep(0.5)
    assert while_paused == len(ended) < 300
    token.resume()
    thread.join(60)
    assert 300 == len(set(ended))


def test_another_recipe_builds_beside_and_swaps(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.ingest()
    old = (desk.folder / "current").read_text()

    base = desk.reopened(desk.make_recipe(identity={"embedder": "another"}))
    assert not base.matches_recipe
    assert ["Apples are red."] == desk.found("apples"), "words still find it"
    with pytest.raises(UserError, match="another embedder"):
        base.retrieve("apples", 3, "vector")
    report = desk.ingest()

    assert ["added"] == [r.outcome for r in report.results]
    assert 0 == report.results[0].embedded, "its embedding was kept"
    assert old != (desk.folder / "current").read_text()
    assert not (desk.folder / old).exists()
    assert base.matches_recipe


def test_a_cancelled_rebuild_leaves_the_old_catalog_in_use(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.write("b.txt", "Pears are green.")
    desk.ingest()
    old = (desk.folder / "current").read_text()
    base = desk.reopened(desk.make_recipe(identity={"embedder": "another"}))
    cancel = CancelToken()

    for event in base.ingest(desk.files(), cancel):
        if isinstance(event, IngestPlan):
            cancel.cancel()

    assert isinstance(event, IngestReport)
    assert event.cancelled
    assert old == (desk.folder / "current").read_text()
    assert ["Pears are green."] == desk.found("pears")


def test_a_second_writer_is_told_at_once(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    other = KnowledgeBase(desk.folder, desk.folder.parent / "embeddings.sqlite", desk.recipe)
    first = desk.base.ingest(desk.files(), CancelToken())
    next(first)

    with pytest.raises(StoreError, match="Another process"):
        next(other.ingest(desk.files(), CancelToken()))

    list(first)
    assert ["Apples are red."] == desk.found("apples")


def test_an_abandoned_generation_is_never_visible_and_is_swept_away(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.ingest()
    desk.base.close()
    path = desk.folder / (desk.folder / "current").read_text()
    catalog = Catalog(path)
    source = catalog.sources()[0]
    chunk = ChunkText("Half written.", 0, 13, desk_locator())
    catalog.write_chunks(
        source.id,
        source.generation + 1,
        [NewChunk("x", 0, chunk, "half written", bytes(64 * 4))],
    )
    catalog.close()

    desk.reopened()
    assert [] == desk.found("half written")
    desk.ingest()

    with sqlite3.connect(path) as connection:
        assert (1,) == connection.execute("SELECT count(*) FROM chunks").fetchone()


def desk_locator():
    from inglenook.types import Locator

    return Locator("line", 1)


def test_chunks_are_slices_of_their_place(desk) -> None:
    text = "# One\n\nAlpha beta. Gamma delta.\n\n# Two\n\n" + LONG
    path = desk.write("a.md", text)
    desk.ingest()

    for passage in desk.base.retrieve("harbour alpha gamma", 10, "lexical"):
        assert passage.text == path.read_text()[passage.start : passage.end]
        assert "line" == passage.locator.kind
        assert passage.locator.value == path.read_text()[: passage.start].count("\n") + 1


def test_a_newer_catalog_is_refused_untouched(desk, tmp_path: Path) -> None:
    path = tmp_path / "newer.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(StoreError, match="newer version"):
        Catalog(path)


def test_a_damaged_catalog_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(b"this is not a database" * 1000)

    with pytest.raises(StoreError, match="damaged"):
        Catalog(path)


def test_a_catalog_that_another_process_holds_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inglenook.knowledge.catalog_schema._BUSY_S", 0.01)
    path = tmp_path / "held.sqlite"
    with closing(sqlite3.connect(path)) as holder:
        holder.execute("CREATE TABLE held (it)")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="held by another process") as told:
            Catalog(path)
    assert "try again" in told.value.hint


def test_a_source_that_failed_once_is_announced_when_it_changes_again(desk) -> None:
    path = desk.write("a.txt", "Apples are red.")
    desk.ingest()
    path.write_bytes(b"\x00\x01\x02" * 100)
    desk.ingest()
    assert () == desk.base.changed(desk.files())
    path.write_text("Apples are red.")
    assert ("a.txt",) == desk.base.changed(desk.files())
    assert {"a.txt": "unchanged"} == desk.outcomes()
    assert "" == desk.base.sources()[0].failed_sha256

    path.write_text("Apples are green.")

    assert ("a.txt",) == desk.base.changed(desk.files())


def test_a_renamed_source_is_found_by_its_new_name_only(desk) -> None:
    path = desk.write("giraffe.txt", "A tall animal.")
    desk.ingest()
    assert desk.found("giraffe")
    path.rename(path.with_name("lion.txt"))
    desk.ingest()

    assert [] == desk.found("giraffe")
    assert desk.found("lion")


def test_broken_characters_are_replaced_one_for_one_and_told(desk) -> None:
    desk.write("a.json", '{"note": "before \\ud800 after"}')
    desk.write("b.txt", "Pears are green.")

    report = desk.ingest()

    assert ["added", "added"] == [r.outcome for r in report.results]
    assert "broken-characters" in [n.code for n in report.results[0].notices]
    assert ["note: before \ufffd after"] == desk.found("note")


def test_a_text_that_the_embedder_cannot_take_costs_one_source_only(desk) -> None:
    class Picky(type(desk.make_embedder())):  # type: ignore[misc]
        def embed_documents(self, texts, cancel):
            if any("poison" in text for text in texts):
                raise ValueError("cannot take this")
            return super().embed_documents(texts, cancel)

    desk.reopened(desk.make_recipe(make_embedder=Picky))
    desk.write("a.txt", "Apples are red.")
    desk.write("b.txt", "This is poison.")

    assert {"a.txt": "added", "b.txt": "failed"} == desk.outcomes()


def papers_with_a_locked_part(desk) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.write(DATA / "pypdf/encryption/r4-aes-user-password.pdf", "locked.pdf")
        archive.writestr("notes.txt", "Notes that anybody may read.")
    return desk.write("papers.zip", buffer.getvalue())


def ingested(desk, **options) -> SourceResult:
    (result,) = [
        event
        for event in desk.base.ingest(desk.files(), CancelToken(), **options)
        if isinstance(event, SourceResult)
    ]
    return result


def test_an_encrypted_part_is_told_and_opened_with_a_password_later(desk) -> None:
    path = papers_with_a_locked_part(desk)
    result = ingested(desk)
    assert ("added", True, False) == (result.outcome, result.needs_password, result.is_whole)

    again = ingested(desk, retry_failed=[str(path)], passwords=lambda name, place: "asdfzxcv")

    assert ("updated", False, True) == (again.outcome, again.needs_password, again.is_whole)
    assert again.chunks > result.chunks


def test_an_encrypted_part_is_asked_for_on_the_first_run_too(desk) -> None:
    papers_with_a_locked_part(desk)
    asked = []

    def passwords(name, place):
        asked.append(name)
        return "asdfzxcv"

    assert ingested(desk, passwords=passwords).is_whole
    assert ["papers.zip"] == asked
    assert ["Notes that anybody may read."] == desk.found("anybody"), "nothing is there twice"


def test_reading_again_without_the_password_keeps_what_was_read_with_it(desk) -> None:
    path = papers_with_a_locked_part(desk)
    before = ingested(desk, passwords=lambda name, place: "asdfzxcv").chunks
    catalog_row = desk.base.sources()[0]
    os.utime(path, (1, 1))

    again = ingested(desk, retry_failed=True)

    assert "unchanged" == again.outcome
    assert before == desk.base.count_chunks()
    assert catalog_row.generation == desk.base.sources()[0].generation


def test_a_renamed_archive_keeps_its_failed_parts(desk) -> None:
    path = papers_with_a_locked_part(desk)
    desk.ingest()
    path.rename(path.with_name("moved.zip"))
    result = ingested(desk)
    assert ("renamed", True) == (result.outcome, result.needs_password)


def test_what_cannot_be_looked_at_now_is_not_taken_for_gone(desk) -> None:
    desk.write("shelf/a.txt", "Apples are red.")
    desk.write("b.txt", "Pears are green.")
    desk.ingest()
    seen = [file for file in desk.files() if not file[0].startswith("shelf")]

    *_, report = desk.base.ingest(seen, CancelToken(), unseen=[str(desk.documents / "shelf")])

    assert {"shelf/a.txt": "failed", "b.txt": "unchanged"} == {
        result.name: result.outcome for result in report.results
    }
    assert 1 == report.exit_code
    assert ["Apples are red."] == desk.found("apples")
    assert {"shelf/a.txt": "unchanged", "b.txt": "unchanged"} == desk.outcomes()


def test_little_waits_however_large_a_source_is(desk, monkeypatch) -> None:
    desk.write("long.txt", "The harbour opens at dawn.\n\n" * 60_000)
    most = 0
    draft = Pipeline._draft

    def watched(self, piece):
        nonlocal most
        draft(self, piece)
        most = max(most, len(self._waiting))

    monkeypatch.setattr(Pipeline, "_draft", watched)
    report = desk.ingest()

    assert report.chunks > 2_000
    assert 0 < most < 1_000


def test_a_cancel_while_planning_leaves_an_assistant_that_was_never_read(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    cancel = CancelToken()
    cancel.cancel()
    *_, report = desk.base.ingest(desk.files(), cancel)
    assert report.cancelled
    assert not desk.base.exists


def test_a_catalog_that_a_crash_left_behind_is_deleted(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.ingest()
    desk.reopened(desk.make_recipe(identity={"embedder": "another"}))
    old = (desk.folder / "catalog-1.sqlite").read_bytes()
    desk.ingest()
    stray = desk.folder / "catalog-1.sqlite"
    stray.write_bytes(old)
    desk.ingest()
    assert not stray.exists()


def test_a_damaged_cache_of_embeddings_is_begun_anew_and_told(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.ingest()
    (desk.folder.parent / "embeddings.sqlite").write_bytes(b"this is no database" * 500)
    desk.write("b.txt", "Pears are green.")

    report = desk.ingest()

    assert ["embeddings-reset"] == [notice.code for notice in report.notices]
    assert 0 == report.exit_code
    assert [] == list(desk.ingest().notices)


def test_only_the_failures_that_are_named_are_read_again(desk) -> None:
    first, second = desk.write("a.txt", b"\x00" * 50), desk.write("b.txt", b"\x00" * 50)
    desk.ingest()
    assert {"a.txt": "still-failed", "b.txt": "add"} == {
        step.name: step.task
        for step in desk.base.plan(desk.files(), retry_failed=[str(second)]).steps
    }
    assert first.exists()
