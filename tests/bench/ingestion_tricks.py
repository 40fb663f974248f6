"""Files that try to get at other files, or that are merely strange.

They may be read or refused; but no word of a file outside may become knowledge, and nothing may be
written outside.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from ingestion_broken import LAUGHS, PAGE, docx_members, pdf_file, zip_of

__all__ = ["SECRET", "TRICKS", "Trick"]

SECRET = "quincunxial"
"""A word that stands in a file outside and in none of the tricks."""
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


@dataclass(frozen=True, slots=True)
class Trick:
    """A file that tries something.

    Args:
        name: Its name, with the extension.
        content: Makes its bytes from the path of the secret file.
    """

    name: str
    content: Callable[[Path], bytes]


def _entity(secret: Path) -> str:
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY leak SYSTEM "{secret.as_uri()}">]>'


def _docx_with_entity(secret: Path) -> bytes:
    document = (
        f'{_entity(secret)}<w:document xmlns:w="{_W}"><w:body>'
        "<w:p><w:r><w:t>Hello &leak;</w:t></w:r></w:p></w:body></w:document>"
    )
    return zip_of(docx_members(document.encode()))


def _xml_with_entity(secret: Path) -> bytes:
    return f"{_entity(secret)}<note>Hello &leak;</note>".encode()


def _laughing_xml(_secret: Path) -> bytes:
    """Ten to the eleventh words, if anybody expands them."""
    return f'<?xml version="1.0"?>{LAUGHS}<x>&a11;</x>'.encode()


def _html_with_frame(secret: Path) -> bytes:
    return f'<p>Hello</p><iframe src="{secret.as_uri()}"></iframe>'.encode()


def _zip_slip(secret: Path) -> bytes:
    """Members whose names lead out of any folder they are unpacked in."""
    escaped = secret.with_name("escaped.txt")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("inside.txt", "These words stay inside.")
        archive.writestr(str(escaped), "Out by an absolute name.")
        archive.writestr("../" * 12 + str(escaped).lstrip("/"), "Out by a relative name.")
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = (0o120777 << 16) | 0x20
        archive.writestr(link, str(secret))
    return out.getvalue()


def _outline_in_a_circle(_secret: Path) -> bytes:
    draw = b"BT /F1 12 Tf 40 200 Td (The outline of this file has no end.) Tj ET"
    return pdf_file(
        [
            ("<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R >>", b""),
            ("<< /Type /Pages /Kids [3 0 R] /Count 1 >>", b""),
            (PAGE, b""),
            ("<< >>", draw),
            ("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>", b""),
            ("<< /Type /Outlines /First 7 0 R /Last 7 0 R /Count 1 >>", b""),
            ("<< /Title (Round) /Parent 6 0 R /Next 7 0 R /First 7 0 R /Last 7 0 R >>", b""),
        ]
    )


def _mail_in_mail(_secret: Path) -> bytes:
    """A message in a message, three hundred deep."""
    text = b"Subject: the innermost\r\n\r\nHello.\r\n"
    for depth in range(300):
        head = f"Subject: message {depth}\r\nContent-Type: message/rfc822\r\n\r\n"
        text = head.encode() + text
    return text


def _mail_of_parts(_secret: Path) -> bytes:
    message = EmailMessage()
    message["Subject"] = "Many parts"
    message.set_content("Hello.")
    for number in range(3_000):
        message.add_attachment(b"x", "application", "octet-stream", filename=f"{number}.bin")
    return message.as_bytes()


def _deep_html(_secret: Path) -> bytes:
    return b"<div>" * 200_000 + b"Deep down." + b"</div>" * 200_000


def _one_line(_secret: Path) -> bytes:
    return b"One line without an end and without a stop " * 100_000


TRICKS: tuple[Trick, ...] = (
    Trick("entity.docx", _docx_with_entity),
    Trick("entity.xml", _xml_with_entity),
    Trick("laughs.xml", _laughing_xml),
    Trick("frame.html", _html_with_frame),
    Trick("slip.zip", _zip_slip),
    Trick("round.pdf", _outline_in_a_circle),
    Trick("mail-in-mail.eml", _mail_in_mail),
    Trick("many-parts.eml", _mail_of_parts),
    Trick("deep.html", _deep_html),
    Trick("one-line.txt", _one_line),
)
