"""Outcomes and events of ingesting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inglenook.types.cancelling import Notice

Outcome = Literal["added", "updated", "unchanged", "renamed", "removed", "quarantined", "failed"]


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


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """Ingestion, step 1: how many sources there are and what will be done with them."""

    sources: int
    to_read: int
    unchanged: int
    to_remove: int


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """Ingestion, while it runs."""

    name: str
    done: int
    total: int
    chunks: int


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Ingestion, last step. `exit_code`: 0 all in, 1 some failed or were cancelled."""

    results: tuple[SourceResult, ...]
    sources: int
    chunks: int
    seconds: float
    cancelled: bool = False
    notices: tuple[Notice, ...] = ()

    @property
    def exit_code(self) -> int:
        bad = any(r.outcome in ("failed", "quarantined") for r in self.results)
        return 1 if bad or self.cancelled else 0


IngestEvent = IngestPlan | IngestProgress | SourceResult | Notice | IngestReport
