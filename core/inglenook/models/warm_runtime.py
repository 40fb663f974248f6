"""What an assistant gets for a runtime: a share of a model that is loaded here or lent to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from inglenook.errors import Cancelled, RuntimeFailure
from inglenook.models.local_requests import require_room
from inglenook.types import (
    CancelToken,
    Done,
    Failed,
    GenerateRequest,
    Queued,
    RuntimeEvent,
    RuntimeInfo,
    Usage,
)

if TYPE_CHECKING:
    from inglenook.models.borrowing import Borrowed
    from inglenook.models.wanted_model import WantedModel
    from inglenook.models.warm_model import WarmModel
    from inglenook.models.warm_models import WarmModels

__all__ = ["LentModelGoneError", "WarmRuntime"]


class LentModelGoneError(RuntimeFailure):
    """A model that was to be lent, or was lent, is not there any more."""


class WarmRuntime:
    """A `Runtime` that loads nothing of its own: the model belongs to all who use it.

    Args:
        models: Where models are loaded.
        wanted: The model, and how it is to be open.
        loads: Whether it may be loaded; if not, calls raise `LentModelGoneError` when it is gone.
    """

    def __init__(self, models: WarmModels, wanted: WantedModel, *, loads: bool = True) -> None:
        self._models = models
        self._wanted = wanted
        self._loads = loads
        self._info: RuntimeInfo | None = None
        self._borrowed: Borrowed | None = None
        self._running: set[CancelToken] = set()
        self._lock = threading.Lock()

    def open(self) -> RuntimeInfo:
        """Load the model, or find it loaded. Its context is what was asked for, not more."""
        for _ in self.opening(CancelToken()):
            pass
        assert self._info is not None
        return self._info

    def opening(self, cancel: CancelToken) -> Iterator[Queued]:
        """As `open`, with the place in line where that must wait. Raises `Cancelled`."""
        with self._cancelled_with(cancel) as own:
            if self._lender() is not None:
                return
            model = yield from self._models.take(self._wanted, own, slot=False, loads=self._loads)
            if model is None:
                raise self._nothing(own)
            self._info = self._limited(model)
            self._models.give_back(model, slot=False)

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The model's token ids of `text`; see `Runtime.tokenize`."""
        lender = self._lender()
        if lender is not None:
            try:
                return lender.tokenize(text, special=special)
            except LentModelGoneError:
                self._forget_lender()
        with (
            self._cancelled_with(CancelToken()) as own,
            self._models.used(self._wanted, own, loads=self._loads) as model,
        ):
            if model is None:
                raise self._nothing(own)
            return model.worker.tokenize(text, special=special)

    def generate(self, request: GenerateRequest, cancel: CancelToken) -> Iterator[RuntimeEvent]:
        """Stream one answer, after its turn has come; see `Runtime.generate`."""
        if cancel.cancelled:
            yield from _cancelled()
            return
        with self._cancelled_with(cancel) as own:
            lender = self._lender()
            if lender is not None:
                try:
                    yield from lender.generate(request, own)
                    return
                except LentModelGoneError:
                    self._forget_lender()
            yield from self._generate_here(request, own)

    def _generate_here(
        self, request: GenerateRequest, cancel: CancelToken
    ) -> Iterator[RuntimeEvent]:
        model = yield from self._models.take(self._wanted, cancel, slot=True, loads=self._loads)
        if model is None and cancel.cancelled:
            yield from _cancelled()
            return
        if model is None:
            raise self._nothing(cancel)
        try:
            yield from self._answer(model, request, cancel)
        finally:
            self._models.give_back(model, slot=True)

    def _answer(
        self, model: WarmModel, request: GenerateRequest, cancel: CancelToken
    ) -> Iterator[RuntimeEvent]:
        """The answer, within the context that this user asked for."""
        context, prompt = self._limited(model).context_length, len(request.tokens or ())
        require_room(prompt, context, self._wanted.files.reference)
        room = context - prompt
        asked = request.max_tokens
        limited = context < model.context_length and (asked is None or asked > room)
        if limited:
            request = replace(request, max_tokens=room)
        for event in model.worker.generate(request, cancel):
            if isinstance(event, Failed | Done) and model.stopped and not cancel.cancelled:
                yield self._stopped()
            elif limited and isinstance(event, Done) and event.stop_reason == "length":
                yield replace(event, context_full=True)
            else:
                yield event

    def close(self) -> None:
        """End what this user has running. The model stays as long as models stay."""
        with self._lock:
            running = tuple(self._running)
        for token in running:
            token.cancel()
        self._forget_lender()
        self._info = None

    def _limited(self, model: WarmModel) -> RuntimeInfo:
        """What the model says of itself, with no more context than was asked for."""
        info = model.info
        assert info is not None, "a model that was taken is loaded"
        wanted = self._wanted.context_length
        return replace(info, context_length=min(wanted or info.context_length, info.context_length))

    def _lender(self) -> Borrowed | None:
        """Another process that has the model open, unless this one has it, too."""
        if not self._loads or self._models.has(self._wanted):
            self._forget_lender()
            return None
        with self._lock:
            known = self._borrowed
        if known is None:
            known = self._models.borrow(self._wanted)
            if known is not None:
                self._info = known.info
                with self._lock:
                    self._borrowed = known
        return known

    def _forget_lender(self) -> None:
        with self._lock:
            known, self._borrowed = self._borrowed, None
        if known is not None:
            known.close()

    @contextmanager
    def _cancelled_with(self, cancel: CancelToken) -> Iterator[CancelToken]:
        """A token of its own that `cancel` cancels, and `close` too."""
        own = CancelToken()
        forget = cancel.on_cancel(own.cancel)
        with self._lock:
            self._running.add(own)
        try:
            yield own
        finally:
            forget()
            with self._lock:
                self._running.discard(own)

    def _nothing(self, cancel: CancelToken) -> Cancelled | LentModelGoneError:
        if cancel.cancelled:
            return Cancelled()
        return LentModelGoneError(f"{self._wanted.files.reference} is not loaded any more.")

    def _stopped(self) -> Failed:
        name = self._wanted.files.reference
        return Failed(
            "RuntimeFailure", f"{name} was stopped by `nook stop`.", "Ask again to load it again."
        )


def _cancelled() -> Iterator[RuntimeEvent]:
    yield Usage()
    yield Done("cancelled")
