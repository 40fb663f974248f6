"""Knows the styles of headings by their names, in the languages that office programs speak."""

from __future__ import annotations

import re

__all__ = ["heading_level_of"]

_HEADING = re.compile(
    r"(?:heading|überschrift|berschrift|titre|título|titulo|ttulo|titolo|kop|rubrik|overskrift"
    r"|otsikko|nagłówek|nagwek|nadpis|címsor|cmsor|başlık|balk|titlu|заголовок|επικεφαλίδα"
    r"|כותרת|عنوان|标题|標題|見出し|제목|หัวเรื่อง)[ _-]?([1-9])\Z",
    re.IGNORECASE,
)
_TITLE = re.compile(r"(?:title|titel|título|titolo|titre|название)\Z", re.IGNORECASE)


def heading_level_of(name: str) -> int | None:
    """The level of the headings of a style of this name, 0 for a title; None for plain text."""
    match = _HEADING.match(name.strip())
    if match:
        return int(match[1])
    return 0 if _TITLE.match(name.strip()) else None
