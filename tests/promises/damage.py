"""Damages model files, byte by byte and cut by cut, and holds what comes of it to the promise.

Whatever was done to a file, the program refuses it in one or two lines or serves; it does not die,
does not wait for ever, and does not grow.
"""

from __future__ import annotations

import ctypes
import gc
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from inglenook.errors import InglenookError
from inglenook.host import Host
from inglenook.models.gguf import _Header
from inglenook.models.local import files_from_path
from inglenook.models.worker import RuntimeWorker
from inglenook.types import CancelToken, Done, Failed, GenerateRequest, ModelFiles, RuntimeOptions

SEED = 20_261
LONGEST_S = 120.0
"""A whole model is open after one second, but a busy machine may take twenty."""
MOST_GROWTH_BYTES = 50_000_000


@dataclass(frozen=True)
class Damage:
    """What is done to a file: a byte of it is changed, or it ends there."""

    kind: str
    place: int

    @contextmanager
    def done_to(self, path: Path, whole: bytes) -> Iterator[None]:
        if self.kind == "flip":
            self._write(path, whole[self.place] ^ 0xFF)
        else:
            os.truncate(path, self.place)
        try:
            yield
        finally:
            if self.kind == "flip":
                self._write(path, whole[self.place])
            else:
                with path.open("r+b") as file:
                    file.seek(self.place)
                    file.write(whole[self.place :])

    def _write(self, path: Path, byte: int) -> None:
        with path.open("r+b") as file:
            file.seek(self.place)
            file.write(bytes((byte,)))


def damages(regions: list[tuple[int, int]], size: int, flips: int, cuts: int) -> list[Damage]:
    """Seeded: the same number of changed bytes in each region, cuts anywhere and near the front."""
    chance = random.Random(SEED)
    flipped = [Damage("flip", chance.randrange(*regions[n % len(regions)])) for n in range(flips)]
    front = max(end for _, end in regions[:-1]) if len(regions) > 1 else size
    ends = [chance.randrange(size if n % 2 else front) for n in range(cuts)]
    return [*flipped, *(Damage("cut", end) for end in ends)]


def gguf_regions(path: Path) -> list[tuple[int, int]]:
    """Where header, metadata, tensor table and weights lie."""
    data, size = path.read_bytes()[: 1 << 24], path.stat().st_size
    header = _Header(path, data, size)
    tensors = header._read_start()
    metadata_end = header._at
    header._read_tensors(tensors)
    return [(0, 24), (24, metadata_end), (metadata_end, header._at), (header._at, size)]


def clear(error: InglenookError) -> str:
    """The error is of one or two lines that a person can use."""
    lines = str(error).splitlines()
    assert 1 <= len(lines) <= 2, error
    assert "Traceback" not in str(error)
    assert error.message.endswith("."), error
    return "refused"


@contextmanager
def within_deadline(end: Callable[[], None]) -> Iterator[None]:
    """Whatever takes too long is ended, and then fails the test."""
    timer = threading.Timer(LONGEST_S, end)
    timer.start()
    began = time.monotonic()
    try:
        yield
    finally:
        timer.cancel()
    assert time.monotonic() - began < LONGEST_S, "it took too long"


def asked(files: ModelFiles, log: Path) -> str:
    """Open a model as the program does, and have it write four tokens."""
    entry = Host().able_to_open("runtime", files.format)[0]
    worker = RuntimeWorker(entry.factory.load, files, RuntimeOptions(context_length=256), log)
    try:
        with within_deadline(worker.close):
            ids = tuple(worker.tokenize("The office opens at", special=False))
            request = GenerateRequest(tokens=ids, max_tokens=4, parameters={"temperature": 0.0})
            end = list(worker.generate(request, CancelToken()))[-1]
            if isinstance(end, Failed):
                assert end.message
                return "refused"
            assert isinstance(end, Done), end
            return "served"
    except InglenookError as error:
        return clear(error)
    finally:
        worker.close()


def memory_bytes() -> int:
    """What this process holds, without what its allocator only keeps for later."""
    gc.collect()
    with suppress(AttributeError, OSError):  # Only glibc has it, and keeps as much.
        ctypes.CDLL(None).malloc_trim(0)
    return int(psutil.Process().memory_info().rss)


def try_all(
    path: Path, regions: list[tuple[int, int]], flips: int, cuts: int, attempt: Callable[[], str]
) -> Counter[str]:
    """Damage a file in turn; what came of it, with the memory of this process held."""
    whole = path.read_bytes()
    found = damages(regions, len(whole), flips, cuts)
    outcomes: Counter[str] = Counter()
    assert attempt() == "served"  # What the first time loads does not count.
    before = memory_bytes()
    for damage in found:
        with damage.done_to(path, whole):
            try:
                outcomes[f"{damage.kind} {attempt()}"] += 1
            except AssertionError as error:
                raise AssertionError(f"{path.name}, {damage}: {error}") from error
    grown = memory_bytes() - before
    print(path.name, dict(sorted(outcomes.items())), f"{grown / 1e6:.1f} MB")
    assert grown < MOST_GROWTH_BYTES
    assert path.read_bytes() == whole
    return outcomes


def tried(path: Path, attempt: Callable[[ModelFiles], str]) -> str:
    try:
        return attempt(files_from_path(path))
    except InglenookError as error:
        return clear(error)
