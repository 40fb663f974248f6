"""Damaged packages are read as far as a person could read them, and it is told."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import docx
import pytest

from inglenook.errors import LOAD_REASONS, LoadError
from inglenook.types import CancelToken, LoadRequest
from inglenook_office.docx_loader import DocxLoader
from inglenook_office.odf_loader import OdfLoader
from inglenook_office.pptx_loader import PptxLoader
from inglenook_office.rtf_loader import RtfLoader
from inglenook_office.xlsx_loader import XlsxLoader

CORPUS = Path(__file__).parents[2] / "data" / "corpus"
WHOLE = (
    (DocxLoader, "docling/docx/word_tables.docx"),
    (PptxLoader, "docling/pptx/powerpoint_sample.pptx"),
    (XlsxLoader, "docling/xlsx/xlsx_06_edge_cases_.xlsx"),
    (OdfLoader, "docling/odf/text_document_01.odt"),
    (RtfLoader, "tika/testRTFJapanese.rtf"),
)


@pytest.fixture
def story(tmp_path):
    """A document whose paragraphs are many and all different."""
    document = docx.Document()
    numbers = random.Random(7)
    for number in range(3_000):
        document.add_paragraph(f"{number} {numbers.getrandbits(256):x}")
    document.save(tmp_path / "story.docx")
    return tmp_path / "story.docx"


def without(path, *names):
    """The bytes of a zip file without some of its members."""
    data = io.BytesIO()
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            if name not in names:
                after.writestr(name, before.read(name))
    return data.getvalue()


def test_of_a_file_that_is_cut_off_the_beginning_is_read(load, story):
    data = story.read_bytes()
    story.write_bytes(data[: len(data) * 2 // 3])
    found = load(DocxLoader, story)
    assert found.lines[0].startswith("0 ")
    assert 100 < len(found.lines) < 3_000
    assert set(found.codes) == {"partly-damaged"}


def test_a_file_without_its_index_is_read_whole(load, story):
    data = story.read_bytes()
    story.write_bytes(data[: data.rindex(b"PK\x01\x02", 0, data.index(b"PK\x01\x02") + 4)])
    found = load(DocxLoader, story)
    assert len(found.lines) == 3_000


def test_a_streamed_file_without_its_index_is_read_too(load, tmp_path):
    class Pipe(io.RawIOBase):
        """Cannot go back, so that sizes follow the members."""

        data = b""

        def writable(self):
            return True

        def write(self, data):
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    main = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    text = f'<w:document xmlns:w="{main}"><w:p><w:r><w:t>kept</w:t></w:r></w:p></w:document>'
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("other.xml", "<other/>" * 1_000)
        archive.writestr("word/document.xml", text)
    path = tmp_path / "piped.docx"
    path.write_bytes(pipe.data[: pipe.data.index(b"PK\x01\x02")])
    assert load(DocxLoader, path).text == "kept"


def test_flipped_bytes_in_the_text_cost_only_what_stands_behind_them(load, story):
    data = bytearray(story.read_bytes())
    with zipfile.ZipFile(story) as archive:
        member = archive.getinfo("word/document.xml")
    middle = member.header_offset + 60 + member.compress_size // 2
    data[middle : middle + 40] = bytes(40)
    story.write_bytes(data)
    found = load(DocxLoader, story)
    assert len(found.lines) > 500
    assert "partly-damaged" in found.codes


@pytest.mark.parametrize(
    "missing", ["word/styles.xml", "word/_rels/document.xml.rels", "_rels/.rels"]
)
def test_missing_parts_do_not_cost_the_text(load, story, missing):
    story.write_bytes(without(story, missing))
    assert len(load(DocxLoader, story).lines) == 3_000


def test_a_missing_main_part_is_broken(load, story):
    story.write_bytes(without(story, "word/document.xml"))
    with pytest.raises(LoadError, match=r"story\.docx") as caught:
        load(DocxLoader, story)
    assert caught.value.reason == "broken"
    assert caught.value.hint


def test_the_real_truncated_document_says_what_to_do(load):
    with pytest.raises(LoadError, match="cut off") as caught:
        load(DocxLoader, CORPUS / "tika" / "testWORD_truncated.docx")
    assert caught.value.reason == "broken"
    assert "repair" in caught.value.hint


def test_a_reference_to_a_slide_layout_that_is_not_there_does_not_matter(load):
    found = load(PptxLoader, CORPUS / "unstructured" / "fake-power-point-malformed.pptx")
    assert found.sections[0].headings == ("Test Slide",)
    assert "Problem Date Placeholder" in found.text


@pytest.mark.parametrize(("loader", "path"), WHOLE, ids=[path for _, path in WHOLE])
def test_any_damage_ends_in_a_reading_or_in_one_refusal(tmp_path, loader, path):
    """Cut and spoil real files in a hundred ways."""
    good = (CORPUS / path).read_bytes()
    numbers = random.Random(path)
    spoilt = tmp_path / f"spoilt{Path(path).suffix}"
    for number in range(100):
        data = bytearray(good)
        if number % 2:
            del data[numbers.randrange(len(data)) :]
        else:
            for _ in range(numbers.choice((1, 10, 200))):
                data[numbers.randrange(len(data))] = numbers.randrange(256)
        spoilt.write_bytes(data)
        error = refusal(loader({}), spoilt)
        assert error is None or (error.reason in LOAD_REASONS and error.message)


def refusal(loader, path):
    """What the loader raises, if that is a `LoadError`; None if it reads the file."""
    try:
        for _ in loader.load(LoadRequest(path, path.name), CancelToken()):
            pass
    except LoadError as error:
        return error
    return None
