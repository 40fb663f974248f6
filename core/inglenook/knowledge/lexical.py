"""Turns text of any script into the terms that the lexical index holds.

Indexing and asking use the same analysis. It runs in Python because SQLite's own tokenizers
shatter pointed Hebrew and Thai. It needs to know no language: what a stemmer for one language
cannot join is joined by the beginnings of words, which count half (see `beginning`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any

__all__ = ["ANALYSIS_VERSION", "Analyser", "beginning", "fold", "informative", "words"]

ANALYSIS_VERSION = "3"
"""Raised when the same text gives other terms, which rebuilds the lexical index."""
BEGINNING_LETTERS = 5
"""Long enough to tell most words apart, short enough to be shared by what one stem inflects to."""
MOST_KNOWN_WORDS = 100_000
"""So many words are kept with their terms; large collections have more."""
_LONGEST_KNOWN_WORD = 64

# Marks that are written or left out at will: accents, Hebrew points, Arabic vowels. The marks of
# other scripts, such as Devanagari or Thai vowels, are letters to their readers.
_OPTIONAL_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
)
_VOWEL_MARKS = (
    "\u0900-\u0963\u0966-\u0df3\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece"
    "\u0f71-\u0f84\u102b-\u103e\u17b4-\u17d3\u3099\u309a"
)
# Also what is not seen: the Arabic stretcher, soft hyphens, joiners, marks of direction.
_DROPPED = re.compile(
    f"[{_OPTIONAL_MARKS}\u20d0-\u20ff\ufe20-\ufe2f\u0640\u00ad\u200b-\u200f\u202a-\u202e"
    "\u2060\u2066-\u2069\ufeff]+"
)
# A word: letters, digits and marks; inside it also what joins identifiers and numbers.
_WORD = re.compile(
    rf"[^\W_](?:[\w{_OPTIONAL_MARKS}{_VOWEL_MARKS}\u00ad\u200c\u200d]"
    r"|[.,:/@+#'’״׳\"&-](?=\w))*"
)
_JOINERS = re.compile(r"[.,:/@+#'’״׳\"&_-]+")
_QUOTES = "'’\""
# Written without blanks between words, or with endings that are words elsewhere (Korean).
_BIGRAM_SCRIPTS = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7a3\u0e00-\u0eff"
    r"\u1000-\u109f\u1780-\u17ff]+"
)
# Letters that are no plain letter with a mark, but are typed and written as one.
_PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ı": "i"}
)
_HEBREW = re.compile(r"[\u05d0-\u05ea]+$")
_HEBREW_PREFIXES = "ובהלמשכ"
_ARABIC = re.compile(r"[\u0621-\u064a]+$")
_ARABIC_PREFIXES = ("وال", "بال", "كال", "فال", "لل", "ال", "و")
_GROUPED_NUMBER = re.compile(r"(\d{1,3}(?:[,']\d{3})+)(?:\.(\d+))?|(\d{1,3}(?:\.\d{3})+),(\d+)")
_DECIMAL_OR_TIME = re.compile(r"\d+[.,:]\d+")
_POSSESSIVE = re.compile(r"[a-z]+['’](?:s|t|re|ve|ll|d|m)?")
_LATIN = re.compile(r"[a-z]+$")
_LETTERS = re.compile(rf"(?:[^\W\d_]|[{_VOWEL_MARKS}])+$")


def fold(text: str) -> str:
    """Case, width, ligatures and optional marks folded away; quotes and dashes made plain."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.replace("־", "-"))
    folded = unicodedata.normalize("NFKD", _DROPPED.sub("", decomposed).casefold())
    return unicodedata.normalize("NFC", _DROPPED.sub("", folded).translate(_PLAIN_LETTERS))


STOP_WORDS = frozenset(
    fold(
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
    """
    ).split()
)


def words(text: str) -> Iterator[tuple[str, int, int]]:
    """The words of the text as they stand, with their offsets."""
    for match in _WORD.finditer(text):
        yield match.group(), match.start(), match.end()


def informative(terms: list[str]) -> list[str]:
    """Without stop words; a text of nothing but stop words has no informative term."""
    return [term for term in terms if term not in STOP_WORDS]


def beginning(term: str) -> str:
    """The term that stands for all words that begin like this one; "" for short ones.

    It joins what inflection, endings and compounds set apart in languages that have no stemmer
    here. The dot keeps it from being taken for a word.
    """
    if len(term) < BEGINNING_LETTERS or not _LETTERS.match(term):
        return ""
    return f".{term[:BEGINNING_LETTERS]}"


class Analyser:
    """Makes terms. Keeps its stemmers and what they stemmed already; not for several threads."""

    def __init__(self) -> None:
        self._known: dict[str, list[list[str]]] = {}
        self._indexed: dict[str, list[str]] = {}

    @cached_property
    def _english(self) -> Any:
        import snowballstemmer

        return snowballstemmer.stemmer("english")

    @cached_property
    def _arabic(self) -> Any:
        import snowballstemmer

        return snowballstemmer.stemmer("arabic")

    def terms(self, text: str) -> list[str]:
        """Every term for the index, variants and beginnings included, in the order of the text."""
        found: list[str] = []
        known = self._indexed
        # Every word of every document goes through this loop.
        for word in _WORD.findall(fold(text)):
            terms = known.get(word)
            found += self._learn(word) if terms is None else terms
        return found

    def _learn(self, word: str) -> list[str]:
        if len(self._indexed) >= MOST_KNOWN_WORDS:
            self._indexed.clear()
        groups = self._groups(word.strip(_QUOTES))
        # A whole identifier stands in the group of each of its parts.
        terms = list(dict.fromkeys(term for group in groups for term in group))
        terms += [begun for group in groups if (begun := beginning(group[-1]))]
        if len(word) <= _LONGEST_KNOWN_WORD:
            self._indexed[word] = terms
        return terms

    def query_groups(self, text: str) -> list[list[str]]:
        """The informative words of a question; each as the terms of which any may match.

        The plainest form of a word comes last. The parts of an identifier are words, and so is
        each pair of characters where words are written without blanks.
        """
        groups: dict[tuple[str, ...], list[str]] = {}
        for word in self._raw_words(text):
            if word in STOP_WORDS or (len(word) == 1 and word.isascii() and word.isalpha()):
                continue
            for group in self._groups(word):
                groups.setdefault(tuple(group), group)
        return list(groups.values())

    def stem(self, word: str) -> str:
        """The one term that stands for a word: folded, stemmed, without a Hebrew prefix."""
        groups = self._groups(fold(word)) if word else []
        return groups[-1][-1] if groups else ""

    def _raw_words(self, text: str) -> Iterator[str]:
        for match in _WORD.finditer(fold(text)):
            yield match.group().strip(_QUOTES)

    def _groups(self, word: str) -> list[list[str]]:
        groups = self._known.get(word)
        if groups is None:
            if len(self._known) >= MOST_KNOWN_WORDS:
                self._known.clear()
            groups = self._make_groups(word)
            if len(word) <= _LONGEST_KNOWN_WORD:
                self._known[word] = groups
        return groups

    def _make_groups(self, word: str) -> list[list[str]]:
        """Groups of terms of a folded word; in each the plainest form comes last."""
        if _BIGRAM_SCRIPTS.search(word):
            return list(self._bigrams(word))
        parts = [part for part in _JOINERS.split(word) if part]
        if len(parts) < 2:
            return [self._forms(parts[0])] if parts else []
        if grouped := _GROUPED_NUMBER.fullmatch(word):
            fraction = grouped[2] or grouped[4]
            return [[f"{''.join(parts[:-1])}.{fraction}" if fraction else "".join(parts)]]
        if _POSSESSIVE.fullmatch(word):
            return [self._forms(parts[0])]
        whole = _JOINERS.sub(".", word)
        if _DECIMAL_OR_TIME.fullmatch(word):
            return [[whole]]
        pieces = [part for part in parts if len(part) > 1 and part not in STOP_WORDS]
        return [[whole, *self._forms(part)] for part in pieces] or [[whole]]

    def _forms(self, word: str) -> list[str]:
        if _LATIN.match(word):
            return [self._english.stemWord(word) or word]
        if _HEBREW.match(word):
            # Prefixes are letters of the word itself: keep the word, add it without them.
            forms = [word]
            while len(forms[-1]) > 3 and forms[-1][0] in _HEBREW_PREFIXES and len(forms) < 3:
                forms.append(forms[-1][1:])
            return forms
        if _ARABIC.match(word):
            return list(dict.fromkeys(self._arabic_forms(word)))
        return [word]

    def _arabic_forms(self, word: str) -> Iterator[str]:
        yield word
        for prefix in _ARABIC_PREFIXES:
            if word.startswith(prefix) and len(word) - len(prefix) > 2:
                yield word[len(prefix) :]
                break
        if stem := self._arabic.stemWord(word):
            yield stem

    def _bigrams(self, word: str) -> Iterator[list[str]]:
        rest = 0
        for run in _BIGRAM_SCRIPTS.finditer(word):
            yield from self._groups(word[rest : run.start()])
            letters = run.group()
            if len(letters) == 1:
                yield [letters]
            for first, second in pairwise(letters):
                yield [first + second]
            rest = run.end()
        yield from self._groups(word[rest:])
