"""What goes wrong on the web, as errors for people; some of it may be better in a moment."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from typing import Any

from inglenook.errors import PullError

__all__ = ["Passing", "explained", "retry_after_s", "shown"]

_NO_NAME = re.compile(
    r"Name or service not known|name resolution|nodename nor servname|getaddrinfo failed|"
    r"No address associated",
    re.IGNORECASE,
)
_CERTIFICATE = re.compile(r"certificate|SSL|TLS", re.IGNORECASE)
_LONGEST_RETRY_S = 1e6


class Passing(Exception):
    """Something that another try may find gone.

    Args:
        reason: What happened, for a person.
        wait_s: How long the server asks to wait; 0 if it does not say.
        final: What to raise if nobody was ever reached, or patience ends.
    """

    def __init__(self, reason: str, final: PullError, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final
        self.wait_s = wait_s


class Unreached(Passing):
    """Nobody was reached at all; worth another try only if somebody was before."""


def explained(http: Any, error: Exception, place: str) -> Exception:
    """An error of the library `http` as `Passing` or a `PullError`; a defect as it is."""
    said = shown(str(error)) or type(error).__name__
    if isinstance(error, http.ConnectError | http.ConnectTimeout | http.ProxyError):
        return Unreached(said, _not_reached(place, said))
    if isinstance(error, http.TransportError):
        if isinstance(error, http.ReadTimeout | http.WriteTimeout):
            said = "it was silent for too long"
        return Passing(
            f"the connection to {place} broke ({said})",
            PullError(
                f"The connection to {place} broke again and again: {said}.",
                hint="Pull again to go on where it ended.",
            ),
        )
    if isinstance(error, http.InvalidURL | http.HTTPError | ValueError | ImportError | OSError):
        return PullError(
            f"{place} cannot be asked: {said}.",
            hint="Check the proxy and certificate settings of the environment.",
        )
    return error


def _not_reached(place: str, said: str) -> PullError:
    if _NO_NAME.search(said):
        return PullError(
            f"The name {place} cannot be looked up: there is no network, or no such host.",
            hint="Check the network and the name, set a mirror in the configuration (see "
            "docs/models.md), or use a file at hand: nook pull ./FILE",
        )
    if _CERTIFICATE.search(said):
        return PullError(
            f"{place} does not prove who it is: {said}.",
            hint="Check the host. Its own authority is trusted with SSL_CERT_FILE=FILE.",
        )
    return PullError(
        f"{place} cannot be reached: {said}.",
        hint="Check the network and the proxy settings, or use a file at hand: nook pull ./FILE",
    )


def retry_after_s(headers: Mapping[str, str], now: float | None = None) -> float:
    """How long a server asks to wait: seconds, or until a date (RFC 9110, 10.2.3); 0 if not."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said), _LONGEST_RETRY_S)
    try:
        until = email.utils.parsedate_to_datetime(said).timestamp()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return max(0.0, min(until - (time.time() if now is None else now), _LONGEST_RETRY_S))


def shown(said: str) -> str:
    """A stranger's words, safe and short."""
    return "".join(c if c.isprintable() else " " for c in said).strip()[:200]
