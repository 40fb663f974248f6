"""Splits the value of one of our own instructions into words: `NAME key=value key="a value"`.

A quoted word ends at a quote that a blank or the end follows; there are no escapes, as everywhere
in the file.
"""

from __future__ import annotations

import re

__all__ = ["quote_word", "split_words", "starts_with_quoted_word"]

_BLANK = " \t"
_KEY = r"[A-Za-z][A-Za-z0-9_-]*"
_OPTION = re.compile(rf'({_KEY})=("(?P<q>.*?)"(?=[ \t]|$)|(?P<u>[^\s"][^ \t]*)?)')
_FIRST = re.compile(r'"(.+?)"(?=[ \t])')


def starts_with_quoted_word(line: str) -> bool:
    """Whether `line` is a quoted word followed by options: `"a b" optional=true`."""
    first = _FIRST.match(line)
    if first is None or line.startswith('"""'):
        return False
    return trailing_options(line[first.end() :]) is not None


def trailing_options(text: str) -> tuple[tuple[str, str], ...] | None:
    """The `key=value` words that `text` consists of; None if there is anything else or nothing."""
    options = []
    position = 0
    while position < len(text):
        if text[position] in _BLANK:
            position += 1
            continue
        match = _OPTION.match(text, position)
        if match is None or (match.end() < len(text) and text[match.end()] not in _BLANK):
            return None
        options.append((match[1], match["q"] if match["q"] is not None else match["u"] or ""))
        position = match.end()
    return tuple(options) or None


def split_words(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The first part of `text` and the options behind it.

    The first part is a quoted word or everything up to the first option, with its inner blanks.
    """
    if starts_with_quoted_word(text):
        first = _FIRST.match(text)
        assert first is not None
        return first[1], trailing_options(text[first.end() :]) or ()
    for match in re.finditer(rf"(?:^|[ \t])(?={_KEY}=)", text):
        options = trailing_options(text[match.end() :])
        if options is not None:
            return text[: match.start()].strip(_BLANK), options
    return text.strip(_BLANK), ()


def quote_word(value: str) -> str:
    """`value` as the value of an option, quoted where it must be."""
    if value and not any(ch.isspace() for ch in value) and not value.startswith('"'):
        return value
    return f'"{value}"'
