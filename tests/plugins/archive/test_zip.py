"""The loader `zip` on good, odd and hostile archives."""

from __future__ import annotations

import stat
import struct
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest

from inglenook.errors import Cancelled, LoadError
from inglenook.testing.loader import LoaderKit
from inglenook.types import CancelToken, LoadRequest
from inglenook_archive.zip_loader import ZipLoader

CORPUS = Path(__file__).parents[2] / "data" / "corpus"
HEBREW = "דוחות/רבעון ראשון.txt"


def write_zip(path, members, compression=zipfile.ZIP_DEFLATED):
    """Write a zip; `members` are pairs of a name or `ZipInfo` and bytes."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


class RawZip:
    """Writes the structures of a zip by hand, so that they can lie (APPNOTE 6.3.10)."""

    def __init__(self):
        self._body = b""
        self._directory = b""
        self._count = 0

    def add(self, name, packed, *, size=None, crc=0, method=0, flags=0, claimed=None, offset=None):
        """Add a member; `offset` points its directory entry at another member's bytes."""
        size = len(packed) if size is None else size
        claimed = len(packed) if claimed is None else claimed
        shared = (20, flags, method, 0, 0x21, crc, claimed, size, len(name), 0)
        if offset is None:
            offset = len(self._body)
            self._body += struct.pack("<4s5H3L2H", b"PK\x03\x04", *shared) + name + packed
        self._directory += (
            struct.pack("<4sH", b"PK\x01\x02", 20)
            + struct.pack("<5H3L2H", *shared)
            + struct.pack("<3H2L", 0, 0, 0, 0, offset)
            + name
        )
        self._count += 1
        return self

    def write(self, path):
        end = struct.pack(
            "<4s4H2LH", b"PK\x05\x06", 0, 0, self._count, self._count,
            len(self._directory), len(self._body), 0,
        )  # fmt: skip
        path.write_bytes(self._body + self._directory + end)
        return path


def zip_crypto(data, password):
    """Encrypt with the traditional cipher of zip (APPNOTE 6.3.10, section 6.1)."""
    table = [_crc_table_entry(byte) for byte in range(256)]
    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(byte):
        keys[0] = (keys[0] >> 8) ^ table[(keys[0] ^ byte) & 0xFF]
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = (keys[2] >> 8) ^ table[(keys[2] ^ (keys[1] >> 24)) & 0xFF]

    def encrypt(byte):
        mask = keys[2] | 2
        update(byte)
        return byte ^ (((mask * (mask ^ 1)) >> 8) & 0xFF)

    for byte in password:
        update(byte)
    header = bytes(11) + bytes([zlib.crc32(data) >> 24])
    return bytes(encrypt(byte) for byte in header + data)


def _crc_table_entry(byte):
    for _ in range(8):
        byte = (byte >> 1) ^ (0xEDB88320 if byte & 1 else 0)
    return byte


def encrypted_zip(path, members, password):
    raw = RawZip()
    for name, data in members:
        raw.add(
            name.encode(), zip_crypto(data, password), size=len(data), crc=zlib.crc32(data), flags=1
        )
    return raw.write(path)


class TestZipLoader(LoaderKit):
    @pytest.fixture
    def loader(self, with_texts):
        return with_texts(ZipLoader({}))

    @pytest.fixture
    def sample(self, tmp_path):
        members = [("rules.txt", b"Be kind."), ("a/b/visitors.txt", b"Visitors sign in.")]
        return write_zip(tmp_path / "rules.zip", members)

    @pytest.fixture
    def expected(self):
        return ("Be kind.", "Visitors sign in.")


@pytest.fixture
def loader():
    return ZipLoader({})


# --- what is a part ------------------------------------------------------------------------------


def test_files_are_parts_in_order_with_their_folders_and_bytes(loader, tmp_path, parts_of):
    members = [("b/two.txt", b"2"), ("one.bin", bytes(range(256))), ("b/", b"")]
    parts, notices = parts_of(loader, write_zip(tmp_path / "a.zip", members))
    assert list(parts.items()) == [("b/two.txt", b"2"), ("one.bin", bytes(range(256)))]
    assert notices == []


def test_an_empty_file_is_a_part_so_that_it_can_be_told(loader, tmp_path, parts_of):
    parts, _ = parts_of(loader, write_zip(tmp_path / "a.zip", [("empty.txt", b"")]))
    assert parts == {"empty.txt": b""}


def test_what_systems_leave_behind_is_no_part(loader, tmp_path, parts_of):
    names = ["a.txt", "__MACOSX/._a.txt", ".DS_Store", "x/Thumbs.db", "x/desktop.ini", "x/._b"]
    parts, notices = parts_of(
        loader, write_zip(tmp_path / "a.zip", [(name, b"x") for name in names])
    )
    assert list(parts) == ["a.txt"]
    assert notices == []


def test_files_of_version_control_are_left_out_and_told(loader, tmp_path, parts_of):
    members = [
        ("a.txt", b"x"),
        ("p/.git/config", b"x"),
        ("p/.git/HEAD", b"x"),
        (".gitignore", b"x"),
    ]
    parts, notices = parts_of(loader, write_zip(tmp_path / "a.zip", members))
    assert list(parts) == ["a.txt", ".gitignore"]
    assert notices == [
        "left-out: 2 file(s) of a version control system left out: p/.git/config, p/.git/HEAD"
    ]


@pytest.mark.parametrize(
    "name",
    ["../up.txt", "a/../../up.txt", "/etc/passwd", "C:/a.txt", "..\\up.txt", "\\\\host\\a.txt"],
)
def test_a_name_that_leads_out_is_left_out_and_told(loader, tmp_path, parts_of, name):
    raw = RawZip().add(name.encode(), b"bad", crc=zlib.crc32(b"bad"))
    raw.add(b"good.txt", b"good", crc=zlib.crc32(b"good"))
    parts, notices = parts_of(loader, raw.write(tmp_path / "a.zip"))
    assert list(parts) == ["good.txt"]
    assert notices[0].startswith("left-out: 1 member(s) with a name that leads out of the archive")


def test_a_name_with_nul_is_left_out(loader, tmp_path, parts_of):
    raw = RawZip().add(b"a.txt\0.exe", b"bad", crc=zlib.crc32(b"bad"))
    raw.add(b"good.txt", b"good", crc=zlib.crc32(b"good"))
    parts, notices = parts_of(loader, raw.write(tmp_path / "a.zip"))
    assert list(parts) == ["good.txt"]
    assert "a.txt\ufffd.exe" in notices[0]


def test_links_and_pipes_are_left_out_with_a_notice_each(loader, tmp_path, parts_of):
    members = [("good.txt", b"x")]
    for name, kind in (("link", stat.S_IFLNK), ("pipe", stat.S_IFIFO), ("device", stat.S_IFBLK)):
        info = zipfile.ZipInfo(name)
        info.external_attr = (kind | 0o777) << 16
        members.append((info, b"/etc/passwd"))
    parts, notices = parts_of(loader, write_zip(tmp_path / "a.zip", members))
    assert list(parts) == ["good.txt"]
    assert notices == [
        "left-out: 1 link(s) left out: link",
        "left-out: 2 device(s) or pipe(s) left out: pipe, device",
    ]


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "cp862", "cp1255"])
def test_hebrew_names_are_read_in_each_encoding_that_packers_write(
    loader, tmp_path, parts_of, encoding
):
    raw = RawZip().add(HEBREW.encode(encoding), b"x", crc=zlib.crc32(b"x"))
    parts, _ = parts_of(loader, raw.write(tmp_path / "a.zip"))
    assert list(parts) == [HEBREW]


@pytest.mark.parametrize(
    ("name", "encoding"), [("résumé à Zürich.txt", "cp437"), ("Договор аренды.txt", "cp866")]
)
def test_other_old_names_are_read(loader, tmp_path, parts_of, name, encoding):
    raw = RawZip().add(name.encode(encoding), b"x", crc=zlib.crc32(b"x"))
    parts, _ = parts_of(loader, raw.write(tmp_path / "a.zip"))
    assert list(parts) == [name]


def test_the_unicode_name_in_an_extra_field_wins(loader, tmp_path, parts_of):
    info = zipfile.ZipInfo("plain.txt")
    name = HEBREW.encode()
    field = struct.pack("<BL", 1, zlib.crc32(b"plain.txt")) + name
    info.extra = struct.pack("<HH", 0x7075, len(field)) + field
    parts, _ = parts_of(loader, write_zip(tmp_path / "a.zip", [(info, b"x")]))
    assert list(parts) == [HEBREW]


def test_backslashes_part_folders(loader, tmp_path, parts_of):
    raw = RawZip().add(b"folder\\a.txt", b"x", crc=zlib.crc32(b"x"))
    parts, _ = parts_of(loader, raw.write(tmp_path / "a.zip"))
    assert list(parts) == ["folder/a.txt"]


# --- passwords -----------------------------------------------------------------------------------


def test_an_encrypted_archive_opens_with_its_password(loader, tmp_path, parts_of):
    path = encrypted_zip(tmp_path / "a.zip", [("a.txt", b"secret text")], b"open sesame")
    assert parts_of(loader, path, password="open sesame") == ({"a.txt": b"secret text"}, [])


@pytest.mark.parametrize(
    ("password", "message"), [(None, "a password"), ("no", "another password")]
)
def test_without_the_right_password_it_is_encrypted(loader, tmp_path, parts_of, password, message):
    members = [("a.txt", b"one"), ("b.txt", b"two")]
    path = encrypted_zip(tmp_path / "a.zip", members, b"open sesame")
    with pytest.raises(LoadError, match=f"all of its 2 .* need {message}") as caught:
        parts_of(loader, path, password=password)
    assert caught.value.reason == "encrypted"
    assert "open sesame" not in str(caught.value)


def test_one_encrypted_file_does_not_hide_the_others(loader, tmp_path, parts_of):
    raw = RawZip().add(b"open.txt", b"open", crc=zlib.crc32(b"open"))
    secret = zip_crypto(b"secret", b"pw")
    raw.add(b"secret.txt", secret, size=6, crc=zlib.crc32(b"secret"), flags=1)
    parts, notices = parts_of(loader, raw.write(tmp_path / "a.zip"))
    assert list(parts) == ["open.txt"]
    assert notices == ["part-failed: secret.txt: encrypted: it needs a password"]


def test_aes_is_told_as_what_it_is(loader, tmp_path, parts_of):
    raw = RawZip().add(b"a.txt", b"x" * 30, size=4, method=99, flags=1)
    with pytest.raises(LoadError) as caught:
        parts_of(loader, raw.write(tmp_path / "a.zip"), password="pw")
    assert caught.value.reason == "encrypted"
    assert "AES" in caught.value.hint


# --- damage --------------------------------------------------------------------------------------


def test_a_damaged_member_is_named_and_the_others_go_on(loader, tmp_path, parts_of):
    path = write_zip(
        tmp_path / "a.zip",
        [("bad.txt", b"to be damaged"), ("good.txt", b"good")],
        zipfile.ZIP_STORED,
    )
    path.write_bytes(path.read_bytes().replace(b"to be damaged", b"now damaged!!"))
    parts, notices = parts_of(loader, path)
    assert parts == {"good.txt": b"good"}
    assert notices == ["part-failed: bad.txt: broken: its bytes are damaged"]


def test_a_member_packed_in_an_unknown_way_is_unsupported(loader, tmp_path, parts_of):
    raw = RawZip().add(b"a.txt", b"xxx", method=93).add(b"b.txt", b"b", crc=zlib.crc32(b"b"))
    parts, notices = parts_of(loader, raw.write(tmp_path / "a.zip"))
    assert list(parts) == ["b.txt"]
    assert notices[0].startswith("part-failed: a.txt: unsupported: ")


def test_an_archive_of_which_nothing_can_be_read_is_broken(loader, tmp_path, parts_of):
    raw = RawZip().add(b"a.txt", b"xxx", crc=1).add(b"b.txt", b"yyy", crc=1)
    with pytest.raises(LoadError, match="none of its 2") as caught:
        parts_of(loader, raw.write(tmp_path / "a.zip"))
    assert caught.value.reason == "broken"


def test_an_archive_without_files_says_so(loader, tmp_path, parts_of):
    with pytest.raises(LoadError, match="holds no files"):
        parts_of(loader, write_zip(tmp_path / "a.zip", []))


def test_a_truncated_archive_is_broken(loader, tmp_path, parts_of):
    path = write_zip(tmp_path / "a.zip", [("a.txt", b"x" * 1000)])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(LoadError) as caught:
        parts_of(loader, path)
    assert caught.value.reason == "broken"


def test_a_real_corrupt_archive_is_broken(loader, parts_of):
    with pytest.raises(LoadError, match=r"testZIP_corrupted_oom\.zip is damaged") as caught:
        parts_of(loader, CORPUS / "tika" / "testZIP_corrupted_oom.zip")
    assert caught.value.reason == "broken"


# --- hostile -------------------------------------------------------------------------------------


@pytest.mark.timeout(20)
def test_a_bomb_is_refused_before_it_is_inflated(loader, tmp_path, parts_of):
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = b"".join(packed.compress(bytes(1 << 20)) for _ in range(300)) + packed.flush()
    raw = RawZip().add(b"zeros", zeros, size=300 << 20, crc=0, method=8)
    path = raw.write(tmp_path / "a.zip")
    tracemalloc.start()
    begin = time.monotonic()
    with pytest.raises(LoadError) as caught:
        parts_of(loader, path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.reason == "too large"
    assert time.monotonic() - begin < 3
    assert peak < 50_000_000


def test_a_bomb_of_bombs_is_opened_one_level_only(loader, tmp_path, parts_of):
    path = write_zip(tmp_path / "level0.zip", [("zeros", bytes(1_000_000))])
    for level in range(1, 6):
        inner = path.read_bytes()
        path = write_zip(
            tmp_path / f"level{level}.zip", [(f"{copy}.zip", inner) for copy in range(16)]
        )
    parts, _ = parts_of(loader, path)
    assert len(parts) == 16
    assert sum(map(len, parts.values())) < 1_000_000


def test_members_that_overlap_are_refused(loader, tmp_path, parts_of):
    packed = zlib.compress(bytes(10_000))[2:-4]
    raw = RawZip().add(b"a", packed, size=10_000, crc=zlib.crc32(bytes(10_000)), method=8)
    for number in range(100):
        name = f"{number}".encode()
        raw.add(name, packed, size=10_000, crc=zlib.crc32(bytes(10_000)), method=8, offset=0)
    with pytest.raises(LoadError, match="overlap") as caught:
        parts_of(loader, raw.write(tmp_path / "a.zip"))
    assert caught.value.reason == "broken"


def test_a_size_that_lies_low_gives_no_more_than_it_says(loader, tmp_path, parts_of):
    packed = zlib.compress(bytes(10_000_000))[2:-4]
    raw = RawZip().add(b"a", packed, size=10, crc=zlib.crc32(bytes(10)), method=8)
    raw.add(b"b", packed, size=10, crc=zlib.crc32(bytes(10_000_000)), method=8)
    parts, notices = parts_of(loader, raw.write(tmp_path / "a.zip"))
    assert parts == {"a": bytes(10)}
    assert notices == ["part-failed: b: broken: its bytes are damaged"]


def test_too_many_members_are_refused(loader, tmp_path, parts_of):
    path = write_zip(tmp_path / "a.zip", [(f"{n}.txt", b"x") for n in range(11)])
    with pytest.raises(LoadError, match="11 members; 10 are allowed") as caught:
        parts_of(loader, path, max_members=10)
    assert caught.value.reason == "too large"


def test_more_bytes_than_allowed_are_refused(loader, tmp_path, parts_of):
    path = write_zip(tmp_path / "a.zip", [("a", bytes(600)), ("b", bytes(600))])
    with pytest.raises(LoadError) as caught:
        parts_of(loader, path, max_inflated_bytes=1000)
    assert caught.value.reason == "too large"


def test_one_huge_member_is_told_and_the_others_go_on(loader, tmp_path, parts_of):
    raw = RawZip().add(b"huge.bin", b"x" * 2_000_000, size=300_000_000, method=8)
    raw.add(b"a.txt", b"a", crc=zlib.crc32(b"a"))
    parts, notices = parts_of(loader, raw.write(tmp_path / "a.zip"))
    assert list(parts) == ["a.txt"]
    assert notices == [
        "part-failed: huge.bin: too large: 300,000,000 bytes; at most 200,000,000 are read"
    ]


def test_a_cancel_between_members_stops_it(loader, tmp_path):
    path = write_zip(tmp_path / "a.zip", [("a", b"1"), ("b", b"2")])
    cancel = CancelToken()
    parts = loader.load(LoadRequest(path, path.name), cancel)
    next(parts)
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(parts)
