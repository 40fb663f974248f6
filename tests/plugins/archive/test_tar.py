"""The loader `tar` on good, odd and hostile archives and compressed files."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import sys
import tarfile
import time
import tracemalloc
import zlib

import pytest

from inglenook.errors import Cancelled, LoadError
from inglenook.testing.loader import LoaderKit
from inglenook.types import CancelToken, LoadRequest
from inglenook_archive.tar_loader import TarLoader

HEBREW = "דוחות/רבעון ראשון.txt"
MEMBERS = [("rules.txt", b"Be kind."), ("a/b/visitors.txt", b"Visitors sign in.")]


def write_tar(path, members, mode="w:", format=tarfile.PAX_FORMAT):
    """Write a tar; `members` are pairs of a name or `TarInfo` and bytes."""
    with tarfile.open(path, mode, format=format) as archive:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if info.isreg():
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def member(name, type=tarfile.REGTYPE, size=0, linkname=""):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = type, size, linkname
    return info


def header(info, format=tarfile.GNU_FORMAT):
    return info.tobuf(format)


class TestTarLoader(LoaderKit):
    @pytest.fixture
    def loader(self, with_texts):
        return with_texts(TarLoader({}))

    @pytest.fixture
    def sample(self, tmp_path):
        return write_tar(tmp_path / "rules.tar", MEMBERS)

    @pytest.fixture
    def expected(self):
        return ("Be kind.", "Visitors sign in.")


class TestOneCompressedFile(LoaderKit):
    @pytest.fixture
    def loader(self, with_texts):
        return with_texts(TarLoader({}))

    @pytest.fixture
    def sample(self, tmp_path):
        path = tmp_path / "rules.txt.xz"
        path.write_bytes(lzma.compress(b"Be kind.\nVisitors sign in."))
        return path

    @pytest.fixture
    def expected(self):
        return ("Be kind.", "Visitors sign in.")


@pytest.fixture
def loader():
    return TarLoader({})


@pytest.fixture
def load(loader, tmp_path, parts_of):
    def load(name, content, **limits):
        path = tmp_path / name
        path.write_bytes(content)
        return parts_of(loader, path, **limits)

    return load


# --- what it is, the bytes decide ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.tar", "w:"), ("a.tgz", "w:gz"), ("a.tar.gz", "w:gz"), ("a.gz", "w:gz"),
        ("a.tbz2", "w:bz2"), ("a.tar.bz2", "w:bz2"), ("a.txz", "w:xz"), ("a.tar.xz", "w:xz"),
        ("misnamed.tar", "w:gz"), ("misnamed.tgz", "w:"),
    ],
)  # fmt: skip
def test_an_archive_is_read_whatever_it_is_called(loader, tmp_path, parts_of, name, mode):
    assert parts_of(loader, write_tar(tmp_path / name, MEMBERS, mode)) == (dict(MEMBERS), [])


@pytest.mark.parametrize(
    ("name", "compress", "inside"),
    [
        ("notes.txt.gz", gzip.compress, "notes.txt"),
        ("notes.md.bz2", bz2.compress, "notes.md"),
        ("notes.csv.xz", lzma.compress, "notes.csv"),
        ("folder/notes.tgz", gzip.compress, "notes"),
    ],
)
def test_one_compressed_file_keeps_its_name_without_the_last_extension(
    tmp_path, loader, name, compress, inside
):
    path = tmp_path / "bytes"
    path.write_bytes(compress(b"Some notes."))
    [part] = loader.load(LoadRequest(path, name), CancelToken())
    assert (part.name, part.data) == (inside, b"Some notes.")


@pytest.mark.parametrize(
    ("outer", "kept", "name"),
    [
        ("notes.gz", "report.txt", "report.txt"),
        ("notes.gz", "../report.txt", "notes"),
        ("notes.gz", "", "notes"),
        ("notes.csv.gz", "report.txt", "notes.csv"),
    ],
)
def test_a_gzip_file_may_tell_its_name_where_it_is_a_safe_one(load, outer, kept, name):
    content = io.BytesIO()
    with gzip.GzipFile(kept, "wb", fileobj=content) as file:
        file.write(b"x")
    raw = content.getvalue()
    if kept.startswith(".."):
        raw = raw.replace(b"report.txt\0", b"../report.txt\0")
        assert b"../report.txt" in raw
    parts, _ = load(outer, raw)
    assert list(parts) == [name]


def test_a_file_of_several_compressed_pieces_is_read_whole(load):
    for compress in (gzip.compress, bz2.compress, lzma.compress):
        parts, _ = load("a.txt.gz", compress(b"one ") + compress(b"two") + bytes(512))
        assert parts == {"a.txt": b"one two"}


def test_a_file_that_is_neither_is_broken(load):
    with pytest.raises(LoadError, match="neither a tar archive nor compressed") as caught:
        load("a.gz", b"just text")
    assert caught.value.reason == "broken"


# --- members -------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_hebrew_names_are_read(loader, tmp_path, parts_of, format):
    names = ["folder/" * 40 + "long.txt", HEBREW, "./dot.txt"]
    path = write_tar(tmp_path / "a.tar", [(name, b"x") for name in names], format=format)
    assert list(parts_of(loader, path)[0]) == [*names[:2], "dot.txt"]


def test_a_name_in_an_old_hebrew_encoding_is_read(load):
    info = member("x" * 10, size=0)
    block = header(info).replace(b"x" * 10, "שלום.txtxx".encode("cp1255"))
    block = _with_checksum(block.replace(b"txtxx", b"txt\0\0"))
    parts, _ = load("a.tar", block + bytes(1024))
    assert list(parts) == ["שלום.txt"]


def test_links_devices_and_names_that_lead_out_are_left_out_and_told(loader, tmp_path, parts_of):
    members = [
        ("good.txt", b"x"),
        (member("sym", tarfile.SYMTYPE, linkname="/etc/passwd"), b""),
        (member("hard", tarfile.LNKTYPE, linkname="good.txt"), b""),
        (member("pipe", tarfile.FIFOTYPE), b""),
        (member("device", tarfile.BLKTYPE), b""),
        ("../up.txt", b"bad"),
        ("/etc/passwd", b"bad"),
        (member("folder", tarfile.DIRTYPE), b""),
        ("._good.txt", b"resource fork"),
    ]
    parts, notices = parts_of(loader, write_tar(tmp_path / "a.tar", members))
    assert list(parts) == ["good.txt"]
    leads_out = "member(s) with a name that leads out of the archive"
    assert notices == [
        "left-out: 2 link(s) left out: sym, hard",
        "left-out: 2 device(s) or pipe(s) left out: pipe, device",
        f"left-out: 2 {leads_out} left out: ../up.txt, /etc/passwd",
    ]


def test_a_file_that_was_added_again_is_a_part_of_its_own(loader, tmp_path, parts_of):
    path = write_tar(tmp_path / "a.tar", [("a/b.txt", b"old"), ("a/b.txt", b"new")])
    assert parts_of(loader, path)[0] == {"a/b.txt": b"old", "a/b (2).txt": b"new"}


@pytest.mark.parametrize("format", ["gnu", "pax"])
def test_a_sparse_file_is_told_and_the_others_go_on(load, format):
    if format == "gnu":
        info = member("holes.img", tarfile.GNUTYPE_SPARSE, 512)
        block = bytearray(header(info))
        block[482] = 1  # an extension block follows
        first = _with_checksum(bytes(block)) + bytes(504) + b"\x01" + bytes(7) + bytes(512)
    else:
        info = member("holes.img", size=512)
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0",
                            "GNU.sparse.realsize": str(10**15)}  # fmt: skip
        first = info.tobuf(tarfile.PAX_FORMAT)
    content = first + b"x" * 512 + header(member("a.txt", size=1)) + b"a" + bytes(511 + 1024)
    parts, notices = load("a.tar", content)
    assert parts == {"a.txt": b"a"}
    assert notices == ["part-failed: holes.img: unsupported: it is stored as a sparse file"]


def test_an_archive_without_files_says_so(load):
    with pytest.raises(LoadError, match="holds no files"):
        load("a.tar", bytes(10240))


# --- damage --------------------------------------------------------------------------------------


def test_what_stands_before_the_damage_is_read_and_the_damage_told(load):
    content = header(member("a.txt", size=1)) + b"a" + bytes(511) + header(member("b.txt", size=99))
    parts, notices = load("cut.tar", content + b"too short")
    assert parts == {"a.txt": b"a"}
    assert notices == ["part-failed: cut.tar: broken: it ends early"]


def test_a_damaged_header_is_passed_over_and_told(load):
    content = header(member("a.txt", size=1)) + b"a" + bytes(511) + b"?" * 512
    parts, notices = load("a.tar", content + header(member("b.txt", size=1)) + b"b" + bytes(2000))
    assert parts == {"a.txt": b"a", "b.txt": b"b"}
    assert notices == ["part-failed: a.tar: broken: parts of it are damaged and were passed over"]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("harm", ["cut", "changed"])
def test_a_damaged_compressed_file_is_broken(load, compress, harm):
    content = bytearray(compress(random.Random(1).randbytes(5000)))
    content = content[:-200] if harm == "cut" else content[:2000] + bytes(100) + content[2100:]
    with pytest.raises(LoadError) as caught:
        load("a.txt.gz", bytes(content))
    assert caught.value.reason == "broken"


def test_a_damaged_compressed_archive_gives_what_stands_before(load, tmp_path):
    noise = random.Random(1).randbytes(300_000)
    path = write_tar(tmp_path / "whole.tgz", [("a.txt", b"a"), ("b.bin", noise)], "w:gz")
    parts, notices = load("cut.tgz", path.read_bytes()[:100_000])
    assert parts == {"a.txt": b"a"}
    assert notices == ["part-failed: cut.tgz: broken: it ends early"]


# --- hostile -------------------------------------------------------------------------------------


@pytest.mark.timeout(30)
@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("inside", ["zeros", "tar"])
def test_a_bomb_of_a_gigabyte_is_refused_quickly_in_little_memory(load, compress, inside):
    first = b"" if inside == "zeros" else header(member("zeros", size=1 << 30))
    piece = compress(bytes(128 << 20))
    content = compress(first) + piece * 8
    tracemalloc.start()
    begin = time.monotonic()
    with pytest.raises(LoadError) as caught:
        load("bomb.gz", content)
    seconds = time.monotonic() - begin
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.reason == "too large"
    assert seconds < 3
    assert peak < 100_000_000


def test_more_bytes_than_allowed_are_refused_while_they_come_out(load):
    with pytest.raises(LoadError, match="more than 1,000 bytes") as caught:
        load("a.gz", gzip.compress(os.urandom(2000)), max_inflated_bytes=1000)
    assert caught.value.reason == "too large"


@pytest.mark.parametrize("size", [300_000_000, 8 << 60])
def test_a_member_that_claims_to_be_huge_is_not_read(load, size):
    content = header(member("a.txt", size=1)) + b"a" + bytes(511) + header(member("big", size=size))
    tracemalloc.start()
    parts, notices = load("a.tar", content + bytes(2048))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert parts == {"a.txt": b"a"}
    assert notices[0].startswith(f"part-failed: big: too large: {size:,} bytes")
    assert notices[1] == "part-failed: a.tar: broken: it ends early"
    assert peak < 10_000_000


@pytest.mark.parametrize("type", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_name_that_claims_to_be_huge_is_not_read(load, type):
    with pytest.raises(LoadError, match="the name of a member claims") as caught:
        load("a.tgz", gzip.compress(header(member("x", type, 400_000_000)) + os.urandom(5000)))
    assert caught.value.reason == "broken"


@pytest.mark.timeout(20)
def test_a_long_chain_of_extended_headers_is_read_without_recursion(load):
    record = b"12 path=a.t\n"
    link = header(member("x", tarfile.XHDTYPE, len(record))) + record.ljust(512, b"\0")
    assert 20_000 > sys.getrecursionlimit()
    parts, _ = load("a.tar", link * 20_000 + header(member("b", size=1)) + b"b" + bytes(1535))
    assert parts == {"a.t": b"b"}


@pytest.mark.timeout(20)
def test_a_header_chain_without_end_is_broken(load):
    record = b"0 path=a.t\n"
    content = header(member("x", tarfile.XHDTYPE, len(record))) + record.ljust(512, b"\0")
    with pytest.raises(LoadError, match="makes no sense"):
        load("a.tar", content + bytes(1024))


def test_too_many_members_are_refused(loader, tmp_path, parts_of):
    path = write_tar(tmp_path / "a.tar", [(f"{number}.txt", b"") for number in range(11)])
    with pytest.raises(LoadError, match="more than 10 members") as caught:
        parts_of(loader, path, max_members=10)
    assert caught.value.reason == "too large"


@pytest.mark.timeout(20)
def test_a_file_of_endless_empty_pieces_is_refused(load):
    with pytest.raises(LoadError, match="more than 10,000 compressed pieces") as caught:
        load("a.gz", gzip.compress(b"") * 200_000)
    assert caught.value.reason == "too large"


def test_a_file_that_asks_for_gigabytes_of_memory_is_refused(load):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 4096}]
    content = bytearray(lzma.compress(b"x" * 100, filters=filters))
    # The dictionary size is the one byte of the filter's properties (xz format 1.2.1, 5.3.1).
    place = content.index(b"\x21\x01") + 2
    content[place] = 40
    content[20:24] = zlib.crc32(content[12:20]).to_bytes(4, "little")
    with pytest.raises(LoadError, match="MiB of memory") as caught:
        load("a.xz", bytes(content))
    assert caught.value.reason == "too large"


def test_a_cancel_between_members_stops_it(loader, tmp_path):
    path = write_tar(tmp_path / "a.tar", [("a", b"1"), ("b", bytes(200_000))])
    cancel = CancelToken()
    parts = loader.load(LoadRequest(path, path.name), cancel)
    next(parts)
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(parts)


def _with_checksum(block):
    blank = block[:148] + b" " * 8 + block[156:512]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:] + block[512:]
