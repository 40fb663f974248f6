"""The loader `code`: source code, a section for each top-level definition.

Definitions are found by the look of a line, in the same way for every language: what begins in
the first column with a word that defines something, or looks like a function with a body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.types import CancelToken, LoadRequest, Notice, Section
from inglenook_text.decoding import read_text
from inglenook_text.sections import Heading, sections_by_heading

__all__ = ["CodeLoader"]

_DEFINITION = re.compile(
    r"(?:(?:export|default|pub(?:\([a-z]+\))?|public|private|protected|internal|static|final|async"
    r"|abstract|sealed|data|inline|extern|unsafe|open|override|virtual|partial)\s+)*+"
    r"(?:def|class|function|fn|func|fun|impl|struct|enum|interface|trait|module|namespace|object"
    r"|record|protocol|extension|sub|procedure|defmodule|defp?|CREATE|create)\b.{0,200}"
)
_FUNCTION = re.compile(r"[A-Za-z_][\w \t*&:<>,~]{0,120}\([^;]{0,200}(?:\{|\))\s*\Z")
_CONTROL = re.compile(r"(?:if|else|for|while|switch|return|catch|try|do|print|assert|import)\b")
_ATTACHED = re.compile(r"(?:@|#\[|//|#|--|/\*|\s?\*|template\b)")
_LONGEST_TITLE = 100


class CodeLoader:
    """Implements `protocols.Loader`. The file is one place; a section says its line."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section for each definition; see `decoding.read_text` for what is raised."""
        decoded = read_text(request)
        yield from decoded.notices
        yield from sections_by_heading(decoded.text, _definitions(decoded.text), cancel)


def _definitions(text: str) -> Iterator[Heading]:
    """Each definition begins with the comments and decorators right above it."""
    position = 0
    attached = -1
    for line in text.split("\n"):
        end = position + len(line)
        if _defines(line):
            start = attached if attached >= 0 else position
            # The definition is its own body: nothing of it may slip into the section before.
            yield Heading(start, start, 1, _title(line))
            attached = -1
        elif _ATTACHED.match(line):
            attached = position if attached < 0 else attached
        else:
            attached = -1
        position = end + 1


def _defines(line: str) -> bool:
    if not line or line[0].isspace() or len(line) > 1_000:
        return False
    if _DEFINITION.match(line):
        return True
    return _FUNCTION.match(line) is not None and not _CONTROL.match(line)


def _title(line: str) -> str:
    return " ".join(line.rstrip("{: \t").split())[:_LONGEST_TITLE]
