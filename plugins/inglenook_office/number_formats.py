"""Shows the numbers of spreadsheet cells as a person sees them: 5%, 1,234.50 €, 05/03/2024.

A cell holds a number and a format code. Source: ECMA-376-1, 18.8.30 and 18.8.31. Dates in formats
that follow the reader's own settings are written as 2024-03-05.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache

from inglenook_office.date_formats import DATE_TOKEN, date_shown, is_date_token

__all__ = ["BUILT_IN_FORMATS", "general", "is_date_format", "shown"]

BUILT_IN_FORMATS = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%",
    11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm",
    17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss",
    22: "yyyy-mm-dd h:mm", 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;(#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0",
    49: "@", **dict.fromkeys((*range(27, 32), 36, *range(50, 59)), "yyyy-mm-dd"),
    **dict.fromkeys(range(32, 36), "h:mm:ss"),
}  # fmt: skip

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|_(?P<space>.)|\*(?P<fill>.)'
    r"|\[\$(?P<currency>[^\]-]*)(?:-[^\]]*)?\]|\[(?P<elapsed>h+|m+|s+)\]"
    r"|\[(?P<condition>[<>=]{1,2}-?[\d.]+)\]|\[[^\]]*\]"
    r"|(?P<general>General)|(?P<exponent>E[+-]0+)"
    rf"|(?P<date>{DATE_TOKEN})|(?P<digits>[0#?]+)|(?P<mark>[.,%/@])|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,14})\Z")
_LONGEST_FORMAT = 300
_MOST_DECIMALS = 30
_SIGNIFICANT_DIGITS = 10
_LARGEST_PLAIN = 1e15

_Shape = Callable[[float, bool], str]


def general(text: str) -> str:
    """A number as a spreadsheet shows it where nothing else is asked for."""
    if _INTEGER.match(text):
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    if not math.isfinite(value):
        return text
    if value == int(value) and abs(value) < _LARGEST_PLAIN:
        return str(int(value))
    return f"{value:.{_SIGNIFICANT_DIGITS}g}".replace("e", "E")


@lru_cache(maxsize=20_000)
def shown(text: str, code: str, from_1904: bool = False) -> str:
    """The number in `text` in the format `code`; the text itself if it is no number."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not math.isfinite(value):
        return text
    try:
        return _shape(code)(value, from_1904)
    except (ArithmeticError, ValueError):
        return general(text)


@lru_cache(maxsize=1_000)
def is_date_format(code: str) -> bool:
    """Whether numbers in this format are dates or times."""
    return any(_is_date(section.tokens) for section in _sections(code))


@dataclass(frozen=True, slots=True)
class _Section:
    tokens: tuple[tuple[str, str], ...]
    condition: Callable[[float], bool] | None = None


@lru_cache(maxsize=1_000)
def _shape(code: str) -> _Shape:
    sections = _sections(code)
    shapes = [_section_shape(section.tokens) for section in sections]

    def choose(value: float, from_1904: bool) -> str:
        for section, shape in zip(sections, shapes, strict=True):
            if section.condition is not None and section.condition(value):
                return shape(value, from_1904).strip()
        if len(shapes) == 1 or any(section.condition for section in sections):
            return shapes[-1](value, from_1904).strip()
        if value < 0:
            return shapes[1](-value, from_1904).strip()
        third = shapes[2] if len(shapes) > 2 else shapes[0]
        return (third if value == 0 else shapes[0])(value, from_1904).strip()

    return choose


def _sections(code: str) -> list[_Section]:
    sections: list[_Section] = []
    tokens: list[tuple[str, str]] = []
    condition = None
    for match in _TOKEN.finditer(code[:_LONGEST_FORMAT]):
        kind = match.lastgroup or ""
        text = match[kind] if kind else ""
        if kind == "other" and text == ";":
            sections.append(_Section(tuple(tokens), condition))
            tokens, condition = [], None
        elif kind == "condition":
            condition = _condition(text)
        elif kind:
            tokens.append((kind, text))
    sections.append(_Section(tuple(tokens), condition))
    return sections[:3]


def _condition(text: str) -> Callable[[float], bool] | None:
    match = re.match(r"([<>=]{1,2})(-?\d*\.?\d+)\Z", text)
    if match is None:
        return None
    limit = float(match[2])
    return {
        "<": lambda value: value < limit,
        ">": lambda value: value > limit,
        "<=": lambda value: value <= limit,
        ">=": lambda value: value >= limit,
        "=": lambda value: value == limit,
        "<>": lambda value: value != limit,
    }.get(match[1])


def _is_date(tokens: tuple[tuple[str, str], ...]) -> bool:
    return any(kind == "elapsed" or is_date_token(kind, text) for kind, text in tokens)


def _section_shape(tokens: tuple[tuple[str, str], ...]) -> _Shape:
    if _is_date(tokens):
        return lambda value, from_1904: _date(tokens, value, from_1904)
    if any(kind == "digits" for kind, _ in tokens):
        number = _NumberShape(tokens)
        return lambda value, _: number.shown(value)
    return lambda value, _: "".join(
        general(repr(value)) if kind == "general" or text == "@" else _literal(kind, text)
        for kind, text in tokens
    )


def _date(tokens: tuple[tuple[str, str], ...], value: float, from_1904: bool) -> str:
    plain = [(kind, text) if kind in ("date", "elapsed", "digits", "mark") else
             ("literal", _literal(kind, text)) for kind, text in tokens]  # fmt: skip
    text = date_shown(plain, value, from_1904=from_1904)
    return general(repr(value)) if text is None else text


def _literal(kind: str, text: str) -> str:
    return "" if kind in ("space", "fill") else text


class _NumberShape:
    """One section of a format with places for digits."""

    def __init__(self, tokens: tuple[tuple[str, str], ...]) -> None:
        self._tokens = tokens
        places = [at for at, (kind, _) in enumerate(tokens) if kind == "digits"]
        first, last = places[0], places[-1]
        self._first, self._last = first, last
        self._percents = sum(text == "%" for kind, text in tokens if kind == "mark")
        marks = [(at, text) for at, (kind, text) in enumerate(tokens) if kind == "mark"]
        self._point = next((at for at, text in marks if text == "." and at >= first - 1), None)
        end = last if self._point is None else self._point
        self._groups = any(text == "," and first < at < end for at, text in marks)
        self._scale = 0
        after = (last if self._point is None or self._point < last else self._point) + 1
        while after < len(tokens) and tokens[after] == ("mark", ","):
            self._scale += 1
            after += 1
        self._after = after
        self._exponent = next((text for kind, text in tokens if kind == "exponent"), "")
        slash = next((at for at, text in marks if text == "/" and first < at), None)
        self._slash = slash if slash is not None and slash <= last + 1 else None
        self._decimals = ""
        if self._point is not None:
            self._decimals = "".join(
                text for kind, text in tokens[self._point : last + 1] if kind == "digits"
            )[:_MOST_DECIMALS]

    def shown(self, value: float) -> str:
        sign = "-" if value < 0 else ""
        amount = abs(value) * 100**self._percents / 1000**self._scale
        if self._slash is not None:
            body = self._fraction(amount)
        elif self._exponent:
            body = self._scientific(amount)
        else:
            body = self._plain(amount)
        if not any(character in "123456789" for character in body):
            sign = ""
        head = "".join(_literal(*token) for token in self._tokens[: self._first] if token[1] != ".")
        return f"{sign}{head}{body}{self._tail()}"

    def _tail(self) -> str:
        rest = self._tokens[self._after :]
        if self._slash is not None:
            return "".join(_literal(k, t) for k, t in rest if k not in ("digits", "mark", "other"))
        return "".join(_literal(kind, text) for kind, text in rest if kind != "exponent")

    def _plain(self, amount: float) -> str:
        step = Decimal(1).scaleb(-len(self._decimals))
        number = Decimal(repr(amount)).quantize(step, ROUND_HALF_UP)
        whole, _, decimals = f"{number:f}".partition(".")
        keep = max((at + 1 for at, place in enumerate(self._decimals) if place == "0"), default=0)
        while len(decimals) > keep and decimals.endswith("0"):
            decimals = decimals[:-1]
        body = self._whole(whole)
        return f"{body}.{decimals}" if decimals else body

    def _whole(self, digits: str) -> str:
        """Put digits into their places, from the right; marks between the places stay."""
        end = self._last + 1 if self._point is None else self._point
        tokens = self._tokens[self._first : end]
        zeros = sum(text.count("0") for kind, text in tokens if kind == "digits")
        digits = digits.lstrip("0").rjust(zeros, "0")
        if self._groups:
            return f"{int(digits):,}".rjust(zeros, "0") if digits else ""
        parts: list[str] = []
        for index in range(len(tokens) - 1, -1, -1):
            kind, text = tokens[index]
            if kind != "digits":
                parts.append(_literal(kind, text) if text != "," else "")
                continue
            is_first = not any(kind == "digits" for kind, _ in tokens[:index])
            cut = 0 if is_first else max(0, len(digits) - len(text))
            parts.append(digits[cut:])
            digits = digits[:cut]
        return "".join(reversed(parts))

    def _scientific(self, amount: float) -> str:
        mantissa, _, exponent = f"{amount:.{len(self._decimals)}e}".partition("e")
        power = int(exponent)
        width = len(self._exponent) - 2
        sign = "-" if power < 0 else "+" if self._exponent[1] == "+" else ""
        return f"{mantissa}E{sign}{abs(power):0{width}}"

    def _fraction(self, amount: float) -> str:
        assert self._slash is not None
        bottom = "".join(t for k, t in self._tokens[self._slash + 1 :] if k in ("digits", "other"))
        fixed = re.match(r"[1-9]\d*", bottom)
        has_whole = sum(kind == "digits" for kind, _ in self._tokens[: self._slash]) > 1
        whole = int(amount) if has_whole else 0
        rest = amount - whole
        if fixed:
            parts = Fraction(round(rest * int(fixed[0])), int(fixed[0]))
        else:
            most = 10 ** min(max(bottom.count("?") + bottom.count("#"), 1), 5) - 1
            parts = Fraction(rest).limit_denominator(most)
        if has_whole and parts >= 1:
            whole, parts = whole + 1, parts - 1
        top = f"{parts.numerator}/{parts.denominator}"
        if not has_whole:
            return top
        return f"{whole} {top}" if parts and whole else top if parts else str(whole)
