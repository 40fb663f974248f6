"""Tells text from what fonts without a right map of their characters yield."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

__all__ = ["is_garbled"]

_MOST_ODD = 0.15
_MOST_NAMES = 0.3
_FEWEST_WORDS = 20
_MOST_MIXED = 0.3
_MOST_WITHOUT_VOWEL = 0.25
_FEWEST_FINALS = 8
_MOST_FINALS_INSIDE = 0.4

_GLYPH_NAME = re.compile(r"/[A-Za-z]{1,5}[0-9A-F]{1,6}(?![0-9a-z])")
_WORD = re.compile(r"[^\W\d_]{3,}")
_LATIN_WORD = re.compile(r"(?<![^\W_])[A-Za-z\u00c0-\u024f\u1e00-\u1eff]{4,}(?![^\W_])")
_VOWEL = re.compile(r"[aeiouyæœøı]", re.IGNORECASE)
_FINAL = re.compile(r"(?<=[\u05d0-\u05ea])[ךםןףץ]|(?<=[\u0621-\u064a])ة")
_FINAL_INSIDE = re.compile(r"[ךםןףץ](?=[\u05d0-\u05ea])|ة(?=[\u0621-\u064a])")
_SCRIPTS = frozenset(
    ("LATIN", "GREEK", "COPTIC", "CYRILLIC", "ARMENIAN", "HEBREW", "ARABIC", "SYRIAC", "GEORGIAN",
     "DEVANAGARI", "THAI", "CHEROKEE", "ETHIOPIC", "TIFINAGH", "HANGUL", "CJK")
)  # fmt: skip
_EAST_ASIAN = frozenset(("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO", "CJK"))


def is_garbled(raw: str, text: str) -> bool:
    """Whether this cannot be what a page shows: what the library gave, and the text made of it.

    Only what no language does counts: many characters that are none, scripts mixed inside words,
    Latin words without vowels, letters inside words that can only end them.
    """
    return (
        _has_odd_characters(raw)
        or _is_made_of_glyph_names(raw)
        or _mixes_scripts(text)
        or _has_no_vowels(text)
        or _has_finals_inside(text)
    )


def _has_odd_characters(text: str) -> bool:
    counts = Counter(text)
    shown = sum(count for character, count in counts.items() if not character.isspace())
    odd = sum(
        count
        for character, count in counts.items()
        if character == "\ufffd" or unicodedata.category(character) in ("Co", "Cn", "Cc")
        if not character.isspace()
    )
    return odd > _MOST_ODD * shown


def _is_made_of_glyph_names(text: str) -> bool:
    """As pypdf gives them where a font has names like g95 and nothing else."""
    named = sum(len(name) for name in _GLYPH_NAME.findall(text))
    return named > _MOST_NAMES * len(text)


def _mixes_scripts(text: str) -> bool:
    words = _WORD.findall(text)
    mixed = sum(len({_script(letter) for letter in word} - {""}) > 1 for word in words)
    return len(words) >= _FEWEST_WORDS and mixed > _MOST_MIXED * len(words)


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").split(" ")[0]
    if name in _EAST_ASIAN:
        return "CJK"
    return name if name in _SCRIPTS else ""


def _has_no_vowels(text: str) -> bool:
    words = {word for word in _LATIN_WORD.findall(text) if not word.isupper()}
    if len(words) < _FEWEST_WORDS:
        return False
    without = sum(not _VOWEL.search(unicodedata.normalize("NFD", word)) for word in words)
    return without > _MOST_WITHOUT_VOWEL * len(words)


def _has_finals_inside(text: str) -> bool:
    finals = len(_FINAL.findall(text))
    return (
        finals >= _FEWEST_FINALS and len(_FINAL_INSIDE.findall(text)) > _MOST_FINALS_INSIDE * finals
    )
