"""A stream through the driver shows what the filtered whole text shows, and nothing earlier."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inglenook.security.merge import FilterRule, judge
from inglenook.security.stream import Blocked, StreamDriver
from inglenook.testing.fake_filter import FakeFilter
from inglenook.types import (
    Action,
    FilterContext,
    Finding,
    Notice,
    Span,
    Stage,
    TextDelta,
    Verdict,
)

OUTPUT = FilterContext(Stage.OUTPUT)
MANY = settings(max_examples=1000, deadline=None)


def rule(filter, name="fake", **settings):
    return FilterRule(name, filter, frozenset(Stage), **settings)


def run(driver, pieces, reason="end"):
    emissions = [emission for piece in pieces for emission in driver.feed(piece)]
    return [*emissions, *driver.finish(reason)]


def shown(emissions):
    return "".join(emission.text for emission in emissions if isinstance(emission, TextDelta))


def findings(emissions):
    return sorted((e.start, e.end, e.filter, e.label) for e in emissions if isinstance(e, Finding))


def cut(text, places):
    return [text[a:b] for a, b in pairwise([0, *sorted(p % (len(text) + 1) for p in places)])] + [
        text[max((p % (len(text) + 1) for p in places), default=0) :]
    ]


words = st.sampled_from(["aa", "ab", "aba", "bab", "abcab", "a b", "c"])
texts = st.text("abc ", max_size=60)
places = st.lists(st.integers(0, 60), max_size=20)
rules_ = st.lists(
    st.builds(
        lambda word, whole, text, action: rule(
            FakeFilter(word, whole_words=whole, whole_text=text, replacement="*"),
            word,
            action=action,
        ),
        words,
        st.booleans(),
        st.sampled_from([False, False, False, True]),
        st.sampled_from([Action.REDACT, Action.REDACT, Action.FLAG, Action.ALLOW]),
    ),
    max_size=3,
)


@MANY
@given(rules_, texts, places, st.sampled_from(["end", "cancelled", "error", "tool_call"]))
def test_any_pieces_show_what_the_whole_text_shows_however_the_stream_ends(
    rules, text, places, reason
):
    emissions = run(StreamDriver(rules, OUTPUT), cut(text, places), reason)
    whole = judge(rules, text, OUTPUT)
    assert shown(emissions) == whole.text
    assert findings(emissions) == findings(whole.findings)


@MANY
@given(words, texts, places)
def test_a_block_shows_the_text_before_its_finding_and_nothing_after(word, text, places):
    pieces = cut(text, places)
    emissions = run(StreamDriver([rule(FakeFilter(word), action=Action.BLOCK)], OUTPUT), pieces)
    if word in text:
        assert shown(emissions) == text[: text.index(word)]
        assert isinstance(emissions[-1], Blocked)
        assert sum(isinstance(emission, Blocked) for emission in emissions) == 1
    else:
        assert shown(emissions) == text


@MANY
@given(words, texts, places)
def test_no_more_is_held_back_than_twice_the_longest_match(word, text, places):
    # A whole match waits with the beginning of another that overlaps it.
    filter = FakeFilter(word, replacement="*")
    driver = StreamDriver([rule(filter)], OUTPUT)
    for piece in cut(text, places):
        driver.feed(piece)
        assert driver.held < 2 * filter.max_match
    driver.finish()
    assert driver.held == 0


@MANY
@given(words, texts, places)
def test_a_found_word_is_never_shown_even_in_parts(word, text, places):
    filter = FakeFilter(word, replacement="*" * 9)
    emissions = run(StreamDriver([rule(filter)], OUTPUT), cut(text, places))
    assert word not in shown(emissions)


def test_a_word_cut_by_the_end_of_the_stream_is_shown_since_it_is_no_finding():
    assert shown(run(StreamDriver([rule(FakeFilter())], OUTPUT), ["my secr"])) == "my secr"


@pytest.mark.parametrize("reason", ["end", "cancelled", "error", "tool_call"])
def test_what_is_held_back_is_checked_before_it_is_shown_whatever_ends_the_stream(reason):
    driver = StreamDriver([rule(FakeFilter(whole_words=True))], OUTPUT)
    assert shown(run(driver, ["my se", "cret"], reason)) == "my […]"


def test_text_that_cannot_be_part_of_a_match_is_shown_at_once():
    driver = StreamDriver([rule(FakeFilter())], OUTPUT)
    assert shown(driver.feed("all clear")) == "all clear"


def test_a_filter_that_needs_the_whole_text_shows_nothing_before_the_end():
    filter = FakeFilter(whole_text=True)
    driver = StreamDriver([rule(filter)], OUTPUT)
    assert [*driver.feed("a secret"), *driver.feed(" is safe")] == []
    assert driver.held == 16
    assert shown(driver.finish()) == "a […] is safe"
    assert filter.checked == ["a secret is safe"]


def test_a_finding_comes_before_the_text_that_it_changed():
    emissions = StreamDriver([rule(FakeFilter())], OUTPUT).feed("a secret here")
    assert [type(emission) for emission in emissions] == [Finding, TextDelta]
    assert (emissions[0].start, emissions[0].end) == (2, 8)


def test_offsets_of_findings_count_from_the_start_of_the_stream():
    driver = StreamDriver([rule(FakeFilter())], OUTPUT)
    run(driver, ["x" * 50_000, " sec", "ret", " and ", "secret"])
    assert [(f.start, f.end) for f in driver.findings] == [(50_001, 50_007), (50_012, 50_018)]


def test_after_a_block_pieces_are_swallowed():
    driver = StreamDriver([rule(FakeFilter(), action=Action.BLOCK)], OUTPUT)
    emissions = driver.feed("one secret two")
    assert shown(emissions) == "one "
    assert emissions[-1] == driver.blocked == Blocked("fake", "found 'secret'", Action.BLOCK)
    assert (driver.feed("three"), driver.finish()) == ((), ())


def test_a_verdict_without_a_place_blocks_all_that_was_not_shown():
    driver = StreamDriver([rule(FakeFilter(places=False), action=Action.BLOCK)], OUTPUT)
    emissions = [*driver.feed("fine. "), *driver.feed("but secret")]
    assert shown(emissions) == "fine. "
    assert isinstance(emissions[-1], Blocked)


def test_a_failing_closed_filter_blocks_before_anything_is_shown():
    driver = StreamDriver([rule(FakeFilter(error=OSError("gone")))], OUTPUT)
    emissions = run(driver, ["hello"])
    assert shown(emissions) == ""
    assert "OSError: gone" in driver.blocked.reason


def test_a_failing_closed_filter_blocks_even_an_empty_answer():
    driver = StreamDriver([rule(FakeFilter(error=OSError("gone")))], OUTPUT)
    assert isinstance(driver.finish()[-1], Blocked)


def test_a_failing_open_filter_lets_all_through_and_says_so_once():
    driver = StreamDriver([rule(FakeFilter(error=OSError("gone")), fail="open")], OUTPUT)
    emissions = run(driver, ["hel", "lo ", "there"])
    assert shown(emissions) == "hello there"
    assert [f.label for f in emissions if isinstance(f, Finding)] == ["filter-error"]


def test_a_slow_filter_is_named_once():
    seconds = iter(range(100))
    driver = StreamDriver([rule(FakeFilter())], OUTPUT, clock=lambda: float(next(seconds)))
    emissions = run(driver, ["hel", "lo"])
    assert [n.code for n in emissions if isinstance(n, Notice)] == ["filter-slow"]


def test_a_finished_stream_takes_no_more():
    driver = StreamDriver([], OUTPUT)
    driver.finish("tool_call")
    with pytest.raises(ValueError, match="tool_call"):
        driver.feed("more")


def test_without_rules_every_piece_passes_as_it_is():
    driver = StreamDriver([], OUTPUT)
    assert [shown(driver.feed(piece)) for piece in ("a", "<|b|>", "\x1b")] == ["a", "<|b|>", "\x1b"]


def test_a_long_answer_does_not_make_the_driver_grow():
    driver = StreamDriver([rule(FakeFilter())], OUTPUT)
    filter_sizes = []
    for _ in range(3000):
        driver.feed("some words ")
    (only,) = driver._rules
    filter_sizes = [len(text) for text in only.filter.checked]
    assert max(filter_sizes) <= 2 * 11 + only.filter.max_match
    assert len(driver._text) <= 3 * 4096


class LooksBehind:
    """Finds `cd`, but not after `ab`; what it looks behind for is not part of the match."""

    max_match = 2

    def check(self, text, context):
        spans = tuple(Span(*m.span(), "x", 1.0, "x", "*") for m in re.finditer("(?<!ab)cd", text))
        return Verdict(Action.REDACT if spans else Action.ALLOW, spans)

    def unstable_from(self, text):
        return len(text) - (text.endswith("c") and not text.endswith("abc"))


def test_a_rule_that_looks_behind_what_was_shown_is_not_misled():
    driver = StreamDriver([rule(LooksBehind())], OUTPUT)
    assert shown(run(driver, "abcd cd")) == "abcd *"


def test_matches_that_tile_a_run_stay_where_the_whole_text_has_them():
    text = "x" + "a" * 20_001
    driver = StreamDriver([rule(FakeFilter("aa", replacement="*"))], OUTPUT)
    assert shown(run(driver, [text[i : i + 7] for i in range(0, len(text), 7)])) == (
        "x" + "*" * 10_000 + "a"
    )
