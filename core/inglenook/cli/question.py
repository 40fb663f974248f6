"""Where a question comes from: the arguments, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from inglenook.cli.terminal import Terminal
from inglenook.errors import UserError

__all__ = ["question_from"]


def question_from(terminal: Terminal, words: Sequence[str]) -> str:
    """The words as one text, else all of standard input. Raises `UserError`."""
    text = " ".join(words)
    if words:
        return _checked(text)
    if terminal.in_is_terminal:
        raise click.UsageError("There is no question. Give it as an argument or pipe it in.")
    try:
        data = sys.stdin.buffer.read() if sys.stdin is not None else b""
        return _checked(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(
            f"The question on standard input is not UTF-8: {error.reason} at byte {error.start}.",
            hint="Convert it, for example with: iconv -t UTF-8",
        ) from error


def _checked(text: str) -> str:
    if not text.strip():
        raise UserError("The question is empty.", hint="Ask something.")
    return text.strip()
