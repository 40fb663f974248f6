"""Which of the installed languages to look for on a page."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["READ_FROM_THE_RIGHT", "chosen"]

_OF_SCRIPT = {
    "Latin": ("eng", "deu", "fra", "spa", "ita", "por", "nld"),
    "Fraktur": ("deu_latf", "frk", "deu"),
    "Hebrew": ("heb",),
    "Arabic": ("ara", "fas", "urd"),
    "Cyrillic": ("rus", "ukr", "bul", "srp"),
    "Greek": ("ell",),
    "Han": ("chi_sim", "chi_tra"),
    "HanS": ("chi_sim",),
    "HanT": ("chi_tra",),
    "Japanese": ("jpn",),
    "Katakana": ("jpn",),
    "Hiragana": ("jpn",),
    "Hangul": ("kor",),
    "Korean": ("kor",),
    "Devanagari": ("hin", "mar", "nep"),
    "Thai": ("tha",),
}
_WITHOUT_SCRIPT = ("eng", "heb", "ara", "rus")
_MOST = 4
"""Each more costs time; measured, English does not suffer from Hebrew and Arabic beside it."""

READ_FROM_THE_RIGHT = frozenset(("Hebrew", "Arabic"))


def chosen(installed: Iterable[str], script: str) -> tuple[str, ...]:
    """The installed languages of a script, or of all common ones where it is not known."""
    there = frozenset(installed)
    for wanted in (_OF_SCRIPT.get(script, ()), _WITHOUT_SCRIPT, sorted(there)):
        names = tuple(name for name in wanted if name in there)[:_MOST]
        if names:
            return names
    return ()
