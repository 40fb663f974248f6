"""The conformance kit for loaders: subclass `LoaderKit` and fill in three fixtures."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from inglenook.errors import LOAD_REASONS, Cancelled, LoadError
from inglenook.protocols import Loader
from inglenook.testing.guard import Kit
from inglenook.types import CancelToken, LoadRequest, Notice, Section

__all__ = ["LoaderKit", "read"]


def read(
    loader: Loader, path: Path, max_characters: int = 50_000_000
) -> tuple[list[Section], list[Notice]]:
    """Load a file and part its sections from its notices."""
    parts = list(
        loader.load(LoadRequest(path, path.name, max_characters=max_characters), CancelToken())
    )
    return (
        [part for part in parts if isinstance(part, Section)],
        [part for part in parts if isinstance(part, Notice)],
    )


class LoaderKit(Kit):
    """What every loader must do.

    Fixtures: `loader`; `sample`, a good file of its type; `expected`, strings in the order in
    which they stand in the sample. Set `is_one_place` where a file is one place whose sections
    follow each other, and `keeps_file_text` where that text is the file's own text.
    """

    is_one_place = False
    keeps_file_text = False

    @pytest.fixture
    def loader(self) -> Loader:
        raise NotImplementedError("return a loader")

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Path:
        raise NotImplementedError("return the path of a file that the loader reads")

    @pytest.fixture
    def expected(self) -> tuple[str, ...]:
        raise NotImplementedError("return strings in the order in which the sample has them")

    def test_satisfies_the_protocol(self, loader: Loader) -> None:
        """Fix: give the class `load`."""
        assert isinstance(loader, Loader)

    def test_the_text_comes_whole_and_in_reading_order(
        self, loader: Loader, sample: Path, expected: tuple[str, ...]
    ) -> None:
        """Fix: yield every part of the file, from its beginning to its end."""
        text = "\n".join(section.text for section in read(loader, sample)[0])
        position = 0
        for part in expected:
            assert part in text[position:]
            position = text.index(part, position) + len(part)

    def test_no_section_is_blank(self, loader: Loader, sample: Path) -> None:
        """Fix: yield a notice for a place without text, not an empty section."""
        sections, _ = read(loader, sample)
        assert sections
        assert all(section.text.strip() for section in sections)

    def test_offsets_place_each_section_in_its_place(self, loader: Loader, sample: Path) -> None:
        """Fix: `start` is where the section begins in the text of its place (see `Section`)."""
        sections, _ = read(loader, sample)
        if not self.is_one_place:
            assert all(section.start == 0 for section in sections)
            assert len({section.locator for section in sections}) == len(sections)
            return
        content = sample.read_text("utf-8") if self.keeps_file_text else ""
        end = 0
        for section in sections:
            assert section.start >= end
            end = section.start + len(section.text)
            if self.keeps_file_text:
                assert content[section.start : end] == section.text
                assert section.locator.value == content.count("\n", 0, section.start) + 1

    def test_reading_again_gives_the_same(self, loader: Loader, sample: Path) -> None:
        """Fix: keep no state between files."""
        assert read(loader, sample) == read(loader, sample)

    def test_sections_can_cross_to_another_process(self, loader: Loader, sample: Path) -> None:
        """Fix: yield plain `Section` and `Notice` values."""
        sections, _ = read(loader, sample)
        assert pickle.loads(pickle.dumps(sections)) == sections  # noqa: S301 - our own bytes

    def test_text_past_the_limit_is_refused(self, loader: Loader, sample: Path) -> None:
        """Fix: raise LoadError with reason "too large"; do not cut."""
        with pytest.raises(LoadError) as caught:
            read(loader, sample, max_characters=5)
        assert caught.value.reason == "too large"

    def test_a_missing_file_is_unreadable(self, loader: Loader, tmp_path: Path) -> None:
        """Fix: turn OSError into LoadError with reason "unreadable"."""
        with pytest.raises(LoadError, match=r"gone\.file") as caught:
            read(loader, tmp_path / "gone.file")
        assert caught.value.reason == "unreadable"

    def test_an_empty_file_is_an_error_and_says_so(self, loader: Loader, tmp_path: Path) -> None:
        """Fix: raise LoadError that names the file and says that it is empty.

        Its reason is `empty` where files of the format may be so, else `broken`.
        """
        empty = tmp_path / "empty.file"
        empty.touch()
        with pytest.raises(LoadError, match="empty") as caught:
            read(loader, empty)
        assert caught.value.reason in LOAD_REASONS

    def test_a_file_of_another_kind_is_refused(self, loader: Loader, tmp_path: Path) -> None:
        """Fix: raise LoadError with a reason; never another exception, never rubbish as text."""
        other = tmp_path / "other.file"
        other.write_bytes(bytes(range(256)) * 64)
        with pytest.raises(LoadError, match=r"other\.file") as caught:
            read(loader, other)
        assert caught.value.reason in LOAD_REASONS

    def test_a_cancelled_token_stops_the_work(self, loader: Loader, sample: Path) -> None:
        """Fix: look at the token at each section and raise `Cancelled`."""
        cancel = CancelToken()
        cancel.cancel()
        with pytest.raises(Cancelled):
            list(loader.load(LoadRequest(sample, sample.name), cancel))
