"""A message as a person sees it: who wrote to whom, the text, the files; and what to yield for it.

The loaders of every kind of mail file make letters; only here is decided how one reads.
"""

from __future__ import annotations

import base64
import hashlib
import html
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from inglenook.errors import LoadError
from inglenook.types import PART_FAILED, LoadRequest, Locator, Notice, PartFile, Section
from inglenook_mail.charsets import clean

__all__ = ["Letter", "PartNames", "as_eml", "failed", "items"]

LABELS = ("From", "To", "Cc", "Bcc", "Date", "Subject")
_LONGEST_NAME = 120
_LONGEST_TITLE = 200
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f<>:\"|?*]+")
_ARMOR = ("-----BEGIN PGP MESSAGE-----", "-----END PGP MESSAGE-----")
_SIGNATURE = ("-----BEGIN PGP SIGNATURE-----", "-----END PGP SIGNATURE-----")
_MESSAGES = ("message/rfc822", "message/global")
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,9}")
_EXTENSIONS = mimetypes.MimeTypes(filenames=())
_PREFERRED = {
    "message/rfc822": ".eml",
    "message/global": ".eml",
    "text/plain": ".txt",
    "text/html": ".html",
    "image/jpeg": ".jpg",
    "text/calendar": ".ics",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
}


@dataclass(slots=True)
class Letter:
    """What a message holds.

    Args:
        headers: The lines above the text, as pairs of a label of `LABELS` and a value.
        text: The body as plain text.
        pages: The bodies that are only there as HTML.
        files: What is attached, with names that are safe and unique.
        attached: The names among them that a mail program lists.
        notices: What could not be read.
    """

    headers: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""
    pages: list[str] = field(default_factory=list)
    files: list[PartFile] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    @property
    def subject(self) -> str:
        return dict(self.headers).get("Subject", "")[:_LONGEST_TITLE]


class PartNames:
    """Gives each file of a message a name of its own that is safe to show and to use."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, wanted: str, type: str) -> str:
        """The name, with the extension of its type if it has none."""
        base = PurePosixPath(wanted.replace("\\", "/")).name if wanted else ""
        base = _NOT_IN_NAMES.sub("_", clean(base)).strip(" .") or "part"
        path = PurePosixPath(base)
        stem, extension = path.stem[:_LONGEST_NAME], path.suffix
        if type in _MESSAGES or not _EXTENSION.fullmatch(extension):
            wished = extension_of(type)
            if wished and wished != extension.lower():
                stem, extension = path.name[:_LONGEST_NAME], wished
        number, candidate = 1, f"{stem}{extension}"
        while candidate.lower() in self._taken:
            number += 1
            candidate = f"{stem} ({number}){extension}"
        self._taken.add(candidate.lower())
        return candidate


def extension_of(type: str) -> str:
    """The extension that files of a media type have; "" if unknown."""
    known = _PREFERRED.get(type) or _EXTENSIONS.guess_extension(type)
    return known or (".txt" if type.startswith("text/") else "")


def items(
    letter: Letter, place: Locator, folder: str, request: LoadRequest
) -> Iterator[Section | PartFile | Notice]:
    """What a loader yields for a letter; `folder` goes in front of the names of its parts."""
    text, notices = _without_armor(clean(letter.text))
    lines = [f"{label}: {value}" for label, value in letter.headers if value]
    if letter.attached:
        lines.append(f"Attachments: {', '.join(letter.attached)}")
    whole = "\n\n".join(filter(None, ("\n".join(lines), text)))
    refuse_too_long(len(whole), request)
    if whole.strip():
        headings = (letter.subject,) if letter.subject else ()
        yield Section(whole, place, headings)
    yield from (*notices, *letter.notices)
    for number, page in enumerate(letter.pages, start=1):
        name = "body.html" if number == 1 else f"body-{number}.html"
        yield PartFile(f"{folder}{name}", _as_page(page, letter.subject))
    for file in letter.files:
        yield PartFile(f"{folder}{file.name}", file.data)


def refuse_too_long(characters: int, request: LoadRequest) -> None:
    """Raise `LoadError` too large for more text than is allowed."""
    if characters > request.max_characters:
        raise LoadError(
            f"{request.name} has more than {request.max_characters:,} characters of text.",
            reason="too large",
        )


def failed(name: str, reason: str, message: str) -> Notice:
    """The notice for a part that could not be read."""
    return Notice(PART_FAILED, f"{name}: {reason}: {message}")


def as_eml(letter: Letter) -> bytes:
    """The letter as a file of its own, for one that stands inside another format."""
    mark = hashlib.sha256(repr(letter.headers).encode(errors="replace")).hexdigest()[:32]
    lines = [f"{label}: {_word(value)}" for label, value in letter.headers if value]
    lines += ["MIME-Version: 1.0", f'Content-Type: multipart/mixed; boundary="{mark}"', ""]
    texts = [("plain", letter.text)] if letter.text else []
    for kind, text in texts + [("html", page) for page in letter.pages]:
        lines += [f"--{mark}", f"Content-Type: text/{kind}; charset=utf-8"]
        lines += _encoded(text.encode(errors="replace"))
    for file in letter.files:
        lines += [f"--{mark}", "Content-Type: application/octet-stream"]
        lines += [f'Content-Disposition: attachment; filename="{_word(file.name)}"']
        lines += _encoded(file.data)
    return "\n".join([*lines, f"--{mark}--", ""]).encode("ascii")


def _encoded(data: bytes) -> list[str]:
    return ["Content-Transfer-Encoding: base64", "", base64.encodebytes(data).decode("ascii")]


def _word(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return f"=?utf-8?b?{base64.b64encode(text.encode(errors='replace')).decode('ascii')}?="


def _as_page(page: str, subject: str) -> bytes:
    """The HTML as UTF-8, whatever it declares, with the subject as the title of the page."""
    title = f"<title>{html.escape(subject)}</title>\n" if subject else ""
    return f"\ufeff{title}{page}".encode(errors="replace")


def _without_armor(text: str) -> tuple[str, list[Notice]]:
    """The text without what PGP put there for programs."""
    text, messages = _cut(text, *_ARMOR)
    text, signatures = _cut(text, *_SIGNATURE)
    notices = []
    if messages:
        notices.append(failed("text", "encrypted", "it is encrypted with PGP"))
    if signatures:
        notices.append(Notice("signed", "the signature of the text was not checked"))
    return text.strip("\n"), notices


def _cut(text: str, begin: str, end: str) -> tuple[str, int]:
    kept, position, count = [], 0, 0
    while (first := text.find(begin, position)) >= 0:
        last = text.find(end, first)
        if last < 0:
            break
        kept.append(text[position:first])
        position = last + len(end)
        count += 1
    kept.append(text[position:])
    return "".join(kept), count
