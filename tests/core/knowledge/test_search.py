"""From the question to what is shown, over a real knowledge base."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from inglenook.errors import UserError
from inglenook.knowledge.knowledge_base import KnowledgeBase
from inglenook.knowledge.search import RERANKED, Wanted
from inglenook.types import CancelToken, Narrowing, Passage

LIMITS = {
    "hardware.md": "The approval limit for hardware purchases in Berlin is 900 dollars a year.",
    "software.md": "The approval limit for software purchases in Berlin is 150 dollars a year.",
    "travel.md": "Travel is booked with the agency. Software is not needed for that.",
}


class Backwards:
    """A reranker that likes what stands last in the alphabet."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.state = "made"

    fingerprint = "backwards"

    def open(self) -> None:
        self.state = "open"

    def rerank(self, question: str, texts: Sequence[str], cancel: CancelToken) -> list[float]:
        assert self.state == "open"
        self.asked.append((question, list(texts)))
        order = sorted(range(len(texts)), key=lambda n: texts[n])
        return [float(order.index(n)) for n in range(len(texts))]

    def close(self) -> None:
        self.state = "closed"


@pytest.fixture
def limits(desk):
    for name, text in LIMITS.items():
        desk.write(name, text)
    desk.ingest()
    return desk


def names(found: Sequence[Passage]) -> list[str]:
    return [passage.source for passage in found]


def test_copies_are_folded_and_the_limit_is_filled_with_others(limits) -> None:
    for number in range(5):
        limits.write(f"copy-{number}.txt", LIMITS["hardware.md"])
    limits.ingest()

    found = limits.base.search(Wanted("approval limit hardware Berlin", 2, "lexical"))

    assert 2 == len(found)
    assert 5 == len(found[0].also)
    assert "software.md" == found[1].source


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
def test_a_follow_up_is_found_by_its_own_words_first(limits, mode: str) -> None:
    earlier = "What is the approval limit for hardware purchases in Berlin?"

    found = limits.base.search(Wanted("And for software?", 3, mode, earlier))

    assert "software.md" == found[0].source
    assert "hardware.md" in names(found)
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert all(0 <= p.score <= 1.0001 for p in found)


def test_a_follow_up_without_a_word_of_its_own_is_found_by_the_turn_before(limits) -> None:
    found = limits.base.search(Wanted("Why?", 1, "lexical", "Who books travel with the agency?"))

    assert ["travel.md"] == names(found)


def test_a_reranker_orders_the_best_and_its_scores_are_told(limits) -> None:
    made: list[Backwards] = []

    def make() -> Backwards:
        made.append(Backwards())
        return made[-1]

    plain = limits.base.search(Wanted("approval limit software Berlin", 3, "lexical"))
    base: KnowledgeBase = limits.reopened(limits.make_recipe(make_reranker=make))

    found = base.search(Wanted("approval limit software Berlin", 3, "lexical"))
    base.search(Wanted("again software", 3, "lexical"))
    base.close()

    assert ["travel.md", "software.md", "hardware.md"] == names(found)
    assert [2.0, 1.0, 0.0] == [p.rerank for p in found]
    assert [p.score for p in plain] == [p.score for p in found], "dealt out anew"
    assert 1 == len(made), "it is opened once"
    assert "closed" == made[0].state


def test_a_reranker_gets_the_best_forty_with_their_headings(desk) -> None:
    made = [Backwards()]
    for number in range(RERANKED + 20):
        desk.write(f"{number}.md", f"# Topic {number}\n\nHerons and number {number}.")
    desk.ingest()
    base = desk.reopened(desk.make_recipe(make_reranker=lambda: made[0]))

    base.search(Wanted("herons", 5, "lexical"))

    ((question, texts),) = made[0].asked
    assert ("herons", RERANKED) == (question, len(texts))
    assert all(text.startswith("Topic ") for text in texts)


def test_an_explanation_tells_words_forms_weights_and_places(limits) -> None:
    wanted = Wanted("purchase limits for zebras in Berlin", 1, "hybrid", explain=True)

    (passage,) = limits.base.search(wanted)

    told = passage.explanation
    assert told is not None
    assert {"purchase": ("purchases",), "limits": ("limit",), "Berlin": ("Berlin",)} == {
        match.word: match.found for match in told.matches
    }
    assert ("zebras",) == told.missing
    assert ["limit", "purchases", "Berlin"] == [passage.text[a:b] for a, b in told.highlights]
    assert 1 == told.lexical_weight + told.vector_weight
    assert "purchase (as purchases)" in told.why
    assert "without zebras" in told.why


@pytest.mark.parametrize(
    ("text", "question", "marked"),
    [
        ("הקבלנים חייבים סיסמה.", "סיסמה לקבלנים", ["הקבלנים", "סיסמה"]),
        ("密码必须至少包含十二个字符。", "密码字符", ["密码", "字符"]),
        ("كلمة المرور للمقاولين", "مرور", ["المرور"]),
        ("File ABC-123_x is locked.", "abc-123", ["ABC-123"]),
    ],
)
def test_highlights_lie_on_the_words_in_every_script(
    desk, text: str, question: str, marked: list[str]
) -> None:
    desk.write("a.txt", text)
    desk.ingest()

    (passage,) = desk.base.search(Wanted(question, 1, "lexical", explain=True))

    assert passage.explanation is not None
    found = [passage.text[a:b] for a, b in passage.explanation.highlights]
    assert [word for word in marked if any(word in piece for piece in found)] == marked


def test_lowered_trust_in_the_vectors_is_told_with_its_reason(desk) -> None:
    desk.write("a.txt", "סיסמה באורך 14 תווים")
    desk.reopened(desk.make_recipe(languages=("en",)))
    desk.ingest()

    (passage,) = desk.base.search(Wanted("סיסמה", 1, "hybrid", explain=True))

    assert passage.explanation is not None
    assert 0 == passage.explanation.vector_weight
    assert "not trained for" in passage.explanation.why


def test_an_explanation_tells_the_weights_of_the_narrowed_search(desk) -> None:
    for number in range(60):
        desk.write(f"other-{number}.txt", f"Report {number} of harbour {chr(97 + number % 26)}.")
    desk.write("best.txt", "Software licences are renewed every year in spring.")
    desk.write("kept/weak.txt", "The canteen serves soup, and software is not its business.")
    desk.ingest()
    question = "Software licences are renewed every year in spring"

    (best,) = desk.base.search(Wanted(question, 1, "hybrid", explain=True))
    within = (Narrowing.of(path="kept"),)
    (weak,) = desk.base.search(Wanted(question, 1, "hybrid", within=within, explain=True))

    assert best.explanation is not None
    assert weak.explanation is not None
    assert weak.vector is not None
    assert weak.vector < (best.vector or 0)
    assert weak.explanation.vector_weight < best.explanation.vector_weight


def test_everything_comes_in_the_order_of_the_documents_with_its_scores(limits) -> None:
    with limits.base.searching() as search:
        whole = search.everything(Wanted("software limit", 1, "hybrid"), 10_000)
        assert () == search.everything(Wanted("software limit", 1, "hybrid"), 100)
        assert sum(len(text) for text in LIMITS.values()) == search.count_characters()

    assert list(LIMITS) == names(whole)
    assert all(passage.inline for passage in whole)
    best = max(whole, key=lambda passage: passage.score)
    assert ("software.md", 1.0) == (best.source, best.coverage)


def test_words_that_stand_nowhere_are_told_from_those_that_do(limits) -> None:
    with limits.base.searching() as search:
        assert search.knows_a_word_of("And software?")
        assert not search.knows_a_word_of("And zebras?")


def test_a_rebuild_in_another_process_does_not_change_the_catalog_under_a_search(limits) -> None:
    other = KnowledgeBase(
        limits.folder,
        limits.folder.parent / "embeddings.sqlite",
        limits.make_recipe(identity={"splitter": "sentences/2", "embedder": "fake"}),
    )
    with limits.base.searching() as search:
        list(other.ingest(limits.files(), CancelToken()))

        found = search.passages(Wanted("software purchases", 1, "lexical"), CancelToken())

    other.close()
    assert ["software.md"] == names(found)
    assert ["software.md"] == names(limits.base.search(Wanted("software purchases", 1, "lexical")))


def test_searching_before_anything_was_read_says_what_to_do(desk) -> None:
    with pytest.raises(UserError, match="nook ingest"):
        desk.base.search(Wanted("herons", 1, "lexical"))
