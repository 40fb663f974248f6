"""The key that a server asks for: from an environment variable or the system's keyring.

A profile cannot name either, and each belongs to one host: a stranger's profile can make nobody
send a key to another server than the one it was meant for.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping

from inglenook.errors import UserError
from inglenook.server_address import ServerAddress
from inglenook.system_keyring import SERVICE, SystemKeyring

__all__ = ["find_key", "key_user", "key_variable"]


def key_variable(address: ServerAddress) -> str:
    """The name of the environment variable with the key for a server; another one for each.

    A `.` is `_`, a `-` is `__`, and `___` stands before a port: no name has two of them side by
    side, so that no other host has the same variable.
    """
    host = address.host
    if ":" in host:
        host = "ip6-" + ipaddress.IPv6Address(host).exploded.replace(":", "")
    name = host.upper().replace("-", "__").replace(".", "_")
    usual = address.port == (443 if address.is_encrypted else 80)
    return f"INGLENOOK_KEY_{name}" + ("" if usual else f"___{address.port}")


def find_key(address: ServerAddress, environment: Mapping[str, str] = os.environ) -> str:
    """The key for a server; "" if there is none, or nobody may see it on the way.

    Raises `UserError` for one that cannot be a key; it does not show it.
    """
    if not address.is_encrypted and not address.is_this_machine:
        return ""
    stated = environment.get(key_variable(address), "").strip()
    # A server on this machine rarely has a key, and a locked keyring would ask for a password.
    if not stated and not address.is_this_machine:
        stated = (SystemKeyring().get(key_user(address)) or "").strip()
    if not (stated.isascii() and stated.isprintable()):
        raise UserError(
            f"The key for {address.place} holds characters that no key has.",
            hint=f"Look at {key_variable(address)}, or run: keyring set {SERVICE} "
            f"{key_user(address)}",
        )
    return stated


def key_user(address: ServerAddress) -> str:
    """The user name that the keyring has the key for a server under."""
    return f"server:{address.place}"
