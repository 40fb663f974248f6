"""Text becomes terms, the same way when it is indexed and when it is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.knowledge.lexical import Analyser, beginning, fold, words


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
        ("हिन्दी भाषा की लिपि", "हिन्दी लिपि"),
        ("서울은 한국의 수도이다", "서울 수도"),
        ("Đà Nẵng, Việt Nam", "da nang viet"),
        ("IŞIK ve ışık", "işık"),
        ("ΑΘΉΝΑ είναι πρωτεύουσα", "Αθηνα"),
        ("الإنتاجيــة أُخرى", "الانتاجية اخرى"),
        ("mother-in-law of ISO-27001", "ISO 27001"),
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


def test_every_pair_of_characters_is_asked_for_where_words_have_no_blanks() -> None:
    assert [["東京"], ["京タ"]] == Analyser().query_groups("東京タ")


def test_each_part_of_an_identifier_counts_and_the_whole_stands_for_it() -> None:
    assert [["retry.count", "retri"], ["retry.count", "count"]] == Analyser().query_groups(
        "retry_count"
    )


def test_stop_words_are_left_out_however_they_are_marked() -> None:
    assert [] == Analyser().query_groups("إلى أين؟")


@pytest.mark.parametrize("word", ["हिन्दी", "ภาษาไทย", "မြန်မာ"])
def test_vowel_marks_do_not_break_words(word: str) -> None:
    assert [(word, 0, len(word))] == list(words(word))


@pytest.mark.parametrize(
    ("one", "other"),
    [("Besteuerung", "besteuert"), ("национальный", "национального"), ("διεθνής", "διεθνούς")],
)
def test_words_that_begin_alike_share_a_term_that_is_no_word(one: str, other: str) -> None:
    begun = beginning(Analyser().stem(one))

    assert begun.startswith(".")
    assert begun in Analyser().terms(one)
    assert begun in Analyser().terms(other)


def test_numbers_stay_whole() -> None:
    assert "3000" in Analyser().terms("3,000")
    assert "3" not in Analyser().terms("3,000")
    assert ["1.25"] == Analyser().terms("1.25")


@given(st.text())
def test_terms_never_break_the_index_and_folding_is_stable(text: str) -> None:
    for term in Analyser().terms(text):
        assert term
        assert " " not in term
        assert '"' not in term
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize("text", ["1,234.56", "1234.56", "1'234.56", "1.234,56", "1234,56"])
def test_an_amount_is_one_term_however_its_digits_are_grouped(text: str) -> None:
    assert ["1234.56"] == Analyser().terms(text)
    assert [["1234.56"]] == Analyser().query_groups(text)
