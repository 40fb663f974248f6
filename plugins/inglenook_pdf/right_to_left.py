"""Repairs lines of Hebrew and Arabic: backward ones, words on lines of their own, marks.

It sees text only. Where the places of the glyphs are known, `visual_order` does better.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = [
    "RIGHT_TO_LEFT",
    "has_right_to_left",
    "joined_pieces",
    "with_sides_put_right",
    "without_backward_lines",
]

RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
"""The letters, for a class of a regular expression."""

_RIGHT_TO_LEFT = re.compile(f"[{RIGHT_TO_LEFT}]")
_LETTER = re.compile(r"[^\W\d_]")
_FEWEST_LETTERS = 12
_MOST_WORDS_A_LINE = 2.0
_MARK_FIRST = re.compile(r"\A([.,:;!?،؛؟]+)([\u0590-\u08ff].*)\Z")

_WORD = re.compile(r"[\u05d0-\u05ea]{2,}|[\u0621-\u064a]{2,}")
_FINAL_FORMS = "ךםןףץة"
_FEWEST_BACKWARD_WORDS = 2
_LEFT_TO_RIGHT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.,:/@%_+-]*[A-Za-z0-9%])?")

_OPENING = {"(": ")", "[": "]", "{": "}", "«": "»"}
_CLOSING = {closing: opening for opening, closing in _OPENING.items()}
_BRACKET = re.compile(r"[()\[\]{}«»]")
_SENTENCE_MARKS = ".,;:!?،؛؟"
_BEFORE_OPENING = "\"'“”„״׳-–—־/=:"
_AFTER_CLOSING = "\"'”״׳-–—־/"


def has_right_to_left(text: str) -> bool:
    return _RIGHT_TO_LEFT.search(text) is not None


def without_backward_lines(lines: list[str]) -> list[str]:
    """Turn the lines round if their words stand in the order of the glyphs, from left to right.

    Some letters can only end words; in backward text they begin them.
    """
    words = _WORD.findall("\n".join(lines))
    begin = sum(word[0] in _FINAL_FORMS for word in words)
    end = sum(word[-1] in _FINAL_FORMS for word in words)
    if begin < _FEWEST_BACKWARD_WORDS or begin <= end:
        return lines
    return [_turned(line) for line in lines]


def _turned(line: str) -> str:
    """Turn a backward line round; numbers and Latin words in it keep their direction."""
    if not _WORD.search(line):
        return line
    return _LEFT_TO_RIGHT.sub(lambda run: run[0][::-1], line[::-1])


def joined_pieces(lines: list[str]) -> list[str]:
    """Join lines of right-to-left text that have a word or two each, as pypdf reports them."""
    text = "".join(lines)
    letters = len(_LETTER.findall(text))
    if letters < _FEWEST_LETTERS or len(_RIGHT_TO_LEFT.findall(text)) < letters / 2:
        return lines
    words = [len(line.split()) for line in lines if line]
    if len(words) <= 3 or sum(words) / len(words) > _MOST_WORDS_A_LINE:
        return lines
    return list(_paragraphs(lines))


def _paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Join the words of each paragraph to one line; a blank line ends a paragraph."""
    words: list[str] = []
    for line in lines:
        if line:
            words.append(_with_mark_behind(line))
        elif words:
            yield " ".join(words)
            yield ""
            words = []
    if words:
        yield " ".join(words)


def _with_mark_behind(word: str) -> str:
    """Put back a mark that stands on the wrong side: ".word" is "word."."""
    match = _MARK_FIRST.match(word)
    return match[2] + match[1] if match else word


def with_sides_put_right(lines: list[str]) -> list[str]:
    """Let brackets open before words and close behind them, in lines of right-to-left text.

    Which of the two a glyph stands for depends on the direction around it, and programs that
    write PDF files disagree about it.
    """
    if _is_mostly_right_to_left("".join(lines)):
        return [_sides_put_right(line) for line in lines]
    return [_sides_put_right(line) if _is_mostly_right_to_left(line) else line for line in lines]


def _is_mostly_right_to_left(text: str) -> bool:
    letters = len(_LETTER.findall(text))
    return bool(letters) and len(_RIGHT_TO_LEFT.findall(text)) * 2 >= letters


def _sides_put_right(line: str) -> str:
    if not _BRACKET.search(line):
        return line
    characters = list(line)
    open_ones: list[str] = []
    for place, character in enumerate(characters):
        opening = _CLOSING.get(character, character)
        if opening not in _OPENING:
            continue
        before = characters[place - 1] if place else " "
        after = characters[place + 1] if place + 1 < len(characters) else " "
        start, end = _looks_like_start(before), _looks_like_end(after)
        opens = opening not in open_ones if start == end else start > end
        if opens:
            open_ones.append(opening)
        elif opening in open_ones:
            open_ones.remove(opening)
        characters[place] = opening if opens else _OPENING[opening]
    return "".join(characters)


def _looks_like_start(before: str) -> int:
    """How much what stands before a bracket says that it opens."""
    return 2 if before.isspace() else int(before in _BEFORE_OPENING or before in _OPENING)


def _looks_like_end(after: str) -> int:
    return 2 if after.isspace() or after in _SENTENCE_MARKS else int(after in _AFTER_CLOSING)
