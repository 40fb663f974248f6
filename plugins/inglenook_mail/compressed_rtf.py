"""Unpacks the RTF bodies of Outlook messages (MS-OXRTFCP, versions LZFu and MELA)."""

from __future__ import annotations

import struct

__all__ = ["decompress_rtf"]

_HEADER = struct.Struct("<LLLL")
_LZFU, _MELA = 0x75465A4C, 0x414C454D
_WINDOW = 4096
_START = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript "
    rb"\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)


def decompress_rtf(data: bytes, most_bytes: int) -> bytes:
    """The RTF text. Raises `ValueError` if it is damaged or larger than `most_bytes`."""
    if len(data) < _HEADER.size:
        raise ValueError("too short")
    _, size, kind, _ = _HEADER.unpack_from(data)
    if size > most_bytes:
        raise ValueError("too large")
    if kind == _MELA:
        return data[_HEADER.size : _HEADER.size + size]
    if kind != _LZFU:
        raise ValueError("unknown kind of compression")
    return bytes(_expanded(memoryview(data)[_HEADER.size :], size))


def _expanded(packed: memoryview, size: int) -> bytearray:
    """Literals and references into the last 4096 bytes, eight after each control byte."""
    window = bytearray(_START.ljust(_WINDOW, b"\0"))
    write, read = len(_START), 0
    output = bytearray()
    while read < len(packed) and len(output) < size:
        control = packed[read]
        read += 1
        for bit in range(8):
            if not control >> bit & 1:
                if read >= len(packed):
                    return output
                run = packed[read : read + 1].tobytes()
                read += 1
            else:
                if read + 2 > len(packed):
                    return output
                reference = packed[read] << 8 | packed[read + 1]
                read += 2
                offset, length = reference >> 4, (reference & 0xF) + 2
                if offset == write:
                    return output
                run = _copied(window, offset, length, write)
            for byte in run:
                window[write] = byte
                write = (write + 1) % _WINDOW
            output += run
    return output


def _copied(window: bytearray, offset: int, length: int, write: int) -> bytes:
    """The run at `offset`, which may reach into the bytes that it writes itself."""
    distance = (write - offset) % _WINDOW or _WINDOW
    run = bytearray()
    for index in range(length):
        run.append(
            run[index - distance] if index >= distance else window[(offset + index) % _WINDOW]
        )
    return bytes(run)
