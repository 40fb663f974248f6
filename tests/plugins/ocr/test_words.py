"""What is made of Tesseract's words, and what pictures say of their size."""

from __future__ import annotations

import pytest
from PIL import Image

from inglenook_ocr.headers import Measure, measured
from inglenook_ocr.languages import chosen
from inglenook_ocr.words import Word, are_noise, clear_ones, page_text, parsed, with_latin

HEAD = (
    "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"
)


def row(text, block=1, line=1, confidence=90):
    return f"5\t1\t{block}\t1\t{line}\t1\t0\t0\t10\t10\t{confidence}\t{text}"


def word(text, confidence=90.0, left=0, width=40):
    return Word(text, 1, (1, 1), 1, left, 0, width, 20, confidence)


def test_lines_and_paragraphs_are_those_of_the_page():
    rows = [
        HEAD,
        "4\t1\t1\t1\t1\t0\t0\t0\t9\t9\t-1\t",
        row("One"),
        row("line,"),
        row("two", line=2),
    ]
    assert page_text(parsed("\n".join([*rows, row("apart", block=2)]))) == "One line,\ntwo\n\napart"


def test_words_cut_at_a_line_end_are_joined_and_controls_left_out():
    table = "\n".join([HEAD, row("con\u200f-"), row("tents", line=2), row(" ")])
    assert page_text(parsed(table)) == "contents"


def test_latin_words_replace_hebrew_ones_only_where_they_are_much_surer():
    hebrew = [word("הוא", 88, left=100), word("6טס01", 46, left=50), word("8זס", 23)]
    latin = [word("NIN", 92, left=100), word("Cloud", 97, left=50), word(".info@example.org", 90)]
    texts = [each.text for each in with_latin(hebrew, latin)]
    assert texts == ["הוא", "Cloud", "info@example.org."]


def test_latin_words_elsewhere_replace_nothing():
    assert with_latin([word("שלום", 20)], [word("Cloud", 97, left=500)]) == [word("שלום", 20)]


@pytest.mark.parametrize(
    ("words", "noise"),
    [
        ([word("Kettle"), word("green")], False),
        ([word("Kettle"), word("|~", 5)], False),
        ([word("42", 95)], False),
        ([word("~", 96), word("|", 95)], True),
        ([word("oe", 61), word("WYN mnn", 40), word("Ss eee", 30)], True),
        ([], True),
    ],
)
def test_noise_is_told_from_words(words, noise):
    assert are_noise(words) is noise


def test_words_that_are_only_guessed_are_left_out():
    assert clear_ones([word("Kettle"), word("zx", 29.9)]) == [word("Kettle")]


@pytest.mark.parametrize(
    ("installed", "script", "names"),
    [
        ({"eng", "heb", "ara"}, "Hebrew", ("heb",)),
        ({"eng", "heb", "deu"}, "Latin", ("eng", "deu")),
        ({"eng", "heb", "ara"}, "", ("eng", "heb", "ara")),
        ({"eng", "heb"}, "Thai", ("eng", "heb")),
        ({"tlh"}, "", ("tlh",)),
    ],
)
def test_languages_follow_the_script(installed, script, names):
    assert chosen(installed, script) == names


@pytest.mark.parametrize(
    ("extension", "options"),
    [
        ("png", {}),
        ("jpg", {}),
        ("jpg", {"progressive": True}),
        ("gif", {}),
        ("bmp", {}),
        ("webp", {}),
        ("webp", {"lossless": True}),
        ("tif", {}),
    ],
)
def test_the_size_is_read_from_the_header(tmp_path, extension, options):
    path = tmp_path / f"a.{extension}"
    Image.new("RGB", (123, 45), "white").save(path, **options)
    assert measured(path) == Measure(123 * 45)


def test_a_tiff_says_how_many_pages_it_has_and_how_large_the_largest_is(tmp_path):
    pages = [Image.new("L", (width, 10)) for width in (20, 30, 10)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert measured(tmp_path / "a.tif") == Measure(300, 3)


def test_a_tiff_whose_pages_go_round_in_circles_ends(tmp_path):
    path = tmp_path / "a.tif"
    width = b"\x00\x01\x04\x00\x01\x00\x00\x00\x14\x00\x00\x00"
    height = b"\x01\x01\x04\x00\x01\x00\x00\x00\x0a\x00\x00\x00"
    path.write_bytes(b"II*\0\x08\0\0\0\x02\0" + width + height + b"\x08\0\0\0")
    assert measured(path) == Measure(200, 1)


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"plain"]
)
def test_what_is_no_picture_has_no_size(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert measured(tmp_path / "a") is None
