"""Where a pull gathers the pieces of one model: a folder that survives an interruption.

What lies there under the name `sha256-<hex>` was checked before it got that name, and a joined
file is checked piece by piece when it is taken up again. A source may keep what it goes on with, as
`fetch/resume-…`. All else is thrown away.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from inglenook.errors import ModelBrokenError
from inglenook.models.reference import Reference
from inglenook.models.storage import PIECE_BYTES, file_sha256, make_durable, move_into_place
from inglenook.types import FetchPart

__all__ = ["Workbench", "clear_leftovers"]

_KEPT = re.compile(r"sha256-[0-9a-f]{64}|joined-.+")
_RESUMABLE = "resume-*"
"""What a source goes on with after an interruption; it checks itself whether that is right."""


class Workbench:
    """The work folder of one model; only the holder of its lock uses it.

    Args:
        scratch: The library's folder for half-done work.
        reference: The model.
        between: Called after each piece of a long operation; may raise, to cancel.
    """

    def __init__(
        self, scratch: Path, reference: Reference, between: Callable[[], None] = lambda: None
    ) -> None:
        digest = hashlib.sha256("/".join(reference.key).encode()).hexdigest()[:8]
        self.folder = scratch / f"{reference.model}-{reference.tag}-{digest}".casefold()
        self._lock_file = scratch / f"{self.folder.name}.lock"
        self._between = between

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Try to hold the folder; whether that worked. The lock ends with the process."""
        from filelock import FileLock, Timeout

        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._lock_file)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    @property
    def target(self) -> Path:
        """Where a source writes the next part: a file that is not there yet."""
        target = self.folder / "fetch" / "part"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        return target

    def finished(self, sha256: str) -> Path | None:
        """A file with that sha256, checked again, or None."""
        path = self.folder / f"sha256-{sha256}"
        if not path.is_file():
            return None
        if file_sha256(path, self._between) == sha256:
            return path
        path.unlink()
        return None

    def accept(self, part: FetchPart, what: str) -> Path:
        """Check what a source wrote and keep it under its sha256; else throw it away.

        Where the part has no sha256, what came is taken.

        Raises `ModelBrokenError` with both sha256.
        """
        target = self.folder / "fetch" / "part"
        actual = file_sha256(target, self._between)
        if part.sha256 and actual != part.sha256:
            shutil.rmtree(target.parent)
            raise ModelBrokenError(
                f"{what} is not the file that was promised: {part.address} should have the "
                f"sha256 {part.sha256} and has {actual}.",
                hint="It was deleted. Pull again, or choose another source with --source.",
            )
        kept = self.folder / f"sha256-{actual}"
        move_into_place(target, kept)
        return kept

    def joined_parts(self, name: str, parts: tuple[FetchPart, ...]) -> int:
        """How many parts the joined file already holds whole; what is behind them is cut off."""
        path = self._joined(name)
        if not path.is_file():
            return 0
        whole, end = 0, 0
        with path.open("r+b") as file:
            for part in parts:
                if self._next_sha256(file.read, part.size_bytes) != part.sha256:
                    break
                whole, end = whole + 1, end + part.size_bytes
            file.truncate(end)
        return whole

    def join(self, name: str, part: Path) -> None:
        """Append a checked part to the joined file and drop it."""
        with part.open("rb") as reader, self._joined(name).open("ab") as writer:
            while piece := reader.read(PIECE_BYTES):
                writer.write(piece)
                self._between()
        make_durable(self._joined(name))
        part.unlink()

    def finish_join(self, name: str, sha256: str, what: str) -> Path:
        """Check the joined file as a whole. Raises `ModelBrokenError` with both sha256."""
        path = self._joined(name)
        actual = file_sha256(path, self._between)
        if actual != sha256:
            path.unlink()
            raise ModelBrokenError(
                f"{what} is not the file that was promised: its parts together should have the "
                f"sha256 {sha256} and have {actual}.",
                hint="It was deleted. Pull again, or choose another source with --source.",
            )
        kept = self.folder / f"sha256-{sha256}"
        move_into_place(path, kept)
        return kept

    @property
    def resumable_bytes(self) -> int:
        """What the disk gives already to files that a source goes on with."""
        kept = (p for p in (self.folder / "fetch").glob(_RESUMABLE) if p.is_file())
        return sum(getattr(s := p.stat(), "st_blocks", s.st_size // 512) * 512 for p in kept)

    @property
    def kept_bytes(self) -> int:
        """The size of all that is kept."""
        return sum(p.stat().st_size for p in self.folder.glob("*-*") if p.is_file())

    def clear(self) -> None:
        """Throw everything away."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _joined(self, name: str) -> Path:
        return self.folder / f"joined-{name}"

    def _next_sha256(self, read: Callable[[int], bytes], size: int) -> str:
        digest, left = hashlib.sha256(), size
        while left and (piece := read(min(left, PIECE_BYTES))):
            digest.update(piece)
            left -= len(piece)
            self._between()
        return digest.hexdigest()


def clear_leftovers(scratch: Path, mine: Path, older_than: float) -> None:
    """Delete what interrupted work left in `scratch` and nobody can take up again.

    Args:
        scratch: The library's folder for half-done work.
        mine: The work folder that the caller holds and will look after.
        older_than: Loose files last written before this time (seconds since 1970) go.
    """
    from filelock import FileLock, Timeout

    for path in scratch.iterdir() if scratch.is_dir() else ():
        if path.is_file() and path.suffix != ".lock" and path.stat().st_mtime < older_than:
            path.unlink(missing_ok=True)
        if path == mine or not path.is_dir():
            continue
        try:
            with FileLock(scratch / f"{path.name}.lock", timeout=0):
                _clear_unfinished(path)
        except Timeout:
            continue  # Somebody works there right now.


def _clear_unfinished(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not (path.name == "fetch" and any(path.glob(_RESUMABLE))):
            shutil.rmtree(path)
        elif path.is_dir():
            _clear_all_but_resumable(path)
        elif not _KEPT.fullmatch(path.name):
            path.unlink()


def _clear_all_but_resumable(fetch: Path) -> None:
    kept = set(fetch.glob(_RESUMABLE))
    for path in set(fetch.iterdir()) - kept:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
