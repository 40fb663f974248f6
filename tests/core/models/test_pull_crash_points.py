"""A pull that dies before any one of its changes to the disk leaves a library that is whole."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import inglenook_model_sources
from inglenook.models.known import Catalog
from inglenook.models.library import Library
from inglenook.models.pull import pull
from inglenook.settings import Settings
from inglenook.testing.host import host_with
from inglenook.types import CancelToken

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")


def pull_parts(library: Library, settings: Settings) -> None:
    host = host_with(sources=inglenook_model_sources)
    for _ in pull("tiny:parts", library, host, settings, CancelToken()):
        pass


def pull_and_die(library: Library, settings: Settings, change: int) -> int:
    """Pull in a process that dies right before its change number `change`; its exit code."""
    child = os.fork()
    if child == 0:
        left = [change]

        def die(event: str, arguments: tuple[object, ...]) -> None:
            written = event == "open" and isinstance(arguments[1], str) and arguments[1] != "rb"
            if event in CHANGES or (written and str(library.root) in str(arguments[0])):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)

        sys.addaudithook(die)
        try:
            pull_parts(library, settings)
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_it_may_die_anywhere(
    tmp_path: Path,
    catalog: Catalog,
    settings: Settings,
    publish: Callable[[str], list[Path]],
    wide_bytes: bytes,
) -> None:
    publish("tiny:parts")
    change, code = 0, 9
    while code == 9:
        library = Library(tmp_path / f"models-{change}", catalog=catalog)
        code = pull_and_die(library, settings, change)
        for record in library.list():
            library.verify(record.name)
        pull_parts(library, settings)
        assert library.get("tiny:parts").files["model"].read_bytes() == wide_bytes
        assert [p.name for p in library.scratch.rglob("*") if p.suffix != ".lock"] == []
        assert len(list((library.root / "blobs").iterdir())) == 2
        change += 1
    assert code == 0
    assert change > 20
