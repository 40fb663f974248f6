"""Turns text of any script into the terms that the lexical index holds.

Indexing and asking use the same analysis. It runs in Python because SQLite's own tokenizers
shatter pointed Hebrew and Thai.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any

__all__ = ["ANALYSIS_VERSION", "Analyser", "fold", "informative", "words"]

ANALYSIS_VERSION = "1"
"""Raised when the same text gives other terms, which rebuilds the lexical index."""

# A word: letters, digits and marks; inside it also what joins identifiers and numbers.
_WORD = re.compile(
    r"[^\W_](?:[\w\u0300-\u036f\u0591-\u05c7\u064b-\u065f]|[.,:/@+#'’״׳\"&-](?=\w))*"
)
_JOINERS = re.compile(r"[.,:/@+#'’״׳\"&_-]+")
_BIGRAM_SCRIPTS = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1780-\u17ff]+"
)
_HEBREW = re.compile(r"[\u05d0-\u05ea]+$")
_HEBREW_PREFIXES = "ובהלמשכ"
_ARABIC = re.compile(r"[\u0621-\u064a]+$")
_ARABIC_PREFIXES = ("وال", "بال", "كال", "فال", "لل", "ال", "و")
_GROUPED_NUMBER = re.compile(r"\d{1,3}(?:[,']\d{3})+")
_POSSESSIVE = re.compile(r"[a-z]+['’](?:s|t|re|ve|ll|d|m)?")
_LATIN = re.compile(r"[a-z]+$")

STOP_WORDS = frozenset(
    """a about above after again all also am an and any are as at be because been before being
    below between both but by can could did do does doing down during each few for from further
    had has have having he her here hers him his how i if in into is it its itself just me more
    most must my no nor not of off on once only or other our ours out over own please same she
    should so some such tell than that the their theirs them then there these they this those
    through to too under until up us very was we were what when where which while who whom whose
    why will with would you your yours
    של את על אל עם זה זו זאת הוא היא הם הן אני אתה אנחנו אתם לא כן גם או כי אם מה מי איך איפה
    מתי למה כמה האם יש אין היה היתה היו להיות כל רק עוד אבל אך בין לפי עד ידי אשר איזה איזו אילו
    في من على إلى عن ما ماذا متى أين كيف هل هو هي هم هذا هذه ذلك التي الذي كان كانت و أو لا كم
    """.split()
)


def fold(text: str) -> str:
    """Case, width, ligatures and combining marks folded away; quotes and dashes made plain."""
    decomposed = unicodedata.normalize("NFKD", text.replace("־", "-"))
    kept = "".join(
        c for c in decomposed if unicodedata.category(c) != "Mn" or "\u0e00" <= c <= "\u0eff"
    )
    return kept.casefold()


def words(text: str) -> Iterator[tuple[str, int, int]]:
    """The words of the text as they stand, with their offsets."""
    for match in _WORD.finditer(text):
        yield match.group(), match.start(), match.end()


def informative(terms: list[str]) -> list[str]:
    """Without stop words; a text of nothing but stop words has no informative term."""
    return [term for term in terms if term not in STOP_WORDS]


class Analyser:
    """Makes terms. Keeps its stemmer and what it stemmed already; not for several threads."""

    def __init__(self) -> None:
        self._stems: dict[str, str] = {}

    @cached_property
    def _stemmer(self) -> Any:
        import snowballstemmer

        return snowballstemmer.stemmer("english")

    def terms(self, text: str) -> list[str]:
        """Every term for the index, variants included, in the order of the text."""
        return [term for word in self._raw_words(text) for term in self._variants(word)]

    def query_groups(self, text: str) -> list[list[str]]:
        """The informative words of a question; each as the terms of which any may match."""
        groups = []
        for word in self._raw_words(text):
            if word in STOP_WORDS or (len(word) == 1 and word.isascii() and word.isalpha()):
                continue
            variants = list(dict.fromkeys(self._variants(word)))
            if variants and variants not in groups:
                groups.append(variants)
        return groups

    def stem(self, word: str) -> str:
        """The one term that stands for a word: folded, stemmed, without a Hebrew prefix."""
        return self._variants(fold(word))[-1] if word else ""

    def _raw_words(self, text: str) -> Iterator[str]:
        for match in _WORD.finditer(fold(text)):
            yield match.group().strip("'’\"")

    def _variants(self, word: str) -> list[str]:
        """Terms of a folded word; the plainest form comes last."""
        if _BIGRAM_SCRIPTS.search(word):
            return list(self._bigrams(word))
        parts = [part for part in _JOINERS.split(word) if part]
        if len(parts) < 2:
            return self._simple(parts[0]) if parts else []
        if _GROUPED_NUMBER.fullmatch(word):
            return ["".join(parts)]
        if _POSSESSIVE.fullmatch(word):
            return self._simple(parts[0])
        whole = _JOINERS.sub(".", word)
        pieces = [part for part in parts if len(part) > 1 and part not in STOP_WORDS]
        return [whole, *(form for part in pieces for form in self._simple(part))]

    def _simple(self, word: str) -> list[str]:
        if _LATIN.match(word):
            if word not in self._stems:
                self._stems[word] = self._stemmer.stemWord(word) or word
            return [self._stems[word]]
        if _HEBREW.match(word):
            # Prefixes are letters of the word itself: keep the word, add it without them.
            forms = [word]
            while len(forms[-1]) > 3 and forms[-1][0] in _HEBREW_PREFIXES and len(forms) < 3:
                forms.append(forms[-1][1:])
            return forms
        if _ARABIC.match(word):
            for prefix in _ARABIC_PREFIXES:
                if word.startswith(prefix) and len(word) - len(prefix) > 2:
                    return [word, word[len(prefix) :]]
        return [word]

    def _bigrams(self, word: str) -> Iterator[str]:
        rest = 0
        for run in _BIGRAM_SCRIPTS.finditer(word):
            yield from self._variants(word[rest : run.start()])
            letters = run.group()
            if len(letters) == 1:
                yield letters
            for first, second in pairwise(letters):
                yield first + second
            rest = run.end()
        yield from self._variants(word[rest:])
