"""Text that others wrote (models, documents, users), made safe to put on a terminal.

Markup is never parsed in it and no visible character is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from textual.content import Content

__all__ = ["one_line", "plain_text", "shown"]


def _replacements() -> Mapping[int, str | None]:
    controls = [code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"]
    # A lone surrogate (an undecodable byte in a file name) cannot be written to a terminal.
    return dict.fromkeys(controls) | dict.fromkeys(
        range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}"
    )


_REPLACEMENTS = MappingProxyType(_replacements())


def plain_text(text: str) -> str:
    """The text without control characters, which could rewrite the screen. Lines and tabs stay."""
    return text.translate(_REPLACEMENTS)


def one_line(text: str) -> str:
    """The text on one line, for lists and bars."""
    return " ".join(plain_text(text).split())


def shown(text: str, style: str = "") -> Content:
    """The text as a widget can show it, in one style and with no markup parsed."""
    safe = plain_text(text)
    return Content.styled(safe, style) if style and safe else Content(safe)
