"""The loader `epub` on real, odd, protected and hostile e-books."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from inglenook.errors import Cancelled, LoadError
from inglenook.testing.loader import read
from inglenook.types import CancelToken, LoadRequest
from inglenook_text.epub import EpubLoader

CORPUS = Path(__file__).parents[2] / "data" / "corpus"
ENCRYPTED = (
    "<encryption><EncryptedData><EncryptionMethod Algorithm='{}'/><CipherData>{}</CipherData>"
)
REFERENCE = "<CipherReference URI='{}'/>"


@pytest.fixture
def load(write_epub, tmp_path):
    def load(pages, **parts):
        return read(EpubLoader({}), write_epub(tmp_path / "a.epub", pages, **parts))

    return load


# --- real books ----------------------------------------------------------------------------------


def test_a_real_book_is_read_in_the_order_of_its_spine():
    sections, notices = read(EpubLoader({}), CORPUS / "docling/epub/epub_purvis_poetry.epub")
    assert sections[0].text == "Poetry\nSarah Louisa Forten Purvis"
    assert [section.headings[-1] for section in sections[2:5]] == [
        "Imprint",
        "The Grave of the Slave",
        "The Slave Girl’s Address to Her Mother",
    ]
    assert "The cold storms of winter shall chill him no more,\nHis woes" in sections[3].text
    assert {section.language for section in sections} == {"en-US"}
    assert notices == []


def test_the_sections_of_a_real_book_follow_each_other_in_one_text():
    sections, _ = read(EpubLoader({}), CORPUS / "unstructured/winter-sports.epub")
    end = 0
    for section in sections:
        assert section.start == (end + 2 if end else 0)
        end = section.start + len(section.text)
    assert end > 300_000


def test_headings_go_on_into_the_next_file_of_a_real_book():
    sections, _ = read(EpubLoader({}), CORPUS / "unstructured/winter-sports.epub")
    found = [section.headings for section in sections if "THIRD-CLASS TEST" in section.headings]
    assert found == [
        ("WINTER SPORTS IN SWITZERLAND", "CHAPTER II RINKS AND SKATERS", "THIRD-CLASS TEST")
    ]


def test_a_real_book_without_styles_and_scripts():
    sections, _ = read(EpubLoader({}), CORPUS / "tika/testEPUB.epub")
    text = "\n".join(section.text for section in sections)
    assert "- First item\n- Second item" in text
    assert "Table header | Table data" in text
    assert "nothing to see here" not in text
    assert "nor here" not in text


# --- order and headings --------------------------------------------------------------------------


def test_the_spine_decides_the_order_and_what_it_leaves_out_comes_last(load):
    pages = {"a.xhtml": "one", "b.xhtml": "two", "notes.xhtml": "a note"}
    spine = "<itemref idref='p1'/><itemref idref='p0' linear='no'/>"
    sections, _ = load(pages, spine=spine)
    assert [section.text for section in sections] == ["two\n\none\n\na note"]


@pytest.mark.parametrize("kind", ["ncx", "nav"])
def test_the_table_of_contents_names_chapters_without_headings(load, kind):
    pages = {"a b.xhtml": "<p id='x'>one<p id='y'>two", "b.xhtml": "<h2>Own</h2>three"}
    ncx = (
        "<!DOCTYPE ncx PUBLIC '-//NISO//DTD ncx 2005-1//EN' 'http://x/y.dtd'><ncx><docTitle><text>T"
        "</text></docTitle><navMap><navPoint><navLabel><text>Part &amp; one</text></navLabel>"
        "<content src='a%20b.xhtml'/><navPoint><navLabel><text>Inner</text></navLabel>"
        "<content src='a%20b.xhtml#y'/></navPoint></navPoint><navPoint><navLabel><text>Not used"
        "</text></navLabel><content src='b.xhtml'/></navPoint></navMap></ncx>"
    )
    nav = (
        "<html><nav epub:type='landmarks'><ol><li><a href='b.xhtml'>Cover</a></ol></nav>"
        "<nav epub:type='toc'><h1>Contents</h1><ol><li><a href='a%20b.xhtml'>Part &amp; <i>one</i>"
        "</a><ol><li><a href='a%20b.xhtml#y'>Inner</a></li></ol></li></ol></nav></html>"
    )
    item = {
        "ncx": "<item id='ncx' href='toc.ncx' media-type='application/x-dtbncx+xml'/>",
        "nav": "<item id='n' href='toc.ncx' properties='nav' media-type='application/xhtml+xml'/>",
    }[kind]
    extra = {"OEBPS/toc.ncx": ncx if kind == "ncx" else nav}
    sections, _ = load(pages, manifest=item, extra=extra)
    assert [(section.headings, section.text) for section in sections] == [
        (("Part & one",), "one"),
        (("Part & one", "Inner"), "two"),
        (("Part & one", "Own"), "Own\n\nthree"),
    ]


def test_title_authors_and_language_are_said(load):
    metadata = (
        "<dc:title>הספר</dc:title><dc:creator>דנה</dc:creator><dc:creator>Ada</dc:creator>"
        "<dc:language>he</dc:language>"
    )
    sections, _ = load({"a.xhtml": "text"}, metadata=metadata)
    assert [
        (section.text, section.headings, section.start, section.language) for section in sections
    ] == [
        ("הספר\nדנה, Ada", ("הספר",), 0, "he"),
        ("text", ("הספר",), 15, "he"),
    ]


def test_footnotes_that_readers_open_by_a_click_are_read(load):
    page = "<p>text<a epub:type='noteref'>1</a></p><aside epub:type='footnote' hidden>The note."
    sections, notices = load({"a.xhtml": f"{page}</aside><p hidden>never shown"})
    assert sections[0].text == "text1\n\nThe note."
    assert [notice.code for notice in notices] == ["hidden-text"]


def test_bidi_controls_are_taken_out(load):
    sections, _ = load({"a.xhtml": "<p>\u202bשלום\u202c &rlm;עו&shy;לם"})
    assert sections[0].text == "שלום עולם"


# --- odd books -----------------------------------------------------------------------------------


SPINE = "<spine><itemref idref='p'/></spine>"


@pytest.mark.parametrize(
    ("package", "container"),
    [
        (
            "<package><manifest><item id='p' href='a.xhtml'></manifest><spine><itemref idref='p'",
            "x",
        ),
        ("<o:package><o:item id='p' href='a.xhtml'/><o:spine><o:itemref idref='p'/></o:spine>", ""),
        (f"<package><manifest><item id='p' href='A.XHTML'/></manifest>{SPINE}", ""),
        (f"<package><manifest><item id='p' href='./x/../a%2Exhtml'/></manifest>{SPINE}", ""),
    ],
)
def test_packages_that_are_not_as_they_should_be_are_read(load, package, container):
    extra = {"META-INF/container.xml": container} if container else {}
    sections, notices = load({"a.xhtml": "text"}, package=package, extra=extra)
    assert ([section.text for section in sections], notices) == (["text"], [])


def test_a_book_without_a_package_is_read_by_the_names_of_its_pages(load):
    sections, notices = load({"b.xhtml": "two", "a.html": "one"}, extra={"OEBPS/book.opf": None})
    assert [section.text for section in sections] == ["one\n\ntwo"]
    assert [notice.code for notice in notices] == ["no-reading-order"]


def test_a_chapter_that_is_missing_or_damaged_is_told_and_the_others_are_read(write_epub, tmp_path):
    manifest = "<item id='gone' href='gone.xhtml' media-type='application/xhtml+xml'/>"
    spine = "<itemref idref='p0'/><itemref idref='gone'/><itemref idref='p1'/>"
    pages = {"a.xhtml": "one", "b.xhtml": "to be damaged" * 3}
    path = write_epub(tmp_path / "a.epub", pages, manifest=manifest, spine=spine)
    with zipfile.ZipFile(path) as archive:
        damaged = archive.getinfo("OEBPS/b.xhtml")
        place = damaged.header_offset + 30 + len(damaged.filename)
    content = bytearray(path.read_bytes())
    content[place : place + 3] = b"\xff\xff\xff"
    path.write_bytes(content)
    sections, notices = read(EpubLoader({}), path)
    assert [section.text for section in sections] == ["one"]
    assert [notice.message for notice in notices] == [
        "gone.xhtml: broken: the book does not hold it",
        "OEBPS/b.xhtml: broken: its bytes are damaged or too many",
    ]
    assert {notice.code for notice in notices} == {"part-failed"}


def test_a_page_in_an_old_encoding_is_read_as_it_declares(load):
    page = "<?xml version='1.0' encoding='windows-1255'?><p>שלום".encode("cp1255")
    sections, notices = load({"a.xhtml": page})
    assert ([section.text for section in sections], notices) == (["שלום"], [])


# --- refusals ------------------------------------------------------------------------------------


def test_a_protected_book_is_encrypted(load):
    seal = ENCRYPTED.format(
        "http://www.w3.org/2001/04/xmlenc#aes128-cbc", REFERENCE.format("OEBPS/a.xhtml")
    )
    with pytest.raises(LoadError, match="protected against copying") as caught:
        load({"a.xhtml": b"\x80\x81" * 50}, extra={"META-INF/encryption.xml": seal})
    assert caught.value.reason == "encrypted"


@pytest.mark.parametrize(
    ("algorithm", "member"),
    [
        ("http://www.idpf.org/2008/embedding", "OEBPS/a.xhtml"),
        ("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "OEBPS/font.otf"),
    ],
)
def test_disguised_fonts_are_no_protection(load, algorithm, member):
    seal = ENCRYPTED.format(algorithm, REFERENCE.format(member))
    sections, _ = load({"a.xhtml": "text"}, extra={"META-INF/encryption.xml": seal})
    assert [section.text for section in sections] == ["text"]


def test_a_book_of_pictures_needs_recognition(load):
    with pytest.raises(LoadError, match="pictures but no text") as caught:
        load({"a.xhtml": "<img src='a.jpg'/>"}, extra={"OEBPS/a.jpg": b"\xff\xd8"})
    assert caught.value.reason == "no text: needs OCR"


@pytest.mark.parametrize("content", [b"no zip", b"PK\x03\x04 cut"])
def test_what_is_no_zip_is_broken(tmp_path, content):
    path = tmp_path / "a.epub"
    path.write_bytes(content)
    with pytest.raises(LoadError) as caught:
        read(EpubLoader({}), path)
    assert caught.value.reason == "broken"


def test_a_zip_without_pages_is_no_book(load):
    with pytest.raises(LoadError, match="no e-book") as caught:
        load({}, package="<package/>")
    assert caught.value.reason == "broken"


# --- hostile -------------------------------------------------------------------------------------


@pytest.mark.timeout(20)
def test_a_bomb_is_refused_before_it_is_inflated(load):
    with pytest.raises(LoadError) as caught:
        load({"a.xhtml": b"<p>" + b"x" * 100_000_000})
    assert caught.value.reason == "too large"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["<div>", "<navPoint>", "<item id='a' href='b'/>", "<!--"])
def test_hostile_packages_take_little_time(load, piece):
    hostile = piece * 200_000
    item = "<item id='ncx' href='toc.ncx' media-type='application/x-dtbncx+xml'/>"
    sections, _ = load(
        {"a.xhtml": "text" + hostile},
        manifest=item,
        metadata=hostile if "item" not in piece and "!" not in piece else "",
        extra={"OEBPS/toc.ncx": f"<navMap>{hostile}", "META-INF/encryption.xml": hostile},
    )
    assert sections[0].text == "text"


def test_entities_are_not_expanded(load):
    laughs = "<!DOCTYPE p [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><p>&b; text"
    outside = "<!DOCTYPE package [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
    sections, _ = load({"a.xhtml": laughs}, metadata=f"{outside}<dc:title>&x;</dc:title>")
    text = "\n".join(section.text for section in sections)
    assert "root:" not in text
    assert "haha" not in text


def test_chapters_outside_the_book_are_not_read(load, tmp_path):
    (tmp_path / "secret.xhtml").write_text("secret")
    manifest = "<item id='s' href='../../secret.xhtml' media-type='application/xhtml+xml'/>"
    spine = "<itemref idref='p0'/><itemref idref='s'/>"
    sections, notices = load({"a.xhtml": "text"}, manifest=manifest, spine=spine)
    assert [section.text for section in sections] == ["text"]
    assert notices[0].code == "part-failed"


def test_a_cancel_stops_it(write_epub, tmp_path):
    path = write_epub(tmp_path / "a.epub", {"a.xhtml": "text"})
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        list(EpubLoader({}).load(LoadRequest(path, path.name), cancel))
