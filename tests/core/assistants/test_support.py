"""Sentences of real documents are carried by them; the same ones with a swap are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inglenook.assistants.citations import Citer
from inglenook.types import Locator, Passage

DATA = Path(__file__).parents[2] / "data" / "support" / "sentences.json"
ITEMS: list[dict[str, Any]] = json.loads(DATA.read_text("utf-8"))
FLAGGED = 0.9
FALSE_FLAGS = 0.05


def passage(text: str) -> Passage:
    return Passage("c", "a.txt", "s", "/a.txt", text, Locator("line", 1), 0, len(text))


def supported(item: dict[str, Any], sentence: str) -> bool:
    found = Citer(item["question"], [passage(item["passage"])]).cite(sentence)
    return all(s.supported is not False for s in found)


@pytest.mark.parametrize("language", ["en", "he", "ar"])
def test_hardly_a_true_sentence_is_flagged(language: str) -> None:
    items = [item for item in ITEMS if item["language"] == language]
    flagged = [i["sentence"] for i in items if not supported(i, i["sentence"])]

    assert len(items) >= 18
    assert len(flagged) <= FALSE_FLAGS * len(items), flagged


@pytest.mark.parametrize("language", ["en", "he", "ar"])
@pytest.mark.parametrize("kind", ["number", "name", "date"])
def test_a_swap_is_flagged(language: str, kind: str) -> None:
    items = [i for i in ITEMS if (i["language"], i["kind"]) == (language, kind)]
    missed = [i["swapped"] for i in items if supported(i, i["swapped"])]

    assert len(items) >= 6
    assert len(missed) <= (1 - FLAGGED) * len(items), missed


RULES = (
    "The archive keeps 1,000 files. It was opened on 12 March 2024 by Dana Levi. Requests are "
    "answered within 14 days and cost $25.50. About 30 percent of them are urgent. Visitors may "
    "take photographs of the hall, but must not touch the maps. Room B12 is closed."
)


@pytest.mark.parametrize(
    "sentence",
    [
        "The archive keeps one thousand files.",
        "The archive keeps 1000 files.",
        "The archive keeps 1.000 files.",
        "It was opened on 2024-03-12.",
        "It was opened on 12.3.2024 by Dana Levi.",
        "Dana Levi opened it on March 12, 2024.",
        "It was opened in March 2024.",
        "Requests are answered within fourteen days.",
        "Requests are answered within ١٤ days.",
        "Requests cost 25.50 dollars.",
        "30% of the requests are urgent.",
        "Visitors may take photographs of the hall.",
        "Visitors must not touch the maps.",
        "Room B-12 is closed.",
    ],
)
def test_what_is_written_another_way_is_supported(sentence: str) -> None:
    assert supported({"question": "What are the rules?", "passage": RULES}, sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "The archive keeps 100 files.",
        "The archive keeps 10,000 files.",
        "It was opened on 2024-04-12.",
        "It was opened on 12 March 2023.",
        "Requests are answered within 14 hours.",
        "Requests are answered within forty days.",
        "Requests cost 25.50 euros.",
        "30 dollars of the requests are urgent.",
        "Visitors must not take photographs of the hall.",
        "Visitors may touch the maps.",
        "Room B13 is closed.",
        "It was opened by Noa Levi.",
        "Requests are answered within 30 days.",
    ],
)
def test_what_differs_in_one_place_is_flagged(sentence: str) -> None:
    assert not supported({"question": "What are the rules?", "passage": RULES}, sentence)


LEDGER = (
    "The first exchange of the city was established in 1817 and traded until the war. It was "
    "established again in April 1991, two years after the change. Today 374 companies are listed "
    "there. William Farel studied under Lefevre in Paris and founded the academy of Geneva."
    " Martin Bucer wrote the rules of the academy."
)


@pytest.mark.parametrize(
    ("sentence", "carried"),
    [
        ("The first exchange of the city was established in 1817 and traded until the war.", True),
        ("The first exchange of the city was established in April 1991 and traded until the war.", False),
        ("The first exchange of the city was established in 374 and traded until the war.", False),
        ("Today 374 companies are listed there.", True),
        ("Today 1817 companies are listed there.", False),
        ("Martin Bucer studied under Lefevre in Paris and founded the academy of Geneva.", False),
        (
            "The first exchange of the city was established in 1817 and traded until the war, "
            "and today 374 companies are listed there.",
            True,
        ),
    ],
)
def test_what_is_exchanged_for_another_of_the_same_passage_is_flagged(
    sentence: str, carried: bool
) -> None:
    item = {"question": "What is known of the exchange?", "passage": LEDGER}

    assert carried == supported(item, sentence)


def test_hebrew_numbers_and_prefixes_are_seen_through() -> None:
    item = {"question": "מתי?", "passage": "הבקשה תיענה בתוך ארבעה עשר ימים מיום הגשתה ללשכה."}

    assert supported(item, "הבקשה תיענה תוך 14 ימים מהגשתה בלשכה.")
    assert not supported(item, "הבקשה תיענה תוך 24 ימים מהגשתה בלשכה.")
    assert not supported(item, "הבקשה תיענה תוך 14 שעות מהגשתה בלשכה.")
    assert not supported(item, "הבקשה לא תיענה תוך 14 ימים מהגשתה בלשכה.")


HEBREW = "העובד רשאי להעביר ימי חופשה לשנה הבאה, ואינו רשאי לפדות אותם בכסף."
ARABIC = "يجوز للموظف نقل أيام الإجازة إلى السنة القادمة، ولا يجوز صرفها نقدا."


@pytest.mark.parametrize(
    ("passage", "sentence", "carried"),
    [
        (HEBREW, "העובד רשאי להעביר ימי חופשה לשנה הבאה.", True),
        (HEBREW, "העובד שאינו רשאי להעביר ימי חופשה לשנה הבאה.", False),
        (HEBREW, "ואינו רשאי להעביר ימי חופשה לשנה הבאה.", False),
        (HEBREW, "העובד רשאי לפדות ימי חופשה בכסף.", False),
        (ARABIC, "يجوز للموظف نقل أيام الإجازة إلى السنة القادمة.", True),
        (ARABIC, "لا يجوز صرفها نقدا.", True),
        (ARABIC, "يجوز صرفها نقدا.", False),
        (ARABIC, "ولا يجوز للموظف نقل أيام الإجازة إلى السنة القادمة.", False),
    ],
)
def test_denials_are_known_with_their_prefixes_and_by_what_they_deny(
    passage: str, sentence: str, carried: bool
) -> None:
    question = "מה מותר?" if passage is HEBREW else "ماذا يجوز؟"

    assert carried == supported({"question": question, "passage": passage}, sentence)


@pytest.mark.parametrize(
    ("sentence", "carried"),
    [
        ("Guests are allowed to smoke in the yard.", True),
        ("Smoking is not allowed in the hall.", True),
        ("Smoking is allowed in the hall.", False),
        ("Guests are not allowed to smoke in the yard.", False),
    ],
)
def test_a_denial_is_not_one_of_every_allowed(sentence: str, carried: bool) -> None:
    passage = "Guests are allowed to smoke in the yard. Smoking is not allowed in the hall."

    assert carried == supported({"question": "What are the rules?", "passage": passage}, sentence)


@pytest.mark.parametrize(
    ("sentence", "carried"),
    [
        ("The fossils are 515 million years old.", True),
        ("The fossils are 515,000,000 years old.", True),
        ("The fossils are 66 million years old.", False),
        ("The fossils are 66,000,000 years old.", False),
    ],
)
def test_numbers_of_several_words_are_not_to_be_exchanged_either(
    sentence: str, carried: bool
) -> None:
    passage = "The fossils are 515 million years old. The comets fell 66 million years ago."

    assert carried == supported({"question": "What is old?", "passage": passage}, sentence)
