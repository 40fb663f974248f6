"""Tokens are shown as text, however a vocabulary spells them."""

from __future__ import annotations

import pytest

from inglenook.assistants.token_counting import readable


@pytest.mark.parametrize(
    ("spelling", "tokenizer", "text"),
    [
        ("hello", "gpt2", "hello"),
        ("\u0120hello", "gpt2", " hello"),
        ("\u010a", "gpt2", "\n"),
        ("\u0109", "gpt2", "\t"),
        ("\u00c3\u00a9", "gpt2", "é"),
        ("\u00c3", "gpt2", "\ufffd"),
        ("\u0142", "gpt2", "\ufffd"),  # the byte 0xa0 alone, in the middle of a character
        ("<|im_start|>", "gpt2", "<|im_start|>"),
        ("<｜begin｜>", "gpt2", "<｜begin｜>"),
        ("\u2581hello", "llama", " hello"),
        ("<0x0A>", "llama", "\n"),
        ("<0xC3>", "llama", "\ufffd"),
        ("<s>", "llama", "<s>"),
        ("", "", ""),
    ],
)
def test_a_token_is_shown_as_the_text_that_it_stands_for(spelling, tokenizer, text):
    assert readable(spelling, tokenizer) == text
