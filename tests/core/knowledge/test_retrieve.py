"""The right passages, in the right order, from either side or both."""

from __future__ import annotations

import dataclasses

import numpy
import pytest

from inglenook.errors import UserError
from inglenook.host import Host
from inglenook.knowledge.catalog import Catalog, NewChunk
from inglenook.knowledge.lexical import Analyser
from inglenook.knowledge.no_embedder import NoEmbedder
from inglenook.knowledge.projection import Projection
from inglenook.knowledge.scan import ExactScan
from inglenook.knowledge.trust import trust_in
from inglenook.knowledge.word_scores import MOST_WORDS, TermStatistics, weigh_terms
from inglenook.types import ChunkText, Locator


def fill(desk) -> None:
    desk.write("fruit.txt", "Apples are red and grow on trees in the autumn.")
    desk.write("cars.txt", "Engines burn petrol; a red car is not faster.")
    desk.write("hours.md", "# Hours\n\nThe office opens at 8:15 and closes at 17:45 every day.")
    desk.ingest()


def make_chroma(folder, dimension):
    return Host().make_vector_store("chroma", folder, dimension)


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
def test_the_passage_with_the_words_comes_first(desk, mode: str) -> None:
    fill(desk)

    best = desk.base.retrieve("when does the office open?", 3, mode)[0]

    assert "hours.md" == best.source
    assert ("Hours",) == best.headings
    assert 1.0 == best.lexical
    assert best.coverage > 0.9
    assert (best.vector is None) == (mode == "lexical")


def test_vector_mode_needs_no_common_word(desk) -> None:
    fill(desk)

    passages = desk.base.retrieve("apple autumnal tree", 3, "vector")

    assert "fruit.txt" == passages[0].source
    assert all(p.vector is not None for p in passages)
    assert sorted((p.vector for p in passages), reverse=True) == [p.vector for p in passages]


@pytest.mark.parametrize("mode", ["lexical", "vector", "hybrid"])
@pytest.mark.parametrize("with_store", [False, True])
def test_only_allowed_chunks_are_found_and_as_many_as_there_are(
    desk, mode: str, with_store: bool
) -> None:
    for number in range(30):
        desk.write(f"{number}.txt", f"Report {number}: the red office opens at {number % 12}.")
    desk.ingest()
    if with_store:
        desk.reopened(desk.make_recipe(make_store=make_chroma, exact_scan_limit=1))
    catalog = Catalog(desk.folder / (desk.folder / "current").read_text())
    keys = {row.id: row.key for row in catalog.chunks(catalog.sample_keys(100)).values()}
    catalog.close()
    allowed = frozenset(sorted(keys.values())[20:27])

    found = desk.base.retrieve("when does the red office open?", 5, mode, allowed=allowed)
    few = desk.base.retrieve("red office", 20, mode, allowed=allowed)
    none = desk.base.retrieve("red office", 5, mode, allowed=frozenset())

    assert 5 == len(found)
    assert {keys[p.chunk] for p in found} <= allowed
    assert allowed == {keys[p.chunk] for p in few}
    assert () == none


def test_chunks_that_are_not_visible_yet_take_no_place(desk) -> None:
    fill(desk)
    catalog = Catalog(desk.folder / (desk.folder / "current").read_text())
    hidden = catalog.add_source("hidden.txt", desk.folder / "hidden.txt")
    chunk = ChunkText(
        text="red office car", locator=Locator("whole", 0), start=0, end=14, headings=()
    )
    row = next(iter(catalog.embeddings()))[2]
    catalog.write_chunks(
        hidden, 1, [NewChunk(f"h{n}", n, chunk, "red offic car", row) for n in range(200)]
    )

    assert {"fruit.txt", "cars.txt", "hours.md"} == {
        p.source for p in desk.base.retrieve("red office car apples", 3, "lexical")
    }
    assert 3 == len(catalog.search_terms(["red", "offic"], 3))
    catalog.close()


def test_forms_of_one_word_do_not_count_as_many_words(desk) -> None:
    for number in range(60):
        desk.write(f"{number}.txt", f"מסמך {number} על נושא אחר לגמרי")
    desk.write("forms.txt", "ובמשכורת משכורת משכורות למשכורת")
    desk.write("both.txt", "משכורת העובדים משולמת בזמן")
    desk.ingest()

    assert "both.txt" == desk.base.retrieve("משכורת העובדים", 3, "lexical")[0].source


def test_what_inflects_is_found_by_how_it_begins_but_covers_nothing(desk) -> None:
    desk.write("steuer.txt", "Die Besteuerung der Unternehmen regelt das Gesetz.")
    desk.write("wetter.txt", "Das Wetter wird morgen schön und warm.")
    desk.ingest()

    (found,) = desk.base.retrieve("besteuert", 3, "lexical")

    assert "steuer.txt" == found.source
    assert 0.0 == found.coverage


def test_of_a_pasted_text_the_rarest_words_drive_the_search(desk) -> None:
    desk.write("all.txt", "".join(f"word{number} common. " for number in range(3 * MOST_WORDS)))
    desk.write("some.txt", "".join(f"word{number} common. " for number in range(MOST_WORDS, 5000)))
    desk.ingest()
    question = "common " + " ".join(f"nowhere{n} word{n}" for n in range(4 * MOST_WORDS))
    catalog = Catalog(desk.folder / (desk.folder / "current").read_text())

    asked = weigh_terms(catalog, TermStatistics.of(catalog), Analyser(), question)
    driving = {term for term in asked.driving if not term.startswith(".")}
    catalog.close()

    assert MOST_WORDS == len(driving)
    assert {f"word{number}" for number in range(MOST_WORDS)} <= driving
    assert "all.txt" == desk.base.retrieve(question, 1, "lexical")[0].source


def test_the_limit_holds_and_scores_fall(desk) -> None:
    fill(desk)

    found = desk.base.retrieve("red office car apples", 2, "hybrid")

    assert 2 == len(found)
    assert found[0].score >= found[1].score
    assert all(0 <= p.score <= 1.0001 for p in found)


def test_words_that_no_chunk_has_find_nothing_lexically(desk) -> None:
    fill(desk)

    assert () == desk.base.retrieve("zeppelin quantum", 5, "lexical")


@pytest.mark.parametrize("query", ['"', "'", "*", "NEAR(", "a AND", "-", "(", "\\", "%", "col:x"])
def test_no_query_can_break_the_index(desk, query: str) -> None:
    fill(desk)

    desk.base.retrieve(query, 5, "hybrid")


def test_without_an_embedder_there_are_no_vectors_to_search_by(desk) -> None:
    desk.reopened(desk.make_recipe(make_embedder=NoEmbedder))
    fill(desk)

    found = desk.base.retrieve("apples", 5, "hybrid")

    assert ["fruit.txt"] == [passage.source for passage in found]
    assert found[0].vector is None
    with pytest.raises(UserError, match="searches by words alone"):
        desk.base.retrieve("apples", 5, "vector")


def test_asking_before_anything_was_read_says_what_to_do(desk) -> None:
    with pytest.raises(UserError, match="nook ingest"):
        desk.base.retrieve("apples", 3, "lexical")


def test_a_store_in_step_finds_what_the_exact_scan_finds(desk, tmp_path) -> None:
    for number in range(60):
        desk.write(f"{number}.txt", f"Document {number} speaks about topic {number * 7 % 60}.")
    desk.ingest()
    catalog = Catalog(desk.folder / (desk.folder / "current").read_text())
    embedder = desk.make_embedder()
    embedder.open()
    store = Host().make_vector_store("chroma", tmp_path / "store", embedder.dimension)
    store.open()
    projection = Projection(store, catalog)
    try:
        assert (60, 0) == projection.sync()
        assert (0, 0) == projection.sync()
        for question in ("topic 14", "document 33", "speaks"):
            vector = embedder.embed_query(question)
            exact = ExactScan(catalog).search(vector, 5)
            assert numpy.allclose(
                [score for _, score in exact],
                [score for _, score in projection.search(vector, 5)],
                atol=1e-4,
            )
        assert catalog.sources()
        catalog.remove_source(catalog.sources()[0].id)
        assert (0, 1) == projection.sync()
    finally:
        projection.close()
        catalog.close()


def test_a_large_knowledge_base_asks_its_store(desk) -> None:
    host = Host()

    def make_store(folder, dimension):
        return host.make_vector_store("chroma", folder, dimension)

    fill(desk)
    small = [p.chunk for p in desk.base.retrieve("red apples", 3, "vector")]
    base = desk.reopened(desk.make_recipe(make_store=make_store, exact_scan_limit=1))

    assert small == [p.chunk for p in base.retrieve("red apples", 3, "vector")]
    assert (desk.folder / "store").is_dir()


def test_a_large_knowledge_base_without_vectors_has_no_use_for_a_store(desk) -> None:
    host = Host()

    def make_store(folder, dimension):
        return host.make_vector_store("chroma", folder, dimension)

    wanted = desk.make_recipe(make_store=make_store, store_wanted=True)
    desk.reopened(wanted)
    fill(desk)
    assert (desk.folder / "store").is_dir()
    by_words = dataclasses.replace(
        wanted,
        make_embedder=NoEmbedder,
        identity={**wanted.identity, "embedder": "none"},
        has_vectors=False,
        exact_scan_limit=1,
    )
    base = desk.reopened(by_words)
    desk.ingest()

    for mode in ("lexical", "hybrid"):
        assert base.retrieve("red apples", 3, mode)
    assert base.vacuum() > 0
    assert not (desk.folder / "store").exists()


def test_a_store_that_another_process_owns_is_no_obstacle(desk) -> None:
    host = Host()

    def make_store(folder, dimension):
        return host.make_vector_store("chroma", folder, dimension)

    fill(desk)
    owner = make_store(desk.folder / "store", 64)
    owner.open()
    try:
        base = desk.reopened(desk.make_recipe(make_store=make_store, exact_scan_limit=1))
        assert base.retrieve("red apples", 3, "vector")
    finally:
        owner.close()


def test_ingestion_keeps_a_store_that_the_profile_names_in_step(desk) -> None:
    host = Host()

    def make_store(folder, dimension):
        return host.make_vector_store("chroma", folder, dimension)

    desk.reopened(desk.make_recipe(make_store=make_store, store_wanted=True))
    fill(desk)
    desk.base.close()

    store = make_store(desk.folder / "store", 64)
    store.open()
    try:
        assert 3 == store.count()
    finally:
        store.close()


@pytest.mark.parametrize(
    ("question", "languages", "expected"),
    [
        ("How long?", ("en",), 1.0),
        ("כמה זמן?", ("en",), 0.0),
        ("كم؟", ("en", "ar"), 1.0),
        ("VPN ב", ("en",), 0.75),
        ("123?", ("en",), 1.0),
        ("כמה זמן?", (), 1.0),
    ],
)
def test_vectors_count_as_far_as_the_embedder_knows_the_script(
    question: str, languages: tuple[str, ...], expected: float
) -> None:
    assert expected == trust_in(question, languages)
