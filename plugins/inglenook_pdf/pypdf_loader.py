"""The loader `pypdf`: the text layer of PDF pages, numbered from 1 as viewers count them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from inglenook.errors import Cancelled, LoadError, MissingDependencyError
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, Section
from inglenook_pdf.outline import OutlineUnreadable, page_headings
from inglenook_pdf.page_text import is_garbled, readable

if TYPE_CHECKING:
    from pypdf import PdfReader

__all__ = ["PdfLoader"]

_LONGEST_REASON = 120
_NEEDS_OCR = "no text: needs OCR"


class _PageUnreadable(Exception):
    """One page is damaged."""


class PdfLoader:
    """Implements `protocols.Loader`. Each page is a place; offsets count in its text."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section for each page with text, a notice for each other one.

        Raises `LoadError`: unreadable, broken, encrypted, too large, no text: needs OCR.
        """
        reader, page_count = _open(request)
        headings: Mapping[int, tuple[str, ...]] = {}
        try:
            headings = page_headings(reader, page_count)
        except OutlineUnreadable as error:
            yield Notice("outline-unreadable", f"the bookmarks could not be read: {error}")
        characters, texts, failures = 0, 0, 0
        for number in range(1, page_count + 1):
            if cancel.cancelled:
                raise Cancelled
            try:
                text = _page_text(reader, number)
            except _PageUnreadable as error:
                failures += 1
                yield Notice("page-unreadable", f"page {number}: could not be read: {error}")
                continue
            if not text:
                yield Notice("page-without-text", f"page {number}: no text")
                continue
            characters += len(text)
            _refuse_too_large(characters, request)
            if is_garbled(text):
                yield Notice(
                    "garbled-text", f"page {number}: the font hides what the text is; check it"
                )
            texts += 1
            yield Section(text, Locator("page", number), headings.get(number, ()))
        if not texts:
            raise _without_text(request.name, page_count, failures)


def _open(request: LoadRequest) -> tuple[PdfReader, int]:
    try:
        from pypdf import PdfReader
        from pypdf.errors import DependencyError, FileNotDecryptedError
    except ImportError as error:
        raise MissingDependencyError(
            "Reading PDF files needs the library pypdf, which is not installed.",
            hint="Install it: pip install 'inglenook[pdf]'",
        ) from error
    _silence()
    try:
        if not request.path.stat().st_size:
            raise LoadError(f"{request.name} is empty (0 bytes).", reason="broken")
        with request.path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise LoadError(
            f"{request.name} cannot be read: {error.strerror or error}.", reason="unreadable"
        ) from error
    try:
        reader = PdfReader(request.path, strict=False)
        if reader.is_encrypted:
            _decrypt(reader, request)
        return reader, len(reader.pages)
    except (DependencyError, FileNotDecryptedError) as error:
        raise LoadError(
            f"{request.name} is encrypted in a way that cannot be opened here ({_reason(error)}).",
            reason="encrypted",
            hint="For AES encryption: pip install cryptography",
        ) from error
    except LoadError:
        raise
    except Exception as error:
        # pypdf raises what a broken file happens to break: KeyError, RecursionError, ….
        raise LoadError(
            f"{request.name} is not a PDF file or is damaged: {_reason(error)}.",
            reason="broken",
            hint="Open it in a PDF viewer and save it again.",
        ) from error


def _decrypt(reader: PdfReader, request: LoadRequest) -> None:
    """Open it with the empty password, which most restricted files have, or with the one given."""
    for password in ("", request.password):
        if password is not None and reader.decrypt(password):
            return
    given = "another password than the one given" if request.password else "a password"
    raise LoadError(
        f"{request.name} is encrypted and needs {given}.",
        reason="encrypted",
        hint="Save a copy without a password and add that.",
    )


def _page_text(reader: PdfReader, number: int) -> str:
    try:
        return readable(reader.pages[number - 1].extract_text())
    except Exception as error:
        # pypdf raises what a broken page happens to break; the other pages go on.
        raise _PageUnreadable(_reason(error)) from error


def _refuse_too_large(characters: int, request: LoadRequest) -> None:
    if characters > request.max_characters:
        raise LoadError(
            f"{request.name} has more than {request.max_characters:,} characters of text.",
            reason="too large",
        )


def _without_text(name: str, pages: int, failures: int) -> LoadError:
    if not pages:
        return LoadError(f"{name} has no pages.", reason="broken")
    if failures:
        return LoadError(
            f"{name}: none of the {pages} page(s) could be read.",
            reason="broken",
            hint="Open it in a PDF viewer and save it again.",
        )
    return LoadError(
        f"{name} has no text on its {pages} page(s).",
        reason=_NEEDS_OCR,
        hint="Run text recognition on it first, for example: ocrmypdf in.pdf out.pdf",
    )


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    first = lines[0].rstrip(".")[:_LONGEST_REASON] if lines else type(error).__name__
    return "".join(character for character in first if character.isprintable())


def _silence() -> None:
    """Keep pypdf's warnings off the terminal: what matters becomes a notice."""
    log = logging.getLogger("pypdf")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())
