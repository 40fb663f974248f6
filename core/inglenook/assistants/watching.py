"""Keeps what an assistant knows in step with its files: watches them, and reads what changes.

Every burst of changes is one ingestion, a job in the room. It opens the assistant anew, so that a
changed Assistantfile counts, and holds nothing open between two of them.
"""

# Paths stay text here: that is what watchfiles gives, thousands at once.
# ruff: noqa: PTH111, PTH112, PTH116, PTH118, PTH119, PTH120

from __future__ import annotations

import fnmatch
import glob
import os
import re
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inglenook.errors import InglenookError, MissingDependencyError, StoreError, UserError
from inglenook.jobs import Job, JobRoom, RetryQueue
from inglenook.profiles.loading import FILE_NAMES
from inglenook.types import CancelToken, IngestEvent, IngestProgress, IngestReport, Notice

if TYPE_CHECKING:
    from watchfiles import Change

    from inglenook.assistants.assistant import Assistant
    from inglenook.profiles.profile import FileRule

__all__ = ["Place", "RunFailed", "WatchTimes", "Watching", "places_of"]

MAY_PASS = ("unreadable", "timed out")
"""Why a file could not be read that may be readable later, although it does not change."""

QUEUE_FILE = "retries.sqlite"
_ALL = "*"
"""Stands for the path of every source that failed."""

_LIMIT_HINT = (
    " On Linux the limits can be raised: "
    "sysctl fs.inotify.max_user_watches=1048576 fs.inotify.max_user_instances=1024"
)
_MAGIC = re.compile(r"[*?\[]")
_SEPARATORS = re.compile(r"[\\/]+" if os.sep == "\\" else r"/+")


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """How long to wait for what, in seconds.

    Args:
        settle: Changes are taken together until there is none for so long,
        longest_burst: or until the first of them is so old.
        look: How often to look whether the folders themselves went or came back.
        sweep: How often to run although nothing was noticed: not every file system tells.
        blind_sweep: The same where nothing can be watched.
        again, longest_again: After a run that failed as a whole; doubles from one to the other.
        retry, longest_retry: For a file that could not be read; likewise.
    """

    settle: float = 0.3
    longest_burst: float = 3.0
    look: float = 2.0
    sweep: float = 600.0
    blind_sweep: float = 30.0
    again: float = 2.0
    longest_again: float = 60.0
    retry: float = 30.0
    longest_retry: float = 3600.0


@dataclass(frozen=True, slots=True)
class Place:
    """A folder to watch.

    Args:
        folder: Where it is, or will be.
        names: Patterns of the names that matter in it; () is everything in it, however deep.
    """

    folder: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunFailed:
    """A run failed as a whole. It is tried again until it works; the same failure is told once."""

    error: InglenookError


class Watching:
    """Watches the files of one assistant.

    Args:
        open_assistant: Opens the assistant as it is at that moment.
        room: Where the runs happen.
        passwords: See `Assistant.ingest_events`.
        ignored: Folders whose changes are our own.
        times: How long to wait for what.

    Raises `MissingDependencyError` if the library that watches is not installed.
    """

    def __init__(
        self,
        open_assistant: Callable[[], Assistant],
        room: JobRoom,
        *,
        passwords: Callable[[str, Path], str | None],
        ignored: Sequence[Path] = (),
        times: WatchTimes | None = None,
    ) -> None:
        self._open = open_assistant
        self._room = room
        self._passwords = passwords
        self._times = times or WatchTimes()
        self._eyes = _Eyes([os.path.realpath(path) for path in ignored], self._times)
        self._places: frozenset[Place] = frozenset()
        self._failures = 0
        self._told = ""

    def runs(
        self, cancel: CancelToken, *, retry_failed: bool = False
    ) -> Iterator[Job[IngestEvent] | RunFailed | Notice]:
        """Yield each ingestion as a job that has just been started, until cancelled.

        The first one catches up with what changed before. A cancel also cancels the job.

        Args:
            cancel: Ends it.
            retry_failed: Let the first run read again whatever failed before.

        Raises what an ordinary ingestion would raise at once for an assistant that does not exist
        or cannot be read for; what goes wrong later is waited out.
        """
        name, retries = self._first_look()
        forget = cancel.on_cancel(self._eyes.wake)
        try:
            yield from self._eyes.look(self._places)
            yield Notice("watching", f"Watching the documents of {name}. Ctrl-C ends it.")
            retried = frozenset({_ALL}) if retry_failed else _keys(retries)
            while not cancel.cancelled:
                self._eyes.forget_changes()
                job = self._start(name, retried)
                stop_it = cancel.on_cancel(job.cancel)
                yield job
                job.wait()
                stop_it()
                yield from self._ended(job, retries, retried)
                looked_anew = yield from self._eyes.look(self._places)
                # Something may have changed before a new place was watched: that is read at once.
                if self._failures or not looked_anew:
                    self._wait(cancel, retries)
                retried = _keys(retries)
        finally:
            forget()
            self._eyes.close()

    def _first_look(self) -> tuple[str, RetryQueue]:
        with self._open() as assistant:
            if assistant.knowledge is None:
                raise UserError(
                    f"'{assistant.name}' has no documents.",
                    hint="Add a FILE line to its Assistantfile.",
                )
            assistant.check_files()
            self._places = places_of(assistant)
            retries = RetryQueue(
                assistant.knowledge.folder / QUEUE_FILE,
                first_s=self._times.retry,
                longest_s=self._times.longest_retry,
            )
            return assistant.name, retries

    def _start(self, name: str, retried: frozenset[str]) -> Job[IngestEvent]:
        def work(cancel: CancelToken) -> Iterator[IngestEvent]:
            with self._open() as assistant:
                self._places = places_of(assistant)
                yield from assistant.ingest_events(
                    cancel,
                    retry_failed=True if _ALL in retried else retried,
                    passwords=self._passwords,
                )

        return self._room.start(f"Reading the documents of {name}", work, passing=(IngestProgress,))

    # --- after a run ------------------------------------------------------------------------

    def _ended(
        self, job: Job[IngestEvent], retries: RetryQueue, retried: frozenset[str]
    ) -> Iterator[RunFailed | Notice]:
        """Take note of how a run ended, and say what has not been said before."""
        if isinstance(job.error, (InglenookError, OSError)):
            self._failures += 1
            error = _as_ours(job.error)
            if error.message != self._told:
                self._told = error.message
                yield RunFailed(error)
            return
        job.check()
        if isinstance(job.latest, IngestReport):
            _record(job.latest, retries, retried)
            if self._failures:
                yield Notice("watching-again", "Reading works again.")
            self._failures, self._told = 0, ""

    def _wait(self, cancel: CancelToken, retries: RetryQueue) -> None:
        """Until something changed, something is due, or the watching ends."""
        times, begun = self._times, time.monotonic()
        longest = times.sweep if self._eyes.see else times.blind_sweep
        least = 0.0
        if self._failures:
            doubled = times.again * 2.0 ** min(self._failures - 1, 16)
            longest, least = min(times.longest_again, doubled), times.again
        due_s = retries.wait_s()
        longest = longest if due_s is None or self._failures else min(longest, due_s)
        while not cancel.cancelled:
            waited = time.monotonic() - begun
            if waited >= longest or (waited >= least and self._eyes.noticed()):
                return
            next_end = longest if waited >= least else least
            self._eyes.wait(min(times.look, max(0.01, next_end - waited)))


def _keys(retries: RetryQueue) -> frozenset[str]:
    return frozenset(retry.key for retry in retries.due())


def _as_ours(error: InglenookError | OSError) -> InglenookError:
    if isinstance(error, InglenookError):
        return error
    return StoreError(f"{error.filename or 'A file'} cannot be used: {error.strerror or error}.")


def _record(report: IngestReport, retries: RetryQueue, retried: frozenset[str]) -> None:
    """Queue what may be readable later; what failed again without having been tried stays as is."""
    may_pass = {
        result.path: result.reason
        for result in report.results
        if result.outcome == "failed" and result.reason in MAY_PASS
    }
    waiting = {retry.key for retry in retries.all()}
    failed = {
        path: reason
        for path, reason in may_pass.items()
        if path not in waiting or path in retried or _ALL in retried
    }
    seen = {result.path for result in report.results}
    gone = {key for key in waiting if key not in seen} if not report.cancelled else set()
    retries.record(failed=failed, settled=(waiting & (seen - may_pass.keys())) | gone)


# --- where to look ------------------------------------------------------------------------------


def places_of(assistant: Assistant) -> frozenset[Place]:
    """Where a change may concern the assistant: its Assistantfile and what its FILE lines name."""
    assert assistant.path is not None, "only a profile with a file has FILE lines"
    base = assistant.path.parent
    flat: dict[str, set[str]] = {str(base): {glob.escape(assistant.path.name)}}
    deep: set[str] = set()
    for rule in assistant.profile.files:
        if rule.folder:
            flat.setdefault(rule.folder, set()).update(FILE_NAMES)
        place = _place_of(rule, rule.folder or str(base))
        if place.names:
            flat.setdefault(place.folder, set()).update(place.names)
        else:
            deep.add(place.folder)
    tops = {folder for folder in deep if not _is_under(folder, deep - {folder})}
    return frozenset(
        [Place(folder) for folder in tops]
        + [
            Place(folder, tuple(sorted(names)))
            for folder, names in flat.items()
            if not _is_under(folder, tops)
        ]
    )


def _place_of(rule: FileRule, folder: str) -> Place:
    """The folder that a FILE line leads to, no deeper than its pattern does."""
    target = os.path.join(folder, os.path.expanduser(rule.pattern))
    parts = _SEPARATORS.split(target)
    magic = next((i for i, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
    if magic < len(parts) and os.path.lexists(target):
        magic = len(parts)  # a file that is really called "report [1].pdf"
    start = os.path.normpath(os.sep.join(parts[:magic]) or os.sep)
    rest = [part for part in parts[magic:] if part not in {"", "."}]
    if rest == ["**"] or len(rest) > 1 or (not rest and os.path.isdir(start)):
        return Place(start)
    if rest:
        return Place(start, (rest[0],))
    return Place(os.path.dirname(start), (glob.escape(os.path.basename(start)),))


def _is_under(path: str, folders: Iterable[str]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)


# --- watching -----------------------------------------------------------------------------------


class _Eyes:
    """Watches places with `watchfiles`, and tells that something changed, not what.

    Args:
        ignored: Real paths of folders whose changes do not count.
        times: How long to wait for what.
    """

    def __init__(self, ignored: Sequence[str], times: WatchTimes) -> None:
        try:
            import watchfiles  # noqa: F401
        except ImportError as error:
            raise MissingDependencyError(
                "Watching files needs the library watchfiles, which is not installed.",
                hint="Install it: pip install 'inglenook[watch]'",
            ) from error
        self._ignored = ignored
        self._times = times
        self._woken = threading.Event()
        self._changed = threading.Event()
        self._glances: list[_Glance] = []
        self._identities: dict[str, tuple[int, int] | None] = {}
        self._said = ""
        self._places: frozenset[Place] = frozenset()

    def look(self, places: frozenset[Place]) -> Generator[Notice, None, bool]:
        """Watch these places; say, once, if the system does not let us.

        Returns whether it began anew, so that changes may have been missed.
        """
        blind = any(glance.trouble for glance in self._glances)
        anew = places != self._places or self._stale()
        if anew or blind:
            self.close()
            self._places = places
            self._identities = {place.folder: _identity(place.folder) for place in places}
            here = [place for place in places if self._identities[place.folder] is not None]
            for part in ([p for p in here if not p.names], [p for p in here if p.names]):
                if part:
                    glance = _Glance(part, self._ignored, self._times, self._notice)
                    self._glances.append(glance)
                    glance.start()
        for glance in self._glances:
            glance.ready.wait()
            if glance.trouble:
                yield from self._trouble(glance.trouble)
        return anew or (blind and self.see)

    @property
    def see(self) -> bool:
        """Whether everything that is there is watched."""
        return all(glance.sees_all for glance in self._glances)

    def _trouble(self, trouble: str) -> Iterator[Notice]:
        if trouble != self._said:
            self._said = trouble
            limit = _LIMIT_HINT if "limit" in trouble or "Too many" in trouble else ""
            yield Notice(
                "cannot-watch",
                f"Changes cannot be watched: {trouble} Instead everything is looked at every "
                f"{self._times.blind_sweep:g} s.{limit}",
            )

    def noticed(self) -> bool:
        """Whether something changed, a place itself included."""
        return self._changed.is_set() or self._stale()

    def forget_changes(self) -> None:
        self._changed.clear()

    def wait(self, timeout_s: float) -> None:
        """Until something changes, somebody wakes it, or the time is over."""
        self._woken.wait(timeout_s)
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        for glance in self._glances:
            glance.stop()
        self._glances = []

    def _notice(self) -> None:
        self._changed.set()
        self._woken.set()

    def _stale(self) -> bool:
        """Whether a place went, came back, or is another folder now."""
        if any(glance.lost for glance in self._glances):
            return True
        return any(_identity(folder) != known for folder, known in self._identities.items())


class _Glance:
    """One watcher of several places, in a thread of its own."""

    def __init__(
        self,
        places: Sequence[Place],
        ignored: Sequence[str],
        times: WatchTimes,
        notice: Callable[[], None],
    ) -> None:
        self._places = {place.folder: place.names for place in places}
        self._recursive = not places[0].names
        self._ignored = ignored
        self._times = times
        self._notice = notice
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inglenook-watch", daemon=True)
        self.ready = threading.Event()
        self.sees_all = True
        self.trouble = ""
        """What keeps it from watching, if anything does."""
        self.lost = False
        """A place itself was deleted or moved: it is not watched any more."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            try:
                self._watch(all_of_it=True)
            except PermissionError:
                # Watched without the folders that are closed to us; but then the library does not
                # say either when there are too many.
                self.sees_all = False
                self._watch(all_of_it=False)
        except FileNotFoundError:
            self.lost = True  # It went just now; it is looked for again.
        # Whatever keeps the library from watching: files can be looked at without it.
        except Exception as error:  # noqa: BLE001
            self.sees_all, self.trouble = False, _in_short(error)
            if self.ready.is_set():
                self._notice()  # It saw until now: what came with the error may be a change.
        finally:
            self.ready.set()

    def _watch(self, *, all_of_it: bool) -> None:
        from watchfiles import watch

        for changes in watch(
            *self._places,
            watch_filter=self._counts,
            debounce=int(self._times.longest_burst * 1000),
            step=int(self._times.settle * 1000),
            stop_event=self._stop,
            rust_timeout=200,
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=self._recursive,
            ignore_permission_denied=not all_of_it,
        ):
            self.ready.set()
            if changes:
                self._notice()

    def _counts(self, change: Change, path: str) -> bool:
        """Whether a change matters."""
        if path in self._places:
            # Another folder of that name may be there by now, and would not be watched.
            self.lost = self.lost or change.name == "deleted"
            return True
        if self._recursive:
            return not _is_under(os.path.realpath(path), self._ignored)
        folder, name = os.path.split(path)
        patterns = self._places.get(folder, ())
        return any(fnmatch.fnmatchcase(*map(os.path.normcase, (name, p))) for p in patterns)


def _identity(folder: str) -> tuple[int, int] | None:
    """What tells a folder from another one of that name; None if there is none."""
    try:
        status = os.stat(folder)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _in_short(error: Exception) -> str:
    text = " ".join(str(error).split()).partition(" about [")[0]
    return f"{text.rstrip('.')[:200]}."
