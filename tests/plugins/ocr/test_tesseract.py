"""The loader `tesseract`, with the program itself: pictures, scans, scripts, limits, failures."""

from __future__ import annotations

import math
import shutil
import threading
import time
import unicodedata
from pathlib import Path

import pytest
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont

import inglenook_ocr
from inglenook.errors import Cancelled, LoadError
from inglenook.testing.loader import LoaderKit
from inglenook.types import CancelToken, LoadRequest, Notice, Section
from inglenook_ocr.loader import TesseractLoader
from inglenook_ocr.pictures import opened

CORPUS = Path(__file__).parents[2] / "data" / "corpus"
KNOWN = Path(__file__).parents[1] / "pdf" / "data"


def picture(text, size=(900, 300)):
    """Black letters on white."""
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    draw.multiline_text((40, 40), text, fill=0, font=ImageFont.load_default(40), spacing=20)
    return image


def saved(path, text="The kettle is green."):
    picture(text).save(path)
    return path


def scanned(path, pages):
    """A PDF with a picture of each text; None is an empty page."""
    pdf = FPDF()
    for text in pages:
        pdf.add_page()
        if text:
            pdf.image(picture(text), 10, 10, 180)
    pdf.output(str(path))
    return path


def load(path, cancel=None, options=None, **request):
    loader = TesseractLoader(options or {})
    return list(loader.load(LoadRequest(path, path.name, **request), cancel or CancelToken()))


def text_of(path, **request):
    return "\n".join(part.text for part in load(path, **request) if isinstance(part, Section))


class TestTesseractLoader(LoaderKit):
    @pytest.fixture
    def loader(self):
        return TesseractLoader({})

    @pytest.fixture
    def sample(self, tmp_path):
        return saved(tmp_path / "rules.png", "Be kind.\nAlways.")

    @pytest.fixture
    def expected(self):
        return ("Be kind.", "Always.")


@pytest.mark.parametrize("extension", ["png", "jpg", "jpeg", "tif", "tiff", "bmp", "webp", "gif"])
def test_each_kind_of_picture_is_one_page(tmp_path, extension):
    (section,) = load(saved(tmp_path / f"sign.{extension}"))
    assert section == Section("The kettle is green.", section.locator)
    assert str(section.locator) == "page 1"


def test_what_a_picture_is_its_bytes_say_not_its_name(tmp_path):
    saved(tmp_path / "sign.png").rename(tmp_path / "part")
    request = LoadRequest(tmp_path / "part", "sign.jpg")
    (section,) = TesseractLoader({}).load(request, CancelToken())
    assert section.text == "The kettle is green."


def test_pages_of_a_tiff_are_counted(tmp_path):
    first, second = picture("This is page one."), picture("This is page two.")
    first.save(tmp_path / "fax.tif", save_all=True, append_images=[second])
    parts = load(tmp_path / "fax.tif")
    assert [(str(part.locator), part.text) for part in parts] == [
        ("page 1", "This is page one."),
        ("page 2", "This is page two."),
    ]
    assert [part.text for part in load(tmp_path / "fax.tif", pages=(2,))] == ["This is page two."]


def test_only_the_pages_asked_for_are_read(tmp_path):
    path = scanned(tmp_path / "scan.pdf", ["One kettle.", "Two kettles.", "Three kettles."])
    parts = load(path, pages=(3, 1, 99))
    assert [(str(part.locator), part.text) for part in parts] == [
        ("page 1", "One kettle."),
        ("page 3", "Three kettles."),
    ]


def test_an_empty_page_is_told(tmp_path):
    parts = load(scanned(tmp_path / "scan.pdf", [None, "Two kettles."]))
    assert parts[0] == Notice("page-without-text", "page 1: no text was recognised", page=1)
    assert parts[1].text == "Two kettles."


def test_a_page_that_lies_on_its_side_is_turned():
    text = text_of(CORPUS / "docling/ocr/ocr_test_rotated_90.pdf")
    assert " ".join(text.split()) == (
        "Docling bundles PDF document conversion to JSON and Markdown in an easy self contained"
        " package"
    )


def test_a_print_of_1871_is_read_and_unclear_words_are_told():
    parts = load(CORPUS / "pikepdf/congress.pdf")
    assert "consular courts of the United States in Japan" in " ".join(parts[0].text.split())
    assert [part.code for part in parts[1:]] == ["unclear-words"]


@pytest.mark.parametrize(("language", "least"), [("hebrew", 0.9), ("arabic", 0.8)])
def test_hebrew_and_arabic_are_read_with_the_latin_words_among_them(language, least):
    """The page is drawn by PDFium from a file whose words are known; points are not counted."""
    shown = (KNOWN / f"{language}.txt").read_text("utf-8").replace("،", ",")
    text = text_of(KNOWN / f"{language}-fpdf2.pdf").replace("،", ",")
    words = [word for line in shown.splitlines()[:-1] for word in line.split()]
    got = unicodedata.normalize("NFC", text).split()
    assert sum(word in got for word in words) / len(words) >= least
    assert {"Contoso", "Cloud"} <= set(got)
    assert not {"\u200e", "\u200f", "\u202a", "\u202b", "\u202c"} & set(text)


def test_languages_can_be_chosen(tmp_path):
    path = saved(tmp_path / "sign.png")
    (section,) = load(path, options={"languages": ["eng"]})
    assert section.text == "The kettle is green."
    with pytest.raises(LoadError, match="no language data for tlh") as caught:
        load(path, options={"languages": ["eng", "tlh"]})
    assert "eng" in caught.value.hint


def waves(size=(1200, 1600)):
    """A texture in which Tesseract sees some words."""
    across, down = size
    shades = bytes(
        int(127 + 60 * math.sin(x / 37) + 60 * math.sin(y / 23 + x / 90))
        for y in range(down)
        for x in range(across)
    )
    return Image.frombytes("L", size, shades)


@pytest.mark.parametrize("kind", ["texture", "drawing", "dots"])
def test_pictures_without_letters_give_no_text(tmp_path, kind):
    samples = CORPUS / "py-pdf-sample-files"
    path = {
        "texture": tmp_path / "waves.png",
        "drawing": samples / "019-grayscale-image/grayscale-image.pdf",
        "dots": samples / "007-imagemagick-images/imagemagick-CCITTFaxDecode.pdf",
    }[kind]
    if kind == "texture":
        waves().save(path)
    with pytest.raises(LoadError, match="no text was recognised on its 1 page") as caught:
        load(path)
    assert caught.value.reason == "no text: needs OCR"


def test_an_encrypted_scan_needs_its_password(tmp_path):
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(PdfReader(scanned(tmp_path / "a.pdf", ["Secret kettle."])))
    writer.encrypt(user_password="open", owner_password="owner", algorithm="AES-256")
    writer.write(tmp_path / "b.pdf")
    assert text_of(tmp_path / "b.pdf", password="open") == "Secret kettle."
    with pytest.raises(LoadError) as caught:
        load(tmp_path / "b.pdf")
    assert caught.value.reason == "encrypted"


def png_header(width, height):
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + size + b"\x08\x00\x00\x00\x00"


def test_a_picture_of_a_billion_pixels_is_refused_undecoded(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_header(50_000, 50_000) + bytes(5_000))
    started = time.monotonic()
    with pytest.raises(LoadError, match="2,500,000,000 pixels") as caught:
        load(tmp_path / "bomb.png")
    assert caught.value.reason == "too large"
    assert time.monotonic() - started < 1


def test_a_page_as_large_as_a_house_is_drawn_coarser(tmp_path):
    pdf = FPDF(unit="pt", format=(14_400, 14_400))
    pdf.add_page()
    pdf.image(picture("A kettle for giants."), 0, 0, 14_400)
    pdf.output(str(tmp_path / "huge.pdf"))
    request = LoadRequest(tmp_path / "huge.pdf", "huge.pdf")
    with opened(request) as pictures:
        page = pictures.page(1)
    assert page is not None
    assert len(page.data) < 41_000_000


@pytest.mark.parametrize("name", ["cut.png", "cut.jpg"])
def test_a_damaged_picture_is_broken(tmp_path, name):
    path = saved(tmp_path / name)
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(LoadError, match=name.replace(".", r"\.")) as caught:
        load(path)
    assert caught.value.reason == "broken"


def test_without_the_program_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LoadError, match="which is not installed") as caught:
        load(saved(tmp_path / "sign.png"))
    assert caught.value.reason == "no text: needs OCR"
    assert "apt install tesseract-ocr" in caught.value.hint


def test_its_version_changes_with_the_program_and_its_languages(tmp_path, monkeypatch):
    def version():
        made = []
        inglenook_ocr.register_loaders(made.append)
        return made[0].version

    with_program = version()
    assert with_program.startswith("1+tesseract-")
    (tmp_path / "xyz.traineddata").touch()
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    assert version() != with_program
    monkeypatch.setenv("PATH", str(tmp_path))
    assert version() == "1"


@pytest.fixture
def hanging(tmp_path, monkeypatch):
    """A program in place of Tesseract that lists its languages and then never ends."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "tesseract"
    sleep = shutil.which("sleep")
    program.write_text(
        f"#!/bin/sh\ncase $1 in --list-langs) echo List; echo eng;; *) exec {sleep} 60;; esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.usefixtures("hanging")
def test_a_page_that_takes_too_long_is_given_up(tmp_path):
    started = time.monotonic()
    with pytest.raises(LoadError, match="too long") as caught:
        load(saved(tmp_path / "sign.png"), options={"page_timeout_s": 1})
    assert caught.value.reason == "timed out"
    assert time.monotonic() - started < 10


@pytest.mark.usefixtures("hanging")
def test_a_cancel_ends_the_program_at_once(tmp_path):
    cancel = CancelToken()
    threading.Timer(0.5, cancel.cancel).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        load(saved(tmp_path / "sign.png"), cancel)
    assert time.monotonic() - started < 10
