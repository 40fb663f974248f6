"""Folds what several sources say in the same words, so that a passage is shown once.

Two passages are folded only where one holds every informative word of the other, in the same
order. Other cuts, other case, marks, inflection and little words do not matter; a number, a date, a
name, or any word that tells something, does: two versions of a rule are two passages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from inglenook.knowledge.lexical import STOP_WORDS, Analyser, fold, words
from inglenook.types import Passage

__all__ = ["fold_near_duplicates"]

FEWEST_TERMS = 4
"""Shorter passages are folded only if their terms are the same: they say little else."""
LEAST_SHARE = 0.6
"""The shorter one's terms against those of the longer one, from which on they are the same."""
MOST_BLOCKS = 4
"""In so many stretches the shorter one may stand in the longer one."""
_DENIALS = frozenset(
    "not no nor never none cannot without unless except only "
    "לא אין בלי אסור רק غير ليس لا بدون فقط".split()
)


@dataclass(slots=True)
class _Kept:
    """A passage that is shown, its terms, and where else it stands."""

    passage: Passage
    terms: tuple[str, ...]
    also: list[str]


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
        new = _Kept(passage, _terms(analyser, passage.text), [])
        same = next((one for one in kept if _are_the_same(analyser, one, new)), None)
        if same is None:
            kept.append(new)
        else:
            _fold(same, new, {one.passage.source_id for one in kept if one is not same})
    return tuple(_with_others(one) for one in kept)


def _fold(shown: _Kept, other: _Kept, sources: set[str]) -> None:
    """Let one of both stand for both: the longer; of equals, that of a source shown already."""
    longer = len(other.terms) - len(shown.terms)
    at_home = other.passage.source_id in sources and shown.passage.source_id not in sources
    if longer > 0 or (longer == 0 and at_home):
        best = shown.passage
        hidden, shown.terms = best, other.terms
        shown.passage = replace(other.passage, score=best.score)
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
    short, long = sorted((one.terms, other.terms), key=len)
    if not short or not _same_subject(analyser, one.passage, other.passage):
        return False
    if len(short) < FEWEST_TERMS:
        return short == long
    if len(short) < LEAST_SHARE * len(long) or Counter(short) - Counter(long):
        return False
    blocks = SequenceMatcher(None, long, short, autojunk=False).get_matching_blocks()
    found = [block.size for block in blocks if block.size]
    return sum(found) == len(short) and len(found) <= MOST_BLOCKS


def _same_subject(analyser: Analyser, one: Passage, other: Passage) -> bool:
    """The same words under another heading are about another thing: the prices of two cities."""
    if not one.headings or not other.headings:
        return True
    return _terms(analyser, one.headings[-1]) == _terms(analyser, other.headings[-1])


def _terms(analyser: Analyser, text: str) -> tuple[str, ...]:
    """What a passage tells: its words in their order, stemmed, without those that tell nothing."""
    folded = ((word, fold(word)) for word, _, _ in words(text))
    return tuple(
        word if any(c.isdigit() for c in word) else analyser.stem(word)
        for word, plain in folded
        if plain not in STOP_WORDS or plain in _DENIALS
    )
