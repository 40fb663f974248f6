"""Keeps the texts of control tokens in documents and questions from becoming control tokens.

A prompt is tokenised with control tokens recognised, because the template's own must be. So a
marker is put inside every such text in what others wrote; after rendering the prompt is split
there, and each piece is tokenised for itself. Nothing of the text is lost or changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["ESCAPE", "MARKER", "defuse", "split_defused"]

MARKER = "\U0010fffd"
ESCAPE = "\U0010fffc"
"""Private-use characters; where a text has them already they are written as escapes."""

_ESCAPES = {ESCAPE: f"{ESCAPE}0", MARKER: f"{ESCAPE}1"}
_ESCAPED = re.compile(f"{ESCAPE}([01])")


def defuse(text: str, control_tokens: Sequence[str]) -> str:
    """`text` with a marker inside each control token, and where one could form at its edges.

    The edges matter because the template puts its own text beside it (and may trim white space).
    A control token of a single character cannot be split and is left alone.

    Everything that goes through `split_defused` must have come through here, the template's own
    text apart: markers that were in `text` before are escaped, and come out as they were.
    """
    cuts: set[int] = set()
    for token in control_tokens:
        if len(token) > 1:
            cuts.update(match.start() + 1 for match in re.finditer(f"(?={re.escape(token)})", text))
            cuts.update(_edge_cuts(text, token))
    bounds = [0, *sorted(cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(bounds)]
    return MARKER.join(_escape(piece) for piece in pieces)


def split_defused(rendered: str) -> list[str]:
    """The pieces to tokenise one by one; joined they are the prompt."""
    return [_ESCAPED.sub(_unescape, piece) for piece in rendered.split(MARKER) if piece]


def _escape(text: str) -> str:
    if ESCAPE not in text and MARKER not in text:
        return text
    return "".join(_ESCAPES.get(char, char) for char in text)


def _unescape(match: re.Match[str]) -> str:
    return ESCAPE if match[1] == "0" else MARKER


def _edge_cuts(text: str, token: str) -> set[int]:
    """Where to cut so that nothing beside `text` can complete `token` with a part of it."""
    cuts: set[int] = set()
    if not text:
        return cuts
    starts = {0, len(text) - len(text.lstrip())}
    ends = {len(text), len(text.rstrip())}
    for end in ends:
        if any(text.endswith(token[:size], 0, end) for size in range(1, len(token))):
            cuts.add(end)
    for start in starts:
        if any(text.startswith(token[size:], start) for size in range(1, len(token))):
            cuts.add(start)
    for start in starts:
        for end in ends:
            if start < end and text[start:end] in token:
                cuts.update({start, end})
    return cuts
