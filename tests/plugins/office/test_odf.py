"""What the loader `odf` makes of OpenDocument texts, presentations and spreadsheets."""

from __future__ import annotations

import zipfile

import pytest

from inglenook.errors import LoadError
from inglenook_office.odf_loader import OdfLoader

HEBREW = "אורחים נרשמים בעמדת הקבלה, מקבלים תג ומחזירים אותו בצאתם."


@pytest.fixture
def read(load):
    return lambda path, **request: load(OdfLoader, path, **request)


def heading(level, text):
    return f'<text:h text:outline-level="{level}">{text}</text:h>'


def cells(*texts, kind="string", extra=""):
    cell = '<table:table-cell office:value-type="{}"{}><text:p>{}</text:p></table:table-cell>'
    return (
        f"<table:table-row>{''.join(cell.format(kind, extra, t) for t in texts)}</table:table-row>"
    )


def list_of(*items, style=""):
    inside = "".join(f"<text:list-item>{item}</text:list-item>" for item in items)
    return f'<text:list text:style-name="{style}">{inside}</text:list>'


# --- texts --------------------------------------------------------------------------------------


def test_sections_follow_headings_under_the_title(read, open_document):
    automatic = (
        '<style:style style:name="P1" style:family="paragraph" style:parent-style-name="Title"/>'
    )
    body = (
        '<text:p>Before.</text:p><text:p text:style-name="P1">Handbook</text:p>'
        f"{heading(1, 'Rules')}<text:p>Be kind.</text:p>"
        f"{heading(2, 'Passwords')}<text:p>Fourteen.</text:p>"
    )
    found = read(open_document("a.odt", body, automatic=automatic))
    assert [(str(s.locator), s.headings) for s in found.sections] == [
        ("", ()),
        ("section Rules", ("Handbook", "Rules")),
        ("section Passwords", ("Handbook", "Rules", "Passwords")),
    ]
    assert all(found.text[s.start :].startswith(s.text) for s in found.sections)


def test_white_space_is_laid_out_as_the_format_says(read, open_document):
    body = (
        '<text:p>  one\n   two<text:s text:c="3"/>three<text:tab/>four<text:line-break/>five'
        "<text:soft-page-break/> six  </text:p>"
    )
    assert read(open_document("a.odt", body)).text == "one two   three four\nfive six"


def test_lists_have_their_marks_and_count_as_they_say(read, open_document):
    automatic = (
        '<text:list-style style:name="L"><text:list-level-style-number text:level="1"'
        ' style:num-format="1" style:num-suffix="."/><text:list-level-style-number text:level="2"'
        ' style:num-format="a" style:num-suffix=")" text:display-levels="2"/></text:list-style>'
        '<text:list-style style:name="B"><text:list-level-style-bullet text:level="1"/>'
        "</text:list-style>"
    )
    item = "<text:p>{}</text:p>".format
    body = (
        list_of(item("one"), item("two") + list_of(item("inner"), item("inner")), style="L")
        + "<text:p>between</text:p>"
        + list_of(item("again"), style="L")
        + list_of(item("more"), style="L").replace(
            "<text:list ", '<text:list text:continue-numbering="true" '
        )
        + list_of(item("point") + item("still the point"), style="B")
    )
    assert read(open_document("a.odt", body, automatic=automatic)).lines == [
        "1. one", "2. two", "  2.a) inner", "  2.b) inner", "between", "1. again", "2. more",
        "- point", "still the point",
    ]  # fmt: skip


def test_tables_tie_cells_to_their_headers_and_merged_ones_to_all_rows(read, open_document):
    covered = "<table:covered-table-cell/>"
    body = (
        '<table:table><table:table-column table:number-columns-repeated="3"/>'
        f"<table:table-header-rows>{cells('Site', 'Year', 'Owner')}</table:table-header-rows>"
        '<table:table-row><table:table-cell table:number-rows-spanned="2"><text:p>North</text:p>'
        "</table:table-cell><table:table-cell><text:p>1986</text:p></table:table-cell>"
        "<table:table-cell><text:p>a</text:p></table:table-cell></table:table-row>"
        f'<table:table-row>{covered}<table:table-cell table:number-columns-spanned="2">'
        f"<text:p>1992</text:p></table:table-cell>{covered}</table:table-row></table:table>"
    )
    assert read(open_document("a.odt", body)).lines == [
        "Site | Year | Owner",
        "Site: North | Year: 1986 | Owner: a",
        "Site: North | Year: 1992",
    ]


def test_notes_annotations_boxes_and_descriptions_stand_behind_their_paragraph(read, open_document):
    body = (
        '<text:p>Text<text:note text:note-class="footnote"><text:note-citation>1'
        "</text:note-citation><text:note-body><text:p>The note.</text:p>"
        "</text:note-body></text:note> goes on"
        "<office:annotation><dc:creator>Ada</dc:creator><dc:date>2024-01-01</dc:date><text:p>Why?"
        "</text:p></office:annotation>.<draw:frame><draw:text-box><text:p>In the box</text:p>"
        '</draw:text-box></draw:frame><draw:frame><draw:image xlink:href="Pictures/a.png"/>'
        "<svg:desc>A map</svg:desc></draw:frame></text:p>"
    )
    assert read(open_document("a.odt", body)).lines == [
        "Text[1] goes on.",
        "[1] The note.",
        "[Comment by Ada: Why?]",
        "In the box",
        "[Image: A map]",
    ]  # fmt: skip


def test_a_box_in_a_list_item_does_not_take_its_mark(read, open_document):
    box = "<draw:frame><draw:text-box><text:p>box</text:p></draw:text-box></draw:frame>"
    item = f"<text:p>{box}item</text:p>"
    assert read(open_document("a.odt", list_of(item))).lines == ["- item", "box"]


def test_headers_and_footers_are_read_once(read, open_document):
    styles = (
        "<office:master-styles><style:master-page><style:header><text:p>Draft</text:p></style:header>"
        '<style:header-left style:display="false"><text:p>Never</text:p></style:header-left>'
        "<style:footer><text:p>Karmiel</text:p></style:footer></style:master-page>"
        "<style:master-page><style:header><text:p>Draft</text:p></style:header></style:master-page>"
        "</office:master-styles>"
    )
    body = heading(1, "Rules") + "<text:p>Be kind.</text:p>"
    found = read(open_document("a.odt", body, styles=styles))
    assert found.lines == ["Draft", "Rules", "Be kind.", "Karmiel"]
    assert found.sections[-1].headings == ()


def test_deleted_and_hidden_text_is_left_out_and_told(read, open_document):
    automatic = (
        '<style:style style:name="T1" style:family="text"><style:text-properties'
        ' text:display="none"/></style:style>'
    )
    body = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>deleted</text:p>"
        "</text:deletion></text:changed-region></text:tracked-changes>"
        '<text:p>seen<text:span text:style-name="T1">hidden</text:span></text:p>'
        '<text:section text:display="none"><text:p>section</text:p></text:section>'
        '<text:p><text:hidden-text text:is-hidden="true">secret</text:hidden-text>end</text:p>'
    )
    found = read(open_document("a.odt", body, automatic=automatic))
    assert found.lines == ["seen", "end"]
    assert found.codes == ["tracked-changes", "hidden-text"]


def test_formulas_and_charts_in_folders_of_their_own_are_read(read, open_document):
    math = (
        '<math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mi>x</mi><mo>=</mo><mn>2</mn>'
        '<annotation encoding="StarMath 5.0">x = 2 hidden</annotation></semantics></math>'
    )
    body = '<text:p>See <draw:frame><draw:object xlink:href="./Object 1"/></draw:frame></text:p>'
    found = read(open_document("a.odt", body, **{"Object 1/content.xml": math}))
    assert found.lines == ["See", "x=2"]


def test_hebrew_is_read_in_logical_order_without_bidi_controls(read, open_document):
    spoilt = HEBREW.replace(" ", " \u200f\u202b").replace(",", "\u2069,")
    body = heading(1, "\u200fמבקרים") + f"<text:p>{spoilt}</text:p>"
    found = read(open_document("מסמך.odt", body))
    assert found.lines == ["מבקרים", HEBREW]
    assert found.sections[0].headings == ("מבקרים",)


def test_a_flat_file_is_read_like_a_package(read, tmp_path, open_document):
    with zipfile.ZipFile(open_document("x.odt", "")) as archive:
        head = archive.read("content.xml").decode().split(">")[0]
    flat = tmp_path / "a.fodt"
    flat.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>{head.replace("document-content", "document")}>'
        f"<office:body><office:text>{heading(1, 'Flat')}<text:p>Text.</text:p></office:text>"
        "</office:body></office:document>",
        "utf-8",
    )
    assert read(flat).sections[0].headings == ("Flat",)


# --- slides -------------------------------------------------------------------------------------


def frame(text, left=1, top=1, role=""):
    return (
        f'<draw:frame svg:x="{left}cm" svg:y="{top}cm" svg:width="4cm" svg:height="1cm"'
        f' presentation:class="{role}"><draw:text-box><text:p>{text}</text:p></draw:text-box>'
        "</draw:frame>"
    )


def test_slides_are_places_read_from_top_to_bottom_with_notes(read, open_document):
    page = (
        f"<draw:page>{frame('low', 1, 9)}{frame('right', 9, 5)}{frame('left', 1, 5)}"
        f"{frame('Title', 1, 1, 'title')}<draw:g>{frame('in a group', 1, 7)}</draw:g>"
        "<presentation:notes><draw:page-thumbnail/>"
        f"{frame('Say hello.', 1, 1, 'notes')}</presentation:notes></draw:page>"
    )
    found = read(open_document("a.odp", page + "<draw:page/>"))
    assert found.lines == ["Title", "left", "right", "in a group", "low", "Notes: Say hello."]
    assert [(str(s.locator), s.headings) for s in found.sections] == [("slide 1", ("Title",))]
    assert found.notices == ["slide-without-text: slide 2: no text"]


def test_hidden_slides_are_read_and_told(read, open_document):
    automatic = (
        '<style:style style:name="dp" style:family="drawing-page"><style:drawing-page-properties'
        ' presentation:visibility="hidden"/></style:style>'
    )
    page = f'<draw:page draw:style-name="dp">{frame("backup")}</draw:page>'
    found = read(open_document("a.odp", page, automatic=automatic))
    assert found.text == "backup"
    assert found.codes == ["hidden-slide"]


def test_a_table_on_a_slide_is_read_by_row(read, open_document):
    table = f"<table:table>{cells('a', 'b')}{cells('c', 'd')}</table:table>"
    page = f'<draw:page><draw:frame svg:x="1cm" svg:y="1cm">{table}</draw:frame></draw:page>'
    assert read(open_document("a.odp", page)).lines == ["a | b", "c | d"]


# --- sheets -------------------------------------------------------------------------------------


def sheet(name, rows):
    return f'<table:table table:name="{name}">{rows}</table:table>'


def test_cells_are_read_as_they_are_shown(read, open_document):
    shown = (
        '<table:table-cell office:value-type="percentage" office:value="0.05"><text:p>5%</text:p>'
        "</table:table-cell>"
    )
    bare = '<table:table-cell office:value-type="float" office:value="12.50"/>'
    rows = cells("share", "sum") + f"<table:table-row>{shown}{bare}</table:table-row>"
    found = read(open_document("a.ods", sheet("Q1", rows)))
    assert found.lines == ["share: 5%", "sum: 12.5"]
    assert str(found.sections[0].locator) == "sheet Q1"


def test_blank_rows_and_columns_are_passed_over_however_many_there_are(read, open_document):
    blank = (
        '<table:table-row table:number-rows-repeated="1000000"><table:table-cell'
        ' table:number-columns-repeated="16384"/></table:table-row>'
    )
    far = (
        '<table:table-row><table:table-cell table:number-columns-repeated="500"/>'
        "<table:table-cell><text:p>far away</text:p></table:table-cell></table:table-row>"
    )
    found = read(open_document("a.ods", sheet("S", cells("near") + blank + far)))
    assert found.lines == ["near", "far away"]


def test_repeated_cells_are_read_as_often_as_they_are_shown(read, open_document):
    rows = cells("a", "b", "c") + cells(
        "x", kind="float", extra=' table:number-columns-repeated="3"'
    )
    assert read(open_document("a.ods", sheet("S", rows))).lines == ["a: x", "b: x", "c: x"]


def test_merged_cells_count_for_each_of_their_rows(read, open_document):
    merged = (
        '<table:table-cell table:number-rows-spanned="2"><text:p>Haifa</text:p></table:table-cell>'
    )
    number = '<table:table-cell office:value-type="float"><text:p>{}</text:p></table:table-cell>'
    rows = (
        cells("city", "year", "sum")
        + f"<table:table-row>{merged}{number.format(1)}{number.format(2)}</table:table-row>"
        + f"<table:table-row><table:covered-table-cell/>{number.format(3)}{number.format(4)}"
        "</table:table-row>"
    )
    assert read(open_document("a.ods", sheet("S", rows))).lines.count("city: Haifa") == 2


def test_hidden_sheets_and_rows_are_left_out_and_told(read, open_document):
    automatic = (
        '<style:style style:name="ta" style:family="table"><style:table-properties'
        ' table:display="false"/></style:style>'
    )
    hidden_row = cells("hidden").replace(
        "<table:table-row", '<table:table-row table:visibility="collapse"'
    )
    filtered = cells("filtered").replace(
        "<table:table-row", '<table:table-row table:visibility="filter"'
    )
    secret = sheet("Secret", cells("secret")).replace(">", ' table:style-name="ta">', 1)
    body = sheet("S", cells("seen") + hidden_row + filtered) + secret
    found = read(open_document("a.ods", body, automatic=automatic))
    assert found.lines == ["seen", "filtered"]
    assert sorted(found.codes) == ["hidden-sheet", "hidden-text"]


def test_annotations_and_boxes_of_sheets_are_read(read, open_document):
    cell = (
        "<table:table-row><table:table-cell><office:annotation><dc:creator>Ada</dc:creator><text:p>"
        "Why?</text:p></office:annotation><text:p>12</text:p></table:table-cell></table:table-row>"
    )
    shapes = f"<table:shapes>{frame('A box')}</table:shapes>"
    found = read(open_document("a.ods", sheet("S", shapes + cell)))
    assert "12" in found.text
    assert "[Comment by Ada: Why?]" in found.text
    assert found.lines[-1] == "A box"


# --- refusals and damage ------------------------------------------------------------------------


def test_a_file_that_is_no_package_says_so(read, tmp_path):
    path = tmp_path / "a.odt"
    path.write_text("This is not a zip file!")
    with pytest.raises(LoadError, match=r"a\.odt.*not a zip file") as caught:
        read(path)
    assert caught.value.reason == "broken"


def test_of_a_damaged_text_what_stands_before_the_damage_is_read(read, zipped, open_document):
    whole = open_document("a.odt", heading(1, "Rules") + "<text:p>Be kind.</text:p>" * 99)
    with zipfile.ZipFile(whole) as archive:
        content = archive.read("content.xml")
    found = read(zipped("b.odt", {"content.xml": content[: len(content) // 2]}))
    assert "Be kind." in found.text
    assert found.codes == ["partly-damaged"]


def test_a_text_without_text_says_whether_it_has_pictures(read, open_document):
    with pytest.raises(LoadError) as caught:
        read(open_document("a.odt", "<text:p/>"))
    assert caught.value.reason == "broken"
    with pytest.raises(LoadError) as caught:
        read(open_document("b.odt", "<text:p/>", **{"Pictures/scan.png": b"x"}))
    assert caught.value.reason == "no text: needs OCR"
