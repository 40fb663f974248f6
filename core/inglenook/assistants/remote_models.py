"""Models that a server runs: an assistant names them, and nothing of them is on this disk.

A runtime of servers states the format `remote` and has an option `url`, and an option `cloud` if
a server may send prompts on. Which host that is can be
said before anything is opened, so that people see it before their question leaves.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from inglenook.server_address import ServerAddress
from inglenook.types import ModelFiles

if TYPE_CHECKING:
    from inglenook.host import Host
    from inglenook.profiles.profile import Profile

__all__ = ["REMOTE", "remote_model", "remote_of", "server_of"]

REMOTE = "remote"
"""The format of a model that a server runs."""


def remote_model(profile: Profile, host: Host) -> ModelFiles | None:
    """The model that the profile's RUNTIME asks a server for; None if it runs here.

    Raises `UserError` for a runtime that is not there, or options that it does not take.
    """
    address = server_of(profile, host)
    if address is None:
        return None
    digest = hashlib.sha256(f"{address}\n{profile.model}".encode()).hexdigest()
    return ModelFiles(profile.model, REMOTE, {}, digest=digest)


def remote_of(profile: Profile, host: Host) -> str:
    """Where the profile has prompts sent; "" if they stay on this machine.

    Raises `UserError` like `remote_model`.
    """
    address = server_of(profile, host)
    if address is None or profile.runtime is None:
        return ""
    options = host.options_for("runtime", profile.runtime.name, profile.runtime.options)
    return f"{address.place} and on from there" if options.get("cloud") else address.remote


def server_of(profile: Profile, host: Host) -> ServerAddress | None:
    """The server that the profile's model runs at; None if it runs in a process of ours.

    Raises `UserError` like `remote_model`.
    """
    choice = profile.runtime
    if choice is None:
        return None
    factory = host.find("runtime", choice.name).factory
    if REMOTE not in factory.capabilities.get("formats", ()):
        return None
    options = host.options_for("runtime", choice.name, choice.options)
    return ServerAddress.parse(str(options.get("url", "")))
