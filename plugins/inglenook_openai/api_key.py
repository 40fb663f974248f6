"""The key that a server asks for: from an environment variable or the system's keyring.

A profile cannot name either, and each belongs to one host: a stranger's profile can make nobody
send a key to another server than the one it was meant for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from inglenook.server_address import ServerAddress
from inglenook.system_keyring import SystemKeyring

__all__ = ["find_key", "key_user", "key_variable"]


def key_variable(address: ServerAddress) -> str:
    """The name of the environment variable with the key for a server."""
    return "INGLENOOK_KEY_" + re.sub(r"[^A-Z0-9]", "_", address.place.upper())


def find_key(address: ServerAddress, environment: Mapping[str, str] = os.environ) -> str:
    """The key for a server; "" if there is none."""
    stated = environment.get(key_variable(address), "").strip()
    # A server on this machine rarely has a key, and a locked keyring would ask for a password.
    if stated or address.is_this_machine:
        return stated
    return (SystemKeyring().get(key_user(address)) or "").strip()


def key_user(address: ServerAddress) -> str:
    """The user name that the keyring has the key for a server under."""
    return f"server:{address.place}"
