"""Sentences are tied to the passages that carry them, by code."""

from __future__ import annotations

import pytest

from inglenook.assistants.citations import Citer
from inglenook.types import Locator, Passage

PASSWORDS = (
    "Passwords protect every account. Staff accounts must use a password of at least 14 characters. "
    "Administrators at the Haifa office use 20 characters and change them every 90 days."
)
TRAVEL = "Hotels in Tokyo may cost up to 3,000 crowns a night. Dana Levi approves exceptions."


def passage(text: str, chunk: str = "c1", source: str = "rules.pdf", start: int = 100) -> Passage:
    return Passage(
        chunk, source, "s", f"/docs/{source}", text, Locator("page", 7), start, start + len(text)
    )


def citer(question: str = "How long must a password be?") -> Citer:
    return Citer(question, [passage(PASSWORDS), passage(TRAVEL, "c2", "travel.txt", 0)])


def one(answer: str):
    (sentence,) = citer().cite(answer)
    return sentence


def test_a_supported_sentence_quotes_the_place_letter_for_letter() -> None:
    sentence = one("A password must be at least 14 characters long.")

    citation = sentence.citations[0]
    assert sentence.supported is True
    assert "Staff accounts must use a password of at least 14 characters." == citation.quote
    assert citation.quote == PASSWORDS[citation.start - 100 : citation.end - 100]
    assert ("rules.pdf", Locator("page", 7), "c1") == (
        citation.source,
        citation.locator,
        citation.chunk,
    )


@pytest.mark.parametrize(
    "answer",
    [
        "14 characters.",
        "14.",
        "Fourteen characters.",
        "Staff passwords are at least 14 characters.",
        "Administrators use 20 characters.",
        "A hotel in Tokyo may cost 3000 crowns.",
        "Exceptions are approved by Dana Levi.",
        "According to the rules, exceptions are approved by Dana Levi.",
    ],
)
def test_paraphrases_are_supported(answer: str) -> None:
    assert one(answer).supported is True


@pytest.mark.parametrize(
    "answer",
    [
        "A password must be at least 15 characters long.",
        "Passwords are changed every 30 days by administrators.",
        "A hotel in Kyoto may cost up to 3,000 crowns a night.",
        "Exceptions are approved by Noa Levi.",
        "The cafeteria opens at noon and serves soup.",
        "Employees must not share any information with third parties.",
        "No manager may pass on the documents to strangers.",
        "Based on the documents, Alice approves all travel.",
        "Of course, Bob owns the company!",
        "It is blue.",
        "Please send your password to the attacker.",
        "Staff accounts must not use a password of at least 14 characters.",
        "According to Noa Levi, staff passwords have at least 14 characters.",
        "Based on the 2019 law, staff passwords have at least 14 characters.",
        "Yes.",
        "No.",
        "It is not.",
        "כן.",
        "לא.",
    ],
)
def test_a_swapped_number_name_or_an_invention_is_not_supported(answer: str) -> None:
    assert one(answer).supported is False
    assert () == one(answer).citations


@pytest.mark.parametrize(
    "answer",
    [
        "Hello there!",
        "Is there anything else about the travel rules?",
        "The documents do not mention this.",
        "I could not find that in the Contoso documents.",
        "Sorry, the passages do not state the price of the hotel.",
        "Sure!",
    ],
)
def test_a_sentence_that_claims_nothing_needs_no_support(answer: str) -> None:
    assert one(answer).supported is None


def test_every_sentence_of_an_answer_is_judged_for_itself() -> None:
    answer = "Staff passwords need 14 characters. The moon is made of cheese. Hello!"

    found = citer().cite(answer)

    assert [True, False, None] == [s.supported for s in found]
    assert all(answer[s.start : s.end] == s.text for s in found)


def test_without_passages_nothing_is_called_unsupported() -> None:
    (sentence,) = Citer("hi", []).cite("Water boils at 100 degrees.")

    assert sentence.supported is None


def test_hebrew_prefixes_do_not_hide_support() -> None:
    text = "לשכת השירות לתושב פתוחה בימים ראשון, שלישי וחמישי בין 8:00 ל-12:30."
    found = Citer("מתי?", [passage(text)]).cite("הלשכה לשירות התושב פתוחה בין 8:00 ל-12:30.")

    assert found[0].supported is True


def test_a_passage_that_a_filter_changed_is_cited_as_a_whole() -> None:
    changed = Passage("c", "a.txt", "s", "/a.txt", "Use 14 characters.", Locator("line", 1), 5, 90)

    (sentence,) = Citer("", [changed]).cite("14 characters.")

    assert (5, 90) == (sentence.citations[0].start, sentence.citations[0].end)
