"""Finds plugins, keeps them apart, and makes the parts that they bring.

Entry points are found without importing anything. Each plugin's light entry module is imported
on its own, so that a broken one costs only itself; the heavy class behind a factory is imported
when the part is made.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import pluggy

from inglenook import hookspecs
from inglenook.errors import InglenookError, MissingDependencyError, PluginError, UnknownNameError
from inglenook.factories import Factory
from inglenook.hookspecs import HOOK_KINDS, PROJECT
from inglenook.settings import PluginSettings

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from inglenook.protocols import (
        Command,
        Embedder,
        Filter,
        Loader,
        ModelSource,
        Reranker,
        Splitter,
        VectorStore,
    )
    from inglenook.types import ModelFiles

__all__ = ["Host", "PluginStatus", "Registered", "suggestion"]


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """What became of one plugin.

    Args:
        name: The name of its entry point.
        version, distribution: Of the distribution that brings it.
        hooks: The hooks that it implements.
        state: `on`, `off` (disabled), `broken` or `refused` (by policy).
        load_time_s: Seconds to import and register it.
        error: What is wrong, in a line.
        traceback: The whole traceback of a broken one.
        factories: `kind:name` of all that it registered.
    """

    name: str
    version: str
    distribution: str
    hooks: tuple[str, ...] = ()
    state: str = "on"
    load_time_s: float = 0.0
    error: str = ""
    traceback: str = ""
    factories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Registered:
    """A factory and who brought it."""

    kind: str
    factory: Factory
    plugin: str
    distribution: str

    @property
    def missing(self) -> tuple[str, ...]:
        """The libraries that it needs and that are not installed."""
        from importlib.util import find_spec

        return tuple(name for name in self.factory.requires if find_spec(name) is None)

    @property
    def install_hint(self) -> str:
        """The command that adds what is missing."""
        if self.factory.extra:
            return f"Install it with: pip install '{self.distribution}[{self.factory.extra}]'"
        return f"Install it with: pip install {' '.join(self.missing)}"


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A plugin that may be loaded: an entry point, or an object given by hand."""

    name: str
    distribution: str
    version: str
    load: Callable[[], object]
    entry_point: EntryPoint | None = None


class Host:
    """The plugins of one installation. Nothing is imported before the first question.

    Args:
        settings: Which plugins may run.
        plugins: Name -> module (or object with hook functions), added by hand.
        discover: Whether installed entry points are looked for.
    """

    def __init__(
        self,
        settings: PluginSettings | None = None,
        *,
        plugins: Mapping[str, object] | None = None,
        discover: bool = True,
    ) -> None:
        self._settings = settings or PluginSettings()
        self._given = dict(plugins or {})
        self._discover = discover
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._statuses: dict[str, PluginStatus] | None = None
        self._factories: dict[tuple[str, str], Registered] = {}

    # --- what there is ----------------------------------------------------------------------

    @property
    def statuses(self) -> tuple[PluginStatus, ...]:
        """What became of each plugin, by name."""
        loaded = self._load()
        return tuple(loaded[name] for name in sorted(loaded))

    def registered(self, kind: str) -> tuple[Registered, ...]:
        """All factories of a kind, in the order in which they were registered."""
        self._load()
        return tuple(entry for entry in self._factories.values() if entry.kind == kind)

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of all factories of a kind, sorted."""
        return tuple(sorted(entry.factory.name for entry in self.registered(kind)))

    def able_to_open(self, kind: str, model_format: str) -> list[Registered]:
        """The parts of a kind that open a model's format, the preferred one first.

        Those whose libraries are not installed come last.
        """

        def rank(entry: Registered) -> tuple[bool, int]:
            preference = entry.factory.capabilities.get("preference", ("50",))
            return bool(entry.missing), int(preference[0])

        able = (
            entry
            for entry in self.registered(kind)
            if model_format in entry.factory.capabilities.get("formats", ())
        )
        return sorted(able, key=rank)

    def find(self, kind: str, name: str) -> Registered:
        """The factory of that kind and name. Raises `UnknownNameError` with a suggestion."""
        self._load()
        entry = self._factories.get((kind, name.lower()))
        if entry is None:
            raise UnknownNameError(
                f"There is no {kind.replace('_', ' ')} named '{name}'.",
                hint=self._where_else(kind, name),
            )
        return entry

    def _where_else(self, kind: str, name: str) -> str:
        off = [s for s in self.statuses if s.state != "on"]
        for status in off:
            if name in (status.name, status.name.replace("-", "_")):
                return f"The plugin '{status.name}' is {status.state}: run `nook plugins`."
        return suggestion(name, self.names(kind)) or "Run `nook plugins` to see what is installed."

    # --- making parts -----------------------------------------------------------------------

    def load_class(self, kind: str, name: str) -> type[Any]:
        """Import the class behind a factory.

        Raises `UnknownNameError`, `MissingDependencyError` (with the command that adds what is
        missing), or `PluginError` if the plugin's own code fails to import.
        """
        entry = self.find(kind, name)
        if entry.missing:
            raise MissingDependencyError(
                f"The {kind.replace('_', ' ')} '{name}' needs {', '.join(entry.missing)}, "
                "which is not installed.",
                hint=entry.install_hint,
            )
        from importlib import import_module

        module, _, attribute = entry.factory.load.partition(":")
        try:
            with redirect_stdout(sys.stderr):
                return cast("type[Any]", getattr(import_module(module), attribute))
        except InglenookError:
            raise
        # A plugin's module may raise anything while it is imported; it becomes one clear error.
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"The plugin '{entry.plugin}' ({entry.distribution}) could not load "
                f"{entry.factory.load}: {type(error).__name__}: {error}",
                hint=f"Reinstall it, or switch it off with: nook plugins disable {entry.plugin}",
            ) from error

    def options_for(self, kind: str, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The checked options of a part, defaults filled in. Raises `UserError`."""
        from inglenook.options import check_options

        return check_options(self.find(kind, name).factory, given)

    def make_embedder(
        self, name: str, files: ModelFiles, options: Mapping[str, Any] | None = None
    ) -> Embedder:
        """An embedder that is not open yet."""
        checked = self.options_for("embedder", name, options or {})
        return cast("Embedder", self.load_class("embedder", name)(files, checked))

    def make_loader(self, name: str, options: Mapping[str, Any] | None = None) -> Loader:
        """A loader."""
        return cast("Loader", self._simple("loader", name, options))

    def make_splitter(self, name: str, options: Mapping[str, Any] | None = None) -> Splitter:
        """A splitter."""
        return cast("Splitter", self._simple("splitter", name, options))

    def make_filter(self, name: str, options: Mapping[str, Any] | None = None) -> Filter:
        """A filter."""
        return cast("Filter", self._simple("filter", name, options))

    def make_model_source(self, name: str, options: Mapping[str, Any] | None = None) -> ModelSource:
        """A model source, by its name."""
        return cast("ModelSource", self._simple("model_source", name, options))

    def make_vector_store(
        self, name: str, folder: Path, dimension: int, options: Mapping[str, Any] | None = None
    ) -> VectorStore:
        """A vector store that is not open yet."""
        checked = self.options_for("vector_store", name, options or {})
        made = self.load_class("vector_store", name)(folder, dimension, checked)
        return cast("VectorStore", made)

    def make_reranker(
        self, name: str, files: ModelFiles | None, options: Mapping[str, Any] | None = None
    ) -> Reranker:
        """A reranker that is not open yet."""
        checked = self.options_for("reranker", name, options or {})
        return cast("Reranker", self.load_class("reranker", name)(files, checked))

    def make_command(self, name: str) -> Command:
        """A command."""
        return cast("Command", self.load_class("command", name)())

    def _simple(self, kind: str, name: str, options: Mapping[str, Any] | None) -> object:
        checked = self.options_for(kind, name, options or {})
        return self.load_class(kind, name)(checked)

    # --- loading plugins --------------------------------------------------------------------

    def _load(self) -> dict[str, PluginStatus]:
        if self._statuses is None:
            self._statuses = {}
            for candidate in self._candidates():
                status, error = self._add(candidate, self._statuses)
                self._statuses[status.name] = status
                if error is not None and self._settings.strict:
                    raise PluginError(f"The plugin '{status.name}' {status.error}") from error
        return self._statuses

    def _candidates(self) -> Iterator[_Candidate]:
        for name, module in self._given.items():
            yield _Candidate(name, "(given)", "", _constant(module))
        if not self._discover:
            return
        from importlib.metadata import entry_points

        # The built-in plugins come first, so that a newcomer with a taken name is the one at fault.
        owned = [(_owner(entry), entry) for entry in entry_points(group=PROJECT)]
        for owner, entry in sorted(
            owned, key=lambda found: (found[0][0] != PROJECT, found[1].name)
        ):
            yield _Candidate(entry.name, *owner, entry.load, entry)

    def _add(
        self, candidate: _Candidate, known: Mapping[str, PluginStatus]
    ) -> tuple[PluginStatus, BaseException | None]:
        name = candidate.name
        status = PluginStatus(name, candidate.version, candidate.distribution)
        if name in known:
            return _broken(
                replace(status, name=f"{name} ({candidate.distribution})"),
                PluginError(
                    f"has the same name as a plugin of {known[name].distribution}; "
                    f"this one is from {candidate.distribution}. Uninstall one of them."
                ),
            )
        if not self._switched_on(name):
            return replace(status, state="off"), None
        if refusal := self._refusal(candidate):
            return replace(status, state="refused", error=refusal), None
        started = time.perf_counter()
        try:
            hooks, entries = self._register(candidate)
        # A plugin may raise anything, and its SystemExit must not end the program.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            return _broken(status, error)
        self._factories.update({(e.kind, e.factory.name): e for e in entries})
        return replace(
            status,
            hooks=hooks,
            load_time_s=time.perf_counter() - started,
            factories=tuple(f"{e.kind}:{e.factory.name}" for e in entries),
        ), None

    def _switched_on(self, name: str) -> bool:
        settings = self._settings
        if not settings.enabled or name in settings.disabled:
            return False
        return settings.only is None or name in settings.only

    def _refusal(self, candidate: _Candidate) -> str:
        """Why the policy keeps this plugin out, or "". Nothing of it has been imported."""
        if self._settings.policy != "pinned" or candidate.entry_point is None:
            return ""
        from inglenook.pins import refusal

        return refusal(candidate.entry_point, self._settings.pins)

    def _register(self, candidate: _Candidate) -> tuple[tuple[str, ...], list[Registered]]:
        # What a plugin prints while it is loaded must not end up in a command's output.
        with redirect_stdout(sys.stderr):
            return self._register_quietly(candidate)

    def _register_quietly(self, candidate: _Candidate) -> tuple[tuple[str, ...], list[Registered]]:
        plugin = candidate.load()
        marked = _marked_functions(plugin)
        for hook in marked:
            if hook not in HOOK_KINDS:
                raise PluginError(
                    f"implements a hook that does not exist: '{hook}'. "
                    + suggestion(hook, HOOK_KINDS)
                )
        if not marked:
            raise PluginError("implements no hook; mark its functions with inglenook.hookimpl.")
        self._manager.register(plugin, candidate.name)
        entries: list[Registered] = []
        for hook in marked:
            for factory in _ask(plugin, hook):
                kind = HOOK_KINDS[hook]
                self._check_clash(kind, factory, candidate, entries)
                entries.append(Registered(kind, factory, candidate.name, candidate.distribution))
        return tuple(marked), entries

    def _check_clash(
        self, kind: str, factory: Factory, candidate: _Candidate, own: list[Registered]
    ) -> None:
        taken = self._factories.get((kind, factory.name))
        mine = next((e for e in own if (e.kind, e.factory.name) == (kind, factory.name)), None)
        if taken := taken or mine:
            raise PluginError(
                f"registers the {kind.replace('_', ' ')} "
                f"'{factory.name}', a name that {taken.distribution} already has; this one is of "
                f"{candidate.distribution}. Switch one off: nook plugins disable {candidate.name}"
            )


def suggestion(name: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    """A did-you-mean line, or the list of what there is, or "" if there is nothing."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"There are: {', '.join(sorted(known))}." if known else ""


def _owner(entry: EntryPoint) -> tuple[str, str]:
    """Name and version of the distribution that brings it."""
    if entry.dist is None:
        return ("unknown", "")
    # Read here: `dist.name` and `dist.version` load the email package and parse the file each time.
    text = entry.dist.read_text("METADATA") or entry.dist.read_text("PKG-INFO") or ""
    head = dict(line.partition(": ")[::2] for line in text.partition("\n\n")[0].splitlines())
    return (head.get("Name", "unknown"), head.get("Version", ""))


def _marked_functions(plugin: object) -> list[str]:
    marker = f"{PROJECT}_impl"
    return [name for name in dir(plugin) if getattr(getattr(plugin, name, None), marker, None)]


def _ask(plugin: object, hook: str) -> list[Factory]:
    """Call one registration hook of one plugin, apart from all others."""
    found: list[Factory] = []

    def register(factory: Factory) -> None:
        if not isinstance(factory, Factory):
            raise PluginError(f"{hook} must register a Factory, not {type(factory).__name__}.")
        module, _, attribute = factory.load.partition(":")
        if not (factory.name and factory.name == factory.name.lower() and module and attribute):
            raise PluginError(
                f"{hook}: a factory needs a lower-case name and load='package.module:Class', "
                f"not name={factory.name!r} and load={factory.load!r}."
            )
        found.append(factory)

    result = getattr(plugin, hook)(register)
    if result is not None:
        if close := getattr(result, "close", None):
            close()  # a coroutine that nobody will await
        raise PluginError(f"{hook} must call register() and return nothing; is it async?")
    return found


def _broken(status: PluginStatus, error: BaseException) -> tuple[PluginStatus, BaseException]:
    import traceback

    text = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
    if not isinstance(error, PluginError):
        text = f"failed to load: {text}"
    trace = "".join(traceback.format_exception(error))
    return replace(status, state="broken", error=text.strip(), traceback=trace), error


def _constant(value: object) -> Callable[[], object]:
    return lambda: value
