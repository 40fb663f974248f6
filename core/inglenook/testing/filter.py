"""The conformance kit for filters: what the stream driver and the host rely on.

Fill in two fixtures: `filter`, and `harmful`, texts in each of which it finds something.
"""

from __future__ import annotations

import pickle
import time
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inglenook.protocols import Filter
from inglenook.security.merge import FilterRule, judge
from inglenook.security.stream import StreamDriver
from inglenook.testing.guard import Kit
from inglenook.types import Action, FilterContext, Span, Stage, TextDelta

__all__ = ["FilterKit"]

_PROPERTY = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[
        HealthCheck.differing_executors,  # a kit is inherited by many test classes
        HealthCheck.function_scoped_fixture,  # the filters are pure
        HealthCheck.too_slow,
    ],
)
_CONTEXT = FilterContext(Stage.OUTPUT)
_GROWING = FilterContext(Stage.OUTPUT, final=False)
_FILLER = st.text("abz019 .,<>[]|/\n\r\t_-é文\u200f😀", max_size=12)


class FilterKit(Kit):
    """Subclass it, give the fixtures `filter` and `harmful`, and run pytest.

    `harmless` and `worst_cases` may be given too. Tests may be added, not replaced.
    """

    @pytest.fixture
    def filter(self) -> Filter:
        """The filter under test."""
        raise NotImplementedError("give a fixture `filter` that returns your filter")

    @pytest.fixture
    def harmful(self) -> tuple[str, ...]:
        """Texts in each of which the filter finds something."""
        raise NotImplementedError("give a fixture `harmful`: texts in which it finds something")

    @pytest.fixture
    def harmless(self) -> tuple[str, ...]:
        """Texts in which it finds nothing."""
        return ("", "A password has at least 14 characters.\n", "שלום עולם", "if (a < b) { f(); }")

    @pytest.fixture
    def worst_cases(self, harmful: tuple[str, ...]) -> tuple[str, ...]:
        """Pieces of text that are slow to judge when repeated; by default the harmful ones."""
        return (*harmful, *(text[: len(text) // 2 + 1] for text in harmful))

    def test_it_has_the_shape_of_a_filter(self, filter: Filter) -> None:
        """If it fails: a method or `max_match` is missing, or `max_match` is not positive."""
        assert isinstance(filter, Filter)
        assert filter.max_match is None or filter.max_match > 0

    def test_it_finds_something_in_every_harmful_text(
        self, filter: Filter, harmful: tuple[str, ...]
    ) -> None:
        """If it fails: the verdict has the action `allow` although the text is harmful."""
        missed = [t for t in harmful if filter.check(t, _CONTEXT).action is Action.ALLOW]
        assert harmful
        assert missed == []

    def test_it_finds_nothing_in_a_harmless_text(
        self, filter: Filter, harmless: tuple[str, ...]
    ) -> None:
        """If it fails: the rule takes everyday text for harmful."""
        verdicts = [filter.check(text, _CONTEXT) for text in harmless]
        assert [v.action for v in verdicts] == [Action.ALLOW] * len(harmless)
        assert [v.spans for v in verdicts] == [()] * len(harmless)

    @_PROPERTY
    @given(data=st.data())
    def test_its_spans_are_labelled_places_in_the_text_no_longer_than_it_says(
        self, filter: Filter, harmful: tuple[str, ...], data: st.DataObject
    ) -> None:
        """If it fails: offsets are not those of the text, or `max_match` is too small."""
        text = data.draw(_texts(harmful))
        for span in filter.check(text, _CONTEXT).spans:
            assert 0 <= span.start < span.end <= len(text)
            assert span.label
            assert 0.0 <= span.score <= 1.0
            assert filter.max_match is None or span.end - span.start <= filter.max_match

    @_PROPERTY
    @given(data=st.data())
    def test_it_says_the_same_of_the_same_text_whatever_it_saw_before(
        self, filter: Filter, harmful: tuple[str, ...], data: st.DataObject
    ) -> None:
        """If it fails: the filter keeps state between calls, or draws lots."""
        text, other = data.draw(_texts(harmful)), data.draw(_texts(harmful))
        first = filter.check(text, _CONTEXT)
        filter.check(other, _CONTEXT)
        filter.unstable_from(other)
        assert filter.check(text, _CONTEXT) == first
        assert pickle.loads(pickle.dumps(first)) == first  # noqa: S301 - our own bytes

    @_PROPERTY
    @given(data=st.data())
    def test_a_longer_text_changes_nothing_before_unstable_from(
        self, filter: Filter, harmful: tuple[str, ...], data: st.DataObject
    ) -> None:
        """If it fails: `unstable_from` is too large; text would be shown before its verdict."""
        text = data.draw(_texts(harmful))
        part = text[: data.draw(st.integers(0, len(text)))]
        settled = filter.unstable_from(part)
        assert 0 <= settled <= len(part)
        before = _before(filter.check(part, _GROWING).spans, settled)
        assert before == _before(filter.check(text, _CONTEXT).spans, settled)

    @_PROPERTY
    @given(data=st.data())
    def test_it_holds_back_no_more_than_its_longest_match(
        self, filter: Filter, harmful: tuple[str, ...], data: st.DataObject
    ) -> None:
        """If it fails: `unstable_from` is too small; the answer would stutter."""
        text = data.draw(_texts(harmful))
        if filter.max_match is None:
            assert 0 <= filter.unstable_from(text) <= len(text)
        else:
            assert len(text) - filter.unstable_from(text) <= filter.max_match

    @_PROPERTY
    @given(data=st.data())
    def test_a_stream_in_any_pieces_shows_what_the_whole_text_shows(
        self, filter: Filter, harmful: tuple[str, ...], data: st.DataObject
    ) -> None:
        """If it fails: a rule looks behind farther than `max_match`, or settles too early."""
        rules = [FilterRule("kit", filter, frozenset(Stage), Action.REDACT)]
        text = data.draw(_texts(harmful))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
        driver = StreamDriver(rules, _CONTEXT)
        emissions = [
            emission
            for start, end in pairwise([0, *cuts, len(text)])
            for emission in driver.feed(text[start:end])
        ]
        emissions += driver.finish()
        shown = "".join(e.text for e in emissions if isinstance(e, TextDelta))
        assert shown == judge(rules, text, _CONTEXT).text

    @_PROPERTY
    @given(data=st.data())
    def test_what_was_redacted_is_not_found_again(
        self, filter: Filter, harmful: tuple[str, ...], data: st.DataObject
    ) -> None:
        """If it fails: a replacement holds, or makes with its neighbours, what it should hide."""
        rules = [FilterRule("kit", filter, frozenset(Stage), Action.REDACT)]
        text = data.draw(_texts(harmful))
        shown = judge(rules, text, _CONTEXT).text
        assert filter.check(shown, _CONTEXT).spans == ()

    def test_twice_the_text_takes_about_twice_the_time(
        self, filter: Filter, worst_cases: tuple[str, ...]
    ) -> None:
        """If it fails: a rule backtracks; a hostile text could stop the program."""
        slow = [piece for piece in worst_cases if not _is_linear(filter, piece)]
        assert slow == []


def _texts(harmful: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Texts made of harmful ones, pieces of them and ordinary characters."""
    whole = st.sampled_from(harmful)
    piece = st.tuples(whole, st.integers(0, 60), st.integers(1, 60)).map(
        lambda drawn: drawn[0][drawn[1] : drawn[1] + drawn[2]]
    )
    return st.lists(st.one_of(whole, piece, piece, _FILLER), max_size=10).map("".join)


def _before(spans: tuple[Span, ...], offset: int) -> list[Span]:
    return [span for span in spans if span.start < offset]


def _is_linear(filter: Filter, piece: str) -> bool:
    """Whether 200,000 characters take at most 2.5 times as long as 100,000, in one of 4 tries."""
    text = piece * (200_000 // len(piece) + 1)
    return any(
        _seconds(filter, text[:200_000]) <= 2.5 * _seconds(filter, text[:100_000]) + 0.002
        for _ in range(4)
    )


def _seconds(filter: Filter, text: str) -> float:
    best = float("inf")
    for _ in range(2):
        began = time.process_time()
        filter.check(text, _CONTEXT)
        filter.unstable_from(text)
        best = min(best, time.process_time() - began)
    return best
