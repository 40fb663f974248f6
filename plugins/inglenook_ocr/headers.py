"""How large a picture says that it is, before anything decodes it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["Measure", "measured"]

_HEAD_BYTES = 1024 * 1024
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_SHORT = 256, 257, 3
_MOST_TIFF_PAGES = 10_000
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class Measure:
    """What a picture says of itself: the pixels of its largest page, and how many pages it has."""

    pixels: int
    pages: int = 1


def measured(path: Path) -> Measure | None:
    """The measure of a picture; None for what is none.

    Knows PNG, JPEG, GIF, BMP, WebP and TIFF by their first bytes. Raises `OSError`.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        try:
            if head[:4] in (b"II*\0", b"MM\0*"):
                return _tiff(file, "<" if head[:1] == b"I" else ">", head)
            width, height = _size(head) or (0, 0)
        except (struct.error, IndexError):
            return None
    return Measure(width * height) if width and height else None


def _size(head: bytes) -> tuple[int, int] | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack_from(">II", head, 16)
    elif head.startswith((b"GIF87a", b"GIF89a")):
        width, height = struct.unpack_from("<HH", head, 6)
    elif head.startswith(b"BM"):
        width, height = struct.unpack_from("<ii", head, 18)
    elif head.startswith(b"\xff\xd8"):
        return _jpeg(head)
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp(head)
    else:
        return None
    return abs(width), abs(height)


def _jpeg(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(head):
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        if marker == 0xFF or 0xD0 <= marker <= 0xD9:
            at += 1 if marker == 0xFF else 2
        else:
            at += 2 + int(struct.unpack_from(">H", head, at + 2)[0])
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", head, 26))
    else:
        return None
    return width, height


def _tiff(file: BinaryIO, order: str, head: bytes) -> Measure | None:
    """Its pages are a chain of directories (TIFF 6.0, section 2)."""
    (place,) = struct.unpack_from(f"{order}I", head, 4)
    largest, seen = 0, set[int]()
    while place and place not in seen and len(seen) < _MOST_TIFF_PAGES:
        seen.add(place)
        file.seek(place)
        (count,) = struct.unpack(f"{order}H", file.read(2))
        entries = file.read(12 * count + 4)
        sides = dict.fromkeys((_TIFF_WIDTH, _TIFF_HEIGHT), 0)
        for at in range(0, 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", entries, at)
            if tag in sides:
                form = "H" if kind == _TIFF_SHORT else "I"
                (sides[tag],) = struct.unpack_from(f"{order}{form}", entries, at + 8)
        largest = max(largest, sides[_TIFF_WIDTH] * sides[_TIFF_HEIGHT])
        (place,) = struct.unpack_from(f"{order}I", entries, 12 * count)
    return Measure(largest, len(seen)) if largest else None
