"""The loader `pypdf` on real and made files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from inglenook.errors import LoadError
from inglenook.testing.loader import LoaderKit, read
from inglenook.types import CancelToken, LoadRequest, PartFile, Section
from inglenook_pdf.garbled import is_garbled
from inglenook_pdf.page_text import readable
from inglenook_pdf.pypdf_loader import PdfLoader

DOCUMENTS = Path(__file__).parents[2] / "data" / "documents"


class TestPdfLoader(LoaderKit):
    @pytest.fixture
    def loader(self):
        return PdfLoader({})

    @pytest.fixture
    def sample(self, tmp_path, make_pdf):
        return make_pdf(tmp_path / "rules.pdf", ["Be kind.\nAlways.", "Fourteen characters."])

    @pytest.fixture
    def expected(self):
        return ("Be kind.", "Always.", "Fourteen characters.")


def test_pages_are_numbered_from_1_and_blank_ones_are_told(tmp_path, make_pdf):
    path = make_pdf(tmp_path / "a.pdf", ["One.", None, "Three."])
    sections, notices = read(PdfLoader({}), path)
    assert [(str(section.locator), section.text) for section in sections] == [
        ("page 1", "One."),
        ("page 3", "Three."),
    ]
    assert [notice.message for notice in notices] == ["page 2: no text"]


def test_bookmarks_are_the_headings_of_their_pages_and_of_those_that_follow(tmp_path, make_pdf):
    path = make_pdf(
        tmp_path / "a.pdf",
        ["Cover.", "Two.", "Three.", "Four."],
        [(2, "Security", 0), (2, "Passwords", 1), (4, "Visitors", 1)],
    )
    sections, _ = read(PdfLoader({}), path)
    assert [section.headings for section in sections] == [
        (),
        ("Security",),
        ("Security", "Passwords"),
        ("Security", "Visitors"),
    ]


def test_a_file_without_any_text_needs_ocr(tmp_path, make_pdf):
    path = make_pdf(tmp_path / "scan.pdf", [None, None])
    with pytest.raises(LoadError, match=r"scan\.pdf has no text on its 2 page") as caught:
        read(PdfLoader({}), path)
    assert caught.value.reason == "no text: needs OCR"


@pytest.mark.parametrize("name", ["password.pdf", "r4-aes-user-password.pdf"])
def test_a_file_with_a_password_is_encrypted(name):
    with pytest.raises(LoadError, match="password") as caught:
        read(PdfLoader({}), DOCUMENTS / name)
    assert caught.value.reason == "encrypted"


def test_a_file_with_an_empty_user_password_is_read(tmp_path, make_pdf):
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(PdfReader(make_pdf(tmp_path / "a.pdf", ["Restricted."])))
    writer.encrypt(user_password="", owner_password="owner", algorithm="RC4-128")
    writer.write(tmp_path / "b.pdf")
    assert read(PdfLoader({}), tmp_path / "b.pdf")[0][0].text == "Restricted."


def test_a_password_in_the_request_opens_the_file(tmp_path, make_pdf):
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(PdfReader(make_pdf(tmp_path / "a.pdf", ["Secret."])))
    writer.encrypt(user_password="opensesame", algorithm="RC4-128")
    writer.write(tmp_path / "b.pdf")
    request = LoadRequest(tmp_path / "b.pdf", "b.pdf", password="opensesame")
    (section,) = PdfLoader({}).load(request, CancelToken())
    assert isinstance(section, Section)
    assert section.text == "Secret."


def test_broken_pages_are_told_by_number_and_the_rest_is_read():
    sections, notices = read(PdfLoader({}), DOCUMENTS / "testPDF_bad_page_303226.pdf")
    assert len(sections) == 16
    assert [notice.message.split(":")[0] for notice in notices] == ["page 2", "page 12", "page 13"]
    assert {notice.code for notice in notices} == {"page-unreadable"}


@pytest.mark.parametrize("keep", [10, 300, 700])
def test_a_truncated_file_is_broken_or_read_but_nothing_else(tmp_path, make_pdf, keep):
    path = make_pdf(tmp_path / "a.pdf", ["Some text that is long enough."])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(LoadError, match=r"a\.pdf") as caught:
        read(PdfLoader({}), path)
    assert caught.value.reason in ("broken", "no text: needs OCR")


def test_arabic_comes_in_reading_order():
    sections, _ = read(PdfLoader({}), DOCUMENTS / "right_to_left_01.pdf")
    assert sections[0].text.startswith(
        "تحسين الإنتاجية وحل المشكلات من خلال البرمجة بلغة R وPython"
    )


def test_warnings_of_the_library_stay_off_the_terminal():
    program = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from pathlib import Path\n"
        "from inglenook.testing.loader import read\n"
        "from inglenook_pdf.pypdf_loader import PdfLoader\n"
        "read(PdfLoader({}), Path(sys.argv[1]))"
    )
    child = subprocess.run(
        [sys.executable, "-c", program, DOCUMENTS / "testPDF_bad_page_303226.pdf"],
        capture_output=True,
        check=False,
    )
    assert (child.returncode, child.stdout, child.stderr) == (0, b"", b"")


def test_hebrew_with_a_word_a_line_is_joined_and_its_marks_put_back():
    raw = "הסיסמה\nחייבת\nלהכיל\nלפחות\nעשרה\n.תווים\n \nיש\n)ללחוץ(\nכאן"
    assert readable(raw) == "הסיסמה חייבת להכיל לפחות עשרה תווים.\n\nיש (ללחוץ) כאן"


@pytest.mark.parametrize(
    "raw",
    [
        ".2025 זאמ )ןאכ וצחל( הנש ידמ Contoso לש םיוות 14",
        ".2025 זאמ (ןאכ וצחל) הנש ידמ Contoso לש םיוות 14",
    ],
)
def test_hebrew_that_is_stored_backward_is_turned_round(raw):
    assert readable(raw) == "14 תווים של Contoso מדי שנה (לחצו כאן) מאז 2025."


def test_latin_text_with_short_lines_is_left_as_it_is():
    assert readable("one\ntwo\nthree\nfour\nfive") == "one\ntwo\nthree\nfour\nfive"


def test_bidi_controls_ligatures_and_runs_of_blanks_are_repaired():
    assert readable("\u202boﬃce\u202c   ﬁle \u00a0x²\n\n\n\nend") == "office file x²\n\nend"


def test_text_without_a_font_map_is_recognised_as_garbled():
    assert is_garbled("\ue001\ue002\ue003 \ue004 a", "")
    plain = "Plain text, with marks: ✓ and שלום."
    assert not is_garbled(plain, plain)


def test_comments_and_attached_files_are_read(tmp_path, make_pdf):
    from pypdf import PdfWriter
    from pypdf.annotations import Text

    writer = PdfWriter(clone_from=make_pdf(tmp_path / "a.pdf", ["Printed."]))
    writer.add_annotation(0, Text(text="The reviewer objects.", rect=(300, 600, 320, 620)))
    writer.add_attachment("notes.txt", b"attached words")
    writer.write(tmp_path / "b.pdf")
    request = LoadRequest(tmp_path / "b.pdf", "b.pdf")
    section, part = PdfLoader({}).load(request, CancelToken())
    assert isinstance(section, Section)
    assert section.text.splitlines() == ["Printed.", "The reviewer objects."]
    assert part == PartFile("notes.txt", b"attached words")


def test_a_font_without_a_map_is_told_and_its_text_left_out(tmp_path):
    from pypdf import PdfWriter

    writer = PdfWriter(clone_from=Path(__file__).parent / "data" / "arabic-weasyprint.pdf")
    for number in range(1, len(writer._objects) + 1):
        font = writer.get_object(number)
        if isinstance(font, dict) and "/ToUnicode" in font:
            del font["/ToUnicode"]
    writer.write(tmp_path / "hidden.pdf")
    with pytest.raises(LoadError, match="fonts hide") as caught:
        read(PdfLoader({}), tmp_path / "hidden.pdf")
    assert caught.value.reason == "no text: needs OCR"


def test_a_page_on_which_nothing_is_drawn_is_no_scan(tmp_path, make_pdf):
    with pytest.raises(LoadError, match="nothing is drawn on its 2 page") as caught:
        read(PdfLoader({}), make_pdf(tmp_path / "blank.pdf", ["", ""]))
    assert caught.value.reason == "broken"


def test_notices_quote_nothing_of_the_document():
    _, notices = read(PdfLoader({}), DOCUMENTS / "testPDF_bad_page_303226.pdf")
    assert all(len(notice.message) < 100 and "veteri" not in notice.message for notice in notices)
