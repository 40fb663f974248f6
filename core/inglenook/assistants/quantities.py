"""Reads the numbers and dates of a text, so that the same one is known however it is written.

`1,000`, `1.000`, `1 000` and "one thousand" are one number, `14 days` is not `14 hours`, and
`12 March 2024` is `2024-03-12` and `12.3.2024`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from inglenook.assistants.number_words import (
    MONTHS,
    NUMBERS,
    ORDINALS,
    SCALES,
    TENS,
    UNITS,
    WEAK,
)
from inglenook.knowledge.lexical import fold

__all__ = [
    "Date",
    "Quantities",
    "Quantity",
    "carries",
    "folded_digits",
    "is_numeric",
    "read_quantities",
]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it can be read.

    Args:
        value: Its canonical digits, or an identifier such as `b12` as it stands.
        unit: The unit beside it, "" if none is known.
        weak: Whether the word may mean something else ("one"), so that nothing asks for it.
    """

    value: str
    unit: str = ""
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Date:
    """A day or month as it can be read: (year, month, day), each None where it is not said."""

    readings: frozenset[tuple[int | None, int | None, int | None]]


@dataclass(frozen=True, slots=True)
class Quantities:
    """What a text counts and when."""

    numbers: tuple[Quantity, ...] = ()
    dates: tuple[Date, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything that must stand in a passage."""
        return bool(self.dates) or any(not number.weak for number in self.numbers)


def folded_digits(text: str) -> str:
    """The text folded, with the digits of every script as 0 to 9."""
    plain = fold(text)
    if plain.isascii():
        return plain
    return "".join(
        str(unicodedata.decimal(c)) if c.isdecimal() and not c.isascii() else c for c in plain
    )


def read_quantities(text: str) -> Quantities:
    """All numbers and dates of a text, in any notation that is known here."""
    plain = folded_digits(text)
    for pattern, sign in _PERCENT:
        plain = pattern.sub(sign, plain)
    dates, rest = _take_dates(plain)
    return Quantities(tuple(_numbers(rest)), tuple(dates))


def carries(place: Quantities, claim: Quantities) -> bool:
    """Whether every number and date of `claim` stands in `place`, with the same unit."""
    years = {str(reading[0]) for date in place.dates for reading in date.readings}
    days = {str(part) for date in place.dates for r in date.readings for part in r[1:] if part}
    plain = {number.value for number in place.numbers}
    for number in claim.numbers:
        if number.weak or (not number.unit and number.value in years | days):
            continue
        if not any(_same(number, other) for other in place.numbers):
            return False
    return all(_carries_date(place, plain, date) for date in claim.dates)


def _same(one: Quantity, other: Quantity) -> bool:
    fits = not one.unit or not other.unit or one.unit == other.unit
    return fits and one.value == other.value


def _carries_date(place: Quantities, plain: set[str], date: Date) -> bool:
    for year, month, day in date.readings:
        for other in place.dates:
            for reading in other.readings:
                year_said = year in (None, reading[0]) or (
                    reading[0] is None and str(year) in plain
                )
                if year_said and month == reading[1] and day in (None, reading[2]):
                    return True
    return False


def is_numeric(word: str) -> bool:
    """Whether a folded word is part of a number or a date, if only perhaps."""
    return any(c.isdigit() for c in word) or any(
        _in(table, word) is not None for table in (NUMBERS, TENS, ORDINALS, SCALES, MONTHS)
    )


# --- dates ------------------------------------------------------------------------------------

_MONTH = (
    "(?P<month>(?<![^\\W\\d_])[בלמהו]{0,2}(?:"
    + "|".join(sorted((re.escape(m) for m in MONTHS), key=len, reverse=True))
    + r")(?![^\W\d_]))\.?"
)
_YEAR = r"(?:[,.]?\s*(?:de |del |of |שנת |عام |سنة )?(?P<year>[12]\d{3})(?!\d))"
_DATES = (
    re.compile(r"(?<!\d)(?P<year>[12]\d{3})[-/.](?P<m>\d{1,2})[-/.](?P<day>\d{1,2})(?!\d)"),
    re.compile(r"(?<!\d)(?P<year>[12]\d{3})\s?年(?P<m>\d{1,2})\s?月(?:(?P<day>\d{1,2})\s?[日号])?"),
    re.compile(r"(?<!\d)(?P<day>\d{1,2})[./-](?P<m>\d{1,2})[./-](?P<year>[12]\d{3}|\d{2})(?!\d)"),
    re.compile(
        r"(?<![\d.,])(?:(?P<from>\d{1,2})\s?[-–]\s?)?(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?\s?"
        rf"(?:of |de |-)?\s?{_MONTH}{_YEAR}?"
    ),
    re.compile(
        rf"{_MONTH}\s(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?!\d|[.,:]\d)"
        rf"(?:\s?[-–]\s?(?P<from>\d{{1,2}})(?!\d))?{_YEAR}?"
    ),
    re.compile(rf"{_MONTH}{_YEAR}"),
)


def _take_dates(plain: str) -> tuple[list[Date], str]:
    """The dates, and the text without them."""
    found: list[tuple[int, Date]] = []
    for pattern in _DATES:
        for match in pattern.finditer(plain):
            readings = frozenset(_readings(match))
            if readings:
                found.append((match.start(), Date(readings)))
                blank = re.sub(r"\S", " ", match.group())
                plain = plain[: match.start()] + blank + plain[match.end() :]
    return [date for _, date in sorted(found, key=lambda entry: entry[0])], plain


def _readings(match: re.Match[str]) -> Iterator[tuple[int | None, int | None, int | None]]:
    parts = match.groupdict()
    year = int(parts["year"]) if parts.get("year") else None
    if year is not None and year < 100:  # As POSIX strptime reads %y.
        year += 2000 if year < 69 else 1900
    day = int(parts["day"]) if parts.get("day") else None
    if "month" in parts:
        month = _in(MONTHS, parts["month"]) or 0
        pairs = [(month, day)]
        if parts.get("from"):
            pairs.append((month, int(parts["from"])))
    else:
        month = int(parts["m"])
        pairs = [(month, day)]
        if day is not None and match.start("year") > match.start("m"):
            pairs.append((day, month))
    for of_year, of_month in pairs:
        if 1 <= of_year <= 12 and (of_month is None or 1 <= of_month <= 31):
            yield year, of_year, of_month


# --- numbers ----------------------------------------------------------------------------------

_PERCENT = (
    (re.compile(r"\bper cent\b|\bpor ciento\b|\bpour cent\b"), "%"),
    (re.compile(r"(?:ب|في |من )ال?(?:مائة|مئة|ماية)"), " % "),
    (re.compile(r"百分之\s?(\d+(?:[.,]\d+)?)"), r"\1%"),
    (re.compile(r"״|׳"), '"'),
    # "Two" before "ten", which is "years" anywhere else.
    (re.compile(r"שנים(?=[ -]עשר(?!\w))"), "שניים"),
)
_TOKEN = re.compile(
    r"(?P<sign>us\$|[$€£₪])?\s?"
    r"(?P<digits>\d{1,3}(?:(?:[.,'’\u066c]\d{3})+|(?: \d{3})+)(?![\d])(?:[.,\u066b]\d+)?"
    r"|\d+(?:[.,\u066b:/]\d+)*)"
    r"(?P<tail>[a-z][a-z0-9]*)?"
    r"|(?P<code>[a-z]+[-_.]?\d[a-z0-9]*(?:[-_.][a-z0-9]*\d[a-z0-9]*)*)"
    r"|(?P<word>[^\W\d_]+(?:[\"'’][^\W\d_]+)*)"
    r"|(?P<unit>%|٪|°[cf]|[$€£₪])"
    r"|(?P<break>[,;:.()!?،؛؟/])"
)
_SUFFIXES = frozenset("st nd rd th s er e º ª eme".split())
_JOINING = frozenset("and y und et".split())
_PREFIXED = re.compile(r"[\u05d0-\u05ea\u0621-\u064a]")
_CLITICS = ("ו", "ב", "ל", "ה", "מ", "כ", "ש", "وال", "بال", "ال", "و", "ب", "ل")


def _in(table: dict[str, int], word: str) -> int | None:
    """The number of a word, up to two prefixes of Hebrew and Arabic aside."""
    for _ in range(3):
        if word in table:
            return table[word]
        if not _PREFIXED.match(word):
            return None
        clitic = next((c for c in _CLITICS if word.startswith(c) and len(word) - len(c) > 2), "")
        if not clitic:
            return None
        word = word[len(clitic) :]
    return None


def unit_of(word: str) -> str:
    """The unit that a folded word names, or ""."""
    bare = re.sub(r"[\"'’]", "", word)
    return UNITS.get(bare, "")


@dataclass(slots=True)
class _Sum:
    """A number that is being read, word by word."""

    total: Decimal = Decimal(0)
    current: Decimal | None = None
    weak: bool = True
    sign: str = ""
    raw: str = ""
    in_digits: bool = False

    @property
    def begun(self) -> bool:
        return self.current is not None or bool(self.total) or bool(self.raw)

    def continues(self, value: int, word: str) -> bool:
        """Whether a word for a number below 100 belongs to this one: "twenty" goes on with "one",
        but "three and four" are two numbers."""
        if not self.begun or not self.current:
            return not self.in_digits
        if self.in_digits:
            return False
        rest = self.current % 100
        if rest == 0 or (rest >= 20 and rest % 10 == 0 and value < 10):
            return True
        if rest < 10 and _PREFIXED.match(word):  # Teens, and in Arabic the ones before the tens.
            return value >= 10
        # French: soixante-quinze, quatre-vingt-dix, dix-sept.
        return (rest in (60, 80) and value < 20) or (rest == 10 and 7 <= value < 10)

    def add(self, value: int, *, weak: bool) -> None:
        self.weak = self.weak and weak if not self.begun else False
        self.current = (self.current or Decimal(0)) + value

    def scale(self, factor: int, *, weak: bool) -> None:
        self.weak = weak if not self.begun else False
        self.current = (self.current or Decimal(1)) * factor
        if factor >= 1000:
            self.total += self.current
            self.current = Decimal(0)

    def quantity(self, unit: str = "") -> Quantity:
        if self.raw:
            raw = self.raw.removesuffix(":00") if unit in ("am", "pm") else self.raw
            return Quantity(raw, self.sign or unit)
        value = self.total + (self.current or 0)
        return Quantity(_canonical(value), self.sign or unit, self.weak)


def _numbers(plain: str) -> Iterator[Quantity]:
    """The numbers in the order of the text; a unit counts when it is the next word."""
    reading = _Sum()
    for match in _TOKEN.finditer(plain):
        if match["word"] and _takes(reading, match["word"]):
            continue
        if reading.begun:
            yield reading.quantity(unit_of(match["word"] or match["unit"] or ""))
        reading = _Sum()
        if match["word"] and _takes(reading, match["word"]):
            continue
        if match["code"]:
            yield Quantity(re.sub(r"[-_.]", "", match["code"]), "code")
        elif match["digits"]:
            tail = match["tail"] or ""
            reading = _begun(match["digits"], match["sign"] or "")
            if unit_of(tail):
                yield reading.quantity(unit_of(tail))
            elif tail and tail not in _SUFFIXES:
                yield Quantity(match["digits"] + tail, "code")
            else:
                continue
            reading = _Sum()
    if reading.begun:
        yield reading.quantity()


def _begun(digits: str, sign: str) -> _Sum:
    """A number in digits, which a word may still scale."""
    value = _value(digits)
    reading = _Sum(weak=False, sign=unit_of(sign.removeprefix("us")), in_digits=True)
    if value is None:
        reading.raw = re.sub(r"^0(?=\d:)", "", digits)
    else:
        reading.current = value
    return reading


def _takes(reading: _Sum, word: str) -> bool:
    """Take a word into the number that is being read; False if it ends it."""
    if reading.raw:
        return False
    if (factor := _in(SCALES, word)) is not None:
        reading.scale(factor, weak=word in WEAK or not reading.begun)
        return True
    for table in (NUMBERS, TENS, ORDINALS):
        if (value := _in(table, word)) is not None:
            if not reading.continues(value, word):
                return False
            reading.add(value, weak=word.lstrip("ובלהמכש") in WEAK or word in WEAK)
            return True
    return word in _JOINING and reading.begun and not (reading.weak or reading.in_digits)


def _value(digits: str) -> Decimal | None:
    """The number that digits with points and commas stand for; None for a time or a ratio."""
    if ":" in digits or "/" in digits:
        return None
    digits = digits.replace("\u066c", ",").replace("\u066b", ".").replace("’", "'")
    grouped = re.fullmatch(r"(\d{1,3}(?:[.,' ]\d{3})+)(?:([.,])(\d+))?", digits)
    if grouped and not digits.startswith("0"):
        whole = re.sub(r"\D", "", grouped[1])
        digits = f"{whole}.{grouped[3]}" if grouped[3] else whole
    digits = digits.replace(",", ".")
    try:
        return Decimal(digits)
    except InvalidOperation:
        return None


def _canonical(value: Decimal) -> str:
    text = format(value.normalize(), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
