"""Repairs the text that PDF pages give: controls, ligatures, blanks, words cut at line ends.

What concerns Hebrew and Arabic alone is in `right_to_left`.
"""

from __future__ import annotations

import re
import unicodedata

from inglenook_pdf.right_to_left import joined_pieces, with_sides_put_right, without_backward_lines

__all__ = ["is_garbled", "readable"]

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

_CUT_WORD = re.compile(r"([^\W\d_]+)-\n([^\W\d_]+)")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")

_GARBLED_SHARE = 0.15
_FEWEST_WORDS = 20
_LATIN_WORD = re.compile(r"(?<![^\W_])[^\W\d_]{4,}(?![^\W_])")
_VOWELS = frozenset("aeiouyæœøıəɛɔ")
_MOST_WITHOUT_VOWEL = 0.25
_MOST_MIXED = 0.3
_FEWEST_FINALS = 8
_MOST_FINALS_INSIDE = 0.4
_FINAL_LETTER = re.compile(r"[\u05d0-\u05ea][ךםןףץ]|[\u0621-\u064a]ة")
_FINAL_INSIDE = re.compile(r"[ךםןףץ](?=[\u05d0-\u05ea])|ة(?=[\u0621-\u064a])")


def readable(raw: str, *, lines_are_whole: bool = False) -> str:
    """The text of a page as a person would type it: "" if nothing is on it.

    With `lines_are_whole`, the lines are those of the page; otherwise Hebrew and Arabic may come
    with a word a line, and are joined.
    """
    text = _SURROGATES.sub("\ufffd", raw.replace("\r\n", "\n").replace("\r", "\n"))
    text = _BLANKS.sub(" ", text.translate(_REPAIRS))
    lines = without_backward_lines([line.strip() for line in text.split("\n")])
    if not lines_are_whole:
        lines = joined_pieces(lines)
    lines = with_sides_put_right(lines)
    return _with_whole_words(_MANY_LINE_ENDS.sub("\n\n", "\n".join(lines)).strip())


def is_garbled(text: str) -> bool:
    """Whether the text cannot be what the page shows, as with a font that has no right map.

    Only what no language does counts: many characters that are none, scripts mixed inside words,
    Latin words without vowels, letters in the middle of words that can only end them.
    """
    shown = [character for character in text if not character.isspace()]
    odd = sum(
        character == "\ufffd" or unicodedata.category(character) in ("Co", "Cn", "Cc")
        for character in shown
    )
    if odd > _GARBLED_SHARE * len(shown):
        return True
    return _mixes_scripts(text) or _has_no_vowels(text) or _has_finals_inside(text)


def _mixes_scripts(text: str) -> bool:
    words = [word for word in re.findall(r"[^\W\d_]{3,}", text)]
    if len(words) < _FEWEST_WORDS:
        return False
    mixed = sum(len({_script(letter) for letter in word}) > 1 for word in words)
    return mixed > _MOST_MIXED * len(words)
