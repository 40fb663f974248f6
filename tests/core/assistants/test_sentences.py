"""Sentences in any script, with offsets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.assistants.sentences import sentence_spans


def sentences(text: str) -> list[str]:
    return [text[a:b] for a, b in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Pi is 3.14 here. Next.", ["Pi is 3.14 here.", "Next."]),
        ("Dr. Smith left. He did.", ["Dr. Smith left.", "He did."]),
        ("Use e.g. tea. Or not.", ["Use e.g. tea.", "Or not."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("Rooms:\n- one\n- two", ["Rooms:", "- one", "- two"]),
        ("First part\n\nSecond part", ["First part", "Second part"]),
        ("שלום עולם. מה נשמע?", ["שלום עולם.", "מה נשמע?"]),
        ("هل هذا صحيح؟ نعم.", ["هل هذا صحيح؟", "نعم."]),
        ("今日は。明日も。", ["今日は。", "明日も。"]),
        ("5.2 Length\nIt must be long.", ["5.2 Length", "It must be long."]),
        (
            "This line is long enough to be a wrapped line of text\nand it goes on here.",
            ["This line is long enough to be a wrapped line of text\nand it goes on here."],
        ),
        ("v1.2.3 is out", ["v1.2.3 is out"]),
        ("", []),
    ],
)
def test_text_is_cut_where_a_reader_would(text: str, expected: list[str]) -> None:
    assert expected == sentences(text)


@given(st.text(alphabet="ab .!?\n\"'-1)א。"))
def test_nothing_but_white_space_is_left_out(text: str) -> None:
    spans = list(sentence_spans(text))

    assert "".join(text.split()) == "".join("".join(text[a:b] for a, b in spans).split())
    assert all(a < b for a, b in spans)
    assert all(first[1] <= second[0] for first, second in zip(spans, spans[1:], strict=False))
