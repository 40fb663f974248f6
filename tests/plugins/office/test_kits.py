"""Each office loader passes the conformance kit, with files made by other programs' libraries."""

from __future__ import annotations

import docx
import openpyxl
import pptx
import pytest

from inglenook.testing.loader import LoaderKit
from inglenook_office.docx_loader import DocxLoader
from inglenook_office.odf_loader import OdfLoader
from inglenook_office.pptx_loader import PptxLoader
from inglenook_office.rtf_loader import RtfLoader
from inglenook_office.xlsx_loader import XlsxLoader


class TestDocxLoader(LoaderKit):
    @pytest.fixture
    def loader(self):
        return DocxLoader({})

    @pytest.fixture
    def sample(self, tmp_path):
        document = docx.Document()
        document.add_heading("Rules", 1)
        document.add_paragraph("Be kind.")
        document.add_paragraph("Fourteen characters.", style="List Number")
        table = document.add_table(2, 2)
        for cell, text in zip(table._cells, ("who", "when", "Ada", "never"), strict=True):
            cell.text = text
        document.save(tmp_path / "rules.docx")
        return tmp_path / "rules.docx"

    @pytest.fixture
    def expected(self):
        return ("Rules", "Be kind.", "1. Fourteen characters.", "who | when", "Ada | never")


class TestPptxLoader(LoaderKit):
    @pytest.fixture
    def loader(self):
        return PptxLoader({})

    @pytest.fixture
    def sample(self, tmp_path):
        show = pptx.Presentation()
        for title, text in (("Rules", "Be kind."), ("Passwords", "Fourteen characters.")):
            slide = show.slides.add_slide(show.slide_layouts[1])
            slide.shapes.title.text = title
            slide.placeholders[1].text = text
        show.save(tmp_path / "rules.pptx")
        return tmp_path / "rules.pptx"

    @pytest.fixture
    def expected(self):
        return ("Rules", "Be kind.", "Passwords", "Fourteen characters.")


class TestXlsxLoader(LoaderKit):
    @pytest.fixture
    def expected(self):
        return ("name: Ada", "age: 36", "name: Grace", "age: 85", "total", "2")

    @pytest.fixture
    def loader(self):
        return XlsxLoader({})

    @pytest.fixture
    def sample(self, tmp_path):
        workbook = openpyxl.Workbook()
        sheet = workbook.active
        for row in (("name", "age", "city"), ("Ada", 36, "London"), ("Grace", 85, "Arlington")):
            sheet.append(row)
        workbook.create_sheet("More").append(["total", 2])
        workbook.save(tmp_path / "people.xlsx")
        return tmp_path / "people.xlsx"


class TestOdfTexts(LoaderKit):
    @pytest.fixture
    def loader(self):
        return OdfLoader({})

    @pytest.fixture
    def sample(self, open_document):
        return open_document(
            "rules.odt",
            '<text:h text:outline-level="1">Rules</text:h><text:p>Be kind.</text:p>'
            "<text:list><text:list-item><text:p>Fourteen</text:p></text:list-item></text:list>",
        )

    @pytest.fixture
    def expected(self):
        return ("Rules", "Be kind.", "- Fourteen")


class TestOdfSlides(LoaderKit):
    @pytest.fixture
    def loader(self):
        return OdfLoader({})

    @pytest.fixture
    def sample(self, open_document):
        page = (
            '<draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>{}</text:p>'
            "</draw:text-box></draw:frame></draw:page>"
        )
        return open_document("rules.odp", page.format("Rules") + page.format("Passwords"))

    @pytest.fixture
    def expected(self):
        return ("Rules", "Passwords")


class TestOdfSheets(LoaderKit):
    @pytest.fixture
    def loader(self):
        return OdfLoader({})

    @pytest.fixture
    def sample(self, open_document):
        cell = '<table:table-cell office:value-type="{}"><text:p>{}</text:p></table:table-cell>'
        row = "<table:table-row>{}</table:table-row>"
        header = row.format(cell.format("string", "name") + cell.format("string", "age"))
        ada = row.format(cell.format("string", "Ada") + cell.format("float", "36"))
        return open_document("a.ods", f'<table:table table:name="S">{header}{ada}</table:table>')

    @pytest.fixture
    def expected(self):
        return ("name: Ada", "age: 36")


class TestRtfLoader(LoaderKit):
    @pytest.fixture
    def loader(self):
        return RtfLoader({})

    @pytest.fixture
    def sample(self, tmp_path):
        path = tmp_path / "rules.rtf"
        path.write_bytes(
            rb"{\rtf1\ansi{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}}"
            rb"\pard\s1 Rules\par\pard Be kind.\par Caf\'e9 \u1513?\par}"
        )
        return path

    @pytest.fixture
    def expected(self):
        return ("Rules", "Be kind.", "Café ש")
