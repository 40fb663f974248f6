"""The loader `tesseract`: text in pictures and in pages of PDF files that have none of their own.

The engine asks it last, for whole files or for the pages in which other loaders found no text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from inglenook.errors import LoadError
from inglenook.types import CancelToken, LoadRequest, Notice, Section
from inglenook_ocr.pictures import opened
from inglenook_ocr.reading import Reading
from inglenook_ocr.tesseract import Tesseract, find

__all__ = ["TesseractLoader"]


class TesseractLoader:
    """Implements `protocols.Loader`. Each page is a place; a picture is a file of one page."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._languages = tuple(options.get("languages") or ())
        self._page_timeout_s = float(options.get("page_timeout_s") or 120)

    @cached_property
    def _installed(self) -> Tesseract | None:
        return find()

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section for each page on which text was recognised, a notice for each other one.

        Raises `LoadError`: unreadable, broken, encrypted, too large, timed out, no text: needs OCR.
        """
        with opened(request) as pictures:
            tesseract = self._installed
            if tesseract is None:
                raise _without_tesseract(request.name)
            reading = Reading(tesseract, self._wanted(tesseract), self._page_timeout_s)
            yield from reading.pages(pictures, request, cancel)

    def _wanted(self, tesseract: Tesseract) -> tuple[str, ...]:
        missing = [name for name in self._languages if name not in tesseract.languages]
        if missing:
            raise LoadError(
                f"Tesseract has no language data for {', '.join(missing)}.",
                reason="unsupported",
                hint=f"It has {', '.join(sorted(tesseract.languages))}."
                f" On Debian: apt install tesseract-ocr-{missing[0]}",
            )
        return self._languages


def _without_tesseract(name: str) -> LoadError:
    return LoadError(
        f"{name} shows pictures; to find text in them the program tesseract is needed, which is not"
        " installed.",
        reason="no text: needs OCR",
        hint="On Debian: apt install tesseract-ocr, and tesseract-ocr-heb or the like for each"
        " language. On macOS: brew install tesseract tesseract-lang",
    )
