"""Numbers and dates are known again however they are written."""

from __future__ import annotations

import pytest

from inglenook.assistants.quantities import carries, read_quantities


def same(one: str, other: str) -> bool:
    return carries(read_quantities(one), read_quantities(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,000 people", "1000 people"),
        ("1.000 people", "1 000 people"),
        ("one thousand people", "1,000 people"),
        ("14 days", "fourteen days"),
        ("14 days", "a 14-day period"),
        ("twenty-one percent", "21 %"),
        ("$1.5 million", "1,500,000 dollars"),
        ("12 March 2024", "2024-03-12"),
        ("12 March 2024", "12.3.2024"),
        ("12 March 2024", "March 12, 2024"),
        ("12 March 2024", "March 2024"),
        ("12 במרץ 2024", "12/03/2024"),
        ("١٢ مارس ٢٠٢٤", "12 March 2024"),
        ("2024年3月12日", "12 March 2024"),
        ("12. März 2024", "12 de marzo de 2024"),
        ("opened on 12 March 2024", "opened in 2024"),
        ("חמישה עשר אלף שקלים", "15,000 ₪"),
        ('500 ש"ח', "₪500"),
        ("خمسة وعشرون يوما", "25 days"),
        ("the 1980s", "1980"),
        ("one of two", "2"),
        ("three and four days", "3 and 4 days"),
        ("between 5 and ten days", "10 days"),
        ("one hundred and fifty euros", "150 euros"),
        ("treinta y cinco días", "35 días"),
        ("soixante-quinze jours", "75 jours"),
        ("שלוש מאות ועשרים שקלים", "320 שקלים"),
        ("אלף מאתיים שקלים", "1,200 שקלים"),
        ("אלפיים ימים", "2,000 ימים"),
        ("שנים עשר ימים", "12 ימים"),
        ("שתים עשרה שעות", "12 שעות"),
        ("اثنا عشر شهرا", "12 شهرا"),
        ("أحد عشر شهرا", "11 شهرا"),
        ("مائة وخمسون دولارا", "150 دولارا"),
        ("ثلاثة آلاف وخمسمئة دولار", "3500 دولار"),
        ("ألفين دولار", "2000 دولار"),
        ("5 آذار 2024", "2024-03-05"),
        ("12 تشرين الأول 2024", "2024-10-12"),
        ("09:00", "9:00"),
        ("9:00 am", "9 am"),
    ],
)
def test_the_same_quantity_is_known_in_another_notation(one: str, other: str) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("14 days", "14 hours"),
        ("1,000", "100"),
        ("1.5 million", "1.5 billion"),
        ("30 percent", "30 dollars"),
        ("12 March 2024", "13 March 2024"),
        ("12 March 2024", "12 April 2024"),
        ("12 March 2024", "12 March 2023"),
        ("8:00", "9:00"),
        ("B12", "B13"),
        ("twenty-one", "twenty-two"),
        ("three and four days", "7 days"),
        ("ten and twenty minutes", "thirty minutes"),
        ("between 5 and ten days", "15 days"),
        ("חמישה ושישה ימים", "11 ימים"),
        ("ثلاثة وأربعة أيام", "7 أيام"),
        ("9 am", "9 pm"),
        ("10 mg", "10 g"),
        ("10 GB", "10 MB"),
    ],
)
def test_another_quantity_is_not(one: str, other: str) -> None:
    assert not same(one, other)


def test_a_word_that_is_seldom_a_number_asks_for_none() -> None:
    assert not read_quantities("one of them")
    assert same("no number here", "one of them")
