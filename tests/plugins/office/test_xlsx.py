"""What the loader `xlsx` makes of workbooks: rows as a person reads them, each with its header."""

from __future__ import annotations

import datetime
import io
import zipfile

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.worksheet.table import Table

from inglenook.errors import LoadError
from inglenook_office.xlsx_loader import XlsxLoader

HEBREW = "אורחים נרשמים בעמדת הקבלה, מקבלים תג ומחזירים אותו בצאתם."
PEOPLE = (("name", "age", "city"), ("Ada", 36, "London"), ("Grace", 85, "Arlington"))


@pytest.fixture
def read(load):
    return lambda path, **request: load(XlsxLoader, path, **request)


@pytest.fixture
def workbook():
    return openpyxl.Workbook()


@pytest.fixture
def sheet(workbook):
    return workbook.active


@pytest.fixture
def saved(workbook, tmp_path):
    def saved(change=None):
        """Save the workbook; `change` may rewrite members by name."""
        data = io.BytesIO()
        workbook.save(data)
        path = tmp_path / "book.xlsx"
        with zipfile.ZipFile(data) as before, zipfile.ZipFile(path, "w") as after:
            for name in before.namelist():
                content = before.read(name)
                after.writestr(name, change(name, content) if change else content)
        return path

    return saved


def put(sheet, place, rows):
    """Write rows from a cell such as B3 on."""
    start = sheet[place]
    for down, row in enumerate(rows):
        for right, value in enumerate(row):
            sheet.cell(start.row + down, start.column + right, value)


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SHARED = '<Relationship Id="r9" Type="http://x/sharedStrings" Target="shared.xml"/></Relationships>'


def with_shared(path, texts):
    """Make the text `placeholder` the first of these shared texts, as Excel keeps them."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    rels, cells = "xl/_rels/workbook.xml.rels", "xl/worksheets/sheet1.xml"
    members[rels] = members[rels].replace(b"</Relationships>", SHARED.encode())
    members[cells] = members[cells].replace(
        b't="inlineStr"><is><t>placeholder</t></is>', b't="s"><v>0</v>'
    )
    members["xl/shared.xml"] = f'<sst xmlns="{MAIN}">{texts}'.encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


# --- rows and headers ---------------------------------------------------------------------------


def test_rows_read_as_header_and_value(read, sheet, saved):
    put(sheet, "A1", PEOPLE)
    found = read(saved())
    assert found.text == "name: Ada\nage: 36\ncity: London\n\nname: Grace\nage: 85\ncity: Arlington"
    assert str(found.sections[0].locator) == "sheet Sheet"
    assert found.sections[0].headings == ("Sheet",)


def test_a_title_above_the_table_is_a_heading(read, sheet, saved):
    sheet["A1"] = "Staff of 1950"
    sheet.merge_cells("A1:C1")
    put(sheet, "A2", PEOPLE)
    found = read(saved())
    assert found.sections[-1].headings == ("Sheet", "Staff of 1950")
    assert found.lines[:2] == ["Staff of 1950", "name: Ada"]


def test_tables_below_and_beside_each_other_keep_their_own_headers(read, sheet, saved):
    put(sheet, "A1", PEOPLE)
    put(sheet, "F2", (("fruit", "price"), ("apple", 3), ("pear", 4)))
    put(sheet, "B9", (("code", "meaning", "since"), ("A", "alpha", 1), ("B", "beta", 2)))
    lines = read(saved()).lines
    assert [line for line in lines if line.startswith(("name", "fruit", "code"))] == [
        "name: Ada", "name: Grace", "fruit: apple", "fruit: pear", "code: A", "code: B",
    ]  # fmt: skip
    assert "price: 3" in lines
    assert "since: 2" in lines


def test_blank_columns_inside_a_table_do_not_part_it(read, sheet, saved):
    put(sheet, "A1", ((None, None, 2023, None, 2024), ("Revenue", None, 10, None, 12),
                      ("Costs", None, 7, None, 8)))  # fmt: skip
    assert "Revenue | 10 | 12" in read(saved()).lines


def test_a_table_goes_on_behind_a_blank_row(read, sheet, saved):
    put(sheet, "A1", PEOPLE)
    put(sheet, "A5", (("Edsger", 72, "Nuenen"),))
    assert "name: Edsger" in read(saved()).lines


def test_labels_and_their_texts_are_no_table_with_a_header(read, sheet, saved):
    put(sheet, "A1", (("Name", "Ada"), ("Born", 1815), ("City", "London")))
    assert read(saved()).lines == ["Name | Ada", "Born | 1815", "City | London"]


def test_merged_headers_of_two_rows_name_each_column(read, sheet, saved):
    put(sheet, "A1", (("City", "Sales", None), (None, "first", "second"), ("Haifa", 3, 4)))
    sheet.merge_cells("A1:A2")
    sheet.merge_cells("B1:C1")
    assert read(saved()).lines == ["City: Haifa", "Sales first: 3", "Sales second: 4"]


def test_a_merged_cell_counts_for_each_of_its_rows(read, sheet, saved):
    put(sheet, "A1", (("city", "year", "sum"), ("Haifa", 2023, 3), (None, 2024, 4)))
    sheet.merge_cells("A2:A3")
    assert read(saved()).lines.count("city: Haifa") == 2


def test_the_header_that_a_table_states_is_taken(read, sheet, saved):
    put(sheet, "A1", (("2023", "2024", "7"), ("1", "2", "3"), ("4", "5", "6")))
    sheet.add_table(Table(displayName="T", ref="A1:C3"))
    assert read(saved()).lines[:3] == ["2023: 1", "2024: 2", "7: 3"]


def test_long_sheets_are_cut_between_rows_into_slices_of_their_text(read, sheet, saved):
    sheet.append(("number", "text", "more"))
    for number in range(700):
        sheet.append((number, "some words", f"row {number}"))
    sections = read(saved()).sections
    assert len(sections) > 3
    whole = "\n\n".join(section.text for section in sections)
    assert all(whole[s.start :].startswith(s.text) for s in sections)
    assert all(section.text.startswith("number: ") for section in sections)
    assert all(section.text.splitlines()[-1].startswith("more: row") for section in sections)


def test_hebrew_cells_are_read_without_bidi_controls(read, workbook, sheet, saved):
    sheet.title = "תקציב"
    sheet.sheet_view.rightToLeft = True
    put(sheet, "A1", (("סעיף", "סכום", "הערה"), ("\u200fחינוך", 1250.5, f"\u202b{HEBREW}\u202c")))
    sheet["B2"].number_format = '#,##0.00 "₪"'
    found = read(saved())
    assert found.lines == ["סעיף: חינוך", "סכום: 1,250.50 ₪", f"הערה: {HEBREW}"]
    assert str(found.sections[0].locator) == "sheet תקציב"


# --- cells --------------------------------------------------------------------------------------


def test_numbers_and_dates_are_shown_as_a_person_sees_them(read, sheet, saved):
    cells = (
        (0.05, "0%", "5%"),
        (1234.5, "#,##0.00", "1,234.50"),
        (datetime.date(2024, 3, 5), "dd/mm/yyyy", "05/03/2024"),
        (datetime.datetime(2024, 3, 5, 14, 30), "yyyy-mm-dd h:mm", "2024-03-05 14:30"),  # noqa: DTZ001
        (datetime.time(9, 5), "h:mm AM/PM", "9:05 AM"),
        (0.1 + 0.2, "General", "0.3"),
        (13.0, "General", "13"),
        (True, "General", "TRUE"),
        (-3, "0.00_);[Red](0.00)", "(3.00)"),
    )
    for row, (value, code, _) in enumerate(cells, start=1):
        sheet.cell(row, 1, value).number_format = code
    assert read(saved()).lines == [shown for _, _, shown in cells]


def test_formulas_show_their_stored_results_and_it_is_told_where_there_is_none(read, sheet, saved):
    put(sheet, "A1", (("item", "sum", "note"), ("a", "=1+1", "x"), ("b", "=2+2", "y")))

    def compute(name, content):
        return content.replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>").replace(
            b"<f>1+1</f><v/>", b"<f>1+1</f><v>2</v>"
        )

    found = read(saved(compute))
    assert "sum: 2" in found.lines
    assert "sum: =2+2" in found.lines
    assert found.codes == ["formulas-without-values"]


def test_dates_that_count_from_1904_are_right(read, workbook, sheet, saved):
    workbook.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    sheet["A1"] = datetime.date(2024, 3, 5)
    sheet["A1"].number_format = "yyyy-mm-dd"
    assert read(saved()).text == "2024-03-05"


def test_rich_text_without_its_pronunciation_is_read(read, sheet, saved):
    sheet["A1"] = "placeholder"
    text = "<si><r><t>漢</t></r><r><t>字</t></r><rPh><t>かんじ</t></rPh></si>"
    assert read(with_shared(saved(), f"{text}</sst>")).text == "漢字"


def test_comments_stand_at_their_cells(read, sheet, saved):
    put(sheet, "A1", PEOPLE)
    sheet["B2"].comment = Comment("Check this", "Ronit")
    sheet["D9"].comment = Comment("On a blank cell", "Ronit")
    found = read(saved())
    assert "age: 36 [Comment by Ronit: Check this]" in found.lines
    assert "[Comment by Ronit: On a blank cell]" in found.text


def test_titles_of_charts_are_read_and_their_numbers_not_once_more(read, sheet, saved):
    put(sheet, "A1", (("item", "sum", "x"), ("a", 98765, 1), ("b", 2, 1)))
    chart = BarChart()
    chart.title = "Sums of items"
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    sheet.add_chart(chart, "F1")
    found = read(saved())
    assert "Sums of items" in found.lines
    assert found.text.count("98765") == 1


# --- what is hidden, blank or large -------------------------------------------------------------


def test_hidden_sheets_rows_and_columns_are_left_out_and_told(read, workbook, sheet, saved):
    put(sheet, "A1", (("a", "b", "c"), ("1x", "2x", "3x"), ("4x", "5x", "6x")))
    sheet.row_dimensions[2].hidden = True
    sheet.column_dimensions["B"].hidden = True
    workbook.create_sheet("Secret").append(["secret"])
    workbook["Secret"].sheet_state = "hidden"
    found = read(saved())
    assert found.lines == ["a | c", "4x | 6x"]
    assert found.notices == [
        "hidden-text: sheet Sheet: 1 hidden row(s) and 2 cell(s) in hidden columns were left out",
        "hidden-sheet: sheet Secret is hidden and was left out",
    ]


def test_what_a_filter_or_a_folded_group_hides_is_read(read, sheet, saved):
    put(sheet, "A1", PEOPLE)
    sheet.row_dimensions[3].hidden = True
    sheet.row_dimensions[3].outlineLevel = 1
    assert "name: Grace" in read(saved()).lines

    sheet.row_dimensions[3].outlineLevel = 0
    sheet.auto_filter.ref = "A1:C3"
    sheet.auto_filter.add_filter_column(0, ["Ada"])
    found = read(saved())
    assert "name: Grace" in found.lines
    assert found.codes == []


def test_a_workbook_that_is_hidden_altogether_says_so(read, workbook, sheet, saved):
    sheet["A1"] = "x"
    sheet.row_dimensions[1].hidden = True
    with pytest.raises(LoadError, match="hidden") as caught:
        read(saved())
    assert caught.value.reason == "broken"


def test_blank_formatted_rows_are_skipped(read, sheet, saved):
    put(sheet, "A1", PEOPLE)

    def inflate(name, content):
        if name != "xl/worksheets/sheet1.xml":
            return content
        blank = "".join(f'<row r="{n}"><c r="A{n}" s="0"/></row>' for n in range(5, 60_000))
        return content.replace(b"</sheetData>", f"{blank}</sheetData>".encode())

    assert len(read(saved(inflate)).lines) == 6


def test_cells_without_a_reference_stand_side_by_side(read, sheet, saved):
    sheet["A1"] = 1

    def change(name, content):
        cells = b'<row><c t="str"><v>a</v></c><c t="str"><v>b</v></c></row>'
        return content.replace(b"</sheetData>", cells + b"</sheetData>")

    assert read(saved(change)).lines == ["1", "a | b"]


def test_cells_beyond_the_last_column_are_told(read, sheet, saved):
    sheet["A1"] = 1

    def change(name, content):
        cells = b"<row>" + b"<c><v>1</v></c>" * 16_390 + b"</row>"
        return content.replace(b"</sheetData>", cells + b"</sheetData>")

    found = read(saved(change))
    assert found.codes == ["cells-left-out"]
    assert "6 cell(s)" in found.notices[0]


# --- damage -------------------------------------------------------------------------------------


def test_of_a_damaged_sheet_what_stands_before_the_damage_is_read(read, workbook, sheet, saved):
    for number in range(200):
        sheet.append([f"row {number}", number, "x"])
    workbook.create_sheet("Whole").append(["whole"])

    def cut(name, content):
        return content[: len(content) // 2] if name == "xl/worksheets/sheet1.xml" else content

    found = read(saved(cut))
    assert "row 5" in found.text
    assert "row 199" not in found.text
    assert "whole" in found.lines
    assert found.codes == ["partly-damaged"]
    assert "sheet Sheet" in found.notices[0]


def test_a_workbook_whose_list_of_sheets_is_lost_is_read_from_its_parts(read, sheet, saved):
    put(sheet, "A1", PEOPLE)

    def cut(name, content):
        return content[:30] if name == "xl/workbook.xml" else content

    found = read(saved(cut))
    assert "name: Ada" in found.lines
    assert found.codes == ["partly-damaged"]


def test_lost_texts_are_told(read, sheet, saved):
    put(sheet, "A1", (("placeholder", 17),))
    found = read(with_shared(saved(), "<si><t>lo"))
    assert found.text == "17"
    assert found.codes == ["partly-damaged", "texts-missing"]
    sheet["B1"] = None
    with pytest.raises(LoadError, match="damaged"):
        read(with_shared(saved(), "<si><t>lo"))


def test_control_characters_that_xml_forbids_are_read_past(read, sheet, saved):
    sheet["A1"] = "before after"

    def spoil(name, content):
        return content.replace(b"before after", b"before\x0b &#x1F;&#0;after\xff")

    assert read(saved(spoil)).text == "before after\ufffd"
