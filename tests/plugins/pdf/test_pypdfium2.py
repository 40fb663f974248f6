"""The loader `pypdfium2` on real and made files."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
import zlib
from pathlib import Path

import pytest

from inglenook.errors import LoadError
from inglenook.testing.loader import LoaderKit, read
from inglenook.types import CancelToken, LoadRequest, Notice, PartFile, Section
from inglenook_pdf.pypdfium2_loader import PdfiumLoader

CORPUS = Path(__file__).parents[2] / "data" / "corpus"
KNOWN = Path(__file__).parent / "data"


def load(path, **options):
    """All that the loader yields."""
    return list(PdfiumLoader({}).load(LoadRequest(path, path.name, **options), CancelToken()))


def text_of(path, **options):
    return "\n".join(part.text for part in load(path, **options) if isinstance(part, Section))


class TestPdfiumLoader(LoaderKit):
    @pytest.fixture
    def loader(self):
        return PdfiumLoader({})

    @pytest.fixture
    def sample(self, tmp_path, make_pdf):
        return make_pdf(tmp_path / "rules.pdf", ["Be kind.\nAlways.", "Fourteen characters."])

    @pytest.fixture
    def expected(self):
        return ("Be kind.", "Always.", "Fourteen characters.")


def test_pages_are_numbered_from_1_and_those_without_text_are_told(tmp_path, make_pdf):
    sections, notices = read(PdfiumLoader({}), make_pdf(tmp_path / "a.pdf", ["One.", None, "Two."]))
    assert [(str(section.locator), section.text) for section in sections] == [
        ("page 1", "One."),
        ("page 3", "Two."),
    ]
    assert notices == [Notice("page-without-text", "page 2: no text", page=2)]


def test_single_pages_can_be_asked_for(tmp_path, make_pdf):
    path = make_pdf(tmp_path / "a.pdf", ["One.", "Two.", "Three."])
    parts = load(path, pages=(3, 1, 99))
    assert [str(part.locator) for part in parts] == ["page 1", "page 3"]


def test_bookmarks_are_the_headings_of_their_pages_and_of_those_that_follow(tmp_path, make_pdf):
    path = make_pdf(
        tmp_path / "a.pdf",
        ["Cover.", "Two.", "Three.", "Four."],
        [(2, "Security", 0), (2, "Passwords", 1), (4, "Visitors", 1)],
    )
    assert [section.headings for section in read(PdfiumLoader({}), path)[0]] == [
        (),
        ("Security",),
        ("Security", "Passwords"),
        ("Security", "Visitors"),
    ]


def test_pictures_without_text_need_ocr_and_nothing_at_all_is_broken(tmp_path, make_pdf):
    with pytest.raises(LoadError, match=r"scan\.pdf has no text on its 2 page") as scan:
        load(make_pdf(tmp_path / "scan.pdf", [None, None]))
    assert scan.value.reason == "no text: needs OCR"
    with pytest.raises(LoadError, match="nothing is drawn") as blank:
        load(CORPUS / "tika/testPDF_malformedXFA.pdf")
    assert blank.value.reason == "broken"


UNICODE_PASSWORD = '  ! < > " \\ € œ ¤ 1⁄4 1⁄2 𠜎 𩶘 😀  '


@pytest.mark.parametrize(
    ("name", "password", "text"),
    [
        ("unstructured/pdf/password.pdf", "password", "File with password"),
        ("pypdf/encryption/r4-aes-user-password.pdf", "asdfzxcv", "pdf encryption test"),
        ("pypdf/encryption/r6-both-passwords.pdf", "foo", "pdf encryption test"),
        ("pypdf/encryption/r6-both-passwords.pdf", "bar", "pdf encryption test"),
        ("docling/pdf_password/2206.01062_pg3.pdf", "1234", "ANNOTATION CAMPAIGN"),
        ("tika/testUnicodePassword.pdf", UNICODE_PASSWORD, "Just some text."),
    ],
)
def test_a_password_opens_an_encrypted_file_and_nothing_else_does(name, password, text):
    assert text in text_of(CORPUS / name, password=password)
    with pytest.raises(LoadError, match="needs a password") as without:
        load(CORPUS / name)
    with pytest.raises(LoadError, match="another password") as wrong:
        load(CORPUS / name, password="nonesuch")
    assert {without.value.reason, wrong.value.reason} == {"encrypted"}


def test_a_password_typed_with_other_code_points_opens_the_file(tmp_path, make_pdf):
    from pypdf import PdfReader, PdfWriter

    composed = "pässwörd"
    writer = PdfWriter(PdfReader(make_pdf(tmp_path / "a.pdf", ["Secret."])))
    writer.encrypt(user_password=composed, owner_password="owner", algorithm="AES-256")
    writer.write(tmp_path / "b.pdf")
    assert text_of(tmp_path / "b.pdf", password=unicodedata.normalize("NFD", composed)) == "Secret."


def test_a_file_with_an_empty_user_password_is_read():
    assert "LayoutParser" in text_of(CORPUS / "unstructured/pdf/copy-protected.pdf")


def test_damaged_pages_are_read_as_far_as_they_go():
    sections, notices = read(PdfiumLoader({}), CORPUS / "tika/testPDF_bad_page_303226.pdf")
    assert len(sections) == 19
    assert "Levophenacylmorphan" in sections[2].text
    assert [notice.code for notice in notices] == ["characters-left-out"]


def test_pages_are_saved_from_a_file_whose_page_list_is_lost():
    path = CORPUS / "py-pdf-sample-files/017-unreadable-meta-data/unreadablemetadata.pdf"
    sections, notices = read(PdfiumLoader({}), path)
    assert "© 2009 CTS Corporation. All rights reserved." in sections[0].text
    assert [notice.code for notice in notices] == ["garbled-text", "page-list-broken"]


def test_a_fuzzed_file_is_broken():
    with pytest.raises(LoadError) as caught:
        load(CORPUS / "pikepdf/fuzz/378014596.pdf")
    assert caught.value.reason == "broken"


@pytest.mark.parametrize("keep", [10, 300, 700])
def test_a_truncated_file_is_broken(tmp_path, make_pdf, keep):
    path = make_pdf(tmp_path / "a.pdf", ["Some text that is long enough."])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(LoadError, match=r"a\.pdf") as caught:
        load(path)
    assert caught.value.reason == "broken"


def normal(path):
    return unicodedata.normalize("NFC", path.read_text("utf-8"))


@pytest.mark.parametrize("writer", ["chromium", "fpdf2", "libreoffice", "reportlab", "weasyprint"])
def test_arabic_is_read_word_for_word_whoever_wrote_the_file(writer):
    assert text_of(KNOWN / f"arabic-{writer}.pdf").split() == normal(KNOWN / "arabic.txt").split()


@pytest.mark.parametrize("writer", ["chromium", "fpdf2", "libreoffice", "reportlab", "weasyprint"])
def test_hebrew_is_read_word_for_word_whoever_wrote_the_file(writer):
    """Only the last line has points, and some fonts do not say which of them they show."""
    *lines, _pointed = normal(KNOWN / "hebrew.txt").splitlines()
    words = "\n".join(lines).split()
    assert text_of(KNOWN / f"hebrew-{writer}.pdf").split()[: len(words)] == words


def test_points_stay_with_their_letters():
    pointed = normal(KNOWN / "hebrew.txt").splitlines()[-1]
    text = unicodedata.normalize("NFC", text_of(KNOWN / "hebrew-reportlab.pdf"))
    assert text.endswith(pointed)


def test_lam_alef_stands_in_reading_order():
    text = text_of(CORPUS / "docling/pdf/right_to_left_01.pdf")
    assert text.startswith("تحسين الإنتاجية وحل المشكلات من خلال البرمجة بلغة R وPython")
    assert "الآلي." in text


@pytest.mark.parametrize("name", ["habibi.pdf", "habibi-rotated.pdf"])
def test_a_glyph_that_stands_for_a_whole_word_is_read_in_order(name):
    text = text_of(CORPUS / "py-pdf-sample-files/015-arabic" / name)
    assert "حَبيبي" in text
    assert "يبيبَح" not in text


def test_columns_follow_one_another_and_cut_words_are_whole():
    text = " ".join(text_of(CORPUS / "unstructured/pdf/multi-column-2p.pdf").split())
    first = text.index("relies on efficient passage retrieval")
    last_of_left = text.index("indicating the needs of improving retrieval.")
    assert first < last_of_left < text.index("Retrieval in open-domain QA is usually implemented")
    assert "a strong Lucene-BM25 system" in text


def test_paragraphs_are_parted_and_a_stray_heading_stands_over_its_text():
    text = text_of(CORPUS / "pikepdf/sandwich.pdf")
    assert "\n\nEditing\nTo erase a wrong note" in text
    assert "\n\nAdditional Features\n0 Simple, easy to learn" in text


def test_korean_rows_stay_together():
    text = text_of(CORPUS / "unstructured/pdf/korean-text-with-tables.pdf")
    assert "할인점 이마트, 이마트 트레이더스, 롯데마트, 홈플러스" in text


def test_form_fields_and_comments_are_read(tmp_path, make_pdf):
    from pypdf import PdfWriter
    from pypdf.annotations import FreeText, Text

    writer = PdfWriter(clone_from=make_pdf(tmp_path / "a.pdf", ["Printed."]))
    writer.add_annotation(0, Text(text="The reviewer objects.", rect=(300, 600, 320, 620)))
    writer.add_annotation(0, FreeText(text="Typed over the page.", rect=(50, 600, 250, 650)))
    writer.write(tmp_path / "b.pdf")
    text = text_of(tmp_path / "b.pdf")
    assert text.splitlines() == ["Printed.", "The reviewer objects.", "Typed over the page."]


def test_what_is_filled_into_a_form_is_read(tmp_path, pdf_by_hand, pdf_stream, page_objects):
    look = zlib.compress(b"BT /F1 9 Tf 2 4 Td (Dana Levi) Tj ET")
    objects = page_objects(extra=b"/AcroForm<</Fields[6 0 R]/DR<</Font<</F1 5 0 R>>>>>>")
    objects[2] = objects[2].replace(b"/Contents", b"/Annots[6 0 R]/Contents")
    widget = (
        b"<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Dana Levi)/Rect[50 600 200 620]/F 4"
        b"/P 3 0 R/DA(/F1 9 Tf 0 g)/AP<</N 7 0 R>>>>"
    )
    form = pdf_stream(look).replace(
        b"<</Length",
        b"<</Type/XObject/Subtype/Form/BBox[0 0 150 20]/Resources<</Font<</F1 5 0 R>>>>/Length",
    )
    path = pdf_by_hand(tmp_path / "form.pdf", [*objects, widget, form])
    assert text_of(path).split() == ["Hello", "words", "Dana", "Levi"]


def test_attached_files_are_parts(tmp_path, make_pdf):
    from pypdf import PdfWriter

    writer = PdfWriter(clone_from=make_pdf(tmp_path / "a.pdf", ["See the attachment."]))
    writer.add_attachment("notes.txt", b"attached words")
    writer.write(tmp_path / "b.pdf")
    parts = load(tmp_path / "b.pdf")
    assert parts[-1] == PartFile("notes.txt", b"attached words")
    assert load(tmp_path / "b.pdf", max_members=0)[-1].code == "attachments-left-out"


def without_maps(source, target):
    """Take away what says which characters the glyphs of a PDF show."""
    from pypdf import PdfWriter

    writer = PdfWriter(clone_from=source)
    for number in range(1, len(writer._objects) + 1):
        font = writer.get_object(number)
        if isinstance(font, dict) and "/ToUnicode" in font:
            del font["/ToUnicode"]
    writer.write(target)
    return target


@pytest.mark.parametrize("source", ["hebrew-fpdf2.pdf", "arabic-weasyprint.pdf"])
def test_a_font_without_a_map_is_told_and_its_text_left_out(tmp_path, source):
    path = without_maps(KNOWN / source, tmp_path / "hidden.pdf")
    with pytest.raises(LoadError, match="fonts hide") as caught:
        load(path)
    assert caught.value.reason == "no text: needs OCR"


def test_a_page_that_hides_its_letters_does_not_cost_the_others(tmp_path, make_pdf):
    from pypdf import PdfWriter

    hidden = without_maps(KNOWN / "hebrew-fpdf2.pdf", tmp_path / "hidden.pdf")
    writer = PdfWriter()
    writer.append(make_pdf(tmp_path / "plain.pdf", ["In the clear."]))
    writer.append(hidden)
    writer.write(tmp_path / "both.pdf")
    sections, notices = read(PdfiumLoader({}), tmp_path / "both.pdf")
    assert [section.text for section in sections] == ["In the clear."]
    assert [(notice.code, notice.page) for notice in notices] == [("garbled-text", 2)]


def test_reading_writes_nothing_on_the_terminal():
    program = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from pathlib import Path\n"
        "from inglenook.testing.loader import read\n"
        "from inglenook_pdf.pypdfium2_loader import PdfiumLoader\n"
        "for name in sys.argv[1:]:\n"
        "    read(PdfiumLoader({}), Path(name))"
    )
    files = ["tika/testPDF_bad_page_303226.pdf", "unstructured/pdf/copy-protected.pdf"]
    child = subprocess.run(
        [sys.executable, "-c", program, *(str(CORPUS / name) for name in files)],
        capture_output=True,
        check=False,
    )
    assert (child.returncode, child.stdout, child.stderr) == (0, b"", b"")
