"""The private door to a llama.cpp server in this process, for the one call that has no other.

`xllamacpp` always opens an HTTP endpoint and offers text to tokens only there. Where the system
has Unix sockets it is a socket in a folder that only this user can enter, so that no port is
opened; elsewhere it is a random port of the loopback interface. Both want a random key.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import socket
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inglenook.errors import RuntimeFailure

__all__ = ["Endpoint"]

_PREFIX = "inglenook-"
_SOCKET = "s.sock"
_OLD_S = 24 * 3600
_LONGEST_SOCKET_PATH = 100
_TIMEOUT_S = 60.0


class Endpoint:
    """Where the server listens and how to ask it.

    Make it, hand `hostname` and `key` to the server, and set `address` when the server is up.
    """

    def __init__(self) -> None:
        self.key = secrets.token_urlsafe(32)
        self.address = ""
        self._folder = _private_folder()
        self._socket = self._folder / _SOCKET if self._folder else None

    @property
    def hostname(self) -> str:
        return str(self._socket) if self._socket else "127.0.0.1"

    def ask(self, path: str, body: object | None = None) -> Any:
        """The JSON answer of the server. Raises `RuntimeFailure` if it refuses."""
        connection = self._connection()
        try:
            connection.request(
                "GET" if body is None else "POST",
                path,
                None if body is None else json.dumps(body).encode(),
                {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
            )
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RuntimeFailure(f"llama.cpp did not answer {path}: {error}") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeFailure(f"llama.cpp refused {path}: {answer}")
        return answer

    def close(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _connection(self) -> http.client.HTTPConnection:
        if self._socket is not None:
            return _UnixConnection(str(self._socket))
        parts = urlsplit(self.address)
        return http.client.HTTPConnection("127.0.0.1", parts.port, timeout=_TIMEOUT_S)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _sweep(temporary: Path) -> None:
    """Remove the folders of processes that were killed; nobody answers at their sockets."""
    for folder in temporary.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
            old = time.time() - found.st_mtime > _OLD_S
            if mine and old and not _answers(folder / _SOCKET):
                shutil.rmtree(folder)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        try:
            door.connect(str(path))
        except OSError:
            return False
    return True


def _private_folder() -> Path | None:
    """A new folder (mode 0700) for a socket; None where there are none or the path is too long."""
    if not hasattr(socket, "AF_UNIX"):
        return None
    _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    if len(str(folder)) > _LONGEST_SOCKET_PATH - len(f"/{_SOCKET}"):
        folder.rmdir()
        return None
    return folder
