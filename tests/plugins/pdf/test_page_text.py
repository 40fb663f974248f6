"""Repairs of page text: words at line ends, forms of letters, brackets, lines, what is no text."""

from __future__ import annotations

import pytest

from inglenook_pdf.extras import with_notes
from inglenook_pdf.garbled import is_garbled
from inglenook_pdf.outline import Entry, page_headings
from inglenook_pdf.page_layout import TextLine, laid_out
from inglenook_pdf.page_text import readable
from inglenook_pdf.visual_order import Glyph, lines_in_reading_order

SHIFTED = (
    "Ymj Ufsymjwx ijkjsxj zu ozxy utnsyx wfspnsl xncym ymj qjflzj bmnqj fqxt qjfinsl SKQ"
    " nsyjwhjuyntsx bnym gtfxynsl ktzw uwt gtbq xjqjhyntsx hfwtqnsf ufsymjwx jfxnqd btsy"
    " xzujw ktwrjw ltyymj rtxy yjfr htqqjhyj uqfdjwx xfhpx lfrjx ktwhji hfmlm nswmj"
)
"""English, each letter five further."""

PROSE = "line of plain words\n" * 30


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("an effi-\ncient and effective re-\nsult", "an efficient and effective result"),
        ("a Lucene-\nBM25 system", "a Lucene-BM25 system"),
        ("the x-\nray", "the x-ray"),
        ("fine-tuned models are fine-\ntuned again", "fine-tuned models are fine-tuned again"),
        ("from 2019-\n2020", "from 2019-\n2020"),
        ("soft\u00ad\nware", "software"),
        ("בן-\nאדם", "בן-אדם"),
    ],
)
def test_words_cut_at_a_line_end_are_joined(raw, text):
    assert readable(raw) == text


def test_a_page_that_cuts_no_words_keeps_the_hyphens_of_its_compounds():
    assert "a state-run school" in readable(f"{PROSE}a state-\nrun school")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("ﬁle and oﬃce", "file and office"),
        ("\ufefb\ufe91\ufeea", "لابه"),
        ("\ufb2aלום", "ש\u05c1לום"),
        ("x² ½ № ①", "x² ½ № ①"),
        ("\u2067שלום\u2069\u200f \u202aabc\u202c", "שלום abc"),
        ("bell\x07 and\x02 feed\x0c", "bell and feed"),
    ],
)
def test_forms_of_letters_are_folded_and_nothing_else(raw, text):
    assert readable(raw) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("הספר )ראו שם( נמצא", "הספר (ראו שם) נמצא"),
        ("1( סעיף ראשון", "1) סעיף ראשון"),
        ("מנהל)ת( המחלקה", "מנהל(ת) המחלקה"),
        ('שאל )"מתי?"(.', 'שאל ("מתי?").'),
        ("تعالج )على الأكثر(، ثم", "تعالج (على الأكثر)، ثم"),
        ("the value f(x)[1] :-)", "the value f(x)[1] :-)"),
    ],
)
def test_brackets_open_before_words_in_right_to_left_lines_only(raw, text):
    assert readable(raw, lines_are_whole=True) == text


def test_short_lines_of_hebrew_stay_apart_where_lines_are_known_to_be_whole():
    rows = "תפוח\nאגס\nבננה\nענבים\nשזיף"
    assert readable(rows, lines_are_whole=True) == rows


def glyphs(line, baseline=100.0, word=0):
    """A line of (text, origin): glyphs of width 6 in a font of height 10."""
    for text, origin in line:
        yield Glyph(text, origin, origin, origin + 6.0, baseline, 10.0, 0, word)


def shown(visual, baseline=100.0):
    """Glyphs as they stand from left to right; a blank is a gap."""
    word = 0
    for place, character in enumerate(visual):
        if character == " ":
            word += 1
            continue
        yield from glyphs([(character, 6.0 * place)], baseline, word)


def read(visual, around="ביבסמ םילימ לש ךורא רופיס"):
    """The line, on a page that has another one under it."""
    page = [*shown(visual), *shown(around, baseline=80.0)]
    return next(iter(lines_in_reading_order(page))).text


@pytest.mark.parametrize(
    ("visual", "text"),
    [
        ("םלוע םולש", "שלום עולם"),
        (".27 רפסמ", "מספר 27."),
        ("30-ב ,1,250.50 םוכס", "סכום 1,250.50, ב-30"),
        ("14:30 העשב 12/03/2024", "12/03/2024 בשעה 14:30"),
        ("%20 דע 15%", "15% עד %20"),
        ("Contoso Cloud תכרעמ", "מערכת Contoso Cloud"),
        (".https://example.org/a?id=7 ואר", "ראו https://example.org/a?id=7."),
        ("23-16 ةجيتن", "نتيجة 16-23"),
        (".Python and R", "Python and R."),
    ],
)
def test_what_is_shown_is_put_in_the_order_of_reading(visual, text):
    assert read(visual) == text


def test_hebrew_words_in_a_latin_line_are_turned_where_they_stand():
    line = "the word םולש is Hebrew for peace"
    assert read(line, around="more words") == "the word שלום is Hebrew for peace"


@pytest.mark.parametrize(
    ("height", "first", "second"), [(99.0, "ב\u05b8א", "ג"), (81.0, "בא", "ג\u05b8")]
)
def test_a_mark_goes_to_the_letter_of_the_nearer_line(height, first, second):
    upper, lower = glyphs([("ב", 106.0), ("א", 100.0)]), glyphs([("ג", 106.0)], 80.0, 2)
    mark = Glyph("\u05b8", 107.0, 107.0, 110.0, height, 10.0, 0, 1)
    lines = lines_in_reading_order([*upper, mark, *lower])
    assert [line.text for line in lines] == [first, second]


def test_pieces_of_one_line_are_put_together():
    pieces = [*glyphs([("ב", 106.0)]), *glyphs([("ג", 106.0)], 80.0, 1), *glyphs([("א", 100.0)])]
    assert [line.text for line in lines_in_reading_order(pieces)] == ["בא", "ג"]


def line(text, baseline, left=0.0, right=100.0):
    return TextLine(text, left, right, baseline, 10.0)


def test_a_wide_gap_parts_paragraphs():
    lines = [line("a", 100), line("b", 88), line("c", 76), line("d", 50), line("e", 38)]
    assert laid_out(lines) == "a\nb\nc\n\nd\ne"


def test_a_raised_mark_goes_on_in_its_line():
    lines = [line("practice", 100, 0, 40), line("2", 104, 40, 44), line(", indeed", 100, 44, 80)]
    assert laid_out(lines) == "practice2, indeed"


def test_the_order_of_columns_is_that_of_the_file():
    left = [line("a", 100), line("b", 88)]
    right = [line("c", 100, 120, 220), line("d", 88, 120, 220)]
    under = [line("e", 60), line("f", 48)]
    assert laid_out([*left, *right, *under]) == "a\nb\nc\nd\n\ne\nf"


@pytest.mark.parametrize(
    "text",
    [
        "ȔÔŶՔ ȾÓȘµՔ ǾǩɀĶՔ ŪșǁՔ ȿņՔռ " * 8,
        "הךלם םהו ץרהא ןתוך ךלםר " * 6,
        "/g95 /g93/g80/g94 /g92/g95 /g80/g2/g8A/g80/g84/g86 " * 4,
        SHIFTED,
    ],
)
def test_what_no_language_does_is_garbled(text):
    assert is_garbled(text, text)


@pytest.mark.parametrize(
    "text",
    [
        "HTTP HTML XML TCP SMTP DHCP CSS PNG JPEG MPEG RTFM GMBH LTDS KLMN PQRS TVWX " * 3,
        "שלום לכולם, הם הלכו לים עם הילדים ועם הכלבים שלהם. " * 6,
        "πr² and Σx over 日本語のテキスト и кириллица, all on one page. " * 6,
        "def strlcpy(dst, src): return memcpy(dst, src) # http://x http://y http://z\n" * 9,
    ],
)
def test_unusual_text_is_not_garbled(text):
    assert not is_garbled(text, text)


def test_headings_skip_levels_and_entries_without_a_page():
    entries = [
        Entry("Part", 0, 1),
        Entry("Deep", 3, 2),
        Entry("No page", 1, None),
        Entry("Below", 2, 3),
    ]
    assert page_headings(entries, 4) == {
        1: ("Part",),
        2: ("Part", "Deep"),
        3: ("Part", "No page", "Below"),
        4: ("Part", "No page", "Below"),
    }


def test_comments_are_added_unless_the_page_shows_them():
    text = with_notes("It was filled in: Dana Levi", ["no", "Dana Levi", "in", "", "no"])
    assert text == "It was filled in: Dana Levi\nno\nin"
