"""Ties the sentences of an answer to the passages that carry them.

Small models cannot cite, so code does: a sentence is supported when its numbers and names, and
most of its other words, stand close together in one passage.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from inglenook.assistants.relevance import is_small_talk
from inglenook.assistants.sentences import sentence_spans
from inglenook.knowledge.lexical import STOP_WORDS, Analyser, fold
from inglenook.types import Citation, Passage, Sentence

__all__ = ["Citer"]

ENOUGH = 0.6
"""The share of a sentence's informative words that must stand in the quoted place."""
WINDOW = 3
"""A quote is at most this many sentences long."""
MOST_CITATIONS = 2
FEW_WORDS = 3
NUMBER_WORDS = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split(),
        map(str, range(21)),
        strict=True,
    )
) | {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "ninety": "90", "hundred": "100"}

_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_NAME = re.compile(r"(?<![.!?:\n] )(?<!^)\b[A-Z][\w'’-]*[A-Za-z0-9]")
_OPENER = re.compile(
    r"^\W*(?:(?:i(?:'m| am)? )?(?:very )?sorry|hello|hi|hey|welcome|thank you|thanks|"
    r"you(?:'re| are) welcome|sure|of course|certainly|based on [^,]*|according to [^,]*|"
    r"here (?:is|are)[^:]*)"
    r"(?:[,:.!]|$)\s*",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"^\W*(?:i|we|(?:the |these |this |your )?(?:provided |given )?"
    r"(?:documents?|passages?|texts?|context|manual|sources?|information)"
    r"|there (?:is|are))\b"
    r"[^.,;]{0,40}?(?:\bnot\b|n't\b|\bno\b|\bcannot\b|\bunable\b)[^.,;]{0,60}"
    r"(?:mention\w*|stat\w*|specif\w*|provid\w*|find|found|contain\w*|know|information|answer|"
    r"say|documents?|passages?|manual)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:not|never|no|cannot|none|nobody|without)\b|n['’]t\b|(?<!\w)(?:לא|אין|אסור)(?!\w)"
)


@dataclass(frozen=True, slots=True)
class _Claim:
    """What of a sentence must stand in a passage."""

    numbers: frozenset[str]
    names: frozenset[str]
    terms: frozenset[str]
    negated: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """A stretch of sentences of a passage, ready to be compared."""

    passage: Passage
    start: int
    end: int
    terms: frozenset[str]
    numbers: frozenset[str]
    span: int
    negated: bool


class Citer:
    """Compares sentences with the passages of one question.

    Args:
        question: Its words help to choose between places that carry a sentence equally well.
        passages: What was retrieved.
    """

    def __init__(self, question: str, passages: Sequence[Passage]) -> None:
        self._analyser = Analyser()
        self._question_terms = self._terms(question)
        self._passage_terms = {
            p.chunk: self._terms("\n".join((p.source, *p.headings, p.text))) for p in passages
        }
        self._places = [place for passage in passages for place in self._places_of(passage)]
        self._has_passages = bool(passages)

    def cite(self, answer: str) -> tuple[Sentence, ...]:
        """Every sentence of the answer, in order, with its support."""
        return tuple(
            self._sentence(answer[start:end], start, end) for start, end in sentence_spans(answer)
        )

    def _sentence(self, text: str, start: int, end: int) -> Sentence:
        if not self._has_passages:
            return Sentence(text, start, end, None)
        said = _OPENER.sub("", text)
        claim = self._claim(said)
        citations = self._citations(claim) if claim.terms or claim.numbers else ()
        if citations:
            return Sentence(text, start, end, True, citations)
        return Sentence(text, start, end, None if self._claims_nothing(said, claim) else False)

    @staticmethod
    def _claims_nothing(said: str, claim: _Claim) -> bool:
        """Whether a sentence without support needs none: a greeting, a question, a refusal."""
        if claim.numbers:
            return False
        if not claim.terms or is_small_talk(said):
            return True
        return said.rstrip().endswith(("?", "؟")) or bool(_REFUSAL.match(said))

    def _claim(self, text: str) -> _Claim:
        names = {self._analyser.stem(m.group()) for m in _NAME.finditer(text)}
        terms = self._terms(text)
        numbers = _numbers(text)
        return _Claim(
            frozenset(numbers),
            frozenset(name for name in names if name and fold(name) not in STOP_WORDS),
            frozenset(term for term in terms if term not in numbers),
            bool(_NEGATION.search(text.lower())),
        )

    def _citations(self, claim: _Claim) -> tuple[Citation, ...]:
        scored = [(self._support(claim, place), place) for place in self._places]
        good = [(score, place) for score, place in scored if score >= ENOUGH]
        # A claim of few words stands in many places: the question's words tell which is meant.
        # One of many words is quoted as shortly as carries it.
        few = len(claim.terms) < FEW_WORDS
        good.sort(
            key=lambda entry: (
                -entry[0],
                -len(self._question_terms & entry[1].terms) if few else 0,
                entry[1].span,
                -len(self._question_terms & entry[1].terms),
            )
        )
        chosen: list[Citation] = []
        for score, place in good:
            is_new = place.passage.chunk not in {citation.chunk for citation in chosen}
            if is_new and score >= 0.95 * good[0][0] and len(chosen) < MOST_CITATIONS:
                chosen.append(_citation(place))
        return tuple(chosen)

    def _support(self, claim: _Claim, place: _Place) -> float:
        """The share of the claim's words in this place.

        0 if a number or a name is missing, or if only one of the two denies something.
        """
        if not claim.numbers <= place.numbers or claim.negated != place.negated:
            return 0.0
        around = self._passage_terms[place.passage.chunk]
        if not claim.names <= (around | self._question_terms):
            return 0.0
        if not claim.terms:
            return 1.0
        here = len(claim.terms & place.terms)
        near = len(claim.terms & (around - place.terms))
        return (here + near / 2) / len(claim.terms)

    def _places_of(self, passage: Passage) -> list[_Place]:
        spans = list(sentence_spans(passage.text))
        places = []
        for first in range(len(spans)):
            for last in range(first, min(first + WINDOW, len(spans))):
                start, end = spans[first][0], spans[last][1]
                text = passage.text[start:end]
                places.append(
                    _Place(
                        passage,
                        start,
                        end,
                        frozenset(self._terms(text)),
                        frozenset(_numbers(text)),
                        last - first,
                        bool(_NEGATION.search(text.lower())),
                    )
                )
        return places

    def _terms(self, text: str) -> frozenset[str]:
        groups = self._analyser.query_groups(text)
        return frozenset(NUMBER_WORDS.get(form, form) for group in groups for form in group[-1:])


def _numbers(text: str) -> set[str]:
    """The numbers of a text, digits only; number words count as digits."""
    found = {re.sub(r"(?<=\d),(?=\d{3}\b)", "", m.group()) for m in _NUMBER.finditer(text)}
    found |= {number for word, number in NUMBER_WORDS.items() if _has_word(text, word)}
    return found


def _has_word(text: str, word: str) -> bool:
    # "one" is a pronoun more often than a number.
    return word not in ("one", "zero") and bool(re.search(rf"\b{word}\b", text, re.IGNORECASE))


def _citation(place: _Place) -> Citation:
    passage = place.passage
    whole = len(passage.text) != passage.end - passage.start
    # A filter changed the text on its way in: only the whole chunk's place is certain.
    start = passage.start if whole else passage.start + place.start
    end = passage.end if whole else passage.start + place.end
    return Citation(
        source=passage.source,
        locator=passage.locator,
        start=start,
        end=end,
        chunk=passage.chunk,
        quote=passage.text[place.start : place.end],
        path=passage.path,
    )
