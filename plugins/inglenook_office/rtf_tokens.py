"""Cuts RTF into tokens: groups, control words with their number, bytes of text.

Source: Rich Text Format Specification 1.9.1, "RTF Syntax".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

__all__ = ["CLOSE", "OPEN", "Token", "tokens"]

OPEN, CLOSE = "{", "}"

_TOKEN = re.compile(
    rb"\\(?:'([0-9a-fA-F]{2})|([A-Za-z]{1,40})(-?[0-9]{1,10})? ?|([^A-Za-z]))"
    rb"|([{}])|([^\\{}\r\n]{1,65536})|[\r\n]+|\\",
    re.DOTALL,
)


class Token(NamedTuple):
    """A token: `{`, `}`, a control word or symbol, or text where `word` is "".

    `data` holds the bytes of text; those of one `\\'hh` have `is_hex` set.
    """

    word: str
    number: int | None = None
    data: bytes = b""
    is_hex: bool = False


def tokens(source: bytes | mmap) -> Iterator[Token]:
    """Yield the tokens; pictures that are kept as plain bytes (`\\bin`) are left out."""
    position, end = 0, len(source)
    while position < end:
        match = _TOKEN.match(source, position)
        if match is None:
            position += 1
            continue
        position = match.end()
        kind = match.lastindex
        if kind == 6:
            yield Token("", data=match[6])
        elif kind == 1:
            yield Token("", data=bytes((int(match[1], 16),)), is_hex=True)
        elif kind in (2, 3):
            word = match[2].decode("ascii")
            number = int(match[3]) if match[3] is not None else None
            if word == "bin":
                position += min(max(number or 0, 0), end - position)
            else:
                yield Token(word, number)
        elif kind == 5:
            yield Token(match[5].decode("ascii"))
        elif kind == 4:
            yield Token(match[4].decode("latin-1"))
