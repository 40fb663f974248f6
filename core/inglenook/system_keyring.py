"""The keyring of this machine, by the library `keyring`, where secrets are kept and found.

The service is `inglenook`. The user name says what a secret is for: the absolute path of an
encrypted document, or `server:HOST` for the key of a model server.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["SERVICE", "SystemKeyring"]

T = TypeVar("T")

SERVICE = "inglenook"
PATIENCE_S = 30.0
"""How long the keyring may take, for a person may have to unlock it. One that does not answer is
not asked again."""

_LEAST_PRIORITY = 1
"""Below it keyring itself warns: secrets in plain files, or questions on the terminal."""


class SystemKeyring:
    """The keyring of this machine, by the library `keyring`; nothing is there if that is missing.

    The library is imported when the first password is asked for. Its backends talk to other
    programs, which may hang: then it is left alone for the rest of the time. Thread-safe.

    Args:
        patience_s: How long one answer may take.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._backend: Any = None
        self._looked = False

    @property
    def is_there(self) -> bool:
        """Whether passwords can be kept in it."""
        with self._lock:
            return self._found() is not None

    def get(self, user: str) -> str | None:
        """The password that is kept under this name."""
        with self._lock:
            backend = self._found()
            if backend is None:
                return None
            found = self._ask(lambda: backend.get_password(SERVICE, user))
        return found if isinstance(found, str) else None

    def set(self, user: str, password: str) -> bool:
        """Keep a password under this name; whether that worked."""
        with self._lock:
            backend = self._found()
            if backend is None:
                return False

            def store() -> bool:
                backend.set_password(SERVICE, user, password)
                return True

            return self._ask(store) is True

    def _found(self) -> Any:
        if not self._looked:
            self._looked = True
            self._backend = self._ask(_usable_backend)
        return self._backend

    def _ask(self, action: Callable[[], T]) -> T | None:
        """What `action` returns; None if it raises, or takes too long."""
        answers: queue.Queue[T | None] = queue.Queue()

        def run() -> None:
            try:
                answers.put(action())
            # A backend is somebody else's code; without a keyring the user is asked.
            except Exception:  # noqa: BLE001
                answers.put(None)

        threading.Thread(target=run, name="inglenook-keyring", daemon=True).start()
        try:
            return answers.get(timeout=self._patience_s)
        except queue.Empty:
            self._backend = None
            return None


def _usable_backend() -> Any:
    """The keyring that the user chose, else the system's own; None if there is no real one."""
    try:
        from keyring import core
    except ImportError:
        return None
    backend = core.get_keyring()
    chosen = "PYTHON_KEYRING_BACKEND" in os.environ or core.load_config() is not None
    real = type(backend).__module__ not in ("keyring.backends.fail", "keyring.backends.null")
    return backend if real and (chosen or backend.priority >= _LEAST_PRIORITY) else None
