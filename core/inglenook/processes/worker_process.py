"""A child process that runs one part (a runtime, an embedder) and the calls to it.

The child may crash, hang or be killed without taking this process with it: its calls then raise
`WorkerGoneError`.
"""

from __future__ import annotations

import itertools
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from inglenook.errors import RuntimeFailure
from inglenook.privacy import silence_telemetry
from inglenook.processes.limits import ProcessLimits
from inglenook.processes.worker_protocol import (
    Call,
    CancelCall,
    Construct,
    Ended,
    Event,
    Frames,
    Raised,
    Reply,
    Value,
)
from inglenook.types import CancelToken

__all__ = ["WorkerGoneError", "WorkerProcess", "WorkerTimeoutError"]

CANCEL_POLL_S = 0.05
CANCEL_GRACE_S = 0.8
"""How long a cancelled stream may go on before its caller stops listening."""

CLOSE_S = 1.2
TERMINATE_S = 0.4
LOG_LIMIT_BYTES = 1 << 20

_Replies = queue.Queue["Reply | None"]


class WorkerGoneError(RuntimeFailure):
    """The process ended before it answered. `reason` says how: `signal 9 (SIGKILL)`."""

    def __init__(self, message: str, *, hint: str = "", reason: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class WorkerTimeoutError(RuntimeFailure):
    """The process did not answer in time. It still runs; the caller ends it."""


class WorkerProcess:
    """One child process. Thread-safe: calls and streams may run at the same time.

    Args:
        load: The class to run there, `package.module:Class`.
        arguments: What to construct it with; anything picklable.
        log: Where native output goes; a file that is made, with its folder, when needed. None
            throws it away, and the errors that the part raises are not logged either.
        limits: What the child may use.
        environment: All that the child gets to see of ours; None means everything.
        max_reply_bytes: A reply of more bytes ends the connection.
        trusted: Whether the child may send any object; else only the plain data of this package.
    """

    def __init__(
        self,
        load: str,
        arguments: tuple[Any, ...],
        log: Path | None,
        *,
        limits: ProcessLimits | None = None,
        environment: Mapping[str, str] | None = None,
        max_reply_bytes: int = 1 << 32,
        trusted: bool = True,
    ) -> None:
        self._load = load
        self._ids = itertools.count(1)
        with _open_log(log) as output, _named(load):
            self._process = subprocess.Popen(
                _command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=_environment(os.environ if environment is None else environment),
                **_own_group(),
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._frames = Frames(
            self._process.stdout, self._process.stdin, max_reply_bytes, trusted=trusted
        )
        self._calls = _PendingCalls()
        self._reader = threading.Thread(
            target=_read_replies,
            args=(self._frames, self._calls),
            name="inglenook-worker-replies",
            daemon=True,
        )
        self._reader.start()
        self._send(Construct(load, arguments, limits or ProcessLimits(), quiet=log is None))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._calls.closed and self._process.poll() is None

    def call(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Call `method` there and return what it returns.

        Raises what it raises, and `WorkerGoneError` if the process ends first.
        """
        return self._call(Call(next(self._ids), method, arguments, keywords), None)

    def call_within(self, timeout_s: float, method: str, *arguments: Any) -> Any:
        """As `call`; raises `WorkerTimeoutError` if there is no answer in time."""
        return self._call(Call(next(self._ids), method, arguments), timeout_s)

    def _call(self, call: Call, timeout_s: float | None) -> Any:
        replies = self._calls.add(call.id)
        try:
            self._send(call)
            reply = replies.get(timeout=timeout_s)
        except queue.Empty:
            raise WorkerTimeoutError(
                f"The worker for {self._load} did not answer within {timeout_s:g} s."
            ) from None
        finally:
            self._calls.remove(call.id)
        if isinstance(reply, Value):
            return reply.value
        raise self._error(reply)

    def stream(
        self, method: str, *arguments: Any, cancel: CancelToken
    ) -> Generator[Any, None, None]:
        """Yield what `method` yields there, and pass a cancel on.

        A stream that goes on for `CANCEL_GRACE_S` after a cancel is left: it ends here, and winds
        down there. Closing the iterator cancels it.
        """
        id = next(self._ids)
        replies = self._calls.add(id)
        ended = False
        try:
            self._send(Call(id, method, arguments, streams=True))
            for reply in self._until_cancelled(id, replies, cancel):
                if not isinstance(reply, Event):
                    ended = True
                    if isinstance(reply, Ended):
                        return
                    raise self._error(reply)
                yield reply.event
        finally:
            self._calls.remove(id)
            if not ended and self.alive:
                self._try_send(CancelCall(id))

    def kill(self) -> None:
        """End the process and those it started, at once; its calls raise `WorkerGoneError`."""
        if sys.platform != "win32" and self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            return
        self._process.kill()

    def close(self) -> None:
        """End the process: by asking, then by terminating, then by killing. Takes 2 s at most."""
        self._frames.close_sink()
        for end in (None, self._process.terminate, self.kill):
            if end is not None:
                end()
            try:
                self._process.wait(CLOSE_S if end is None else TERMINATE_S)
                break
            except subprocess.TimeoutExpired:
                continue
        self._reader.join(TERMINATE_S)
        if not self._reader.is_alive():
            self._frames.close_source()

    def _until_cancelled(
        self, id: int, replies: _Replies, cancel: CancelToken
    ) -> Iterator[Reply | None]:
        patience = CANCEL_GRACE_S
        told = False
        while patience > 0:
            if cancel.cancelled and not told:
                told = True
                self._try_send(CancelCall(id))
            try:
                yield replies.get(timeout=CANCEL_POLL_S)
            except queue.Empty:
                if told:
                    patience -= CANCEL_POLL_S

    def _send(self, message: object) -> None:
        try:
            self._frames.send(message)
        except (OSError, ValueError) as error:  # ValueError: `close` was faster
            raise self._gone() from error

    def _try_send(self, message: object) -> None:
        try:
            self._send(message)
        except WorkerGoneError:
            # Whoever waits for a reply hears of the end through the reader.
            return

    def _error(self, reply: object) -> Exception:
        return reply.error if isinstance(reply, Raised) else self._gone()

    def _gone(self) -> WorkerGoneError:
        try:
            status = self._process.wait(TERMINATE_S)
        except subprocess.TimeoutExpired:
            # It closed its output and lives on: it can serve nobody.
            self._process.kill()
            status = self._process.wait()
        reason = _describe_exit(status)
        return WorkerGoneError(f"The worker for {self._load} ended: {reason}.", reason=reason)


class _PendingCalls:
    """Who waits for which reply."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[int, _Replies] = {}
        self.closed = False

    def add(self, id: int) -> _Replies:
        replies: _Replies = queue.Queue()
        with self._lock:
            if self.closed:
                replies.put(None)
            self._waiting[id] = replies
        return replies

    def remove(self, id: int) -> None:
        with self._lock:
            self._waiting.pop(id, None)

    def deliver(self, reply: Reply) -> None:
        with self._lock:
            replies = self._waiting.get(reply.id)
        if replies is not None:
            replies.put(reply)

    def close(self) -> None:
        with self._lock:
            self.closed = True
            for replies in self._waiting.values():
                replies.put(None)


def _read_replies(frames: Frames, calls: _PendingCalls) -> None:
    try:
        while (reply := frames.receive()) is not None:
            calls.deliver(reply)
    except Exception:  # noqa: BLE001 - whoever sends what cannot be read counts as gone
        return
    finally:
        calls.close()


def _command() -> list[str]:
    # -P: the working directory must not be able to shadow a module.
    return [sys.executable, "-P", "-X", "faulthandler", "-m", "inglenook.processes.worker_main"]


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """The given one, the telemetry switches, and this process's import path for the child."""
    environment = dict(given)
    silence_telemetry(environment)
    environment["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    return environment


def _own_group() -> Mapping[str, Any]:
    """Keep Ctrl-C in the terminal away from the child, also before it can ignore it."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"process_group": 0}


@contextmanager
def _named(load: str) -> Iterator[None]:
    """Turn what the system says when no process can be had into an error that says what for."""
    try:
        yield
    except OSError as error:
        raise RuntimeFailure(
            f"The process for {load} could not be started: {error.strerror or error}.",
            hint="Check that Python may be run here, and that there is memory for it.",
        ) from error


def _open_log(log: Path | None) -> IO[bytes]:
    """The log, opened for appending; begun anew when it has grown too long."""
    if log is None:
        return Path(os.devnull).open("wb")
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        too_long = log.exists() and log.stat().st_size > LOG_LIMIT_BYTES
        return log.open("wb" if too_long else "ab")
    except OSError:
        # A home that cannot be written must not keep the model from answering.
        return Path(os.devnull).open("wb")


def _describe_exit(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"signal {-status}"
