"""The right passages, in the right order, from either side or both."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.errors import UserError
from inglenook.host import Host
from inglenook.knowledge.catalog import Catalog
from inglenook.knowledge.projection import Projection
from inglenook.knowledge.retrieve import fuse
from inglenook.knowledge.scan import ExactScan
from inglenook.knowledge.trust import trust_in


def fill(desk) -> None:
    desk.write("fruit.txt", "Apples are red and grow on trees in the autumn.")
    desk.write("cars.txt", "Engines burn petrol; a red car is not faster.")
    desk.write("hours.md", "# Hours\n\nThe office opens at 8:15 and closes at 17:45 every day.")
    desk.ingest()


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


@given(
    st.dictionaries(st.integers(0, 9), st.floats(0, 50)),
    st.dictionaries(st.integers(0, 9), st.floats(-1, 1)),
    st.floats(0, 1),
)
def test_fused_scores_lie_between_0_and_1_and_keep_agreement(lexical, cosines, weight) -> None:
    fused = fuse(lexical, cosines, weight)

    assert set(lexical) | set(cosines) == set(fused)
    assert all(0 <= score <= 1 + 1e-9 for score in fused.values())
    if lexical and cosines and max(lexical.values()) > 0 and max(cosines.values()) > 0:
        both = [
            k
            for k in fused
            if lexical.get(k) == max(lexical.values()) and cosines.get(k) == max(cosines.values())
        ]
        assert all(fused[k] == pytest.approx(1) for k in both)


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
