"""Folds what several sources say in the same words, so that a passage is shown once.

Two passages are folded only where they tell the same in the same words, or one is the other with
sentences in front of it or behind it. Case, marks, inflection and little words do not matter; a
number, a date, a name, or any word that tells something, does: two versions of a rule are two
passages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inglenook.knowledge.lexical import Analyser, fold, words
from inglenook.types import Passage

__all__ = ["fold_near_duplicates"]

FEWEST_TERMS = 4
"""Shorter passages are folded only if their terms are the same: they say little else."""
LEAST_SHARE = 0.6
"""The shorter one's terms against those of the longer one, from which on they are the same."""
LEAST_COMMON = 0.5
"""The share of words, as they stand, that the same passage has in common; a quick look."""
_SIGNATURE_BITS = 1024
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"\w+")
_BREAK = re.compile(r"[.!?…:;|\n。！？；：]")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0eff\u1780-\u17ff]")
_LITTLE = frozenset(
    """a an the is are be being am do does has have of and it its they their them this that these
    those which who as there here just also so such
    של את זה זו זאת הוא היא הם הן גם כי
    هو هي هم هذا هذه ذلك التي الذي و""".split()
)
"""What may differ. Not `before`, `over`, `or`, `must`, `will`, `was`, `you`: a rule turns on these,
on whether it still holds, and on who has to follow it."""
_LAYOUT = frozenset("|~=+<>©®■□▪▫▲△▶▷▸▹►▻▼◆◇○●◦⚫⚪")
"""Symbols that lay a text out, or that tell nothing about what it says."""
_COMPARED = re.compile(r"[<>](?=[\s=]*[\d$€£¥₪])")
_RATES = "%‰$"
_MINUS = re.compile(r"(?<!\w)[-−–](?=[.,]?\d)")
_GRADE = re.compile(r"(?<=\w)[#+]+")


@dataclass(frozen=True, slots=True)
class _Told:
    """What a passage tells: its words in their order, without those that tell nothing.

    `breaks` says of each, and of the end, whether a sentence or a line begins there.
    """

    terms: tuple[str, ...]
    breaks: tuple[bool, ...]


class _Kept:
    """A passage that is shown, and where else it stands. What it tells is found when needed."""

    def __init__(self, passage: Passage, analyser: Analyser) -> None:
        self._analyser = analyser
        self.also: list[str] = []
        self.show(passage)

    def show(self, passage: Passage) -> None:
        self.passage = passage
        self.numbers = frozenset(_NUMBER.findall(passage.text))
        self.words = frozenset(_WORD.findall(passage.text.casefold()))
        self.signature = 0
        for word in self.words:
            self.signature |= 1 << hash(word) % _SIGNATURE_BITS
        self._told: _Told | None = None

    @property
    def told(self) -> _Told:
        if self._told is None:
            self._told = _told_by(self._analyser, self.passage.text)
        return self._told

    def may_be_the_same(self, other: _Kept) -> bool:
        """A quick look that keeps most pairs from being compared word by word."""
        if not (self.numbers <= other.numbers or other.numbers <= self.numbers):
            return False
        short, long = sorted((self, other), key=lambda kept: len(kept.words))
        most_missing = (1 - LEAST_COMMON) * len(short.words)
        # Each bit that the longer one lacks is at least one word; sets are slow to compare.
        if (short.signature & ~long.signature).bit_count() > most_missing:
            return False
        return len(short.words - long.words) <= most_missing


def fold_near_duplicates(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """The passages without near-duplicates, in the same order.

    Of two that say the same, the longer one is shown, in the better one's rank and with its
    score; `also` names the source of the other.

    Args:
        passages: Best first.
    """
    analyser = Analyser()
    kept: list[_Kept] = []
    for passage in passages:
        new = _Kept(passage, analyser)
        same = next((one for one in kept if _are_the_same(analyser, one, new)), None)
        if same is None:
            kept.append(new)
        else:
            _fold(same, new, {one.passage.source_id for one in kept if one is not same})
    return tuple(_with_others(one) for one in kept)


def _fold(shown: _Kept, other: _Kept, sources: set[str]) -> None:
    """Let one of both stand for both: the longer; of equals, that of a source shown already."""
    longer = len(other.told.terms) - len(shown.told.terms)
    at_home = other.passage.source_id in sources and shown.passage.source_id not in sources
    if longer > 0 or (longer == 0 and at_home):
        hidden = shown.passage
        shown.show(replace(other.passage, score=hidden.score))
    else:
        hidden = other.passage
    shown.also.append(_name(hidden))


def _with_others(kept: _Kept) -> Passage:
    names = dict.fromkeys((*kept.passage.also, *kept.also))
    own = _name(kept.passage)
    return replace(kept.passage, also=tuple(name for name in names if name != own))


def _name(passage: Passage) -> str:
    member = passage.locator.member
    return f"{passage.source}/{member}" if member else passage.source


def _are_the_same(analyser: Analyser, one: _Kept, other: _Kept) -> bool:
    if not one.may_be_the_same(other):
        return False
    short, long = sorted((one.told, other.told), key=lambda told: len(told.terms))
    if not short.terms or not _same_subject(analyser, one.passage, other.passage):
        return False
    if short.terms == long.terms:
        return True
    if len(short.terms) < max(FEWEST_TERMS, LEAST_SHARE * len(long.terms)):
        return False
    return any(
        long.terms[begin : begin + len(short.terms)] == short.terms
        and long.breaks[begin]
        and long.breaks[begin + len(short.terms)]
        for begin in range(1 + len(long.terms) - len(short.terms))
    )


def _same_subject(analyser: Analyser, one: Passage, other: Passage) -> bool:
    """The same words under another heading are about another thing: the prices of two cities."""
    here, there = one.locator, other.locator
    if here.kind == there.kind == "sheet" and here.value != there.value:
        return False
    return all(
        _told_by(analyser, this).terms == _told_by(analyser, that).terms
        for this, that in zip(reversed(one.headings), reversed(other.headings), strict=False)
    )


def _told_by(analyser: Analyser, text: str) -> _Told:
    terms: list[str] = []
    breaks: list[bool] = []
    shouts = text.isupper()
    done = before = 0
    for word, start, end in (*words(text), ("", len(text), len(text))):
        # What little words stand between does not hide the end of a sentence.
        ends = bool(_BREAK.search(text, done, start)) or not terms
        made = _symbols(text, before, start)
        before = end
        if not _is_little(word, ends=ends, shouts=shouts):
            made += _terms_of(analyser, fold(word))
        if not made:
            continue
        done = end
        terms += made
        breaks += [ends, *(False for _ in made[1:])]
    return _Told(tuple(terms), (*breaks, True))


def _is_little(word: str, *, ends: bool, shouts: bool) -> bool:
    """Whether a word tells nothing. `IT`, `US` and the A of "vitamin A" are names."""
    if not word:
        return True
    is_name = word.isupper() and not shouts and (len(word) > 1 or not ends)
    return fold(word) in _LITTLE and not is_name


def _symbols(text: str, start: int, end: int) -> list[str]:
    """What tells something between two words: €, ✓, < and - before a number, the ++ of C++."""
    between = text[start:end]
    if not between or between.isspace():
        return []
    found = [c for c in between if c in _RATES or (c not in _LAYOUT and _is_symbol(c))]
    for pattern in (_GRADE, _MINUS, _COMPARED):
        found += [match.group() for match in pattern.finditer(text, start, end + 1)]
    return found


def _is_symbol(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character) in ("Sc", "Sm", "So")


def _terms_of(analyser: Analyser, word: str) -> list[str]:
    """A folded word as its stem, scripts without blanks as characters, all else as it stands."""
    if _UNSPACED.search(word):
        return [c for c in word if c.isalnum()]
    # The stem of other scripts drops prefixes that are words of their own: to Haifa, from Haifa.
    return [analyser.stem(word) if word.isascii() and word.isalpha() else word]
