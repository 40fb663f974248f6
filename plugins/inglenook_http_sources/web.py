"""Asks hosts over HTTP: who is asked is told first, credentials stay at home, waits can be ended.

Redirects are followed here and nowhere else, so that no library speaks to a host unannounced.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from inglenook.errors import Cancelled, MissingDependencyError, PullError
from inglenook.types import CancelToken, Notice
from inglenook_http_sources.failures import Passing, Unreached, explained, retry_after_s
from inglenook_http_sources.web_address import WebAddress

__all__ = ["Answer", "Credentials", "Web", "stopped"]

_Found = TypeVar("_Found")
_CONNECT_S = 10.0
_SILENCE_S = 30.0
_POLL_S = 0.05
_MOST_HOPS = 5
_MOST_FAILURES = 6
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 120.0
_TOLD_WAIT_S = 2.0
_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429, 500, 502, 503, 504)


class Credentials(Protocol):
    """What a source shows to which host."""

    def headers(self, address: WebAddress) -> dict[str, str]:
        """What to send there; {} for every host but its own."""

    def challenged(
        self, address: WebAddress, headers: Mapping[str, str], cancel: CancelToken
    ) -> Generator[Notice, None, bool]:
        """Get what a 401 asks for; whether it is worth asking again."""

    def refusal(self, address: WebAddress, status: int, body: bytes) -> Exception:
        """The error for a status that is no success."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host said.

    Args:
        address: Who said it, after redirects.
        status: Of HTTP.
        headers: By lower-case name.
        body: b"" if it was not asked for.
        on_the_way: The headers of the redirects before it.
    """

    address: WebAddress
    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    on_the_way: tuple[Mapping[str, str], ...] = field(default=())


class Web:
    """HTTP with the rules of this plugin.

    Args:
        insecure: Whether other machines may be spoken to without encryption.
    """

    def __init__(self, *, insecure: bool = False) -> None:
        self._insecure = insecure
        self._http = _library()
        self._clients: dict[bool, Any] = {}
        self._lock = threading.Lock()
        self._told: set[str] = set()

    def close(self) -> None:
        """Close what is open; it can be used again."""
        with self._lock:
            clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            client.close()

    def parse(self, url: str) -> WebAddress:
        """An address that may be asked. Raises `UserError`."""
        address = WebAddress.parse(url)
        address.require_safe(insecure=self._insecure)
        return address

    def told(self, address: WebAddress) -> None:
        """The user knows that this host is spoken to."""
        self._told.add(address.place)

    def ask(
        self,
        address: WebAddress,
        credentials: Credentials,
        cancel: CancelToken,
        *,
        headers: Mapping[str, str] | None = None,
        largest: int = 0,
    ) -> Generator[Notice, None, Answer]:
        """The answer of success to a GET, after redirects, challenges and further tries.

        Args:
            address: Whom; `told` before.
            credentials: What to show to whom.
            cancel: Ends it with `Cancelled` within moments.
            headers: What to send besides.
            largest: Bytes of the body that are read at most; a longer one is refused. 0 reads
                none of it.

        Raises `PullError`, or what `credentials.refusal` makes of a status.
        """
        at, failures, challenges = address, 0, 0
        passed: list[Mapping[str, str]] = []
        while True:
            stopped(cancel)
            sent = {**(headers or {}), **credentials.headers(at)}
            try:
                answer = _while_watching(
                    lambda at=at, sent=sent: self._once(at, sent, largest),  # type: ignore[misc]
                    cancel,
                )
            except Passing as passing:
                failures += 1
                yield from waited(passing, failures, cancel)
                continue
            if answer.status in _REDIRECTS and "location" in answer.headers:
                passed.append(answer.headers)
                at = at.redirected(answer.headers["location"])
                at.require_safe(insecure=self._insecure)
                if len(passed) > _MOST_HOPS:
                    raise PullError(
                        f"{address.place} sends on from one address to the next without an end.",
                        hint="Try another source with --source.",
                    )
                yield from self._announced(address, at)
                continue
            if answer.status == 401 and challenges < 2:
                challenges += 1
                if (yield from credentials.challenged(at, answer.headers, cancel)):
                    continue
            if answer.status not in (200, 206, 416):
                raise credentials.refusal(at, answer.status, answer.body)
            return Answer(at, answer.status, answer.headers, answer.body, tuple(passed))

    def _announced(self, asked: WebAddress, at: WebAddress) -> Generator[Notice, None, None]:
        if at.place not in self._told:
            self.told(at)
            yield Notice("redirect", f"{asked.place} sends on to {at.place}.")

    def announce(self, asked: WebAddress, at: WebAddress) -> Generator[Notice, None, None]:
        """Tell of another host before it is contacted, unless it is known."""
        at.require_safe(insecure=self._insecure)
        yield from self._announced(asked, at)

    def _once(self, at: WebAddress, headers: Mapping[str, str], largest: int) -> Answer:
        with self.opened(at, headers) as response:
            fields = {k.lower(): v for k, v in response.headers.items()}
            body = b""
            if response.status_code not in (*_REDIRECTS, 416):
                body = self._body(at, response, largest or 1 << 16, refuse=bool(largest))
            return Answer(at, response.status_code, fields, body)

    def _body(self, at: WebAddress, response: Any, largest: int, *, refuse: bool) -> bytes:
        succeeded = response.status_code in (200, 206)
        if succeeded and not refuse:
            return b""
        body = bytearray()
        for piece in self.pieces(at, response):
            body += piece
            if len(body) > largest:
                if succeeded:
                    raise PullError(
                        f"{at.place} sends more than {largest:,} bytes for {at.shown}.",
                        hint="It is not what was asked for; try another source with --source.",
                    )
                break
        return bytes(body[:largest])

    @contextmanager
    def opened(self, at: WebAddress, headers: Mapping[str, str]) -> Generator[Any, None, None]:
        """A response whose body was not read yet.

        Raises `Passing` for what another try may find gone, `PullError` for the rest.
        """
        client = self._client(at)
        try:
            with client.stream("GET", at.url, headers=dict(headers)) as response:
                status = response.status_code
                if status in _PASSING:
                    said = "asks to slow down" if status == 429 else "cannot answer right now"
                    reason = f"{at.place} {said} (status {status})"
                    final = PullError(f"{reason}, again and again.", hint="Pull again later.")
                    raise Passing(reason, final, retry_after_s(response.headers))
                yield response
        except (Passing, PullError, Cancelled):
            raise
        except self._http.HTTPError as error:
            raise explained(self._http, error, at.place) from error

    def pieces(self, at: WebAddress, response: Any) -> Generator[bytes, None, None]:
        """The bytes of a body as they come. Raises like `opened`."""
        if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            raise PullError(
                f"{at.place} sends a compressed answer, which was not asked for.",
                hint="Try another source with --source.",
            )
        yield from response.iter_raw()

    def _client(self, at: WebAddress) -> Any:
        here = at.server.is_this_machine
        with self._lock:
            if here not in self._clients:
                try:
                    self._clients[here] = self._http.Client(
                        headers={"Accept-Encoding": "identity", "User-Agent": "inglenook"},
                        timeout=self._http.Timeout(_SILENCE_S, connect=_CONNECT_S, pool=None),
                        # No proxy may see what goes to this machine; elsewhere the user's hold.
                        trust_env=not here,
                        verify=self._http.create_ssl_context(),
                        follow_redirects=False,
                    )
                except (OSError, ValueError, ImportError, self._http.InvalidURL) as error:
                    raise explained(self._http, error, at.place) from error
            return self._clients[here]


def waited(
    passing: Passing, failures: int, cancel: CancelToken, *, reached: bool = False
) -> Generator[Notice, None, None]:
    """Wait before another try, and tell of a long wait.

    Raises what is final when patience ends: at once if nobody was `reached` so far.
    """
    if failures >= _MOST_FAILURES or (isinstance(passing, Unreached) and not reached):
        raise passing.final
    wait_s = pause_s(passing, failures)
    if wait_s >= _TOLD_WAIT_S:
        yield Notice("retrying", f"{passing.reason}; trying again in {wait_s:.0f} s.")
    if cancel.wait(wait_s):
        stopped(cancel)


def pause_s(passing: Passing, failures: int) -> float:
    """How long to wait before the next try. Raises `PullError` where it is asked for too long."""
    if passing.wait_s > _LONGEST_WAIT_S:
        raise PullError(
            f"{passing.reason}, and asks to wait {passing.wait_s:,.0f} s.",
            hint="Pull again then; what came is kept.",
        )
    return float(passing.wait_s or _FIRST_WAIT_S * 2 ** (failures - 1))


def stopped(cancel: CancelToken) -> None:
    """Raise `Cancelled` if that was asked for."""
    if cancel.cancelled:
        raise Cancelled("The pull was stopped.", hint="Pull again to go on where it ended.")


def _while_watching(work: Callable[[], _Found], cancel: CancelToken) -> _Found:
    """Do it in a thread, and leave that alone after a cancel: a look-up of a name cannot end."""
    outcome: queue.Queue[tuple[_Found | None, BaseException | None]] = queue.Queue()

    def run() -> None:
        try:
            outcome.put((work(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            outcome.put((None, error))

    threading.Thread(target=run, name="inglenook-web", daemon=True).start()
    while True:
        with suppress(queue.Empty):
            found, error = outcome.get(timeout=_POLL_S)
            if error is not None:
                raise error
            return found  # type: ignore[return-value]
        stopped(cancel)


def _library() -> Any:
    try:
        import httpx2
    except ImportError as error:
        raise MissingDependencyError(
            "Models over the network need the library httpx2, which is not installed.",
            hint="Install it: pip install 'inglenook[http-sources]'",
        ) from error
    return httpx2
