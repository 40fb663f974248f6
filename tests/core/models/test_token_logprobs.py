"""Figures of tokens come with the text in which the tokens begin."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inglenook.models.stop_strings import StopStrings
from inglenook.models.token_logprobs import HeldLogprobs
from inglenook.types import TokenLogprob


def entries(*texts):
    return [TokenLogprob(text, -float(n)) for n, text in enumerate(texts)]


def streamed(texts, stop):
    """What comes with each piece of text that is shown."""
    held, stops = HeldLogprobs(), StopStrings([stop])
    shown = []
    for entry in entries(*texts):
        held.feed(entry)
        if text := stops.feed(entry.token):
            shown.append((text, held.shown(text)))
        if stops.found:
            return shown
    if text := stops.finish():
        shown.append((text, held.shown(text)))
    return shown


def test_text_that_is_held_back_holds_its_figures_back():
    a, b, c = entries("a", "EN", "x")
    assert streamed(["a", "EN", "x"], "END") == [("a", (a,)), ("ENx", (b, c))]


def test_figures_of_a_stop_string_are_dropped():
    a, _, _ = entries("a", "EN", "D")
    assert streamed(["a", "EN", "D"], "END") == [("a", (a,))]


def test_a_token_of_which_the_beginning_is_shown_is_shown_whole():
    a, b = entries("a", "b END")
    assert streamed(["a", "b END"], "END") == [("a", (a,)), ("b ", (b,))]


def test_a_token_is_not_lost_if_the_stop_string_goes_on_behind_it():
    (a, _) = entries("bE", "ND")
    assert streamed(["bE", "ND"], "END") == [("b", (a,))]


def test_beginnings_of_a_character_come_with_it():
    begin, more, whole = entries("", "", "é")
    held = HeldLogprobs()
    held.feed(begin)
    held.feed(more)
    assert held.shown("") == ()
    held.feed(whole)
    assert held.shown("é") == (begin, more, whole)


@given(st.lists(st.sampled_from(["", "a", "E", "EN", "ND", "END", "bE"]), max_size=12))
def test_the_tokens_that_are_given_out_make_the_text(texts):
    shown = streamed(texts, "END")
    text = "".join(piece for piece, _ in shown)
    tokens = [entry.token for _, given_out in shown for entry in given_out]
    assert "".join(tokens).startswith(text)
    whole = "".join(texts)
    if "END" not in whole:
        assert "".join(tokens) == text == whole
