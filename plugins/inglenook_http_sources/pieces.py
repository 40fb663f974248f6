"""The threads that fetch pieces of a file at the same time, each into its place.

They write and note what they wrote; all decisions are made by the one that employs them.
"""

from __future__ import annotations

import queue
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from inglenook.errors import PullError
from inglenook_http_sources.failures import Passing
from inglenook_http_sources.spans import Span
from inglenook_http_sources.unfinished import Identity, Unfinished
from inglenook_http_sources.web import Credentials, Web
from inglenook_http_sources.web_address import WebAddress

__all__ = ["Changed", "Crew", "Stale"]

_SMALLEST_PIECE = 1 << 20
_LARGEST_PIECE = 64 << 20
_JOIN_S = 0.5
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class Changed(Exception):
    """The file at the address is another one now."""


class Stale(Exception):
    """The address that a redirect gave, or a token, is of no use any more."""

    def __init__(self, passing: Passing) -> None:
        super().__init__(passing.reason)
        self.passing = passing


class Crew:
    """Some threads and the pieces that they fetch.

    Args:
        web: Asks.
        address: Whom: the place itself, no redirect.
        credentials: What is shown to whom.
        unfinished: Where the bytes go, and which are there already.
        identity: The file that is meant.
        workers: How many threads there may be.
        ranges: Whether pieces can be asked for; without, the file comes whole from its beginning.
    """

    def __init__(
        self,
        web: Web,
        address: WebAddress,
        credentials: Credentials,
        unfinished: Unfinished,
        identity: Identity,
        *,
        workers: int,
        ranges: bool,
    ) -> None:
        self._web = web
        self._address = address
        self._credentials = credentials
        self._unfinished = unfinished
        self._identity = identity
        self._workers = workers
        self._ranges = ranges
        self._lock = threading.Lock()
        self._ended = False
        self._problems: queue.Queue[Exception] = queue.Queue()
        self._threads: set[threading.Thread] = set()
        self._streams: set[Any] = set()
        self._open = list(self._cut(unfinished.spans.missing(identity.size_bytes)))
        self.hire()

    def _cut(self, missing: tuple[Span, ...]) -> Iterator[Span]:
        """Pieces small enough that all threads have something to do, in order."""
        size = self._identity.size_bytes
        if not self._ranges:
            yield (0, size)
            return
        step = min(max(size // (self._workers * 4), _SMALLEST_PIECE), _LARGEST_PIECE)
        for begin, end in missing:
            yield from ((at, min(at + step, end)) for at in range(begin, end, step))

    # --- for the one that employs them ------------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Whether every byte is there and nobody writes any more."""
        with self._lock:
            return not self._open and not self._threads and self._problems.empty()

    def work_for(self, seconds: float) -> Iterator[Exception]:
        """Let them work; what stopped one of them."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not self.is_done:
            with suppress(queue.Empty):
                yield self._problems.get(timeout=min(left, 0.02))

    def forgive(self) -> None:
        """Forget what else broke meanwhile for the same reason. Raises what is of another kind."""
        with suppress(queue.Empty):
            while True:
                problem = self._problems.get_nowait()
                if not isinstance(problem, Passing | Stale):
                    raise problem

    def hire(self) -> None:
        """Start as many threads as there may be, if there is work."""
        with self._lock:
            while not self._ended and len(self._threads) < min(self._workers, len(self._open)):
                thread = threading.Thread(target=self._work, name="inglenook-piece", daemon=True)
                self._threads.add(thread)
                thread.start()

    def shrink(self) -> None:
        """Use one thread less from now on: the server asked for less."""
        self._workers = max(1, self._workers - 1)

    def go_to(self, address: WebAddress) -> None:
        """Ask another place from now on."""
        self._address = address
        self.hire()

    def begin_again(self) -> bool:
        """Forget what came, of a file that cannot be had in pieces; whether something had come."""
        with self._lock:
            some = self._unfinished.spans.total > 0
            self._unfinished.begin(self._identity)
            self._open = [(0, self._identity.size_bytes)]
            return some

    def hang_up(self) -> None:
        """End all connections now."""
        with self._lock:
            self._ended = True
            streams = list(self._streams)
        for stream in streams:
            # It may be closed already, or be no socket: then there is nothing to end.
            with suppress(OSError, AttributeError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End all, and wait a moment until nobody writes."""
        self.hang_up()
        deadline = time.monotonic() + _JOIN_S
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    # --- for themselves ---------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while (span := self._next()) is not None:
                self._fetch(span)
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            # Whoever hears of it may hire another one at once.
            with self._lock:
                self._threads.discard(threading.current_thread())
            if not self._ended:
                self._problems.put(error)

    def _next(self) -> Span | None:
        with self._lock:
            if self._ended or not self._open or len(self._threads) > self._workers:
                self._threads.discard(threading.current_thread())
                return None
            return self._open.pop(0)

    def _fetch(self, span: Span) -> None:
        at = span[0]
        try:
            address = self._address
            headers = self._credentials.headers(address)
            if self._ranges:
                headers["Range"] = f"bytes={span[0]}-{span[1] - 1}"
                if self._identity.validator:
                    headers["If-Range"] = self._identity.validator
            with self._web.opened(address, headers) as response:
                stream = response.extensions.get("network_stream")
                self._streams.add(stream)
                try:
                    self._require_usable(address, response, span)
                    with self._unfinished.path.open("r+b", buffering=0) as file:
                        file.seek(at)
                        for piece in self._web.pieces(address, response):
                            at = self._write(file, piece, at, span[1])
                finally:
                    self._streams.discard(stream)
            if at < span[1]:
                raise self._cut_off(address)
        finally:
            if at < span[1]:
                with self._lock:
                    self._open.insert(0, (at, span[1]))

    def _write(self, file: Any, piece: bytes, at: int, end: int) -> int:
        if at + len(piece) > end:
            raise PullError(
                f"{self._address.place} sends more bytes than were asked for.",
                hint="Try another source with --source.",
            )
        view = memoryview(piece)
        while view:
            if self._ended:
                raise self._cut_off(self._address)
            written = file.write(view)
            view = view[written:]
            with self._lock:
                self._unfinished.spans.add(at, at + written)
            at += written
        return at

    def _require_usable(self, address: WebAddress, response: Any, span: Span) -> None:
        """Raise `Changed`, `Stale` or `PullError` unless these are the bytes that were meant."""
        status, size = response.status_code, self._identity.size_bytes
        name = self._identity.address.rpartition("/")[2]
        if status == 206 and self._ranges:
            said = _RANGE.fullmatch(response.headers.get("content-range", "").strip())
            if said is None or (int(said[1]), int(said[2]) + 1) != span:
                raise PullError(
                    f"{address.place} sends other bytes of {name} than were asked for.",
                    hint="Try another source with --source.",
                )
            if int(said[3]) != size or self._is_another(response):
                raise Changed(f"{name} has changed at {address.place} meanwhile")
            return
        if status == 200 and not self._ranges:
            length = response.headers.get("content-length", str(size))
            if length != str(size) or self._is_another(response):
                raise Changed(f"{name} has changed at {address.place} meanwhile")
            return
        if status in (200, 416):
            raise Changed(f"{name} has changed at {address.place} meanwhile")
        reason = f"{address.place} refuses a piece of {name} (status {status})"
        final = PullError(f"{reason}.", hint="Pull again later to go on where it ended.")
        raise Stale(Passing(reason, final))

    def _is_another(self, response: Any) -> bool:
        etag = response.headers.get("etag", "")
        return bool(self._identity.etag and etag and etag != self._identity.etag)

    def _cut_off(self, address: WebAddress) -> Passing:
        reason = f"the connection to {address.place} broke"
        return Passing(
            reason,
            PullError(
                f"The connection to {address.place} broke again and again.",
                hint="Pull again to go on where it ended.",
            ),
        )
