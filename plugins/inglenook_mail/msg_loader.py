"""The loader `msg`: messages that Outlook saved, with their attachments."""

from __future__ import annotations

import email.utils
from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.errors import Cancelled, LoadError, MissingDependencyError
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, PartFile, Section
from inglenook_mail.composing import why_unreadable
from inglenook_mail.compressed_rtf import decompress_rtf
from inglenook_mail.files import broken, refuse_unreadable
from inglenook_mail.headers import split_headers
from inglenook_mail.letter import LABELS, Letter, PartNames, as_eml, failed, items
from inglenook_mail.outlook import Properties, is_message

__all__ = ["MsgLoader"]

_SUBJECT, _BODY, _HTML, _RTF = 0x0037, 0x1000, 0x1013, 0x1009
_TRANSPORT_HEADERS = 0x007D
_SENDERS = ((0x0C1A, 0x5D01), (0x0042, 0x5D02), (0x0C1A, 0x0C1F), (0x0042, 0x0065))
_DISPLAYED = {"To": 0x0E04, "Cc": 0x0E03, "Bcc": 0x0E02}
_RECIPIENT_TYPE, _RECIPIENT_NAME = 0x0C15, 0x3001
_RECIPIENT_ADDRESSES = (0x39FE, 0x3003)
_TYPES = {1: "To", 2: "Cc", 3: "Bcc"}
_DATES = (0x0039, 0x0E06)
_DATA, _METHOD, _MIME_TYPE, _CONTENT_ID = 0x3701, 0x3705, 0x370E, 0x3712
_NAMES = (0x3707, 0x3704, 0x3001)
_BY_VALUE = (None, 0, 1)
_MOST_PART_BYTES = 200_000_000
_SMALL_IMAGE_BYTES = 10_000
_DEEPEST = 8


class MsgLoader:
    """Implements `protocols.Loader`. The headers and the text are one place."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(
        self, request: LoadRequest, cancel: CancelToken
    ) -> Iterator[Section | PartFile | Notice]:
        """Yield a section for the headers and the text, and a part for each file.

        A text that is only there as HTML or RTF is the part `body.html` or `body.rtf`; a message
        inside the message is a part `.eml`. Raises `LoadError`: unreadable, broken, too large.
        """
        letter = _read(request, cancel)
        found = 0
        for item in items(letter, Locator("whole", ""), "", request):
            if cancel.cancelled:
                raise Cancelled
            found += 1
            yield item
        if not found:
            raise broken(request, "there is no text in it")


def _read(request: LoadRequest, cancel: CancelToken) -> Letter:
    try:
        import olefile
    except ImportError as error:
        raise MissingDependencyError(
            "Reading Outlook messages needs the library olefile, which is not installed.",
            hint="Install it: pip install 'inglenook[mail]'",
        ) from error
    refuse_unreadable(request)
    try:
        with olefile.OleFileIO(str(request.path)) as ole:
            if not is_message(ole):
                raise broken(request, "it is no message of Outlook")
            return _Reader(request, cancel).letter(Properties(ole), 0)
    except (LoadError, Cancelled):
        raise
    except RecursionError as error:
        raise broken(request, "its folders are nested too deeply") from error
    except Exception as error:
        # olefile raises what a broken file happens to break: OSError, IndexError, struct.error, ….
        raise broken(request, f"it cannot be taken apart ({type(error).__name__})") from error


class _Reader:
    """Makes letters of messages; counts the parts of all of them."""

    def __init__(self, request: LoadRequest, cancel: CancelToken) -> None:
        self._request = request
        self._cancel = cancel
        self._parts = 0
        self._bytes = 0

    def letter(self, message: Properties, depth: int) -> Letter:
        letter = Letter(headers=_headers(message), text=message.text(_BODY))
        names = PartNames()
        if not letter.text.strip():
            page = message.page(_HTML)
            if page.strip():
                letter.pages.append(page)
            else:
                self._add_rtf(message, letter, names)
        small = 0
        for attachment in message.attachments():
            if self._cancel.cancelled:
                raise Cancelled
            self._count_part()
            small += self._add_attachment(attachment, letter, names, depth)
        if small:
            letter.notices.append(
                Notice("inline-images", f"{small} small image(s) in the text were left out")
            )
        return letter

    def _add_rtf(self, message: Properties, letter: Letter, names: PartNames) -> None:
        packed = message.binary(_RTF)
        if not packed:
            return
        try:
            data = decompress_rtf(packed, _MOST_PART_BYTES)
        except ValueError:
            letter.notices.append(failed("body.rtf", "broken", "its bytes are damaged"))
            return
        letter.files.append(PartFile(names.name("body.rtf", "application/rtf"), data))

    def _add_attachment(
        self, attachment: Properties, letter: Letter, names: PartNames, depth: int
    ) -> int:
        """Add the file to the letter; 1 if it is a picture too small to be read."""
        wanted = next(filter(None, map(attachment.text, _NAMES)), "")
        type = attachment.text(_MIME_TYPE).lower()
        inner = attachment.embedded_message(_DATA)
        if inner is not None:
            self._add_message(inner, wanted, letter, names, depth)
            return 0
        if notice := why_unreadable(type, wanted, wanted or "part"):
            letter.notices.append(notice)
            return 0
        data = self._data(attachment, wanted, letter)
        if data is None:
            return 0
        in_text = bool(attachment.text(_CONTENT_ID)) and type.startswith("image/")
        if in_text and len(data) < _SMALL_IMAGE_BYTES:
            return 1
        name = names.name(wanted, type)
        letter.files.append(PartFile(name, data))
        if not in_text:
            letter.attached.append(name)
        return 0

    def _data(self, attachment: Properties, wanted: str, letter: Letter) -> bytes | None:
        size = attachment.size(_DATA)
        if attachment.integer(_METHOD) not in _BY_VALUE:
            why = "unsupported", "it is a link or an object, not a file"
        elif size > _MOST_PART_BYTES:
            why = "too large", f"{size:,} bytes; at most {_MOST_PART_BYTES:,} are read"
        else:
            self._count_bytes(size)
            return attachment.binary(_DATA) or b""
        letter.notices.append(failed(wanted or "part", *why))
        return None

    def _add_message(
        self, inner: Properties, wanted: str, letter: Letter, names: PartNames, depth: int
    ) -> None:
        if depth >= _DEEPEST:
            why = f"messages are nested more than {_DEEPEST} deep"
            letter.notices.append(failed(wanted or "message", "too large", why))
            return
        below = self.letter(inner, depth + 1)
        name = names.name(below.subject.replace("/", "_") or wanted, "message/rfc822")
        letter.notices += [
            Notice(notice.code, f"{name}: {notice.message}") for notice in below.notices
        ]
        letter.files.append(PartFile(name, as_eml(below)))
        letter.attached.append(name)

    def _count_part(self) -> None:
        self._parts += 1
        if self._parts > self._request.max_members:
            raise LoadError(
                f"{self._request.name} has more than {self._request.max_members:,} parts, which"
                " are the most allowed.",
                reason="too large",
            )

    def _count_bytes(self, size: int) -> None:
        self._bytes += size
        if self._bytes > self._request.max_inflated_bytes:
            raise LoadError(
                f"{self._request.name} has more than {self._request.max_inflated_bytes:,} bytes"
                " of attached files.",
                reason="too large",
            )


def _headers(message: Properties) -> list[tuple[str, str]]:
    """Of the headers that it travelled with, where it has them; else of its properties."""
    raw = message.text(_TRANSPORT_HEADERS).encode("utf-8", errors="replace")
    travelled, _ = split_headers(raw, 0, len(raw))
    kept = dict(_of_properties(message))
    return [
        (label, _shown(travelled.text(label.lower())) or kept.get(label, "")) for label in LABELS
    ]


def _of_properties(message: Properties) -> Iterator[tuple[str, str]]:
    yield "From", _sender(message)
    recipients: dict[str, list[str]] = {}
    for recipient in message.recipients():
        label = _TYPES.get((recipient.integer(_RECIPIENT_TYPE) or 0) & 0xF, "")
        address = next((a for a in map(recipient.text, _RECIPIENT_ADDRESSES) if "@" in a), "")
        recipients.setdefault(label, []).append(_person(recipient.text(_RECIPIENT_NAME), address))
    for label, id in _DISPLAYED.items():
        yield label, _shown("; ".join(recipients.get(label, ())) or message.text(id))
    date = next(filter(None, map(message.time, _DATES)), None)
    yield "Date", email.utils.format_datetime(date) if date else ""
    yield "Subject", _shown(message.text(_SUBJECT))


def _sender(message: Properties) -> str:
    for name, address in _SENDERS:
        if "@" in message.text(address):
            return _person(message.text(name), message.text(address))
    return _shown(message.text(_SENDERS[0][0]) or message.text(_SENDERS[1][0]))


def _person(name: str, address: str) -> str:
    name, address = _shown(name), _shown(address)
    return f"{name} <{address}>" if name and address and name != address else name or address


def _shown(text: str) -> str:
    return " ".join(text.split())
