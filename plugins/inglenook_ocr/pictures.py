"""The pages of a file as pictures that Tesseract can read."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inglenook.errors import LoadError, MissingDependencyError
from inglenook.types import LoadRequest
from inglenook_ocr.headers import measured
from inglenook_ocr.tesseract import Page, PictureUnreadable

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

__all__ = ["Pictures", "opened"]

_DOTS_PER_INCH = 300
_POINTS_PER_INCH = 72
_MOST_PIXELS = 40_000_000
"""Of a page as drawn: A2 at 300 dots an inch. Larger pages are drawn coarser."""

_MOST_PICTURE_PIXELS = 150_000_000
_HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pages of an open file.

    Args:
        count: How many there are.
        page: Makes one, from 1; None for a page on which nothing is drawn. Raises
            `PictureUnreadable`.
    """

    count: int
    page: Callable[[int], Page | None]


@contextmanager
def opened(request: LoadRequest) -> Iterator[Pictures]:
    """The pages of a PDF or of a picture file.

    Raises `LoadError`: unreadable, broken, encrypted, too large.
    """
    try:
        with request.path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise LoadError(
            f"{request.name} cannot be read: {error.strerror or error}.", reason="unreadable"
        ) from error
    if not head:
        raise LoadError(f"{request.name} is empty (0 bytes).", reason="broken")
    if b"%PDF-" not in head:
        yield _picture_file(request)
        return
    with closing(_open_pdf(request)) as pdf:
        yield Pictures(len(pdf), lambda number: _drawn(pdf, number))


def _picture_file(request: LoadRequest) -> Pictures:
    measure = measured(request.path)
    if measure is None:
        raise LoadError(f"{request.name} is not a picture or is damaged.", reason="broken")
    size_bytes = request.path.stat().st_size
    if measure.pixels > _MOST_PICTURE_PIXELS or size_bytes > request.max_inflated_bytes:
        raise LoadError(
            f"{request.name} has {measure.pixels:,} pixels and {size_bytes:,} bytes;"
            f" {_MOST_PICTURE_PIXELS:,} and {request.max_inflated_bytes:,} are allowed.",
            reason="too large",
        )
    data = request.path.read_bytes()
    several = measure.pages > 1
    return Pictures(measure.pages, lambda number: Page(data, number - 1 if several else None))


def _open_pdf(request: LoadRequest) -> PdfDocument:
    try:
        from pypdfium2 import PdfDocument, PdfiumError, raw
    except ImportError as error:
        raise MissingDependencyError(
            "Drawing PDF pages needs the library pypdfium2, which is not installed.",
            hint="Install it: pip install 'inglenook[ocr]'",
        ) from error
    logging.getLogger("pypdfium2").setLevel(logging.CRITICAL)
    for password in ("", request.password or ""):
        try:
            pdf = PdfDocument(_source(request.path), password=password)
        except PdfiumError as error:
            if error.err_code != raw.FPDF_ERR_PASSWORD:
                raise LoadError(
                    f"{request.name} is not a PDF file or is damaged.", reason="broken"
                ) from error
        else:
            pdf.init_forms()
            return pdf
    raise LoadError(f"{request.name} is encrypted and needs its password.", reason="encrypted")


def _drawn(pdf: PdfDocument, number: int) -> Page | None:
    """A page in shades of grey, as a PGM file (netpbm.sourceforge.net/doc/pgm.html)."""
    from pypdfium2 import PdfiumError

    try:
        with closing(pdf[number - 1]) as page:
            width, height = page.get_size()
            inches = max(width * height, 1.0) / _POINTS_PER_INCH**2
            dots = min(_DOTS_PER_INCH, math.sqrt(_MOST_PIXELS / inches))
            with closing(page.render(scale=dots / _POINTS_PER_INCH, grayscale=True)) as bitmap:
                rows = memoryview(bytes(bitmap.buffer))
                stride, across = bitmap.stride, bitmap.width
                pixels = b"".join(
                    rows[at : at + across] for at in range(0, stride * bitmap.height, stride)
                )
                head = b"P5 %d %d 255\n" % (across, bitmap.height)
    except PdfiumError as error:
        raise PictureUnreadable(str(error)) from error
    if pixels.count(pixels[:1]) == len(pixels):
        return None
    return Page(head + pixels, dots_per_inch=round(dots))


def _source(path: Path) -> Path | bytes:
    """The path, or the bytes of a file that has no name: the binding resolves links first."""
    return path if path.resolve().exists() else path.read_bytes()
