"""A folder for a library model whose files find each other by name: links to its blobs.

Blobs are named by their sha256, and native code opens an ONNX graph's data by the name that stands
in the graph. The folder holds hard links, so it takes no room of its own, and is made again
whenever it is not there.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from inglenook.errors import ModelBrokenError
from inglenook.models.storage import disk_errors

__all__ = ["FOLDERS", "drop_folders", "linked_folder"]

FOLDERS = "folders"
"""The name of the folder of folders in a library."""


def linked_folder(
    library: Path, scratch: Path, digest: str, files: Mapping[str, Path]
) -> dict[str, Path]:
    """The files by name, side by side in one folder.

    Args:
        library: The root of the library that is written to.
        scratch: Its folder for half-done work.
        digest: The sha256 of the model's manifest, which names the folder.
        files: File name -> blob.

    Raises `ModelBrokenError` for a name that leads out of the folder, `StoreError`.
    """
    folder = library / FOLDERS / digest
    linked = {name: folder.joinpath(*_parts(name)) for name in files}
    if all(_is_same(linked[name], blob) for name, blob in files.items()):
        return linked
    with disk_errors(library):
        making = scratch / f"folder-{uuid.uuid4().hex}"
        try:
            for name, blob in files.items():
                place = making.joinpath(*_parts(name))
                place.parent.mkdir(parents=True, exist_ok=True)
                _link(blob, place)
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            try:
                making.rename(folder)
            except OSError:
                # Another process may have been faster.
                if not all(_is_same(linked[name], blob) for name, blob in files.items()):
                    raise
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return linked


def drop_folders(library: Path, digests: Iterable[str]) -> None:
    """Delete the folders of models that are none of these any more."""
    kept = set(digests)
    for folder in (library / FOLDERS).glob("*"):
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def _parts(name: str) -> tuple[str, ...]:
    path, foreign = PurePosixPath(name), PureWindowsPath(name)
    if not path.parts or path.is_absolute() or foreign.drive or ".." in foreign.parts:
        raise ModelBrokenError(
            f"A model names a file outside its folder ({name!r}).",
            hint="Remove the model with `nook rm`.",
        )
    return path.parts


def _link(blob: Path, place: Path) -> None:
    try:
        os.link(blob, place)
    except OSError:
        # Another disk, or one without links.
        shutil.copyfile(blob, place)


def _is_same(place: Path, blob: Path) -> bool:
    """Whether the file in the folder is the blob, or a copy of it of the same size and age."""
    try:
        there, own = place.stat(), blob.stat()
    except OSError:
        return False
    if (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino):
        return True
    return there.st_nlink == 1 and there.st_size == own.st_size and there.st_mtime >= own.st_mtime
