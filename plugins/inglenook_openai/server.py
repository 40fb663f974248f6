"""Asks a server over HTTP, and can stop in the middle: every wait ends soon after a cancel."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from typing import Any

from inglenook.errors import MissingDependencyError, RuntimeFailure
from inglenook.server_address import ServerAddress
from inglenook.types import CancelToken
from inglenook_openai.refusals import refusal, shown

__all__ = ["Server"]

_CONNECT_S = 10.0
_PROBE_S = 10.0
_POLL_S = 0.05
_AHEAD = 1000
_LONGEST_LINE = 4 << 20
_LONGEST_REFUSAL = 1 << 20
_LONGEST_PROBE = 16 << 20


class Server:
    """One server, and how to ask it.

    Args:
        address: Where it is.
        key: What it wants to see, or "".
        timeout_s: How long it may be silent.
    """

    def __init__(self, address: ServerAddress, key: str, timeout_s: float) -> None:
        self.address = address
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout_s = timeout_s
        self._http = _library()

    def get(self, path: str) -> Any:
        """The JSON at a path of the host; None where there is none.

        Raises `RuntimeFailure` if nobody answers, or the key is refused.
        """
        status, body = self._ask("GET", path, None)
        return _json(body) if status == 200 else None

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON answer to a body; None where nothing is at the path.

        Raises like `get`, and what `refusals` says for any other status.
        """
        status, answer = self._ask("POST", path, body)
        if status not in (200, 404):
            raise refusal(self.address, status, answer)
        return _json(answer) if status == 200 else None

    def stream(
        self, path: str, body: Mapping[str, Any], cancel: CancelToken
    ) -> Generator[str, None, None]:
        """The lines of an answer, as they come; ends early after a cancel.

        Closing the iterator closes the connection, which ends the work at the server.
        Raises `RuntimeFailure` or what `refusals` says.
        """
        listening = _Listening(lambda: self._client(self._timeout_s), self.address.url(path), body)
        thread = threading.Thread(target=listening.run, name="inglenook-server", daemon=True)
        thread.start()
        try:
            yield from self._lines(listening, cancel)
        finally:
            listening.hang_up()

    def _lines(self, listening: _Listening, cancel: CancelToken) -> Iterator[str]:
        while not cancel.cancelled:
            try:
                found = listening.lines.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if found is None:
                return
            if isinstance(found, BaseException):
                raise self._explained(found) from found
            if isinstance(found, tuple):
                raise refusal(self.address, *found)
            yield found

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, str]:
        """The status and the text of a short answer. Raises like `get`."""
        deadline = time.monotonic() + _PROBE_S
        try:
            with (
                self._client(_PROBE_S) as client,
                client.stream(method, self.address.url(path), json=body) as response,
            ):
                status, text = response.status_code, _whole(response, deadline)
        except Exception as error:
            raise self._explained(error) from error
        if status in (401, 403):
            raise refusal(self.address, status, text)
        return status, text

    def _client(self, silence_s: float) -> Any:
        timeout = self._http.Timeout(silence_s, connect=_CONNECT_S)
        # No proxy may see what goes to this machine; elsewhere the user's settings hold.
        return self._http.Client(
            headers={**self._headers, "Accept-Encoding": "identity"},
            timeout=timeout,
            trust_env=not self.address.is_this_machine,
            follow_redirects=False,
        )

    def _explained(self, error: BaseException) -> BaseException:
        """The library's error as one of ours; a defect as it is."""
        place = str(self.address)
        if isinstance(error, self._http.ConnectError | self._http.ConnectTimeout):
            return RuntimeFailure(
                f"No server answers at {place}: {error or 'it took too long'}.",
                hint="Start it (Ollama: `ollama serve`), or change url= in the RUNTIME line.",
            )
        if isinstance(error, self._http.TimeoutException):
            return RuntimeFailure(
                f"The server at {place} was silent for too long.",
                hint="Ask again, or give it longer: timeout_s= in the RUNTIME line.",
            )
        if isinstance(error, self._http.HTTPError):
            return RuntimeFailure(
                f"The connection to {place} broke: {shown(str(error)) or type(error).__name__}.",
                hint="Ask again; look at the server's own log if it happens twice.",
            )
        if isinstance(error, self._http.InvalidURL | OSError | ValueError | ImportError):
            # Of settings outside the profile: a proxy, a certificate file.
            return RuntimeFailure(
                f"{place} cannot be asked: {shown(str(error)) or type(error).__name__}.",
                hint="Check the proxy and certificate settings of the environment.",
            )
        return error


class _Listening:
    """One request in a thread of its own, and the way to end it from another."""

    def __init__(self, connect: Callable[[], Any], url: str, body: Mapping[str, Any]) -> None:
        self.lines: queue.Queue[str | tuple[int, str] | BaseException | None] = queue.Queue(_AHEAD)
        self._connect = connect
        self._url = url
        self._body = body
        self._stream: Any = None
        self._ended = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Ask, and put what comes into `lines`: lines, then None; or a refusal, or an error."""
        try:
            with (
                self._connect() as client,
                client.stream(
                    "POST", self._url, json=self._body, extensions={"trace": self._trace}
                ) as response,
            ):
                if response.status_code != 200:
                    self._give((response.status_code, _refusal_text(response)))
                    return
                for line in _lines_of(response):
                    self._give(line)
            self._give(None)
        except BaseException as error:  # noqa: BLE001 - it is raised where the lines are read
            self._give(error)

    def _give(self, found: str | tuple[int, str] | BaseException | None) -> None:
        """Hand it on, unless nobody listens any more."""
        while not self._ended:
            with suppress(queue.Full):
                self.lines.put(found, timeout=_POLL_S)
                return

    def hang_up(self) -> None:
        """End the connection now, also while it waits for the next byte."""
        with self._lock:
            self._ended = True
            stream = self._stream
        if stream is not None:
            self._shut(stream)

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            with self._lock:
                self._stream = info["return_value"]
                ended = self._ended
            if ended:
                self._shut(info["return_value"])

    @staticmethod
    def _shut(stream: Any) -> None:
        connection = stream.get_extra_info("socket")
        # It may be closed already: that is what is wanted.
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _lines_of(response: Any) -> Iterator[str]:
    """The lines of a body that say something. Raises `RuntimeFailure` for one without an end."""
    _refuse_compressed(response)
    rest = bytearray()
    for piece in response.iter_raw():
        *lines, last = piece.split(b"\n")
        for line in lines:
            rest += line
            if text := rest.decode("utf-8", "replace").strip("\r\ufeff"):
                yield text
            rest.clear()
        rest += last
        if len(rest) > _LONGEST_LINE:
            raise RuntimeFailure("The server sends a line without an end.")
    if rest:
        yield rest.decode("utf-8", "replace")


def _whole(response: Any, deadline: float) -> str:
    """The text of a short body. Raises `RuntimeFailure` for a long or a slow one."""
    _refuse_compressed(response)
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if len(body) > _LONGEST_PROBE or time.monotonic() > deadline:
            raise RuntimeFailure("The server does not come to an end of what it says of itself.")
    return body.decode("utf-8", "replace")


def _refuse_compressed(response: Any) -> None:
    if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise RuntimeFailure("The server sends a compressed answer, which was not asked for.")


def _refusal_text(response: Any) -> str:
    text = b""
    for piece in response.iter_raw():
        text += piece
        if len(text) > _LONGEST_REFUSAL:
            break
    return text.decode("utf-8", "replace")


def _json(text: str) -> Any:
    """What the text holds; None if it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _library() -> Any:
    try:
        import httpx2
    except ImportError as error:
        raise MissingDependencyError(
            "The runtime 'openai' needs the library httpx2, which is not installed.",
            hint="Install it: pip install 'inglenook[openai]'",
        ) from error
    return httpx2
