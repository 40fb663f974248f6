"""Uses a model that another program of the same user has open, instead of loading it again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from inglenook import __version__
from inglenook.errors import InglenookError
from inglenook.models.lending import BEAT_S, PROTOCOL
from inglenook.models.local_socket import Channel, connect, sockets
from inglenook.models.wanted_model import WantedModel
from inglenook.models.warm_runtime import LentModelGoneError
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

__all__ = ["Borrowed", "ask_lenders", "borrow"]

HELLO_S = 1.5
"""How long a lender may take to say what it has; whoever asks loads the model itself then."""

SILENCE_S = 4 * BEAT_S
"""How long a lender may say nothing at all before it counts as hung."""

_STOP_S = 30.0
_POLL_S = 0.25
_CANCEL_GRACE_S = 1.2


class Borrowed:
    """A model at a lender. Thread-safe: each call has a connection to itself.

    Args:
        path: The lender's socket.
        wanted: The model.
        channel: A connection over which it was agreed on.
        info: What the lender says of it.
    """

    def __init__(
        self, path: Path, wanted: WantedModel, channel: Channel, info: RuntimeInfo
    ) -> None:
        self._path = path
        self._wanted = wanted
        self._idle: list[Channel] = [channel]
        self._lock = threading.Lock()
        self.info = info

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The model's token ids of `text`. Raises `LentModelGoneError`."""
        channel = self._channel()
        try:
            channel.send({"tokenize": text, "special": special})
            said = _reply(channel)
        except BaseException as error:
            channel.close()
            if isinstance(error, OSError):
                raise self._gone() from error
            raise
        self._keep(channel)
        if isinstance(said.get("raised"), InglenookError):
            raise said["raised"]
        ids = said.get("ids")
        if not isinstance(ids, tuple):
            raise self._gone()
        return [int(id) for id in ids]

    def generate(self, request: GenerateRequest, cancel: CancelToken) -> Iterator[RuntimeEvent]:
        """Stream one answer. Raises `LentModelGoneError` as long as nothing was said."""
        channel = self._channel()
        forget = cancel.on_cancel(lambda: _try_send(channel, {"cancel": True}))
        begun = ended = False
        try:
            channel.send({"generate": request})
            for event in _events(channel, cancel):
                begun = begun or not isinstance(event, Queued)
                ended = isinstance(event, Done | Failed)
                yield event
        except (OSError, LentModelGoneError) as error:
            if not begun:
                raise self._gone() from error
            if not ended:
                yield self._died()
            ended = False
        finally:
            forget()
            if ended and not cancel.cancelled:
                self._keep(channel)
            else:
                channel.close()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for channel in idle:
            channel.close()

    def _channel(self) -> Channel:
        """A connection over which the model is agreed on."""
        while True:
            with self._lock:
                channel = self._idle.pop() if self._idle else None
            if channel is None:
                break
            if _is_alive(channel):
                return channel
            channel.close()
        agreed = _agree(self._path, self._wanted)
        if agreed is None:
            raise self._gone()
        return agreed[0]

    def _keep(self, channel: Channel) -> None:
        with self._lock:
            self._idle.append(channel)

    def _gone(self) -> LentModelGoneError:
        return LentModelGoneError(f"{self._wanted.files.reference} is not lent any more.")

    def _died(self) -> Failed:
        name = self._wanted.files.reference
        return Failed(
            "RuntimeFailure",
            f"The program that had {name} open ended or hangs, in mid-answer.",
            "Ask again: the model is loaded anew then.",
        )


def borrow(cache: Path, wanted: WantedModel) -> Borrowed | None:
    """The model at the first lender of this installation that has it open; None if none has.

    A lender that does not answer in time, or is of another version, is passed over.
    """
    for pid, path in sockets(cache):
        if pid != os.getpid() and (agreed := _agree(path, wanted)) is not None:
            return Borrowed(path, wanted, *agreed)
    return None


def ask_lenders(cache: Path, do: str, **said: Any) -> Iterator[dict[str, Any]]:
    """What each program of this installation answers that lends models.

    Args:
        cache: The installation's cache folder.
        do: `list` or `stop`.
        said: What more they are told.

    One that does not answer in time answers `{"silent": PID}`.
    """
    for pid, path in sockets(cache):
        channel = connect(path)
        if channel is None:
            continue
        try:
            channel.send({"protocol": PROTOCOL, "version": __version__, "do": do, **said})
            yield channel.receive(HELLO_S if do == "list" else _STOP_S)
        except OSError:
            yield {"silent": pid}
        finally:
            channel.close()


def _agree(path: Path, wanted: WantedModel) -> tuple[Channel, RuntimeInfo] | None:
    channel = connect(path)
    if channel is None:
        return None
    try:
        channel.send(
            {
                "protocol": PROTOCOL,
                "version": __version__,
                "do": "lend",
                "identity": wanted.identity,
                "context": wanted.context_length,
            }
        )
        said = channel.receive(HELLO_S)
    except OSError:
        said = {}
    info = said.get("info")
    if isinstance(info, RuntimeInfo):
        return channel, info
    channel.close()
    return None


def _is_alive(channel: Channel) -> bool:
    """Whether the other end is there; beats that came in the meantime are read away."""
    try:
        while channel.receive(0).get("beat"):
            pass
    except TimeoutError:
        return True
    except OSError:
        return False
    return False  # It says something that nobody asked for.


def _reply(channel: Channel) -> dict[str, Any]:
    """The next message that is more than a beat. Raises `OSError` after too long a silence."""
    while (said := channel.receive(SILENCE_S)).get("beat"):
        pass
    return said


def _events(channel: Channel, cancel: CancelToken) -> Iterator[RuntimeEvent]:
    """What comes until the end; after a cancel not for long."""
    heard = time.monotonic()
    cancelled = 0.0
    while True:
        try:
            said = channel.receive(_POLL_S)
        except TimeoutError:
            now = time.monotonic()
            cancelled = cancelled or (now if cancel.cancelled else 0.0)
            if cancelled and now - cancelled > _CANCEL_GRACE_S:
                yield Usage()
                yield Done("cancelled")
                return
            if now - heard > SILENCE_S:
                raise
            continue
        heard = time.monotonic()
        if "event" in said:
            yield said["event"]
        elif isinstance(said.get("raised"), InglenookError):
            raise said["raised"]
        elif said.get("gone"):
            raise LentModelGoneError("The lender has let it go.")
        elif said.get("end"):
            return


def _try_send(channel: Channel, message: dict[str, Any]) -> None:
    # Whoever receives hears that the other end is gone.
    with suppress(OSError):
        channel.send(message)
