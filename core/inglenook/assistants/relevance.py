"""Decides whether anything that was retrieved bears on the question at all."""

from __future__ import annotations

import re
from collections.abc import Sequence

from inglenook.types import Passage

__all__ = ["abstention", "bears_on", "is_small_talk", "worth_reading"]

COSINE_ENOUGH = 0.45
"""From here on the vector side alone carries a question."""
COVERAGE_ENOUGH = 0.75
"""The weighted share of a question's words that alone carries it."""
BOTH_COSINE = 0.25
BOTH_COVERAGE = 0.4
NEAR_THE_BEST = 0.55
"""The share of the best score from which on a passage is put before the model."""
_SMALL_TALK = re.compile(
    r"^\W*(?:hi|hello|hey|good (?:morning|evening|afternoon|day)|thanks|thank you|bye|goodbye|"
    r"how are you|who are you|what can you do|שלום|היי|תודה|בוקר טוב|ערב טוב|مرحبا|شكرا)\W*"
    r"(?:there|everyone|very much|רבה)?\W*$",
    re.IGNORECASE,
)


def is_small_talk(question: str) -> bool:
    """A greeting or thanks: no document is needed to answer it."""
    return bool(_SMALL_TALK.match(question))


def bears_on(passages: Sequence[Passage]) -> bool:
    """Whether the best passages have anything to do with the question."""
    return any(_relevant(passage) for passage in passages)


def _relevant(passage: Passage) -> bool:
    cosine = passage.vector
    if cosine is None:
        return passage.coverage >= 0.5
    if cosine >= COSINE_ENOUGH or passage.coverage >= COVERAGE_ENOUGH:
        return True
    return cosine >= BOTH_COSINE and passage.coverage >= BOTH_COVERAGE


def worth_reading(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """The passages that the model is given: those not far behind the best.

    What is far behind costs a small model time and leads it astray. Citations may still come
    from all that was found. The whole knowledge, where it is given inline, stays whole.
    """
    if not passages or passages[0].inline:
        return tuple(passages)
    best = max(passage.score for passage in passages)
    return tuple(passage for passage in passages if passage.score >= NEAR_THE_BEST * best)


def abstention(question: str) -> str:
    """What is said instead of an answer, in the language of the question."""
    if re.search(r"[\u05d0-\u05ea]", question):
        return "לא מצאתי במסמכים תשובה לשאלה הזו."
    if re.search(r"[\u0621-\u064a]", question):
        return "لم أجد في المستندات إجابة عن هذا السؤال."
    return "I found nothing about this in the documents."
