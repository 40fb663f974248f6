"""Cuts HTML into tags and text in one pass, in time linear in its length.

The standard library's parser, and what is built on it, takes quadratic time for pages of unclosed
comments and tags in the older Python releases that this project supports. Follows the tokenizer
of the HTML standard (section 13.2.5) as far as visible text needs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape

__all__ = ["EndTag", "StartTag", "tokens"]

_NAME = re.compile(r"[A-Za-z][^\s/>]{0,99}")
_REST_OF_TAG = re.compile(r"(?:[^\"'>]|\"[^\"]*\"|'[^']*')*+>")
_LONGEST_TAG = 8_192
_ATTRIBUTE = re.compile(r"([^\s\"'>/=]{1,100})(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?")
_RAW_TEXT = frozenset(("script", "style", "textarea", "title", "xmp", "noembed", "noframes"))
_WANTED = frozenset(("hidden", "style", "id", "alt", "role", "epub:type"))


@dataclass(frozen=True, slots=True)
class StartTag:
    """A start tag, with those of its attributes that were asked for. `closed` is for `<p/>`."""

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    closed: bool = False


@dataclass(frozen=True, slots=True)
class EndTag:
    name: str


def tokens(page: str, wanted: frozenset[str] = _WANTED) -> Iterator[StartTag | EndTag | str]:
    """Yield tags, and text with its character references resolved, in order.

    `wanted` names the attributes that are read.
    """
    position = 0
    while position < len(page):
        begin = page.find("<", position)
        if begin < 0:
            yield unescape(page[position:])
            return
        if begin > position:
            yield unescape(page[position:begin])
        following = page[begin + 1 : begin + 2]
        if following.isalpha():
            tag, position = _start_tag(page, begin, wanted)
            yield tag
            if tag.name in _RAW_TEXT and not tag.closed:
                raw, position = _raw_text(page, position, tag.name)
                yield raw
        elif following in ("/", "!", "?") and following:
            position = _end_of_other(page, begin)
            name = _NAME.match(page, begin + 2) if following == "/" else None
            if name:
                yield EndTag(name[0].lower())
        else:
            yield "<"
            position = begin + 1


def _start_tag(page: str, begin: int, wanted: frozenset[str]) -> tuple[StartTag, int]:
    name = _NAME.match(page, begin + 1)
    start = name.end() if name else begin + 2
    match = _REST_OF_TAG.match(page, start, start + _LONGEST_TAG)
    end = match.end() if match else _after(page, ">", start)
    inside = page[start:end].rstrip(">")[:_LONGEST_TAG]
    attributes = {
        found[1].lower(): unescape(found[2] or found[3] or found[4] or "")
        for found in _ATTRIBUTE.finditer(inside)
        if found[1].lower() in wanted
    }
    closed = inside.endswith("/")
    return StartTag(name[0].lower() if name else "", attributes, closed), end


def _raw_text(page: str, start: int, name: str) -> tuple[str, int]:
    match = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(page, start)
    end = match.start() if match else len(page)
    text = page[start:end]
    return (unescape(text) if name in ("title", "textarea") else text), end


def _end_of_other(page: str, begin: int) -> int:
    if page.startswith("<!--", begin):
        return _after(page, "-->", begin + 4)
    if page.startswith("<![CDATA[", begin):
        return _after(page, "]]>", begin + 9)
    return _after(page, ">", begin + 2)


def _after(page: str, mark: str, start: int) -> int:
    """The offset behind the mark. Without one the page ends there, as in a browser."""
    found = page.find(mark, start)
    return len(page) if found < 0 else found + len(mark)
