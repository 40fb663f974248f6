"""Finds text in pictures and scanned pages with Tesseract, where that is installed."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

from inglenook.factories import Factory, Option, Register
from inglenook.hookspecs import hookimpl

_LANGUAGE_FOLDERS = (
    "/usr/share/tesseract-ocr/*/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)


@hookimpl
def register_loaders(register: Register) -> None:
    register(
        Factory(
            name="tesseract",
            summary="Text in pictures and scanned pages, recognised by Tesseract.",
            load="inglenook_ocr.loader:TesseractLoader",
            options=(
                Option(
                    "languages",
                    list,
                    (),
                    "Tesseract's names of the languages to look for, such as heb,eng;"
                    " none lets it find out the script of each page.",
                ),
                Option(
                    "page_timeout_s", int, 120, "The most seconds for a page.", minimum=1
                ),
            ),
            capabilities={
                "extensions": (
                    ".pdf", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif",
                ),
                "media_types": (
                    "application/pdf", "image/png", "image/jpeg", "image/tiff", "image/bmp",
                    "image/webp", "image/gif",
                ),
                "recognises": ("pages",),
                "preference": ("90",),
            },
            requires=("pypdfium2",),
            extra="ocr",
            version=_version(),
        )
    )  # fmt: skip


def _version() -> str:
    """Another one when Tesseract comes, goes or learns a language: sources are read again then."""
    program = shutil.which("tesseract")
    if program is None:
        return "1"
    installed = [str(Path(program).stat().st_size), *sorted(_languages())]
    return f"1+tesseract-{zlib.crc32(' '.join(installed).encode()):08x}"


def _languages() -> Iterator[str]:
    folders = [os.environ["TESSDATA_PREFIX"]] if "TESSDATA_PREFIX" in os.environ else []
    for pattern in (*folders, *_LANGUAGE_FOLDERS):
        path = Path(pattern)
        for folder in Path(path.anchor).glob(str(path.relative_to(path.anchor))):
            yield from (file.name for file in folder.glob("*.traineddata"))
