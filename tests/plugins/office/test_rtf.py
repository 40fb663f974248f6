r"""What the loader `rtf` makes of Rich Text: code pages, escapes, tables, and what is not text."""

from __future__ import annotations

import pytest

from inglenook.errors import LoadError
from inglenook_office.rtf_loader import RtfLoader

HEBREW = "אורחים נרשמים בעמדת הקבלה, מקבלים תג ומחזירים אותו בצאתם."


@pytest.fixture
def read(load, tmp_path):
    def read(content, **request):
        path = tmp_path / "a.rtf"
        path.write_bytes(content if isinstance(content, bytes) else content.encode("ascii"))
        return load(RtfLoader, path, **request)

    return read


def escaped(text, code_page):
    """Text as RTF writes it in a code page."""
    data = text.encode(code_page)
    return "".join(chr(b) if 32 <= b < 128 and b not in b"\\{}" else f"\\'{b:02x}" for b in data)


# --- characters ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "code_page", "text"),
    [
        (0, "cp1252", "L'été, 15 € – “déjà”"),
        (177, "cp1255", HEBREW),
        (178, "cp1256", "مرحبا بالعالم"),
        (204, "cp1251", "Привет, мир"),
        (161, "cp1253", "Καλημέρα"),
        (238, "cp1250", "Příliš žluťoučký"),
        (128, "cp932", "表示ソフト、能力"),
        (134, "gbk", "密码必须更换"),
        (136, "cp950", "許功蓋世"),
        (129, "cp949", "안녕하세요"),
        (222, "cp874", "สวัสดี"),
    ],
)
def test_the_font_names_the_code_page(read, charset, code_page, text):
    font = rf"{{\fonttbl{{\f0\fcharset0 A;}}{{\f1\fcharset{charset} B;}}}}"
    found = read(rf"{{\rtf1\ansi\deff0{font}\pard\f1 {escaped(text, code_page)}\par}}")
    assert found.text == text
    assert found.codes == []


def test_the_document_names_the_code_page_where_fonts_do_not(read):
    assert read(r"{{\rtf1\ansi\ansicpg1255 {}}}".format(escaped(HEBREW, "cp1255"))).text == HEBREW


def test_hebrew_in_a_font_that_calls_itself_western_is_hebrew(read):
    fonts = r"{\fonttbl{\f0\fcharset0 Arial;}}"
    body = escaped(HEBREW, "cp1255") + r"\par caf\'e9"
    found = read(rf"{{\rtf1\ansi\ansicpg1255{fonts}\f0 {body}}}")
    assert found.lines == [HEBREW, "café"]


def test_escapes_of_unicode_are_read_and_their_replacements_skipped(read):
    signed = "".join(f"\\u{ord(c) - 65536 if ord(c) > 32767 else ord(c)}?" for c in "שלום ﬁ")
    astral = r"\u-10179\'3f\u-8704\'3f"
    found = read(
        rf"{{\rtf1\ansi {signed}\par\uc2 \u1488\'a1\'a2x\par\uc0 \u1489 y\par\uc1 {astral}}}"
    )
    assert found.lines == ["שלום ﬁ", "אx", "בy", "😀"]


def test_bidi_controls_are_left_out(read):
    marked = r"\rtlmark \u8207? {{\rtlch\fcs1 \af0 {}}}\u8236?".format(escaped("שלום", "cp1255"))
    assert read(rf"{{\rtf1\ansi\ansicpg1255 {marked}}}").text == "שלום"


def test_special_characters_and_symbols_are_written_out(read):
    body = r"a\tab b\line c\~d\_e\-f \emdash\endash \lquote x\rquote  \{\\\} {\f1\'fc}\u61623 ?"
    found = read(rf"{{\rtf1\ansi{{\fonttbl{{\f0 A;}}{{\f1\fcharset2 Wingdings;}}}}{body}}}")
    assert found.text == "a b\nc d-ef —–‘x’ {\\} ✓•"


# --- what is not text ---------------------------------------------------------------------------


def test_tables_pictures_and_instructions_are_no_text(read):
    found = read(
        r"{\rtf1\ansi{\fonttbl{\f0\fnil Arial{\*\falt Helvetica};}}{\colortbl;\red1;}"
        r"{\stylesheet{\s0 Normal;}}{\info{\title Never}{\author Never}}{\*\generator Never;}"
        r"{\*\unknown never{never}}{\pict\wmetafile8 0123456789abcdef}"
        r"{\*\shppict{\pict{\*\picprop{\sp{\sn wzDescription}{\sv A map}}}\pngblip 8950}}"
        r"{\nonshppict{\pict ffff}}{\object\objemb{\*\objdata 0105}{\result shown}}"
        r"{\field{\*\fldinst HYPERLINK never}{\fldrslt link}}{\xe never}{\*\bkmkstart never} end}"
    )
    assert found.lines == ["shownlink end", "[Image: A map]"]


def test_bytes_of_pictures_do_not_disturb_the_text(read):
    found = read(b"{\\rtf1 before{\\pict\\bin7 }}{{\\\\x} after}")
    assert found.text == "before after"


def test_hidden_and_deleted_text_is_left_out_and_told(read):
    found = read(r"{\rtf1 a{\v secret}b{\deleted gone}c\v no\v0 d\plain e}")
    assert found.text == "abcde"
    assert found.codes == ["tracked-changes", "hidden-text"]


# --- structure ----------------------------------------------------------------------------------


def test_headings_are_known_by_style_and_outline_level(read):
    found = read(
        r"{\rtf1{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}{\s2 heading 2;}"
        r"{\s5 Title;}}before\par\pard\s5 Book\par\pard\s1 One\par\pard\s2 Two\par\pard text\par"
        r"\pard\outlinelevel1 Direct\par\pard more}"
    )
    assert [s.headings for s in found.sections] == [
        (), ("Book", "One", "Two"), ("Book", "One", "Direct"),
    ]  # fmt: skip
    assert all(found.text[s.start :].startswith(s.text) for s in found.sections)


def test_list_items_keep_their_marks(read):
    found = read(
        r"{\rtf1{\fonttbl{\f3\fcharset2 Symbol;}}\pard{\listtext\tab 1.\tab}\ls1 one\par"
        r"{\listtext 2.\tab}two\par\pard\ilvl1{\listtext\f3\'b7\tab}inner\par\pard"
        r"{\pntext a)\tab}old}"
    )
    assert found.lines == ["1. one", "2. two", "  - inner", "a) old"]


def test_tables_tie_cells_to_their_headers_and_spans_to_their_columns(read):
    row = r"\trowd%s\pard\intbl %s\cell\row"
    three = r"\cellx1000\cellx2000\cellx3000"
    found = read(
        "{\\rtf1 before\\par"
        + row % (rf"\trhdr{three}", r"Site\cell Year\cell Owner")
        + row % (three, r"A\par second line\cell 1986\cell x")
        + row % (r"\clvmgf\cellx1000\cellx3000", r"B\cell both")
        + row % (r"\clvmrg\cellx1000\cellx2010\cellx3000", r"\cell 1992\cell y")
        + r"\pard after}"
    )
    assert found.lines == [
        "before",
        "Site | Year | Owner",
        "Site: A second line | Year: 1986 | Owner: x",
        "Site: B | Year: both",
        "Site: B | Year: 1992 | Owner: y",
        "after",
    ]


def test_a_table_in_a_table_keeps_its_rows(read):
    found = read(
        r"{\rtf1\trowd\cellx1\cellx2\pard\intbl\itap2 a\nestcell b\nestcell{\*\nesttableprops\trowd"
        r"\nestrow}{\nonesttables\par}\pard\intbl outside\cell right\cell\row}"
    )
    assert found.lines == ["a | b outside | right"]


def test_notes_comments_and_boxes_stand_behind_their_paragraph(read):
    found = read(
        r"{\rtf1 Text{\super\chftn{\footnote\pard\chftn  The note.}} goes on"
        r"{\*\atnid A}{\*\atnauthor Ada}\chatn{\*\annotation{\*\atnref 1}Why?}."
        r"{\shp{\*\shpinst\shpleft1{\sp{\sn x}{\sv 7}}{\shptxt In the box\par}}"
        r"{\shprslt fallback}}\par Next.}"
    )
    assert found.lines == [
        "Text[1] goes on.", "[1] The note.", "[Comment by Ada: Why?]", "In the box", "Next.",
    ]  # fmt: skip


def test_headers_and_footers_are_read_once(read):
    header = r"{\header Draft 7}"
    found = read(rf"{{\rtf1 {header}{{\footer Page \chpgn  of Karmiel}}Text.\sect{header} More.}}")
    assert found.lines == ["Draft 7", "Text.", "More.", "Page of Karmiel"]


# --- damage and refusals ------------------------------------------------------------------------


def test_a_file_that_is_cut_off_is_read_as_far_as_it_goes(read):
    found = read(r"{\rtf1\ansi{\fonttbl{\f0 A;}}\pard One\par Two \b thr")
    assert found.lines == ["One", "Two thr"]
    assert found.codes == ["partly-damaged"]


def test_what_stands_behind_the_end_is_no_text(read):
    assert read(b"{\\rtf1 text}\0\0junk").text == "text"


def test_a_file_that_does_not_begin_like_rtf_is_refused(read):
    with pytest.raises(LoadError, match="not an RTF file") as caught:
        read(b"plain text")
    assert caught.value.reason == "broken"


def test_pictures_only_need_ocr_and_nothing_at_all_is_broken(read):
    with pytest.raises(LoadError) as caught:
        read(r"{\rtf1{\pict\pngblip 8950}}")
    assert caught.value.reason == "no text: needs OCR"
    with pytest.raises(LoadError) as caught:
        read(r"{\rtf1\pard\par}")
    assert caught.value.reason == "broken"
