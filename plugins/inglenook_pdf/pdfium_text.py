"""The text of a page as PDFium finds it, put right where Hebrew or Arabic stand on it."""

from __future__ import annotations

import ctypes
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inglenook_pdf.page_layout import TextLine, laid_out
from inglenook_pdf.right_to_left import has_right_to_left
from inglenook_pdf.visual_order import Glyph, lines_in_reading_order

if TYPE_CHECKING:
    from pypdfium2 import PdfTextPage

__all__ = ["PageCharacters", "page_characters"]

_MOST_SAMPLES = 500
_MOST_UNMAPPED = 0.25
_HYPHEN = "\ufffe"
"""What PDFium makes of a hyphen at the end of a line, together with the line end."""

_HYPHEN_CODE = 2
_LINE = re.compile(r"[^\s\ufffe](?:[^\r\n\ufffe]*[^\s\ufffe])?\ufffe?")
_NOWHERE = 0.05
_ALEFS = "اأإآ"


@dataclass(frozen=True, slots=True)
class PageCharacters:
    """What PDFium found on a page.

    Args:
        text: The text, lines as on the page, before the repairs of `page_text`.
        unmapped: How many characters were left out because their font does not say what they are.
        is_garbled: Whether there are so many of those that the rest is worth nothing.
    """

    text: str
    unmapped: int = 0
    is_garbled: bool = False


def page_characters(textpage: PdfTextPage) -> PageCharacters:
    """Read the characters of a page."""
    page = _Page(textpage)
    if not page.count:
        return PageCharacters("")
    text = textpage.get_text_range()
    unmapped = page.unmapped()
    if len(unmapped) > _MOST_UNMAPPED * len("".join(text.split())):
        return PageCharacters("", is_garbled=True)
    lines: Iterable[TextLine]
    if has_right_to_left(text):
        lines = lines_in_reading_order(list(page.glyphs(unmapped)))
    else:
        lines = map(page.line, page.runs(text, unmapped))
    return PageCharacters(laid_out(list(lines)), len(unmapped))


@dataclass(frozen=True, slots=True)
class _Run:
    """A line with the numbers of its first and last character that is no blank."""

    text: str
    first: int
    last: int


class _Page:
    """The characters of a page by their numbers in PDFium's order."""

    def __init__(self, textpage: PdfTextPage) -> None:
        from pypdfium2 import raw

        self._raw = raw
        self._handle = textpage.raw
        self._runs: dict[int, tuple[float, int]] = {}
        self.count = textpage.count_chars()

    def unmapped(self) -> set[int]:
        """The characters whose code stands for itself because the font says nothing of it.

        A few are looked at first, all of them only if there are some.
        """
        has_error, handle = self._raw.FPDFText_HasUnicodeMapError, self._handle
        step = self.count // _MOST_SAMPLES + 1
        if not any(has_error(handle, at) == 1 for at in range(0, self.count, step)):
            return set()
        return {at for at in range(self.count) if has_error(handle, at) == 1}

    def characters(self, left_out: set[int]) -> Iterator[tuple[int, str]]:
        """(number, character) of each, those beyond the first plane put together."""
        high = 0
        for at in range(self.count):
            if at in left_out:
                continue
            code = self._raw.FPDFText_GetUnicode(self._handle, at)
            if 0xD800 <= code < 0xDC00:
                high = code
                continue
            if high and 0xDC00 <= code < 0xE000:
                code = 0x10000 + ((high - 0xD800) << 10) + code - 0xDC00
            high = 0
            if code == _HYPHEN_CODE:
                yield at, _HYPHEN
            elif code:
                yield at, chr(code)

    def runs(self, text: str, left_out: set[int]) -> Iterator[_Run]:
        """The lines of text that is read from the left, in PDFium's order."""
        numbers: Sequence[int] = range(self.count)
        if left_out or len(text) != self.count:
            numbered = list(self.characters(left_out))
            numbers = [at for at, _ in numbered]
            text = "".join(character for _, character in numbered)
        for found in _LINE.finditer(text):
            yield _Run(found[0], numbers[found.start()], numbers[found.end() - 1])

    def line(self, run: _Run) -> TextLine:
        first, last = self._glyph(run.first, "", 0), self._glyph(run.last, "", 0)
        height = 0.0 if first.angle else first.size
        return TextLine(
            run.text.replace(_HYPHEN, "-"), first.left, last.right, first.baseline, height
        )

    def glyphs(self, left_out: set[int]) -> Iterator[Glyph]:
        """The glyphs in PDFium's order, with all characters that each stands for.

        All characters of a glyph get its place, right-to-left ones in reverse order. Where the
        file says by "ActualText" what a glyph stands for, its width is shared out among them.
        """
        word = 0
        pieces: list[Glyph] = []
        for at, character in self.characters(left_out):
            if character.isspace():
                word += 1
                continue
            glyph = self._glyph(at, "-" if character == _HYPHEN else character, word)
            if pieces and not _are_of_one_glyph(pieces[-1], glyph):
                yield _as_one(pieces)
                pieces = []
            pieces.append(glyph)
        if pieces:
            yield _as_one(pieces)

    def _glyph(self, at: int, character: str, word: int) -> Glyph:
        x, y, box = ctypes.c_double(), ctypes.c_double(), self._raw.FS_RECTF()
        self._raw.FPDFText_GetCharOrigin(self._handle, at, x, y)
        self._raw.FPDFText_GetLooseCharBox(self._handle, at, box)
        size, angle = self._run(at)
        if not angle:
            return Glyph(character, x.value, box.left, box.right, y.value, size, angle, word)
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        corners = [
            across * cosine + up * sine
            for across in (box.left, box.right)
            for up in (box.bottom, box.top)
        ]
        return Glyph(
            character,
            x.value * cosine + y.value * sine,
            min(corners),
            max(corners),
            y.value * cosine - x.value * sine,
            size,
            angle,
            word,
        )

    def _run(self, at: int) -> tuple[float, int]:
        """The size of the font and the angle of the text that a character belongs to."""
        run = self._raw.FPDFText_GetTextObject(self._handle, at)
        key = ctypes.addressof(run.contents) if run else 0
        known = self._runs.get(key)
        if known is None:
            matrix = self._raw.FS_MATRIX()
            self._raw.FPDFText_GetMatrix(self._handle, at, matrix)
            scale = math.hypot(matrix.c, matrix.d) or 1.0
            size = self._raw.FPDFText_GetFontSize(self._handle, at) * scale
            angle = round(math.degrees(math.atan2(matrix.b, matrix.a))) % 360
            known = self._runs[key] = (size, angle)
        return known


def _are_of_one_glyph(first: Glyph, second: Glyph) -> bool:
    return (
        first.word == second.word
        and first.baseline == second.baseline
        and abs(first.origin - second.origin) < _NOWHERE
        and (
            _is_same_box(first, second)
            or abs(first.left - second.right) < _NOWHERE
            or abs(first.right - second.left) < _NOWHERE
        )
    )


def _is_same_box(first: Glyph, second: Glyph) -> bool:
    same_left = abs(first.left - second.left) < _NOWHERE
    return same_left and abs(first.right - second.right) < _NOWHERE


def _as_one(pieces: list[Glyph]) -> Glyph:
    if len(pieces) == 1:
        return pieces[0]
    text = "".join(piece.text for piece in pieces)
    if _is_same_box(pieces[0], pieces[-1]):
        text = _in_reading_order(text)
    return replace(
        pieces[0],
        text=text,
        left=min(piece.left for piece in pieces),
        right=max(piece.right for piece in pieces),
    )


def _in_reading_order(text: str) -> str:
    """Right-to-left characters turned round, unless that puts a mark first or makes alef-lam.

    PDFium leaves what it makes of one presentation form in order, and no ligature is alef-lam.
    """
    if not has_right_to_left(text) or unicodedata.category(text[-1]) == "Mn":
        return text
    if text[0] == "ل" and text[1] in _ALEFS:
        return text
    return text[::-1]
