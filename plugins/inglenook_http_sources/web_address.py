"""An address on the web, taken apart once: where it is, what is asked for, and who may read it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from inglenook.errors import PullError, UserError
from inglenook.server_address import ServerAddress

__all__ = ["WebAddress"]

_KEPT = "/%:@!$&'()*+,;=~-._"
_LONGEST = 8192


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A server, and what follows it: path and query."""

    server: ServerAddress
    target: str

    @classmethod
    def parse(cls, url: str) -> WebAddress:
        """Read `http(s)://HOST[:PORT]/PATH[?QUERY]`. Raises `UserError`."""
        shown = url if len(url) <= 100 else f"{url[:100]}…"
        try:
            parts = urlsplit(url.strip())
        except ValueError as error:
            raise _wrong(shown, str(error)) from error
        if "@" in parts.netloc:
            # It is not repeated: it may hold a password.
            raise UserError(
                "The address of a model must not hold a user name or a password.",
                hint="Fetch the file with a tool that can log in, then: nook pull ./FILE",
            )
        if len(url) > _LONGEST or any(ord(c) < 33 for c in url.strip()):
            raise _wrong(shown, "it is too long" if len(url) > _LONGEST else "it holds blanks")
        try:
            server = ServerAddress.parse(f"{parts.scheme.lower()}://{parts.netloc}")
        except UserError as error:
            raise _wrong(shown, error.message.rpartition(": ")[2].rstrip(".")) from error
        query = f"?{quote(parts.query, safe=_KEPT + '?')}" if parts.query else ""
        return cls(server, (quote(parts.path, safe=_KEPT) or "/") + query)

    @property
    def place(self) -> str:
        """Host and, if it is not the usual one, port."""
        return self.server.place

    @property
    def url(self) -> str:
        return self.server.url(self.target)

    @property
    def shown(self) -> str:
        """Without the query, which may hold a signature."""
        return self.url.partition("?")[0]

    def require_safe(self, *, insecure: bool) -> None:
        """Raise `UserError` if anybody on the way could read and change what is sent."""
        if self.server.is_encrypted or self.server.is_this_machine or insecure:
            return
        raise UserError(
            f"{self.shown} is not encrypted, so that anybody on the way could change the model.",
            hint="Use https://, or add --insecure if you trust the network.",
        )

    def redirected(self, location: str) -> WebAddress:
        """Where a redirect leads. Raises `PullError` for a place that nobody else may send to."""
        try:
            there = WebAddress.parse(urljoin(self.url, location.strip()))
        except UserError as error:
            raise PullError(
                f"{self.place} sends on to a malformed address: {error.message}",
                hint="Try another source with --source.",
            ) from error
        inwards = there.server.is_this_machine and not self.server.is_this_machine
        weaker = self.server.is_encrypted and not there.server.is_encrypted
        if inwards or weaker:
            what = "this machine itself" if inwards else "an address without encryption"
            raise PullError(
                f"{self.place} sends on to {what} ({there.place}), which is refused.",
                hint="Try another source with --source.",
            )
        return there


def _wrong(shown: str, why: str) -> UserError:
    return UserError(
        f"'{shown}' is not the address of a model: {why}.",
        hint="It looks like https://HOST/PATH/model.gguf.",
    )
