"""Finds out what a file is from its first bytes, for files whose name says something else."""

from __future__ import annotations

import zipfile
from pathlib import Path

__all__ = ["true_extension"]

_STARTS = (
    (b"%PDF-", ".pdf"),
    (b"{\\rtf", ".rtf"),
    (b"\x89PNG\r\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x1f\x8b", ".gz"),
    (b"BZh", ".bz2"),
    (b"\xfd7zXZ", ".xz"),
)
_HTML = (b"<!doctype html", b"<html")
_ZIP_MEMBERS = (
    ("word/document.xml", ".docx"),
    ("ppt/presentation.xml", ".pptx"),
    ("xl/workbook.xml", ".xlsx"),
)
_MEDIA_TYPES = {
    "application/epub+zip": ".epub",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.oasis.opendocument.presentation": ".odp",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
}
_HEAD_BYTES = 1024


def true_extension(path: Path) -> str:
    """The extension that the content asks for, such as `.pdf`; "" if it is not known."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return ""
    for start, extension in _STARTS:
        if head.startswith(start):
            return extension
    if head.startswith(b"PK\x03\x04"):
        return _zip_extension(path)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return ".html" if text.startswith(_HTML) else ""


def _zip_extension(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "mimetype" in names and archive.getinfo("mimetype").file_size < _HEAD_BYTES:
                said = archive.read("mimetype").decode("ascii", "replace").strip()
                return _MEDIA_TYPES.get(said, ".zip")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        # Damaged: nothing can be said about it.
        return ""
    return next((extension for name, extension in _ZIP_MEMBERS if name in names), ".zip")
