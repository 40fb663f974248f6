"""Counts how much of a page's text is in fonts that do not say which characters they show."""

from __future__ import annotations

from typing import Any

__all__ = ["FontTally"]

_MOST_WITHOUT_MAP = 0.25


class FontTally:
    """Watches pypdf read the text of a page."""

    def __init__(self) -> None:
        self._characters = 0
        self._without_map = 0

    def visit(self, text: str, _page: Any, _matrix: Any, font: Any, _size: Any) -> None:
        """For `extract_text(visitor_text=…)`."""
        characters = len("".join(text.split()))
        self._characters += characters
        if font is not None and _has_no_map(font):
            self._without_map += characters

    @property
    def are_without_map(self) -> bool:
        return self._without_map > _MOST_WITHOUT_MAP * self._characters


def _has_no_map(font: Any) -> bool:
    """Whether its codes are numbers of glyphs and nothing says what the glyphs are."""
    if font.get("/Subtype") != "/Type0" or "/ToUnicode" in font:
        return False
    if font.get("/Encoding") not in ("/Identity-H", "/Identity-V"):
        return False
    descendants = font.get("/DescendantFonts") or [{}]
    system = descendants[0].get_object().get("/CIDSystemInfo", {}).get_object()
    return str(system.get("/Ordering", "Identity")) == "Identity"
