"""What stands in a PDF beside the text of its pages: comments, attached files, bare characters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from inglenook.types import LoadRequest, Notice, PartFile
from inglenook_pdf.page_text import readable

__all__ = [
    "MOST_ANNOTATIONS",
    "attached",
    "found_by_search_notice",
    "unmapped_notice",
    "with_notes",
]

MOST_ANNOTATIONS = 10_000
"""Of one page; what follows is left out."""


def with_notes(text: str, notes: Iterable[str]) -> str:
    """The text of a page with the comments on it that it does not show, a line each."""
    shown = f" {' '.join(text.split())} "
    lines = [text] if text else []
    for note in notes:
        line = " ".join(readable(note, lines_are_whole=True).split())
        if line and f" {line} " not in shown:
            lines.append(line)
            shown += f"{line} "
    return "\n".join(lines)


def attached(
    files: Iterable[tuple[str, bytes | None]], request: LoadRequest
) -> Iterator[PartFile | Notice]:
    """The files attached to the document, as far as the limits of the request allow.

    Each is a name and the bytes, None if they cannot be read.
    """
    size_bytes = 0
    for number, (name, data) in enumerate(files, start=1):
        size_bytes += len(data or b"")
        if number > request.max_members or size_bytes > request.max_inflated_bytes:
            yield Notice(
                "attachments-left-out",
                f"the attached files from number {number} on were left out: too many or too large",
            )
            return
        if data is None:
            yield Notice("attachment-unreadable", f"attached file {number} could not be read")
        else:
            yield PartFile(name or f"attachment {number}", data)


def unmapped_notice(characters: int) -> Notice:
    return Notice(
        "characters-left-out",
        f"{characters:,} character(s) were left out: their fonts do not say what they show",
    )


def found_by_search_notice(pages: int) -> Notice:
    return Notice(
        "page-list-broken",
        f"the list of its pages is damaged: {pages:,} page(s) were found by a search, and there may"
        " have been others",
    )


def xfa_notice() -> Notice:
    return Notice("xfa-form", "it is a form of the kind XFA; only what its pages print was read")
