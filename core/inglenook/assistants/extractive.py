"""Finds the sentences of the passages that answer a question, by code and without a model.

They are quoted where a model's answer is not carried by the documents, and they are what a small
model is given to read.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inglenook.assistants.quantities import read_quantities
from inglenook.assistants.sentences import sentence_spans
from inglenook.assistants.word_matching import Token, WordMatching, akin
from inglenook.types import Passage

__all__ = ["Extractor", "Scored", "quotation", "trimmed"]

MOST_SENTENCES = 5
"""How many sentences a small model is given: the answer is among them in 96 to 99 of 100."""
SECOND = 0.85
"""The share of the best score from which on the sentence beside it is quoted with it."""

NEIGHBOUR = 0.35
"""What a word in the sentence before or after counts, beside one in the sentence itself."""
PASSAGE = 0.45
"""How much the passage's own rank counts."""
KIND = 0.3
"""What a number counts where the question asks for one, a date, a name likewise."""
HEADING = 0.3

_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|long|old|far|often|high|tall|large|big|fast|soon|quickly)\b|\bpercent"
    r"|\bwie ?(?:viele?|lange|oft|hoch|alt|gross|groß|weit)\b|\bcu[aá]nt[oa]s?\b|\bcombien\b"
    r"|(?<!\w)ב?כמה(?!\w)|(?<!\w)כם (?!\w)|(?<!\w)(?:كم|بكم)(?!\w)|多少|几|幾",
    re.IGNORECASE,
)
_ASKS_TIME = re.compile(
    r"\bwhen\b|\b(?:what|which|in what) (?:year|date|day|month|century|decade|time)\b"
    r"|\bwann\b|\bin welchem jahr\b|\bcu[aá]ndo\b|\bqu[eé] (?:año|fecha|siglo)\b|\bquand\b"
    r"|(?<!\w)[במל]?מתי(?!\w)|(?<!\w)באיזו שנה|(?<!\w)متى(?!\w)|(?:أي|اي) (?:عام|سنة|تاريخ)"
    r"|什么时候|何时|哪一?年",
    re.IGNORECASE,
)
_ASKS_NAME = re.compile(
    r"\bwho(?:se|m)?\b|\bwhere\b|\bwelche[rsnm]?\b|\bwer\b|\bwo\b|\bqui[eé]n(?:es)?\b|\bd[oó]nde\b"
    r"|\bqui\b|\boù\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Scored:
    """A sentence of a passage with how well it fits the question.

    Args:
        passage: Where it stands.
        start, end: Offsets in the passage's text.
        score: Only to be compared with others of the same question.
        coverage: The weighted share of the question's informative words that stand in it or, at
            less, beside it; 0 to 1.
    """

    passage: Passage
    start: int
    end: int
    score: float
    coverage: float

    @property
    def text(self) -> str:
        return self.passage.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence as it is compared."""

    passage: Passage
    start: int
    end: int
    tokens: tuple[Token, ...]
    keys: frozenset[str]


def trimmed(ranked: Sequence[Scored], most: int = MOST_SENTENCES) -> tuple[Passage, ...]:
    """The passages cut down to their best sentences, in the order of the best of each.

    They are for a prompt only: their offsets are no longer those of their text.
    """
    best = ranked[:most]
    chunks = dict.fromkeys(entry.passage.chunk for entry in best)
    return tuple(_cut([e for e in best if e.passage.chunk == chunk]) for chunk in chunks)


def _cut(entries: Sequence[Scored]) -> Passage:
    passage = entries[0].passage
    text = ""
    last = 0
    for entry in sorted(entries, key=lambda e: e.start):
        apart = bool(text) and bool(passage.text[last : entry.start].strip())
        text += (" … " if apart else " " if text else "") + entry.text
        last = entry.end
    return replace(passage, text=text)


def quotation(ranked: Sequence[Scored]) -> tuple[Passage, int, int] | None:
    """What to quote: the best sentence, with the one beside it if that is nearly as good."""
    if not ranked:
        return None
    best = ranked[0]
    start, end = best.start, best.end
    for other in ranked[1:3]:
        if other.passage.chunk != best.passage.chunk or other.score < SECOND * best.score:
            continue
        between = best.passage.text[min(end, other.end) : max(start, other.start)]
        if not between.strip():
            return best.passage, min(start, other.start), max(end, other.end)
    return best.passage, start, end


class Extractor:
    """Ranks the sentences of passages."""

    def __init__(self, words: WordMatching | None = None) -> None:
        self._words = words or WordMatching()

    def rank(self, question: str, passages: Sequence[Passage]) -> list[Scored]:
        """All sentences of the passages, the best first."""
        asked = _distinct(self._words.tokens(question))
        by_passage = [self._units(passage) for passage in passages]
        units = [unit for several in by_passage for unit in several]
        if not units:
            return []
        weights = _weights(asked, units)
        best = max((p.score for p in passages), default=0.0) or 1.0
        scored = []
        for passage, several in zip(passages, by_passage, strict=True):
            rank = passage.score / best
            hits = [[_hit(token, unit) for token in asked] for unit in several]
            about = self._heading_keys(passage)
            for place, unit in enumerate(several):
                coverage = _coverage(asked, weights, hits, place, about)
                score = coverage + PASSAGE * rank + KIND * _kind(question, asked, unit)
                scored.append(Scored(passage, unit.start, unit.end, score, coverage))
        scored.sort(key=lambda entry: -entry.score)
        return scored

    def _heading_keys(self, passage: Passage) -> frozenset[str]:
        text = " ".join((*passage.headings, re.sub(r"[\W_]+", " ", passage.source)))
        return frozenset(key for token in self._words.tokens(text) for key in token.keys)

    def _units(self, passage: Passage) -> list[_Unit]:
        units = []
        for start, end in sentence_spans(passage.text):
            tokens = tuple(self._words.tokens(passage.text[start:end]))
            keys = frozenset(key for token in tokens for key in token.keys)
            units.append(_Unit(passage, start, end, tokens, keys))
        return units


def _distinct(tokens: Sequence[Token]) -> list[Token]:
    """The informative words, each once; all words where none is informative."""
    seen: dict[str, Token] = {}
    for token in tokens:
        if token.content:
            seen.setdefault(token.word, token)
    return list(seen.values()) or list(tokens)


def _hit(token: Token, unit: _Unit) -> float:
    if token.keys & unit.keys:
        return 1.0
    return 0.8 if any(akin(token.word, other.word) for other in unit.tokens) else 0.0


def _weights(asked: Sequence[Token], units: Sequence[_Unit]) -> list[float]:
    """How much each word tells: one that is in most sentences tells little."""
    count: Counter[int] = Counter()
    for unit in units:
        for place, token in enumerate(asked):
            if token.keys & unit.keys:
                count[place] += 1
    total = len(units)
    return [
        math.log(1 + (total - count[place] + 0.5) / (count[place] + 0.5)) + 0.2
        for place in range(len(asked))
    ]


def _coverage(
    asked: Sequence[Token],
    weights: Sequence[float],
    hits: Sequence[Sequence[float]],
    place: int,
    about: frozenset[str],
) -> float:
    total = sum(weights) or 1.0
    got = 0.0
    for number, weight in enumerate(weights):
        here = hits[place][number]
        if place > 0:
            here = max(here, NEIGHBOUR * hits[place - 1][number])
        if place + 1 < len(hits):
            here = max(here, NEIGHBOUR * hits[place + 1][number])
        if asked[number].keys & about:
            here = max(here, HEADING)
        got += weight * here
    return got / total


def _kind(question: str, asked: Sequence[Token], unit: _Unit) -> float:
    """1 if the sentence has the kind of thing that is asked for, and the question has it not."""
    text = unit.passage.text[unit.start : unit.end]
    if _ASKS_NUMBER.search(question) or _ASKS_TIME.search(question):
        found = read_quantities(text)
        known = {number.value for number in read_quantities(question).numbers}
        new = [n for n in found.numbers if n.value not in known and not n.weak]
        if _ASKS_TIME.search(question):
            years = [n for n in new if len(n.value) == 4 and n.value[0] in "12"]
            return 1.0 if found.dates or years else 0.3 * bool(new)
        return 1.0 if new or found.dates else 0.0
    if _ASKS_NAME.search(question):
        known_words = {token.word for token in asked}
        names = [t for t in unit.tokens if t.capital and not t.opens and t.word not in known_words]
        return 1.0 if names else 0.0
    return 0.0
