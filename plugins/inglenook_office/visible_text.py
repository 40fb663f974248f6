"""Makes text as a person sees it: no bidi controls, soft hyphens or other invisible marks.

Symbols of the fonts Symbol and Wingdings, which documents keep in the private use area, become the
characters that they show.
"""

from __future__ import annotations

import re

__all__ = ["is_right_to_left", "one_line", "symbol", "visible"]

_INVISIBLE = re.compile(
    "[\\u200e\\u200f\\u061c\\u202a-\\u202e\\u2066-\\u2069\\ufeff\\u00ad\\u2060\\ufff9-\\ufffb\\x00-\\x08\\x0b\\x0c"
    "\\x0e-\\x1f\\x7f\\ud800-\\udfff\\u00a0\\u2007\\u202f\\u2028\\u2029\\uf000-\\uf0ff]"
)
_SHOWN = {
    "\u00a0": " ", "\u2007": " ", "\u202f": " ", "\u2028": "\n", "\u2029": "\n", "\x0b": "\n"
}  # fmt: skip
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_LEFT_TO_RIGHT = re.compile("[A-Za-z\u00c0-\u024f\u0370-\u052f]")

_SYMBOL = dict(
    zip(
        range(0x41, 0x5B), "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", strict=True
    )
) | dict(zip(range(0x61, 0x7B), "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True)) | {
    0xA3: "≤", 0xA5: "∞", 0xAB: "↔", 0xAC: "←", 0xAD: "↑", 0xAE: "→", 0xAF: "↓", 0xB0: "°",
    0xB1: "±", 0xB3: "≥", 0xB4: "×", 0xB7: "•", 0xB8: "÷", 0xB9: "≠", 0xBA: "≡", 0xBB: "≈",
    0xC7: "∩", 0xC8: "∪", 0xCC: "⊂", 0xCE: "∈", 0xD6: "√", 0xDB: "⇔", 0xDE: "⇒", 0xE5: "∑",
    0xF2: "∫",
}  # fmt: skip
_WINGDINGS = {
    0x28: "☎", 0x2A: "✉", 0x4A: "☺", 0x6C: "●", 0x6E: "■", 0x6F: "□", 0x71: "❑", 0x76: "❖",
    0x9F: "•", 0xA7: "▪", 0xA8: "◻", 0xD8: "➢", 0xDF: "←", 0xE0: "→", 0xE8: "➔", 0xF0: "⇨",
    0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑",
}  # fmt: skip


def visible(text: str) -> str:
    """The text without what nobody sees; special blanks become plain ones."""
    return _INVISIBLE.sub(_shown, text) if _INVISIBLE.search(text) else text


def one_line(text: str) -> str:
    """The visible text with every run of white space as one blank."""
    return " ".join(visible(text).split())


def symbol(code: int, font: str) -> str:
    """The character that a symbol font shows for a code, "" if it is not known.

    Source: Adobe's Symbol encoding and Microsoft's Wingdings chart, the common ones.
    """
    code = code - 0xF000 if 0xF000 <= code <= 0xF0FF else code
    name = font.lower()
    if "wingdings" in name or "webdings" in name:
        return _WINGDINGS.get(code, "")
    if "symbol" in name:
        return _SYMBOL.get(code, chr(code) if 0x20 <= code < 0x41 else "")
    if code < 0x100:
        return _WINGDINGS.get(code, _SYMBOL.get(code, "")) if code > 0x7F else chr(code)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else ""


def is_right_to_left(text: str) -> bool:
    """Whether most of its letters are of a script that is written from right to left."""
    return len(_RIGHT_TO_LEFT.findall(text)) > len(_LEFT_TO_RIGHT.findall(text))


def _shown(match: re.Match[str]) -> str:
    character = match[0]
    if "\uf000" <= character <= "\uf0ff":
        return symbol(ord(character), "")
    return _SHOWN.get(character, "")
