"""Models come and go together with what was made of them: for this processor, and for prompts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.assistants.composition import states_of
from inglenook.assistants.embedder_choice import made_of, prepare_embedder
from inglenook.errors import Cancelled, InglenookError, StoreError
from inglenook.models.pull import Preparing, Pulled, PullEvent
from inglenook.types import CancelToken, ModelFiles, Notice

if TYPE_CHECKING:
    from inglenook.host import Host
    from inglenook.models.library import Library

__all__ = ["delete_prompts", "make_ready", "prune_models", "remove_model"]


def make_ready(
    events: Iterator[PullEvent], library: Library, host: Host, cache: Path, cancel: CancelToken
) -> Iterator[Any]:
    """The events of a pull; before its end an embedder makes what it makes of its model once.

    That an embedder cannot is told in a notice: the model may be for another machine. Raises
    `Cancelled` if that was asked for meanwhile; the model is here then.
    """
    for event in events:
        if isinstance(event, Pulled):
            yield from _prepared(event.record.name, library, host, cache)
            if cancel.cancelled:
                raise Cancelled(f"Stopped; {event.record.name} is here.")
        yield event


def _prepared(name: str, library: Library, host: Host, cache: Path) -> Iterator[Preparing | Notice]:
    try:
        for prepared in prepare_embedder(library.get(name), host, cache):
            yield Preparing(prepared)
    except InglenookError as error:
        yield Notice("not-prepared", f"{name} cannot be used here yet: {error}")
    # An embedder is a plugin, and so are the libraries that it calls: none may undo a pull.
    except Exception as error:  # noqa: BLE001
        why = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        yield Notice("not-prepared", f"{name} could not be made ready: {why}")


def remove_model(reference: str, library: Library, cache: Path) -> tuple[str, int]:
    """Take a model out of the library, and what was made of it (see `Library.remove`)."""
    made = _made(library, cache)
    name, freed = library.remove(reference)
    left = set().union(*_made(library, cache).values())
    return name, freed + sum(map(_delete, made.get(name, set()) - left))


def prune_models(library: Library, cache: Path) -> int:
    """Delete blobs, and what was made of no model in the library; the bytes that were freed."""
    freed = library.prune()
    used = set().union(*_made(library, cache).values())
    there = sorted((*cache.glob("embedders/*/"), *cache.glob("prompts/*/")))
    return freed + sum(_delete(folder) for folder in there if folder not in used)


def delete_prompts(files: ModelFiles | None, cache: Path) -> int:
    """Delete what runtimes kept of the prompts for a model; the bytes that were freed.

    Nobody can tell from a file whose prompt it is. So those of other assistants of the model go
    too, which costs each of them one reading, and where the model is not known (None), all do.
    Raises `StoreError` if some stays.
    """
    folders = [states_of(files, cache)] if files is not None else list(cache.glob("prompts/*/"))
    freed = sum(map(_delete, folders))
    for folder in folders:
        if folder.exists():
            raise StoreError(
                f"{folder} could not be deleted, where prompts are kept.",
                hint="End what uses it, or delete it by hand, and try again.",
            )
    return freed


def _made(library: Library, cache: Path) -> dict[str, set[Path]]:
    """Where what is made of each model lies, or would; damaged models among them."""
    found = {}
    for record in library.list():
        files = record.model_files()
        found[record.name] = {made_of(files, cache), states_of(files, cache)}
    return found


def _delete(folder: Path) -> int:
    """Delete a folder of files that can be made again; the bytes that this freed."""
    from inglenook.knowledge.upkeep import bytes_under

    before = bytes_under(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return before - bytes_under(folder)
