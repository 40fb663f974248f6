"""Neighbouring chunks become one passage, which is the source's own text letter for letter."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.assistants.citations import Citer
from inglenook.host import Host
from inglenook.knowledge.catalog import ChunkRow
from inglenook.knowledge.drafting import Drafter
from inglenook.knowledge.neighbours import pointing_at_chunks, put_together
from inglenook.knowledge.search import Wanted, estimated_tokens
from inglenook.security.pipeline import Filters
from inglenook.types import Answer, Citation, Locator, Passage, Section, Sentence

TEXT = (
    "Herons nest in March.\n\nThe herons of the northern lake lay four eggs in April.  Both "
    "parents sit on them for 26 days.\nYoung herons fly after eight weeks. Ringing herons needs "
    "the written consent of Dana Cohen.\n\nOld herons return to the same tree every year."
)


def rows_of(text: str, cuts: list[int], locator: Locator | None = None) -> list[ChunkRow]:
    """Chunks of a text that is cut here, without the white space around them."""
    rows: list[ChunkRow] = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        piece = text[start:end]
        if not piece.strip():
            continue
        first = start + len(piece) - len(piece.lstrip())
        last = end - (len(piece) - len(piece.rstrip()))
        gap = text[rows[-1].end : first] if rows else ""
        place = locator or Locator("line", text[:first].count("\n") + 1)
        number = len(rows)
        rows.append(
            ChunkRow(
                number,
                f"c{number}",
                "s",
                "a.txt",
                "/a.txt",
                number,
                text[first:last],
                place,
                first,
                last,
                (),
                gap,
            )
        )
    return rows


def passages_of(rows: list[ChunkRow]) -> list[Passage]:
    return [
        Passage(
            r.id,
            r.source,
            r.source_id,
            r.path,
            r.text,
            r.locator,
            r.start,
            r.end,
            r.headings,
            score=1 / (1 + r.key),
            lexical=0.5,
            vector=r.key / 10,
            coverage=r.key / 10,
        )
        for r in rows
    ]


def joined(rows: list[ChunkRow], passages: list[Passage], budget: int = 10_000):
    return put_together(passages, {row.id: row for row in rows}, estimated_tokens, budget)


@given(st.data())
def test_whatever_the_cuts_and_the_order_the_text_is_that_of_the_source(data) -> None:
    text = data.draw(st.text("ab. \n", min_size=1, max_size=40).filter(str.strip))
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=5)))
    rows = rows_of(text, [cut for cut in cuts if cut < len(text)])
    chosen = data.draw(st.permutations(passages_of(rows)).map(lambda p: p[: 1 + len(p) // 2]))
    order = list(chosen)

    made = joined(rows, order)

    assert all(text[p.start : p.end] == p.text for p in made)
    assert sorted(p.chunk for p in order) == sorted(c for p in made for c in p.chunks)
    ends = {p.end for p in made}
    assert not [
        p
        for p in made
        for r in rows
        if r.start == p.start and r.key and rows[r.key - 1].end in ends
    ], "two that touch were left apart"


def test_overlap_stands_there_once() -> None:
    first, second = rows_of(TEXT, [TEXT.index("Both")])
    start = TEXT.index("The herons")
    second = replace(second, start=start, text=TEXT[start:], gap="")

    (passage,) = joined([first, second], passages_of([second, first]))

    assert TEXT == passage.text


def test_what_overlaps_by_its_offsets_alone_is_left_apart() -> None:
    first, second = rows_of(TEXT, [TEXT.index("Both")])
    # A filter made the first section longer than it was when the offsets were counted.
    longer = replace(first, text=f"[removed] {first.text}", end=first.end + 10)

    apart = joined([longer, second], passages_of([longer, second]))

    assert [longer.text, second.text] == [passage.text for passage in apart]


def test_the_best_score_counts_and_the_place_is_that_of_the_beginning() -> None:
    rows = rows_of(TEXT, [TEXT.index("The herons"), TEXT.index("Young")])

    (passage,) = joined(rows, passages_of(rows))

    assert ("c0", Locator("line", 1), 0, len(TEXT)) == (
        passage.chunk,
        passage.locator,
        passage.start,
        passage.end,
    )
    assert (1.0, 0.5, 0.2, 0.2) == (
        passage.score,
        passage.lexical,
        passage.vector,
        passage.coverage,
    )
    assert [("c0", 1), ("c1", 3), ("c2", 4)] == [(p.chunk, p.locator.value) for p in passage.parts]


def test_the_budget_is_kept_and_the_better_neighbour_joins_first() -> None:
    rows = rows_of(TEXT, [TEXT.index("The herons"), TEXT.index("Young")])
    middle, left, right = (passages_of(rows)[i] for i in (1, 0, 2))
    budget = estimated_tokens(TEXT[: rows[1].end])

    assert [("c0", "c1"), ("c2",)] == [
        p.chunks for p in joined(rows, [middle, left, right], budget)
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"source_id": "other"},
        {"headings": ("Elsewhere",)},
        {"locator": Locator("page", 2)},
        {"ordinal": 7},
        {"gap": ""},
        {"locator": Locator("line", 3, "member.txt")},
    ],
)
def test_what_does_not_follow_in_the_same_section_stays_apart(change: dict[str, object]) -> None:
    first, second = rows_of(TEXT, [TEXT.index("The herons")])
    second = replace(second, **change)  # type: ignore[arg-type]

    assert 2 == len(joined([first, second], passages_of([first, second])))


def test_pages_are_never_put_together() -> None:
    first, second = rows_of(TEXT, [TEXT.index("The herons")], Locator("page", 1))

    assert 1 == len(joined([first, second], passages_of([first, second])))
    second = replace(second, locator=Locator("page", 2))
    assert 2 == len(joined([first, second], passages_of([first, second])))


def test_a_citation_points_at_the_chunk_and_the_line_that_hold_the_quote() -> None:
    rows = rows_of(TEXT, [TEXT.index("The herons"), TEXT.index("Young")])
    found = joined(rows, passages_of(rows))
    said = "Ringing herons needs the written consent of Dana Cohen."
    answer = Answer(said, False, "stop", Citer("Who consents?", found).cite(said), found)

    (sentence,) = pointing_at_chunks(answer).sentences

    (citation,) = sentence.citations
    assert ("c2", Locator("line", 4)) == (citation.chunk, citation.locator)
    assert citation.quote == TEXT[citation.start : citation.end]
    assert "Dana Cohen" in citation.quote


def test_a_quote_that_runs_on_is_tied_to_the_chunk_where_it_begins() -> None:
    rows = rows_of(TEXT, [TEXT.index("Young")])
    found = joined(rows, passages_of(rows))
    quote = Citation("a.txt", Locator("line", 1), 100, len(TEXT) - 3, "c0", TEXT[100:-3])
    answer = Answer("x", False, "stop", (Sentence("x", 0, 1, True, (quote,)),), found)

    assert (quote,) == pointing_at_chunks(answer).sentences[0].citations


@pytest.mark.parametrize("overlap", ["0", "8"])
def test_chunks_of_the_real_splitter_go_together_again(desk, overlap: str) -> None:
    splitter = Host().make_splitter("sentences", {"max_tokens": "16", "overlap_tokens": overlap})
    embedder = desk.make_embedder()
    drafter = Drafter(splitter, Filters(), embedder.max_tokens, embedder.count_tokens)
    drafted = drafter.draft(Section(TEXT, Locator("line", 1)), "a.txt").chunks
    assert len(drafted) > 2
    rows = [
        ChunkRow(
            n,
            f"c{n}",
            "s",
            "a.txt",
            "/a.txt",
            n,
            c.text,
            c.locator,
            c.start,
            c.end,
            c.headings,
            c.gap,
        )
        for n, c in enumerate(drafted)
    ]

    assert [TEXT] == [p.text for p in joined(rows, passages_of(rows)[::-1])]


def test_neighbours_in_a_knowledge_base_are_shown_as_one_passage(desk) -> None:
    text = "\n\n".join(
        f"Herons rule {n}: " + f"the heron keeps rule {n} well. " * 6 for n in range(4)
    )
    path = desk.write("rules.txt", text)
    desk.write("other.txt", "Otters do not.")
    desk.ingest()
    assert desk.base.count_chunks() > 3

    best = desk.base.search(Wanted("heron rule 2", 3, "lexical"))[0]

    assert len(best.parts) > 1
    assert path.read_text("utf-8")[best.start : best.end] == best.text
    assert estimated_tokens(best.text) <= 400
