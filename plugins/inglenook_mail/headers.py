"""Reads the headers of a message or of a part of one, broken ones too.

The structured parser of the standard library takes time that grows with the square of a header's
length, and raises for some broken headers; here every step is linear and nothing raises. Formats:
RFC 5322 (headers), RFC 2047 (encoded words), RFC 2231 (parameters).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message

from inglenook_mail.charsets import clean, decode

__all__ = ["Headers", "HeadersTooLong", "decoded_words", "from_base64", "split_headers"]

_MOST_HEADER_BYTES = 5_000_000
_LONGEST_STRUCTURED = 8_000
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(rb"([!-9;-~]{1,100})[ \t]*:(.*)", re.DOTALL)
_WORD = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?]*)\?=")
_KNOWN = frozenset(
    "from to cc bcc date subject sender reply-to message-id received return-path delivered-to"
    " mime-version content-type content-transfer-encoding content-disposition content-id"
    " x-mailer in-reply-to references".split()
)


class HeadersTooLong(Exception):
    """A header block of megabytes: no mail program writes one."""


@dataclass(slots=True)
class Headers:
    """The fields that matter, by lower-case name, in the order in which they stand."""

    fields: Mapping[str, list[bytes]] = field(default_factory=dict)

    @property
    def are_of_mail(self) -> bool:
        """Whether any field is one that mail has."""
        return bool(self.fields)

    def text(self, name: str) -> str:
        """The value for people; several fields of one name are joined."""
        values = [decoded_words(_as_text(raw)) for raw in self.fields.get(name, ())]
        return ", ".join(filter(None, (" ".join(clean(value).split()) for value in values)))

    @property
    def content_type(self) -> str:
        """Such as `text/plain`, lower case; "" if the header is missing."""
        if not self._raw("content-type"):
            return ""
        return self._structured("content-type").get_content_type()

    @property
    def disposition(self) -> str:
        """`attachment`, `inline` or ""."""
        return self._structured("content-disposition").get_content_disposition() or ""

    @property
    def transfer_encoding(self) -> str:
        return self._raw("content-transfer-encoding").split(";")[0].strip().lower()

    @property
    def filename(self) -> str:
        """The name of the part, decoded; "" if it has none."""
        for name, parameter in (("content-disposition", "filename"), ("content-type", "name")):
            found = self.parameter(name, parameter)
            if found:
                return found
        return ""

    def parameter(self, name: str, parameter: str) -> str:
        """A parameter of a structured field, such as `charset` of `content-type`; "" if none."""
        try:
            value = self._structured(name).get_param(parameter, "", name)
        except (ValueError, LookupError, TypeError):
            return ""
        if isinstance(value, tuple):
            charset, _, encoded = value
            value = decode(encoded.encode("latin-1", errors="replace"), charset or "utf-8").text
        return " ".join(clean(decoded_words(str(value))).split())

    def _raw(self, name: str) -> str:
        values = self.fields.get(name)
        return _as_text(values[0]) if values else ""

    def _structured(self, name: str) -> Message:
        message = Message()
        value = self._raw(name)
        if value and len(value) <= _LONGEST_STRUCTURED:
            message[name] = value
        return message


def split_headers(data: bytes, start: int, end: int) -> tuple[Headers, int]:
    """The headers of the entity at `data[start:end]`, and where its body begins.

    The headers end at a blank line, or where a line is no header and no known one follows.
    Raises `HeadersTooLong`.
    """
    if data[start : start + 1] in (b"\n", b"\r"):
        line_end = data.find(b"\n", start, end)
        return Headers(), end if line_end < 0 else line_end + 1
    limit = min(end, start + _MOST_HEADER_BYTES)
    blank = _END_OF_HEADERS.search(data, start, limit)
    if blank is None and end > limit:
        raise HeadersTooLong
    block_end, body = (blank.start(), blank.end()) if blank else (end, end)
    lines = data[start:block_end].split(b"\n")
    found = [_FIELD.fullmatch(line.rstrip(b"\r")) for line in lines]
    known = [index for index, match in enumerate(found) if match and _name(match) in _KNOWN]
    last = known[-1] if known else -1
    fields: dict[str, list[list[bytes]]] = {}
    current: list[bytes] = []
    position = start
    for index, (line, match) in enumerate(zip(lines, found, strict=True)):
        if match:
            current = [match[2].strip()]
            if _name(match) in _KNOWN:
                fields.setdefault(_name(match), []).append(current)
        elif line[:1] in (b" ", b"\t"):
            current.append(line.strip())
        elif index > last:
            body = position
            break
        position += len(line) + 1
    joined = {name: [b" ".join(lines) for lines in values] for name, values in fields.items()}
    return Headers(joined), body


def _name(match: re.Match[bytes]) -> str:
    return match[1].decode("ascii").lower()


def decoded_words(value: str) -> str:
    """The text with its encoded words decoded.

    Neighbours of one character set are joined before they are decoded, because many mail
    programs cut a character in two.
    """
    pieces: list[str] = []
    charset, end = "", 0
    waiting: list[bytes] = []
    for word in _WORD.finditer(value):
        gap = value[end : word.start()]
        if waiting and (gap.strip() or word[1].lower() != charset):
            pieces.append(decode(b"".join(waiting), charset).text)
            waiting = []
        if gap.strip() or not end:
            pieces.append(gap)
        charset = word[1].lower()
        waiting.append(_word_bytes(word[2], word[3]))
        end = word.end()
    if waiting:
        pieces.append(decode(b"".join(waiting), charset).text)
    pieces.append(value[end:])
    return "".join(pieces)


def _word_bytes(encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8", errors="surrogateescape")
    if encoding in "qQ":
        return binascii.a2b_qp(raw, header=True)
    return from_base64(raw)


def from_base64(data: bytes) -> bytes:
    """Decode base64 as far as it goes, with wrong characters ignored and padding supplied."""
    for padded in (data, data + b"==", data.rstrip()[:-1]):
        try:
            return binascii.a2b_base64(padded)
        except binascii.Error:
            continue
    return b""


def _as_text(raw: bytes) -> str:
    return decode(raw, "").text
