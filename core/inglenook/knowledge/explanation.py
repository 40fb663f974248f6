"""Says why a passage ranks where it does: which words, how much each side counted, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inglenook.knowledge.fusion import Scatter, vector_weight
from inglenook.knowledge.lexical import Analyser, words
from inglenook.types import Explanation, Passage, WordMatch

if TYPE_CHECKING:
    from inglenook.knowledge.retrieve import VectorSearch, VectorTrust

__all__ = ["Balance", "balance_of", "explained"]

LITTLE = 0.8
"""Below this part of an even share it is told why the vectors count for less."""
_CLEAR = Scatter(0.0, 0.0, 0)
"""As if there were too few chunks to tell: both sides alike."""
_SHOWN_WORDS = 8
_BETWEEN_WORDS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Balance:
    """How much each side counted.

    Args:
        vector: The share of the vectors in the fused score, 0 to 1; the rest is that of words.
        reason: Why they count for less than they can, or "".
    """

    vector: float
    reason: str = ""


def balance_of(
    vectors: VectorSearch, trusted: VectorTrust, allowed: frozenset[int] | None = None
) -> Balance:
    """How much the vectors count in a hybrid search for a question, among the keys `allowed`."""
    best = vectors.search(trusted.vector, 1, allowed)
    if not best:
        return Balance(0.0)
    scatter = vectors.scatter(trusted.vector)
    weight = vector_weight(scatter, best[0][1], trusted.trust)
    reasons = []
    if trusted.trust < 1:
        reasons.append("the embedder was not trained for the language of the question")
    if weight < LITTLE * vector_weight(_CLEAR, 1.0, trusted.trust):
        reasons.append("no passage stands out clearly in its vector")
    return Balance(weight, " and ".join(reasons))


def explained(passages: Sequence[Passage], question: str, balance: Balance) -> tuple[Passage, ...]:
    """The passages, each with its explanation.

    Args:
        passages: Best first.
        question: All that was searched for.
        balance: How much each side counted.
    """
    analyser = Analyser()
    asked = _asked(analyser, question)
    return tuple(
        replace(passage, explanation=_explanation(analyser, passage, asked, balance))
        for passage in passages
    )


def _asked(analyser: Analyser, question: str) -> dict[str, frozenset[str]]:
    """The informative words of the question, each with its terms."""
    found: dict[str, frozenset[str]] = {}
    seen: set[frozenset[str]] = set()
    for word, _, _ in words(question):
        terms = frozenset(term for group in analyser.query_groups(word) for term in group)
        if terms and terms not in seen:
            seen.add(terms)
            found[word] = terms
    return found


def _explanation(
    analyser: Analyser, passage: Passage, asked: dict[str, frozenset[str]], balance: Balance
) -> Explanation:
    # The name word by word: `passwords.md` has the word.
    name = _BETWEEN_WORDS.sub(" ", passage.source)
    around = "\n".join((name, *passage.headings))
    here = list(_forms(analyser, passage.text, asked))
    above = list(_forms(analyser, around, asked))
    matches = []
    for word in asked:
        forms: dict[str, str] = {}
        for which, form, _, _ in (*here, *above):
            if which == word:
                forms.setdefault(form.casefold(), form)
        if forms:
            matches.append(WordMatch(word, tuple(forms.values())))
    matched = {match.word for match in matches}
    missing = tuple(word for word in asked if word not in matched)
    vector = balance.vector if passage.vector is not None else 0.0
    return Explanation(
        matches=tuple(matches),
        missing=missing,
        highlights=_merged([(start, end) for _, _, start, end in here]),
        lexical_weight=round(1 - balance.vector, 4),
        vector_weight=round(balance.vector, 4),
        why=_why(passage, matches, missing, replace(balance, vector=vector)),
    )


def _forms(
    analyser: Analyser, text: str, asked: dict[str, frozenset[str]]
) -> Iterator[tuple[str, str, int, int]]:
    """(word of the question, its form here, start, end) of every place that matches."""
    for word, start, end in words(text):
        terms = analyser.terms(word)
        for which, wanted in asked.items():
            common = wanted.intersection(terms)
            if not common:
                continue
            pieces = [term for term in common if _is_part(term, word, terms)]
            if not pieces:
                yield which, word, start, end
                continue
            # Scripts without blanks match in pairs of characters inside a longer run.
            for piece in pieces:
                at = word.find(piece)
                while at >= 0:
                    yield which, piece, start + at, start + at + len(piece)
                    at = word.find(piece, at + 1)


def _is_part(term: str, word: str, terms: Sequence[str]) -> bool:
    """Whether a term is one of the pairs of characters that a run was cut into."""
    return len(term) <= 2 < len(word) and len(terms) > 2 and not term.isascii() and term in word


def _merged(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """In order, those that touch or overlap made one."""
    made: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if made and start <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], end))
        else:
            made.append((start, end))
    return tuple(made)


# --- in words -------------------------------------------------------------------------------------


def _why(
    passage: Passage, matches: Sequence[WordMatch], missing: Sequence[str], balance: Balance
) -> str:
    parts = [_words(matches, missing), _sides(passage, balance)]
    if passage.rerank is not None:
        parts.append("the reranker put it here")
    if len(passage.parts) > 1:
        parts.append(f"{len(passage.parts)} neighbouring chunks")
    return "; ".join(part for part in parts if part)


def _words(matches: Sequence[WordMatch], missing: Sequence[str]) -> str:
    if not matches:
        return "no word of the query, found by its meaning"
    shown = ", ".join(_match(match) for match in matches[:_SHOWN_WORDS])
    more = ", …" if len(matches) > _SHOWN_WORDS else ""
    total = len(matches) + len(missing)
    lost = f"; without {', '.join(missing[:_SHOWN_WORDS])}" if missing else ""
    return f"{len(matches)} of {total} words: {shown}{more}{lost}"


def _match(match: WordMatch) -> str:
    forms = list(dict.fromkeys(form.casefold() for form in match.found))
    if match.word.casefold() in forms:
        return match.word
    return f"{match.word} (as {', '.join(forms[:3])})"


def _sides(passage: Passage, balance: Balance) -> str:
    share = round(100 * balance.vector)
    if passage.vector is None:
        return "words count alone"
    if share == 100:
        return "vectors count alone"
    lowered = f" (vectors count for less: {balance.reason})" if balance.reason else ""
    if share == 0:
        return f"words count alone{lowered}"
    return f"words count {100 - share} %, vectors {share} %{lowered}"
