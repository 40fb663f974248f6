"""The conformance kit for rerankers: subclass `RerankerKit` and fill in `reranker`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from inglenook.errors import Cancelled
from inglenook.protocols import Reranker
from inglenook.testing.guard import Kit
from inglenook.types import CancelToken

__all__ = ["RerankerKit"]

_QUESTION = "How long must a password be?"
_TEXTS = (
    "Ducks live near ponds and lakes.",
    "A password must have at least fourteen characters.",
    "a",
    "שלום עולם",
    "",
)


class RerankerKit(Kit):
    """What every reranker must do. `reranker` is a fixture that yields a closed one.

    Set `is_semantic` to False for a reranker whose scores do not follow meaning (random weights).
    """

    is_semantic = True

    @pytest.fixture
    def reranker(self) -> Iterator[Reranker]:
        raise NotImplementedError("yield a reranker that is not open yet")

    @pytest.fixture
    def opened(self, reranker: Reranker) -> Iterator[Reranker]:
        reranker.open()
        yield reranker
        reranker.close()

    def test_satisfies_the_protocol(self, opened: Reranker) -> None:
        """Fix: give the class every method and property of `protocols.Reranker`."""
        assert isinstance(opened, Reranker)

    def test_the_fingerprint_holds_once_it_is_open(self, opened: Reranker) -> None:
        """Fix: set the fingerprint in `open`."""
        assert opened.fingerprint

    def test_each_text_has_one_finite_score(self, opened: Reranker) -> None:
        """Fix: return a list of plain floats, as long as the texts; an empty text has one too."""
        scores = opened.rerank(_QUESTION, _TEXTS, CancelToken())
        assert len(scores) == len(_TEXTS)
        assert all(type(score) is float and math.isfinite(score) for score in scores)

    def test_no_texts_give_no_scores(self, opened: Reranker) -> None:
        """Fix: return [] and do not ask the model."""
        assert opened.rerank(_QUESTION, [], CancelToken()) == []

    def test_the_same_call_gives_the_same_scores_again(self, opened: Reranker) -> None:
        """Fix: leave out dropout and other chance."""
        first = opened.rerank(_QUESTION, _TEXTS, CancelToken())
        assert opened.rerank(_QUESTION, _TEXTS, CancelToken()) == pytest.approx(first, abs=1e-5)

    def test_the_order_of_the_texts_changes_no_score(self, opened: Reranker) -> None:
        """Fix: mask padding, and return the scores in the order of the texts."""
        forwards = opened.rerank(_QUESTION, _TEXTS, CancelToken())
        backwards = opened.rerank(_QUESTION, _TEXTS[::-1], CancelToken())
        assert backwards[::-1] == pytest.approx(forwards, abs=5e-3)

    def test_the_question_matters(self, opened: Reranker) -> None:
        """Fix: give the model the question and the text, not the text alone."""
        first = opened.rerank(_QUESTION, _TEXTS, CancelToken())
        second = opened.rerank("Where do ducks live?", _TEXTS, CancelToken())
        assert first != pytest.approx(second, abs=1e-5)

    def test_what_stands_at_the_end_of_a_long_text_counts(self, opened: Reranker) -> None:
        """Fix: read a text that is longer than the model's window in several pieces."""
        long = "duck " * 4_000
        ends = (_TEXTS[1], *(f"{text} " * 30 for text in _TEXTS[1:4]))
        texts = [long, *(long + end for end in ends)]
        plain, answered, *others = opened.rerank(_QUESTION, texts, CancelToken())
        if self.is_semantic:
            assert answered > plain
        else:
            assert {plain} != {answered, *others}

    def test_an_overlong_question_is_cut(self, opened: Reranker) -> None:
        """Fix: cut a question at its end, and leave room for the text."""
        scores = opened.rerank(_QUESTION + " duck" * 5_000, _TEXTS, CancelToken())
        assert all(math.isfinite(score) for score in scores)

    def test_an_empty_question_is_no_failure(self, opened: Reranker) -> None:
        """Fix: score every text; the order says nothing then."""
        assert len(opened.rerank("", _TEXTS, CancelToken())) == len(_TEXTS)

    def test_a_cancelled_token_stops_the_work(self, opened: Reranker) -> None:
        """Fix: look at the token between batches and raise `Cancelled`."""
        cancel = CancelToken()
        cancel.cancel()
        with pytest.raises(Cancelled):
            opened.rerank(_QUESTION, _TEXTS * 50, cancel)

    def test_the_answer_comes_before_other_texts(self, opened: Reranker) -> None:
        """Fix: check the order of the pair, its token types and the head."""
        duck, password = opened.rerank(_QUESTION, _TEXTS[:2], CancelToken())
        assert password > duck if self.is_semantic else password != duck

    def test_closing_twice_is_harmless(self, reranker: Reranker) -> None:
        """Fix: let `close` free what is there and nothing else."""
        reranker.open()
        reranker.close()
        reranker.close()

    def test_it_can_be_opened_again(self, reranker: Reranker) -> None:
        """Fix: let `open` build everything that `close` freed; the fingerprint stays."""
        reranker.open()
        first = reranker.fingerprint
        reranker.close()
        reranker.open()
        assert reranker.fingerprint == first
        reranker.close()
