"""Reads the address of a model server, and says whether it is this machine or another.

Whether a prompt leaves the machine hangs on it, so that an address is taken apart here once, and
put together again from the parts that were checked: no two libraries can read it differently.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from inglenook.errors import UserError

__all__ = ["ServerAddress"]

_PORTS = {"http": 80, "https": 443}
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_NUMBER = re.compile(r"(.*\.)?[0-9]+")
"""What some libraries read as an address of odd form, and others as a name."""
_LOCAL = "127.0.0.1"
_PATH = re.compile(r"[A-Za-z0-9._~/%-]*")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server is.

    Args:
        scheme: `http` or `https`.
        host: A name, or an IP address without brackets. `localhost` is 127.0.0.1: it is never
            looked up, so that no name server can say where it is.
        port: 1 to 65535.
        path: Begins with `/` unless empty; without `/` at the end.
    """

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> ServerAddress:
        """Read `http://HOST[:PORT][/PATH]`. Raises `UserError` that says what is wrong."""
        try:
            parts = urlsplit(url.strip())
            port = parts.port
        except ValueError as error:
            raise _wrong(url, str(error)) from error
        host = (parts.hostname or "").lower().removesuffix(".")
        host = _LOCAL if host == "localhost" else host
        if parts.scheme not in _PORTS:
            raise _wrong(url, "it must begin with http:// or https://")
        if "@" in parts.netloc:
            raise UserError(
                "The address of a server must not hold a user name or a password.",
                hint="A key is given by an environment variable or the keyring; see "
                "docs/runtimes.md.",
            )
        if parts.query or parts.fragment:
            raise _wrong(url, "nothing may follow its path")
        named = _NAME.fullmatch(host) and not _NUMBER.fullmatch(host) and len(host) < 254
        if not _is_address(host) and not named:
            raise _wrong(url, "it names no host" if not host else "its host is malformed")
        if port == 0 or not _PATH.fullmatch(parts.path):
            raise _wrong(url, "its port is 0" if port == 0 else "its path is malformed")
        return cls(parts.scheme, host, port or _PORTS[parts.scheme], parts.path.rstrip("/"))

    @property
    def is_this_machine(self) -> bool:
        """Whether it is a loopback address; every other name may be looked up anywhere."""
        return _is_address(self.host) and ipaddress.ip_address(self.host).is_loopback

    @property
    def is_encrypted(self) -> bool:
        return self.scheme == "https"

    @property
    def place(self) -> str:
        """Host and, if it is not the usual one, port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def remote(self) -> str:
        """The host that prompts are sent to; "" for this machine."""
        return "" if self.is_this_machine else self.place

    def url(self, path: str) -> str:
        """The URL of a path, which begins with `/`, on this server."""
        return f"{self.scheme}://{self.place}{path}"

    def __str__(self) -> str:
        return self.url(self.path)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _wrong(url: str, why: str) -> UserError:
    shown = url if len(url) <= 100 else f"{url[:100]}…"
    return UserError(
        f"'{shown}' is not the address of a server: {why}.",
        hint="It looks like http://127.0.0.1:11434/v1.",
    )
