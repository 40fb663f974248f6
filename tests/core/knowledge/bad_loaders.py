"""Loaders that misbehave in the ways in which parsers of untrusted files do."""

from __future__ import annotations

import ctypes
import os
import socket
import time
from pathlib import Path

from inglenook.errors import LoadError
from inglenook.types import Locator, Notice, PartFile, Section


class Misbehaving:
    """What the file says is what it does."""

    def __init__(self, options):
        del options

    def load(self, request, cancel):
        what, _, argument = request.path.read_text().partition(" ")
        yield from getattr(self, f"_{what}")(argument, request)

    def _hang(self, argument, request):
        yield Section("before", Locator("page", 1))
        time.sleep(3600)

    def _die(self, argument, request):
        ctypes.string_at(0)
        yield

    def _stick(self, argument, request):
        # Holds the interpreter's lock in native code: no Python runs in this process any more.
        ctypes.PyDLL(None).sleep(3600)
        yield

    def _exit(self, argument, request):
        os._exit(3)
        yield

    def _eat(self, argument, request):
        taken = []
        while True:
            taken.append(bytearray(64 << 20))
        yield

    def _flood(self, argument, request):
        while True:
            yield Section("flood " * 1000, Locator("page", 1))

    def _huge(self, argument, request):
        yield Section("word " * 40_000, Locator("page", 1), start=7)

    def _nest(self, argument, request):
        yield Section(f"level {argument}", Locator("page", 1))
        yield PartFile("inner.bad", f"nest {int(argument) + 1}".encode())

    def _parts(self, argument, request):
        yield Section("outer", Locator("message", 1))
        yield PartFile("docs/good.bad", b"say from the part")
        yield PartFile("docs/broken.bad", b"raise oops")
        yield PartFile("docs/unknown.xyz", b"?")

    def _many(self, argument, request):
        while True:
            yield PartFile("good.bad", b"say again")

    def _say(self, argument, request):
        yield Section(argument, Locator("page", 1))

    def _raise(self, argument, request):
        raise RuntimeError(f"secret {argument}")
        yield

    def _connect(self, argument, request):
        with socket.create_connection(("127.0.0.1", int(argument)), timeout=2):
            yield Section("connected", Locator("page", 1))

    def _write(self, argument, request):
        Path(argument).write_bytes(b"x" * (8 << 20))
        yield Section("written", Locator("page", 1))

    def _environment(self, argument, request):
        yield Section("\n".join(f"{k}={v}" for k, v in os.environ.items()), Locator("page", 1))

    def _encrypted(self, argument, request):
        if request.password != argument:
            raise LoadError(f"{request.name} is encrypted.", reason="encrypted")
        yield Section("opened", Locator("page", 1))

    def _pages(self, argument, request):
        yield Section("first page", Locator("page", 1))
        yield Notice("page-without-text", "page 2: no text", page=2)
        yield Section("third page", Locator("page", 3))


class Second(Misbehaving):
    """Reads everything as text: what is asked when the first one fails."""

    def load(self, request, cancel):
        yield Section("second reads it", Locator("page", 1))


class Recogniser(Misbehaving):
    """Finds text in pictures."""

    def load(self, request, cancel):
        for page in request.pages or (1,):
            yield Section(f"recognised {page}", Locator("page", page))


class Odd(Misbehaving):
    """Says what no database takes, and far too much."""

    def load(self, request, cancel):
        yield Notice("odd", "broken \ud800 words")
        for number in range(5_000):
            yield Notice("many", f"{number} " + "x" * 5_000)
        yield Section("text", Locator("section", "key \ud800"), ("head \ud800",))
