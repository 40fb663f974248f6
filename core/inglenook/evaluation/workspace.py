"""Puts the documents of a data set on disk, so that the product's own ingestion reads them.

A workspace is a folder of the cache. It holds the documents as text files and everything that is
made of them; models, plugins and configuration stay the user's own.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath

from inglenook.errors import StoreError
from inglenook.evaluation.questions import EvaluationSet, SetDocument
from inglenook.models.storage import write_atomically
from inglenook.profiles.profile import FileRule, Profile
from inglenook.profiles.writer import write
from inglenook.settings import Paths, Settings

__all__ = ["Workspace", "workspace_settings"]

_FORMAT = 1
_FILES_IN_A_FOLDER = 1000
_NO_MODEL = "./no-model"
"""Stands in FROM until a model is chosen; no assistant can have this name."""


@dataclass(frozen=True, slots=True)
class _WorkspacePaths(Paths):
    """The user's own folders, but what is made of documents goes into the workspace."""

    workspace: Path

    @property
    def knowledge(self) -> Path:
        return self.workspace / "knowledge"

    @property
    def embeddings_file(self) -> Path:
        return self.workspace / "embeddings.sqlite"


def workspace_settings(settings: Settings, workspace: Path) -> Settings:
    """The same settings with the knowledge in another folder."""
    paths = settings.paths
    return replace(
        settings, paths=_WorkspacePaths(paths.config, paths.data, paths.cache, workspace)
    )


class Workspace:
    """The folder of one data set.

    Args:
        cache: The cache folder of the installation.
        dataset: A set with documents.
    """

    def __init__(self, cache: Path, dataset: EvaluationSet) -> None:
        assert dataset.documents is not None, "an assistant's own documents need no workspace"
        self._documents = dataset.documents
        name = re.sub(r"\W+", "-", dataset.name).strip("-")[:40] or "set"
        self._fingerprint = sha256(
            f"{_FORMAT} {dataset.documents_fingerprint}".encode()
        ).hexdigest()
        self.folder = cache / "evaluation" / f"{name}-{self._fingerprint[:12]}"

    def prepare(self, *, fresh: bool = False) -> None:
        """Write the documents, unless they are there. `fresh` deletes first what is there.

        Raises `StoreError` if the disk refuses or another process is at it.
        """
        from filelock import FileLock, Timeout

        self.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder.with_suffix(".lock"))
        try:
            with lock.acquire(timeout=0):
                if fresh and self.folder.exists():
                    shutil.rmtree(self.folder)
                if not self._is_written:
                    self._write()
        except Timeout as error:
            raise StoreError(
                "Another process is preparing the documents of this data set.",
                hint="Try again when it is done.",
            ) from error
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be written: {error.strerror}.",
                hint="Free some space or check its permissions, then run it again.",
            ) from error

    @property
    def _marker(self) -> Path:
        return self.folder / "documents.json"

    @property
    def _is_written(self) -> bool:
        try:
            return bool(json.loads(self._marker.read_text("utf-8")) == self._fingerprint)
        except (OSError, ValueError):
            return False

    def _write(self) -> None:
        target = self.folder / "documents"
        shutil.rmtree(target, ignore_errors=True)
        for number, document in enumerate(self._documents):
            path = target / _file_name(number)
            if number % _FILES_IN_A_FOLDER == 0:
                path.parent.mkdir(parents=True, exist_ok=True)
            # As bytes: what a line ends with belongs to the text.
            path.write_bytes(document.whole.encode("utf-8", "replace"))
        # Last, so that a half-written folder is never taken for a whole one.
        write_atomically(self._marker, json.dumps(self._fingerprint).encode(), self.folder)

    def profile_file(self, embedder: str | None) -> Path:
        """An Assistantfile over the documents; one for each embedder, so each keeps its index."""
        key = sha256((embedder or "").encode()).hexdigest()[:8]
        path = self.folder / f"{key}.assistantfile"
        profile = Profile(models=(_NO_MODEL,), files=(FileRule("./documents"),))
        if not path.exists():
            write_atomically(path, write(profile).encode(), self.folder)
        return path

    def document(self, source: str) -> SetDocument | None:
        """The document of a source, by the name that its passages carry."""
        stem = PurePosixPath(source).stem
        number = int(stem) if stem.isascii() and stem.isdigit() else -1
        return self._documents[number] if 0 <= number < len(self._documents) else None


def _file_name(number: int) -> str:
    return f"{number // _FILES_IN_A_FOLDER:05}/{number:08}.txt"
