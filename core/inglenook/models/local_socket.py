"""Sockets between the programs of one user on one machine, where nobody else can listen or speak.

They lie in a folder that only the user can enter, and each end asks the system who the other one
is. Windows has no such sockets in Python: there nothing listens, and nobody is found.
"""

from __future__ import annotations

import hashlib
import os
import select
import socket
import stat
import struct
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from inglenook.errors import StoreError
from inglenook.models.wire import packed, unpacked

__all__ = ["Channel", "connect", "has_sockets", "listen", "same_user", "socket_folders", "sockets"]

_SUFFIX = ".sock"
_LONGEST_PATH = 100
"""Bytes: 108 fit on Linux and 104 on macOS, the zero at the end counted."""

_LENGTH = struct.Struct(">I")
_MOST_BYTES = 64 << 20
_PIECE = 1 << 16
_SEND_S = 5.0
_CONNECT_S = 0.5
_WAITING = 64
_OWN_ONLY = 0o700


def has_sockets() -> bool:
    """Whether this system has what is needed."""
    return hasattr(socket, "AF_UNIX") and hasattr(os, "getuid")


class Channel:
    """One connection, in whole messages. One thread receives, any thread sends."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.settimeout(_SEND_S)
        self._received = bytearray()
        self._sending = threading.Lock()
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)

    def send(self, message: Mapping[str, Any]) -> None:
        """Write one message. Raises `OSError` if the other end is gone or does not read."""
        data = packed(message)
        if len(data) > _MOST_BYTES:
            raise OSError(f"a message of {len(data)} bytes is too long")
        with self._sending:
            self._socket.sendall(_LENGTH.pack(len(data)) + data)

    def receive(self, timeout_s: float) -> dict[str, Any]:
        """The next message.

        Raises `TimeoutError`, after which it can be called again, and `OSError` if the other end
        is gone or sends what is no message.
        """
        until = time.monotonic() + timeout_s
        while True:
            message = self._message()
            if message is not None:
                return message
            left_ms = max(0.0, until - time.monotonic()) * 1000
            if not self._poll.poll(left_ms):
                raise TimeoutError("no message came in time")
            piece = self._socket.recv(_PIECE)
            if not piece:
                raise ConnectionResetError("the other end is gone")
            self._received += piece

    def _message(self) -> dict[str, Any] | None:
        if len(self._received) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(self._received)
        if size > _MOST_BYTES:
            raise ConnectionResetError("the message is too long")
        end = _LENGTH.size + size
        if len(self._received) < end:
            return None
        data = bytes(self._received[_LENGTH.size : end])
        del self._received[:end]
        try:
            return unpacked(data)
        except ValueError as error:
            raise ConnectionResetError(f"the message cannot be read: {error}") from error

    def close(self) -> None:
        """Let the other end know; a thread that receives here gets an `OSError`."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


# --- where they are ---------------------------------------------------------------------------


def socket_folders(cache: Path) -> list[Path]:
    """Where sockets of the installation with this cache folder may be, the best place first.

    A path of a socket must be short, and a home may be read-only or on a disk that knows none: the
    second place is the runtime folder of the system, with a name made of the cache's path.
    """
    if not has_sockets():
        return []
    own = cache / "run"
    name = hashlib.sha256(os.fsencode(cache.absolute())).hexdigest()[:12]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    short = Path(runtime) if runtime else Path(tempfile.gettempdir())
    folders = [own, short / f"nook-{os.getuid()}-{name}"]
    longest = len(f"/{'9' * 10}{_SUFFIX}")
    return [f for f in folders if len(os.fsencode(f)) + longest <= _LONGEST_PATH]


def sockets(cache: Path) -> Iterator[tuple[int, Path]]:
    """The process and the socket of each program of this installation that may be listening."""
    for folder in socket_folders(cache):
        if not _is_private(folder):
            continue
        with suppress(OSError):
            for path in sorted(folder.glob(f"*{_SUFFIX}")):
                if path.stem.isdecimal():
                    yield int(path.stem), path


def listen(cache: Path) -> tuple[socket.socket, Path]:
    """A socket of this process that only this user can open. Raises `StoreError` if none can be."""
    problem = "this system has no sockets for it"
    for folder in socket_folders(cache):
        try:
            return _listen_in(folder)
        except OSError as error:
            problem = f"{folder}: {error.strerror or error}"
    raise StoreError(
        f"No socket can be opened for other commands of yours ({problem}).",
        hint="They load models themselves. A folder that can be written, in XDG_RUNTIME_DIR or "
        "INGLENOOK_HOME, mends it.",
    )


def _listen_in(folder: Path) -> tuple[socket.socket, Path]:
    folder.mkdir(mode=_OWN_ONLY, parents=True, exist_ok=True)
    if not _is_private(folder):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise OSError("it belongs to somebody else")
        folder.chmod(_OWN_ONLY)
    path = folder / f"{os.getpid()}{_SUFFIX}"
    path.unlink(missing_ok=True)  # Of a process that had this number before.
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(path))
        path.chmod(0o600)
        made.listen(_WAITING)
    except BaseException:
        made.close()
        raise
    return made, path


def _is_private(folder: Path) -> bool:
    """Whether it is a folder of this user that nobody else may enter."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return mine and not found.st_mode & 0o077


def connect(path: Path) -> Channel | None:
    """A connection to who listens there; None if nobody of this user does.

    What a process left that was killed is taken away.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(_CONNECT_S)
    try:
        made.connect(str(path))
        if same_user(made):
            return Channel(made)
    except ConnectionRefusedError:
        with suppress(OSError):
            path.unlink()
    except OSError:
        pass  # Gone in the meantime, or its line is full: as good as nobody.
    made.close()
    return None


def same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end is this user's, as the system says."""
    if hasattr(socket, "SO_PEERCRED"):
        size = struct.calcsize("3i")
        said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        _, uid, _ = struct.unpack("3i", said)
        return bool(uid == os.getuid())
    return _peer_uid(connection) == os.getuid()


def _peer_uid(connection: socket.socket) -> int | None:
    """Who is at the other end, where `getpeereid` is (macOS, BSD)."""
    import ctypes

    user, group = ctypes.c_uint(), ctypes.c_uint()
    try:
        ask = ctypes.CDLL(None).getpeereid
    except (AttributeError, OSError):
        return None
    failed = ask(connection.fileno(), ctypes.byref(user), ctypes.byref(group))
    return None if failed else int(user.value)
