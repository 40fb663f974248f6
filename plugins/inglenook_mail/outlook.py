"""Reads the properties, recipients and attachments of an Outlook message (MS-OXMSG, MS-OXPROPS).

`python-oxmsg` reads the whole file into memory, refuses messages in code pages that it does not
know (Hebrew ISO-8859-8-I among them) and misreads embedded messages; so this stands on `olefile`,
which it stands on too.
"""

from __future__ import annotations

import datetime
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from inglenook_mail.charsets import decode

if TYPE_CHECKING:
    from olefile import OleFileIO

__all__ = ["EMBEDDED_HEADER", "MESSAGE_HEADER", "Properties", "is_message"]

MESSAGE_HEADER, EMBEDDED_HEADER, OTHER_HEADER = 32, 24, 8
"""How many bytes stand in front of the fixed properties (MS-OXMSG 2.4.1)."""

_FIXED = "__properties_version1.0"
_ATTACHMENT, _RECIPIENT = "__attach_version1.0_#", "__recip_version1.0_#"
_STRING, _STRING_8, _BINARY, _OBJECT = 0x001F, 0x001E, 0x0102, 0x000D
_INTEGER, _TIME = 0x0003, 0x0040
_MESSAGE_CODE_PAGE, _BODY_CODE_PAGE = 0x3FFD, 0x3FDE
_BODIES = (0x1000, 0x1013)
_MOST_FIXED_BYTES = 1_000_000
_NAMED_CODE_PAGES = {
    65000: "utf-7", 65001: "utf-8", 1200: "utf-16-le", 20127: "us-ascii", 20866: "koi8-r",
    21866: "koi8-u", 38598: "iso-8859-8-i", 50220: "iso-2022-jp", 50221: "iso-2022-jp",
    50222: "iso-2022-jp", 51932: "euc-jp", 51949: "euc-kr", 54936: "gb18030",
}  # fmt: skip
_EPOCH = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)


def is_message(ole: OleFileIO) -> bool:
    return bool(ole.exists(_FIXED))


class Properties:
    """The properties of a message, an attachment or a recipient.

    Args:
        ole: The compound file.
        folder: The path of its storage; empty for the message itself.
        header: How many bytes stand in front of the fixed properties.
        code_page: The character set of the message around it.
    """

    def __init__(
        self,
        ole: OleFileIO,
        folder: tuple[str, ...] = (),
        header: int = MESSAGE_HEADER,
        code_page: str = "",
    ) -> None:
        self._ole = ole
        self._folder = folder
        self._fixed = dict(self._read_fixed(header))
        self._charset = self._code_page(_MESSAGE_CODE_PAGE) or code_page
        self._body_charset = self._code_page(_BODY_CODE_PAGE) or self._charset

    def text(self, id: int) -> str:
        """A property of text; "" if it is not there."""
        wide = self._stream(id, _STRING)
        if wide is not None:
            return wide.decode("utf-16-le", errors="replace").rstrip("\0")
        narrow = self._stream(id, _STRING_8)
        charset = self._body_charset if id in _BODIES else self._charset
        return decode(narrow, charset).text.rstrip("\0") if narrow is not None else ""

    def page(self, id: int) -> str:
        """A property of HTML, which may be bytes or text."""
        data = self._stream(id, _BINARY)
        return self.text(id) if data is None else decode(data, self._body_charset).text

    def size(self, id: int) -> int:
        """The bytes of a binary property; 0 if it is not there."""
        path = self._path(id, _BINARY)
        return int(self._ole.get_size(path)) if self._ole.exists(path) else 0

    def binary(self, id: int) -> bytes | None:
        return self._stream(id, _BINARY)

    def integer(self, id: int) -> int | None:
        value = self._fixed.get(id << 16 | _INTEGER)
        return struct.unpack_from("<l", value)[0] if value else None

    def time(self, id: int) -> datetime.datetime | None:
        value = self._fixed.get(id << 16 | _TIME)
        if not value:
            return None
        ticks = struct.unpack("<Q", value)[0]
        try:
            return _EPOCH + datetime.timedelta(microseconds=ticks // 10)
        except OverflowError:
            return None

    def attachments(self) -> Iterator[Properties]:
        yield from self._below(_ATTACHMENT)

    def recipients(self) -> Iterator[Properties]:
        yield from self._below(_RECIPIENT)

    def embedded_message(self, id: int) -> Properties | None:
        """The message that an attachment is; None if it is something else."""
        folder = (*self._folder, f"__substg1.0_{id:04X}{_OBJECT:04X}")
        if not self._ole.exists("/".join((*folder, _FIXED))):
            return None
        return Properties(self._ole, folder, EMBEDDED_HEADER, self._charset)

    def _below(self, prefix: str) -> Iterator[Properties]:
        depth = len(self._folder)
        folders = self._ole.listdir(streams=False, storages=True)
        names = sorted(
            path[depth]
            for path in folders
            if len(path) == depth + 1 and tuple(path[:depth]) == self._folder
        )
        for name in names:
            if name.startswith(prefix):
                yield Properties(self._ole, (*self._folder, name), OTHER_HEADER, self._charset)

    def _read_fixed(self, header: int) -> Iterator[tuple[int, bytes]]:
        path = "/".join((*self._folder, _FIXED))
        if not self._ole.exists(path):
            return
        data = self._ole.openstream(path).read(_MOST_FIXED_BYTES)
        for position in range(header, len(data) - 15, 16):
            tag = struct.unpack_from("<L", data, position)[0]
            yield tag, data[position + 8 : position + 16]

    def _code_page(self, id: int) -> str:
        number = self.integer(id)
        if number is None:
            return ""
        if 28591 <= number <= 28606:
            return f"iso-8859-{number - 28590}"
        return _NAMED_CODE_PAGES.get(number, f"cp{number}")

    def _path(self, id: int, type: int) -> str:
        return "/".join((*self._folder, f"__substg1.0_{id:04X}{type:04X}"))

    def _stream(self, id: int, type: int) -> bytes | None:
        path = self._path(id, type)
        return bytes(self._ole.openstream(path).read()) if self._ole.exists(path) else None
