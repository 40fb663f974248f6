"""What a model thinks is told apart from what it answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.assistants.thinking import ThinkingReader
from inglenook.types import TextDelta, ThinkingDelta


def read(*pieces, begun=False):
    reader = ThinkingReader(begun=begun)
    events = [event for piece in pieces for event in reader.feed(TextDelta(piece))]
    events += reader.finish()
    return tuple(
        "".join(event.text for event in events if isinstance(event, kind))
        for kind in (ThinkingDelta, TextDelta)
    )


@pytest.mark.parametrize(
    ("text", "begun", "thought", "said"),
    [
        ("<think>Hm, 3.</think>It is 3.", False, "Hm, 3.", "It is 3."),
        ("\n<think>\nHm.\n</think>\n\nYes.", False, "Hm.", "Yes."),
        ("Hm.\n</think>\n\nYes.", True, "Hm.", "Yes."),
        ("<think>\n\n</think>\n\nYes.", False, "", "Yes."),
        ("<think>never ends", False, "never ends", ""),
        ("A tag <think>x</think>", False, "", "A tag <think>x</think>"),
        ("<thin", False, "", "<thin"),
        ("<thing>", False, "", "<thing>"),
        ("<think>a < b </th </think>c", False, "a < b </th", "c"),
        ("<think>a</think>b</think>", False, "a", "b</think>"),
        ("", False, "", ""),
        ("", True, "", ""),
    ],
)
def test_thinking_and_answer_are_told_apart_however_the_text_is_cut(text, begun, thought, said):
    assert read(text, begun=begun) == (thought, said)
    assert read(*text, begun=begun) == (thought, said)


def test_a_thought_is_streamed():
    reader = ThinkingReader()
    assert list(reader.feed(TextDelta("<think>"))) == []
    assert list(reader.feed(TextDelta("First"))) == [ThinkingDelta("First")]
    assert list(reader.feed(TextDelta(" </th"))) == []
    assert list(reader.feed(TextDelta("en"))) == [ThinkingDelta(" </then")]


def test_an_answer_without_thinking_comes_as_it_is():
    reader = ThinkingReader()
    deltas = [TextDelta("It", tokens=(7,)), TextDelta(" is", tokens=(8,))]
    assert [event for delta in deltas for event in reader.feed(delta)] == deltas


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<", "think", ">", "a", " "])), st.booleans()
)
def test_no_letter_is_lost(parts, begun):
    thought, said = read(*parts, begun=begun)
    assert (thought + said).count("a") == parts.count("a")
