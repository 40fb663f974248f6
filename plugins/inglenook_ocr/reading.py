"""Reads the pages of one file with Tesseract and decides what of it is text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inglenook.errors import Cancelled, LoadError
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, Section
from inglenook_ocr.languages import READ_FROM_THE_RIGHT, chosen
from inglenook_ocr.pictures import Pictures
from inglenook_ocr.tesseract import Layout, Page, PictureUnreadable, Tesseract, TookTooLong
from inglenook_ocr.words import Word, are_noise, clear_ones, page_text, with_latin

__all__ = ["Reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read.

    Args:
        tesseract: The program.
        languages: What to look for; empty finds out the script of each page first.
        page_timeout_s: The most seconds for each run of the program.
    """

    tesseract: Tesseract
    languages: tuple[str, ...]
    page_timeout_s: float

    def pages(
        self, pictures: Pictures, request: LoadRequest, cancel: CancelToken
    ) -> Iterator[Section | Notice]:
        """Yield a section or a notice for each page wanted. Raises `LoadError`, `Cancelled`."""
        texts, characters = 0, 0
        failures: list[Exception] = []
        wanted = sorted(set(request.pages)) or range(1, pictures.count + 1)
        for number in wanted:
            if cancel.cancelled:
                raise Cancelled
            if not 1 <= number <= pictures.count:
                continue
            try:
                page = pictures.page(number)
                words = [] if page is None else self._words(page, cancel)
            except (PictureUnreadable, TookTooLong) as error:
                failures.append(error)
                yield _unread(number, error)
                continue
            clear = clear_ones(words)
            if not words or are_noise(words):
                yield _nothing(number, noise=bool(words))
                continue
            text = page_text(clear)
            characters += len(text)
            if characters > request.max_characters:
                raise LoadError(
                    f"{request.name} has more than {request.max_characters:,} characters of text.",
                    reason="too large",
                )
            texts += 1
            yield Section(text, Locator("page", number))
            if len(clear) < len(words):
                yield _unclear(number, len(words) - len(clear))
        if not texts:
            raise _without_text(request.name, len(wanted), failures)

    def _words(self, page: Page, cancel: CancelToken) -> list[Word]:
        layout = Layout(is_turned=True)
        if not self.languages:
            layout = self.tesseract.layout(page, self.page_timeout_s, cancel)
        names = self.languages or chosen(self.tesseract.languages, layout.script)
        words = self._read(page, names, layout, cancel)
        latin = chosen(self.tesseract.languages, "Latin")[:1]
        if layout.script in READ_FROM_THE_RIGHT and words and not set(latin) & set(names):
            words = with_latin(words, self._read(page, (*names, *latin), layout, cancel))
        return words

    def _read(
        self, page: Page, names: tuple[str, ...], layout: Layout, cancel: CancelToken
    ) -> list[Word]:
        return self.tesseract.words(
            page, names, self.page_timeout_s, cancel, turned=layout.is_turned
        )


def _unread(number: int, error: Exception) -> Notice:
    why = "it took too long" if isinstance(error, TookTooLong) else str(error)
    return Notice("page-unreadable", f"page {number}: could not be recognised: {why}", page=number)


def _nothing(number: int, *, noise: bool) -> Notice:
    found = "only noise was recognised, which is left out" if noise else "no text was recognised"
    return Notice("page-without-text", f"page {number}: {found}", page=number)


def _unclear(number: int, words: int) -> Notice:
    return Notice(
        "unclear-words", f"page {number}: {words:,} word(s) too unclear to read were left out"
    )


def _without_text(name: str, pages: int, failures: list[Exception]) -> LoadError:
    if len(failures) < pages:
        return LoadError(
            f"{name}: no text was recognised on its {pages:,} page(s).",
            reason="no text: needs OCR",
        )
    if any(isinstance(failure, TookTooLong) for failure in failures):
        return LoadError(
            f"{name}: recognising its text takes too long.",
            reason="timed out",
            hint="Give each page more time with the option page_timeout_s.",
        )
    return LoadError(f"{name}: none of its {pages:,} page(s) could be read.", reason="broken")
