"""What the loader `xls` makes of binary workbooks, written here record by record."""

from __future__ import annotations

import struct
import zipfile

import pytest

from inglenook.errors import LoadError
from inglenook_office.xls_loader import XlsLoader
from inglenook_office.xlsx_loader import XlsxLoader

SECTOR = 512
END, FREE, FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
HIDDEN = 1


@pytest.fixture
def read(load):
    return lambda path, loader=XlsLoader, **request: load(loader, path, **request)


# --- .xls: BIFF8 in an OLE container ([MS-XLS], [MS-CFB]) ----------------------------------------


def record(kind, body=b""):
    return struct.pack("<HH", kind, len(body)) + body


def short_text(text):
    return struct.pack("<BB", len(text), 1) + text.encode("utf-16-le")


def biff_cell(row, column, value):
    if isinstance(value, str):
        body = struct.pack("<HHHHB", row, column, 0, len(value), 1) + value.encode("utf-16-le")
        return record(0x0204, body)
    return record(0x0203, struct.pack("<HHHd", row, column, 0, value))


def biff_workbook(sheets):
    """The stream `Workbook`; a sheet is a name, rows, its state and further records."""
    begin = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    begin += record(0x0042, struct.pack("<H", 1200))
    bodies = []
    for _, rows, _, more in sheets:
        body = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0))
        body += b"".join(
            biff_cell(row, column, value) for row, cells in rows for column, value in cells
        )
        bodies.append(body + more + record(0x000A))
    size = len(begin) + sum(
        4 + 6 + len(short_text(name)) for name, _, _, _ in sheets
    ) + len(record(0x000A))  # fmt: skip
    entries, position = b"", size
    for (name, _, state, _), body in zip(sheets, bodies, strict=True):
        entries += record(0x0085, struct.pack("<IBB", position, state, 0) + short_text(name))
        position += len(body)
    return begin + entries + record(0x000A) + b"".join(bodies)


def ole_file(streams):
    """An OLE container with streams of at least 4,096 bytes."""
    data, starts = b"", {}
    for name, content in streams.items():
        padded = content.ljust(max(4096, -(-len(content) // SECTOR) * SECTOR), b"\0")
        starts[name] = (len(data) // SECTOR, len(padded))
        data += padded
    entries = [_entry("Root Entry", 5, END, 0, child=1)]
    names = list(streams)
    for number, name in enumerate(names, start=1):
        start, size = starts[name]
        entries.append(
            _entry(name, 2, start, size, right=number + 1 if number < len(names) else FREE)
        )
    directory = b"".join(entries).ljust(-(-len(entries) * 128 // SECTOR) * SECTOR, b"\0")
    directory_start = len(data) // SECTOR
    data += directory
    chains = [(start, size // SECTOR) for start, size in starts.values()]
    chains.append((directory_start, len(directory) // SECTOR))
    sectors = len(data) // SECTOR
    fats = -(-(sectors + 1) // 127)
    table = []
    for start, count in chains:
        table += [*range(start + 1, start + count), END]
    table += [FAT] * fats
    table += [FREE] * (fats * 128 - len(table))
    head = struct.pack(
        "<8s16sHHHHH6sIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6,
        b"", 0, fats, directory_start, 0, 4096, END, 0, END, 0,
    )  # fmt: skip
    places = [*range(sectors, sectors + fats)]
    head += struct.pack("<109I", *places, *[FREE] * (109 - fats))
    return head + data + struct.pack(f"<{len(table)}I", *table)


def _entry(name, kind, start, size, *, child=FREE, right=FREE):
    text = name.encode("utf-16-le")
    return struct.pack(
        "<64sHBBIII16sIQQIQ", text, len(text) + 2, kind, 1, FREE, right, child, b"", 0, 0, 0, start,
        size,
    )  # fmt: skip


@pytest.fixture
def xls(tmp_path):
    def xls(*sheets, name="book.xls"):
        path = tmp_path / name
        path.write_bytes(ole_file({"Workbook": biff_workbook(sheets)}))
        return path

    return xls


PEOPLE = [
    (0, [(0, "שם"), (1, "age"), (2, "city")]),
    (1, [(0, "\u200fעדה\u200f"), (1, 36.0), (2, "London")]),
    (2, [(0, "רות"), (1, 85.5), (2, "Haifa")]),
]


def test_rows_of_an_old_workbook_read_as_header_and_value(read, xls):
    found = read(xls(("אנשים", PEOPLE, 0, b"")))
    assert found.lines == [
        "שם: עדה",
        "age: 36",
        "city: London",
        "שם: רות",
        "age: 85.5",
        "city: Haifa",
    ]
    assert str(found.sections[0].locator) == "sheet אנשים"


def test_hidden_sheets_are_left_out_and_told(read, xls):
    secret = [(0, [(0, "secret")])]
    found = read(xls(("A", PEOPLE, 0, b""), ("Secret", secret, HIDDEN, b"")))
    assert "secret" not in found.text
    assert found.codes == ["hidden-sheet"]


def test_comments_that_are_not_read_are_told(read, xls):
    note = record(0x001C, struct.pack("<HHHHH", 1, 1, 0, 1, 0))
    assert read(xls(("A", PEOPLE, 0, note))).codes == ["parts-not-read"]


def test_an_old_workbook_under_a_new_name_is_read(read, xls):
    found = read(xls(("A", PEOPLE, 0, b""), name="book.xlsx"), loader=XlsxLoader)
    assert "age: 36" in found.lines


def test_cells_far_apart_are_refused_before_the_library_reads_them(read, xls):
    far = [(0, [(0, "a")]), (65_535, [(255, "z")])]
    with pytest.raises(LoadError, match=r"book\.xls.*apart") as caught:
        read(xls(("A", far, 0, b"")))
    assert caught.value.reason == "too large"


@pytest.mark.parametrize("stated", [(0, 2**32 - 1, 0, 256), (5, 1, 7, 2)])
def test_sizes_that_would_kill_the_library_are_refused(read, xls, stated):
    dimensions = record(0x0200, struct.pack("<IIHHH", *stated, 0))
    with pytest.raises(LoadError) as caught:
        read(xls(("A", PEOPLE, 0, dimensions)))
    assert caught.value.reason == "too large"


def test_a_panic_of_the_library_is_a_broken_file(read, xls):
    path = xls(("A", PEOPLE, 0, record(0x00BD, struct.pack("<HHH", 1, 5, 2))))
    with pytest.raises(LoadError, match="PanicException") as caught:
        read(path)
    assert caught.value.reason == "broken"


@pytest.mark.parametrize("cut", [600, 2_000, 5_000])
def test_a_file_that_is_cut_off_is_an_error_or_read_in_part(read, xls, cut):
    path = xls(("A", PEOPLE, 0, b""))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(LoadError, match=r"book\.xls") as caught:
        read(path)
    assert caught.value.reason == "broken"


# --- .xlsb: BIFF12 in a zip file ([MS-XLSB]) ------------------------------------------------------


def wide(text):
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def record12(kind, body=b""):
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size = len(body)
    while size >= 0x80:
        head += bytes([size & 0x7F | 0x80])
        size >>= 7
    return head + bytes([size]) + body


def cell12(column, value):
    begin = struct.pack("<II", column, 0)
    if isinstance(value, str):
        return record12(6, begin + wide(value))
    return record12(5, begin + struct.pack("<d", value))


@pytest.fixture
def xlsb(tmp_path):
    def xlsb(rows):
        sheet = record12(129) + record12(148, struct.pack("<IIII", 0, 2, 0, 2)) + record12(145)
        for row, cells in rows:
            sheet += record12(0, struct.pack("<IIHBBB", row, 0, 0, 0, 0, 0) + struct.pack("<I", 0))
            sheet += b"".join(cell12(column, value) for column, value in cells)
        sheet += record12(146) + record12(130)
        book = record12(131) + record12(143)
        book += record12(156, struct.pack("<II", 0, 1) + wide("rId1") + wide("People"))
        book += record12(144) + record12(132)
        relation = (
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            '<Relationship Id="{}" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
            'relationships/{}" Target="{}"/></Relationships>'
        )
        path = tmp_path / "book.xlsb"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(
                "_rels/.rels", relation.format("r", "officeDocument", "xl/workbook.bin")
            )
            archive.writestr("xl/workbook.bin", book)
            archive.writestr(
                "xl/_rels/workbook.bin.rels",
                relation.format("rId1", "worksheet", "worksheets/sheet1.bin"),
            )
            archive.writestr("xl/worksheets/sheet1.bin", sheet)
        return path

    return xlsb


def test_rows_of_a_binary_workbook_read_as_header_and_value(read, xlsb):
    found = read(xlsb(PEOPLE))
    assert found.lines[:3] == ["שם: עדה", "age: 36", "city: London"]
    assert str(found.sections[0].locator) == "sheet People"


def test_cells_far_apart_in_a_binary_workbook_are_refused(read, xlsb):
    with pytest.raises(LoadError, match=r"book\.xlsb.*apart") as caught:
        read(xlsb([(0, [(0, "a")]), (1_048_575, [(16_383, "z")])]))
    assert caught.value.reason == "too large"
