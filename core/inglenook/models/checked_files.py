"""Notices when a file of the library changed after its sha256 was last compared.

Beside the manifests lies a small file with size and time of modification of each blob, as they
were at that moment. As long as both are the same, a look at the disk is all that opening a model
costs; where they differ, every byte is compared again, before native code sees any. Without a note
(a store of another program, or the file is gone) small blobs are compared, of large ones the
header is checked, and what is found is noted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from inglenook.errors import ModelBrokenError
from inglenook.models.storage import file_sha256, megabytes, write_atomically
from inglenook.types import ModelFiles

__all__ = ["CheckedFiles", "changed_error", "check_header", "require_as_seen", "seen_now"]

NAME = "checked.json"
_COMPARED_BYTES = 32 * 1024 * 1024
"""Blobs up to this size are compared where there is no note: it takes a moment."""
_LARGEST_NOTES_BYTES = 16 * 1024 * 1024
_LOCK_S = 2.0
_DISTRUSTED = (-1, -1)
_VERSION = 1

Seen = tuple[int, int]
"""Size in bytes and time of modification in nanoseconds."""


class CheckedFiles:
    """What the blobs of a library looked like when they were last compared.

    Args:
        root: The library's folder.
        scratch: Where half-written files lie, on the same disk.
    """

    def __init__(self, root: Path, scratch: Path) -> None:
        self._root = root
        self._scratch = scratch
        self._damaged: dict[tuple[Path, Seen], str] = {}
        """The sha256 of what was found changed: a second look need not read it again."""

    def require_unchanged(
        self,
        reference: str,
        blobs: Iterable[tuple[Path, str]],
        tell: Callable[[str], None],
        mend: str,
    ) -> None:
        """Compare what changed since it was last compared, and note it.

        Args:
            reference: The model, for messages.
            blobs: Each file with the sha256 that it should have.
            tell: Hears that a large file is read again.
            mend: How to have it as it should be, for the error.

        Raises:
            ModelBrokenError: A file is not what it was, or never was what it should be.
        """
        notes = self._notes()
        fresh: dict[Path, Seen] = {}
        for path, sha256 in blobs:
            seen = seen_now(path)
            noted = notes.get(self._key(path))
            if noted == seen:
                continue
            if noted is None and seen[0] > _COMPARED_BYTES:
                check_header(path)
            else:
                actual = self._damaged.get((path, seen), "")
                if not actual:
                    if seen[0] > _COMPARED_BYTES:
                        size = megabytes(seen[0])
                        tell(f"A file of {reference} changed on the disk: comparing all {size}…")
                    actual = file_sha256(path)
                if actual != sha256:
                    self._damaged[path, seen] = actual
                    raise changed_error(path, reference, sha256, actual, mend)
            fresh[path] = seen
        if fresh:
            self._remember(fresh)

    def note(self, paths: Iterable[Path]) -> None:
        """Note files that were compared just now. The caller holds the library's lock.

        Raises `OSError` if it cannot be written.
        """
        self._write({path: seen_now(path) for path in paths})

    def note_compared(self, path: Path, seen: Seen, *, equal: bool) -> None:
        """Note what a comparison of a whole file found; `seen` is how it looked before that."""
        self._remember({path: seen if equal else _DISTRUSTED})

    # --- the file -----------------------------------------------------------------------------

    def _key(self, path: Path) -> str:
        """Where it is in the library, which may be moved as a whole; elsewhere the whole path."""
        inside = path.is_relative_to(self._root)
        return path.relative_to(self._root).as_posix() if inside else str(path)

    def _notes(self) -> dict[str, Seen]:
        """What was noted; nothing if the file is not there or not as it was written."""
        try:
            with (self._root / NAME).open("rb") as file:
                content = json.loads(file.read(_LARGEST_NOTES_BYTES))
            if content["version"] != _VERSION:
                return {}
            return {key: (int(size), int(time)) for key, (size, time) in content["files"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return {}

    def _remember(self, seen: Mapping[Path, Seen]) -> None:
        """Note it if that can be done: a library that is only read is checked each time."""
        from filelock import FileLock, Timeout

        if not self._root.is_dir():
            return
        with suppress(OSError, Timeout):
            self._scratch.mkdir(exist_ok=True)
            with FileLock(self._scratch / "library.lock", timeout=_LOCK_S):
                self._write(seen)

    def _write(self, seen: Mapping[Path, Seen]) -> None:
        notes = {**self._notes(), **{self._key(path): entry for path, entry in seen.items()}}
        kept = {key: entry for key, entry in notes.items() if (self._root / key).exists()}
        data = json.dumps({"version": _VERSION, "files": kept}, indent=1).encode()
        write_atomically(self._root / NAME, data, self._scratch)


def seen_now(path: Path) -> Seen:
    """Size and time of a file. Raises `OSError`."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def check_header(path: Path) -> None:
    """Check lengths and offsets of a file of weights, by what it begins with.

    Raises `ModelBrokenError`. Other files pass.
    """
    with path.open("rb") as file:
        start = file.read(9)
    if start[:4] == b"GGUF":
        from inglenook.models.gguf import read_gguf

        read_gguf(path)
    elif start[8:9] == b"{":
        from inglenook.models.safetensors_layout import check_safetensors

        check_safetensors(path)
    elif start[:1] == b"\x08":  # The first field of an ONNX file: the version of its format.
        from inglenook.models.onnx_layout import external_data

        external_data(path)


def require_as_seen(files: ModelFiles) -> None:
    """Raise `ModelBrokenError` if a file looks other than when it was checked."""
    for name, seen in files.seen.items():
        path = files.files[name]
        try:
            same = seen_now(path) == seen
        except OSError as error:
            raise ModelBrokenError(
                f"{path} of {files.reference} cannot be read: {error.strerror or error}.",
                hint=f"Check it with: nook verify {files.reference}",
            ) from error
        if not same:
            raise ModelBrokenError(
                f"{path} of {files.reference} changed on the disk after it was checked.",
                hint="Start again: it is compared with its sha256 then. Or check it now: "
                f"nook verify {files.reference}",
            )


def changed_error(
    path: Path, reference: str, wanted: str, actual: str, mend: str
) -> ModelBrokenError:
    """The error for a file that has another sha256 than its name says."""
    return ModelBrokenError(
        f"{path} of {reference} has changed: it should have the sha256 {wanted} and has {actual}.",
        hint=mend,
    )
