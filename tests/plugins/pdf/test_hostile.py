"""PDF files made to do harm: each costs one refusal or is read, in seconds."""

from __future__ import annotations

import subprocess
import sys
import time
import zlib

import pytest

from inglenook.errors import LOAD_REASONS, LoadError
from inglenook.testing.loader import read
from inglenook_pdf.pypdf_loader import PdfLoader
from inglenook_pdf.pypdfium2_loader import PdfiumLoader

SECONDS = 20
"""On a busy machine; alone each takes less than two."""

both = pytest.mark.parametrize("loader", [PdfiumLoader, PdfLoader])


def blanks(size_bytes):
    packer = zlib.compressobj(9)
    pieces = [packer.compress(b" " * 1_000_000) for _ in range(size_bytes // 1_000_000)]
    return b"".join([*pieces, packer.flush()])


def refusal(loader, path):
    started = time.monotonic()
    with pytest.raises(LoadError, match=path.name.replace(".", r"\.")) as caught:
        read(loader({}), path)
    assert time.monotonic() - started < SECONDS
    assert caught.value.reason in LOAD_REASONS
    return caught.value.reason


@both
@pytest.mark.parametrize(
    ("megabytes", "layers"), [(250, 1), (400, 2)], ids=["flate", "flate in flate"]
)
def test_a_stream_that_inflates_without_measure_is_refused_unread(
    tmp_path, pdf_by_hand, page_objects, loader, megabytes, layers
):
    content = blanks(megabytes * 1_000_000)
    for _ in range(layers - 1):
        content = zlib.compress(content, 9)
    filters = b"[%s]" % (b"/FlateDecode" * layers)
    path = pdf_by_hand(tmp_path / "bomb.pdf", page_objects(content, filters))
    assert refusal(loader, path) == "too large"


@both
def test_a_large_attachment_that_inflates_without_measure_is_refused(
    tmp_path, pdf_by_hand, pdf_stream, page_objects, loader
):
    names = b"/Names<</EmbeddedFiles<</Names[(a.txt) 6 0 R]>>>>"
    objects = [
        *page_objects(extra=names),
        b"<</Type/Filespec/F(a.txt)/EF<</F 7 0 R>>>>",
        pdf_stream(blanks(200_000_000)),
    ]
    assert refusal(loader, pdf_by_hand(tmp_path / "bomb.pdf", objects)) == "too large"


def test_more_text_than_allowed_is_refused_before_it_is_taken_apart(
    tmp_path, pdf_by_hand, page_objects
):
    lines = b"".join(b"1 0 0 1 50 %d Tm (line %d) Tj " % (y % 800, y) for y in range(20_000))
    content = zlib.compress(b"BT /F1 9 Tf " + lines + b"ET")
    path = pdf_by_hand(tmp_path / "long.pdf", page_objects(content))
    with pytest.raises(LoadError, match="more than 1,000 characters") as caught:
        read(PdfiumLoader({}), path, max_characters=1_000)
    assert caught.value.reason == "too large"


@both
def test_a_page_tree_that_goes_round_in_circles_is_broken(tmp_path, pdf_by_hand, loader):
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 5>>",
        b"<</Type/Pages/Kids[2 0 R]/Count 5/Parent 2 0 R>>",
    ]
    assert refusal(loader, pdf_by_hand(tmp_path / "circle.pdf", objects)) == "broken"


@both
def test_an_outline_that_goes_round_in_circles_costs_nothing_but_headings(
    tmp_path, pdf_by_hand, page_objects, loader
):
    objects = [
        *page_objects(extra=b"/Outlines 6 0 R"),
        b"<</First 7 0 R/Last 8 0 R/Count 2>>",
        b"<</Title(A)/Parent 6 0 R/Next 8 0 R/First 6 0 R/Dest[3 0 R/Fit]>>",
        b"<</Title(B)/Parent 6 0 R/Next 7 0 R/Dest[3 0 R/Fit]>>",
    ]
    sections, _ = read(loader({}), pdf_by_hand(tmp_path / "circle.pdf", objects))
    assert [section.text for section in sections] == ["Hello words"]


@both
@pytest.mark.parametrize(("entries", "link"), [(30_000, b"/Next"), (3_000, b"/First")])
def test_long_and_deep_outlines_cost_nothing_but_headings(
    tmp_path, pdf_by_hand, page_objects, loader, entries, link
):
    def entry(number):
        more = b"%s %d 0 R" % (link, number + 8) if number + 1 < entries else b""
        return b"<</Title(T%d)/Parent 6 0 R/Dest[3 0 R/Fit]%s>>" % (number, more)

    objects = [
        *page_objects(extra=b"/Outlines 6 0 R"),
        b"<</First 7 0 R/Last %d 0 R/Count %d>>" % (entries + 6, entries),
        *map(entry, range(entries)),
    ]
    started = time.monotonic()
    sections, _ = read(loader({}), pdf_by_hand(tmp_path / "outline.pdf", objects))
    assert [section.text for section in sections] == ["Hello words"]
    assert time.monotonic() - started < SECONDS


@pytest.mark.parametrize(("count", "reason"), [(200_000, "too large"), (90_000, "")])
def test_pages_that_are_only_counted_are_not_waited_for(
    tmp_path, pdf_by_hand, page_objects, count, reason
):
    objects = page_objects()
    objects[1] = b"<</Type/Pages/Kids[3 0 R]/Count %d>>" % count
    path = pdf_by_hand(tmp_path / "count.pdf", objects)
    if reason:
        assert refusal(PdfiumLoader, path) == reason
        return
    sections, notices = read(PdfiumLoader({}), path)
    assert [section.text for section in sections] == ["Hello words"]
    assert len(notices) == 101
    assert notices[-1].message == "89,899 more pages could not be read"


@both
def test_a_page_listed_200_000_times_is_refused(tmp_path, pdf_by_hand, page_objects, loader):
    objects = page_objects()
    objects[1] = b"<</Type/Pages/Kids[%s]/Count 200000>>" % (b"3 0 R " * 200_000)
    assert refusal(loader, pdf_by_hand(tmp_path / "kids.pdf", objects)) in ("too large", "broken")


@both
@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.7\n", bytes(range(256)) * 400, b"PK\x03\x04" + b"\0" * 5_000]
)
def test_what_is_no_pdf_is_broken(tmp_path, loader, content):
    path = tmp_path / "other.pdf"
    path.write_bytes(content)
    assert refusal(loader, path) == "broken"


def test_forms_that_draw_each_other_end_the_process_or_the_page(
    tmp_path, pdf_by_hand, pdf_stream, page_objects
):
    """PDFium has no limit of its own; the worker's memory limit is one, and pypdf comes next."""
    objects = page_objects(zlib.compress(b"/X Do"))
    objects[2] = objects[2].replace(b"<</Font", b"<</XObject<</X 6 0 R>>/Font")
    for number in range(9):
        last = number == 8
        content = b"BT /F1 9 Tf (ha) Tj ET" if last else b"/X Do " * 10
        uses = b"/Font<</F1 5 0 R>>" if last else b"/XObject<</X %d 0 R>>" % (number + 7)
        objects.append(
            b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<<%s>>/Length %d>>\n"
            b"stream\n%s\nendstream" % (uses, len(content), content)
        )
    path = pdf_by_hand(tmp_path / "laughs.pdf", objects)
    program = (
        f"import resource, sys; sys.path[:] = {sys.path!r}\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1_000_000_000,) * 2)\n"
        "from pathlib import Path\n"
        "from inglenook.testing.loader import read\n"
        "from inglenook_pdf.pypdfium2_loader import PdfiumLoader\n"
        "read(PdfiumLoader({}), Path(sys.argv[1]))"
    )
    child = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        check=False,
        timeout=SECONDS,
    )
    assert child.returncode != 0
    sections, _ = read(PdfLoader({}), path)
    assert sections[0].text.startswith("ha")
