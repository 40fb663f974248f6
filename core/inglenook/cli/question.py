"""Where a question comes from: the arguments, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from inglenook.cli.terminal import Terminal
from inglenook.errors import UserError

__all__ = ["question_from"]


def question_from(terminal: Terminal, words: Sequence[str], what: str = "question") -> str:
    """The words as one text, else all of standard input. Raises `UserError`.

    Args:
        terminal: Where standard input comes from.
        words: What the arguments say.
        what: What an error calls it.
    """
    text = " ".join(words)
    if words:
        return _checked(text, what)
    if terminal.in_is_terminal:
        raise click.UsageError(f"There is no {what}. Give it as an argument or pipe it in.")
    try:
        data = sys.stdin.buffer.read() if sys.stdin is not None else b""
        return _checked(data.decode("utf-8-sig"), what)
    except UnicodeDecodeError as error:
        raise UserError(
            f"The {what} on standard input is not UTF-8: {error.reason} at byte {error.start}.",
            hint="Convert it, for example with: iconv -t UTF-8",
        ) from error


def _checked(text: str, what: str) -> str:
    if not text.strip():
        raise UserError(f"The {what} is empty.", hint="Ask something.")
    return text.strip()
