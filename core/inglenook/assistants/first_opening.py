"""Opens a stranger's graph in a process of its own, before this one opens it for the first time.

Runtimes live in processes of their own; embedders and rerankers run here, because each text would
otherwise cross a border. Their libraries read ONNX graphs in native code, which a damaged graph
may crash or stop for ever. So a graph that no catalog vouches for is opened elsewhere once. That it
went well is noted with size and time of its files; when these change, it is opened there again.
Weights in the safetensors form need no such trial: their header is checked here, and the graph
around them is our own or the library's.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.errors import ModelBrokenError

if TYPE_CHECKING:
    from inglenook.host import Registered
    from inglenook.models.known import Catalog
    from inglenook.settings import Paths
    from inglenook.types import ModelFiles

__all__ = ["require_opens"]

LONGEST_S = 120.0
_ONNX = "-onnx"
_BLOB = "sha256-"


def require_opens(
    entry: Registered,
    files: ModelFiles | None,
    options: dict[str, Any],
    catalog: Catalog,
    paths: Paths,
    longest_s: float = LONGEST_S,
) -> None:
    """Let a process of its own open a model that this one has not opened before.

    Args:
        entry: The embedder or reranker.
        files: Its model; None if it has none.
        options: What it is made with.
        catalog: Vouches for the files that it knows.
        paths: Where it is noted, and where the library's last words go.
        longest_s: Seconds that opening may take.

    Raises:
        ModelBrokenError: The library crashed on it, or did not come back.
        InglenookError: What the part itself says of a model that it cannot open.
    """
    if files is None or not files.format.endswith(_ONNX) or _vouched_for(files, catalog):
        return
    note = paths.cache / "opened" / _name(entry, files)
    if note.exists():
        return
    from inglenook.processes.worker_process import (
        WorkerGoneError,
        WorkerProcess,
        WorkerTimeoutError,
    )

    log = paths.logs / f"{entry.factory.name}.log"
    process = WorkerProcess(entry.factory.load, (files, options), log)
    try:
        process.call_within(longest_s, "open")
    except WorkerGoneError as error:
        raise _broken(files, f"its library crashed on it ({error.reason})", log) from error
    except WorkerTimeoutError as error:
        process.kill()
        raise _broken(files, f"it was not open after {longest_s:g} s", log) from error
    finally:
        process.close()
    # A cache that cannot be written only costs another trial the next time.
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{files.reference}\n", "utf-8")


def _vouched_for(files: ModelFiles, catalog: Catalog) -> bool:
    """Whether all files are those of the catalog; the library has compared them with it."""
    known = {_BLOB + file.sha256 for model in catalog.models for file in model.files}
    return all(path.name in known for path in files.files.values())


def _name(entry: Registered, files: ModelFiles) -> str:
    """What stands for these very files, opened by this very part."""
    seen = {
        name: [str(path), path.stat().st_size, path.stat().st_mtime_ns]
        for name, path in files.files.items()
    }
    facts = [entry.factory.load, entry.factory.version, seen]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _broken(files: ModelFiles, why: str, log: Path) -> ModelBrokenError:
    return ModelBrokenError(
        f"{files.reference} cannot be used: {why}.",
        hint=f"Copy or fetch it anew. What the library said is in {log}.",
    )
