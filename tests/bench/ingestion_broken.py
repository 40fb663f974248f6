"""Makes files that cannot be read: cut short, locked, lying about their type, or made to hurt.

`BROKEN_KINDS` is what a large folder of real files holds now and then. `HOSTILE` is what somebody
makes on purpose; each of those asks for far more memory or time than a reader may give it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

__all__ = [
    "BROKEN_KINDS",
    "HOSTILE",
    "LAUGHS",
    "PAGE",
    "BrokenKind",
    "OddEntry",
    "docx_members",
    "make_docx",
    "make_odd_entries",
    "make_odt",
    "make_xlsx",
    "pdf_file",
    "zip_of",
]

GIGABYTE = 1_000_000_000
PAGE = (
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R"
    " /Resources << /Font << /F1 5 0 R >> >> >>"
)
_IMAGE = (
    "<< /Type /XObject /Subtype /Image /Width 64 /Height 64 /BitsPerComponent 8"
    " /ColorSpace /DeviceGray /Filter /FlateDecode >>"
)
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
LAUGHS = (
    "<!DOCTYPE x ["
    '<!ENTITY a0 "lolololololololololol">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    + "]>"
)


@dataclass(frozen=True, slots=True)
class BrokenKind:
    """A sort of file that must be refused.

    Args:
        name: What it is.
        extension: What its name ends in.
        reasons: The reasons of a refusal that are right.
        content: Makes its bytes; the salt makes two of them differ.
    """

    name: str
    extension: str
    reasons: tuple[str, ...]
    content: Callable[[str], bytes]

    def make(self, file: Path, salt: str) -> None:
        file.write_bytes(self.content(salt))
        if self.name == "no-permission":
            file.chmod(0)


# --- PDF ------------------------------------------------------------------------------------------


def pdf_file(objects: Iterable[tuple[str, bytes]], salt: str = "") -> bytes:
    """A PDF of numbered objects (dictionary, stream), of which the first is the catalog."""
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n%" + salt.encode() + b"\n")
    offsets = []
    for number, (dictionary, stream) in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n".encode())
        if stream:
            entries = dictionary.removesuffix(">>")
            out.write(f"{entries} /Length {len(stream)} >>\nstream\n".encode())
            out.write(stream + b"\nendstream")
        else:
            out.write(dictionary.encode())
        out.write(b"\nendobj\n")
    start = out.tell()
    out.write(f"xref\n0 {len(offsets) + 1}\n0000000000 65535 f \n".encode())
    out.write("".join(f"{offset:010} 00000 n \n" for offset in offsets).encode())
    trailer = f"trailer\n<< /Size {len(offsets) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    return out.getvalue() + trailer.encode()


def pdf_of_content(content: bytes, filters: str, salt: str = "") -> bytes:
    """A PDF of one page with this content stream."""
    return pdf_file(
        [
            ("<< /Type /Catalog /Pages 2 0 R >>", b""),
            ("<< /Type /Pages /Kids [3 0 R] /Count 1 >>", b""),
            (PAGE, b""),
            (f"<< /Filter {filters} >>", content),
            ("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>", b""),
        ],
        salt,
    )


@cache
def deflated(total: int, pattern: bytes = b" ", *, raw: bool = False) -> bytes:
    """About `total` bytes of a repeated pattern, deflated, without ever holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = pattern * (10_000_000 // len(pattern))
    # After a full flush the same bytes inflate to the same block wherever they stand.
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    count = total // len(block)
    body = packed * count + b"\x03\x00"
    if raw:
        return body
    checksum = 1
    for _ in range(count):
        checksum = zlib.adler32(block, checksum)
    return b"\x78\xda" + body + checksum.to_bytes(4, "big")


@cache
def crc_of_blanks(total: int, head: bytes = b"") -> int:
    """The CRC-32 of `head` and then as many blanks as `deflated` packs."""
    block = b" " * 10_000_000
    checksum = zlib.crc32(head)
    for _ in range(total // len(block)):
        checksum = zlib.crc32(block, checksum)
    return checksum


def _whole_pdf(salt: str) -> bytes:
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    pdf.multi_cell(0, 6, f"This report {salt} was whole once. " * 40)
    return bytes(pdf.output())


def _cut_pdf(salt: str) -> bytes:
    whole = _whole_pdf(salt)
    return whole[: len(whole) * 2 // 5]


def _locked_pdf(salt: str) -> bytes:
    from fpdf import FPDF

    pdf = FPDF()
    pdf.set_encryption(owner_password=f"owner {salt}", user_password="nobody knows")
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    pdf.multi_cell(0, 6, f"Locked {salt}.")
    return bytes(pdf.output())


def _scanned_pdf(salt: str) -> bytes:
    """A page that shows nothing but a picture, and the picture shows no letter."""
    picture = zlib.compress(bytes(128 for _ in range(64 * 64)))
    draw = b"q 300 0 0 300 0 0 cm /Im1 Do Q"
    return pdf_file(
        [
            ("<< /Type /Catalog /Pages 2 0 R >>", b""),
            ("<< /Type /Pages /Kids [3 0 R] /Count 1 >>", b""),
            (PAGE.replace("/Font << /F1", "/XObject << /Im1"), b""),
            ("<< >>", draw),
            (_IMAGE, picture),
        ],
        salt,
    )


def _pdf_bomb(salt: str) -> bytes:
    return pdf_of_content(deflated(GIGABYTE), "/FlateDecode", salt)


def _pdf_bomb_in_bomb(salt: str) -> bytes:
    """Two layers of deflate: a few kilobytes that become four gigabytes."""
    inner = deflated(4 * GIGABYTE)
    return pdf_of_content(zlib.compress(inner, 9), "[/FlateDecode /FlateDecode]", salt)


def _pdf_of_operators(salt: str) -> bytes:
    """44 MB of text operators that draw nothing."""
    body = deflated(44_000_000, b"BT /F1 9 Tf 0 0 Td () Tj ET\n")
    return pdf_of_content(body, "/FlateDecode", salt)


def _pdf_in_a_circle(salt: str) -> bytes:
    """A tree of pages that is its own child and has no page."""
    return pdf_file(
        [
            ("<< /Type /Catalog /Pages 2 0 R >>", b""),
            ("<< /Type /Pages /Parent 3 0 R /Kids [3 0 R] /Count 1000000 >>", b""),
            ("<< /Type /Pages /Parent 2 0 R /Kids [2 0 R 3 0 R] /Count 1000000 >>", b""),
        ],
        salt,
    )


# --- zip and what is made of it -------------------------------------------------------------------


def zip_of(members: dict[str, bytes], salt: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = salt.encode()
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def zip_of_deflated(
    members: dict[str, tuple[bytes, int, int]], salt: str = "", *, stated: int | None = None
) -> bytes:
    """A zip of members that are deflated already: (data, size when inflated, CRC-32).

    `stated` is the size that the headers claim for all of them, if they are to lie.
    """
    out = io.BytesIO()
    directory = io.BytesIO()
    for name, (data, size, crc) in members.items():
        claimed = size if stated is None else stated
        fields = struct.pack("<HHHHHIII", 20, 0, 8, 0, 33, crc, len(data), claimed)
        names = name.encode()
        lengths = struct.pack("<HH", len(names), 0)
        directory.write(b"PK\x01\x02\x14\x00" + fields + lengths)
        directory.write(struct.pack("<HHHII", 0, 0, 0, 0, out.tell()) + names)
        out.write(b"PK\x03\x04" + fields + lengths + names + data)
    start, listed = out.tell(), directory.getvalue()
    out.write(listed)
    count, comment = len(members), salt.encode()
    out.write(b"PK\x05\x06" + struct.pack("<HHHHII", 0, 0, count, count, len(listed), start))
    out.write(struct.pack("<H", len(comment)) + comment)
    return out.getvalue()


def _zip_bomb(salt: str) -> bytes:
    return zip_of_deflated({"notes.txt": _blanks()}, salt)


def _lying_zip(salt: str) -> bytes:
    return zip_of_deflated({"notes.txt": _blanks()}, salt, stated=100)


def _blanks() -> tuple[bytes, int, int]:
    return deflated(GIGABYTE, raw=True), GIGABYTE, crc_of_blanks(GIGABYTE)


def _zip_of_zips(salt: str) -> bytes:
    """Zips in zips, ten each and nine deep: ten to the eighth files at the bottom."""
    inner = zip_of({"notes.txt": b"There is nothing here. " * 1000})
    for _ in range(8):
        inner = zip_of({f"{n}.zip": inner for n in range(10)})
    return zip_of({"0.zip": inner}, salt)


def _cut_zip(salt: str) -> bytes:
    whole = zip_of({f"{n}.txt": os.urandom(400) for n in range(5)}, salt)
    return whole[: len(whole) // 2]


def _locked_zip(salt: str) -> bytes:
    """The flag of encryption is set in both headers; the bytes are noise, as if encrypted."""
    name, noise = b"secret.txt", hashlib.sha512(salt.encode()).digest()
    fields = struct.pack("<HHHHHIII", 20, 1, 0, 0, 33, 0, len(noise), len(noise) - 12)
    local = b"PK\x03\x04" + fields + struct.pack("<HH", len(name), 0) + name + noise
    listed = b"PK\x01\x02\x14\x00" + fields + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0)
    listed += name
    return (
        local
        + listed
        + b"PK\x05\x06"
        + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(listed), len(local), 0)
    )


def docx_members(document: bytes) -> dict[str, bytes]:
    """The least that makes a Word document, around the text of its main part."""
    types = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-'
        'officedocument.wordprocessingml.document.main+xml"/></Types>'
    )
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        'relationships/officeDocument" Target="word/document.xml"/></Relationships>'
    )
    return {
        "[Content_Types].xml": types.encode(),
        "_rels/.rels": relations.encode(),
        "word/document.xml": document,
    }


def _bomb_in(members: dict[str, bytes], bomb: str, head: bytes, salt: str) -> bytes:
    """An office document with one part that inflates to a gigabyte of blanks after `head`."""
    packed: dict[str, tuple[bytes, int, int]] = {}
    for name, data in members.items():
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed[name] = (packer.compress(data) + packer.flush(), len(data), zlib.crc32(data))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = crc_of_blanks(GIGABYTE, head)
    packed[bomb] = (start + deflated(GIGABYTE, raw=True), len(head) + GIGABYTE, crc)
    return zip_of_deflated(packed, salt)


def _docx_bomb(salt: str) -> bytes:
    head = f'<w:document xmlns:w="{_W}"><w:body><w:p><w:r><w:t>Hello</w:t></w:r></w:p>'
    members = docx_members(b"")
    del members["word/document.xml"]
    return _bomb_in(members, "word/document.xml", head.encode(), salt)


def _docx_of_paragraphs(salt: str) -> bytes:
    """Three million paragraphs in some hundred kilobytes."""
    paragraphs = b"<w:p><w:r><w:t>a</w:t></w:r></w:p>" * 3_000_000
    document = f'<w:document xmlns:w="{_W}"><w:body>'.encode()
    return zip_of(docx_members(document + paragraphs + b"</w:body></w:document>"), salt)


def _docx_of_entities(salt: str) -> bytes:
    document = (
        f'<?xml version="1.0"?>{LAUGHS}<w:document xmlns:w="{_W}"><w:body>'
        "<w:p><w:r><w:t>&a11;</w:t></w:r></w:p></w:body></w:document>"
    )
    return zip_of(docx_members(document.encode()), salt)


def _cut_docx(salt: str) -> bytes:
    whole = zip_of(docx_members(os.urandom(3_000)), salt)
    return whole[: len(whole) // 2]


def make_docx(text: str) -> bytes:
    """A Word document that is whole."""
    body = f"<w:p><w:r><w:t>{escape(text)}</w:t></w:r></w:p>"
    document = f'<w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>'
    return zip_of(docx_members(document.encode()))


def make_xlsx(text: str) -> bytes:
    """A workbook that is whole."""
    from openpyxl import Workbook

    book = Workbook()
    book.active["A1"], book.active["A2"] = "Subject", text
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _xlsx_bomb(salt: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(make_xlsx("Amount"))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    del members["xl/worksheets/sheet1.xml"]
    head = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c r="A1" t="inlineStr"><is><t>Amount</t></is></c></row>'
    )
    return _bomb_in(members, "xl/worksheets/sheet1.xml", head.encode(), salt)


_ODT_HEAD = (
    '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2">'
    "<office:body><office:text>"
)


def _odt_members() -> dict[str, bytes]:
    space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    kind = "application/vnd.oasis.opendocument.text"
    entries = "".join(
        f'<m:file-entry m:full-path="{path}" m:media-type="{media}"/>'
        for path, media in (("/", kind), ("content.xml", "text/xml"))
    )
    manifest = f'<m:manifest xmlns:m="{space}" m:version="1.2">{entries}</m:manifest>'
    return {"mimetype": kind.encode(), "META-INF/manifest.xml": manifest.encode()}


def make_odt(text: str) -> bytes:
    """An OpenDocument text that is whole."""
    ends = "</office:text></office:body></office:document-content>"
    content = f"{_ODT_HEAD}<text:p>{escape(text)}</text:p>{ends}"
    return zip_of({**_odt_members(), "content.xml": content.encode()})


def _odt_bomb(salt: str) -> bytes:
    head = f"{_ODT_HEAD}<text:p>Hello</text:p>"
    return _bomb_in(_odt_members(), "content.xml", head.encode(), salt)


def _cut_odt(salt: str) -> bytes:
    whole = make_odt(f"This text {salt} was whole once. " * 50)
    return whole[: len(whole) // 2]


# --- text and trees -------------------------------------------------------------------------------


def _deep_json(salt: str) -> bytes:
    return b'{"' + salt.encode() + b'": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"


def _picture(salt: str) -> bytes:
    head = (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00"
    )
    return head + hashlib.sha512(salt.encode()).digest() * 20


def _noise(salt: str) -> bytes:
    return b"".join(hashlib.sha512(f"{salt}/{n}".encode()).digest() for n in range(60))


def _nul_bytes(salt: str) -> bytes:
    return f"These words of {salt} are fine, ".encode() * 10 + b"\x00" * 5_000 + b"and these too."


def _svgz(salt: str) -> bytes:
    return gzip.compress(_noise(salt), mtime=0)


def _may_deny() -> bool:
    """Whether permissions bind this user; they do not bind root."""
    return hasattr(os, "geteuid") and os.geteuid() != 0


_NOT_TEXT = ("unsupported", "broken")
_TOO_MUCH = ("too large", "broken")
BROKEN_KINDS: tuple[BrokenKind, ...] = (
    BrokenKind("cut-short", ".pdf", ("broken",), _cut_pdf),
    BrokenKind("encrypted", ".pdf", ("encrypted",), _locked_pdf),
    BrokenKind("empty", ".pdf", ("broken",), lambda _salt: b""),
    BrokenKind("zip-bomb", ".zip", _TOO_MUCH, _zip_bomb),
    BrokenKind("picture-named", ".txt", _NOT_TEXT, _picture),
    BrokenKind("nul-bytes", ".txt", _NOT_TEXT, _nul_bytes),
    BrokenKind("deep", ".json", _TOO_MUCH, _deep_json),
    BrokenKind("docx-bomb", ".docx", _TOO_MUCH, _docx_bomb),
    BrokenKind("scanned", ".pdf", ("no text: needs OCR",), _scanned_pdf),
    BrokenKind("noise-named", ".xlsx", _NOT_TEXT, _noise),
    BrokenKind("cut-short", ".docx", ("broken",), _cut_docx),
    BrokenKind("picture-named", ".pdf", _NOT_TEXT, _picture),
    BrokenKind("pdf-bomb", ".pdf", _TOO_MUCH, _pdf_bomb),
    BrokenKind("encrypted", ".zip", ("encrypted",), _locked_zip),
    BrokenKind("cut-short", ".odt", ("broken",), _cut_odt),
    BrokenKind("white-space", ".docx", ("broken",), lambda salt: b" \n\t" * (1 + len(salt))),
    BrokenKind("text-named", ".docx", _NOT_TEXT, lambda salt: f"Just text, {salt}.".encode()),
    BrokenKind("gzip-named", ".html", _NOT_TEXT, _svgz),
    BrokenKind("cut-short", ".zip", ("broken",), _cut_zip),
    *(
        (BrokenKind("no-permission", ".txt", ("unreadable",), lambda s: f"Secret {s}.".encode()),)
        if _may_deny()
        else ()
    ),
)
"""Each is refused as a whole, with one of its reasons. Root may read everything, so `no-permission`
is there only for others."""

_SLOW = ("too large", "broken", "timed out")
HOSTILE: tuple[BrokenKind, ...] = (
    BrokenKind("stream of 1 GB", ".pdf", _SLOW, _pdf_bomb),
    BrokenKind("stream in a stream of 4 GB", ".pdf", _SLOW, _pdf_bomb_in_bomb),
    # Read to its end it is a page without a word.
    BrokenKind("44 MB of operators", ".pdf", (*_SLOW, "no text: needs OCR"), _pdf_of_operators),
    BrokenKind("pages in a circle", ".pdf", _SLOW, _pdf_in_a_circle),
    BrokenKind("part of 1 GB", ".docx", _SLOW, _docx_bomb),
    BrokenKind("3 million paragraphs", ".docx", _SLOW, _docx_of_paragraphs),
    BrokenKind("entities", ".docx", _SLOW, _docx_of_entities),
    BrokenKind("sheet of 1 GB", ".xlsx", _SLOW, _xlsx_bomb),
    BrokenKind("content of 1 GB", ".odt", _SLOW, _odt_bomb),
    BrokenKind("member of 1 GB", ".zip", _SLOW, _zip_bomb),
    BrokenKind("sizes that lie", ".zip", _SLOW, _lying_zip),
    BrokenKind("zips in zips", ".zip", _SLOW, _zip_of_zips),
    BrokenKind("200,000 brackets", ".json", _SLOW, _deep_json),
)
"""Thirteen files, each to be refused, none to cost the reading process memory."""


# --- what is no file at all -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OddEntry:
    """Something in a folder that looks like a document and is none; it must be told of by name."""

    name: str
    kind: str


def make_odd_entries(folder: Path) -> tuple[OddEntry, ...]:
    """A pipe, a link to nowhere and a link to itself, where the system has them."""
    folder.mkdir(parents=True, exist_ok=True)
    makers: tuple[tuple[str, Callable[[Path], None]], ...] = (
        ("dangling.txt", lambda path: path.symlink_to(path.with_name("nowhere.txt"))),
        ("itself.txt", lambda path: path.symlink_to(path)),
        ("pipe.txt", _make_pipe),
    )
    made = []
    for name, make in makers:
        try:
            make(folder / name)
        except (OSError, NotImplementedError, AttributeError):
            continue
        made.append(OddEntry(f"{folder.name}/{name}", name.partition(".")[0]))
    return tuple(made)


def _make_pipe(path: Path) -> None:
    os.mkfifo(path)
