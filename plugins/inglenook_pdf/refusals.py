"""The errors that say why a PDF file was not read; both loaders raise the same ones."""

from __future__ import annotations

import re

from inglenook.errors import LoadError, MissingDependencyError
from inglenook.types import LoadRequest

__all__ = [
    "broken",
    "encrypted",
    "missing_library",
    "needs_recognition",
    "reason_of",
    "refuse_unreadable",
    "too_many_characters",
    "too_many_pages",
]

_LONGEST_REASON = 120
_QUOTES = re.compile(r"\bb?['\"]|[\[{<@]")


def missing_library(name: str) -> MissingDependencyError:
    return MissingDependencyError(
        f"Reading PDF files needs the library {name}, which is not installed.",
        hint="Install it: pip install 'inglenook[pdf]'",
    )


def refuse_unreadable(request: LoadRequest) -> None:
    """Raise `LoadError` if the file cannot be opened or holds nothing."""
    try:
        with request.path.open("rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        raise LoadError(
            f"{request.name} cannot be read: {error.strerror or error}.", reason="unreadable"
        ) from error
    if is_empty:
        raise LoadError(f"{request.name} is empty (0 bytes).", reason="broken")


def broken(name: str, why: str) -> LoadError:
    return LoadError(
        f"{name} is not a PDF file or is damaged: {why}.",
        reason="broken",
        hint="Open it in a PDF viewer and save it again.",
    )


def encrypted(request: LoadRequest) -> LoadError:
    given = "another password than the one given" if request.password else "a password"
    return LoadError(
        f"{request.name} is encrypted and needs {given}.",
        reason="encrypted",
        hint="Give its password, or save a copy without one and add that.",
    )


def too_many_characters(request: LoadRequest) -> LoadError:
    return LoadError(
        f"{request.name} has more than {request.max_characters:,} characters of text.",
        reason="too large",
    )


def too_many_pages(name: str, pages: int, allowed: int) -> LoadError:
    return LoadError(
        f"{name} says that it has {pages:,} pages; {allowed:,} are read at most.",
        reason="too large",
        hint="Split it into smaller files.",
    )


def needs_recognition(name: str, pages: int, *, garbled: bool) -> LoadError:
    why = (
        f"{name} has text on its {pages:,} page(s), but its fonts hide which letters they show."
        if garbled
        else f"{name} has no text on its {pages:,} page(s)."
    )
    command = "ocrmypdf --force-ocr in.pdf out.pdf" if garbled else "ocrmypdf in.pdf out.pdf"
    return LoadError(
        why,
        reason="no text: needs OCR",
        hint=f"Run text recognition on it first, for example: {command}",
    )


def reason_of(error: BaseException) -> str:
    """What a library says, up to where it might quote the document."""
    lines = str(error).strip().splitlines()
    said = _QUOTES.split(lines[0] if lines else "")[0].strip(" .")[:_LONGEST_REASON]
    plain = "".join(character for character in said if character.isprintable())
    return plain or type(error).__name__
