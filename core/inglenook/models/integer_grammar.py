"""Writes the integers between two limits as a grammar: digit by digit, as a grammar reads them."""

from __future__ import annotations

__all__ = ["integers_between"]

_MOST_DIGITS = 16


def integers_between(low: int | None, high: int | None) -> str:
    """A body of GBNF for the integers from `low` to `high`, both included; None has no limit."""
    floor = -(10**_MOST_DIGITS) + 1 if low is None else low
    ceiling = 10**_MOST_DIGITS - 1 if high is None else high
    parts: list[str] = []
    if floor < 0:
        below = _between(max(1, -min(ceiling, -1)), -floor)
        parts.append(f'"-" ({" | ".join(below)})')
    if ceiling >= 0:
        parts += _between(max(0, floor), ceiling)
    return " | ".join(parts)


def _between(low: int, high: int) -> list[str]:
    """Patterns for 0 <= low <= high, one for each length of the numbers."""
    found = []
    for digits in range(len(str(low)), len(str(high)) + 1):
        least = max(low, 10 ** (digits - 1) if digits > 1 else 0)
        most = min(high, 10**digits - 1)
        found.append(_same_length(str(least), str(most)))
    return found


def _same_length(low: str, high: str) -> str:
    """Numbers of the same number of digits."""
    if not low:
        return '""'
    rest = len(low) - 1
    if low == "0" * len(low) and high == "9" * len(high):
        return _any_digits(len(low))
    if low[0] == high[0]:
        return f"[{low[0]}] {_same_length(low[1:], high[1:])}" if rest else f"[{low[0]}]"
    parts = []
    first, last = int(low[0]), int(high[0])
    if low[1:] != "0" * rest:
        parts.append(f"[{first}] {_same_length(low[1:], '9' * rest)}")
        first += 1
    if high[1:] != "9" * rest:
        parts.append(f"[{last}] {_same_length('0' * rest, high[1:])}")
        last -= 1
    if first <= last:
        middle = f"[{first}-{last}]" if first < last else f"[{first}]"
        parts.append(f"{middle} {_any_digits(rest)}" if rest else middle)
    return f"({' | '.join(parts)})"


def _any_digits(count: int) -> str:
    return f"[0-9]{{{count}}}"
