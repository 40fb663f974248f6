"""Gives a model another name. Blobs are shared; those of another program's store are copied."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inglenook.errors import Cancelled, ModelBrokenError
from inglenook.models.library import Library, StoredModel
from inglenook.models.manifest import Layer
from inglenook.models.record import ModelRecord
from inglenook.models.reference import parse_reference
from inglenook.models.staging import staging_folder
from inglenook.models.storage import PIECE_BYTES, file_sha256, require_space
from inglenook.types import CancelToken, FetchProgress

__all__ = ["Copied", "copy_model", "is_same"]


@dataclass(frozen=True, slots=True)
class Copied:
    """The end of a copy.

    Args:
        source: The full name of the model that was copied.
        record: The model under its new name.
        already_there: Nothing had to be done.
        copied_bytes: What was read from another program's store.
    """

    source: str
    record: ModelRecord
    already_there: bool = False
    copied_bytes: int = 0


def is_same(library: Library, model: StoredModel, name: str) -> bool:
    """Whether the model of this name in the library itself is the same one."""
    there = library.stored_exactly(name)
    return there is not None and there.root == library.root and there.digest == model.digest


def copy_model(
    source: str, destination: str, library: Library, cancel: CancelToken
) -> Iterator[FetchProgress | Copied]:
    """Make `source` known as `destination` too, whole or not at all; ends in a `Copied`.

    Another model of that name gives way. Raises `ModelNotFoundError`, `ModelBrokenError` if the
    source is damaged, `StoreError`, `Cancelled`.
    """
    model = library.stored(source)
    name = parse_reference(destination).full
    if is_same(library, model, name):
        yield Copied(model.name, library.show(name), already_there=True)
        return
    if model.root == library.root:
        record = library.adopt(name, model.manifest_bytes, {})
        yield Copied(model.name, record)
        return
    missing = list(_missing(model, library, cancel))
    copied = sum(layer.size_bytes for layer in missing)
    # What a kill leaves there, the next copy or a prune deletes.
    with staging_folder(library.scratch) as staged:
        require_space(staged, copied)
        yield from _copy_blobs(model, missing, staged, cancel)
        copies = {layer.sha256: staged / layer.sha256 for layer in missing}
        record = library.adopt(name, model.manifest_bytes, copies)
    yield Copied(model.name, record, copied_bytes=copied)


def _missing(model: StoredModel, library: Library, cancel: CancelToken) -> Iterator[Layer]:
    """The blobs that the library does not have as they should be, each once."""
    for sha256, layer in {layer.sha256: layer for layer in model.manifest.blobs}.items():
        own = library.blob(sha256)
        if not own.is_file() or file_sha256(own, lambda: _stop_if(cancel)) != sha256:
            yield layer


def _copy_blobs(
    model: StoredModel, missing: list[Layer], staged: Path, cancel: CancelToken
) -> Iterator[FetchProgress]:
    total = sum(layer.size_bytes for layer in missing)
    done = 0
    for layer in missing:
        digest = hashlib.sha256()
        with (
            model.path(layer).open("rb") as reader,
            (staged / layer.sha256).open("xb") as writer,
        ):
            while piece := reader.read(PIECE_BYTES):
                _stop_if(cancel)
                digest.update(piece)
                writer.write(piece)
                done += len(piece)
                yield FetchProgress(model.name, done, total)
        if digest.hexdigest() != layer.sha256:
            raise ModelBrokenError(
                f"{model.path(layer)} of {model.name} has changed: it should have the sha256 "
                f"{layer.sha256} and has {digest.hexdigest()}.",
                hint="Fetch it again with the program that owns it. Nothing was copied.",
            )


def _stop_if(cancel: CancelToken) -> None:
    if cancel.cancelled:
        raise Cancelled("Stopped; nothing was copied.")
