"""Decides whether anything that was retrieved bears on the question at all."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from inglenook.assistants.extractive import Extractor, Scored
from inglenook.assistants.word_matching import WordMatching, akin
from inglenook.types import Passage

__all__ = ["abstention", "bears_on", "is_small_talk", "relevance", "speaks_of", "worth_reading"]

# Fitted by logistic regression on questions whose paragraphs are in the knowledge base against
# questions of the same collection whose articles were kept out of it; the figures and how to get
# them again are in tests/quality/answer_study.py. Each is a log-odds: 0 is as likely as not.
_BOTH = (-11.27, 17.7, 4.0, 6.74)
"""Constant, cosine, coverage of the best passage, coverage of the best sentence."""
_WORDS = (-4.15, 6.1, 7.06)
"""Constant, coverage of the best passage, coverage of the best sentence."""
_NEARNESS = (25.0, -0.41, 0.2)
"""Of an embedder that finds all texts alike: scale, constant, coverage of passage and sentence."""
WORDS_ENOUGH = -1.0
"""From here on words alone carry a question where there is no cosine."""
WORDS_STRONG = 3.0
"""From here on words carry a question even against the cosine."""
PAIRS_ENOUGH = 0.15
"""The coverage of the best sentence that is enough where words are pairs of characters."""
ALL_ALIKE = 0.5
"""Where the mean cosine with all chunks is this high, the embedder finds all texts alike (e5)."""
COSINES_SAY_LITTLE = 0.7
"""The same where there are few chunks: even the last passage found is this near."""
FOREIGN_LETTERS = 0.5
NEAR_THE_BEST = 0.55
"""The share of the best score from which on a passage is put before the model."""
_SMALL_TALK = re.compile(
    r"^\W*(?:hi|hello|hey|good (?:morning|evening|afternoon|day)|thanks|thank you|bye|goodbye|"
    r"how are you|who are you|what can you do|שלום|היי|תודה|בוקר טוב|ערב טוב|مرحبا|شكرا)\W*"
    r"(?:there|everyone|very much|רבה)?\W*$",
    re.IGNORECASE,
)
_PAIRED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0eff]")


def is_small_talk(question: str) -> bool:
    """A greeting or thanks: no document is needed to answer it."""
    return bool(_SMALL_TALK.match(question))


def bears_on(question: str, passages: Sequence[Passage]) -> bool:
    """Whether the passages have anything to do with the question."""
    return relevance(question, passages, Extractor().rank(question, passages)) >= 0


def relevance(question: str, passages: Sequence[Passage], ranked: Sequence[Scored]) -> float:
    """By how much the passages bear on the question, 0 or more if enough.

    Built on raw cosines and on the words that stand there, not on the fused score: that says
    which passage is best, and one always is.

    Args:
        question: In the user's words.
        passages: What was retrieved, best first.
        ranked: Their sentences, as `Extractor` ranks them.
    """
    if not passages or not ranked:
        return -math.inf
    sentence = ranked[0].coverage
    # Not the first: all documents inline stand in their own order.
    best = max(passages, key=lambda passage: passage.score).coverage
    nearness = _nearness(passages)
    if nearness is not None:
        scale, constant, of_coverage = _NEARNESS
        return scale * (nearness + constant + of_coverage * (best + sentence))
    if len(_PAIRED.findall(question)) > len(question) / 2:
        # Of a run of characters some pair stands nearly everywhere: only a sentence tells.
        return 10 * (sentence - PAIRS_ENOUGH)
    constant, of_passage, of_sentence = _WORDS
    words = constant + of_passage * best + of_sentence * sentence
    cosines = [passage.vector for passage in passages if passage.vector is not None]
    if not cosines or min(cosines) >= COSINES_SAY_LITTLE or _is_foreign(question):
        return words - WORDS_ENOUGH
    constant, of_cosine, of_passage, of_sentence = _BOTH
    both = constant + of_cosine * max(cosines) + of_passage * best + of_sentence * sentence
    return max(both, words - WORDS_STRONG)


def _nearness(passages: Sequence[Passage]) -> float | None:
    """How far the nearest passage has come from the mean of all chunks towards the question.

    0 to 1; it means the same in every language that the embedder knows. None where the mean is not
    known, or so low that cosines can be taken as they are.
    """
    known = [p for p in passages if p.vector is not None and p.background is not None]
    if not known:
        return None
    nearest = max(known, key=lambda passage: passage.vector or 0.0)
    background = nearest.background or 0.0
    if not ALL_ALIKE <= background < 1:
        return None
    return ((nearest.vector or 0.0) - background) / (1 - background)


def speaks_of(question: str, passages: Sequence[Passage]) -> bool:
    """Whether an informative word of the question stands in the passages or above them.

    True as well for a question that has none.
    """
    words = WordMatching()
    asked = [token for token in words.tokens(question) if token.content]
    there = words.tokens(
        "\n".join(t for p in passages for t in (p.source.replace("_", " "), *p.headings, p.text))
    )
    keys = {key for token in there for key in token.keys}
    return not asked or any(
        token.keys & keys or any(akin(token.word, other.word) for other in there) for token in asked
    )


def _is_foreign(question: str) -> bool:
    """Whether most letters are of a script in which a cosine was never held against answers."""
    letters = [c for c in question if c.isalpha()]
    return sum(c > "\u024f" for c in letters) > FOREIGN_LETTERS * len(letters)


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
