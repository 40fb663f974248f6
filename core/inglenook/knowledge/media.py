"""Finds out what a file is from its first bytes, where its name says nothing or something else."""

from __future__ import annotations

import codecs
import re
import zipfile
from pathlib import Path

__all__ = ["HEAD_BYTES", "has_known_start", "is_text", "true_extension"]

HEAD_BYTES = 4096
"""How much of a file is looked at."""

_STARTS = (
    (b"%PDF-", ".pdf"),
    (b"{\\rtf", ".rtf"),
    (b"\x89PNG\r\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x1f\x8b", ".gz"),
    (b"BZh", ".bz2"),
    (b"\xfd7zXZ", ".xz"),
)
_ZIP = b"PK\x03\x04"
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
_MIMETYPE_BYTES = 1024
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NOT_IN_TEXT = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
_ARMOUR = b"-----BEGIN "
"""Keys, certificates and signatures: letters, and nothing to read."""


def is_text(head: bytes) -> bool:
    """Whether the first bytes of a file are plainly text: UTF-8, or with a byte order mark.

    Nothing at all is text too.
    """
    if head.startswith(_MARKS):
        return True
    if _NOT_IN_TEXT.search(head) or head.lstrip().startswith(_ARMOUR):
        return False
    try:
        # What is cut off at the end is none of its faults.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def has_known_start(head: bytes) -> bool:
    """Whether a file begins like a document or an archive of a known format."""
    return head.startswith((_ZIP, *(start for start, _ in _STARTS)))


def true_extension(path: Path) -> str:
    """The extension that the content asks for, such as `.pdf`; "" if it is not known."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return ""
    for start, extension in _STARTS:
        if head.startswith(start):
            return extension
    if head.startswith(_ZIP):
        return _zip_extension(path)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return ".html" if text.startswith(_HTML) else ""


def _zip_extension(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "mimetype" in names and archive.getinfo("mimetype").file_size < _MIMETYPE_BYTES:
                said = archive.read("mimetype").decode("ascii", "replace").strip()
                return _MEDIA_TYPES.get(said, ".zip")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        # Damaged: nothing can be said about it.
        return ""
    return next((extension for name, extension in _ZIP_MEMBERS if name in names), ".zip")
