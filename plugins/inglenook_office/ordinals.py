"""Writes the numbers of lists as office programs show them: 3, iii, C, ג."""

from __future__ import annotations

__all__ = ["ordinal"]

_MOST = 1_000_000
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"),
    (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_HEBREW = (
    (400, "ת"), (300, "ש"), (200, "ר"), (100, "ק"), (90, "צ"), (80, "פ"), (70, "ע"), (60, "ס"),
    (50, "נ"), (40, "מ"), (30, "ל"), (20, "כ"), (10, "י"), (9, "ט"), (8, "ח"), (7, "ז"), (6, "ו"),
    (5, "ה"), (4, "ד"), (3, "ג"), (2, "ב"), (1, "א"),
)  # fmt: skip
_HEBREW_LETTERS = "אבגדהוזחטיכלמנסעפצקרשת"
_ARABIC_LETTERS = "أبتثجحخدذرزسشصضطظعغفقكلمنهوي"
_RUSSIAN_LETTERS = "абвгдежзиклмнопрстуфхцчшщэюя"


def ordinal(number: int, style: str) -> str:
    """The number in a style, named as in Office Open XML (`w:numFmt`); decimal if unknown."""
    if not 0 < number <= _MOST:
        return str(number)
    if style in ("lowerRoman", "upperRoman") and number < 4000:
        text = _additive(number, _ROMAN)
        return text if style == "lowerRoman" else text.upper()
    if style in ("lowerLetter", "upperLetter"):
        letter = chr(ord("a" if style == "lowerLetter" else "A") + (number - 1) % 26)
        return letter * min((number - 1) // 26 + 1, 10)
    if style == "hebrew1" and number < 1000:
        return _hebrew(number)
    if style == "hebrew2":
        return _HEBREW_LETTERS[(number - 1) % len(_HEBREW_LETTERS)]
    if style in ("arabicAlpha", "arabicAbjad"):
        return _ARABIC_LETTERS[(number - 1) % len(_ARABIC_LETTERS)]
    if style in ("russianLower", "russianUpper"):
        letter = _RUSSIAN_LETTERS[(number - 1) % len(_RUSSIAN_LETTERS)]
        return letter if style == "russianLower" else letter.upper()
    if style == "decimalZero":
        return f"{number:02}"
    return str(number)


def _hebrew(number: int) -> str:
    """Letters by value; 15 and 16 are written so that they spell no name of God."""
    text = _additive(number, _HEBREW)
    return text.replace("יה", "טו").replace("יו", "טז")


def _additive(number: int, values: tuple[tuple[int, str], ...]) -> str:
    text = ""
    for value, letters in values:
        while number >= value:
            text += letters
            number -= value
    return text
