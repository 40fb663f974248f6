"""Passwords of encrypted documents: from the system keyring, and from who types them.

They are held in memory only, and written nowhere but into the keyring, when the user says so. In
the keyring the service is `inglenook` and the user name is the absolute path of the document:
`keyring set inglenook PATH`.
"""

from __future__ import annotations

import threading
from pathlib import Path

from inglenook.knowledge.reader_process import GuessedPassword
from inglenook.system_keyring import SystemKeyring

__all__ = ["Passwords"]


class Passwords:
    """What to try on a document that turns out to be encrypted. Thread-safe.

    It is given to `Assistant.ingest_events`, which asks it only for such documents.

    Args:
        keyring: The keyring of this machine.
    """

    def __init__(self, keyring: SystemKeyring | None = None) -> None:
        self._keyring = keyring or SystemKeyring()
        self._lock = threading.Lock()
        self._typed: dict[str, str] = {}
        self._newest: str | None = None

    def __call__(self, name: str, path: Path) -> str | None:
        """The password to try on this document, or None.

        What was typed for it goes first, then what the keyring has, then what was typed last:
        people use one password for many documents.
        """
        del name
        with self._lock:
            typed, newest = self._typed.get(str(path)), self._newest
        if typed is not None:
            return typed
        kept = self._keyring.get(str(path))
        if kept is not None or newest is None:
            return kept
        return GuessedPassword(newest)

    def typed(self, path: Path, password: str) -> None:
        """The user typed this for that document; it is tried on others too."""
        with self._lock:
            self._typed[str(path)] = password
            self._newest = password

    @property
    def can_keep(self) -> bool:
        """Whether there is a keyring to keep them in."""
        return self._keyring.is_there

    def keep(self, path: Path) -> bool:
        """Keep in the keyring what was typed; whether that worked."""
        with self._lock:
            password = self._typed.get(str(path), self._newest)
        return password is not None and self._keyring.set(str(path), password)
