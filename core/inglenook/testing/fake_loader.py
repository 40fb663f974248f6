"""A loader for made-up files: each line is a section, lines that begin with `!` misbehave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.errors import LOAD_REASONS, Cancelled, LoadError
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, Section

__all__ = ["FakeLoader"]


class FakeLoader:
    """Implements `protocols.Loader`.

    `!notice TEXT` yields a notice and `!fail REASON` raises a `LoadError`, after what stands
    above it was yielded.
    """

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        read = 0
        for number, line in enumerate(_text(request).splitlines(), start=1):
            if cancel.cancelled:
                raise Cancelled
            read += len(line)
            if read > request.max_characters:
                raise LoadError(f"{request.name} is too large.", reason="too large")
            if line.startswith("!fail "):
                reason = line.removeprefix("!fail ")
                raise LoadError(
                    f"{request.name} failed as it was told to.",
                    reason=reason if reason in LOAD_REASONS else "broken",
                )
            if line.startswith("!notice "):
                yield Notice("fake", line.removeprefix("!notice "))
            elif line.strip():
                yield Section(line, Locator("page", number))


def _text(request: LoadRequest) -> str:
    try:
        text = request.path.read_text("utf-8")
    except OSError as error:
        raise LoadError(f"{request.name} cannot be read.", reason="unreadable") from error
    except UnicodeDecodeError as error:
        raise LoadError(f"{request.name} is not text.", reason="unsupported") from error
    if not text:
        raise LoadError(f"{request.name} is empty.", reason="broken")
    return text
