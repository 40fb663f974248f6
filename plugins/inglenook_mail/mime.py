"""Takes a message apart into its parts, without copying them.

Follows RFC 2046 as far as mail that arrives does: what lacks a boundary is text, what lacks its
end ends with the part around it. The parser of the standard library compares every line with the
boundary of every level, which takes minutes for a deep and long message.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field

from inglenook.errors import LoadError
from inglenook_mail.headers import Headers, HeadersTooLong, from_base64, split_headers

__all__ = ["Part", "parse"]

_DEEPEST = 40
_LONGEST_MARK_LINE = 300


@dataclass(slots=True)
class Part:
    """A message or a part of one: `data[start:end]` is its body as it was sent."""

    headers: Headers
    data: bytes = field(repr=False)
    start: int
    end: int
    type: str
    parts: list[Part] = field(default_factory=list)
    too_deep: bool = False

    @property
    def content(self) -> bytes:
        """The body, decoded from how it was sent."""
        raw = self.data[self.start : self.end]
        encoding = self.headers.transfer_encoding
        if encoding == "base64":
            return from_base64(raw)
        if encoding == "quoted-printable":
            return binascii.a2b_qp(raw)
        if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
            return b"".join(_uudecoded(raw))
        return raw


def parse(data: bytes, name: str, most_parts: int) -> Part:
    """The tree of parts of a message.

    Raises `LoadError`: too large for more than `most_parts` parts or headers of megabytes.
    """
    try:
        return _Parser(data, name, most_parts).entity(0, len(data), "text/plain", 0)
    except HeadersTooLong:
        raise LoadError(f"{name} has headers of several megabytes.", reason="too large") from None


class _Parser:
    """Counts the parts of all levels."""

    def __init__(self, data: bytes, name: str, most_parts: int) -> None:
        self._data = data
        self._name = name
        self._most_parts = most_parts
        self._count = 0

    def entity(self, start: int, end: int, default_type: str, depth: int) -> Part:
        self._count += 1
        if self._count > self._most_parts:
            raise LoadError(
                f"{self._name} has more than {self._most_parts:,} parts, which are the most"
                " allowed.",
                reason="too large",
            )
        headers, body = split_headers(self._data, start, end)
        part = Part(headers, self._data, body, end, headers.content_type or default_type)
        if part.type.startswith("multipart/"):
            part.too_deep = depth >= _DEEPEST
            inner = "message/rfc822" if part.type == "multipart/digest" else "text/plain"
            boundary = headers.parameter("content-type", "boundary")
            if boundary and not part.too_deep:
                part.parts = [
                    self.entity(first, last, inner, depth + 1)
                    for first, last in _ranges(self._data, body, end, boundary)
                ]
        return part


def _ranges(data: bytes, start: int, end: int, boundary: str) -> Iterator[tuple[int, int]]:
    """Where the parts between the boundary lines begin and end."""
    mark = b"--" + boundary.encode("utf-8", errors="surrogateescape")
    position, begin = start, -1
    while (at := data.find(mark, position, end)) >= 0:
        position = at + len(mark)
        if at > start and data[at - 1] != 0x0A:
            continue
        line_end = data.find(b"\n", position, end)
        line_end = end if line_end < 0 else line_end
        rest = data[position : min(line_end, position + _LONGEST_MARK_LINE)].strip()
        if rest not in (b"", b"--"):
            continue
        if begin >= 0:
            yield begin, _before_line_end(data, begin, at)
        begin = -1 if rest else min(line_end + 1, end)
        if rest:
            return
        position = begin
    if begin >= 0:
        yield begin, end


def _before_line_end(data: bytes, start: int, at: int) -> int:
    """The line end in front of a boundary belongs to the boundary."""
    if at > start and data[at - 1] == 0x0A:
        at -= 1
        if at > start and data[at - 1] == 0x0D:
            at -= 1
    return at


def _uudecoded(raw: bytes) -> Iterator[bytes]:
    lines = iter(raw.split(b"\n"))
    for line in lines:
        if line.startswith(b"begin "):
            break
    for line in lines:
        if line.strip() in (b"end", b"`", b""):
            return
        # Some writers pad a line too far; its first byte says how much of it counts.
        counted = line[: (((line[0] - 32) & 63) * 4 + 5) // 3]
        try:
            yield binascii.a2b_uu(counted)
        except binascii.Error:
            return
