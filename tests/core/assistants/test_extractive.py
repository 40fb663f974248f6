"""The sentence that answers is found by code, quoted, and given to small models."""

from __future__ import annotations

from inglenook.assistants.extractive import Extractor, quotation, trimmed
from inglenook.types import Locator, Passage

TRAVEL = (
    "Travel is arranged by the office. Hotels in Tokyo may cost up to 300 euros a night. "
    "Trains are preferred. Dana Levi approves every exception."
)
HEBREW = "הלשכה נמצאת ברחוב הגפן. הלשכה פתוחה בימים ראשון עד חמישי. ראש הלשכה היא דנה לוי."


def passage(text: str, chunk: str = "c1", score: float = 1.0) -> Passage:
    return Passage(
        chunk, "a.txt", "s", "/a.txt", text, Locator("line", 1), 0, len(text), score=score
    )


def best(question: str, *passages: Passage) -> str:
    return Extractor().rank(question, passages)[0].text


def test_the_words_of_the_question_find_the_sentence() -> None:
    assert "300 euros" in best("How much may a hotel in Tokyo cost?", passage(TRAVEL))
    assert "Trains" in best("Are trains preferred?", passage(TRAVEL))


def test_who_asks_for_a_name() -> None:
    assert "Dana Levi" in best("Who approves exceptions?", passage(TRAVEL))


def test_hebrew_words_are_found_behind_their_prefixes() -> None:
    assert "ראשון עד חמישי" in best("באילו ימים פתוחה לשכה?", passage(HEBREW))


def test_a_quote_is_a_slice_of_its_passage() -> None:
    ranked = Extractor().rank("Who approves exceptions?", [passage(TRAVEL)])
    quote = quotation(ranked)

    assert quote is not None
    found, start, end = quote
    assert "Dana Levi approves every exception." in found.text[start:end]


def test_without_passages_there_is_nothing_to_quote() -> None:
    assert quotation(Extractor().rank("Who?", [])) is None


def test_trimming_keeps_the_best_sentences_in_their_order_and_says_where_text_is_missing() -> None:
    ranked = Extractor().rank("Who approves a hotel in Tokyo?", [passage(TRAVEL)])

    (cut,) = trimmed(ranked, most=2)

    assert cut.text == (
        "Hotels in Tokyo may cost up to 300 euros a night. … Dana Levi approves every exception."
    )
