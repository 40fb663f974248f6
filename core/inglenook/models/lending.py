"""Lends the models of this process to other programs of the same user, over a local socket.

They get what is open here, as if they had loaded it: its tokenizer, and answers in the same line
as everybody else's. Nothing is loaded for them.
"""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from inglenook import __version__
from inglenook.errors import InglenookError, RuntimeFailure
from inglenook.models.local_socket import Channel, listen, same_user
from inglenook.models.warm_models import WarmModels
from inglenook.models.warm_runtime import LentModelGoneError, WarmRuntime
from inglenook.types import CancelToken, GenerateRequest

__all__ = ["BEAT_S", "PROTOCOL", "Lender"]

PROTOCOL = 1
"""The version of what is said over the socket."""

BEAT_S = 2.0
"""How often a lender that has nothing to say says that it is there."""

_HELLO_S = 5.0
_MOST_CONNECTIONS = 1200


class Lender:
    """Listens while it is open.

    Args:
        models: What is lent.
        cache: The installation's cache folder: programs of another one see nothing.
        process: What this process is, for people: `nook run`.
    """

    def __init__(self, models: WarmModels, cache: Path, process: str) -> None:
        self._models = models
        self._cache = cache
        self._process = process
        self._socket: socket.socket | None = None
        self._path: Path | None = None
        self._open: set[Channel] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to listen. Raises `StoreError` if no socket can be had."""
        self._socket, self._path = listen(self._cache)
        threading.Thread(
            target=self._accept, args=(self._socket,), name="inglenook-lending", daemon=True
        ).start()

    def close(self) -> None:
        """Stop listening; what is lent ends in an error there."""
        made, self._socket = self._socket, None
        if made is not None:
            with suppress(OSError):
                made.shutdown(socket.SHUT_RDWR)  # Or `accept` would go on waiting.
            made.close()
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()
        with self._lock:
            channels = tuple(self._open)
        for channel in channels:
            channel.close()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return  # It was closed.
            with self._lock:
                full = len(self._open) >= _MOST_CONNECTIONS
            if full or not _is_own(connection):
                connection.close()
                continue
            channel = Channel(connection)
            with self._lock:
                self._open.add(channel)
            threading.Thread(target=self._serve, args=(channel,), daemon=True).start()

    def _serve(self, channel: Channel) -> None:
        try:
            hello = channel.receive(_HELLO_S)
            if hello.get("protocol") != PROTOCOL:
                channel.send({"no": "protocol", "protocol": PROTOCOL})
            elif hello.get("do") == "list":
                channel.send({"models": self._listed(), "pid": os.getpid()})
            elif hello.get("do") == "stop":
                channel.send({"models": self._stopped(hello)})
            elif hello.get("version") != __version__:
                channel.send({"no": "version", "version": __version__})
            else:
                self._lend(channel, hello)
        except OSError:
            return  # The other end is gone, or says what nobody understands.
        finally:
            with self._lock:
                self._open.discard(channel)
            channel.close()

    def _listed(self) -> list[Mapping[str, Any]]:
        return [
            {**asdict(row), "pid": os.getpid(), "process": self._process}
            for row in self._models.rows()
        ]

    def _stopped(self, hello: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        name = hello.get("model")
        rows = self._models.stop(
            str(name) if name is not None else None, force=bool(hello.get("force"))
        )
        return [{**asdict(row), "pid": os.getpid(), "process": self._process} for row in rows]

    def _lend(self, channel: Channel, hello: Mapping[str, Any]) -> None:
        context = hello.get("context")
        if not isinstance(context, int):
            return
        known = self._models.find(str(hello.get("identity")), context)
        if known is None:
            channel.send({"no": "not loaded"})
            return
        wanted = replace(known, options=replace(known.options, context_length=context))
        runtime = WarmRuntime(self._models, wanted, loads=False)
        try:
            info = runtime.open()
        except InglenookError as error:
            channel.send({"no": error.message})
            return
        channel.send({"info": info, "pid": os.getpid()})
        with closing(_Listening(channel)) as said:
            while (asked := said.next()) is not None:
                self._answer(channel, runtime, asked, said)

    def _answer(
        self, channel: Channel, runtime: WarmRuntime, asked: Mapping[str, Any], said: _Listening
    ) -> None:
        try:
            request = asked.get("generate")
            if isinstance(request, GenerateRequest):
                with closing(runtime.generate(request, said.cancel)) as events:  # type: ignore[type-var]
                    for event in events:
                        channel.send({"event": event})
                channel.send({"end": True})
            else:
                text, special = str(asked.get("tokenize")), bool(asked.get("special"))
                channel.send({"ids": runtime.tokenize(text, special=special)})
        except LentModelGoneError:
            channel.send({"gone": True})
        except InglenookError as error:
            channel.send({"raised": error})
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - the other end must hear of a defect here
            said_of = f"{type(error).__name__}: {error}"
            channel.send({"raised": RuntimeFailure(f"Lending the model failed: {said_of}")})


def _is_own(connection: socket.socket) -> bool:
    try:
        return same_user(connection)
    except OSError:
        return False  # It is gone already.


class _Listening:
    """Hears, beside an answer, the other end: its next call, a cancel, or that it is gone.

    Attributes:
        cancel: The token of the call that was taken last.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._calls: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._over = threading.Event()
        self.cancel = CancelToken()
        threading.Thread(target=self._listen, daemon=True).start()

    def next(self) -> dict[str, Any] | None:
        """The next call; None if the other end is gone."""
        return self._calls.get()

    def close(self) -> None:
        self._over.set()

    def _listen(self) -> None:
        try:
            while not self._over.is_set():
                try:
                    message = self._channel.receive(BEAT_S)
                except TimeoutError:
                    self._channel.send({"beat": True})
                    continue
                if message.get("cancel"):
                    self.cancel.cancel()
                else:
                    self.cancel = CancelToken()
                    self._calls.put(message)
        except OSError:
            self.cancel.cancel()
        finally:
            self._calls.put(None)
