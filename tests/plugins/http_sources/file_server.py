"""A file server on loopback that can be made to behave badly, for the tests of downloads."""

from __future__ import annotations

import hashlib
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["FileServer", "Served", "serving"]

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_PIECE = 16 * 1024


@dataclass
class Served:
    """A file, and how it is served.

    `cuts` are numbers of bytes after which the connection is cut, one for each next request;
    `refusals` are (status, headers) that the next requests get; a file with an
    `allowance` is gone once so many bytes of it were sent.
    """

    data: bytes
    ranges: bool = True
    etag: str | None = None
    modified: str | None = None
    content_type: str = "application/octet-stream"
    redirect: str = ""
    cuts: list[int] = field(default_factory=list)
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    says_length: bool = True
    bytes_per_s: float = 0.0
    allowance: int | None = None
    gone: bool = False

    def break_off(self, after_bytes: int) -> None:
        """Cut the connection after so many bytes, and be gone from then on."""
        self.cuts, self.allowance = [], after_bytes

    def come_back(self) -> None:
        self.cuts, self.allowance, self.gone = [], None, False

    @property
    def tag(self) -> str:
        if self.etag is not None:
            return self.etag
        return f'"{len(self.data)}-{hashlib.sha256(self.data[: 1 << 16]).hexdigest()[:16]}"'


class FileServer:
    """Serves `files` by path and notes every request as (path, headers)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, Served] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.sent_bytes = 0
        self.on_request: Callable[[str], None] = lambda _path: None
        self.lock = threading.Lock()

    @property
    def place(self) -> str:
        return self.url.partition("://")[2]

    def add(self, path: str, data: bytes, **how: object) -> Served:
        served = self.files[path] = Served(data, **how)  # type: ignore[arg-type]
        return served


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    front: FileServer

    def handle_error(self, *_: object) -> None:
        return


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    @property
    def front(self) -> FileServer:
        return self.server.front

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        path = self.path
        with self.front.lock:
            self.front.seen.append((path, {k.lower(): v for k, v in self.headers.items()}))
        self.front.on_request(path)
        served = self.front.files.get(path)
        if served is None or served.gone:
            self.answer(404, b"nothing here", {})
            return
        with self.front.lock:
            refusal = served.refusals.pop(0) if served.refusals else None
        if refusal is not None:
            self.answer(refusal[0], b"", refusal[1])
        elif served.redirect:
            self.answer(302, b"", {"Location": served.redirect, **served.headers})
        else:
            self.serve(served)

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def serve(self, served: Served) -> None:
        begin, end, status = 0, len(served.data), 200
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        only_if = self.headers.get("If-Range", "")
        fresh = not only_if or only_if in (served.tag, served.modified)
        if asked and served.ranges and fresh:
            begin, status = int(asked[1]), 206
            end = min(int(asked[2]) + 1, end) if asked[2] else end
            if begin >= len(served.data):
                headers = {"Content-Range": f"bytes */{len(served.data)}"}
                self.answer(416, b"", headers)
                return
        self.send_response(status)
        if served.tag:
            self.send_header("ETag", served.tag)
        if served.modified:
            self.send_header("Last-Modified", served.modified)
        for name, value in served.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", served.content_type)
        if served.says_length:
            self.send_header("Content-Length", str(end - begin))
        else:
            self.send_header("Connection", "close")
        if status == 206:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(served.data)}")
        self.end_headers()
        self.send(served, begin, end)

    def send(self, served: Served, begin: int, end: int) -> None:
        left = None
        if end - begin > 1:
            with self.front.lock:
                left = served.cuts.pop(0) if served.cuts else None
        for at in range(begin, end, _PIECE):
            piece = served.data[at : min(at + _PIECE, end)]
            if left is not None:
                piece, left = piece[:left], left - len(piece[:left])
            if served.allowance is not None and end - begin > 1:
                with self.front.lock:
                    piece = piece[: served.allowance]
                    served.allowance -= len(piece)
                    served.gone = not served.allowance
                left = 0 if served.gone else left
            try:
                self.wfile.write(piece)
            except OSError:
                self.close_connection = True
                return
            with self.front.lock:
                self.front.sent_bytes += len(piece)
            if left == 0:
                self.close_connection = True
                self.connection.close()
                return
            if served.bytes_per_s:
                time.sleep(len(piece) / served.bytes_per_s)
        if not served.says_length:
            self.close_connection = True

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            return


@contextmanager
def serving(host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    """A server on a free port of `host`; with `tls` over https."""
    server = _Server((host, 0), _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    server.front = FileServer(f"{scheme}://{host}:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.front
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
