"""Reads PDF files, a section for each page, with either of two libraries."""

from __future__ import annotations

from inglenook.factories import Factory, Register
from inglenook.hookspecs import hookimpl

_FILES = {"extensions": (".pdf",), "media_types": ("application/pdf",)}


@hookimpl
def register_loaders(register: Register) -> None:
    register(
        Factory(
            name="pypdfium2",
            summary="PDF files with a text layer, read by PDFium.",
            load="inglenook_pdf.pypdfium2_loader:PdfiumLoader",
            capabilities={**_FILES, "pages": ("any",), "preference": ("40",)},
            requires=("pypdfium2",),
            extra="pdf",
        )
    )
    register(
        Factory(
            name="pypdf",
            summary="PDF files with a text layer, read in Python alone.",
            load="inglenook_pdf.pypdf_loader:PdfLoader",
            capabilities={**_FILES, "pages": ("any",), "preference": ("60",)},
            requires=("pypdf",),
            extra="pdf",
            version="2",
        )
    )
