"""What is shown of an answer before all of it is there."""

from __future__ import annotations

import pytest

from inglenook.assistants.citations import Citer
from inglenook.assistants.gate import Gate
from inglenook.types import Locator, Passage

RULE = "Staff accounts must use a password of at least 14 characters."


def gate(*, drops: bool = False) -> Gate:
    passage = Passage("c", "a.txt", "s", "/a.txt", RULE, Locator("line", 1), 0, len(RULE))
    return Gate(Citer("How long must a password be?", [passage]), drops=drops)


def shown(gate: Gate, text: str, size: int) -> str:
    pieces = [gate.feed(text[i : i + size]) for i in range(0, len(text), size)]
    return "".join(pieces) + gate.finish()


@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "It is 14 characters. The moon is made of cheese! Dr. Levi said so.\n\n- one\n- two",
        "The moon is made of cheese. It is 14 characters.",
        "Sure! It is 14 characters.",
        "The moon is made of cheese.",
        "",
    ],
)
def test_the_text_is_the_same_however_it_was_cut_into_pieces(text: str, drops: bool) -> None:
    whole = shown(gate(drops=drops), text, 1000)

    assert {whole} == {shown(gate(drops=drops), text, size) for size in (1, 2, 3, 7, 20)}


def test_nothing_is_shown_before_a_sentence_is_supported() -> None:
    held = gate()

    assert "" == held.feed("The moon is made of cheese. Certainly it is. ")
    assert held.feed("It is 14 characters. And then there").startswith(
        "The moon is made of cheese."
    )


def test_from_then_on_every_piece_is_shown_at_once() -> None:
    open_gate = gate()
    open_gate.feed("It is 14 characters. And then there")

    assert open_gate.opened
    assert " was" == open_gate.feed(" was")


def test_what_is_dropped_is_counted_and_what_is_kept_stays_in_order() -> None:
    dropping = gate(drops=True)

    text = shown(dropping, "It is 14 characters. The moon is cheese. Staff use passwords.", 5)

    assert "It is 14 characters. Staff use passwords." == text
    assert 1 == dropping.dropped


def test_without_passages_everything_flows() -> None:
    assert "The moon" == Gate(None).feed("The moon")
