"""Compares an answer with the answers that were expected: exact match, F1, and containment."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

__all__ = ["contains", "exact_match", "f1", "tokens"]

_ENGLISH_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_ARABIC_ARTICLE = re.compile(r"\bال(?=\w{2})")
_ONE_BY_ONE = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # Japanese syllables
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_TOKEN = re.compile(f"[{_ONE_BY_ONE}]|[^\\s{_ONE_BY_ONE}]+")
_JOINING = "\u0640\u200c\u200d\u200e\u200f\u202a-\u202e\u2066-\u2069"  # tatweel, invisible marks
_INVISIBLE = re.compile(f"[{_JOINING}]")
_LEAST_MARKED = "\u0591\u08ff"  # From the first Hebrew accent to the last Arabic mark.


def tokens(text: str) -> list[str]:
    """The words of a text after SQuAD's normalisation, for any script.

    SQuAD's `evaluate-v2.0.py` (Rajpurkar et al. 2018) lowers the case, takes away punctuation and
    the English articles, and splits at blanks. From MLQA's `mlqa_evaluation_v1.py` (Lewis et al.
    2020) come Unicode's whole punctuation, the Arabic article, and single characters as words
    where a script has no blanks. Beyond both: Hebrew points and Arabic vowel marks do not count,
    since one text has them and another has not. Hebrew prefixes stay, as in HeQ's (Cohen et al.
    2023) exact match and F1: a letter in front of a word may belong to it.
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    plain = _INVISIBLE.sub("", "".join(c for c in folded if not _is_point(c)))
    plain = "".join(" " if _is_blank(c) else c for c in plain if not _is_punctuation(c))
    plain = _ARABIC_ARTICLE.sub("", _ENGLISH_ARTICLES.sub(" ", plain))
    return _TOKEN.findall(plain)


def _is_point(character: str) -> bool:
    """Whether it is a Hebrew point or an Arabic vowel mark; a maqaf is not, it joins words."""
    in_range = _LEAST_MARKED[0] <= character <= _LEAST_MARKED[1]
    return in_range and unicodedata.category(character) == "Mn"


def _is_punctuation(character: str) -> bool:
    category = unicodedata.category(character)
    # string.punctuation, which SQuAD takes away, has `$+<=>^`|~` too, which are symbols.
    symbol = character.isascii() and category[0] == "S"
    return symbol or (category[0] == "P" and not _is_blank(character))


def _is_blank(character: str) -> bool:
    """A Hebrew maqaf joins two words as a blank does; SQuAD lets `-` join them into one."""
    return character.isspace() or character == "\u05be"


def exact_match(answer: str, expected: Sequence[str]) -> float:
    """1 if the answer is one of the expected ones after normalisation, else 0."""
    given = tokens(answer)
    return float(any(given == tokens(one) for one in expected))


def f1(answer: str, expected: Sequence[str]) -> float:
    """The best harmonic mean of precision and recall in words, over the expected answers."""
    given = tokens(answer)
    return max((_f1(given, tokens(one)) for one in expected), default=0.0)


def _f1(given: Sequence[str], wanted: Sequence[str]) -> float:
    if not given or not wanted:
        return float(given == wanted)
    same = sum((Counter(given) & Counter(wanted)).values())
    if not same:
        return 0.0
    precision, recall = same / len(given), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


def contains(text: str, expected: Sequence[str]) -> bool:
    """Whether one of the expected answers stands in the text, word for word."""
    given = tokens(text)
    return any(_stands_in(tokens(one), given) for one in expected)


def _stands_in(wanted: Sequence[str], given: Sequence[str]) -> bool:
    length = len(wanted)
    if not length:
        return False
    return any(
        given[at : at + length] == wanted
        for at in range(len(given) - length + 1)
        if given[at] == wanted[0]
    )
