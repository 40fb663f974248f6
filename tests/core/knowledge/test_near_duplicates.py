"""Copies are shown once; versions that differ in anything that matters are not copies."""

from __future__ import annotations

import pytest

from inglenook.knowledge.near_duplicates import fold_near_duplicates
from inglenook.types import Locator, Passage

RULE = (
    "Staff accounts must use a password of at least 12 characters. It is changed every 90 days, "
    "and Dana Cohen of the security office approves each exception in writing."
)


def passage(text: str, source: str = "a.txt", score: float = 1.0, **values: object) -> Passage:
    return Passage(
        f"{source}-{hash(text)}",
        source,
        source,
        f"/{source}",
        text,
        Locator("line", 1),
        0,
        len(text),
        score=score,
        **values,  # type: ignore[arg-type]
    )


def folded(*texts: str) -> list[tuple[str, ...]]:
    passages = [passage(text, f"{n}.txt", 1 - n / 10) for n, text in enumerate(texts)]
    return [(p.source, *p.also) for p in fold_near_duplicates(passages)]


def test_the_same_text_in_three_files_is_one_passage_that_names_the_others() -> None:
    assert [("0.txt", "1.txt", "2.txt")] == folded(RULE, RULE, RULE)


@pytest.mark.parametrize(
    "copy",
    [
        RULE.upper(),
        RULE.replace(" ", "\n"),
        RULE.replace("must use a", "must use the"),
        RULE.replace("exception", "exceptions"),
        RULE.replace("It is changed", "They are changed"),
        f"Copied from the intranet. {RULE}",
        "\n".join(f"> {part}" for part in RULE.split(". ")),
        f"• {RULE}",
        RULE.replace(".", " —").replace(",", ";"),
    ],
)
def test_case_marks_inflection_and_little_words_make_no_other_passage(copy: str) -> None:
    assert 1 == len(folded(RULE, copy))
    assert 1 == len(folded(copy, RULE))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("12", "14"),
        ("90 days", "90 weeks"),
        ("Dana Cohen", "Ruth Cohen"),
        ("must use", "must not use"),
        ("must use", "can use"),
        ("must use", "should use"),
        ("is changed", "was changed"),
        ("Staff", "IT staff"),
        ("accounts", "A accounts"),
        ("at least", "at most"),
        ("days, and", "days, or"),
        ("approves", "refuses"),
        ("12 characters", "12.5 characters"),
        ("every 90 days", "every 90 days from 2025-01-01"),
    ],
)
def test_versions_that_differ_in_a_number_a_date_a_name_or_a_word_that_matters_both_show(
    old: str, new: str
) -> None:
    version = RULE.replace(old, new)
    assert version != RULE

    texts = [p.text for p in fold_near_duplicates([passage(RULE, "v1"), passage(version, "v2")])]

    assert [RULE, version] == texts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Travel costs up to $500 a month are paid back.", "€500"),
        ("Samples are stored at 20 degrees in the dark room.", "-20"),
        ("A discount of 20 is given to new customers.", "20 %"),
        ("Parts are rejected with a weight of 5 grams.", "< 5"),
        ("The firmware of the pump is written in C by us.", "C++ by"),
        ("For goods that come back you pay the carrier.", "we pay"),
        ("Dogs ✓ in the lobby and in the garden", "✗"),
    ],
)
def test_what_a_sign_or_who_it_is_tells_makes_another_passage(one: str, other: str) -> None:
    old = {"€500": "$500", "-20": "20", "20 %": "20", "< 5": "5", "C++ by": "C by", "✗": "✓"}
    old["we pay"] = "you pay"

    assert 2 == len(folded(one, one.replace(old[other], other)))
    assert 1 == len(folded(one, one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("הרכבת נוסעת מחיפה לירושלים כל שעה", "הרכבת נוסעת לחיפה מירושלים כל שעה"),
        ("ينتقل القطار كل ساعة بالمدينة القديمة", "ينتقل القطار كل ساعة للمدينة القديمة"),
    ],
)
def test_a_preposition_that_is_written_with_the_word_counts(one: str, other: str) -> None:
    assert 2 == len(folded(one, other))


def test_numbers_that_change_places_are_another_passage() -> None:
    one = "Berlin staff have 25 days of vacation and Singapore staff have 20 days of vacation."
    other = "Berlin staff have 20 days of vacation and Singapore staff have 25 days of vacation."

    assert 2 == len(folded(one, other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "הסיסמה חייבת להיות באורך 12 תווים לפחות ודנה כהן מאשרת חריגה.",
            "הסיסמה חייבת להיות באורך 14 תווים לפחות ודנה כהן מאשרת חריגה.",
        ),
        (
            "הסיסמה חייבת להיות באורך 12 תווים לפחות ודנה כהן מאשרת חריגה.",
            "הסיסמה חייבת להיות באורך 12 תווים לפחות ורות כהן מאשרת חריגה.",
        ),
        (
            "يجب أن تتكون كلمة المرور من 12 حرفا على الأقل ويوافق أحمد على الاستثناء",
            "يجب أن تتكون كلمة المرور من 12 حرفا على الأقل ويوافق خالد على الاستثناء",
        ),
        ("密码必须至少包含十二个字符并由张伟批准", "密码必须至少包含十四个字符并由张伟批准"),
    ],
)
def test_names_and_numbers_count_in_scripts_without_capitals(one: str, other: str) -> None:
    assert 2 == len(folded(one, other))
    assert 1 == len(folded(one, one))


def test_the_longer_of_two_is_shown_in_the_rank_of_the_better() -> None:
    longer = f"{RULE} Nobody writes it down."

    (only,) = fold_near_duplicates([passage(RULE, "a", 0.9), passage(longer, "b", 0.4)])

    assert (longer, 0.9, ("a",)) == (only.text, only.score, only.also)


def test_a_short_piece_is_not_swallowed_by_a_long_text() -> None:
    assert 2 == len(folded(f"{RULE} {RULE.replace('12', '16')}", RULE))


def test_the_same_words_under_another_heading_are_about_another_thing() -> None:
    text = "Price 12 dollars a month, cancelled within 30 days in writing."
    berlin = passage(text, "a", headings=("Prices", "Berlin"))
    paris = passage(text, "b", headings=("Prices", "Paris"))

    assert (berlin, paris) == fold_near_duplicates([berlin, paris])


def test_the_same_words_under_a_heading_of_another_part_are_about_another_thing() -> None:
    text = "Price 12 dollars a month, cancelled within 30 days in writing."
    berlin = passage(text, "a", headings=("Berlin", "Prices"))
    paris = passage(text, "b", headings=("Paris", "Prices"))
    copied = passage(text, "c", headings=("Offers", "Berlin", "Prices"))

    first, second = fold_near_duplicates([berlin, paris, copied])

    assert (berlin.source, ("c",), paris) == (first.source, first.also, second)


def test_the_same_rows_in_two_sheets_both_show() -> None:
    from dataclasses import replace

    berlin = replace(passage("Rent 1,200; power 300; water 80"), locator=Locator("sheet", "Berlin"))
    paris = replace(berlin, chunk="x", locator=Locator("sheet", "Paris"))

    assert (berlin, paris) == fold_near_duplicates([berlin, paris])


def test_members_of_an_archive_are_named_by_their_own_path() -> None:
    one = passage(RULE, "a.zip")
    from dataclasses import replace

    other = replace(one, chunk="x", locator=Locator("line", 1, "v2/rules.txt"))

    assert ("a.zip/v2/rules.txt",) == fold_near_duplicates([one, other])[0].also


def test_no_passage_and_passages_without_words_are_left_alone() -> None:
    assert () == fold_near_duplicates([])
    assert 2 == len(folded("— —", "* * *"))
