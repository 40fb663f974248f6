"""The loader `zip`: the files of a zip archive, each as a part, in the order of its directory."""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.containers import measured_zip
from inglenook.errors import Cancelled, LoadError
from inglenook.types import CancelToken, LoadRequest, Notice, PartFile, Section
from inglenook_archive.members import (
    MOST_MEMBER_BYTES,
    Tally,
    Unreadable,
    from_legacy,
    printable,
)

__all__ = ["ZipLoader"]

_READ_BYTES = 1 << 20
_ENCRYPTED, _STRONGLY_ENCRYPTED, _UTF_8 = 0x1, 0x40, 0x800
_AES = 99
_UNICODE_PATH = 0x7075


class ZipLoader:
    """Implements `protocols.Loader`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(
        self, request: LoadRequest, cancel: CancelToken
    ) -> Iterator[Section | PartFile | Notice]:
        """Yield a part for each regular file and a notice for what cannot be read.

        Raises `LoadError`: as `containers.measured_zip`, encrypted if a password is missing or
        wrong for every file, broken if no file can be read.
        """
        archive = _open(request)
        tally = Tally()
        with archive:
            names = _names(archive)
            for member, name in names:
                if cancel.cancelled:
                    raise Cancelled
                if _left_out(member, name, tally):
                    continue
                try:
                    data = _read(archive, member, request.password, cancel)
                except Unreadable as error:
                    yield tally.failed(name, error)
                    continue
                tally.read += 1
                yield PartFile(tally.unique(printable(name)), data)
        yield from tally.notices()
        if not tally.read:
            raise _nothing_read(request, tally)


def _open(request: LoadRequest) -> zipfile.ZipFile:
    try:
        size = request.path.stat().st_size
    except OSError as error:
        raise LoadError(
            f"{request.name} cannot be read: {error.strerror or error}.", reason="unreadable"
        ) from error
    if not size:
        raise LoadError(f"{request.name} is empty (0 bytes).", reason="broken")
    return measured_zip(request)


def _names(archive: zipfile.ZipFile) -> list[tuple[zipfile.ZipInfo, str]]:
    """Each member with its name as it was meant."""
    raw = {}
    for member in archive.infolist():
        if not member.flag_bits & _UTF_8:
            raw[member.orig_filename] = member.orig_filename.encode("cp437", errors="replace")
    every = b"".join(raw.values())
    return [
        (member, _name(member, raw.get(member.orig_filename), every).replace("\\", "/"))
        for member in archive.infolist()
    ]


def _name(member: zipfile.ZipInfo, raw: bytes | None, every: bytes) -> str:
    if raw is None:
        return member.orig_filename
    return _unicode_path(member.extra, raw) or from_legacy(raw, every)


def _unicode_path(extra: bytes, raw: bytes) -> str:
    """The name in the field of Info-ZIP (APPNOTE 6.3.10, 4.6.9); "" if there is none."""
    position = 0
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, position)
        field = extra[position + 4 : position + 4 + size]
        if kind == _UNICODE_PATH and field[:5] == struct.pack("<BL", 1, zlib.crc32(raw)):
            return field[5:].decode("utf-8", errors="replace")
        position += 4 + size
    return ""


def _left_out(member: zipfile.ZipInfo, name: str, tally: Tally) -> bool:
    if name.endswith("/"):
        return True
    kind = stat.S_IFMT(member.external_attr >> 16)
    if stat.S_ISLNK(kind):
        tally.left_out("link(s)", name)
        return True
    if kind and not stat.S_ISREG(kind):
        tally.left_out("device(s) or pipe(s)", name)
        return True
    return tally.skips(name)


def _read(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, password: str | None, cancel: CancelToken
) -> bytes:
    """The bytes of a member. Raises `Unreadable`."""
    if member.file_size > MOST_MEMBER_BYTES:
        raise Unreadable(
            "too large", f"{member.file_size:,} bytes; at most {MOST_MEMBER_BYTES:,} are read"
        )
    encrypted = bool(member.flag_bits & _ENCRYPTED)
    if member.compress_type == _AES or member.flag_bits & _STRONGLY_ENCRYPTED:
        raise Unreadable("encrypted", "with AES, which cannot be opened here")
    if encrypted and password is None:
        raise Unreadable("encrypted", "it needs a password")
    try:
        return _inflated(archive, member, password if encrypted else None, cancel)
    except NotImplementedError as error:
        raise Unreadable("unsupported", "packed in a way that cannot be read here") from error
    except RuntimeError as error:
        raise Unreadable("encrypted", "it needs another password") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        ValueError,
        struct.error,
    ) as error:
        if encrypted:
            # One wrong password in 256 passes the check of the format and fails only here.
            raise Unreadable("encrypted", "it needs another password or is damaged") from error
        raise Unreadable("broken", "its bytes are damaged") from error


def _inflated(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, password: str | None, cancel: CancelToken
) -> bytes:
    parts = []
    pwd = password.encode("utf-8") if password is not None else None
    with archive.open(member, pwd=pwd) as file:
        while part := file.read(_READ_BYTES):
            if cancel.cancelled:
                raise Cancelled
            parts.append(part)
    return b"".join(parts)


def _nothing_read(request: LoadRequest, tally: Tally) -> LoadError:
    failures = tally.failures
    if not failures:
        return LoadError(f"{request.name} holds no files.", reason="empty")
    if all(reason == "encrypted" for reason in failures):
        given = "another password" if request.password is not None else "a password"
        return LoadError(
            f"{request.name} is encrypted: all of its {len(failures)} file(s) need {given}.",
            reason="encrypted",
            hint="Give its password, or unpack it and add the files. AES cannot be opened here.",
        )
    reason = failures[0] if len(set(failures)) == 1 else "broken"
    return LoadError(
        f"{request.name}: none of its {len(failures)} file(s) can be read.", reason=reason
    )
