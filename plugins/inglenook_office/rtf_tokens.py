"""Cuts RTF into tokens: groups, control words with their number, bytes of text.

Source: Rich Text Format Specification 1.9.1, "RTF Syntax".
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from mmap import mmap
from typing import NamedTuple

__all__ = ["CLOSE", "OPEN", "PAUSE", "TOKENS_BETWEEN_PAUSES", "Token", "tokens"]

OPEN, CLOSE = "{", "}"
TOKENS_BETWEEN_PAUSES = 20_000

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


def tokens(source: bytes | mmap, known: Container[str]) -> Iterator[Token]:
    """Yield the tokens; of control words those that are `known`, and what stands behind `\\*`.

    Pictures that are kept as plain bytes (`\\bin`) are left out. Now and then a token without
    anything is yielded, so that the caller can look up from its work.
    """
    position, end, count = 0, len(source), 0
    match_at, is_starred = _TOKEN.match, False
    while position < end:
        count += 1
        if not count % TOKENS_BETWEEN_PAUSES:
            yield PAUSE
        match = match_at(source, position)
        assert match is not None  # every byte is some token
        position = match.end()
        kind = match.lastindex
        if kind in (2, 3):
            word = match[2].decode("ascii")
            if word == "bin":
                position += min(max(int(match[3] or 0), 0), end - position)
            elif word in known or is_starred:
                yield Token(word, int(match[3]) if kind == 3 else None)
        elif kind == 6:
            yield Token("", data=match[6])
        elif kind == 1:
            yield Token("", data=bytes((int(match[1], 16),)), is_hex=True)
        elif kind == 5:
            yield Token(match[5].decode("ascii"))
        elif kind == 4:
            yield _symbol(match[4])
        is_starred = match[4] == b"*"


def _symbol(data: bytes) -> Token:
    """A control symbol; braces and backslashes are text when they are escaped."""
    return Token("", data=data) if data in b"\\{}" else Token(data.decode("latin-1"))


PAUSE = Token("")
