"""What takes room on the disk, what of it is of no use any more, and which command frees it."""

from __future__ import annotations

import shlex
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from inglenook.assistants.composition import states_of
from inglenook.assistants.embedder_choice import made_of
from inglenook.assistants.importing import PARTIAL
from inglenook.errors import InglenookError
from inglenook.knowledge.upkeep import bytes_of, bytes_under, size_of_database
from inglenook.models.linked_folder import FOLDERS
from inglenook.models.record import ModelRecord

if TYPE_CHECKING:
    from inglenook.assistants.installation import Installation
    from inglenook.models.library import Library

__all__ = ["DiskUsage", "Room", "disk_usage"]

Kind = Literal[
    "model",
    "model elsewhere",
    "unused blobs",
    "made of a model",
    "unfinished pull",
    "unfinished import",
    "knowledge",
    "knowledge without a name",
    "embedding cache",
    "imported assistant",
    "conversations",
    "evaluations",
    "logs",
    "other",
]
_SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Room:
    """Something that takes room.

    Args:
        kind: What it is.
        name: Which one; "" where there is only one.
        path: Where it lies; of a model the store.
        size_bytes: The room that it takes. Of a model all of its blobs, shared ones too.
        shared_bytes: Of these, what other models use as well.
        shared_with: The names of these models.
        unused_bytes: What is of no use and can go without loss.
        command: What frees the unused bytes, or all of it; "" for nothing.
        note: What else to know.
    """

    kind: Kind
    name: str
    path: Path
    size_bytes: int
    shared_bytes: int = 0
    shared_with: tuple[str, ...] = ()
    unused_bytes: int = 0
    command: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """All that takes room.

    Args:
        total_bytes: Everything in the folders of the installation, each file once.
        unused_bytes: What of it can go without loss.
        rooms: What it is made of, and models of other programs, which are not in the total.
    """

    total_bytes: int
    unused_bytes: int
    rooms: tuple[Room, ...]


def disk_usage(installation: Installation) -> DiskUsage:
    """Measure the installation; nothing is changed."""
    paths, library = installation.paths, installation.library
    own = {paths.config, paths.data, paths.cache}
    tops = [top for top in own if not any(top != o and top.is_relative_to(o) for o in own)]
    # Links to blobs take no room of their own.
    total = sum(bytes_under(top) for top in tops) - bytes_under(library.root / FOLDERS)
    rooms = [
        *_models(library),
        *_made(library, paths.cache),
        *_unfinished(library.scratch),
        *_knowledge(installation),
        *_single(installation),
        *_imported(installation),
    ]
    counted = sum(room.size_bytes for room in rooms if room.kind not in _APART)
    counted += _bytes_of_blobs(library)
    rooms.append(Room("other", "", paths.data, max(0, total - counted)))
    kept = tuple(room for room in rooms if room.size_bytes)
    return DiskUsage(total, sum(room.unused_bytes for room in kept), kept)


_APART = ("model", "unused blobs", "model elsewhere")
"""What lies in the blobs, which are counted as one, and what is not in our folders."""


# --- models ---------------------------------------------------------------------------------------


def _bytes_of_blobs(library: Library) -> int:
    return bytes_under(library.root / "blobs") + bytes_under(library.root / "manifests")


def _models(library: Library) -> Iterator[Room]:
    """Each model, and the blobs that no model names."""
    blobs: dict[str, dict[str, int]] = {}
    names: dict[str, ModelRecord] = {}
    broken = False
    for record in library.list():
        if record.problem:
            broken = broken or not record.read_only
            continue
        stored = _blobs_of(library, record)
        if stored is None:
            broken = broken or not record.read_only
        elif record.read_only:
            size = sum(stored.values())
            note = "in another program's store; not in the total"
            yield Room("model elsewhere", record.name, record.root, size, note=note)
        else:
            blobs[record.name], names[record.name] = stored, record
    users = Counter(sha256 for stored in blobs.values() for sha256 in stored)
    for name, stored in blobs.items():
        shared = {sha256: size for sha256, size in stored.items() if users[sha256] > 1}
        others = (o for o, theirs in blobs.items() if o != name and shared.keys() & theirs.keys())
        yield Room(
            "model",
            name,
            names[name].root,
            sum(stored.values()),
            shared_bytes=sum(shared.values()),
            shared_with=tuple(others),
            command=f"nook rm {name}",
        )
    folder = library.root / "blobs"
    found = {path.name[7:]: bytes_of(path) for path in folder.glob("sha256-*")}
    unused = sum(size for sha256, size in found.items() if sha256 not in users)
    note = "a model is damaged, so nothing is safe to delete: see nook list" if broken else ""
    free = 0 if broken else unused
    command = "" if broken else "nook prune"
    yield Room("unused blobs", "", folder, unused, unused_bytes=free, command=command, note=note)


def _blobs_of(library: Library, record: ModelRecord) -> dict[str, int] | None:
    """sha256 -> size of a model's blobs that are there; None if its manifest cannot be read."""
    try:
        manifest = library.manifest(record)
    except InglenookError:
        return None
    found = {}
    for layer in manifest.blobs:
        path = record.root / "blobs" / f"sha256-{layer.sha256}"
        if size := bytes_of(path):
            found[layer.sha256] = size
    return found


def _made(library: Library, cache: Path) -> Iterator[Room]:
    """What was made of models, for this processor and of prompts; of models that are gone too."""
    owners: dict[Path, str] = {}
    for record in library.list():
        files = record.model_files()
        owners.setdefault(made_of(files, cache), record.name)
        owners.setdefault(states_of(files, cache), record.name)
    for folder in (*sorted(cache.glob("embedders/*/")), *sorted(cache.glob("prompts/*/"))):
        size, owner = bytes_under(folder), owners.get(folder)
        if owner is None:
            yield Room(
                "made of a model",
                folder.name,
                folder,
                size,
                unused_bytes=size,
                command="nook prune",
                note="of a model outside the library, or one that is gone",
            )
        else:
            yield Room("made of a model", owner, folder, size, note="made again when it is needed")


def _unfinished(scratch: Path) -> Iterator[Room]:
    for folder in sorted(scratch.glob("*/")):
        size = bytes_under(folder)
        if folder.name.startswith("import-"):
            yield _unfinished_import(folder, size)
        else:
            note = "the next pull of it goes on from there; without a use for it delete the folder"
            yield Room("unfinished pull", folder.name, folder, size, note=note)


def _unfinished_import(folder: Path, size: int) -> Room:
    note, command = "unless it is running", "nook prune"
    return Room(
        "unfinished import",
        folder.name,
        folder,
        size,
        unused_bytes=size,
        command=command,
        note=note,
    )


# --- knowledge ------------------------------------------------------------------------------------


def _knowledge(installation: Installation) -> Iterator[Room]:
    """The knowledge base of each assistant, and those that belong to no name."""
    names: dict[Path, list[str]] = {}
    for record in installation.assistants():
        if record.path.name.endswith(".json") and record.problem:
            continue  # A damaged registration names no Assistantfile.
        names.setdefault(installation.knowledge_folder(record.path.resolve()), []).append(
            record.name
        )
    for folder in sorted(installation.paths.knowledge.glob("*/")):
        size = bytes_under(folder)
        if folder in names:
            name = names[folder][0]
            unused = _unused_in(folder)
            also = f"also called {', '.join(names[folder][1:])}" if names[folder][1:] else ""
            command = f"nook kb vacuum {name}" if unused else f"nook rm {name}"
            yield Room("knowledge", name, folder, size, 0, (), unused, command, also)
            continue
        delete = f"rm -r {shlex.quote(str(folder))}"
        nobody = "no registered assistant has it"
        if _is_away(folder):
            # Not proof enough to call it useless: what a drive holds is gone while that is out.
            note = (
                f"{nobody}, and its documents are not where they were; connect their drive, or if "
                f"they are gone for good delete it with: {delete}"
            )
            yield Room("knowledge without a name", folder.name, folder, size, note=note)
        else:
            note = f"{nobody}; of an Assistantfile that is used by its path"
            yield Room(
                "knowledge without a name", folder.name, folder, size, command=delete, note=note
            )


def _unused_in(folder: Path) -> int:
    """What a vacuum would surely free: empty pages, and what was set aside."""
    try:
        current = folder / (folder / "current").read_text("utf-8").strip()
    except OSError:
        return 0
    aside = [*folder.glob("store.bad-*"), *folder.glob("store.old")]
    unused = sum(bytes_under(path) for path in aside)
    try:
        with closing(_as_it_lies(current)) as connection:
            (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
    except sqlite3.Error:
        return unused
    return int(unused + pages * size)


def _is_away(folder: Path) -> bool:
    """Whether none of the documents of a knowledge base is where it was."""
    for catalog in folder.glob("catalog-*.sqlite"):
        try:
            with closing(_as_it_lies(catalog)) as connection:
                paths = connection.execute("SELECT path FROM sources LIMIT ?", (_SAMPLE,))
                if any(Path(path).exists() for (path,) in paths):
                    return False
        except (sqlite3.Error, ValueError):
            return False  # What cannot be read is not called useless.
    return True


def _as_it_lies(database: Path) -> sqlite3.Connection:
    """Open a database without making the files that SQLite keeps beside one in use.

    Raises `sqlite3.OperationalError` for one that is in use, or was left in the middle of a write.
    """
    log = database.with_name(f"{database.name}-wal")
    if log.is_file() and log.stat().st_size:
        raise sqlite3.OperationalError("it is in use")
    return sqlite3.connect(f"{database.as_uri()}?mode=ro&immutable=1", uri=True)


# --- the rest -------------------------------------------------------------------------------------


def _single(installation: Installation) -> Iterator[Room]:
    """What there is once."""
    paths = installation.paths
    note = "all assistants share it; nook kb vacuum drops of it what no knowledge base uses"
    cache = size_of_database(paths.embeddings_file) if paths.data.is_dir() else 0
    yield Room("embedding cache", "", paths.embeddings_file, cache, note=note)
    conversations = paths.data / "conversations"
    yield Room("conversations", "", conversations, bytes_under(conversations))
    for folder in (paths.data / "evaluation", paths.cache / "evaluation"):
        yield Room("evaluations", "", folder, bytes_under(folder), note="of nook eval")
    yield Room("logs", "", paths.logs, bytes_under(paths.logs), note="may be deleted at any time")


def _imported(installation: Installation) -> Iterator[Room]:
    named = {record.path.resolve().parent: record.name for record in installation.assistants()}
    for folder in sorted((installation.paths.data / "imported").glob("*/")):
        size = bytes_under(folder)
        if folder.name.startswith(PARTIAL):
            yield _unfinished_import(folder, size)
        elif folder.resolve() in named:
            yield Room("imported assistant", named[folder.resolve()], folder, size)
        else:
            note = "no assistant has it any more; it may hold documents that are nowhere else"
            command = f"rm -r {shlex.quote(str(folder))}"
            yield Room("imported assistant", folder.name, folder, size, command=command, note=note)
