"""The texts that authors write about pictures, for those who cannot see them."""

from __future__ import annotations

from inglenook_office.visible_text import one_line

__all__ = ["alternative_text"]

_MADE_UP = ("automatically generated", "generated with ", "description automatically")
_FILE_NAMES = (".png", ".jpg", ".jpeg", ".gif", ".emf", ".wmf", ".bmp", ".tif", ".tiff", ".svg")


def alternative_text(text: str) -> str:
    """What an author wrote about a picture; "" for what a program made up."""
    text = one_line(text)
    lower = text.lower()
    if any(made_up in lower for made_up in _MADE_UP) or lower.endswith(_FILE_NAMES):
        return ""
    return text
