"""Ties the sentences of an answer to the passages that carry them.

Small models cannot cite, so code does: a sentence is supported when its numbers, dates and names,
and most of its other words, stand close together in one passage and say the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from inglenook.assistants.binding import Bound, is_torn
from inglenook.assistants.extractive import Extractor
from inglenook.assistants.quantities import read_quantities
from inglenook.assistants.refusals import is_refusal
from inglenook.assistants.relevance import is_small_talk
from inglenook.assistants.sentences import sentence_spans
from inglenook.assistants.support import (
    CAPITALS_SAY_LITTLE,
    Claim,
    Evidence,
    Judge,
)
from inglenook.assistants.word_matching import Token, WordMatching
from inglenook.types import Citation, Passage, Sentence

__all__ = ["Citer", "citation_of"]

WINDOW = 3
"""A quote is at most this many sentences long."""
MOST_CITATIONS = 2
FEW_WORDS = 3
SELF_STANDING = 2
"""With so many words of its own, names apart, a sentence says what it is about by itself; one with
fewer is an answer that only the question gives its sense."""
ABOUT_THE_QUESTION = 0.7
"""An answer must stand where the question's words are: in a place that is worth at least this
share of the best one for the question."""

_OPENER = re.compile(
    r"^\W*(?:(?:i(?:'m| am)? )?(?:very )?sorry|hello|hi|hey|welcome|thank you|thanks|"
    r"you(?:'re| are) welcome|sure|of course|certainly|"
    # A name or a number in it is a claim.
    r"(?:based on|according to) (?-i:[^,\dA-Z]*)|"
    r"here (?:is|are)[^:]*)"
    r"(?:[,:.!]|$)\s*",
    re.IGNORECASE,
)
_BARE_VERDICT = re.compile(
    r"^\W*(?:(?:yes|no|ja|nein|s[ií]|oui|non|כן|לא|نعم|لا)\W*$|(?=.*\b(?:not|n['’]t)\b))",
    re.IGNORECASE,
)
"""Little words that say yes or no to what was asked."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A stretch of sentences of a passage, ready to be compared.

    `about` says how much of the question is in it, 1 for the best place.
    """

    passage: Passage
    start: int
    end: int
    span: int
    evidence: Evidence
    about: float


class Citer:
    """Compares sentences with the passages of one question.

    Args:
        question: Its words help to choose between places that carry a sentence equally well.
        passages: What was retrieved.
    """

    def __init__(self, question: str, passages: Sequence[Passage]) -> None:
        self._words = WordMatching()
        asked = self._words.tokens(question)
        self._asked = frozenset(key for token in asked for key in token.keys)
        self._ranked = Extractor(self._words).rank(question, passages) if question else []
        capitals = _capitals_mark_names(
            [token for passage in passages for token in self._words.tokens(passage.text)]
        )
        self._capitals = capitals
        self._judge = Judge(self._words, question, capitals=capitals)
        self._places = [place for passage in passages for place in self._places_of(passage)]
        self._sentences = [
            Bound(place.evidence.tokens, place.evidence.quantities, capitals=capitals)
            for place in self._places
            if place.span == 0
        ]
        self._has_passages = bool(passages)

    def cite(self, answer: str) -> tuple[Sentence, ...]:
        """Every sentence of the answer, in order, with its support."""
        return tuple(
            self.sentence(answer[start:end], start, end) for start, end in sentence_spans(answer)
        )

    def sentence(self, text: str, start: int, end: int) -> Sentence:
        """One sentence of an answer, which stands there from `start` to `end`."""
        if not self._has_passages:
            return Sentence(text, start, end, None)
        said = _OPENER.sub("", text)
        claim = self._judge.claim(said)
        if is_refusal(said) and not claim.quantities:
            return Sentence(text, start, end, None)
        citations = self._citations(claim) if claim.content or claim.quantities else ()
        if citations:
            return Sentence(text, start, end, True, citations)
        return Sentence(text, start, end, None if _claims_nothing(said, claim) else False)

    def _citations(self, claim: Claim) -> tuple[Citation, ...]:
        few = len(claim.content) < FEW_WORDS
        least = 0.0 if self._own_words(claim) >= SELF_STANDING else ABOUT_THE_QUESTION
        good: list[tuple[float, _Place]] = []
        otherwise: list[_Place] = []
        nearest = 0.0
        for place in self._places:
            if place.about < least:
                continue
            verdict = self._judge.verdict(claim, place.evidence)
            if verdict.wrong in ("swapped", "negation") and place.span == 0:
                otherwise.append(place)
                nearest = max(nearest, verdict.share)
            elif not verdict.wrong:
                good.append((verdict.share, place))
        # What says otherwise is not outweighed by its neighbours, nor by what is less near.
        good = [
            (share, place)
            for share, place in good
            if share >= nearest and not any(_within(other, place) for other in otherwise)
        ]
        if good and is_torn(claim.tokens, self._sentences, capitals=self._capitals):
            return ()
        # A claim of few words stands in many places: the question's words tell which is meant.
        # One of many words is quoted as shortly as carries it.
        good.sort(
            key=lambda entry: (
                -entry[0],
                -entry[1].about if few else 0,
                entry[1].span,
                -entry[1].about,
            )
        )
        chosen: list[_Place] = []
        for share, place in good:
            is_new = place.passage.chunk not in {other.passage.chunk for other in chosen}
            as_good = share >= 0.95 * good[0][0] and place.about >= 0.8 * good[0][1].about
            if is_new and as_good and len(chosen) < MOST_CITATIONS:
                chosen.append(place)
        return tuple(citation_of(p.passage, p.start, p.end) for p in chosen)

    def _places_of(self, passage: Passage) -> list[_Place]:
        spans = list(sentence_spans(passage.text))
        tokens = [tuple(self._words.tokens(passage.text[start:end])) for start, end in spans]
        beside = "\n".join((passage.source, *passage.headings))
        around = _keys([*self._words.tokens(beside), *(t for several in tokens for t in several)])
        quantities = read_quantities("\n".join((*passage.headings, passage.text)))
        places = []
        for first in range(len(spans)):
            for last in range(first, min(first + WINDOW, len(spans))):
                start, end = spans[first][0], spans[last][1]
                here = tuple(token for several in tokens[first : last + 1] for token in several)
                evidence = Evidence(
                    here, _keys(here), read_quantities(passage.text[start:end]), around, quantities
                )
                about = self._about(passage, start, end)
                places.append(_Place(passage, start, end, last - first, evidence, about))
        return places

    def _own_words(self, claim: Claim) -> int:
        """How many words that are no names the claim has beside those of the question."""
        plain = (token for token in claim.content if token.opens or not token.capital)
        return sum(not token.keys & self._asked for token in plain)

    def _about(self, passage: Passage, start: int, end: int) -> float:
        if not self._ranked or self._ranked[0].score <= 0:
            return 1.0
        inside = (
            entry.score
            for entry in self._ranked
            if entry.passage is passage and start <= entry.start and entry.end <= end
        )
        return max(inside, default=0.0) / self._ranked[0].score


def _within(inner: _Place, outer: _Place) -> bool:
    same = inner.passage.chunk == outer.passage.chunk
    return same and outer.start <= inner.start and inner.end <= outer.end


def _claims_nothing(said: str, claim: Claim) -> bool:
    """Whether a sentence without support needs none: a greeting, a question back."""
    if claim.quantities:
        return False
    if is_small_talk(said):
        return True
    if not claim.content:
        return not _BARE_VERDICT.match(said)
    return said.rstrip().endswith(("?", "؟", "？"))


def _capitals_mark_names(tokens: Sequence[Token]) -> bool:
    inside = [token for token in tokens if token.content and not token.opens]
    capitals = sum(token.capital for token in inside)
    return capitals <= CAPITALS_SAY_LITTLE * len(inside) if len(inside) > 30 else True


def _keys(tokens: Sequence[Token]) -> frozenset[str]:
    return frozenset(key for token in tokens for key in token.keys)


def citation_of(passage: Passage, first: int, last: int) -> Citation:
    """The citation of `passage.text[first:last]`."""
    changed = len(passage.text) != passage.end - passage.start
    # A filter changed the text on its way in: only the whole chunk's place is certain.
    return Citation(
        source=passage.source,
        locator=passage.locator,
        start=passage.start if changed else passage.start + first,
        end=passage.end if changed else passage.start + last,
        chunk=passage.chunk,
        quote=passage.text[first:last],
        path=passage.path,
    )
