"""The line of requests that wait for a model: one line for all models, first come, first served."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from inglenook.errors import QueueFullError, QueueTimeoutError
from inglenook.types import Queued

if TYPE_CHECKING:
    from inglenook.models.wanted_model import WantedModel
    from inglenook.models.warm_model import WarmModel

__all__ = ["RequestQueue", "Ticket"]


class Ticket:
    """A request's place in line.

    Args:
        wanted: The model that it needs.
        slot: Whether it needs one of the model's slots, or only the open model.

    Attributes:
        waits: Whether it had to wait.
        needs_room: Whether its model must be loaded and others are in the way.
        in_the_way: Models that get no later requests, so that they can go.
    """

    def __init__(self, wanted: WantedModel, *, slot: bool) -> None:
        self.wanted = wanted
        self.slot = slot
        self.waits = False
        self.needs_room = False
        self.in_the_way: tuple[WarmModel, ...] = ()
        self._since = time.monotonic()

    def waited_s(self) -> float:
        """How long it has been in line."""
        return time.monotonic() - self._since


class RequestQueue:
    """Tickets in the order in which they came. The caller holds a lock.

    Args:
        most: How many may wait at once.
        timeout_s: How long each may; 0 is for ever.
    """

    def __init__(self, most: int, timeout_s: float) -> None:
        self._most = most
        self._timeout_s = timeout_s
        self._tickets: list[Ticket] = []

    def join(self, ticket: Ticket) -> None:
        self._tickets.append(ticket)

    def leave(self, ticket: Ticket) -> None:
        if ticket in self._tickets:
            self._tickets.remove(ticket)

    def __iter__(self) -> Iterator[Ticket]:
        return iter(tuple(self._tickets))

    def before(self, ticket: Ticket) -> Iterator[Ticket]:
        """Those that came earlier and are still there."""
        for other in self._tickets:
            if other is ticket:
                return
            yield other

    def waiting_for(self, model: WarmModel) -> int:
        """How many wait for a model that is open."""
        return sum(ticket.waits and model.serves(ticket.wanted) for ticket in self._tickets)

    def begin_to_wait(self, ticket: Ticket) -> None:
        """Raise `QueueFullError` if too many wait already."""
        if ticket.waits:
            return
        waiting = sum(other.waits for other in self._tickets)
        if waiting >= self._most:
            name = ticket.wanted.files.reference
            raise QueueFullError(
                f"{name} is busy, and {waiting} requests wait already; no more may.",
                hint="Ask again later, or set `max_queue` or `parallel` of `models` in config.toml "
                "higher.",
            )
        ticket.waits = True

    def remaining_s(self, ticket: Ticket) -> float | None:
        """How long it may still wait, None for ever. Raises `QueueTimeoutError` when it is over."""
        if not self._timeout_s:
            return None
        rest = self._timeout_s - ticket.waited_s()
        if rest <= 0:
            raise QueueTimeoutError(
                f"{ticket.wanted.files.reference} was busy for {self._timeout_s:g} s, as long as a "
                "request may wait.",
                hint="Ask again later, or set `queue_timeout_s` of `models` in config.toml higher.",
            )
        return rest

    def place(self, ticket: Ticket) -> Queued:
        """Where it stands among those that wait for the same."""
        if ticket.needs_room:
            ahead = sum(other.needs_room for other in self.before(ticket))
            return Queued(ahead + 1, "memory")
        same = ticket.wanted.identity
        ahead = sum(
            other.slot and not other.needs_room and other.wanted.identity == same
            for other in self.before(ticket)
        )
        return Queued(ahead + 1, "slot")
