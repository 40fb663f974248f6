"""Text becomes terms, the same way when it is indexed and when it is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.knowledge.lexical import Analyser, fold


@pytest.mark.parametrize(
    ("indexed", "asked"),
    [
        ("Passwords must be changed.", "changing password"),
        ("café Zürich", "CAFE zurich"),
        ("3,000 employees", "3000 employee"),
        ("the user's key", "users keys"),
        ("see retry_count in config.yaml", "retry_count"),
        ("version v1.2.3 of it", "v1.2.3"),
        ("שָׁלוֹם לעובדים", "שלום עובדים"),
        ("המשכורות משולמות בזמן", "משכורות"),
        ("الموظفين في المكتب", "موظفين مكتب"),
        ("東京タワーの高さ", "東京タワー"),
        ("ภาษาไทยง่าย", "ภาษาไทย"),
        ('ก0"ข 東"x京', "0"),
        ("ﬁnal ｆｕｌｌwidth", "final fullwidth"),
    ],
)
def test_every_word_of_the_question_is_found_in_the_text(indexed: str, asked: str) -> None:
    analyser = Analyser()
    terms = set(analyser.terms(indexed))

    groups = analyser.query_groups(asked)

    assert groups
    assert [] == [group for group in groups if not terms.intersection(group)]


def test_stop_words_are_no_part_of_a_question() -> None:
    assert [["password"]] == Analyser().query_groups("How must a password be?")[-1:]
    assert [] == Analyser().query_groups("what is it?")


def test_numbers_stay_whole() -> None:
    assert "3000" in Analyser().terms("3,000")
    assert "3" not in Analyser().terms("3,000")


@given(st.text())
def test_terms_never_break_the_index_and_folding_is_stable(text: str) -> None:
    for term in Analyser().terms(text):
        assert term
        assert " " not in term
        assert '"' not in term
    assert fold(fold(text)) == fold(text)
