"""What can be wrong with an Assistantfile, and where: the one record that all its checks yield."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Problem", "Severity", "did_you_mean", "shown"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, at one place.

    Args:
        line: From 1; `\\n`, `\\r\\n` and `\\r` each end one line.
        column: From 1, in characters.
        severity: An `error` stops the profile from being used, a `warning` does not.
        message: What is wrong and what is allowed.
        code: A stable word for the engine: `grant` (a path needs the user's consent), `missing`,
            or "".
        path: The path that the problem is about, or "".
    """

    line: int
    column: int
    severity: Severity
    message: str
    code: str = field(default="", compare=False)
    path: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean "x"?` for the nearest known word, or ""."""
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""


def shown(text: str, limit: int = 60) -> str:
    """`text` in quotes, short and free of control characters, for a message on a terminal."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    safe = "".join(ch if ch.isprintable() else ascii(ch)[1:-1] for ch in cut)
    return f'"{safe}"'
