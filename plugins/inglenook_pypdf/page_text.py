"""Repairs the text that PDF pages give: controls, ligatures, blanks, Hebrew in pieces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

__all__ = ["is_garbled", "readable"]

_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_BIDI_CONTROLS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F)
_REPAIRS = {**dict.fromkeys(_BIDI_CONTROLS), **_LIGATURES, 0: None, 0xFEFF: None, 0xA0: " "}
_BLANKS = re.compile(r"[^\S\n]+")
_MANY_LINE_ENDS = re.compile(r"\n{3,}")
_SURROGATES = re.compile(r"[\ud800-\udfff]")

_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_LETTER = re.compile(r"[^\W\d_]")
_FEWEST_LETTERS = 12
_PIECES = 2.0
_MARK_FIRST = re.compile(r"\A([.,:;!?]+)([\u0590-\u08ff].*)\Z")
_BRACKETS = {")": "(", "(": ")", "]": "[", "[": "]"}
_SWAPPED = str.maketrans("()[]", ")(][")
_HEBREW_WORD = re.compile(r"[\u05d0-\u05ea]{2,}")
_FINAL_FORMS = "ךםןףץ"
_FEWEST_BACKWARD_WORDS = 2
_LEFT_TO_RIGHT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.,:/@%_+-]*[A-Za-z0-9%])?")
_GARBLED_SHARE = 0.15


def readable(raw: str) -> str:
    """The text of a page as a person would type it: "" if nothing is on it."""
    text = _SURROGATES.sub("\ufffd", raw).translate(_REPAIRS)
    text = _BLANKS.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = [line.strip() for line in text.split("\n")]
    if _is_backward(text):
        lines = [_turned(line) for line in lines]
    if _is_in_pieces(lines):
        lines = list(_joined(lines))
    return _MANY_LINE_ENDS.sub("\n\n", "\n".join(lines)).strip()


def is_garbled(text: str) -> bool:
    """Whether much of it is no text: private use, unassigned or replacement characters."""
    shown = [character for character in text if not character.isspace()]
    odd = sum(
        character == "\ufffd" or unicodedata.category(character) in ("Co", "Cn", "Cc")
        for character in shown
    )
    return odd > _GARBLED_SHARE * len(shown)


def _is_backward(text: str) -> bool:
    """Whether Hebrew stands in the order of its glyphs on the page, from left to right.

    Final forms of letters end words; in backward text they begin them.
    """
    words = _HEBREW_WORD.findall(text)
    begin = sum(word[0] in _FINAL_FORMS for word in words)
    end = sum(word[-1] in _FINAL_FORMS for word in words)
    return begin >= _FEWEST_BACKWARD_WORDS and begin > end


def _turned(line: str) -> str:
    """Turn a backward line round; numbers and Latin words in it keep their direction."""
    if not _HEBREW_WORD.search(line):
        return line
    turned = _LEFT_TO_RIGHT.sub(lambda run: run[0][::-1], line[::-1])
    if -1 < turned.find(")") < turned.find("(") or (")" not in turned and turned.endswith("(")):
        turned = turned.translate(_SWAPPED)
    return turned


def _is_in_pieces(lines: list[str]) -> bool:
    """Whether this is right-to-left text with a word or two a line, as pypdf reports it."""
    text = "".join(lines)
    letters = len(_LETTER.findall(text))
    if letters < _FEWEST_LETTERS or len(_RIGHT_TO_LEFT.findall(text)) < letters / 2:
        return False
    words = [len(line.split()) for line in lines if line]
    return len(words) > 3 and sum(words) / len(words) <= _PIECES


def _joined(lines: list[str]) -> Iterator[str]:
    """Join the words of each paragraph to one line; a blank line ends a paragraph."""
    words: list[str] = []
    for line in lines:
        if line:
            words.append(_with_marks_behind(line))
        elif words:
            yield " ".join(words)
            yield ""
            words = []
    if words:
        yield " ".join(words)


def _with_marks_behind(word: str) -> str:
    """Put back what stands on the wrong side: ".word" is "word.", ")word(" is "(word)"."""
    if word[0] in ")]" and _RIGHT_TO_LEFT.search(word):
        word = _BRACKETS[word[0]] + word[1:]
    if word[-1] in "([" and len(word) > 1 and _RIGHT_TO_LEFT.search(word):
        word = word[:-1] + _BRACKETS[word[-1]]
    match = _MARK_FIRST.match(word)
    return match[2] + match[1] if match else word
