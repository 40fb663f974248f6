"""The models that one installation has loaded in this process, and who gets them next.

A model is loaded once for all that it can serve, stays loaded for a while after its last use, and
makes room for another one when memory is short: idle models go first, and where all are busy the
request waits. There is one line for everything, so that nobody is passed over for ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from inglenook.errors import MemoryTooSmallError, RuntimeFailure
from inglenook.models.memory_room import MemoryRoom
from inglenook.models.request_queue import RequestQueue, Ticket
from inglenook.models.wanted_model import WantedModel
from inglenook.models.warm_model import WarmModel, WarmRow
from inglenook.settings import WarmSettings
from inglenook.types import CancelToken, Queued

if TYPE_CHECKING:
    from inglenook.models.borrowing import Borrowed
    from inglenook.models.warm_runtime import WarmRuntime

__all__ = ["WarmModels"]

_SHORTEST_LIFE_S = 0.5
"""Between counting the tokens of a prompt and answering it a model is idle for a moment."""

_LOOK_S = 30.0
_MEGABYTE = 1_000_000


class WarmModels:
    """Loads models, keeps them and lets them go. Thread-safe; close it.

    Args:
        settings: How long, how many, how much memory, how long a line.
        room: What memory there is; by default what the settings and this machine say.
        borrow: Finds a model that another process has open; None if nobody has.
    """

    def __init__(
        self,
        settings: WarmSettings,
        *,
        room: MemoryRoom | None = None,
        borrow: Callable[[WantedModel], Borrowed | None] = lambda _wanted: None,
    ) -> None:
        self._settings = settings
        self._room = room or MemoryRoom(settings.memory_bytes)
        self.borrow = borrow
        self._changed = threading.Condition()
        self._models: list[WarmModel] = []
        self._queue = RequestQueue(settings.max_queue, settings.queue_timeout_s)
        self._keeper: threading.Thread | None = None
        self._closed = False

    def runtime(self, wanted: WantedModel) -> WarmRuntime:
        """A runtime for one assistant; nothing is loaded before it is used."""
        from inglenook.models.warm_runtime import WarmRuntime

        return WarmRuntime(self, wanted)

    def find(self, identity: str, context_length: int) -> WantedModel | None:
        """What a loaded model was opened as, if it serves that identity and context."""
        with self._changed:
            for model in self._models:
                wanted = model.wanted
                known = model.info is not None and model.worker.pid is not None
                if not known or wanted.identity != identity or model.leaving:
                    continue
                if context_length <= model.context_length:
                    return wanted
        return None

    def has(self, wanted: WantedModel) -> bool:
        """Whether a model that serves this is loaded here, or being loaded."""
        with self._changed:
            return self._serving(wanted) is not None

    # --- using a model ------------------------------------------------------------------------

    def take(
        self, wanted: WantedModel, cancel: CancelToken, *, slot: bool, loads: bool = True
    ) -> Generator[Queued, None, WarmModel | None]:
        """Wait for a model and use it until `give_back`; None if that was cancelled.

        Args:
            wanted: The model.
            cancel: Leaves the line.
            slot: Whether one of its slots is needed.
            loads: Whether it may be loaded; if not, None is returned where it is not there.

        Yields the place in line whenever it changes. Raises `QueueFullError`, `QueueTimeoutError`,
        `MemoryTooSmallError`, and what loading the model raises.
        """
        ticket = Ticket(wanted, slot=slot)
        with self._changed:
            self._queue.join(ticket)
        forget = cancel.on_cancel(self._wake)
        told: Queued | None = None
        try:
            while not cancel.cancelled:
                with self._changed:
                    found = self._next_step(ticket, loads=loads)
                    if found is None and ticket.waits and self._place(ticket) == told:
                        self._changed.wait(self._queue.remaining_s(ticket))
                        continue
                if isinstance(found, WarmModel):
                    return found
                if isinstance(found, _Loading):
                    self._load(found, ticket, cancel)
                elif not ticket.waits:
                    return None
                else:
                    told = self._place(ticket)
                    if told is not None:
                        yield told
            return None
        finally:
            forget()
            with self._changed:
                self._queue.leave(ticket)
                self._changed.notify_all()

    @contextmanager
    def used(
        self, wanted: WantedModel, cancel: CancelToken, *, loads: bool = True
    ) -> Iterator[WarmModel | None]:
        """The open model for something that needs no slot; None as in `take`."""
        model = _outcome(self.take(wanted, cancel, slot=False, loads=loads))
        try:
            yield model
        finally:
            if model is not None:
                self.give_back(model, slot=False)

    def give_back(self, model: WarmModel, *, slot: bool) -> None:
        """End a use that `take` began."""
        with self._changed:
            if slot:
                model.busy -= 1
            else:
                model.pins -= 1
            model.used = time.monotonic()
            gone = model.idle and (model.leaving or self._closed)
            if gone and model in self._models:
                self._models.remove(model)
            self._changed.notify_all()
        if gone:
            model.worker.close()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _place(self, ticket: Ticket) -> Queued | None:
        """Where a ticket stands; None where it waits for its own model to be loaded."""
        with self._changed:
            serving = self._serving(ticket.wanted)
            if serving is not None and (serving.info is None or serving.busy < serving.slots):
                return None if serving.info is None else self._queue.place(ticket)
            return self._queue.place(ticket)

    def _next_step(self, ticket: Ticket, *, loads: bool) -> WarmModel | _Loading | None:
        """A model to use, one to load first, or None: wait, or give up if it `waits` not."""
        if self._closed:
            raise RuntimeFailure(f"{ticket.wanted.files.reference} was closed.")
        serving = self._serving(ticket.wanted)
        if serving is None and not loads:
            ticket.waits = False
            return None
        if serving is None:
            loading = self._try_to_load(ticket)
            if loading is not None:
                return loading
        else:
            ticket.needs_room, ticket.in_the_way = False, ()
            if self._is_next(ticket, serving):
                ticket.waits = False
                return serving
        self._queue.begin_to_wait(ticket)
        return None

    def _serving(self, wanted: WantedModel) -> WarmModel | None:
        able = [model for model in self._models if model.serves(wanted)]
        return max(able, key=lambda model: model.info is not None, default=None)

    def _is_next(self, ticket: Ticket, model: WarmModel) -> bool:
        """Whether the ticket gets the model now; then it counts as used."""
        if model.info is None:
            return False
        if not ticket.slot:
            model.pins += 1
            return True
        if model.busy >= model.slots:
            return False
        for earlier in self._queue.before(ticket):
            if model in earlier.in_the_way or (earlier.slot and model.serves(earlier.wanted)):
                return False
        model.busy += 1
        return True

    # --- loading ------------------------------------------------------------------------------

    def _try_to_load(self, ticket: Ticket) -> _Loading | None:
        """What to load and what goes for it; None where that must wait."""
        wanted = ticket.wanted
        needed = wanted.needed_bytes
        self._refuse_giant(wanted, needed)
        ticket.needs_room = True
        if any(earlier.needs_room for earlier in self._queue.before(ticket)):
            return None
        outgrown = [model for model in self._models if model.is_outgrown_by(wanted)]
        going = [m for m in self._models if m.idle and (m.leaving or m in outgrown)]
        staying = [model for model in self._models if model not in going]
        for model in sorted(staying, key=lambda model: model.used):
            if self._fits(needed, staying, going):
                break
            if model.idle and not self._is_awaited(model, ticket):
                staying.remove(model)
                going.append(model)
        if not staying or self._fits(needed, staying, going):
            ticket.needs_room, ticket.in_the_way = False, ()
            for model in outgrown:
                model.leaving = True  # Its requests are answered; new ones get the larger one.
            return self._begin(wanted, going)
        ticket.in_the_way = self._to_be_ended(needed, staying, going)
        return None

    def _refuse_giant(self, wanted: WantedModel, needed: int) -> None:
        whole = self._room.whole_bytes()
        if whole is None or needed <= whole:
            return
        where = "models may take" if self._room.is_stated else "this machine has"
        raise MemoryTooSmallError(
            f"{wanted.files.reference} needs {needed // _MEGABYTE} MB of memory; {where} "
            f"{whole // _MEGABYTE} MB.",
            hint="A smaller num_ctx, fewer slots or a smaller model needs less"
            + ("; `memory_mb` of `models` in config.toml is the bound." * self._room.is_stated)
            + ("." * (not self._room.is_stated)),
            needed=needed,
            available=whole,
        )

    def _fits(self, needed: int, staying: list[WarmModel], going: list[WarmModel]) -> bool:
        if len(staying) >= self._settings.max_loaded:
            return False
        held = sum(model.held_bytes() for model in staying)
        coming = sum(model.held_bytes() for model in staying if model.info is None)
        freed = sum(model.held_bytes() for model in going)
        return self._room.fits(needed, held, freed, coming)

    def _is_awaited(self, model: WarmModel, ticket: Ticket) -> bool:
        """Whether somebody who came earlier is about to use it."""
        return any(model.serves(earlier.wanted) for earlier in self._queue.before(ticket))

    def _to_be_ended(
        self, needed: int, staying: list[WarmModel], going: list[WarmModel]
    ) -> tuple[WarmModel, ...]:
        """The busy models that must come to an end before the needed one fits."""
        rest, ended = list(staying), list[WarmModel]()
        for model in sorted(staying, key=lambda model: model.used):
            if self._fits(needed, rest, [*going, *ended]):
                break
            rest.remove(model)
            ended.append(model)
        return tuple(ended)

    def _begin(self, wanted: WantedModel, going: list[WarmModel]) -> _Loading:
        model = WarmModel(wanted)
        self._models = [m for m in self._models if m not in going] + [model]
        for one in going:
            one.leaving = True
        self._keep_watch()
        return _Loading(model, going)

    def _load(self, loading: _Loading, ticket: Ticket, cancel: CancelToken) -> None:
        """Load it for all who wait for it. A cancel ends that if nobody else does."""
        model = loading.model
        forget = cancel.on_cancel(lambda: self._leave_unloaded(model, ticket))
        try:
            for one in loading.going:
                one.worker.close()
            info = model.worker.open()
            with self._changed:
                if model not in self._models:
                    raise RuntimeFailure(f"{model.wanted.files.reference} was closed.")
                model.info = info
                model.used = time.monotonic()
        except BaseException as error:
            with self._changed:
                if model in self._models:
                    self._models.remove(model)
            model.worker.close()
            if not (cancel.cancelled and isinstance(error, RuntimeFailure)):
                raise
        finally:
            forget()
            self._wake()

    def _leave_unloaded(self, model: WarmModel, ticket: Ticket) -> None:
        with self._changed:
            awaited = any(
                other is not ticket and model.serves(other.wanted) for other in self._queue
            )
            if awaited or model.info is not None:
                return
            if model in self._models:
                self._models.remove(model)
        model.worker.close()

    # --- letting go ---------------------------------------------------------------------------

    def _keep_watch(self) -> None:
        if self._keeper is None:
            self._keeper = threading.Thread(
                target=self._let_go_in_time, name="inglenook-warm-models", daemon=True
            )
            self._keeper.start()

    def _let_go_in_time(self) -> None:
        """Close each model when its time is over; ends with the last model."""
        while True:
            with self._changed:
                gone = [model for model in self._models if model.idle and self._rest_s(model) <= 0]
                self._models = [model for model in self._models if model not in gone]
                if not gone:
                    if self._closed or not self._models:
                        self._keeper = None
                        return
                    idle = [self._rest_s(model) for model in self._models if model.idle]
                    self._changed.wait(min([_LOOK_S, *idle]))
                    continue
                self._changed.notify_all()
            for model in gone:
                model.worker.close()

    def _rest_s(self, model: WarmModel) -> float:
        """How long an idle model may stay; never more than it takes to look again."""
        keep = self._settings.keep_alive_s
        if keep < 0:
            return _LOOK_S
        return model.used + max(keep, _SHORTEST_LIFE_S) - time.monotonic()

    def stop(self, reference: str | None, *, force: bool = False) -> list[WarmRow]:
        """End the models of that name, or all: idle ones now, busy ones after their requests.

        With `force` their requests end in an error. What is returned is how they were left:
        `busy` requests still have to end.
        """
        told, gone = [], []
        with self._changed:
            for model in list(self._models):
                if reference is not None and model.wanted.files.reference != reference:
                    continue
                model.leaving = True
                if model.idle or force:
                    model.stopped = True
                    self._models.remove(model)
                    gone.append(model)
                told.append(model.row(0, -1))
            self._changed.notify_all()
        for model in gone:
            model.worker.close()
        return told

    def rows(self) -> list[WarmRow]:
        """The models that are loaded, or being loaded, in the order in which they came."""
        with self._changed:
            return [
                model.row(self._queue.waiting_for(model), self._settings.keep_alive_s)
                for model in self._models
                if model.info is None or model.worker.pid is not None
            ]

    def close(self) -> None:
        """End all models, also those that load or answer."""
        with self._changed:
            self._closed = True
            models, self._models = self._models, []
            self._changed.notify_all()
        closing = [threading.Thread(target=model.worker.close) for model in models[1:]]
        for thread in closing:
            thread.start()
        for model in models[:1]:
            model.worker.close()
        for thread in closing:
            thread.join()


class _Loading:
    """A model to be loaded, and those that go before."""

    def __init__(self, model: WarmModel, going: list[WarmModel]) -> None:
        self.model = model
        self.going = going


def _outcome(steps: Generator[Queued, None, WarmModel | None]) -> WarmModel | None:
    """What a generator returns, whatever it yields on the way."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            model: WarmModel | None = end.value
            return model
