"""Repairs the text that PDF pages give: controls, ligatures, blanks, words cut at line ends.

What concerns Hebrew and Arabic alone is in `right_to_left`, what cannot be text in `garbled`.
"""

from __future__ import annotations

import re
import unicodedata

from inglenook_pdf.right_to_left import (
    has_right_to_left,
    joined_pieces,
    with_sides_put_right,
    without_backward_lines,
)

__all__ = ["readable"]

_FOLDED = (
    range(0xFB00, 0xFB07),  # Latin ligatures
    range(0xFB13, 0xFB18),  # Armenian ligatures
    range(0xFB1D, 0xFDFE),  # Hebrew and Arabic presentation forms
    range(0xFE70, 0xFEFD),
)
_FORMS = {
    code: unicodedata.normalize("NFKC", chr(code)).strip()
    for codes in _FOLDED
    for code in codes
    if unicodedata.category(chr(code)) != "Cn"
}
_BIDI_CONTROLS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)
_CONTROLS = (code for code in range(0x20) if code not in (0x09, 0x0A, 0x0D))
_REPAIRS = {
    **dict.fromkeys(_BIDI_CONTROLS),
    **dict.fromkeys(_CONTROLS),
    **_FORMS,
    0xFEFF: None,
    0xAD: None,
    0xA0: " ",
}
_BLANKS = re.compile(r"[^\S\n]+")
_MANY_LINE_ENDS = re.compile(r"\n{3,}")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_SOFT_HYPHEN_AT_END = re.compile(r"\u00ad[^\S\n]*\n[^\S\n]*")
_WORD_AT_END = re.compile(r"(?<![^\W\d_])([^\W\d_]+)[-\u2010]\n([^\W\d_]+)")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_FEWEST_CUTS_A_LINE = 0.04
_FEWEST_LETTERS_OF_A_PART = 4


def readable(raw: str, *, lines_are_whole: bool = False) -> str:
    """The text of a page as a person would type it: "" if nothing is on it.

    With `lines_are_whole`, the lines are those of the page; otherwise Hebrew and Arabic may come
    with a word a line, and are joined.
    """
    text = _SURROGATES.sub("\ufffd", raw.replace("\r\n", "\n").replace("\r", "\n"))
    text = _SOFT_HYPHEN_AT_END.sub("", text).translate(_REPAIRS)
    lines = [line.strip() for line in _BLANKS.sub(" ", text).split("\n")]
    if has_right_to_left(text):
        lines = without_backward_lines(lines)
        lines = with_sides_put_right(lines if lines_are_whole else joined_pieces(lines))
    text = "\n".join(lines).strip()
    return _with_whole_words(_MANY_LINE_ENDS.sub("\n\n", text))


def _with_whole_words(text: str) -> str:
    """Join words that a hyphen cuts at the end of a line.

    Whether the hyphen belongs to the word, the rest of the page shows: "fine-tuned" or "efficient"
    may stand elsewhere on it, and a typesetter that cuts words cuts many.
    """
    cuts = len(_WORD_AT_END.findall(text))
    if not cuts:
        return text
    words_are_cut = cuts >= _FEWEST_CUTS_A_LINE * text.count("\n")
    words = {word.casefold() for word in _WORD.findall(_WORD_AT_END.sub(" ", text))}

    def joined(cut: re.Match[str]) -> str:
        before, after = cut[1], cut[2]
        with_hyphen, without = f"{before}-{after}", before + after
        if with_hyphen.casefold() in words:
            return with_hyphen
        if without.casefold() in words:
            return without
        if len(before) == 1 or not after[0].islower() or not words_are_cut:
            return with_hyphen
        is_compound = (
            min(len(before), len(after)) >= _FEWEST_LETTERS_OF_A_PART
            and {
                before.casefold(),
                after.casefold(),
            }
            <= words
        )
        return with_hyphen if is_compound else without

    return _WORD_AT_END.sub(joined, text)
