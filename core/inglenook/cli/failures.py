"""Turns whatever a command raised into words on stderr, or a form on stdout, and an exit code."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inglenook.cli.terminal import FAILED, READER_GONE
from inglenook.errors import InglenookError

if TYPE_CHECKING:
    from inglenook.cli.session import Session
    from inglenook.cli.terminal import Terminal

__all__ = ["told"]

_INTERRUPTED = 130
_DISK = {
    errno.ENOSPC: ("the disk is full", "Free some space and try again."),
    errno.EDQUOT: ("your quota is used up", "Free some space and try again."),
    errno.EROFS: ("it is read-only", "Set INGLENOOK_HOME to a folder that can be written."),
    errno.EACCES: ("permission was denied", "Check the permissions, or set INGLENOOK_HOME."),
    errno.EPERM: ("permission was denied", "Check the permissions, or set INGLENOOK_HOME."),
}


def told(error: BaseException, session: Session, arguments: Sequence[str]) -> int:
    """Tell the user of an error; the exit code."""
    session.terminal.status("")
    if isinstance(error, (KeyboardInterrupt, click.exceptions.Abort)):
        session.terminal.error("Stopped.")
        return _INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return READER_GONE
    if isinstance(error, SystemExit):
        # click ends so when the reader of stdout has gone away.
        return error.code if isinstance(error.code, int) else READER_GONE
    kind, message, hint, code = _described(error, session)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        session.terminal.error(message)  # It is the help, and speaks for itself.
    elif _wants_json(arguments):
        _tell_machine(session.terminal, kind, message, hint, code, arguments)
    else:
        session.terminal.error(f"Error: {message}" + (f"\n{hint}" if hint else ""))
    return code


def _described(error: BaseException, session: Session) -> tuple[str, str, str, int]:
    """Kind, message, hint and exit code."""
    if isinstance(error, InglenookError):
        return type(error).__name__, error.message, error.hint, error.exit_code
    if isinstance(error, click.UsageError):
        hint = f"Try: {error.ctx.command_path} --help" if error.ctx else "Try: nook --help"
        return "UsageError", error.format_message(), hint, 2
    if isinstance(error, click.ClickException):
        return "UsageError", error.format_message(), "", error.exit_code
    if isinstance(error, OSError) and error.errno in _DISK:
        reason, hint = _DISK[error.errno]
        place = error.filename if isinstance(error.filename, str) else "A file"
        return "StoreError", f"{place} cannot be used: {reason}.", hint, FAILED
    report = _write_report(error, session)
    return (
        "InternalError",
        f"This is a bug in nook: {type(error).__name__}.",
        f"A report for its makers is in {report}." if report else "No report could be written.",
        FAILED,
    )


def _wants_json(arguments: Sequence[str]) -> bool:
    own = arguments[: list(arguments).index("--")] if "--" in arguments else arguments
    return "--json" in own


def _tell_machine(
    terminal: Terminal, kind: str, message: str, hint: str, code: int, arguments: Sequence[str]
) -> None:
    if "--stream" in arguments:
        # A stream ends in one `answered` or one `failed` line, however early it fails.
        details = {"exit_code": code}
        event = {"error": kind, "message": message, "hint": hint, "details": details}
        terminal.json({"version": 1, "type": "failed", **event}, line=True)
    else:
        error = {"type": kind, "message": message, "hint": hint}
        terminal.json({"version": 1, "error": error})


# --- bugs -------------------------------------------------------------------------------------


def _write_report(error: BaseException, session: Session) -> Path | None:
    """Keep the traceback in the log folder, else in the temporary one; None if neither works."""
    import platform
    import tempfile
    import time
    import traceback

    from inglenook import __version__

    text = (
        f"inglenook {__version__}, Python {platform.python_version()}, {platform.platform()}\n\n"
        + "".join(traceback.format_exception(error))
    )
    name = f"bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    for folder in (_log_folder(session), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8", "backslashreplace")
        except OSError:
            continue  # The next folder may be writable.
        return folder / name
    return None


def _log_folder(session: Session) -> Path:
    from inglenook.configuration import find_paths

    return find_paths(os.environ, session.home).logs
