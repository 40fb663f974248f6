"""What the tests of the mail loaders share."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import pytest

from inglenook.types import CancelToken, LoadRequest, Notice, PartFile, Section

SECTOR, MINI_SECTOR, CUTOFF = 512, 64, 4096
FREE, END, FAT_SECTOR = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


@pytest.fixture
def load_mail():
    """Loads a file: its sections, its parts as a dict, its notices as `code: message`."""

    def load_mail(loader, path, **limits):
        found = list(loader.load(LoadRequest(path, path.name, **limits), CancelToken()))
        parts = {part.name: part.data for part in found if isinstance(part, PartFile)}
        assert len(parts) == sum(isinstance(part, PartFile) for part in found)
        return SimpleNamespace(
            sections=[item for item in found if isinstance(item, Section)],
            text="\n".join(item.text for item in found if isinstance(item, Section)),
            parts=parts,
            notices=[f"{item.code}: {item.message}" for item in found if isinstance(item, Notice)],
        )

    return load_mail


@pytest.fixture
def write_msg():
    """Writes an Outlook message of properties; see `message_storage`."""

    def write_msg(path, **message):
        path.write_bytes(compound_file(message_storage(32, **message)))
        return path

    return write_msg


def message_storage(header, properties=(), recipients=(), attachments=()):
    """The storage of a message (MS-OXMSG).

    `properties` map tags such as 0x0037001F to bytes, text or integers; so do `recipients` and
    `attachments`, where a dict is an embedded message.
    """
    storage = _storage(header, dict(properties))
    for number, recipient in enumerate(recipients):
        storage[f"__recip_version1.0_#{number:08X}"] = _storage(8, recipient)
    for number, attachment in enumerate(attachments):
        storage[f"__attach_version1.0_#{number:08X}"] = _storage(8, attachment)
    return storage


def _storage(header, properties):
    fixed, storage = bytes(header), {}
    for tag, value in properties.items():
        if isinstance(value, dict):
            storage[f"__substg1.0_{tag:08X}"] = message_storage(24, **value)
            payload = bytes(8)
        elif isinstance(value, int):
            payload = struct.pack("<Q", value & 0xFFFFFFFFFFFFFFFF)
        else:
            data = value.encode("utf-16-le") if isinstance(value, str) else value
            storage.setdefault(f"__substg1.0_{tag:08X}", data)
            payload = struct.pack("<LL", len(data), 0)
        fixed += struct.pack("<LL", tag, 6) + payload
    return {"__properties_version1.0": fixed, **storage}


def compound_file(tree):
    """A compound file (MS-CFB, version 3) of nested dicts of bytes."""
    entries = [("Root Entry", 5, b"", None)]
    children = {}

    def collect(folder, index):
        children[index] = []
        for name, value in folder.items():
            place = len(entries)
            children[index].append(place)
            if isinstance(value, dict):
                entries.append((name, 1, b"", None))
                collect(value, place)
            else:
                entries.append((name, 2, value, None))

    collect(tree, 0)
    return _written(entries, children)


def _written(entries, children):
    sectors, fat = [], []
    mini, mini_fat = b"", []

    def chain(data):
        if not data:
            return END
        start, count = len(sectors), -(-len(data) // SECTOR)
        for index in range(count):
            sectors.append(data[index * SECTOR : (index + 1) * SECTOR].ljust(SECTOR, b"\0"))
            fat.append(start + index + 1 if index + 1 < count else END)
        return start

    starts = []
    for _, kind, data, _ in entries:
        if kind != 2 or not data:
            starts.append(END if kind == 2 else 0)
        elif len(data) >= CUTOFF:
            starts.append(chain(data))
        else:
            start, count = len(mini) // MINI_SECTOR, -(-len(data) // MINI_SECTOR)
            mini += data.ljust(count * MINI_SECTOR, b"\0")
            mini_fat += [start + index + 1 for index in range(count - 1)] + [END]
            starts.append(start)
    starts[0] = chain(mini)
    sizes = [len(mini) if index == 0 else len(entry[2]) for index, entry in enumerate(entries)]
    links = _tree_links(entries, children)
    directory = b"".join(
        _directory_entry(entry, links[index], starts[index], sizes[index])
        for index, entry in enumerate(entries)
    )
    directory_start = chain(directory)
    mini_fat_data = struct.pack(f"<{len(mini_fat)}L", *mini_fat)
    mini_fat_start = chain(mini_fat_data.ljust(-(-len(mini_fat_data) // SECTOR) * SECTOR, b"\xff"))
    fat_count = 1
    while fat_count * 128 < len(fat) + fat_count:
        fat_count += 1
    fat_start = len(sectors)
    fat += [FAT_SECTOR] * fat_count
    fat += [FREE] * (fat_count * 128 - len(fat))
    sectors.append(struct.pack(f"<{len(fat)}L", *fat))
    header = struct.pack(
        "<8s16x5H6x9L", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6, 0, fat_count,
        directory_start, 0, CUTOFF, mini_fat_start, -(-len(mini_fat_data) // SECTOR), END, 0,
    )  # fmt: skip
    difat = [fat_start + index for index in range(fat_count)]
    header += struct.pack("<109L", *difat, *[FREE] * (109 - fat_count))
    return header + b"".join(sectors)


def _tree_links(entries, children):
    """Left, right and child of each entry: siblings are a balanced search tree."""
    links = {index: [FREE, FREE, FREE] for index in range(len(entries))}

    def balance(places):
        if not places:
            return FREE
        middle = len(places) // 2
        links[places[middle]][0] = balance(places[:middle])
        links[places[middle]][1] = balance(places[middle + 1 :])
        return places[middle]

    for parent, places in children.items():
        places.sort(key=lambda place: (len(entries[place][0]), entries[place][0].upper()))
        links[parent][2] = balance(places)
    return links


def _directory_entry(entry, links, start, size):
    name = entry[0].encode("utf-16-le") + b"\0\0"
    return struct.pack(
        "<64sHBB3L16x4x16xLQ", name, len(name), entry[1], 1, *links, start & 0xFFFFFFFF, size
    )
