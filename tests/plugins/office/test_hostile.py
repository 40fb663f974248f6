"""Documents that attack who reads them end in one refusal, or are read, quickly and in little room.

Each is made when its test runs and read in a process of its own.
"""

from __future__ import annotations

import importlib
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, product
from pathlib import Path

import pytest

from inglenook.errors import LOAD_REASONS, Cancelled, LoadError
from inglenook.types import CancelToken, LoadRequest
from inglenook_office.docx_loader import DocxLoader

MOST_SECONDS = 5
MOST_MB = 300

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
X = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
ODF = "urn:oasis:names:tc:opendocument:xmlns:"

DOCUMENT = f'<w:document xmlns:w="{W}"><w:body>', "</w:body></w:document>"
SHEET = f'<worksheet xmlns="{X}"><sheetData>', "</sheetData></worksheet>"
SLIDE = f'<p:sld xmlns:p="{P}" xmlns:a="{A}"><p:cSld><p:spTree>', "</p:spTree></p:cSld></p:sld>"
WORKBOOK = (
    f'<workbook xmlns="{X}" xmlns:r="{R}"><sheets><sheet name="S" sheetId="1" r:id="rId1"/>'
    "</sheets></workbook>"
)
PRESENTATION = (
    f'<p:presentation xmlns:p="{P}" xmlns:r="{R}"><p:sldIdLst><p:sldId id="256" r:id="rId1"/>'
    "</p:sldIdLst></p:presentation>"
)
TEXT = (
    (
        f'<office:document-content xmlns:office="{ODF}office:1.0" xmlns:text="{ODF}text:1.0"'
        f' xmlns:table="{ODF}table:1.0" xmlns:draw="{ODF}drawing:1.0"><office:body><office:text>'
    ),
    "</office:text></office:body></office:document-content>",
)
SHEETS = (
    (
        f'<office:document-content xmlns:office="{ODF}office:1.0" xmlns:text="{ODF}text:1.0"'
        f' xmlns:table="{ODF}table:1.0"><office:body><office:spreadsheet><table:table'
        ' table:name="S">'
    ),
    "</table:table></office:spreadsheet></office:body></office:document-content>",
)


def relations(kind: str, target: str) -> str:
    return (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{R}/{kind}" Target="{target}"/></Relationships>'
    )


def zipped(path: Path, members: dict[str, str | bytes | Iterable[bytes]]) -> Path:
    """Write a zip file; a member may be given in pieces."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            with archive.open(name, "w", force_zip64=False) as member:
                if isinstance(content, str):
                    member.write(content.encode())
                elif isinstance(content, bytes):
                    member.write(content)
                else:
                    for piece in content:
                        member.write(piece)
    return path


def around(both: tuple[str, str], pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield both[0].encode()
    yield from pieces
    yield both[1].encode()


def repeated(piece: str, times: int) -> Iterator[bytes]:
    """`piece` again and again, some hundred kilobytes at once."""
    data = piece.encode()
    at_once = max(1, 300_000 // len(data))
    while times > 0:
        yield data * min(at_once, times)
        times -= at_once


def docx(path: Path, document: str | Iterable[bytes], **parts: str) -> Path:
    return zipped(path, {"word/document.xml": document, **parts})


def xlsx(path: Path, sheet: str | Iterable[bytes], **parts: str | Iterable[bytes]) -> Path:
    return zipped(
        path,
        {
            "xl/workbook.xml": WORKBOOK,
            "xl/_rels/workbook.xml.rels": relations("worksheet", "worksheets/sheet1.xml"),
            "xl/worksheets/sheet1.xml": sheet,
            **parts,
        },
    )


def pptx(path: Path, slide: str | Iterable[bytes]) -> Path:
    return zipped(
        path,
        {
            "ppt/presentation.xml": PRESENTATION,
            "ppt/_rels/presentation.xml.rels": relations("slide", "slides/slide1.xml"),
            "ppt/slides/slide1.xml": slide,
        },
    )


def odf(path: Path, content: str | Iterable[bytes]) -> Path:
    kinds = {".odt": "text", ".ods": "spreadsheet", ".odp": "presentation"}
    mime = f"application/vnd.oasis.opendocument.{kinds[path.suffix]}"
    return zipped(path, {"mimetype": mime, "content.xml": content})


# --- attacks on the container -------------------------------------------------------------------


def bomb(path: Path) -> Path:
    """One megabyte that inflates to one gigabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(b" " * 1_000_000) + packer.flush(zlib.Z_FULL_FLUSH)
    return raw_zip(path, b"word/document.xml", piece * 1_000 + packer.flush(), 1_000_000_000)


def three_million_paragraphs(path: Path) -> Path:
    """About 100 MB of XML; the numbers keep it from shrinking so well that its ratio tells."""
    numbers = (
        "".join(
            f"<w:p><w:r><w:t>{n * 7919 % 100_000}</w:t></w:r></w:p>"
            for n in range(begin, begin + 5_000)
        ).encode()
        for begin in range(0, 3_000_000, 5_000)
    )
    return docx(path, around(DOCUMENT, numbers))


def lying_sizes(path: Path) -> Path:
    """The header says that a member has 100 bytes; it has 200 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(b" " * 1_000_000) + packer.flush(zlib.Z_FULL_FLUSH)
    return raw_zip(path, b"word/document.xml", piece * 200 + packer.flush(), 100)


def twice_the_same_member(path: Path) -> Path:
    good = "".join((DOCUMENT[0], "<w:p><w:r><w:t>one</w:t></w:r></w:p>", DOCUMENT[1])).encode()
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("word/document.xml", good)
        archive.writestr("word/documenu.xml", good)
    path.write_bytes(data.getvalue().replace(b"documenu", b"document"))
    return path


def overlapping_members(path: Path) -> Path:
    """A thousand entries of the index that lead to the same bytes."""
    document = "".join((DOCUMENT[0], "<w:p><w:r><w:t>x</w:t></w:r></w:p>", DOCUMENT[1]))
    content = document.encode() + b" " * 400_000
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(content) + packer.flush()
    return raw_zip(path, b"word/document.xml", packed, len(content), entries=1_000)


def raw_zip(path: Path, name: bytes, packed: bytes, size: int, *, entries: int = 1) -> Path:
    """A zip file of one member, written by hand so that it can lie (APPNOTE 6.3.10)."""
    check = zlib.crc32(zlib.decompress(packed, -15)) if size < 1_000_000 else 0
    local = struct.pack(
        "<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 8, 0, 33, check, len(packed), size, len(name), 0
    )
    body = local + name + packed
    index = b""
    for number in range(entries):
        entry = b"word/extra%04d.xml" % number if number else name
        index += struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, 8, 0, 33, check, len(packed), size,
            len(entry), 0, 0, 0, 0, 0, 0,
        ) + entry  # fmt: skip
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, entries, entries, len(index), len(body), 0)
    path.write_bytes(body + index + end)
    return path


# --- attacks on the XML -------------------------------------------------------------------------


def laughs(name: str = "lol") -> str:
    lines = [f'<!ENTITY {name}0 "ha">']
    lines += [f'<!ENTITY {name}{n} "{f"&{name}{n - 1};" * 10}">' for n in range(1, 12)]
    return f"<!DOCTYPE r [{''.join(lines)}]>"


def external(path: str) -> str:
    return f'<!DOCTYPE r [<!ENTITY x SYSTEM "file://{path}">]>'


def one_huge_tag(path: Path) -> Path:
    noise = random.Random(1).randbytes(8_000_000).hex().encode()
    return docx(path, around(DOCUMENT, [b'<w:p w:x="', noise, b'"/>']))


def a_million_attributes(path: Path) -> Path:
    attributes = (f' a{n}=""'.encode() for n in range(1_000_000))
    return docx(path, around(DOCUMENT, [b"<w:p", *attributes, b"/>"]))


def a_million_names(path: Path) -> Path:
    return docx(path, around(DOCUMENT, (f"<n{n}/>".encode() for n in range(1_000_000))))


def a_million_prefixes(path: Path) -> Path:
    elements = (f'<w:p xmlns:p{n}="u"/>'.encode() for n in range(1_000_000))
    return docx(path, around(DOCUMENT, elements))


def deep_tables(path: Path) -> Path:
    depth = 30_000
    return docx(
        path,
        around(
            DOCUMENT,
            [
                b"<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p>" * depth,
                b"</w:tc></w:tr></w:tbl>" * depth,
            ],
        ),
    )


def deep_groups(path: Path) -> Path:
    depth = 100_000
    return pptx(path, around(SLIDE, [b"<p:grpSp>" * depth, b"</p:grpSp>" * depth]))


def deep_lists(path: Path) -> Path:
    depth = 100_000
    return odf(
        path,
        around(
            TEXT,
            [
                b"<text:list><text:list-item><text:p>a</text:p>" * depth,
                b"</text:list-item></text:list>" * depth,
            ],
        ),
    )


def deep_groups_of_rtf(path: Path) -> Path:
    path.write_bytes(b"{\\rtf1 " + b"{" * 2_000_000 + b"x" + b"}" * 2_000_001)
    return path


# --- attacks with numbers -----------------------------------------------------------------------


def a_million_columns(path: Path) -> Path:
    cells = (f"<c><v>{n * 7919 % 1_000_003}</v></c>".encode() for n in range(1_000_000))
    return xlsx(path, around(SHEET, [b'<row r="1">', *cells, b"</row>"]))


def a_million_columns_of_odf(path: Path) -> Path:
    cells = (
        f"<table:table-cell><text:p>{n * 7919 % 1_000_003}</text:p></table:table-cell>".encode()
        for n in range(1_000_000)
    )
    return odf(path, around(SHEETS, [b"<table:table-row>", *cells, b"</table:table-row>"]))


def a_million_cells_in_a_row(path: Path) -> Path:
    row = [b"<w:tbl><w:tr>", *repeated("<w:tc><w:p/></w:tc>", 1_000_000), b"</w:tr></w:tbl>"]
    return docx(path, around(DOCUMENT, row))


def cells_far_apart(path: Path) -> Path:
    """Claims 1,048,576 rows of 16,384 columns, and has their first and last cell."""
    sheet = (
        f'<worksheet xmlns="{X}"><dimension ref="A1:XFD1048576"/><cols><col min="1" max="16384"/>'
        '</cols><sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="1048576">'
        '<c r="XFD1048576"><v>2</v></c></row></sheetData><mergeCells><mergeCell'
        ' ref="A1:XFC1048575"/></mergeCells></worksheet>'
    )
    return xlsx(path, sheet)


def rows_repeated_without_end(path: Path) -> Path:
    """Cells that the format repeats a thousand million times: blank ones, and some with text."""
    cell = (
        '<table:table-cell table:number-columns-repeated="16384"><text:p>{}</text:p>'
        "</table:table-cell>"
    )
    row = '<table:table-row table:number-rows-repeated="1048576">{}</table:table-row>'
    rows = row.format(cell.format("")) + row.format(cell.format("x"))
    return odf(path, "".join((SHEETS[0], rows, SHEETS[1])))


def spans_without_end(path: Path) -> Path:
    span = '<w:tcPr><w:gridSpan w:val="999999999"/></w:tcPr>'
    cells = f"<w:tc>{span}<w:p><w:r><w:t>h</w:t></w:r></w:p></w:tc>"
    row = f"<w:tr><w:trPr><w:tblHeader/></w:trPr>{cells * 2_000}</w:tr>"
    return docx(path, "".join((DOCUMENT[0], f"<w:tbl>{row * 3}</w:tbl>", DOCUMENT[1])))


def merges_over_everything(path: Path) -> Path:
    merges = "".join(f'<mergeCell ref="A1:A{1_000_000 + n % 9}"/>' for n in range(100_000))
    rows = "".join(f'<row r="{n}"><c r="B{n}"><v>1</v></c></row>' for n in range(1, 20_000))
    return xlsx(
        path,
        f'<worksheet xmlns="{X}"><sheetData>{rows}</sheetData><mergeCells>{merges}</mergeCells>'
        "</worksheet>",
    )


def hidden_columns_without_end(path: Path) -> Path:
    columns = '<col min="1" max="16384" hidden="1"/>' * 300_000
    return xlsx(
        path,
        f'<worksheet xmlns="{X}"><cols>{columns}</cols><sheetData><row r="1"><c r="A1"><v>1</v></c>'
        "</row></sheetData></worksheet>",
    )


def one_note_again_and_again(path: Path) -> Path:
    """A footnote of a megabyte, referred to a hundred thousand times: 100 GB of text."""
    notes = (
        f'<w:footnotes xmlns:w="{W}"><w:footnote w:id="1"><w:p><w:r><w:t>{"long " * 200_000}</w:t>'
        "</w:r></w:p></w:footnote></w:footnotes>"
    )
    references = repeated('<w:r><w:footnoteReference w:id="1"/></w:r>', 100_000)
    return zipped(
        path,
        {
            "word/document.xml": around(DOCUMENT, [b"<w:p>", *references, b"</w:p>"]),
            "word/_rels/document.xml.rels": relations("footnotes", "footnotes.xml"),
            "word/footnotes.xml": notes,
        },
    )


def one_slide_again_and_again(path: Path) -> Path:
    ids = "".join(f'<p:sldId id="{n}" r:id="rId1"/>' for n in range(200_000))
    shown = PRESENTATION.replace('<p:sldId id="256" r:id="rId1"/>', ids)
    shape = "<p:sp><p:txBody><a:p><a:r><a:t>once</a:t></a:r></a:p></p:txBody></p:sp>"
    return zipped(
        path,
        {
            "ppt/presentation.xml": shown,
            "ppt/_rels/presentation.xml.rels": relations("slide", "slides/slide1.xml"),
            "ppt/slides/slide1.xml": "".join((SLIDE[0], shape, SLIDE[1])),
        },
    )


def one_chart_again_and_again(path: Path) -> Path:
    chart_uri = "http://schemas.openxmlformats.org/drawingml/2006/chart"
    link = f'<c:chart xmlns:c="{chart_uri}" xmlns:r="{R}" r:id="rId1"/>'
    frame = f"<p:graphicFrame>{link}</p:graphicFrame>"
    points = "".join(f'<c:pt idx="{n}"><c:v>{n}</c:v></c:pt>' for n in range(30_000))
    chart = (
        f'<c:chartSpace xmlns:c="{chart_uri}"><c:ser><c:val>{points}</c:val></c:ser></c:chartSpace>'
    )
    return zipped(
        path,
        {
            "ppt/presentation.xml": PRESENTATION,
            "ppt/_rels/presentation.xml.rels": relations("slide", "slides/slide1.xml"),
            "ppt/slides/slide1.xml": around(SLIDE, repeated(frame, 20_000)),
            "ppt/slides/_rels/slide1.xml.rels": relations("chart", "../charts/chart1.xml"),
            "ppt/charts/chart1.xml": chart,
        },
    )


def shared_texts_without_end(path: Path) -> Path:
    texts = (f"<si><t>{n * 7919 % 1_000_003}</t></si>".encode() for n in range(2_000_000))
    return with_shared_texts(path, '<row r="1"><c r="A1" t="s"><v>0</v></c></row>', texts)


def with_shared_texts(path: Path, rows: str, texts: Iterable[bytes]) -> Path:
    shared = f'<Relationship Id="rId9" Type="{R}/sharedStrings" Target="texts.xml"/>'
    parts: dict[str, str | Iterable[bytes]] = {
        "xl/_rels/workbook.xml.rels": relations("worksheet", "worksheets/sheet1.xml").replace(
            "</Relationships>", f"{shared}</Relationships>"
        ),
        "xl/texts.xml": around((f'<sst xmlns="{X}">', "</sst>"), texts),
    }
    return xlsx(path, "".join((SHEET[0], rows, SHEET[1])), **parts)


def one_text_in_every_cell(path: Path) -> Path:
    """A text of a megabyte in each of 16,000 cells of a row: 16 GB."""
    cells = "".join(f'<c r="{name}1" t="s"><v>0</v></c>' for name in islice(column_names(), 16_000))
    return with_shared_texts(
        path, f'<row r="1">{cells}</row>', [b"<si><t>", b"long " * 200_000, b"</t></si>"]
    )


def a_text_repeated_in_a_row(path: Path) -> Path:
    """A text of ten megabytes that the format repeats over all cells of all rows."""
    cell = '<table:table-cell table:number-columns-repeated="16384"><text:p>{}</text:p>'
    row = f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-cell>'
    return odf(
        path, "".join((SHEETS[0], row.format("long " * 2_000_000), "</table:table-row>", SHEETS[1]))
    )


def column_names() -> Iterator[str]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for length in (1, 2, 3):
        yield from map("".join, product(letters, repeat=length))


def words_without_end_in_rtf(path: Path) -> Path:
    path.write_bytes(b"{\\rtf1 " + b"\\b0\\i" * 12_000_000 + b"}")
    return path


def bytes_without_end_in_rtf(path: Path) -> Path:
    path.write_bytes(b"{\\rtf1 a\\bin99999999999 " + b"x" * 1_000 + b"}")
    return path


ATTACKS: tuple[tuple[str, Callable[[Path], Path]], ...] = (
    ("a.docx", bomb),
    ("a.docx", three_million_paragraphs),
    ("a.docx", lying_sizes),
    ("a.docx", twice_the_same_member),
    ("a.docx", overlapping_members),
    ("a.docx", one_huge_tag),
    ("a.docx", a_million_attributes),
    ("a.docx", a_million_names),
    ("a.docx", a_million_prefixes),
    ("a.docx", deep_tables),
    ("a.pptx", deep_groups),
    ("a.odt", deep_lists),
    ("a.rtf", deep_groups_of_rtf),
    ("a.xlsx", a_million_columns),
    ("a.ods", a_million_columns_of_odf),
    ("a.docx", a_million_cells_in_a_row),
    ("a.xlsx", cells_far_apart),
    ("a.ods", rows_repeated_without_end),
    ("a.docx", spans_without_end),
    ("a.xlsx", merges_over_everything),
    ("a.xlsx", hidden_columns_without_end),
    ("a.docx", one_note_again_and_again),
    ("a.pptx", one_slide_again_and_again),
    ("a.pptx", one_chart_again_and_again),
    ("a.xlsx", shared_texts_without_end),
    ("a.xlsx", one_text_in_every_cell),
    ("a.ods", a_text_repeated_in_a_row),
    ("a.rtf", words_without_end_in_rtf),
    ("a.rtf", bytes_without_end_in_rtf),
)

LOADERS = {
    ".docx": ("inglenook_office.docx_loader", "DocxLoader"),
    ".pptx": ("inglenook_office.pptx_loader", "PptxLoader"),
    ".xlsx": ("inglenook_office.xlsx_loader", "XlsxLoader"),
    ".odt": ("inglenook_office.odf_loader", "OdfLoader"),
    ".ods": ("inglenook_office.odf_loader", "OdfLoader"),
    ".rtf": ("inglenook_office.rtf_loader", "RtfLoader"),
}


@pytest.mark.parametrize(("name", "make"), ATTACKS, ids=[make.__name__ for _, make in ATTACKS])
def test_an_attack_ends_in_one_refusal_or_is_read(tmp_path, watch, name, make):
    path = make(tmp_path / name)
    found = watch(*LOADERS[path.suffix], path)
    assert found.seconds < MOST_SECONDS
    assert found.peak_mb < MOST_MB
    if found.error:
        assert name in found.error
        assert found.reason in LOAD_REASONS
    else:
        assert found.characters


def test_the_refusals_say_why(tmp_path, watch):
    said = {}
    for name, make in ATTACKS:
        if make in (bomb, lying_sizes, twice_the_same_member, deep_tables, a_million_names):
            said[make.__name__] = watch(*LOADERS[Path(name).suffix], make(tmp_path / name)).reason
    assert said == {
        "bomb": "too large",
        "lying_sizes": "broken",
        "twice_the_same_member": "broken",
        "deep_tables": "too large",
        "a_million_names": "too large",
    }


@pytest.mark.parametrize("doctype", ["laughs", "file"])
@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.xlsx", "a.odt", "a.fodt"])
def test_entities_are_never_expanded_and_no_file_is_read(tmp_path, watch, load, name, doctype):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    entity, declared = ("lol9", laughs()) if doctype == "laughs" else ("x", external(str(secret)))
    path = with_entity(tmp_path / name, declared, entity)
    module, loader = LOADERS[".odt" if name == "a.fodt" else path.suffix]
    with pytest.raises(LoadError, match="DOCTYPE") as caught:
        load(getattr(importlib.import_module(module), loader), path)
    assert caught.value.reason == "broken"
    assert "secret" not in str(caught.value).replace(str(path), "")


def with_entity(path: Path, declared: str, entity: str) -> Path:
    """A document with a DOCTYPE, and a reference to what it declares in its text."""
    kinds: dict[str, tuple[Callable[..., Path], tuple[str, str], str]] = {
        ".docx": (docx, DOCUMENT, "<w:p><w:r><w:t>{}</w:t></w:r></w:p>"),
        ".pptx": (
            pptx,
            SLIDE,
            "<p:sp><p:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:txBody></p:sp>",
        ),
        ".xlsx": (xlsx, SHEET, '<row r="1"><c r="A1" t="str"><v>{}</v></c></row>'),
        ".odt": (odf, TEXT, "<text:p>{}</text:p>"),
        ".fodt": (flat, TEXT, "<text:p>{}</text:p>"),
    }
    make, around_it, text = kinds[path.suffix]
    body = text.format(f"before &{entity}; after")
    return make(path, f'<?xml version="1.0"?>{declared}{around_it[0]}{body}{around_it[1]}')


def flat(path: Path, content: str) -> Path:
    path.write_text(content, "utf-8")
    return path


def test_a_worker_that_is_asked_to_stop_stops_in_the_middle(tmp_path):
    class Later(CancelToken):
        """Cancelled once it was looked at a few times."""

        looks = 0

        @property
        def cancelled(self) -> bool:
            self.looks += 1
            return self.looks > 5

    path = three_million_paragraphs(tmp_path / "a.docx")
    with pytest.raises(Cancelled):
        list(DocxLoader({}).load(LoadRequest(path, path.name), Later()))
