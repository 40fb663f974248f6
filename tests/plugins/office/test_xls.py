"""What the loader `xls` makes of binary workbooks, written here record by record."""

from __future__ import annotations

import struct
import zipfile

import pytest

from inglenook.errors import LoadError
from inglenook.testing.loader import LoaderKit
from inglenook_office.xls_loader import XlsLoader
from inglenook_office.xlsx_loader import XlsxLoader

HEBREW = "\u05d0\u05d5\u05e8\u05d7\u05d9\u05dd \u05e0\u05e8\u05e9\u05de\u05d9\u05dd."
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


def biff_workbook(sheets, styles=b"", before=b""):
    """The stream `Workbook`; a sheet is a name, rows, its state and further records."""
    begin = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    begin += record(0x0042, struct.pack("<H", 1200)) + styles
    bodies = []
    for _, rows, _, more in sheets:
        body = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0)) + before
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
    def xls(*sheets, name="book.xls", **parts):
        path = tmp_path / name
        path.write_bytes(ole_file({"Workbook": biff_workbook(sheets, **parts)}))
        return path

    return xls


PEOPLE = [
    (0, [(0, "שם"), (1, "age"), (2, "city")]),
    (1, [(0, "\u200fעדה\u200f"), (1, 36.0), (2, "London")]),
    (2, [(0, "רות"), (1, 85.5), (2, "Haifa")]),
]


class TestXlsLoader(LoaderKit):
    @pytest.fixture
    def loader(self):
        return XlsLoader({})

    @pytest.fixture
    def sample(self, xls):
        more = [(0, [(0, "total"), (1, 2.0)])]
        return xls(("אנשים", PEOPLE, 0, b""), ("More", more, 0, b""))

    @pytest.fixture
    def expected(self):
        return ("שם: עדה", "age: 36", "city: Haifa", "total", "2")


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


def drawn(number, text):
    """An object on the sheet with a text: a box, or what a comment says."""
    body = struct.pack("<HHHH", 0x15, 0x12, 0x19, number) + bytes(14)
    wide = text.encode("utf-16-le")
    return (
        record(0x005D, body)
        + record(0x01B6, struct.pack("<HH6xHHI", 0, 0, len(text), 16, 0))
        + record(0x003C, b"\x01" + wide[:10])
        + record(0x003C, b"\x01" + wide[10:])
        + record(0x003C, bytes(16))
    )


def test_comments_and_boxes_are_read(read, xls):
    author = struct.pack("<HB", 3, 0) + b"Ada"
    note = record(0x001C, struct.pack("<HHHH", 1, 1, 0, 7) + author + b"\0")
    more = drawn(7, "Ada:\nCheck this year") + drawn(8, "In a box: \u05e9\u05dc\u05d5\u05dd") + note
    lines = read(xls(("A", PEOPLE, 0, more))).lines
    assert "age: 36 [Comment by Ada: Check this year]" in lines
    assert lines[-1] == "In a box: \u05e9\u05dc\u05d5\u05dd"


def test_numbers_and_formulas_are_shown_as_a_person_sees_them(read, xls):
    styles = record(0x041E, struct.pack("<HHB", 170, 10, 0) + b"dd/mm/yyyy")
    styles += b"".join(record(0x00E0, struct.pack("<HH16x", 0, number)) for number in (0, 170, 9))
    half = struct.unpack("<II", struct.pack("<d", 0.5))[1]
    more = (
        record(0x0203, struct.pack("<HHHd", 0, 0, 1, 45_356))
        + record(0x027E, struct.pack("<HHHI", 1, 0, 0, 1234 << 2 | 3))
        + record(0x00BD, struct.pack("<HHHIHIH", 2, 0, 0, (-7 << 2 | 2) & 0xFFFFFFFF, 2, half, 1))
        + record(0x0006, struct.pack("<HHHB5xHHI", 3, 0, 0, 0, 0xFFFF, 0, 0))
        + record(0x0207, struct.pack("<HB", 6, 0) + b"joined")
        + record(0x0006, struct.pack("<HHHBxB3xHHI", 4, 0, 0, 2, 7, 0xFFFF, 0, 0))
        + record(0x0205, struct.pack("<HHHBB", 5, 0, 0, 1, 0))
    )
    found = read(xls(("A", [], 0, more), styles=styles))
    assert found.lines == ["05/03/2024", "12.34", "-7 | 50%", "joined", "#DIV/0!", "TRUE"]


def test_shared_texts_are_read_across_the_records_that_they_are_cut_into(read, xls):
    hebrew = "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd".encode("utf-16-le")
    texts = (
        record(0x00FC, struct.pack("<IIHB", 2, 2, 9, 1) + hebrew[:6])
        + record(0x003C, b"\x01" + hebrew[6:] + struct.pack("<HBH", 4, 8, 1) + b"ri")
        + record(0x003C, b"\x00ch" + bytes(4))
    )
    cells = b"".join(record(0x00FD, struct.pack("<HHHI", n, 0, 0, n)) for n in (0, 1, 2))
    found = read(xls(("A", [], 0, cells), styles=texts))
    assert found.lines == ["\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd", "rich"]
    assert found.codes == ["texts-missing"]


def test_hidden_rows_and_columns_are_left_out_and_told(read, xls):
    more = record(0x0208, struct.pack("<HHHHHHHH", 1, 0, 3, 0, 0, 0, 0x20, 0))
    more += record(0x007D, struct.pack("<HHHHHH", 1, 1, 0, 0, 1, 0))
    found = read(xls(("A", PEOPLE, 0, b""), before=more))
    assert found.lines == ["\u05e9\u05dd | city", "\u05e8\u05d5\u05ea | Haifa"]
    assert found.codes == ["hidden-text"]


def test_merged_cells_count_for_each_of_their_rows(read, xls):
    rows = [
        (0, [(0, "city"), (1, "year"), (2, "sum")]),
        (1, [(0, "Haifa"), (1, 1.0), (2, 2.0)]),
        (2, [(1, 3.0), (2, 4.0)]),
    ]
    merge = record(0x00E5, struct.pack("<HHHHH", 1, 1, 2, 0, 0))
    assert read(xls(("A", rows, 0, merge))).lines.count("city: Haifa") == 2


def test_a_workbook_of_excel_95_is_read_in_its_code_page(read, tmp_path):
    name = "\u05d0\u05e0\u05e9\u05d9\u05dd".encode("cp1255")
    text = HEBREW.encode("cp1255")
    begin = record(0x0809, struct.pack("<HHHH", 0x0500, 0x0005, 0, 0)) + record(0x0042, b"\xe7\x04")
    sheet = record(0x0809, struct.pack("<HHHH", 0x0500, 0x0010, 0, 0))
    sheet += record(0x0204, struct.pack("<HHHH", 0, 0, 0, len(text)) + text) + record(0x000A)
    place = len(begin) + 4 + 7 + len(name) + 4
    listed = record(0x0085, struct.pack("<IBBB", place, 0, 0, len(name)) + name) + record(0x000A)
    path = tmp_path / "old.xls"
    path.write_bytes(ole_file({"Book": begin + listed + sheet}))
    found = read(path)
    assert found.text == HEBREW
    assert str(found.sections[0].locator) == "sheet \u05d0\u05e0\u05e9\u05d9\u05dd"


def test_an_old_workbook_under_a_new_name_is_read(read, xls):
    found = read(xls(("A", PEOPLE, 0, b""), name="book.xlsx"), loader=XlsxLoader)
    assert "age: 36" in found.lines


def test_cells_far_apart_take_no_room_in_between(read, xls):
    far = [(0, [(0, "a")]), (65_535, [(255, "z")])]
    dimensions = record(0x0200, struct.pack("<IIHHH", 0, 2**32 - 1, 0, 256, 0))
    assert read(xls(("A", far, 0, dimensions))).lines == ["a", "z"]


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
def xlsb(tmp_path, relations):
    def xlsb(rows, *, more=b"", cut=0, **parts):
        sheet = record12(129) + record12(148, struct.pack("<IIII", 0, 2, 0, 2)) + record12(145)
        for row, cells in rows:
            sheet += record12(0, struct.pack("<IIHBBB", row, 0, 0, 0, 0, 0) + struct.pack("<I", 0))
            sheet += b"".join(cell12(column, value) for column, value in cells)
        sheet = (sheet + more)[: -cut or None]
        sheet += b"" if cut else record12(146) + record12(130)
        book = record12(131) + record12(143)
        book += record12(156, struct.pack("<II", 0, 1) + wide("rId1") + wide("People"))
        book += record12(144) + record12(132)
        kinds = {"styles": "styles", "texts": "sharedStrings"}
        of_book = {"rId1": ("worksheet", "worksheets/sheet1.bin")}
        of_book |= {name: (kind, f"{name}.bin") for name, kind in kinds.items() if name in parts}
        path = tmp_path / "book.xlsb"
        with zipfile.ZipFile(path, "w") as archive:
            root = {"r": ("officeDocument", "xl/workbook.bin")}
            archive.writestr("_rels/.rels", relations(root))
            archive.writestr("xl/workbook.bin", book)
            archive.writestr("xl/_rels/workbook.bin.rels", relations(of_book))
            if "comments" in parts:
                of_sheet = relations({"c": ("comments", "../comments.bin")})
                archive.writestr("xl/worksheets/_rels/sheet1.bin.rels", of_sheet)
            for name, content in parts.items():
                archive.writestr(f"xl/{name}.bin", content)
            archive.writestr("xl/worksheets/sheet1.bin", sheet)
        return path

    return xlsb


def test_rows_of_a_binary_workbook_read_as_header_and_value(read, xlsb):
    found = read(xlsb(PEOPLE))
    assert found.lines[:3] == ["שם: עדה", "age: 36", "city: London"]
    assert str(found.sections[0].locator) == "sheet People"


def test_cells_far_apart_in_a_binary_workbook_take_no_room_in_between(read, xlsb):
    found = read(xlsb([(0, [(0, "a")]), (1_048_575, [(16_383, "z")])]), loader=XlsxLoader)
    assert found.lines == ["a", "z"]


def test_a_binary_workbook_has_formats_texts_and_hidden_rows(read, xlsb):
    styles = record12(44, struct.pack("<H", 170) + wide("0.0%")) + record12(617)
    styles += b"".join(record12(47, struct.pack("<HH12x", 0, n)) for n in (0, 170)) + record12(618)
    texts = record12(19, b"\0" + wide("shared"))
    cells = (
        record12(7, struct.pack("<III", 0, 0, 0))
        + record12(5, struct.pack("<IId", 1, 1, 0.125))
        + record12(2, struct.pack("<III", 2, 0, 700 << 2 | 3))
        + record12(8, struct.pack("<II", 3, 0) + wide("formula") + bytes(8))
        + record12(11, struct.pack("<IIB", 4, 0, 0x2A))
        + record12(4, struct.pack("<IIB", 5, 0, 1))
        + record12(7, struct.pack("<III", 6, 0, 99))
    )
    hidden = struct.pack("<IIHBBBI", 9, 0, 0, 0, 0x10, 0, 0)
    more = cells + record12(0, hidden) + cell12(0, "secret")
    found = read(xlsb([(0, [])], more=more, styles=styles, texts=texts), loader=XlsxLoader)
    assert found.lines == ["shared | 12.5% | 7 | formula | #N/A | TRUE"]
    assert sorted(found.codes) == ["hidden-text", "texts-missing"]


def test_comments_of_a_binary_workbook_are_read(read, xlsb):
    comments = record12(632, wide("Ada"))
    comments += record12(635, struct.pack("<IIIII16x", 0, 1, 1, 1, 1))
    comments += record12(637, b"\0" + wide("Ada:\nWhy?"))
    found = read(xlsb(PEOPLE, comments=comments), loader=XlsxLoader)
    assert "age: 36 [Comment by Ada: Why?]" in found.lines


def test_a_binary_sheet_that_is_cut_off_is_read_as_far_as_it_goes(read, xlsb):
    found = read(xlsb(PEOPLE, cut=30), loader=XlsxLoader)
    assert "age: 36" in found.lines
    assert found.codes == ["partly-damaged"]
