"""Opens a document that is a zip file inside, encrypted or damaged ones too.

What is encrypted is decrypted in memory only. Of a file that was cut off, the members that are
whole, and the beginning of the one that is not, are still read.
"""

from __future__ import annotations

import io
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

from inglenook.containers import measured_zip
from inglenook.errors import LoadError
from inglenook.types import CancelToken, LoadRequest
from inglenook_office.ole import OLE_MAGIC, decrypted
from inglenook_office.salvage import SalvagedZip
from inglenook_office.xml_events import (
    MOST_ELEMENTS,
    ByteStream,
    DamagedXmlError,
    Handlers,
    Meter,
    XmlReader,
)

__all__ = ["Package", "file_head", "normal_name", "opened_package"]

_HEAD_BYTES = 512
_COST_OF_OPENING = 20_000
_MOST_ELEMENTS_OF_SMALL_PARTS = 600_000
_ZIP_MAGIC = b"PK\x03\x04"
_KINDS = {
    b"{\\rtf": ("an RTF file", ".rtf"),
    b"%PDF-": ("a PDF file", ".pdf"),
    b"<!doctype html": ("a web page", ".html"),
    b"<html": ("a web page", ".html"),
}


class Package:
    """The members of a document by name; names are compared without case, as the formats do.

    Args:
        archive: Holds the members.
        name: The document, for messages.
        most_bytes: How many bytes its members may inflate to.
        damage: What is wrong with the file as a whole, "" if nothing is.

    Attributes:
        meter: What its XML may cost.
    """

    def __init__(
        self,
        archive: zipfile.ZipFile | SalvagedZip,
        name: str,
        most_bytes: int,
        damage: str = "",
    ) -> None:
        self.name = name
        self.meter = Meter(2 * most_bytes)
        self.damage = damage
        self._archive = archive
        self._names = {normal_name(member): member for member in archive.namelist()}

    def __contains__(self, member: str) -> bool:
        return normal_name(member) in self._names

    def __iter__(self) -> Iterator[str]:
        """The normal name of each member, in the order of the file."""
        return iter(self._names)

    @contextmanager
    def opened(self, member: str) -> Iterator[ByteStream]:
        """Open a member. Raises `DamagedXmlError` if it is missing or damaged."""
        self.spend(_COST_OF_OPENING)
        try:
            stream = self._archive.open(self._names[normal_name(member)])
        except KeyError as error:
            raise DamagedXmlError(f"its part {posixpath.basename(member)} is missing") from error
        except (zipfile.BadZipFile, RuntimeError, OSError, ValueError, struct.error) as error:
            # zipfile raises these for members with a password and for headers that are damaged.
            raise DamagedXmlError(str(error)) from error
        with stream:
            yield stream

    def spend(self, size_bytes: int) -> None:
        """Count what is read of the members. Raises `LoadError` past the limit."""
        self.meter.bytes_left -= size_bytes
        if self.meter.bytes_left < 0:
            raise LoadError(f"{self.name} has more in it than is read.", reason="too large")

    def read(
        self,
        member: str,
        handlers: Handlers,
        cancel: CancelToken,
        *,
        max_elements: int = MOST_ELEMENTS,
    ) -> Iterator[None]:
        """Feed a member's XML to handlers, a piece at a time; raises as `XmlReader.read`."""
        with self.opened(member) as stream:
            reader = XmlReader(handlers, self.name, self.meter, max_elements=max_elements)
            yield from reader.read(stream, cancel)

    def read_whole(
        self,
        member: str,
        handlers: Handlers,
        cancel: CancelToken,
        *,
        max_elements: int = _MOST_ELEMENTS_OF_SMALL_PARTS,
    ) -> None:
        """Feed all of a member's XML to handlers; raises as `XmlReader.read`."""
        for _ in self.read(member, handlers, cancel, max_elements=max_elements):
            pass

    def data(self, member: str, most_bytes: int) -> bytes | None:
        """The bytes of a member; None if it is missing, damaged or larger than that."""
        try:
            with self.opened(member) as stream:
                data = stream.read(most_bytes + 1)
        except (DamagedXmlError, zipfile.BadZipFile, zlib.error, EOFError, OSError):
            return None
        return data if len(data) <= most_bytes else None

    def close(self) -> None:
        self._archive.close()


def normal_name(name: str) -> str:
    """The name as members are compared: with `/`, from the top, lower case."""
    return posixpath.normpath(name.replace("\\", "/")).lstrip("/").lower()


@contextmanager
def opened_package(request: LoadRequest) -> Iterator[Package]:
    """The document, open and measured.

    Raises `LoadError`: unreadable; broken (empty, or no such document); unsupported (another kind
    of file under this name); encrypted; too large. See `containers.measured_zip`.
    """
    head = file_head(request)
    source: Path | io.BytesIO = request.path
    if head.startswith(OLE_MAGIC):
        source = io.BytesIO(decrypted(request))
    else:
        _refuse_other_kinds(head, request.name)
    # `zipfile` takes a file just as well as a path.
    package = _opened(replace(request, path=cast("Path", source)))
    try:
        yield package
    finally:
        package.close()


def file_head(request: LoadRequest) -> bytes:
    """The first bytes. Raises `LoadError`: unreadable, broken (empty)."""
    try:
        with request.path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise LoadError(
            f"{request.name} cannot be read: {error.strerror or error}.", reason="unreadable"
        ) from error
    if not head:
        raise LoadError(f"{request.name} is empty (0 bytes).", reason="broken")
    return head


def _opened(request: LoadRequest) -> Package:
    try:
        return Package(measured_zip(request), request.name, request.max_inflated_bytes)
    except LoadError as error:
        damage = error.__cause__
        if not isinstance(damage, zipfile.BadZipFile) or not isinstance(request.path, Path):
            raise
        if request.path.stat().st_size > request.max_inflated_bytes:
            raise
        salvaged = SalvagedZip(request)
        if not salvaged.namelist():
            raise
        damaged = "the file is cut off or its index is damaged"
        return Package(salvaged, request.name, request.max_inflated_bytes, damaged)


def _refuse_other_kinds(head: bytes, name: str) -> None:
    if head.startswith(_ZIP_MAGIC):
        return
    for magic, (kind, extension) in _KINDS.items():
        if head.lstrip().lower().startswith(magic):
            raise LoadError(
                f"{name} is {kind} under another name.",
                reason="unsupported",
                hint=f"Rename it so that it ends in {extension}.",
            )
