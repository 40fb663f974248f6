"""Numbers are shown as a spreadsheet shows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook_office.number_formats import general, shown

ACCOUNTING = '_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)'


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        ("0.05", "0%", "5%"),
        ("0.125", "0.0%", "12.5%"),
        ("1234.5", "#,##0.00", "1,234.50"),
        ("-1234.5", ACCOUNTING, "(1,234.50)"),
        ("0", ACCOUNTING, "-"),
        ("1234.5", "[$€-407] #,##0.00", "€ 1,234.50"),
        ("1234.5", '#,##0.00 "₪"', "1,234.50 ₪"),
        ("-1234", "$#,##0", "-$1,234"),
        ("1234567", '0.0,,"M"', "1.2M"),
        ("1000", "#,##0,", "1"),
        ("12", "00000", "00012"),
        ("3.14159", "0.##", "3.14"),
        ("3", "0.##", "3"),
        (".5", "#.00", ".50"),
        ("2.5", "0", "3"),
        ("-0.001", "0.0", "0.0"),
        ("0.00001234", "0.00E+00", "1.23E-05"),
        ("1.25", "# ?/?", "1 1/4"),
        ("0.333", "??/100", "33/100"),
        ("5551234567", "(000) 000-0000", "(555) 123-4567"),
        ("-1", "[Red]0.00;[Blue](0.00)", "(1.00)"),
        ("5", '[<10]"low";"high"', "low"),
        ("50", '[<10]"low";"high"', "high"),
        ("7", '0 "days"', "7 days"),
        ("3.5", 'General" kg"', "3.5 kg"),
        ("9", ";;;", ""),
        ("9", "@", "9"),
        ("no number", "0.00", "no number"),
        ("nan", "0.00", "nan"),
    ],
)
def test_a_number_in_a_format(value, code, expected):
    assert shown(value, code) == expected


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        ("45356", "dd/mm/yyyy", "05/03/2024"),
        ("45356", "d.m.yy", "5.3.24"),
        ("45356", "mmmm d, yyyy", "March 5, 2024"),
        ("45356", "ddd dd-mmm", "Tue 05-Mar"),
        ("45356", r"[$-F800]dddd\,\ mmmm\ dd\,\ yyyy", "Tuesday, March 05, 2024"),
        ("45356.5", "yyyy-mm-dd hh:mm", "2024-03-05 12:00"),
        ("0.75", "h:mm AM/PM", "6:00 PM"),
        ("0.1", "mm:ss", "24:00"),
        ("1.5", "[h]:mm", "36:00"),
        ("45356.123456", "hh:mm:ss.000", "02:57:46.598"),
        ("1", "yyyy-mm-dd", "1900-01-01"),
        ("61", "yyyy-mm-dd", "1900-03-01"),
        ("-1", "yyyy-mm-dd", "-1"),
        ("9e9", "yyyy-mm-dd", "9000000000"),
    ],
)
def test_a_date_in_a_format(value, code, expected):
    assert shown(value, code) == expected


def test_days_count_from_1904_where_the_workbook_says_so():
    assert shown("43894", "yyyy-mm-dd", from_1904=True) == "2024-03-05"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("13.0", "13"),
        ("0.30000000000000004", "0.3"),
        ("123456789012345", "123456789012345"),
        ("3.3333333333333335", "3.333333333"),
        ("1e-7", "1E-07"),
        ("text", "text"),
    ],
)
def test_a_number_without_a_format(value, expected):
    assert general(value) == expected


@given(st.floats(), st.text(alphabet='0#?.,%E+-/;"\\_*[]$@ymdhsAP General<>=1', max_size=40))
def test_no_format_raises(value, code):
    assert isinstance(shown(repr(value), code), str)


@given(st.floats(min_value=-1e9, max_value=1e9, allow_nan=False))
def test_two_decimals_are_the_number_rounded(value):
    text = shown(repr(value), "0.00")
    assert abs(float(text) - value) <= 0.0051
