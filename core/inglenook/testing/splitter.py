"""The conformance kit for splitters: subclass `SplitterKit` and fill in `splitter`."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from inglenook.protocols import Splitter
from inglenook.testing.guard import Kit
from inglenook.types import ChunkText, Locator, Section

__all__ = ["SplitterKit", "count_words", "uncovered"]

_PROSE = "\n\n".join(
    f"{number}. Rules\n\nA password has at least {number + 10} characters. Dr. Smith keeps it"
    f" for 3.5 days. Nobody else does! Is that clear?\n- one item\n- another item"
    for number in range(1, 40)
)
_TEXTS = {
    "prose": _PROSE,
    "one line": "word " * 3_000,
    "one word": "x" * 20_000,
    "blank ends": "\n\n  Hello there.  \n\n",
    "hebrew": "הסיסמה חייבת להכיל ארבעה עשר תווים. יש להחליף אותה מדי שנה! " * 60,
    "chinese": "密码必须至少包含十四个字符。每年更换一次！" * 200,
}


def count_words(texts: Sequence[str]) -> list[int]:
    """A count of tokens as of a simple tokenizer: a word of up to 6 characters is one."""
    return [sum(-(-len(word) // 6) for word in text.split()) for text in texts]


def uncovered(section: Section, chunks: Sequence[ChunkText]) -> str:
    """The characters of a section that are not white space and in no chunk."""
    covered = bytearray(len(section.text))
    for chunk in chunks:
        first = chunk.start - section.start
        covered[first : chunk.end - section.start] = b"\1" * (chunk.end - chunk.start)
    return "".join(
        character
        for character, is_covered in zip(section.text, covered, strict=True)
        if not is_covered and not character.isspace()
    )


class SplitterKit(Kit):
    """What every splitter must do. `splitter` is a fixture that returns one."""

    limit = 40

    @pytest.fixture
    def splitter(self) -> Splitter:
        raise NotImplementedError("return a splitter")

    @pytest.fixture(params=sorted(_TEXTS))
    def section(self, request: pytest.FixtureRequest) -> Section:
        return Section(_TEXTS[request.param], Locator("page", 3), ("Rules",), start=0)

    def test_satisfies_the_protocol(self, splitter: Splitter) -> None:
        """Fix: give the class `split`."""
        assert isinstance(splitter, Splitter)

    def test_chunks_are_slices_of_the_section(self, splitter: Splitter, section: Section) -> None:
        """Fix: cut the text, do not rewrite it; add `section.start` to the offsets."""
        moved = Section(section.text, section.locator, section.headings, start=1_000)
        for chunk in splitter.split(moved, self.limit, count_words):
            assert moved.text[chunk.start - 1_000 : chunk.end - 1_000] == chunk.text

    def test_no_character_is_lost(self, splitter: Splitter, section: Section) -> None:
        """Fix: every character that is not white space stands in a chunk."""
        assert uncovered(section, list(splitter.split(section, self.limit, count_words))) == ""

    def test_no_chunk_is_over_the_limit(self, splitter: Splitter, section: Section) -> None:
        """Fix: cut a sentence, and a word, that no chunk can hold."""
        chunks = list(splitter.split(section, self.limit, count_words))
        assert max(count_words([chunk.text for chunk in chunks])) <= self.limit

    def test_chunks_come_in_order(self, splitter: Splitter, section: Section) -> None:
        """Fix: yield them from the first to the last; they may overlap but not go back."""
        starts = [chunk.start for chunk in splitter.split(section, self.limit, count_words)]
        assert starts == sorted(set(starts))

    def test_no_chunk_is_blank(self, splitter: Splitter, section: Section) -> None:
        """Fix: leave out what holds nothing but white space."""
        chunks = list(splitter.split(section, self.limit, count_words))
        assert all(chunk.text.strip() for chunk in chunks)

    def test_place_and_headings_are_kept(self, splitter: Splitter, section: Section) -> None:
        """Fix: pass the section's locator and headings on."""
        for chunk in splitter.split(section, self.limit, count_words):
            assert chunk.locator == section.locator
            assert chunk.headings == section.headings

    def test_a_line_locator_is_the_line_where_the_chunk_begins(self, splitter: Splitter) -> None:
        """Fix: add the line ends before the chunk to the section's line."""
        section = Section(_PROSE, Locator("line", 10))
        for chunk in splitter.split(section, self.limit, count_words):
            assert chunk.locator.value == 10 + _PROSE.count("\n", 0, chunk.start)

    def test_a_blank_section_has_no_chunks(self, splitter: Splitter) -> None:
        """Fix: yield nothing."""
        assert list(splitter.split(Section(" \n\n ", Locator("page", 1)), 40, count_words)) == []

    def test_a_short_section_is_one_chunk(self, splitter: Splitter) -> None:
        """Fix: do not cut what fits."""
        section = Section("One. Two.\n\nThree.", Locator("page", 1))
        chunks = list(splitter.split(section, self.limit, count_words))
        assert [chunk.text for chunk in chunks] == [section.text]
