"""What other ingesters are known to lose: each failure was reported against a peer.

LlamaIndex: run-llama/llama_index 19579, 22638, 22639, 22046. LangChain: langchain-ai/langchain
39937. Haystack: a batch that fails in the middle.
"""

from __future__ import annotations

import sqlite3

import pytest

from inglenook.errors import LoadError
from inglenook.knowledge.drafting import Drafter
from inglenook.testing.fake_embedder import FakeEmbedder
from inglenook.testing.fake_vector_store import ExactStore
from inglenook.types import CancelToken

LONG = "The harbour opens at dawn and closes at dusk. " * 60


class Unwilling(FakeEmbedder):
    """Raises while it is told to."""

    willing = False

    def embed_documents(self, texts, cancel):
        if not Unwilling.willing and any("refused" in text for text in texts):
            raise ValueError("not today")
        return super().embed_documents(texts, cancel)


@pytest.fixture
def unwilling(desk):
    Unwilling.willing = False
    desk.reopened(desk.make_recipe(make_embedder=Unwilling))
    yield Unwilling
    Unwilling.willing = True


def test_a_source_whose_embedding_failed_is_not_taken_for_done_19579(desk, unwilling) -> None:
    desk.write("a.txt", "This will be refused at first.")
    assert {"a.txt": "failed"} == desk.outcomes()

    unwilling.willing = True
    assert {"a.txt": "added"} == desk.outcomes(retry_failed=True)
    assert ["This will be refused at first."] == desk.found("refused")


def test_a_failed_run_leaves_nothing_that_says_unchanged_22638(desk, unwilling) -> None:
    desk.write("a.txt", "This will be refused at first.")
    for _ in range(3):
        assert {"a.txt": "failed"} == desk.outcomes(), "every run says so, none says success"
        assert 1 == desk.ingest().exit_code


def test_the_old_version_stays_until_the_new_one_is_whole_22639(desk, unwilling) -> None:
    path = desk.write("a.txt", "Apples are red.")
    desk.ingest()
    path.write_text("Apples are refused.")

    assert {"a.txt": "failed"} == desk.outcomes()
    assert ["Apples are red."] == desk.found("apples")

    unwilling.willing = True
    assert {"a.txt": "updated"} == desk.outcomes(retry_failed=True)
    assert ["Apples are refused."] == desk.found("apples")


def test_every_chunk_of_a_source_is_kept_not_only_the_last_22046(desk) -> None:
    desk.write("a.txt", "\n\n".join(f"Paragraph {n}. {LONG}" for n in range(20)))
    report = desk.ingest()

    assert report.results[0].chunks == report.chunks == desk.base.count_chunks() > 20
    with sqlite3.connect(catalog_of(desk)) as connection:
        whole = " ".join(row[0] for row in connection.execute("SELECT text FROM live"))
    assert [n for n in range(20) if f"Paragraph {n}." not in whole] == []


def test_a_store_that_lost_its_rows_is_filled_again_and_never_called_done_39937(desk) -> None:
    stores: list[ExactStore] = []

    def the_store(folder, dimension):
        if not stores:
            stores.append(ExactStore(folder, dimension))
        return stores[0]

    for number in range(30):
        desk.write(f"{number}.txt", f"Source number {number}. {LONG}")
    desk.reopened(desk.make_recipe(make_store=the_store, store_wanted=True, exact_scan_limit=0))
    report = desk.ingest()
    assert report.chunks == stores[0].count()
    ids = list(stores[0].ids())
    stores[0].delete(ids[: len(ids) * 97 // 100])

    desk.reopened()
    again = desk.ingest()

    assert {"unchanged"} == {r.outcome for r in again.results}
    assert report.chunks == stores[0].count(), "the run that found nothing to read mended it"


def test_one_text_that_cannot_be_embedded_does_not_take_its_batch_along(desk, unwilling) -> None:
    for number in range(40):
        desk.write(f"{number:02}.txt", f"Source {number}" + (" refused." if number == 7 else "."))
    outcomes = desk.outcomes()
    assert ["07.txt"] == [name for name, outcome in outcomes.items() if outcome == "failed"]
    assert 39 == list(outcomes.values()).count("added")


def test_a_source_that_breaks_while_its_first_chunks_are_refused_fails_once(
    desk, unwilling, monkeypatch
) -> None:
    # More than a batch of text that the embedder refuses, then something that cannot be split.
    desk.write("a.txt", "This is refused. " * 8_000)
    draft = Drafter.draft
    count = 0

    def breaking(self, section, name):
        nonlocal count
        count += 1
        if count > 1:
            raise LoadError("It broke in the middle.")
        return draft(self, section, name)

    monkeypatch.setattr(Drafter, "draft", breaking)
    assert {"a.txt": "failed"} == desk.outcomes()
    assert 1 == len(desk.base.sources())


def test_equal_chunks_of_many_sources_all_stay(desk) -> None:
    for number in range(10):
        desk.write(f"{number}.txt", "The very same sentence.")
    report = desk.ingest()
    assert 10 == report.chunks
    assert 1 == sum(result.embedded for result in report.results)
    desk.documents.joinpath("0.txt").unlink()
    assert 9 == desk.ingest().chunks


def test_a_long_source_changes_from_one_whole_version_to_the_next(desk) -> None:
    desk.write("a.txt", "\n\n".join(f"Paragraph {n}. {LONG}" for n in range(60)))
    desk.ingest()
    desk.write("a.txt", "\n\n".join(f"Passage {n}. {LONG}" for n in range(60)))

    seen = set()
    for _ in desk.base.ingest(desk.files(), CancelToken()):
        with sqlite3.connect(catalog_of(desk)) as connection:
            words = {row[0].split()[0] for row in connection.execute("SELECT text FROM live")}
        seen.add(frozenset(words & {"Paragraph", "Passage"}))

    assert {frozenset({"Paragraph"}), frozenset({"Passage"})} == seen


def catalog_of(desk):
    return desk.folder / (desk.folder / "current").read_text()
