"""How far an embedder's vectors can be relied on for a question."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

__all__ = ["trust_in"]

_SCRIPT_LANGUAGES = {
    "HEBREW": {"he", "yi"},
    "ARABIC": {"ar", "fa", "ur"},
    "CYRILLIC": {"ru", "uk", "bg", "sr"},
    "GREEK": {"el"},
    "DEVANAGARI": {"hi", "mr", "ne"},
    "THAI": {"th"},
    "CJK": {"zh", "ja"},
    "HIRAGANA": {"ja"},
    "KATAKANA": {"ja"},
    "HANGUL": {"ko"},
}


def trust_in(question: str, languages: Collection[str]) -> float:
    """The share of the question's letters in scripts that the embedder was trained for.

    Args:
        question: In any language.
        languages: Of the embedder; empty means that it takes any.
    """
    letters = [c for c in question if c.isalpha()]
    if not letters or not languages:
        return 1.0
    return sum(_known(letter, languages) for letter in letters) / len(letters)


def _known(letter: str, languages: Collection[str]) -> bool:
    script = unicodedata.name(letter, "LATIN").split()[0]
    return script not in _SCRIPT_LANGUAGES or bool(_SCRIPT_LANGUAGES[script] & set(languages))
