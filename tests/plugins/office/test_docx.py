"""What the loader `docx` makes of Word documents: everything that a reader sees, in order."""

from __future__ import annotations

import zipfile

import docx
import pytest
from docx.enum.text import WD_BREAK

from inglenook.errors import LoadError
from inglenook_office.docx_loader import DocxLoader

HEBREW = "אורחים נרשמים בעמדת הקבלה, מקבלים תג ומחזירים אותו בצאתם."
WITH_CONTROLS = (
    "\u200fאורחים\u200e נרשמים \u202bבעמדת\u202c הקבלה, \u2067מקבלים\u2069 תג ומחזירים אותו בצאתם."
)


@pytest.fixture
def read(load):
    return lambda path, **request: load(DocxLoader, path, **request)


@pytest.fixture
def saved(tmp_path):
    def saved(document, name="made.docx"):
        document.save(tmp_path / name)
        return tmp_path / name

    return saved


# --- headings -----------------------------------------------------------------------------------


def test_sections_follow_headings_and_carry_their_path(read, saved):
    document = docx.Document()
    document.add_paragraph("Before.")
    document.add_heading("Handbook", 0)
    document.add_heading("Security", 1)
    document.add_heading("Passwords", 2)
    document.add_paragraph("Fourteen.")
    document.add_heading("Visitors", 1)
    document.add_paragraph("Sign in.")

    sections = read(saved(document)).sections

    assert [(str(section.locator), section.headings) for section in sections] == [
        ("", ()),
        ("section Passwords", ("Handbook", "Security", "Passwords")),
        ("section Visitors", ("Handbook", "Visitors")),
    ]
    assert sections[1].text == "Handbook\n\nSecurity\n\nPasswords\n\nFourteen."


def test_offsets_count_in_the_text_of_the_document(read, saved):
    document = docx.Document()
    for number in range(4):
        document.add_heading(f"Part {number}", 1)
        document.add_paragraph("Words. " * number)
    read_document = read(saved(document))
    for section in read_document.sections:
        assert read_document.text[section.start :].startswith(section.text)


@pytest.mark.parametrize(
    "name", ["heading 2", "Überschrift 2", "Titre 2", "Заголовок 2", "כותרת 2", "标题 2"]
)
def test_headings_are_known_by_the_names_of_styles_in_many_languages(read, word, paragraph, name):
    styles = f'<w:styles {{w}}><w:style w:styleId="x"><w:name w:val="{name}"/></w:style></w:styles>'
    sections = read(word(paragraph("One", "x") + paragraph("Text."), styles=styles)).sections
    assert sections[0].headings == ("One",)


def test_headings_are_known_by_outline_level_inherited_and_direct(read, word, paragraph):
    styles = (
        '<w:styles {w}><w:style w:styleId="a"><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>'
        '<w:style w:styleId="b"><w:basedOn w:val="a"/></w:style>'
        '<w:style w:styleId="c"><w:basedOn w:val="b"/><w:pPr><w:outlineLvl w:val="9"/></w:pPr>'
        "</w:style></w:styles>"
    )
    direct = '<w:p><w:pPr><w:outlineLvl w:val="1"/></w:pPr><w:r><w:t>Direct</w:t></w:r></w:p>'
    body = paragraph("Inherited", "b") + direct + paragraph("Text.", "c")
    assert read(word(body, styles=styles)).sections[0].headings == ("Inherited", "Direct")


def test_headings_keep_the_numbers_that_word_shows(read, word, paragraph):
    numbering = (
        '<w:numbering {w}><w:abstractNum w:abstractNumId="1">'
        '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/>'
        '<w:pStyle w:val="h1"/></w:lvl><w:lvl w:ilvl="1"><w:start w:val="1"/>'
        '<w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/><w:pStyle w:val="h2"/></w:lvl>'
        '</w:abstractNum><w:num w:numId="5"><w:abstractNumId w:val="1"/></w:num></w:numbering>'
    )
    style = (
        '<w:style w:styleId="h{0}"><w:name w:val="heading {0}"/><w:pPr><w:numPr>'
        '<w:numId w:val="5"/></w:numPr></w:pPr></w:style>'
    )
    styles = f"<w:styles {{w}}>{style.format(1)}{style.format(2)}</w:styles>"
    headings = (("One", "h1"), ("Two", "h1"), ("A", "h2"), ("B", "h2"))
    body = "".join(paragraph(text, name) for text, name in headings) + paragraph("Text.")
    sections = read(word(body, styles=styles, numbering=numbering)).sections
    assert sections[0].headings == ("2. Two", "2.2 B")


# --- lists --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "marks"),
    [
        ("decimal", ["1)", "2)", "3)"]),
        ("lowerLetter", ["a)", "b)", "c)"]),
        ("upperRoman", ["I)", "II)", "III)"]),
        ("hebrew1", ["א)", "ב)", "ג)"]),
        ("bullet", ["-", "-", "-"]),
    ],
)
def test_list_items_have_their_marks(read, word, style, marks):
    numbering = (
        '<w:numbering {w}><w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0">'
        f'<w:start w:val="1"/><w:numFmt w:val="{style}"/><w:lvlText w:val="%1)"/></w:lvl>'
        '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num></w:numbering>'
    )
    item = (
        '<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr>'
        "<w:r><w:t>item</w:t></w:r></w:p>"
    )
    text = read(word(item * 3, numbering=numbering)).text
    assert text == "\n".join(f"{mark} item" for mark in marks)


def test_a_second_list_starts_again_where_it_says_so(read, word):
    numbering = (
        '<w:numbering {w}><w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0">'
        '<w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>'
        '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num>'
        '<w:num w:numId="2"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0">'
        '<w:startOverride w:val="7"/></w:lvlOverride></w:num></w:numbering>'
    )
    item = (
        '<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="{}"/></w:numPr></w:pPr>'
        "<w:r><w:t>item</w:t></w:r></w:p>"
    )
    body = item.format(1) * 2 + item.format(2) * 2
    assert read(word(body, numbering=numbering)).lines == [
        "1. item", "2. item", "7. item", "8. item",
    ]  # fmt: skip


# --- tables -------------------------------------------------------------------------------------


def test_cells_are_tied_to_their_headers(read, saved):
    document = docx.Document()
    table = document.add_table(3, 3)
    texts = ("Site", "Year", "Owner", "Gilboa", "1986", "private", "Resan", "1992", "a farm")
    for cell, text in zip(table._cells, texts, strict=True):
        cell.text = text
    assert read(saved(document)).lines == [
        "Site | Year | Owner",
        "Site: Gilboa | Year: 1986 | Owner: private",
        "Site: Resan | Year: 1992 | Owner: a farm",
    ]


def test_merged_cells_count_for_every_row_and_column_that_they_cover(read, saved):
    document = docx.Document()
    table = document.add_table(4, 3)
    for row, texts in enumerate((("City", "Sales", ""), ("", "2023", "2024"), ("Haifa", "3", "4"),
                                 ("", "5", "6"))):  # fmt: skip
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    table.cell(0, 0).merge(table.cell(1, 0))
    table.cell(2, 0).merge(table.cell(3, 0))
    assert read(saved(document)).lines[-2:] == [
        "City: Haifa | Sales 2023: 3 | Sales 2024: 4",
        "City: Haifa | Sales 2023: 5 | Sales 2024: 6",
    ]


def test_a_table_in_a_cell_keeps_its_rows(read, saved):
    document = docx.Document()
    outer = document.add_table(1, 2)
    outer.cell(0, 0).text = "outside"
    inner = outer.cell(0, 1).add_table(2, 2)
    for cell, text in zip(inner._cells, "abcd", strict=True):
        cell.text = text
    text = read(saved(document)).text
    assert "outside" in text
    assert "a | b" in text
    assert "c | d" in text


def test_a_table_of_one_column_is_a_frame_whose_headings_count(read, saved):
    document = docx.Document()
    cell = document.add_table(1, 1).cell(0, 0)
    cell.paragraphs[0].style = document.styles["Heading 1"]
    cell.paragraphs[0].text = "Framed"
    cell.add_paragraph("Text in the frame.")
    assert read(saved(document)).sections[0].headings == ("Framed",)


# --- what stands beside the text ----------------------------------------------------------------


def test_headers_and_footers_are_read_once(read, saved):
    document = docx.Document()
    document.add_heading("Rules", 1)
    document.add_paragraph("Text.")
    for _ in range(2):
        section = document.add_section()
        section.header.is_linked_to_previous = False
        section.header.paragraphs[0].text = "Draft 7"
    document.sections[0].footer.paragraphs[0].text = "Signed in Karmiel"
    lines = read(saved(document)).lines
    assert lines == ["Draft 7", "Rules", "Text.", "Signed in Karmiel"]


def test_footers_stand_under_no_heading(read, saved):
    document = docx.Document()
    document.add_heading("Last", 1)
    document.add_paragraph("Text.")
    document.sections[0].footer.paragraphs[0].text = "Confidential"
    assert read(saved(document)).sections[-1].headings == ()


def test_notes_and_comments_stand_behind_their_paragraph(read, word, paragraph):
    body = (
        '<w:p><w:r><w:t>One</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r>'
        '<w:r><w:commentReference w:id="0"/></w:r><w:r><w:endnoteReference w:id="2"/></w:r></w:p>'
        + paragraph("Two.")
    )
    note = (
        '<w:{0}s {{w}}><w:{0} w:id="0" w:type="separator"><w:p><w:r><w:t>___</w:t></w:r></w:p>'
        '</w:{0}><w:{0} w:id="2">' + paragraph("The {0}.") + "</w:{0}></w:{0}s>"
    )
    comment = (
        f'<w:comments {{w}}><w:comment w:id="0" w:author="Ada">{paragraph("Why?")}</w:comment>'
        "</w:comments>"
    )
    found = read(
        word(
            body,
            footnotes=note.format("footnote"),
            endnotes=note.format("endnote"),
            comments=comment,
        )
    )
    assert found.lines == [
        "One[1][i]", "[1] The footnote.", "[Comment by Ada: Why?]", "Two.", "[i] The endnote.",
    ]  # fmt: skip


def test_comments_of_a_library_are_read(read, saved):
    document = docx.Document()
    run = document.add_paragraph().add_run("The year is 1964.")
    document.add_comment(run, text="Check the year.", author="Ronit")
    assert "[Comment by Ronit: Check the year.]" in read(saved(document)).text


def test_a_text_box_that_is_drawn_twice_is_read_once(read, word):
    box = "<w:txbxContent><w:p><w:r><w:t>In the box</w:t></w:r></w:p></w:txbxContent>"
    body = (
        '<w:p><w:r><w:t>Before</w:t><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/'
        'markup-compatibility/2006"><mc:Choice Requires="wps">'
        f"<w:drawing>{box}</w:drawing></mc:Choice><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback>"
        "</mc:AlternateContent><w:t> after</w:t></w:r></w:p>"
    )
    assert read(word(body)).lines == ["Before after", "In the box"]


def test_content_controls_and_links_and_insertions_are_text(read, word):
    run = "<w:r><w:t>{}</w:t></w:r>"
    body = (
        f"<w:sdt><w:sdtContent><w:p>{run.format('control ')}<w:hyperlink>{run.format('link ')}"
        f'</w:hyperlink><w:ins w:author="a">{run.format("inserted ")}</w:ins><w:smartTag>'
        f"{run.format('tag')}</w:smartTag></w:p></w:sdtContent></w:sdt>"
    )
    assert read(word(body)).text == "control link inserted tag"


def test_tracked_deletions_are_left_out_and_told(read, word):
    body = (
        "<w:p><w:r><w:t>kept</w:t></w:r><w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>"
        "<w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom></w:p>"
        "<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc><w:p><w:r><w:t>row</w:t></w:r></w:p></w:tc>"
        "</w:tr></w:tbl>"
    )
    found = read(word(body))
    assert found.text == "kept"
    assert found.codes == ["tracked-changes"]
    assert "3 tracked deletion(s)" in found.notices[0]


def test_paragraphs_join_where_the_mark_between_them_was_deleted(read, word):
    body = (
        "<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr><w:r><w:t>first and </w:t></w:r></w:p>"
        "<w:p><w:r><w:t>second</w:t></w:r></w:p>"
    )
    assert read(word(body)).text == "first and second"


def test_hidden_text_is_left_out_and_told(read, word):
    styles = (
        '<w:styles {w}><w:style w:type="character" w:styleId="secret"><w:rPr><w:vanish/></w:rPr>'
        "</w:style></w:styles>"
    )
    body = (
        "<w:p><w:r><w:t>seen</w:t></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>"
        '<w:r><w:rPr><w:rStyle w:val="secret"/></w:rPr><w:t>too</w:t></w:r>'
        '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t> again</w:t></w:r></w:p>'
    )
    found = read(word(body, styles=styles))
    assert found.text == "seen again"
    assert found.notices == ["hidden-text: 9 hidden character(s) were left out"]


def test_of_fields_the_result_is_read_and_not_the_code(read, word):
    mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    body = (
        f"<w:p>{mark.format('begin')}<w:r><w:instrText>IF 1</w:instrText></w:r><w:r><w:t>code</w:t>"
        f"</w:r>{mark.format('separate')}<w:r><w:t>result</w:t></w:r>{mark.format('end')}</w:p>"
        f"<w:p>{mark.format('begin')}</w:p><w:p><w:r><w:t>next</w:t></w:r></w:p>"
    )
    assert read(word(body)).lines == ["result", "next"]


def test_formulas_symbols_and_ruby_are_written_out(read, word):
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    body = (
        f'<w:p><m:oMath xmlns:m="{math}"><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r>'
        "<m:t>2</m:t></m:r></m:den></m:f><m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r>"
        "<m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath></w:p>"
        '<w:p><w:r><w:sym w:font="Wingdings" w:char="F0FC"/><w:t> done</w:t></w:r></w:p>'
        "<w:p><w:r><w:ruby><w:rt><w:r><w:t>かんじ</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>漢字</w:t>"
        "</w:r></w:rubyBase></w:ruby></w:r></w:p>"
    )
    assert read(word(body)).lines == ["(a+b)/2x^2", "✓ done", "漢字(かんじ)"]


def test_what_an_author_says_about_a_picture_is_read_but_not_what_a_program_says(read, word):
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"
    picture = (
        f'<w:p><w:r><w:drawing><wp:docPr xmlns:wp="{drawing}" id="1" name="Picture 1"'
        ' descr="{}"/></w:drawing></w:r></w:p>'
    )
    descriptions = ("A map of Galilee", "A dog. Description automatically generated", "IMG_1.png")
    body = "".join(picture.format(text) for text in descriptions)
    assert read(word(body)).lines == ["[Image: A map of Galilee]"]


def test_an_embedded_document_is_handed_on(read, word, tmp_path):
    path = word(
        "<w:p><w:r><w:t>See:</w:t></w:r><w:r><w:object><o:OLEObject xmlns:o="
        '"urn:schemas-microsoft-com:office:office" r:id="rpackage"/></w:object></w:r></w:p>',
        package="",
    )
    members = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            members[name] = archive.read(name)
    rels = members["word/_rels/document.xml.rels"].replace(b"package.xml", b"embeddings/a.xlsx")
    members["word/_rels/document.xml.rels"] = rels
    members["word/embeddings/a.xlsx"] = b"PK data"
    with zipfile.ZipFile(tmp_path / "with.docx", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    found = read(tmp_path / "with.docx")
    assert [(part.name, part.data) for part in found.parts] == [("a.xlsx", b"PK data")]


def test_line_breaks_and_special_blanks_are_shown_as_a_person_sees_them(read, saved):
    document = docx.Document()
    run = document.add_paragraph().add_run("one")
    run.add_break(WD_BREAK.LINE)
    run.add_text("two\u00a0three soft\u00adhyphen")
    assert read(saved(document)).text == "one\ntwo three softhyphen"


# --- languages ----------------------------------------------------------------------------------


def test_hebrew_is_read_in_logical_order_without_bidi_controls(read, saved):
    document = docx.Document()
    document.add_heading("\u200fמבקרים\u200f", 1)
    document.add_paragraph(WITH_CONTROLS)
    table = document.add_table(2, 2)
    for cell, text in zip(table._cells, ("שם", "תפקיד", "רות", "\u202eמנהלת\u202c"), strict=True):
        cell.text = text
    found = read(saved(document, "מסמך.docx"))
    assert found.sections[0].headings == ("מבקרים",)
    assert HEBREW in found.lines
    assert "רות | מנהלת" in found.lines


def test_documents_in_the_strict_variant_are_read(read, zipped):
    strict = "http://purl.oclc.org/ooxml/wordprocessingml/main"
    document = (
        f'<d:document xmlns:d="{strict}"><d:body><d:p><d:r><d:t>strict</d:t></d:r></d:p></d:body>'
        "</d:document>"
    )
    assert read(zipped("strict.docx", {"word\\Document.xml": document})).text == "strict"


# --- refusals -----------------------------------------------------------------------------------


def test_a_document_without_text_says_whether_it_has_pictures(read, zipped, word):
    with pytest.raises(LoadError, match="no text") as caught:
        read(word("<w:p/>"))
    assert caught.value.reason == "broken"

    scan = zipped(
        "scan.docx",
        {
            "word/document.xml": '<w:document xmlns:w="http://schemas.openxmlformats.org/'
            'wordprocessingml/2006/main"><w:body><w:p/></w:body></w:document>',
            "word/media/image1.png": b"\x89PNG",
        },
    )
    with pytest.raises(LoadError, match="only pictures") as caught:
        read(scan)
    assert caught.value.reason == "no text: needs OCR"


def test_a_document_of_another_kind_is_named(read, tmp_path, zipped):
    with pytest.raises(LoadError, match=r"is an Excel workbook.*\n.*\.xlsx") as caught:
        read(zipped("a.docx", {"xl/workbook.xml": "<workbook/>"}))
    assert caught.value.reason == "unsupported"

    (tmp_path / "b.docx").write_bytes(b"{\\rtf1 text}")
    with pytest.raises(LoadError, match="RTF") as caught:
        read(tmp_path / "b.docx")
    assert caught.value.reason == "unsupported"


def test_text_past_the_limit_is_refused_in_one_paragraph_too(read, word):
    path = word(f"<w:p>{'<w:r><w:t>' + 'x' * 1000 + '</w:t></w:r>'}</w:p>")
    with pytest.raises(LoadError) as caught:
        read(path, max_characters=999)
    assert caught.value.reason == "too large"
    assert len(read(path, max_characters=1000).text) == 1000
