"""What characters are normalised to, in the form that the library `tokenizers` takes it.

SentencePiece keeps such a table as a "precompiled charsmap": the length of a trie in bytes, the
trie as a double array of 32-bit units (darts-clone's format), and the replacements, each ended by
a zero byte. See sentencepiece `src/normalizer.cc` and the crate `spm_precompiled`.
"""

from __future__ import annotations

import struct
import sys
import unicodedata
from array import array
from collections.abc import Mapping

__all__ = ["character_map", "compositions"]

_HAS_LEAF = 1 << 8
_OFFSET_SHIFT = 10
_LARGEST_OFFSET = 1 << 21
_ROOM_STEP = 1024
_LOOK_BACK = 2048
_LONGEST_WHOLE_BYTES = 5


def character_map(replacements: Mapping[str, str]) -> bytes:
    """The table for `tokenizers.normalizers.Precompiled`.

    Of several keys that a text begins with, that library takes the shortest.
    """
    keys: dict[bytes, int] = {}
    texts = bytearray()
    for key, text in replacements.items():
        keys[key.encode()] = len(texts)
        texts += text.encode() + b"\0"
    units = _DoubleArray().build(keys)
    trie = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(trie)) + trie + bytes(texts)


def compositions(marks: int) -> dict[str, str]:
    """Letters written with so many combining marks apart -> the letter in one character.

    The map of SentencePiece has them and the weight file lacks them. Longer ones than the library
    compares as a whole are left out.
    """
    found: dict[str, str] = {}
    for code in range(0x80, sys.maxunicode + 1):
        letter = chr(code)
        apart = unicodedata.normalize("NFD", letter)
        if apart == letter or unicodedata.normalize("NFC", apart) != letter:
            continue
        spelt = {apart} if len(apart) == marks + 1 else set()
        if marks == 1 and len(pair := unicodedata.decomposition(letter).split()) == 2:
            spelt.add("".join(chr(int(part, 16)) for part in pair))
        found |= {key: letter for key in spelt if len(key.encode()) <= _LONGEST_WHOLE_BYTES}
    return found


class _DoubleArray:
    """Builds the trie. Unit `p` leads with byte `b` to unit `p ^ offset(p) ^ b`."""

    def __init__(self) -> None:
        self._units = array("I", [0] * _ROOM_STEP)
        self._taken = bytearray(_ROOM_STEP)
        self._bases: set[int] = set()
        self._taken[0] = 1

    def build(self, keys: Mapping[bytes, int]) -> array[int]:
        """The units. No key may be empty, hold a zero byte or occur twice."""
        self._place(sorted(keys.items()), 0, 0)
        return self._units

    def _place(self, entries: list[tuple[bytes, int]], depth: int, position: int) -> None:
        groups: dict[int, list[tuple[bytes, int]]] = {}
        for entry in entries:
            key = entry[0]
            groups.setdefault(key[depth] if depth < len(key) else 0, []).append(entry)
        base = self._find_base(list(groups))
        offset = base ^ position
        if offset >= _LARGEST_OFFSET:
            raise ValueError("the map has more characters than its form can hold")
        leaf = _HAS_LEAF if 0 in groups else 0
        self._units[position] |= offset << _OFFSET_SHIFT | leaf
        for label, group in groups.items():
            # The unit of a key's end holds the value, marked by the highest bit.
            self._units[base ^ label] = group[0][1] | 1 << 31 if label == 0 else label
        for label, group in groups.items():
            if label:
                self._place(group, depth + 1, base ^ label)

    def _find_base(self, labels: list[int]) -> int:
        # What lies far back is nearly full: looking there costs more than the room is worth.
        place = max(1, len(self._units) - _LOOK_BACK)
        while not self._fits(base := place ^ labels[0], labels):
            place += 1
        self._bases.add(base)
        for label in labels:
            self._taken[base ^ label] = 1
        return base

    def _fits(self, base: int, labels: list[int]) -> bool:
        self._make_room(base | 0xFF)
        return base not in self._bases and not any(self._taken[base ^ b] for b in labels)

    def _make_room(self, last: int) -> None:
        while last >= len(self._units):
            self._units.extend([0] * _ROOM_STEP)
            self._taken.extend(bytes(_ROOM_STEP))
