"""A knowledge base tells its state, is brought up from older versions, and gives space back."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from inglenook.errors import Cancelled, UserError
from inglenook.knowledge.catalog import Catalog
from inglenook.testing.fake_vector_store import ExactStore
from inglenook.types import CancelToken, Locator


def text(of: object) -> str:
    return f"The harbour of {of} opens at dawn. " * 20


def catalog_of(desk):
    return desk.folder / (desk.folder / "current").read_text()


def test_a_plan_tells_what_would_be_done_and_does_nothing(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.write("b.txt", "Pears are green.")
    desk.ingest()
    desk.write("a.txt", "Apples are green.")
    desk.write("c.txt", "Plums are blue.")
    desk.documents.joinpath("b.txt").unlink()

    plan = desk.base.plan(desk.files())

    assert {"a.txt": "update", "c.txt": "add", "b.txt": "remove"} == {
        step.name: step.task for step in plan.steps
    }
    assert (2, 2, 0, 1) == (plan.sources, plan.to_read, plan.unchanged, plan.to_remove)
    assert ["Apples are red."] == desk.found("apples")


def test_a_plan_before_the_first_ingestion_adds_everything(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    assert ["add"] == [step.task for step in desk.base.plan(desk.files()).steps]
    assert not desk.base.exists


def test_the_status_lists_failures_changes_and_sizes(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.write("noise.txt", b"\x00" * 50)
    desk.ingest()
    desk.write("new.txt", "Plums are blue.")

    status = desk.base.status(desk.files())

    assert (1, 1, ()) == (status.sources, status.chunks, status.problems)
    assert ["noise.txt"] == [name for name, _, _ in status.failed]
    assert ("new.txt",) == status.changed
    assert status.catalog_bytes > 0
    assert status.embeddings_bytes > 0
    assert (0, -1) == (status.store_bytes, status.store_vectors)
    assert not status.outdated


def test_the_status_of_nothing_is_told_too(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    assert ("a.txt",) == desk.base.status(desk.files()).changed


def test_the_status_finds_a_damaged_catalog(desk) -> None:
    for number in range(60):
        desk.write(f"{number}.txt", text(number))
    desk.ingest()
    desk.base.close()
    path = catalog_of(desk)
    data = bytearray(path.read_bytes())
    for page in range(6, len(data) // 4096, 2):
        data[page * 4096 : page * 4096 + 400] = b"\xff" * 400
    path.write_bytes(data)

    desk.reopened()
    status = desk.base.status([])
    assert status.problems
    assert "malformed" in " ".join(status.problems) or "page" in " ".join(status.problems)


def test_rebuilding_fills_an_empty_store_from_the_catalog(desk) -> None:
    stores: list[ExactStore] = []

    def make_store(folder, dimension):
        stores.append(ExactStore(folder, dimension))
        return stores[-1]

    for number in range(20):
        desk.write(f"{number}.txt", text(number))
    desk.reopened(desk.make_recipe(make_store=make_store))
    report = desk.ingest()

    vectors, seconds = desk.base.rebuild_store(CancelToken())

    assert report.chunks == vectors == stores[-1].count()
    assert seconds >= 0
    cancelled = CancelToken()
    cancelled.cancel()
    with pytest.raises(Cancelled):
        desk.base.rebuild_store(cancelled)


def test_rebuilding_without_a_store_says_what_to_install(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.ingest()
    with pytest.raises(UserError, match="No vector store"):
        desk.base.rebuild_store(CancelToken())


def test_vacuuming_frees_what_is_gone_and_keeps_what_another_assistant_uses(make_desk) -> None:
    first, second = make_desk(), make_desk()
    shared = first.folder.parent.parent / "embeddings.sqlite"
    for desk in (first, second):
        desk.folder = first.folder.parent.parent / "knowledge" / desk.folder.parent.name
        desk.base.close()
        desk.base = type(desk.base)(desk.folder, shared, desk.recipe)
        for number in range(120):
            desk.write(f"{number}.txt", text(f"{number} in {desk.folder.name}"))
    second.write("same.txt", text("both"))
    first.write("same.txt", text("both"))
    first.ingest()
    second.ingest()
    for number in range(120):
        first.documents.joinpath(f"{number}.txt").unlink()
    first.ingest()

    freed = first.base.vacuum()

    assert freed > 50_000
    assert 0 == sum(r.embedded for r in second.ingest().results)
    second.documents.joinpath("1.txt").rename(first.documents / "1.txt")
    assert 0 == sum(r.embedded for r in first.ingest().results), "kept for the other one"
    assert [] == [t for t in first.found("harbour") if "119" in t]


def test_a_catalog_of_the_first_version_is_brought_up(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.ingest()
    desk.base.close()
    path = catalog_of(desk)
    with sqlite3.connect(path) as connection:
        view = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'live'").fetchone()
        connection.execute("DROP VIEW live")
        connection.execute("DROP INDEX chunks_of_member")
        connection.execute("ALTER TABLE chunks DROP COLUMN locator_member")
        connection.execute("ALTER TABLE chunks DROP COLUMN gap")
        connection.execute(view[0])
        connection.execute("PRAGMA user_version = 1")
    connection.close()

    desk.reopened()

    assert {"a.txt": "unchanged"} == desk.outcomes()
    assert ["Apples are red."] == desk.found("apples")
    assert [Locator("line", 1)] == [p.locator for p in desk.base.retrieve("apples", 1, "lexical")]


def test_a_catalog_that_another_process_brings_up_meanwhile_is_opened(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.ingest()
    desk.base.close()
    path = catalog_of(desk)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA user_version = 2")  # As an older version wrote it, but for this:
        other.execute("BEGIN IMMEDIATE")  # another process adds what is missing.
        with ThreadPoolExecutor(1) as pool:
            opening = pool.submit(Catalog, path)
            with pytest.raises(TimeoutError):
                opening.result(timeout=0.5)
            other.execute("PRAGMA user_version = 3")
            other.execute("COMMIT")

            with closing(opening.result()) as catalog:
                assert 1 == catalog.count_chunks()


def test_more_chunks_than_one_statement_takes_are_read(desk) -> None:
    desk.write("a.txt", "Apples are red.")
    desk.ingest()
    with closing(Catalog(catalog_of(desk))) as catalog:
        (key,) = catalog.sample_keys(1)

        assert {key} == set(catalog.chunks([*range(key + 1, key + 300_000), key]))


def test_transactions_inside_another_are_part_of_it(tmp_path) -> None:
    catalog = Catalog(tmp_path / "catalog.sqlite")

    def add_and_fail() -> None:
        with catalog.transaction():
            catalog.add_source("a.txt", tmp_path / "a.txt")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        add_and_fail()
    assert () == catalog.sources()
    catalog.close()
