"""PDF files made for tests: by fpdf2, and by hand where they must be wrong."""

from __future__ import annotations

import zlib

import pytest
from fpdf import FPDF


def _made(path, pages, bookmarks=()):
    """Each page is its text; None is one with nothing but a line across it, "" an empty one."""
    pdf = FPDF()
    pdf.set_font("Helvetica", size=12)
    for number, text in enumerate(pages, start=1):
        pdf.add_page()
        for title, level in (mark[1:] for mark in bookmarks if mark[0] == number):
            pdf.start_section(title, level)
        if text:
            pdf.multi_cell(0, 8, text)
        if text is None:
            pdf.line(10, 10, 100, 100)
    pdf.output(str(path))
    return path


def _by_hand(path, objects):
    """Write these objects, numbered from 1; the first is the catalog."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<</Size %d/Root 1 0 R>>\n" % (len(objects) + 1)
    path.write_bytes(bytes(out) + b"startxref\n%d\n%%%%EOF\n" % table)
    return path


def _stream(data, filters=b"/FlateDecode"):
    return b"<</Length %d/Filter %s>>\nstream\n%s\nendstream" % (len(data), filters, data)


def _page_objects(content=None, filters=b"/FlateDecode", extra=b""):
    """Catalog, page tree, one page, its content and a font, numbered 1 to 5."""
    if content is None:
        content = zlib.compress(b"BT /F1 12 Tf 50 700 Td (Hello words) Tj ET")
    return [
        b"<</Type/Catalog/Pages 2 0 R%s>>" % extra,
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        (
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R"
            b"/Resources<</Font<</F1 5 0 R>>>>>>"
        ),
        _stream(content, filters),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]


@pytest.fixture(scope="session")
def make_pdf():
    return _made


@pytest.fixture(scope="session")
def pdf_by_hand():
    return _by_hand


@pytest.fixture(scope="session")
def pdf_stream():
    return _stream


@pytest.fixture(scope="session")
def page_objects():
    return _page_objects
