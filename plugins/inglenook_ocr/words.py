"""What Tesseract recognised on a page: words with places and confidences, and the text of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

__all__ = ["Word", "are_noise", "clear_ones", "page_text", "parsed", "with_latin"]

_CONTROLS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LATIN = re.compile(r"[A-Za-z]{2}")
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff]")
_MARKS_FIRST = re.compile(r"\A([.,:;!?]+)(\S+)\Z")
_CUT_WORD = re.compile(r"(?<=[^\W\d_])-\n(?=[^\W\d_])")

# In percent, as Tesseract states confidences. Measured: clean scans have a mean of 90 and more,
# a poor print of 1871 has 90, textures that Tesseract takes for words have less than 50.
_CLEAR = 60.0
_LEAST_MEAN = 55.0
_LEAST = 30.0
_DOUBTFUL = 70.0
_MUCH_BETTER = 15.0
_LEAST_OVERLAP = 0.5
_COLUMNS = 12
_WORD_LEVEL = "5"


@dataclass(frozen=True, slots=True)
class Word:
    """A word, where it stands in pixels, and how sure Tesseract is of it, in percent.

    `page` counts from 1; `paragraph` and `line` differ where a new one begins.
    """

    text: str
    page: int
    paragraph: tuple[int, int]
    line: int
    left: int
    top: int
    width: int
    height: int
    confidence: float

    def overlap(self, other: Word) -> float:
        """The common area as a share of the area of both."""
        across = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        down = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        if across <= 0 or down <= 0:
            return 0.0
        common = across * down
        return common / (self.width * self.height + other.width * other.height - common)


def parsed(table: str) -> list[Word]:
    """The words of Tesseract's TSV output (its documentation, "TSV output"), in reading order."""
    words: list[Word] = []
    for row in table.splitlines()[1:]:
        cells = row.split("\t")
        if len(cells) != _COLUMNS or cells[0] != _WORD_LEVEL:
            continue
        text = _CONTROLS.sub("", cells[11]).strip()
        if text:
            page, block, paragraph, line, _, left, top, width, height = map(int, cells[1:10])
            place = (left, top, width, height)
            words.append(Word(text, page, (block, paragraph), line, *place, float(cells[10])))
    return words


def with_latin(words: Sequence[Word], others: Sequence[Word]) -> list[Word]:
    """Words of Hebrew or Arabic, with those of `others` that are rather Latin.

    Read together with English, Tesseract takes Hebrew words for Latin ones (NIN for הוא); read
    alone, it makes Hebrew of Latin ones. So the second reading counts only where it is much surer.
    """
    by_row: dict[int, list[Word]] = {}
    for other in others:
        if _LATIN.search(other.text) and not _RIGHT_TO_LEFT.search(other.text):
            for row in _rows(other):
                by_row.setdefault(row, []).append(other)
    chosen: list[Word] = []
    for word in words:
        rivals = [rival for row in _rows(word) for rival in by_row.get(row, ())]
        rival = max(rivals, key=word.overlap, default=None)
        if rival is not None and _is_much_better(rival, word):
            text = _MARKS_FIRST.sub(r"\2\1", rival.text)
            word = replace(word, text=text, confidence=rival.confidence)  # noqa: PLW2901
        chosen.append(word)
    return chosen


def _rows(word: Word) -> range:
    """The strips of the page, of 50 pixels, in which a word stands."""
    return range(word.top // 50, (word.top + word.height) // 50 + 1)


def _is_much_better(rival: Word, word: Word) -> bool:
    return (
        word.confidence < _DOUBTFUL <= rival.confidence
        and rival.confidence > word.confidence + _MUCH_BETTER
        and word.overlap(rival) > _LEAST_OVERLAP
    )


def are_noise(words: Sequence[Word]) -> bool:
    """Whether these are no words: none is clear, or most are doubtful."""
    letters = sum(len(word.text) for word in words)
    mean = sum(word.confidence * len(word.text) for word in words) / max(letters, 1)
    return mean < _LEAST_MEAN or not any(
        word.confidence >= _CLEAR and sum(map(str.isalnum, word.text)) > 1 for word in words
    )


def clear_ones(words: Sequence[Word]) -> list[Word]:
    """Without those that Tesseract only guesses at."""
    return [word for word in words if word.confidence >= _LEAST]


def page_text(words: Sequence[Word]) -> str:
    """Lines as on the page, a blank line between paragraphs, cut words joined."""
    text = "".join(_parts(words)).strip()
    return _CUT_WORD.sub("", text)


def _parts(words: Sequence[Word]) -> Iterator[str]:
    before: Word | None = None
    for word in words:
        if before is None:
            yield word.text
        elif word.paragraph != before.paragraph:
            yield f"\n\n{word.text}"
        elif word.line != before.line:
            yield f"\n{word.text}"
        else:
            yield f" {word.text}"
        before = word
