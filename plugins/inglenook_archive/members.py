"""What the loaders of archives share: the names of members and what is said of those left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from inglenook.containers import is_safe_name
from inglenook.types import PART_FAILED, Notice

__all__ = ["MOST_MEMBER_BYTES", "Tally", "Unreadable", "from_legacy", "printable"]

MOST_MEMBER_BYTES = 200_000_000
"""A member is held in memory as a whole; a larger one is not read."""

_SYSTEM_FOLDERS = frozenset(("__MACOSX",))
_SYSTEM_FILES = frozenset((".ds_store", "thumbs.db", "desktop.ini"))
_VERSION_CONTROL = frozenset((".git", ".hg", ".svn"))
_LONGEST_SHOWN = 80
_MOST_LISTED = 5
_NOT_PRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_HIGH = re.compile(rb"[\x80-\xff]+")


class Unreadable(Exception):
    """One member cannot be read; `reason` is one of `errors.LOAD_REASONS`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Tally:
    """Counts what was read, what failed and what was left out of an archive."""

    def __init__(self) -> None:
        self.read = 0
        self.failures: list[str] = []
        self._left_out: dict[str, list[str]] = {}
        self._names: set[str] = set()

    def left_out(self, kind: str, name: str) -> None:
        self._left_out.setdefault(kind, []).append(name)

    def skips(self, name: str) -> bool:
        """Whether a file is left out for its name; what is no system's litter is noted."""
        if not is_safe_name(name):
            self.left_out("member(s) with a name that leads out of the archive", name)
            return True
        *folders, file = PurePosixPath(name).parts
        if any(folder in _VERSION_CONTROL for folder in folders):
            self.left_out("file(s) of a version control system", name)
            return True
        return (
            file.lower() in _SYSTEM_FILES
            or file.startswith("._")
            or any(folder in _SYSTEM_FOLDERS for folder in folders)
        )

    def failed(self, name: str, error: Unreadable) -> Notice:
        self.failures.append(error.reason)
        return Notice(PART_FAILED, f"{shown(name)}: {error.reason}: {error}")

    def unique(self, name: str) -> str:
        """The name, with a number if an earlier member has it too."""
        path = PurePosixPath(name)
        number, candidate = 1, name
        while candidate in self._names:
            number += 1
            candidate = str(path.with_name(f"{path.stem} ({number}){path.suffix}"))
        self._names.add(candidate)
        return candidate

    def notices(self) -> Iterator[Notice]:
        """A notice for each kind of member that was left out."""
        for kind, names in self._left_out.items():
            listed = ", ".join(map(shown, names[:_MOST_LISTED]))
            more = ", …" if len(names) > _MOST_LISTED else ""
            yield Notice("left-out", f"{len(names)} {kind} left out: {listed}{more}")


def printable(name: str) -> str:
    """The name without control characters; broken ones become a visible mark."""
    return _NOT_PRINTABLE.sub("\ufffd", name)


def shown(name: str) -> str:
    """The name as a message shows it."""
    clean = printable(name)
    return clean if len(clean) <= _LONGEST_SHOWN else f"{clean[: _LONGEST_SHOWN - 1]}…"


def from_legacy(raw: bytes, all_names: bytes) -> str:
    """The name in an encoding that the archive does not tell.

    It is UTF-8 where it can be. Else the bytes of all names of the archive decide: Hebrew and
    Cyrillic names stand in the code page that their Windows writes, everything else in cp437, as
    the zip specification (APPNOTE 6.3.10, appendix D) says.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode(_code_page(all_names), errors="replace")


def _code_page(names: bytes) -> str:
    runs = _HIGH.findall(names)
    high = b"".join(runs)
    in_words = sum(len(run) for run in runs if len(run) > 1) > 0.8 * len(high)
    if not in_words:
        return "cp437"
    if all(0x80 <= byte <= 0x9A for byte in high):
        return "cp862"
    if all(0xE0 <= byte <= 0xFA for byte in high):
        return "cp1255"
    if all(0x80 <= byte <= 0xAF or 0xE0 <= byte <= 0xF1 for byte in high):
        return "cp866"
    return "cp437"
