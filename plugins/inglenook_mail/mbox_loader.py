"""The loader `mbox`: mailboxes in one file, read message by message.

A message begins at a line `From …` after a blank line; lines of the text that look like it are
quoted with `>` (RFC 4155 and the dialects mboxo and mboxrd).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import IO, Any

from inglenook.errors import Cancelled, LoadError
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, PartFile, Section
from inglenook_mail.composing import compose
from inglenook_mail.files import broken
from inglenook_mail.letter import failed, items, refuse_too_long
from inglenook_mail.mime import parse

__all__ = ["MboxLoader"]

_LINE_BYTES = 1 << 16
_MOST_MESSAGE_BYTES = 200_000_000
_DATED = re.compile(
    rb"From .{0,300}?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? .{0,20}\d{1,2}:\d\d.{0,30}\d{4}"
)
_QUOTED = re.compile(rb">+From ")
_UW_MAILBOX = b"*mbx*"


class MboxLoader:
    """Implements `protocols.Loader`. Each message is a place; they count from 1."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(
        self, request: LoadRequest, cancel: CancelToken
    ) -> Iterator[Section | PartFile | Notice]:
        """Yield for each message a section, and parts in a folder named after it.

        A message that cannot be read is a notice. Raises `LoadError`: unreadable, broken (no
        mailbox), too large (text, or bytes of attached files).
        """
        read, characters, part_bytes = 0, 0, 0
        for number, data in enumerate(_messages(request), start=1):
            if cancel.cancelled:
                raise Cancelled
            name = f"message-{number}"
            try:
                for item in _message_items(data, number, request):
                    if isinstance(item, Section):
                        characters += len(item.text)
                    elif isinstance(item, PartFile):
                        part_bytes += len(item.data)
                    refuse_too_long(characters, request)
                    _refuse_too_many_bytes(part_bytes, request)
                    read += 1
                    yield item
            except _Unreadable as error:
                yield failed(name, error.reason, error.message)
        if not read:
            raise broken(request, "no message in it can be read")


class _Unreadable(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def _message_items(
    data: bytes | None, number: int, request: LoadRequest
) -> Iterator[Section | PartFile | Notice]:
    if data is not None and not data.strip():
        return
    if data is None:
        raise _Unreadable("too large", f"more than {_MOST_MESSAGE_BYTES:,} bytes")
    try:
        message = parse(data, f"message {number}", request.max_members)
    except LoadError as error:
        raise _Unreadable(error.reason, error.message) from error
    if not message.headers.are_of_mail:
        raise _Unreadable("broken", "it has no header of a mail message")
    yield from items(compose(message), Locator("message", number), f"message-{number}/", request)


def _refuse_too_many_bytes(count: int, request: LoadRequest) -> None:
    if count > request.max_inflated_bytes:
        raise LoadError(
            f"{request.name} has more than {request.max_inflated_bytes:,} bytes of attached files.",
            reason="too large",
        )


def _messages(request: LoadRequest) -> Iterator[bytes | None]:
    """The bytes of each message, None for one that is too large to be held in memory."""
    try:
        with request.path.open("rb") as file:
            yield from _split(file, request)
    except OSError as error:
        raise LoadError(
            f"{request.name} cannot be read: {error.strerror or error}.", reason="unreadable"
        ) from error


def _split(file: IO[bytes], request: LoadRequest) -> Iterator[bytes | None]:
    first = _first_line(file, request)
    is_dated = _DATED.match(first) is not None
    message = _Message()
    if not first.startswith(b"From "):
        message.add(first)
    blank, line_start = False, first.endswith(b"\n")
    while line := file.readline(_LINE_BYTES):
        begins = line_start and blank and line.startswith(b"From ")
        if begins and (_DATED.match(line) or not is_dated):
            yield message.bytes()
            message = _Message()
        elif line_start and _QUOTED.match(line):
            message.add(line[1:])
        else:
            message.add(line)
        blank = line_start and line in (b"\n", b"\r\n")
        line_start = line.endswith(b"\n")
    yield message.bytes()


def _first_line(file: IO[bytes], request: LoadRequest) -> bytes:
    """The first line that is not blank. Raises `LoadError` if no mail can begin with it."""
    first = file.readline(_LINE_BYTES)
    if not first:
        raise LoadError(f"{request.name} is empty (0 bytes).", reason="empty")
    if first.startswith(_UW_MAILBOX):
        raise LoadError(
            f"{request.name} is a mailbox in the format of UW IMAP.",
            reason="unsupported",
            hint="Copy its messages into a mailbox in the mbox format.",
        )
    first = first.removeprefix(b"\xef\xbb\xbf")
    while first and not first.strip():
        first = file.readline(_LINE_BYTES)
    if not first:
        raise LoadError(f"{request.name} holds nothing but white space.", reason="empty")
    if not first.startswith(b"From ") and not re.match(rb"[!-9;-~]{1,100}[ \t]*:", first):
        raise broken(request, "it does not begin with a message")
    return first


class _Message:
    """Collects the lines of a message, up to a size."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._is_too_large = False

    def add(self, line: bytes) -> None:
        self._data += line
        if len(self._data) > _MOST_MESSAGE_BYTES:
            self._is_too_large = True
            self._data.clear()

    def bytes(self) -> bytes | None:
        return None if self._is_too_large else bytes(self._data)
