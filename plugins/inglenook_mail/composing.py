"""Makes a letter of the parts of a message: which of them is the text, which are files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from inglenook.types import Notice, PartFile
from inglenook_mail.charsets import decode, in_logical_order
from inglenook_mail.headers import HeadersTooLong, split_headers
from inglenook_mail.letter import LABELS, Letter, PartNames, failed
from inglenook_mail.mime import Part

__all__ = ["compose", "why_unreadable"]

_SMALL_IMAGE_BYTES = 10_000
"""An image in the text below this is a logo, a bullet or a tracking pixel, with no text to read."""

_CHARSET_IN_PAGE = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_READ_AS_TEXT = ("text/plain", "message/delivery-status", "text/rfc822-headers")
_TRANSCODED = ("text/plain", "text/html", "text/csv", "text/markdown")
_MESSAGES = ("message/rfc822", "message/global")
_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature",
               "application/x-pkcs7-signature")  # fmt: skip
_UNREADABLE = {
    "application/pkcs7-mime": "encrypted",
    "application/x-pkcs7-mime": "encrypted",
    "application/x-microsoft-rpmsg-message": "encrypted",
    "application/pgp-encrypted": "encrypted",
    "application/ms-tnef": "unsupported",
    "application/vnd.ms-tnef": "unsupported",
}
_UNREADABLE_NAMES = {".p7m": "encrypted", ".rpmsg": "encrypted", "winmail.dat": "unsupported"}
_WHY = {
    "encrypted": "it is encrypted or sealed by its sender's mail program",
    "unsupported": "it is in Outlook's own format (TNEF)",
}


@dataclass(slots=True)
class _File:
    part: Part
    is_listed: bool


@dataclass(slots=True)
class _Content:
    """What was found in a part and below it."""

    texts: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    files: list[_File] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def add(self, other: _Content) -> None:
        self.texts += other.texts
        self.pages += other.pages
        self.files += other.files
        self.notices += other.notices


def compose(message: Part) -> Letter:
    """The letter that a message is."""
    content = _content(message)
    letter = Letter(headers=[(label, message.headers.text(label.lower())) for label in LABELS])
    letter.text = "\n\n".join(text.strip("\r\n") for text in content.texts if text.strip())
    letter.pages = content.pages
    letter.notices = list(dict.fromkeys(content.notices))
    names, small = PartNames(), 0
    for file in content.files:
        data = _bytes_of(file.part)
        is_picture = not file.is_listed and file.part.type.startswith("image/")
        if is_picture and len(data) < _SMALL_IMAGE_BYTES:
            small += 1
            continue
        name = names.name(_wanted_name(file.part), file.part.type)
        letter.files.append(PartFile(name, data))
        if file.is_listed:
            letter.attached.append(name)
    if small:
        letter.notices.append(
            Notice("inline-images", f"{small} small image(s) in the text were left out")
        )
    return letter


def _wanted_name(part: Part) -> str:
    """The name that the file has, or the subject of a message that was forwarded without one."""
    if part.headers.filename or part.type not in _MESSAGES:
        return part.headers.filename
    try:
        headers, _ = split_headers(part.data, part.start, part.end)
    except HeadersTooLong:
        return "message"
    return headers.text("subject").replace("/", "_").replace("\\", "_") or "message"


def _content(part: Part) -> _Content:
    if part.type == "multipart/encrypted":
        return _Content(notices=[failed("message", "encrypted", _WHY["encrypted"])])
    if not part.parts:
        return _leaf(part)
    below = [(child, _content(child)) for child in part.parts]
    if part.type == "multipart/alternative":
        return _best(below)
    if part.type == "multipart/related":
        below = [(child, found) for child, found in below if not _only_for_layout(child)]
    merged = _Content()
    for _, found in below:
        merged.add(found)
    return merged


def _best(alternatives: list[tuple[Part, _Content]]) -> _Content:
    """Of several forms of one text the plain one, or else the last, which is the richest."""
    merged = _Content()
    for child, found in alternatives:
        forms_only = child.type.startswith("text/") and child.type != "text/calendar"
        merged.files += [] if forms_only else found.files
        merged.notices += found.notices
    texts = [found.texts for _, found in alternatives if any(text.strip() for text in found.texts)]
    pages = [found.pages for _, found in alternatives if found.pages]
    if texts:
        merged.texts = texts[0]
    elif pages:
        merged.pages = pages[-1]
    else:
        merged.files = [file for _, found in alternatives for file in found.files]
    return merged


def _leaf(part: Part) -> _Content:
    headers, filename = part.headers, part.headers.filename
    shown = filename or part.type
    unreadable = why_unreadable(part.type, filename, shown)
    if part.too_deep:
        unreadable = failed(shown, "too large", "its parts are nested too deeply")
    if unreadable:
        return _Content(notices=[unreadable])
    if not filename and headers.disposition != "attachment":
        if part.type in _READ_AS_TEXT or part.type.startswith("multipart/"):
            return _text_of(part, is_page=False)
        if part.type == "text/html":
            return _text_of(part, is_page=True)
    in_text = bool(headers.fields.get("content-id")) or headers.disposition == "inline"
    is_named = bool(filename) or part.type in _MESSAGES
    listed = is_named and not (in_text and part.type.startswith("image/"))
    return _Content(files=[_File(part, listed or headers.disposition == "attachment")])


def why_unreadable(type: str, filename: str, shown: str) -> Notice | None:
    """The notice for a file that no loader can read, or that only programs read; else None."""
    filename = filename.lower()
    if type in _SIGNATURES or filename == "signature.asc" or filename.endswith(".p7s"):
        return Notice("signed", "the message's signature was not checked")
    reason = _UNREADABLE.get(type) or _UNREADABLE_NAMES.get(_tail(filename))
    if reason:
        return failed(shown, reason, _WHY[reason])
    if type == "message/external-body":
        return failed(shown, "unsupported", "it is stored elsewhere")
    return None


def _tail(filename: str) -> str:
    return filename if filename in _UNREADABLE_NAMES else f".{filename.rpartition('.')[2]}"


def _only_for_layout(part: Part) -> bool:
    return part.type in ("text/css", "text/javascript", "application/javascript")


def _text_of(part: Part, *, is_page: bool) -> _Content:
    data = part.content
    charset = part.headers.parameter("content-type", "charset")
    if is_page and not charset:
        found = _CHARSET_IN_PAGE.search(data[:4096])
        charset = found[1].decode("ascii") if found else ""
    decoded = decode(data, charset)
    if not is_page:
        decoded = in_logical_order(decoded, charset)
    notices = [Notice(decoded.code, decoded.remark)] if decoded.code else []
    return _Content(
        texts=[] if is_page else [decoded.text],
        pages=[decoded.text] if is_page else [],
        notices=notices,
    )


def _bytes_of(part: Part) -> bytes:
    """The bytes of an attached file; text as UTF-8, since its declared character set ends here."""
    data = part.content
    charset = part.headers.parameter("content-type", "charset")
    if part.type not in _TRANSCODED or not charset or charset.lower() in ("utf-8", "us-ascii"):
        return data
    decoded = decode(data, charset)
    return data if decoded.code else decoded.text.encode("utf-8-sig", errors="replace")
