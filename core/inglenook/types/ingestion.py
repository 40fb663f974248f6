"""Outcomes and events of ingesting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from inglenook.types.cancelling import Notice

Outcome = Literal["added", "updated", "unchanged", "renamed", "removed", "quarantined", "failed"]
Task = Literal["add", "update", "keep", "touch", "rename", "remove", "still-failed", "unreadable"]

PART_FAILED = "part-failed"
"""The code of a notice about a part of a source (of an archive, a message) that was not read."""

EMPTY = "empty"
"""The code of a notice about a source that is in order and holds nothing to read."""

_ENCRYPTED = ": encrypted"


def encrypted_part(notice: Notice) -> str:
    """The file in the file that was not read because it needs a password; "" for other notices."""
    part, found, _ = notice.message.partition(_ENCRYPTED)
    return part if found and notice.code == PART_FAILED else ""


def without_name(name: str, message: str) -> str:
    """What a message says of something, where its name is shown beside the message."""
    if message.startswith(f"{name} "):
        return f"it{message.removeprefix(name)}"
    return message.removeprefix(f"{name}: ")


def has_encrypted_part(notices: Iterable[Notice]) -> bool:
    """Whether a file in the file was not read because it needs a password."""
    return any(map(encrypted_part, notices))


@dataclass(frozen=True, slots=True)
class SourceResult:
    """How one source ended."""

    name: str
    outcome: Outcome
    reason: str = ""
    message: str = ""
    chunks: int = 0
    embedded: int = 0
    notices: tuple[Notice, ...] = ()
    path: str = ""

    @property
    def needs_password(self) -> bool:
        """Whether it, or a file in it, is encrypted and was not opened."""
        if self.outcome in ("failed", "quarantined"):
            return self.reason == "encrypted"
        return has_encrypted_part(self.notices)

    @property
    def is_whole(self) -> bool:
        """Whether all of it was read, its parts too."""
        if self.outcome in ("failed", "quarantined"):
            return False
        return not any(notice.code == PART_FAILED for notice in self.notices)


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """What will be done with one source.

    Args:
        task: `add` and `update` read it; `keep` and `touch` leave what was read; `still-failed`
            failed before and has not changed; `unreadable` could not be opened.
    """

    name: str
    task: Task
    path: str = ""


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """Ingestion, step 1: how many sources there are and what will be done with them.

    `steps` lists every source whose task is not `keep` or `touch`; `notices` tell what is left out.
    """

    sources: int
    to_read: int
    unchanged: int
    to_remove: int
    steps: tuple[PlannedSource, ...] = ()
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """Ingestion, while it runs.

    Args:
        name: The source that was worked on last.
        done: How many of the sources that are to be read ended.
        total: How many are to be read.
        chunks: Chunks written so far in this run.
        failed: Sources that failed or were held back so far.
        seconds: Since the run began.
        bytes_done: Of the sources that ended.
        bytes_total: Of all sources that are to be read.
    """

    name: str
    done: int
    total: int
    chunks: int
    failed: int = 0
    seconds: float = 0.0
    bytes_done: int = 0
    bytes_total: int = 0


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Ingestion, last step. `exit_code`: 0 all in, 1 some failed or were cancelled.

    Args:
        results: How each source ended, in the order of the plan.
        sources: How many sources can be asked about now.
        chunks: How many chunks they have.
        seconds: How long it took.
        cancelled: It was stopped before the end.
        notices: What concerns no single source.
        stage_seconds: Wall time of the stages, which overlap: `embed`, `split` (filters and
            lexical terms too), `write`, and `wait` for readers.
    """

    results: tuple[SourceResult, ...]
    sources: int
    chunks: int
    seconds: float
    cancelled: bool = False
    notices: tuple[Notice, ...] = ()
    stage_seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        bad = not all(result.is_whole for result in self.results)
        return 1 if bad or self.cancelled else 0


@dataclass(frozen=True, slots=True)
class KnowledgeStatus:
    """What a knowledge base holds and whether it is in order.

    Args:
        sources: Sources that can be asked about.
        chunks: Their chunks.
        failed: (name, reason, message) of each source that could not be read or was held back, and
            of each part of one, with the reason `part failed`.
        changed: Names of sources that are new, gone, or changed since they were read.
        renamed: (name, old name) of those of them that only moved.
        outdated: It was made with another embedder, splitter or filter than the profile names now.
        catalog_bytes: The catalog on disk.
        store_bytes: The vector store on disk; 0 if there is none.
        store_vectors: Vectors in the store; -1 if there is none or another process owns it.
        embeddings_bytes: The cache of embeddings, which all assistants share.
        problems: What is wrong with the files, one line each; empty if all is well.
        begun: The first reading was begun and has not ended, so nothing can be asked yet,
        kept: but so many sources are read, and will not be read again.
        notices: Advice: what would serve these documents better.
    """

    sources: int
    chunks: int
    failed: tuple[tuple[str, str, str], ...] = ()
    changed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    outdated: bool = False
    catalog_bytes: int = 0
    store_bytes: int = 0
    store_vectors: int = -1
    embeddings_bytes: int = 0
    problems: tuple[str, ...] = ()
    begun: bool = False
    kept: int = 0
    notices: tuple[Notice, ...] = ()


IngestEvent = IngestPlan | IngestProgress | SourceResult | Notice | IngestReport
