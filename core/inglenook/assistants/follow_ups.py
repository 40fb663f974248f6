"""Finds out what a question leans on: its own words, or the turns before it as well.

"And for contractors?" says little by itself. Whether a question is of that kind is seen from its
form alone (short, begins with "and", speaks of "it"), without a model, in the few languages whose
words are listed here and, by its length, in every other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from inglenook.assistants.relevance import abstention, is_small_talk
from inglenook.knowledge.lexical import Analyser
from inglenook.types import Message

__all__ = ["Query", "query_for"]

FEW_WORDS = 2
"""A question of at most this many informative words is taken for a fragment."""
WORDS_BEFORE_A_PRONOUN = 2
"""From so many informative words on, a pronoun behind them means something in the same question."""
MOST_TURNS = 3
MOST_CHARACTERS = 400
"""How much of an earlier turn counts: the beginning says what it is about."""

_OPENING = re.compile(
    r"^\W*(?:(?:ok(?:ay)?|yes|no|well|right|so|אוקיי|כן|לא|طيب|نعم|لا)\W+)?(?:"
    r"(?:and|or|but|also|then|otherwise|instead|what about|how about|what if|same (?:for|with)|"
    r"(?:is|does|would) that|the same|und|aber|oder|et|ou|mais|y|pero|och|и|а|но)"
    r"(?!\w)|"
    # The Hebrew and the Arabic "and" are letters in front of the first word.
    r"ו(?:מה|מי|מתי|איך|איפה|כמה|למה|האם|אם|לגבי|מאיזה|באיזה|איזה|איזו|אצל|עם|בלי|גם|אחרי|לפני|"
    r"[לבמשה]\w{2,})(?!\w)|(?:מה|ומה) (?:עם|לגבי|בנוגע)(?!\w)|(?:גם|או|אבל)(?!\w)|"
    r"و(?:ماذا|ما|من|متى|كيف|أين|كم|هل|لماذا|بالنسبة|لل\w+|ال\w+|في|عند|مع)(?!\w)|"
    r"(?:ماذا|ما) عن(?!\w)|(?:أو|لكن|أيضا)(?!\w)|那|那么|では|じゃあ|それ"
    r")",
    re.IGNORECASE,
)
_ANOTHER = re.compile(
    r"^\W*(?:(?:and |but )?(?:what|how) about|(?:and|or|but) (?:for|in|on|at|of|with|from|the|an?)|"
    r"und (?:für|in|im|bei|mit|der|die|das)|et (?:pour|à|dans)|y (?:para|en)|"
    r"ו?מה (?:עם|לגבי)|ו(?:על|אצל|עבור|עם|לגבי)|و?ماذا عن|و(?:بالنسبة|في|على|عند|مع))(?!\w)",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    r"(?<![\w'’])(?:it|its|they|them|their|theirs|he|him|his|she|her|hers|"
    r"the (?:same|former|latter|other|others|first|second|last)(?: one)?|"
    r"(?:that|this|these|those)(?= (?:is|are|was|be|mean|apply|applies|cost|take|work|happen|"
    r"hold|count|one|ones)\b|\W*$)|one|ones|"
    r"הוא|היא|הם|הן|אותו|אותה|אותם|אותן|זה|זאת|זו|אלה|אלו|שלו|שלה|שלהם|לו|לה|להם|בו|בה|בהם|"
    r"ממנו|ממנה|עליו|עליה|כך|"
    r"هو|هي|هم|هما|ذلك|تلك|هذا|هذه|هؤلاء|له|لها|لهم|منه|منها|فيه|فيها|عليه|عليها|"
    r"es|sie|er|ihn|ihr|lui|elle|ils|elles|ello|ella|ellos)(?!\w)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for.

    Args:
        text: The question in its own words.
        earlier: What was said before and may be meant as well, the nearest first.
        leans: The question itself shows that it is not complete without that.
        asks_of_another: It asks the same of something else, which it names: "and for visitors?"
    """

    text: str
    earlier: tuple[str, ...] = ()
    leans: bool = False
    asks_of_another: bool = False

    @property
    def whole(self) -> str:
        """The question and what it leans on as one text, its own words first."""
        return "\n".join((self.text, *self.earlier))


def query_for(question: str, history: Sequence[Message]) -> Query:
    """The question, with the earlier turns that it leans on or might lean on.

    Args:
        question: As it was asked.
        history: The earlier turns, oldest first.
    """
    turns = [m.text for m in history if m.role == "user" and not is_small_talk(m.text)]
    if not turns:
        return Query(question)
    earlier: list[str] = []
    for turn in reversed(turns[-MOST_TURNS:]):
        earlier.append(turn[:MOST_CHARACTERS])
        if not _leans(turn):
            break
    if _refers(question):
        earlier.extend(_last_answer(history))
    return Query(question, tuple(earlier), _leans(question), bool(_ANOTHER.match(question)))


def _leans(question: str) -> bool:
    """Whether a question shows by its form that the turns before belong to it."""
    few = len(Analyser().query_groups(question)) <= FEW_WORDS
    return few or bool(_OPENING.match(question)) or _refers(question)


def _refers(question: str) -> bool:
    """Whether a pronoun stands for something that the question does not name itself."""
    return any(
        len(Analyser().query_groups(question[: found.start()])) < WORDS_BEFORE_A_PRONOUN
        for found in _PRONOUN.finditer(question)
    )


def _last_answer(history: Sequence[Message]) -> list[str]:
    """The beginning of the last answer, which may name what a pronoun stands for."""
    answers = [m.text.strip() for m in history if m.role == "assistant"]
    asked = [m.text for m in history if m.role == "user"]
    if not answers or not answers[-1] or answers[-1] == abstention(asked[-1]):
        return []
    return [answers[-1][:MOST_CHARACTERS]]
