"""Turns the bytes of RTF text into characters: the font, or the document, names the code page.

Source: Rich Text Format Specification 1.9.1, "Font Table" and "Character Set".
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from inglenook_office.visible_text import symbol

__all__ = ["Font", "Fonts"]

_CODE_PAGES = {
    0: "cp1252", 77: "mac_roman", 78: "cp932", 79: "cp949", 80: "gbk", 81: "cp950",
    83: "cp1255", 84: "cp1256", 85: "mac_greek", 86: "mac_turkish", 88: "mac_latin2",
    89: "mac_cyrillic", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "cp950",
    161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 179: "cp1256",
    180: "cp1256", 181: "cp1255", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
    254: "cp437", 255: "cp850",
}  # fmt: skip
_SYMBOLS = 2
_UNSAID = (0, 1)
_RIGHT_TO_LEFT = (177, 178, 179, 180, 181)
_FOREIGN = re.compile(rb"[\x80-\xff]{2,}|(?<![A-Za-z])[\x80-\xff](?![A-Za-z])")


@dataclass(slots=True)
class Font:
    """A font of the document's table."""

    charset: int = 1
    name: str = ""
    code_page: str = ""


class Fonts:
    """The fonts of a document, and the code page that it names for itself."""

    def __init__(self) -> None:
        self.document_code_page = "cp1252"
        self._fonts: dict[int, Font] = {}

    def font(self, number: int) -> Font:
        """The font of this number, made if it is new."""
        return self._fonts.setdefault(number, Font())

    def set_code_page(self, number: int) -> None:
        """Take over `\\ansicpg`."""
        name = codec_of(number)
        if name:
            self.document_code_page = name

    def decoded(self, data: bytes, number: int, associated: int) -> str:
        """The characters of text in a font; `associated` is the one for the other direction."""
        font = self._fonts.get(number, Font())
        if font.charset == _SYMBOLS:
            return "".join(symbol(byte, font.name or "symbol") for byte in data)
        if data.isascii():
            return data.decode("ascii")
        return data.decode(self._code_page(data, font, associated), errors="replace")

    def symbol(self, code: int, number: int) -> str:
        """A character of the private use area, which only its font explains."""
        return symbol(code, self._fonts.get(number, Font()).name)

    def _code_page(self, data: bytes, font: Font, associated: int) -> str:
        if font.code_page:
            return font.code_page
        if font.charset not in _UNSAID:
            return _CODE_PAGES.get(font.charset, self.document_code_page)
        # Fonts are called western that are not. No western word is made of accented letters only.
        other = self._fonts.get(associated, Font())
        if _FOREIGN.search(data) and other.charset in _RIGHT_TO_LEFT:
            return _CODE_PAGES[other.charset]
        if font.charset == 1 or _FOREIGN.search(data):
            return self.document_code_page
        return "cp1252"


def codec_of(code_page: int) -> str:
    """The name of Python's codec for a Windows code page; "" if there is none."""
    names = {10000: "mac_roman", 65001: "utf-8", 936: "gbk", 1361: "johab"}
    name = names.get(code_page, f"cp{code_page}")
    try:
        codecs.lookup(name)
    except LookupError:
        return ""
    return name
