"""Answers are compared as SQuAD does it, in any script."""

from __future__ import annotations

import pytest

from inglenook.evaluation.answer_match import contains, exact_match, f1, tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Battle of the Nile!", ["battle", "of", "nile"]),
        ("$3.7 billion", ["37", "billion"]),
        ("an  apple\na day", ["apple", "day"]),
        ("Café's", ["cafés"]),
        ("שָׁלוֹם עֲלֵיכֶם", ["שלום", "עליכם"]),
        ("בית־ספר", ["בית", "ספר"]),
        ('צה"ל וצה״ל', ["צהל", "וצהל"]),
        ("الكِتَابُ الجديد", ["كتاب", "جديد"]),
        ("الى", ["الى"]),
        ("١٩٤٨، تقريبًا", ["١٩٤٨", "تقريبا"]),
        ("北京大学 2008年", ["北", "京", "大", "学", "2008", "年"]),
        ("“…”", []),
    ],
)
def test_a_text_becomes_the_words_that_are_compared(text, words):
    assert tokens(text) == words


@pytest.mark.parametrize(
    ("answer", "expected", "exact", "shared"),
    [
        ("The Norfolk", ["Norfolk"], 1.0, 1.0),
        # Two of three words are right, and both of the expected ones are there.
        ("in Norfolk county", ["Norfolk county"], 0.0, 0.8),
        ("Suffolk", ["Norfolk"], 0.0, 0.0),
        ("Suffolk", ["Norfolk", "suffolk."], 1.0, 1.0),
        # Only as often as it is expected does a word count: 2 of 3, and 2 of 2.
        ("ja ja ja", ["ja ja"], 0.0, 0.8),
        ("", ["Norfolk"], 0.0, 0.0),
    ],
)
def test_exact_match_and_f1_of_examples_worked_by_hand(answer, expected, exact, shared):
    assert exact_match(answer, expected) == exact
    assert f1(answer, expected) == pytest.approx(shared)


@pytest.mark.parametrize(
    ("text", "expected", "stands"),
    [
        ("It was built by Ada Lorne in 1874.", ["Ada Lorne"], True),
        ("It was built in 18744.", ["1874"], False),
        ("Lorne Ada", ["Ada Lorne"], False),
        ("הוא נולד בשנת 1948, בירושלים.", ["1948"], True),
        ("他住在北京市", ["北京"], True),
        ("anything", ["..."], False),
        ("anything", [], False),
    ],
)
def test_an_answer_is_contained_word_for_word(text, expected, stands):
    assert contains(text, expected) is stands
