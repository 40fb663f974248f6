"""Fetches one file in several pieces at a time, and goes on where an earlier try ended."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from inglenook.errors import PullError
from inglenook.types import CancelToken, FetchPart, FetchProgress, Notice
from inglenook_http_sources.failures import Passing
from inglenook_http_sources.pieces import Changed, Crew, Stale
from inglenook_http_sources.unfinished import Identity, Unfinished
from inglenook_http_sources.web import Answer, Credentials, Web, stopped, waited
from inglenook_http_sources.web_address import WebAddress

__all__ = ["Download", "Found", "look"]

_SMALL_BYTES = 1 << 20
_SAVE_S = 1.0
_POLL_S = 0.1
_MOST_CHANGES = 3
_MOST_FAILURES = 6
_FIRST_WAIT_S = 0.1
_TOTAL = re.compile(r"bytes (?:\d+-\d+|\*)/(\d+)")
_PIECE_BYTES = 1 << 20

Event = FetchProgress | Notice


@dataclass(frozen=True, slots=True)
class Found:
    """What a server says of a file before it is fetched.

    Args:
        answer: Its own words, and whose they are.
        identity: What tells the file from another; `size_bytes` is 0 if it does not say.
        ranges: Whether it can send pieces.
    """

    answer: Answer
    identity: Identity
    ranges: bool


def look(
    web: Web, address: WebAddress, credentials: Credentials, cancel: CancelToken
) -> Generator[Notice, None, Found]:
    """Ask for the first byte, to learn the rest. Raises `PullError`."""
    answer = yield from web.ask(address, credentials, cancel, headers={"Range": "bytes=0-0"})
    fields = answer.headers
    total = _TOTAL.fullmatch(fields.get("content-range", "").strip())
    ranges = answer.status == 206 and total is not None
    if total is not None:
        size = int(total[1])
    elif answer.status == 200 and fields.get("content-length", "").isdigit():
        size = int(fields["content-length"])
    else:
        size = 0
    etag = fields.get("etag", "")
    strong = etag if etag.startswith('"') else ""
    identity = Identity(address.shown, size, strong, fields.get("last-modified", ""))
    return Found(answer, identity, ranges)


class Download:
    """One file from one address.

    Args:
        web: Asks.
        address: Whom.
        credentials: What is shown to whom.
        part: What is promised.
        target: Where the whole file goes; the folder is ours.
        connections: How many pieces come at a time.
    """

    def __init__(
        self,
        web: Web,
        address: WebAddress,
        credentials: Credentials,
        part: FetchPart,
        target: Path,
        cancel: CancelToken,
        connections: int,
    ) -> None:
        self._web = web
        self._address = address
        self._credentials = credentials
        self._part = part
        self._target = target
        self._cancel = cancel
        self._connections = connections
        key = part.sha256 or hashlib.sha256(address.url.encode()).hexdigest()
        self._unfinished = Unfinished(target.with_name(f"resume-{key[:32]}"))
        self._changes = 0

    def run(self) -> Generator[Event, None, None]:
        """Fetch it. Raises `PullError`, `OSError`, `Cancelled`; what came is kept."""
        left = self._unfinished.read()
        if left is None and 0 < self._part.size_bytes <= _SMALL_BYTES:
            yield from self._at_once()
            return
        while True:
            found = yield from look(self._web, self._address, self._credentials, self._cancel)
            if not found.identity.size_bytes:
                raise self._without_a_length(found)
            self._require_promised(found.identity.size_bytes)
            resumed = yield from self._prepare(left, found)
            try:
                yield from self._transfer(found)
            except Changed as changed:
                yield from self._begin_again(f"{changed}; starting from its beginning.")
                left = None
                continue
            if not resumed or (yield from self._is_the_promised()):
                break
            left = None
        size = found.identity.size_bytes
        self._unfinished.finish(self._target)
        yield FetchProgress(self._part.address, size, size)

    # --- before the first byte --------------------------------------------------------------

    def _require_promised(self, size: int) -> None:
        if self._part.size_bytes and size != self._part.size_bytes:
            raise PullError(
                f"{self._address.shown} has {size:,} bytes instead of "
                f"{self._part.size_bytes:,}: it is another file.",
                hint="Try another source with --source.",
            )

    def _prepare(self, left: Identity | None, found: Found) -> Generator[Notice, None, bool]:
        """Go on with what was left, or begin; whether there is something to go on with."""
        name = self._address.shown.rpartition("/")[2]
        if left is not None:
            # Bytes of an unknown origin are held against the sha256 in the end.
            other_host = left.address != found.identity.address and bool(self._part.sha256)
            silent = not (left.validator and found.identity.validator)
            same = left.is_same_as(found.identity) or (
                left.size_bytes == found.identity.size_bytes
                and bool(self._part.sha256)
                and (other_host or silent)
            )
            if same and found.ranges:
                there, size = self._unfinished.spans.total / 1e6, left.size_bytes / 1e6
                message = f"Going on with {name}: {there:,.1f} of {size:,.1f} MB are here."
                yield Notice("resumed", message)
                return True
            if self._unfinished.spans.total:
                why = (
                    f"{self._address.place} cannot send pieces of a file"
                    if same
                    else f"{name} has changed at {self._address.place} meanwhile"
                    if left.validator and found.identity.validator
                    else f"{self._address.place} does not say whether {name} is still the same"
                )
                yield Notice("from-the-beginning", f"{why}; starting from its beginning.")
        self._unfinished.begin(found.identity)
        return False

    def _begin_again(self, why: str) -> Generator[Notice, None, None]:
        self._unfinished.drop()
        self._changes += 1
        if self._changes >= _MOST_CHANGES:
            raise PullError(
                f"{self._address.shown} is another file each time that it is asked for.",
                hint="Pull again later, or try another source with --source.",
            )
        yield Notice("from-the-beginning", why)

    def _is_the_promised(self) -> Generator[Notice, None, bool]:
        """Compare a file that came in several tries; a wrong one is thrown away."""
        if not self._part.sha256:
            return True
        digest = hashlib.sha256()
        with self._unfinished.path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
                stopped(self._cancel)
        if digest.hexdigest() == self._part.sha256:
            return True
        name = self._address.shown.rpartition("/")[2]
        yield from self._begin_again(
            f"The pieces of {name} do not fit together; starting from its beginning."
        )
        return False

    # --- the bytes --------------------------------------------------------------------------

    def _at_once(self) -> Generator[Event, None, None]:
        """A small file in one answer."""
        answer = yield from self._web.ask(
            self._address,
            self._credentials,
            self._cancel,
            largest=self._part.size_bytes + 1,
        )
        self._require_promised(len(answer.body))
        self._target.write_bytes(answer.body)
        yield FetchProgress(self._part.address, len(answer.body), len(answer.body))

    def _without_a_length(self, found: Found) -> PullError:
        return PullError(
            f"{found.answer.address.place} does not say how long {self._address.shown} is.",
            hint="Fetch it with another tool, then: nook pull ./FILE",
        )

    def _transfer(self, found: Found) -> Generator[Event, None, None]:
        """Let a crew fetch what is missing. Raises `Changed`."""
        crew = Crew(
            self._web,
            found.answer.address,
            self._credentials,
            self._unfinished,
            found.identity,
            workers=self._connections if found.ranges else 1,
            ranges=found.ranges,
        )
        patience = _Patience(lambda: self._unfinished.spans.total)
        release = self._cancel.on_cancel(crew.hang_up)
        saved = time.monotonic()
        yield self._progress(found)
        try:
            while not crew.is_done:
                stopped(self._cancel)
                for problem in crew.work_for(_POLL_S):
                    stopped(self._cancel)
                    yield from self._bear(problem, crew, patience, found)
                yield self._progress(found)
                if time.monotonic() - saved > _SAVE_S:
                    self._unfinished.save(found.identity)
                    saved = time.monotonic()
        finally:
            release()
            crew.close()
            if found.ranges:
                self._unfinished.save(found.identity)

    def _bear(
        self, problem: Exception, crew: Crew, patience: _Patience, found: Found
    ) -> Generator[Notice, None, None]:
        """Make the best of what stopped one of the crew, or raise it."""
        if isinstance(problem, Stale):
            # A signed address has expired, or a token: ask the way again.
            patience.failed(problem.passing)
            again = yield from look(self._web, self._address, self._credentials, self._cancel)
            if not again.identity.is_same_as(found.identity) and again.identity.validator:
                raise Changed(f"{self._address.shown} has changed meanwhile")
            crew.go_to(again.answer.address)
            return
        if not isinstance(problem, Passing):
            raise problem
        failures = patience.failed(problem)
        if problem.wait_s:
            crew.shrink()
        if problem.wait_s or failures > 1:
            yield from waited(problem, failures - 1 or 1, self._cancel, reached=True)
        else:
            self._cancel.wait(_FIRST_WAIT_S)
        stopped(self._cancel)
        crew.forgive()
        if not found.ranges and crew.begin_again():
            place = self._address.place
            yield Notice(
                "from-the-beginning",
                f"The connection broke, and {place} cannot send pieces of a file; "
                "starting from its beginning.",
            )
        crew.hire()

    def _progress(self, found: Found) -> FetchProgress:
        return FetchProgress(
            self._part.address, self._unfinished.spans.total, found.identity.size_bytes
        )


class _Patience:
    """Counts failures between which nothing came."""

    def __init__(self, so_far: Callable[[], int]) -> None:
        self._so_far = so_far
        self._before = so_far()
        self._failures = 0

    def failed(self, passing: Passing) -> int:
        """How many there were in a row; raises the final error when it is too much."""
        now = self._so_far()
        self._failures = 1 if now > self._before else self._failures + 1
        self._before = now
        if self._failures >= _MOST_FAILURES:
            raise passing.final
        return self._failures
