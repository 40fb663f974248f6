"""Compares the files that a profile names with what the catalog holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inglenook.knowledge.catalog import SourceRow
from inglenook.types import PART_FAILED, Task

__all__ = ["Change", "Retry", "Step", "changed_since", "changes_since", "make_plan", "plan_steps"]


Retry = bool | Collection[str]
"""Whether what failed before is read again: all of it, none, or what lies at these paths."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done with one source.

    Args:
        task: `keep` leaves it, `touch` notes a new time, `still-failed` failed before and has
            not changed since, `unreadable` could not even be opened (`message` says why).
        name: What the source is called.
        path: Where it is.
        known: Its row in the catalog, if there is one.
        size, mtime_ns, sha256: Of the file as it is now.
        reader: The identity of the loader that reads it.
    """

    task: Task
    name: str
    path: Path
    known: SourceRow | None = None
    size: int = 0
    mtime_ns: int = 0
    sha256: str = ""
    reader: str = ""
    message: str = ""


def make_plan(
    files: Iterable[tuple[str, Path]],
    known: Sequence[SourceRow],
    reader_of: Callable[[Path], str],
    *,
    retry_failed: Retry = False,
    unseen: Collection[str] = (),
) -> tuple[Step, ...]:
    """One step for each file and for each source that is gone, in the order of the files.

    `retry_failed` takes what failed before as changed: all of it, or the sources at these paths.
    What lies at or under an `unseen` path is not taken for gone.
    """
    planning = plan_steps(files, known, reader_of, retry_failed=retry_failed, unseen=unseen)
    while True:
        try:
            next(planning)
        except StopIteration as end:
            steps: tuple[Step, ...] = end.value
            return steps


def plan_steps(
    files: Iterable[tuple[str, Path]],
    known: Sequence[SourceRow],
    reader_of: Callable[[Path], str],
    *,
    retry_failed: Retry = False,
    unseen: Collection[str] = (),
) -> Generator[str, None, tuple[Step, ...]]:
    """As `make_plan`, which it returns; yields the name of each file before it is looked at."""
    rows = {row.path: row for row in known}
    listed = list(files)
    here = {str(path) for _, path in listed}
    gone = {row.path: row for row in known if row.path not in here}
    steps = [_unseen(row) for row in gone.values() if _lies_under(row.path, unseen)]
    for step in steps:
        del gone[str(step.path)]
    moved: dict[tuple[str, str], list[SourceRow]] = {}
    for row in gone.values():
        if row.generation:
            moved.setdefault((row.sha256, row.reader), []).append(row)
    for name, path in listed:
        yield name
        retry = retry_failed if isinstance(retry_failed, bool) else str(path) in retry_failed
        step = _step(name, path, rows.get(str(path)), reader_of(path), retry_failed=retry)
        if step.task == "add" and step.known is None:
            step = _renamed(step, gone, moved)
        steps.append(step)
    steps += [Step("remove", row.name, Path(row.path), row) for row in gone.values()]
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class Change:
    """A source that is not as it was read; `was` is its old name if it seems to be renamed."""

    name: str
    was: str = ""


def changes_since(
    files: Iterable[tuple[str, Path]], known: Sequence[SourceRow]
) -> tuple[Change, ...]:
    """The sources that are new, gone, renamed, or of another size or time. Reads no file.

    One that is gone and one of the same size and time that is new are taken for a rename.
    """
    listed = list(files)
    rows = {row.path: row for row in known}
    gone = dict(rows)
    for _, path in listed:
        gone.pop(str(path), None)
    moved: dict[tuple[int, int], list[SourceRow]] = {}
    for row in gone.values():
        moved.setdefault((row.size, row.mtime_ns), []).append(row)
    changes = []
    for name, path in listed:
        seen, known_as = _seen(path), rows.get(str(path))
        if known_as is None and seen is not None and moved.get(seen):
            old = moved[seen].pop(0)
            del gone[old.path]
            changes.append(Change(name, old.name))
        elif known_as is None or seen != (known_as.size, known_as.mtime_ns):
            changes.append(Change(name))
    return (*changes, *(Change(row.name) for row in gone.values()))


def changed_since(files: Iterable[tuple[str, Path]], known: Sequence[SourceRow]) -> tuple[str, ...]:
    """The names of the sources that `changes_since` finds."""
    return tuple(change.name for change in changes_since(files, known))


def _seen(path: Path) -> tuple[int, int] | None:
    """The size and time of a file; None if it cannot be looked at."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _step(name: str, path: Path, row: SourceRow | None, reader: str, *, retry_failed: bool) -> Step:
    try:
        stat = path.stat()
        size, mtime_ns = stat.st_size, stat.st_mtime_ns
        if (
            row is not None
            and row.generation
            and not row.failed_sha256
            and not (retry_failed and _has_failed_parts(row))
            and (row.size, row.mtime_ns, row.reader) == (size, mtime_ns, reader)
        ):
            return Step("keep", name, path, row, size, mtime_ns, row.sha256, reader)
        sha256 = _sha256(path)
    except OSError as error:
        message = f"{name}: cannot be read: {error.strerror}."
        return Step("unreadable", name, path, row, reader=reader, message=message)
    task: Task = "add"
    if row is not None:
        task = _task_for_known(row, sha256, reader, retry_failed=retry_failed)
    return Step(task, name, path, row, size, mtime_ns, sha256, reader)


def _task_for_known(row: SourceRow, sha256: str, reader: str, *, retry_failed: bool) -> Task:
    if row.failed_sha256 == f"{sha256}:{reader}" and not retry_failed:
        return "still-failed"
    if retry_failed and _has_failed_parts(row):
        return "update"
    if row.generation and row.sha256 == sha256 and row.reader == reader:
        return "touch"
    return "update" if row.generation else "add"


def _lies_under(path: str, places: Collection[str]) -> bool:
    return any(Path(path).is_relative_to(place) for place in places)


def _unseen(row: SourceRow) -> Step:
    """A source in a place that cannot be looked at now may well be there still."""
    message = f"{row.name}: the place where it lies cannot be looked at."
    return Step("unreadable", row.name, Path(row.path), row, message=message)


def _has_failed_parts(row: SourceRow) -> bool:
    return any(notice.code == PART_FAILED for notice in row.notices)


def _renamed(
    step: Step, gone: dict[str, SourceRow], moved: dict[tuple[str, str], list[SourceRow]]
) -> Step:
    """If the same bytes stood elsewhere and are gone from there, the source was renamed."""
    rows = moved.get((step.sha256, step.reader))
    if not rows:
        return step
    row = rows.pop(0)
    del gone[row.path]
    return replace(step, task="rename", known=row)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
