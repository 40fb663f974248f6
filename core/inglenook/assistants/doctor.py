"""Examines an installation: what is installed, what can run, what is missing and how to add it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from inglenook.errors import InglenookError, ModelBrokenError, ModelNotFoundError, UserError
from inglenook.privacy import imported_too_early

if TYPE_CHECKING:
    from inglenook.assistants.installation import Installation
    from inglenook.host import Host, PluginStatus
    from inglenook.models.library import Library

__all__ = ["Check", "examine"]

OLDEST_PYTHON = (3, 11)
LEAST_FREE_BYTES = 500_000_000
DEFAULT_MODELS = (("default chat model", "qwen2.5-coder:0.5b"), ("default embedder", "minilm"))
STANDARD = "pip install 'inglenook[standard]'"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Args:
        name: What, in a few words.
        ok: Whether it is well; None for what is only worth knowing.
        message: What was found.
        fix: The command or act that mends it, or "".
    """

    name: str
    ok: bool | None
    message: str
    fix: str = ""


def examine(installation: Installation) -> tuple[Check, ...]:
    """Look at everything. Nothing is changed, and nothing found here raises."""
    host = installation.host
    return (
        _python(),
        *_folders(installation),
        _sqlite(),
        *(_plugin(status) for status in host.statuses),
        *_missing_libraries(host),
        _kind(host, "runtime", "models can be run with"),
        _kind(host, "embedder", "texts can be embedded with"),
        _loaders(host),
        _devices(),
        *_variables(),
        *_models(installation.library),
        *_assistants(installation),
        _pip(),
        _telemetry(),
    )


# --- the machine --------------------------------------------------------------------------------


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info[:2] >= OLDEST_PYTHON
    wanted = ".".join(map(str, OLDEST_PYTHON))
    return Check("python", ok, f"Python {version}", "" if ok else f"Install Python {wanted}.")


def _folders(installation: Installation) -> Iterator[Check]:
    paths = installation.paths
    for name, folder in (("config", paths.config), ("data", paths.data), ("cache", paths.cache)):
        there = _nearest(folder)
        if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
            yield Check(f"{name} folder", True, f"{folder} can be written")
        else:
            yield Check(
                f"{name} folder",
                False,
                f"{folder} cannot be written",
                "Change its permissions, or set INGLENOOK_HOME to another folder.",
            )
    yield _free_space(_nearest(paths.data))


def _nearest(folder: Path) -> Path:
    """The folder itself, or the first one above it that is there."""
    return next((f for f in (folder, *folder.parents) if os.path.lexists(f)), Path(folder.anchor))


def _free_space(folder: Path) -> Check:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check("free space", False, f"{folder}: {error.strerror}", "Set INGLENOOK_HOME.")
    text = f"{free / 1_000_000_000:.1f} GB free in {folder}"
    if free >= LEAST_FREE_BYTES:
        return Check("free space", True, text)
    return Check("free space", False, text, "Free some space: models need hundreds of megabytes.")


def _sqlite() -> Check:
    version = f"SQLite {sqlite3.sqlite_version}"
    try:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("CREATE VIRTUAL TABLE words USING fts5(word)")
    except sqlite3.Error as error:
        return Check(
            "sqlite", False, f"{version} has no FTS5: {error}", "Use a Python whose SQLite has it."
        )
    return Check("sqlite", True, f"{version} with full-text search")


def _pip() -> Check:
    if find_spec("pip") is not None:
        return Check("pip", True, "models can be fetched from package indexes")
    return Check(
        "pip",
        False,
        "pip is not installed here, so `pip:` models cannot be fetched",
        "Add it: python -m ensurepip",
    )


def _telemetry() -> Check:
    early = imported_too_early()
    if not early:
        return Check("telemetry", True, "the libraries' telemetry is switched off")
    return Check(
        "telemetry",
        False,
        f"{', '.join(early)} was imported before its telemetry could be switched off",
        "Set ORT_DISABLE_TELEMETRY=1 in the environment, or find the plugin that imports it.",
    )


# --- plugins ------------------------------------------------------------------------------------


def _plugin(status: PluginStatus) -> Check:
    name = f"plugin {status.name}"
    what = f"{status.distribution} {status.version}".strip()
    if status.state == "on":
        return Check(name, True, f"{what}: {', '.join(status.factories) or 'nothing registered'}")
    if status.state == "off":
        return Check(name, None, f"{what}: switched off", f"nook plugins enable {status.name}")
    error = status.error.splitlines()[0] if status.error else ""
    fix = f"nook plugins --traceback '{status.name}'"
    if status.state == "refused":
        fix = f"nook plugins pin {status.distribution}"
    return Check(name, False, f"{what}: {status.state}: {error}", fix)


def _missing_libraries(host: Host) -> Iterator[Check]:
    from inglenook.factories import KINDS

    for kind in KINDS:
        for entry in host.registered(kind):
            if entry.missing:
                yield Check(
                    f"{kind.replace('_', ' ')} {entry.factory.name}",
                    None,
                    f"not usable: {', '.join(entry.missing)} is not installed",
                    entry.install_hint.removeprefix("Install it with: "),
                )


def _kind(host: Host, kind: str, able: str) -> Check:
    usable = [entry.factory.name for entry in host.registered(kind) if not entry.missing]
    if usable:
        return Check(f"{kind}s", True, f"{able}: {', '.join(usable)}")
    return Check(f"{kind}s", False, f"no {kind} can be used", STANDARD)


def _loaders(host: Host) -> Check:
    usable = [entry for entry in host.registered("loader") if not entry.missing]
    types = sorted(
        {e for entry in usable for e in entry.factory.capabilities.get("extensions", ())}
    )
    if types:
        return Check("loaders", True, f"documents can be read: {' '.join(types)}")
    return Check("loaders", False, "no documents can be read", STANDARD)


def _devices() -> Check:
    from inglenook.models.machine import read_machine

    machine = read_machine()
    shown = [f"{d.name}: {d.problem}" if d.problem else d.name for d in machine.devices]
    cores = f"{machine.usable} usable processors"
    devices = "; ".join(shown) or "no GPU and no NPU that the system shows"
    return Check("devices", None, f"{cores}; {devices}", "What can use them: nook devices")


def _variables() -> Iterator[Check]:
    """Ollama's variables: what is heeded, and what cannot be understood."""
    from inglenook.ollama_variables import read_ollama_variables, variables_in_force

    try:
        read_ollama_variables(os.environ)
    except UserError as error:
        yield Check("environment", False, error.message, error.hint)
    for name, value, meaning in variables_in_force(os.environ):
        yield Check("environment", None, f"{name}={value}: {meaning}")


# --- models and assistants ----------------------------------------------------------------------


def _models(library: Library) -> Iterator[Check]:
    for name, reference in DEFAULT_MODELS:
        try:
            library.get(reference)
        except ModelNotFoundError:
            missing = f"{reference} is not on this machine"
            yield Check(name, False, missing, f"nook pull {reference}")
        except ModelBrokenError as error:
            yield Check(name, False, error.message, f"nook pull {reference}")
        else:
            yield Check(name, True, f"{reference} is here")
    for record in library.list():
        if record.problem:
            yield Check(f"model {record.name}", False, record.problem, f"nook rm {record.name}")


def _assistants(installation: Installation) -> Iterator[Check]:
    try:
        records = installation.assistants()
    except InglenookError as error:
        yield Check("assistants", False, error.message, error.hint)
        return
    for record in records:
        if record.problem:
            broken = record.path.suffix == ".json"
            fix = f"nook rm {record.name}" if broken else f"nook profile check {record.path}"
            yield Check(f"assistant {record.name}", False, record.problem.splitlines()[0], fix)
        elif record.remote:
            message = f"its questions and passages go to {record.remote}"
            yield Check(f"assistant {record.name}", None, message)
    usable = [record.name for record in records if not record.problem]
    if installation.settings.plugins.enabled:
        for name in usable:
            yield from _advice(installation, name)
    names = ", ".join(usable)
    yield Check("assistants", True if names else None, names or "there is none")


def _advice(installation: Installation, name: str) -> Iterator[Check]:
    """What would serve the documents of an assistant better."""
    try:
        with installation.assistant(name) as assistant:
            for notice in assistant.knowledge.advice() if assistant.knowledge else ():
                found, _, fix = notice.message.partition(" Better: ")
                yield Check(f"assistant {name}", None, found, fix)
    except ModelNotFoundError:
        return  # Which models are missing is told for itself.
    except InglenookError as error:
        yield Check(f"assistant {name}", None, error.message, error.hint)
