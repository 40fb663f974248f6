"""Shows the dates and times of spreadsheet cells, which count days from 1900 or 1904."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

__all__ = ["DATE_TOKEN", "date_shown", "is_date_token"]

DATE_TOKEN = r"y+|m+|d+|h+|s+|AM/PM|A/P|e+(?![+-])"

_FIRST_DAY = datetime(1899, 12, 30)  # noqa: DTZ001 - dates in cells have no time zone
_FIRST_DAY_1904 = datetime(1904, 1, 1)  # noqa: DTZ001
_LAST_DAY = 2_958_466
_NO_LEAP_DAY = 60
"""The 29th of February 1900, which never was but is counted; days before it are one off."""
_MONTHS = (
    "January February March April May June July August September October November December"
).split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_SECONDS_A_DAY = 86_400


def is_date_token(kind: str, text: str) -> bool:
    return kind == "date" and text[0].lower() in "ymdhsae"


def date_shown(
    tokens: Sequence[tuple[str, str]], value: float, *, from_1904: bool = False
) -> str | None:
    """The day and time that `value` counts; None where it is out of range.

    Args:
        tokens: Parts of a format: `date`, `elapsed`, `digits` (of a second), `mark`, `literal`.
        value: Days, and parts of a day.
        from_1904: Whether day 0 is the first of January 1904.
    """
    if not 0 <= value < _LAST_DAY:
        return None
    milliseconds = round(value * _SECONDS_A_DAY * 1000)
    moment = _moment(milliseconds, from_1904=from_1904)
    kinds = [text[0].lower() if kind in ("date", "elapsed") else "" for kind, text in tokens]
    has_half = any(kind == "date" and "/" in text for kind, text in tokens)
    parts: list[str] = []
    after_seconds = False
    for at, (kind, text) in enumerate(tokens):
        if kind == "elapsed":
            parts.append(_elapsed(text, milliseconds))
        elif kind == "date":
            parts.append(_part(text, moment, has_half, is_minute=_is_minute(kinds, at)))
        elif kind == "digits":
            digits = f"{moment.microsecond // 1000:03}"[: len(text)]
            parts.append(digits if after_seconds else text)
        else:
            parts.append(text)
            continue
        after_seconds = text[0].lower() == "s"
    return "".join(parts)


def _moment(milliseconds: int, *, from_1904: bool) -> datetime:
    first = _FIRST_DAY_1904 if from_1904 else _FIRST_DAY
    moment = first + timedelta(milliseconds=milliseconds)
    if not from_1904 and milliseconds < _NO_LEAP_DAY * _SECONDS_A_DAY * 1000:
        moment += timedelta(days=1)
    return moment


def _is_minute(kinds: Sequence[str], at: int) -> bool:
    """Whether an `m` means minutes: it stands after hours or before seconds."""
    if kinds[at] != "m":
        return False
    before = next((kind for kind in reversed(kinds[:at]) if kind), "")
    after = next((kind for kind in kinds[at + 1 :] if kind), "")
    return before == "h" or after == "s"


def _elapsed(text: str, milliseconds: int) -> str:
    seconds = milliseconds // 1000
    amount = {"h": seconds // 3600, "m": seconds // 60, "s": seconds}[text[0].lower()]
    return f"{amount:0{len(text)}}"


def _part(text: str, moment: datetime, has_half: bool, *, is_minute: bool) -> str:
    letter, length = text[0].lower(), len(text)
    if letter == "a":
        return ("AM" if moment.hour < 12 else "PM")[: 2 if length > 3 else 1]
    if letter in "ye":
        return f"{moment.year % 100:02}" if length <= 2 and letter == "y" else str(moment.year)
    if letter == "d" and length > 2:
        name = _DAYS[moment.weekday()]
        return name[:3] if length == 3 else name
    if letter == "m" and not is_minute and length > 2:
        name = _MONTHS[moment.month - 1]
        return name[:3] if length == 3 else name[:1] if length == 5 else name
    hour = (moment.hour - 1) % 12 + 1 if has_half else moment.hour
    number = {
        "d": moment.day, "h": hour, "s": moment.second,
        "m": moment.minute if is_minute else moment.month,
    }[letter]  # fmt: skip
    return f"{number:02}" if length > 1 else str(number)
