"""Keeps what a model made of the beginnings of prompts, so that the next start need not read them.

An assistant's prompts all begin alike, with its system prompt. What a model computes from these
tokens (the keys and values of its attention) is the same every time; a runtime writes it to a
file once and reads it back after it has loaded the model.

A file is used only if it is byte by byte the one that was written, for the same model, library,
settings and tokens. Nothing here may cost an answer: whatever the disk refuses is left away.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from inglenook.models.processor import processor
from inglenook.types import ModelFiles

__all__ = ["LEAST_TOKENS", "KeptStates"]

LEAST_TOKENS = 200
"""Shorter beginnings are read again nearly as fast as a file is checked."""

_FORMAT = 1
"""Raise it when what is kept changes."""
_SUFFIX = ".state"
_LONGEST_WRITE_S = 3600
_PIECE = 1 << 20


class KeptStates:
    """The files of one model, in a folder of their own. Several processes may use it at once.

    Args:
        folder: Where they lie; made when the first is kept.
        limit_bytes: What they, and those of other models beside them, may take together. Those
            not used for longest go first.
        files: The model.
        library: The distribution that computes; its version counts too.
        made_with: Whatever else the numbers hang on: runtime, device, options.
    """

    def __init__(
        self,
        folder: Path,
        limit_bytes: int,
        files: ModelFiles,
        library: str,
        made_with: Mapping[str, object],
    ) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        made = sorted((name, str(value)) for name, value in made_with.items())
        stated = (_FORMAT, files.digest, _weights(files), library, _version(library), made)
        self._identity = repr((*stated, processor())).encode()
        self._known: set[str] = set()

    def whole_batches(self, fixed: int, batch: int) -> int:
        """How many of the first tokens to keep: batches must end where they do without.

        The same tokens in other batches round differently, and another answer may come of it.
        """
        return fixed // batch * batch

    def known(self, tokens: Sequence[int]) -> bool:
        """Whether this process has found or kept a file for these tokens."""
        return self._key(tokens) in self._known

    def worth_it(self, tokens: Sequence[int], prompt: Sequence[int]) -> bool:
        """Whether `tokens` can be kept and used for `prompt`, which must begin with them."""
        return LEAST_TOKENS <= len(tokens) < len(prompt) and tuple(prompt[: len(tokens)]) == tuple(
            tokens
        )

    def find(self, tokens: Sequence[int]) -> Path | None:
        """The whole and unchanged file for these tokens; None if there is none."""
        self._make_room()
        for path in self._folder.glob(f"{self._key(tokens)}-*{_SUFFIX}"):
            try:
                if _sha256(path) == path.stem.partition("-")[2]:
                    # A cache that cannot be written is one all the same.
                    with suppress(OSError):
                        os.utime(path)
                    self._known.add(self._key(tokens))
                    return path
                path.unlink()
            except OSError:
                # Another process took it away, or the disk refuses: it is made anew.
                continue
        return None

    def keep(self, tokens: Sequence[int], write: Callable[[Path], None]) -> None:
        """Have `write` make the file for these tokens; nothing is kept if that fails.

        `write` gets a path in the folder, whose name is of letters, digits, `-` and `.`, and
        raises `OSError` or `RuntimeError` where it cannot.
        """
        key = self._key(tokens)
        fresh = self._folder / f"new-{uuid.uuid4().hex}{_SUFFIX}"
        # What was too large once is not written again with every start.
        too_large = self._folder / f"{key}-over-{self._limit_bytes}"
        self._known.add(key)
        try:
            if too_large.exists():
                return
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write(fresh)
            fresh.chmod(0o600)
            if fresh.stat().st_size <= self._limit_bytes:
                fresh.replace(self._folder / f"{key}-{_sha256(fresh)}{_SUFFIX}")
            else:
                too_large.touch(mode=0o600)
            self._make_room()
        except (OSError, RuntimeError):
            # It costs the next start some seconds, nobody an answer.
            return
        finally:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)

    def _make_room(self) -> None:
        """Delete the files that were not used for longest, and what a crash left."""
        kept: list[tuple[float, int, Path]] = []
        for path in self._folder.parent.glob(f"*/*{_SUFFIX}"):
            try:
                found = path.stat()
                old = time.time() - found.st_mtime > _LONGEST_WRITE_S
                if path.name.startswith("new-"):
                    if old:
                        path.unlink()
                    continue
            except OSError:
                continue
            kept.append((found.st_mtime, found.st_size, path))
        taken = sum(size for _, size, _ in kept)
        for _, size, path in sorted(kept):
            if taken <= self._limit_bytes:
                return
            # One that another process uses cannot be deleted everywhere.
            with suppress(OSError):
                path.unlink(missing_ok=True)
                taken -= size

    def _key(self, tokens: Sequence[int]) -> str:
        digest = hashlib.sha256(self._identity)
        digest.update(array("q", tokens).tobytes())
        return digest.hexdigest()[:32]


def _weights(files: ModelFiles) -> list[tuple[str, int, int]]:
    """Name, size and time of each file; those that cannot be looked at are like no others."""
    found = []
    for name, path in sorted(files.files.items()):
        try:
            state = path.stat()
        except OSError:
            return [(name, -1, time.time_ns())]
        found.append((name, state.st_size, state.st_mtime_ns))
    return found


def _version(distribution: str) -> str:
    """Of a library; "" for one that was not installed as a distribution of this name."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
