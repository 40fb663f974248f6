"""What the command line writes to and reads from: two streams, a question, nothing that can crash.

Text from documents, models and file names may hold escape sequences. A terminal never gets them.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO

__all__ = ["FAILED", "READER_GONE", "Terminal", "finish", "safe_text", "visible"]

READER_GONE = 1
FAILED = 3
STYLES = {"bold": "1", "faint": "2", "match": "1;33"}
"""How `styled` looks on a terminal (ECMA-48, Select Graphic Rendition)."""

# C0 and C1 control characters but tab and newline, DEL, and the two bidirectional overrides, which
# make text look like other text. Marks and isolates stay: Hebrew and Arabic need them.
_UNSAFE = "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202d\\u202e]"


def safe_text(text: str) -> str:
    """`text` without what could steer a terminal."""
    return re.sub(_UNSAFE, "", text)


def visible(name: str) -> str:
    """A name with every control character as a symbol that can be seen: `␛` for an escape."""
    return re.sub(f"{_UNSAFE}|[\t\n]", _symbol, name)


def _symbol(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"  # The others have no symbol of their own.


class Terminal:
    """The streams of this process. Results go to stdout, everything else to stderr.

    Args:
        quiet: Notes and progress are not shown; errors are.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self._status_shown = False

    @staticmethod
    def prepare() -> None:
        """Make writing any text possible, whatever the encoding of the streams."""
        for stream in (sys.stdout, sys.stderr):
            # A stream that a test or an embedder put there may have no encoding to set.
            with contextlib.suppress(AttributeError, ValueError):
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]

    @property
    def out_is_terminal(self) -> bool:
        """Whether a person sees stdout."""
        return _is_terminal(sys.stdout)

    @property
    def err_is_terminal(self) -> bool:
        """Whether a person sees stderr."""
        return _is_terminal(sys.stderr)

    @property
    def in_is_terminal(self) -> bool:
        """Whether a person types stdin."""
        return _is_terminal(sys.stdin)

    @property
    def out_columns(self) -> int | None:
        """How many columns who sees stdout has; None where nobody does, but a file or a program."""
        return _columns() if self.out_is_terminal else None

    @property
    def err_columns(self) -> int | None:
        """The same of stderr."""
        return _columns() if self.err_is_terminal else None

    @property
    def shows_progress(self) -> bool:
        """Whether progress may be drawn on stderr."""
        return self.err_is_terminal and not self.quiet

    @property
    def interactive(self) -> bool:
        """Whether a question can be asked and answered."""
        return self.in_is_terminal and self.err_is_terminal

    def out(self, text: str = "", end: str = "\n") -> None:
        """Write a piece of the result."""
        _write(sys.stdout, text + end)

    def styled(self, pieces: Iterable[tuple[str, str]], end: str = "\n") -> None:
        """Write pieces of the result, each with a style of `STYLES` or "" where it is plain.

        Only a terminal that wants them gets styles (https://no-color.org).
        """
        plain = not self.out_is_terminal or bool(os.environ.get("NO_COLOR"))
        plain = plain or os.environ.get("TERM") == "dumb"
        for text, style in pieces:
            code = "" if plain else STYLES.get(style, "")
            clean = safe_text(text)
            sys.stdout.write(f"\x1b[{code}m{clean}\x1b[0m" if code and clean else clean)
        sys.stdout.write(end)
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Write what should be known and is not the result."""
        if not self.quiet:
            _write(sys.stderr, text + "\n")

    def error(self, text: str) -> None:
        """Write what went wrong."""
        _write(sys.stderr, text + "\n")

    def json(self, data: Any, *, line: bool = False) -> None:
        """Write a form for machines: one document, or one line of a stream."""
        import json

        layout = None if line else 2
        text = json.dumps(data, ensure_ascii=False, indent=layout)
        if not _is_plain(text, sys.stdout):
            text = json.dumps(data, indent=layout)
        _write(sys.stdout, text + "\n")

    def confirm(self, question: str) -> bool:
        """Ask a yes/no question on stderr; no is the default."""
        sys.stderr.write(f"{safe_text(question)} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def secret(self, question: str) -> str | None:
        """Ask for what nobody else should see; None if nothing more will be typed."""
        from getpass import getpass

        try:
            return getpass(f"{safe_text(question)} ", stream=sys.stderr)
        except EOFError:
            sys.stderr.write("\n")
            return None

    def status(self, text: str) -> None:
        """Show, in place, what is being waited for; "" takes it away. Only on a terminal."""
        if not self.shows_progress or not (text or self._status_shown):
            return
        sys.stderr.write("\r\x1b[2K" + safe_text(text))
        sys.stderr.flush()
        self._status_shown = bool(text)


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False  # It is closed.


def _columns() -> int:
    import shutil

    return max(20, shutil.get_terminal_size().columns)


def _is_plain(text: str, stream: TextIO) -> bool:
    """Whether the text can be written as it is."""
    if re.search(_UNSAFE, text):
        return False
    try:
        text.encode(stream.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _write(stream: TextIO, text: str) -> None:
    stream.write(safe_text(text) if _is_terminal(stream) else text)
    stream.flush()


def finish(code: int) -> int:
    """Flush what was written, so that an error of the last piece is told too; the exit code."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard(sys.stdout)
        return code or READER_GONE
    except OSError as error:
        _discard(sys.stdout)
        _write(sys.stderr, f"Error: The output could not be written: {error.strerror}.\n")
        return FAILED
    return code


def _discard(stream: TextIO) -> None:
    """Let the interpreter's own flush at exit go nowhere."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, stream.fileno())
