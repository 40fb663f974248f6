"""Reads PDF files, a section for each page."""

from __future__ import annotations

from inglenook.factories import Factory, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_loaders(register: Register) -> None:
    register(
        Factory(
            name="pypdf",
            summary="PDF files with a text layer.",
            load="inglenook_pdf.pypdf_loader:PdfLoader",
            capabilities={"extensions": (".pdf",), "media_types": ("application/pdf",)},
            requires=("pypdf",),
            extra="pdf",
        )
    )
