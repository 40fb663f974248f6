"""The messages between a program and a part that runs in a process of its own, and their framing.

A frame is a length of four bytes, most significant first, and that many bytes of pickle. Both ends
are this program, joined by pipes that nobody else can open.
"""

from __future__ import annotations

import io
import pickle
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import IO, Any

from inglenook.processes.limits import ProcessLimits

__all__ = [
    "Call",
    "CancelCall",
    "Construct",
    "Ended",
    "Event",
    "Frames",
    "Raised",
    "Reply",
    "Value",
]

_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Construct:
    """Which class to run (`package.module:Class`) and what to construct it with.

    With `quiet` nothing is logged: errors of parsers quote what they parse.
    """

    load: str
    arguments: tuple[Any, ...]
    limits: ProcessLimits = field(default_factory=ProcessLimits)
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """Call a method of the part. A stream gets a `CancelToken` as its last argument."""

    id: int
    method: str
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    streams: bool = False


@dataclass(frozen=True, slots=True)
class CancelCall:
    """Cancel the stream with this id; unknown and finished ones are ignored."""

    id: int


@dataclass(frozen=True, slots=True)
class Value:
    """What a call returned."""

    id: int
    value: Any


@dataclass(frozen=True, slots=True)
class Event:
    """The next item of a stream."""

    id: int
    event: Any


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a stream."""

    id: int


@dataclass(frozen=True, slots=True)
class Raised:
    """The error that ended a call or a stream."""

    id: int
    error: Exception


Reply = Value | Event | Ended | Raised


class Frames:
    """Reads and writes whole messages. Any thread may send; one thread receives."""

    def __init__(
        self,
        source: IO[bytes],
        sink: IO[bytes],
        max_frame_bytes: int = 1 << 32,
        *,
        trusted: bool = True,
    ) -> None:
        self._source = source
        self._sink = sink
        self._max_frame_bytes = max_frame_bytes
        self._trusted = trusted
        self._sending = threading.Lock()

    def send(self, message: object) -> None:
        """Write one message. Raises `OSError` if the other end is gone.

        A message that cannot be pickled raises before anything is written.
        """
        payload = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        with self._sending:
            self._sink.write(_LENGTH.pack(len(payload)) + payload)
            self._sink.flush()

    def receive(self) -> Any:
        """The next message, or None when the other end is gone or sends more than is allowed."""
        length = self._source.read(_LENGTH.size)
        if len(length) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack(length)
        if size > self._max_frame_bytes:
            return None
        payload = self._source.read(size)
        if len(payload) < size:
            return None
        if not self._trusted:
            return _PlainData(io.BytesIO(payload)).load()
        return pickle.loads(payload)  # noqa: S301 - the other end is this program

    def close_sink(self) -> None:
        """Tell the other end that nothing more will come."""
        try:
            self._sink.close()
        except OSError:
            # Unflushed bytes for a process that is gone: closing was the point.
            return

    def close_source(self) -> None:
        self._source.close()


class _PlainData(pickle.Unpickler):
    """Makes objects of this package's data classes and errors, and calls nothing else.

    For what comes from a process that reads strangers' files: a parser that was taken over must
    not run code here.
    """

    _MODULES = ("inglenook.types.", "inglenook.errors", __name__, "inglenook.knowledge.file_reader")

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith(self._MODULES) and "." not in name:
            found = getattr(import_module(module), name, None)
            own = getattr(found, "__module__", "") == module
            if own and (isinstance(found, type) or (module, name) == _REBUILT_ERROR):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no plain data.")


_REBUILT_ERROR = ("inglenook.errors", "_rebuild")
