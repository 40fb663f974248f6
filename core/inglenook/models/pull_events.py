"""What a pull tells on its way."""

from __future__ import annotations

from dataclasses import dataclass

from inglenook.errors import Cancelled
from inglenook.models.record import ModelRecord
from inglenook.types import CancelToken, FetchProgress, Notice

__all__ = ["Preparing", "PullEvent", "PullPlan", "Pulled", "Stopper", "Verifying"]


@dataclass(frozen=True, slots=True)
class PullPlan:
    """What is about to be fetched, and from where. Nothing of it was contacted yet.

    Args:
        reference: The model.
        scheme: The model source: `pip`, `file`, ….
        hosts: The hosts that it will speak to; empty for none.
        licence: The SPDX name of the licence of the weights; "" if unknown.
        size_bytes: The size of the model on disk.
        download_bytes: What is still to come from this source.
        parts: How many parts are still to come.
        kept_parts: How many parts an earlier pull has left, checked.
    """

    reference: str
    scheme: str
    hosts: tuple[str, ...]
    licence: str
    size_bytes: int
    download_bytes: int
    parts: int
    kept_parts: int


@dataclass(frozen=True, slots=True)
class Verifying:
    """A file or part is being compared with its sha256."""

    reference: str
    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Preparing:
    """The model is here; what its embedder makes of it once is being made."""

    reference: str


@dataclass(frozen=True, slots=True)
class Pulled:
    """The end: the model is visible in the library.

    Args:
        record: The model.
        already_there: Nothing had to be done.
        fetched_parts: How many parts were fetched this time.
    """

    record: ModelRecord
    already_there: bool = False
    fetched_parts: int = 0


PullEvent = PullPlan | Notice | FetchProgress | Verifying | Preparing | Pulled
"""A pull ends in exactly one `Pulled`, or raises. A `PullPlan`, or a `Notice` that names the host,
precedes every contact."""


class Stopper:
    """Raises `Cancelled` between the pieces of a long operation once the token says so."""

    def __init__(self, cancel: CancelToken) -> None:
        self._cancel = cancel

    def __call__(self) -> None:
        if self._cancel.cancelled:
            raise Cancelled("The pull was stopped.", hint="Pull again to go on where it ended.")
