"""An installation: its folders, plugins, models and assistants. The engine's front door."""

from __future__ import annotations

import hashlib
import os
import shutil
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.assistants.registry import (
    AssistantRecord,
    Forgotten,
    Registration,
    Registry,
    find_profile_file,
)
from inglenook.configuration import change_configuration, load_settings
from inglenook.errors import (
    InglenookError,
    ModelNotFoundError,
    ProfileError,
    StoreError,
    UnknownNameError,
    UserError,
)
from inglenook.host import Host, suggestion
from inglenook.privacy import silence_telemetry
from inglenook.settings import Paths, Settings
from inglenook.types import CancelToken, FetchProgress

if TYPE_CHECKING:
    from types import TracebackType

    from inglenook.assistants.assistant import Assistant
    from inglenook.models.copying import Copied
    from inglenook.models.library import Library
    from inglenook.models.pull import PullWishes
    from inglenook.models.warm_models import WarmModels
    from inglenook.profiles.files import FileSet
    from inglenook.profiles.profile import Profile
    from inglenook.server_address import ServerAddress

__all__ = ["Installation"]


class Installation:
    """Everything of one user on one machine. Opening it loads nothing heavy.

    Args:
        settings: Folders and what the user has set.
        host: The plugins; by default those that are installed.
    """

    def __init__(self, settings: Settings, host: Host | None = None) -> None:
        silence_telemetry()
        self.settings = settings
        self.tell: Callable[[str], None] = lambda _text: None
        """Hears what takes a while and nobody asked for; a face sets it."""
        self.host = host or Host(settings.plugins)
        self._registry = Registry(settings.paths.assistants)

    @classmethod
    def open(cls, home: Path | None = None, *, plugins_enabled: bool = True) -> Installation:
        """The installation in `home`, or where the environment and the platform say."""
        return cls(load_settings(home=home, plugins_enabled=plugins_enabled))

    @property
    def paths(self) -> Paths:
        return self.settings.paths

    @cached_property
    def library(self) -> Library:
        """The models that are here."""
        from inglenook.models.library import Library
        from inglenook.ollama_variables import read_ollama_variables

        theirs = os.environ.get("OLLAMA_MODELS")
        extra = (Path(theirs),) if theirs else ()
        return Library(
            self.paths.models,
            extra_roots=extra,
            tell=self._tell,
            keep_unused=lambda: read_ollama_variables(os.environ).no_prune,
        )

    def _tell(self, text: str) -> None:
        # Not the function itself: a face may set another one later.
        self.tell(text)

    @cached_property
    def models(self) -> WarmModels:
        """The models that are loaded, and shared by all assistants of this installation."""
        from inglenook.models.borrowing import borrow
        from inglenook.models.warm_models import WarmModels

        models = WarmModels(self.settings.warm, borrow=partial(borrow, self.paths.cache))
        # Whoever forgets to close an installation leaves no process behind.
        weakref.finalize(self, models.close)
        return models

    @contextmanager
    def lending(self, process: str) -> Iterator[str]:
        """In this block other programs of the user may use the models that are loaded here.

        Args:
            process: What this process is, for people: `nook run`.

        Yields why that is impossible; "" if it is not.
        """
        from inglenook.models.lending import Lender
        from inglenook.models.local_socket import has_sockets

        lender = Lender(self.models, self.paths.cache, process)
        problem = ""
        try:
            if has_sockets():
                lender.start()
        except StoreError as error:
            problem = error.message
        try:
            yield problem
        finally:
            lender.close()

    # --- assistants -------------------------------------------------------------------------

    def assistants(self) -> tuple[AssistantRecord, ...]:
        """Every assistant that can be asked by name, shipped ones too, by name."""
        return tuple(
            self._record(name, known) for name, known in sorted(self._registry.paths().items())
        )

    def _record(self, name: str, known: Registration) -> AssistantRecord:
        path, shipped = known.path, known.shipped
        try:
            profile = self._load(known.profile(), ())
            server = self.server_of(profile)
        except InglenookError as error:
            return AssistantRecord(name, path, shipped, problem=error.message)
        return AssistantRecord(
            name,
            path,
            shipped,
            profile.model,
            files=len(profile.files),
            server=str(server) if server else "",
            remote=self.remote_of(profile),
        )

    def server_of(self, profile: Profile) -> ServerAddress | None:
        """The server that runs a profile's model; None if this program does, or plugins are off."""
        from inglenook.assistants.remote_models import server_of

        return server_of(profile, self.host) if self.settings.plugins.enabled else None

    def remote_of(self, profile: Profile) -> str:
        """Where a profile has prompts sent; "" if they stay here, or plugins are off."""
        from inglenook.assistants.remote_models import remote_of

        return remote_of(profile, self.host) if self.settings.plugins.enabled else ""

    def create(self, name: str, profile: Path) -> Assistant:
        """Register the Assistantfile under a name; its folder stays where it is.

        Raises `ProfileError`, or `UserError` if a model has that name.
        """
        if self.library.has(name):
            raise UserError(
                f"There is a model named '{name}' already.", hint="Choose another name."
            )
        path = profile.resolve()
        assistant = self.assistant_from_file(path, name=name)
        try:
            assistant.check_files()
            self._registry.add(name, assistant.path or path)
        except BaseException:
            assistant.close()
            raise
        return assistant

    def forget(self, name: str, keep_knowledge: bool = False) -> Forgotten | None:
        """Take a name away, and what was made of its documents; None if no assistant had it.

        What runtimes kept of prompts for its model goes too. The Assistantfile and the documents
        stay, and all of it if another name stands for the same Assistantfile. Raises `UserError`
        for a shipped assistant.
        """
        known = self._registry.paths()
        name = name if name in known else name.removesuffix(":latest").lower()
        own = known.get(name)
        if own is not None and own.shipped:
            raise UserError(
                f"'{name}' comes with the program and cannot be removed.",
                hint="An assistant of your own may have the same name: nook create.",
            )
        knowledge, prompts_bytes = None, 0
        if own is not None and not own.problem:
            # First: while the name is there, it can be tried again.
            others = (r.path.resolve() for n, r in known.items() if n != name and not r.problem)
            if own.profile() not in others:
                knowledge = None if keep_knowledge else self._delete_knowledge(own.profile())
                prompts_bytes = self._delete_prompts(own.profile())
        return Forgotten(name, knowledge, prompts_bytes) if self._registry.remove(name) else None

    def knowledge_folder(self, profile: Path) -> Path:
        """Where that is kept which is made of the documents of an Assistantfile."""
        return self.paths.knowledge / _folder_name(profile)

    def _delete_prompts(self, profile: Path) -> int:
        """Delete what was kept of the prompts for its model; the bytes that were freed."""
        from inglenook.assistants.composition import model_of
        from inglenook.assistants.model_upkeep import delete_prompts

        try:
            whole = self._load(profile, ())
            files = model_of(whole, profile.parent, self.library, self.host)
        except InglenookError:
            files = None  # The Assistantfile or the model is gone already.
        return delete_prompts(files, self.paths.cache)

    def _delete_knowledge(self, profile: Path) -> Path | None:
        """Delete what was made of the documents of that Assistantfile; the folder, if any."""
        folder = self.knowledge_folder(profile)
        if not folder.exists():
            return None
        from filelock import FileLock, Timeout

        try:
            with FileLock(folder / "writer.lock", timeout=0):
                for path in folder.iterdir():
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path)
                    elif path.name != "writer.lock":
                        path.unlink()
            shutil.rmtree(folder)  # With the lock, which not every system deletes while held.
        except Timeout as error:
            raise StoreError(
                f"{folder} is in use: its documents are being read.", hint="Try again after that."
            ) from error
        except OSError as error:
            raise StoreError(
                f"{folder} could not be deleted: {error.strerror or error}.",
                hint="Delete it by hand, or use --keep-knowledge.",
            ) from error
        return folder

    def allow(self, assistant: str, path: Path) -> Path:
        """Let the FILE lines of an assistant name a file or folder outside its own folder."""
        profile = self._profile_path(assistant)
        if profile is None:
            raise UnknownNameError(
                f"There is no assistant named '{assistant}'.", hint=self._did_you_mean(assistant)
            )
        target = path.expanduser().resolve()
        if not target.exists():
            raise UserError(f"There is nothing at {target}.", hint="Check the path.")

        def add(document: Any) -> None:
            grants = document.setdefault("grants", {})
            known = grants.setdefault(str(profile), [])
            if str(target) not in known:
                known.append(str(target))

        change_configuration(self.paths, add)
        self.settings = load_settings(
            home=_home_of(self.paths), plugins_enabled=self.settings.plugins.enabled
        )
        return target

    def assistant(self, reference: str) -> Assistant:
        """The assistant that a name, a path or a bare model reference stands for.

        Raises `UnknownNameError` with a suggestion if it is none of them.
        """
        path = self._profile_path(reference)
        if path is not None:
            return self.assistant_from_file(path, name=reference)
        try:
            return self._bare_model(reference)
        except ModelNotFoundError as error:
            if self.library.catalog.names and self._is_known_model(reference):
                raise
            raise UnknownNameError(
                f"There is no assistant and no model named '{reference}'.",
                hint=self._did_you_mean(reference),
            ) from error

    def assistant_from_file(
        self,
        path: Path,
        *,
        name: str = "",
        on_close: Callable[[], None] = lambda: None,
        change: Callable[[Profile], Profile] = lambda profile: profile,
    ) -> Assistant:
        """The assistant of an Assistantfile, or of the folder that holds one.

        `change` makes another profile of the one that the file says, everything inherited.
        """
        from inglenook.profiles.loading import find_profile

        file = find_profile(path).resolve()
        profile = change(self._load(file, ()))
        shown = name if name and not name.startswith((".", "/", "~")) else file.parent.name
        return self._assistant(shown, profile, file, on_close)

    def _bare_model(self, reference: str) -> Assistant:
        from inglenook.profiles.profile import Profile

        record = self.library.show(reference)
        profile = Profile(
            models=(reference,), system=record.system or None, messages=record.messages
        )
        return self._assistant(record.name, profile, None, lambda: None)

    def _assistant(
        self, name: str, profile: Profile, path: Path | None, on_close: Callable[[], None]
    ) -> Assistant:
        from inglenook.assistants import composition
        from inglenook.assistants.assistant import Assistant

        if not self.settings.plugins.enabled:
            why, fix = self.settings.plugins.why_off
            raise UserError(
                f"'{name}' cannot be used: plugins are off ({why}), and models and "
                "documents need them.",
                hint=fix,
            )
        filters = composition.make_filters(profile, self.host, name)
        base = path.parent if path is not None else None
        knowledge = None
        if profile.files and path is not None and base is not None:
            folder = self.paths.knowledge / _folder_name(path)
            knowledge = composition.make_knowledge(
                profile, base, folder, self.library, self.host, self.settings, filters
            )
        return Assistant(
            name,
            profile,
            path,
            make_model=partial(
                composition.make_chat_model,
                profile,
                base,
                self.library,
                self.host,
                self.settings,
                lambda: self.models,
            ),
            filters=filters,
            knowledge=knowledge,
            find_files=partial(self._find_files, profile, path, name),
            remote=self.remote_of(profile),
            on_close=on_close,
        )

    # --- profiles and files -----------------------------------------------------------------

    def profile(self, reference: str) -> tuple[Profile, Path] | None:
        """The profile of an assistant's name or path, everything inherited, and its file.

        None if it is neither; then it may be a model. Raises `ProfileError`.
        """
        path = self._profile_path(reference)
        return None if path is None else (self._load(path, ()), path)

    def _profile_path(self, reference: str) -> Path | None:
        file = find_profile_file(reference)
        if file is not None:
            return file
        known = self._registry.paths().get(reference.removesuffix(":latest").lower())
        return known.profile() if known else None

    def _load(self, path: Path, seen: tuple[Path, ...]) -> Profile:
        """The profile with what it inherits from the assistant that its FROM names."""
        from inglenook.profiles.loading import load_profile

        if path in seen:
            raise ProfileError(
                f"{path}: FROM leads back to the same assistant.", hint="Name a model in FROM."
            )
        profile = load_profile(path, self.part_names())
        parent = self._registry.paths().get(profile.model.removesuffix(":latest"))
        if parent is None or (not parent.problem and parent.profile() == path):
            return profile
        parent_path = parent.profile()
        return profile.inherit(self._load(parent_path, (*seen, path)), parent_path.parent)

    def part_names(self) -> dict[str, tuple[str, ...]]:
        """The names that a profile may use, by kind; embedders are named by their models.

        A kind that is missing is not checked: none is, while plugins are off.
        """
        if not self.settings.plugins.enabled:
            return {}
        kinds = ("runtime", "splitter", "vector_store", "reranker", "filter")
        return {kind: self.host.names(kind) for kind in kinds}

    def _find_files(self, profile: Profile, path: Path | None, name: str) -> FileSet:
        from inglenook.knowledge.loaders import LoaderTable
        from inglenook.profiles.files import resolve_files
        from inglenook.profiles.loading import profile_error

        assert path is not None, "only a profile with a file has FILE lines"
        files = resolve_files(
            profile,
            path.parent,
            self._grants(path),
            LoaderTable.of(self.host).accepts,
            assistant=name,
        )
        if any(problem.severity == "error" for problem in files.problems):
            raise profile_error(path, files.problems)
        return files

    def _grants(self, path: Path) -> list[Path]:
        """What this very file may name; a name is no key, for a stranger's folder may have it."""
        from inglenook.assistants.shipped import shipped_root

        given = [Path(granted) for granted in self.settings.grants.get(str(path), ())]
        root = shipped_root()
        if path.is_relative_to(root / "assistants"):
            # What comes with the program may know the program's own manual.
            given += [root / "docs", root / "README.md"]
        return given

    def _is_known_model(self, reference: str) -> bool:
        from inglenook.models.reference import parse_reference

        return self.library.catalog.find(parse_reference(reference)) is not None

    def _did_you_mean(self, name: str) -> str:
        known = (*self._registry.paths(), *(record.name for record in self.library.list()))
        return f"{suggestion(name, known)} Run `nook list` to see all.".strip()

    # --- models and health ------------------------------------------------------------------

    def pull(
        self,
        reference: str,
        cancel: CancelToken,
        source: str | None = None,
        wishes: PullWishes | None = None,
    ) -> Iterator[Any]:
        """Fetch a model into the library, event by event (see `models.pull`), and make it ready."""
        from inglenook.assistants.model_upkeep import make_ready
        from inglenook.models.pull import PullWishes as Wishes
        from inglenook.models.pull import pull

        wishes = wishes or Wishes()
        events = pull(reference, self.library, self.host, self.settings, cancel, source, wishes)
        yield from make_ready(events, self.library, self.host, self.paths.cache, cancel)

    def remove_model(self, reference: str) -> tuple[str, int]:
        """Remove a model and what was made of it; its name and the bytes that were freed."""
        from inglenook.assistants.model_upkeep import remove_model

        return remove_model(reference, self.library, self.paths.cache)

    def copy_model(
        self, source: str, destination: str, cancel: CancelToken
    ) -> Iterator[FetchProgress | Copied]:
        """Give a model another name, event by event (see `models.copying`).

        Raises `UserError` if an assistant has that name; another model of that name gives way.
        """
        from inglenook.models.copying import copy_model

        if self.registration(destination) is not None:
            raise UserError(
                f"There is an assistant named '{destination}'.", hint="Choose another name."
            )
        return copy_model(source, destination, self.library, cancel)

    def prune_models(self) -> int:
        """Delete what no model of the library uses; the bytes that were freed."""
        from inglenook.assistants.importing import drop_partial
        from inglenook.assistants.model_upkeep import prune_models

        freed = prune_models(self.library, self.paths.cache)
        return freed + drop_partial(self.paths.data / "imported", self.library.scratch)

    def registration(self, name: str) -> Registration | None:
        """What a name stands for, shipped assistants too; None if no assistant has it."""
        return self._registry.paths().get(name.removesuffix(":latest").lower())

    def register(self, name: str, profile: Path) -> None:
        """Let a name stand for an Assistantfile that was not looked into; see `create`."""
        self._registry.add(name, profile)

    def doctor(self) -> tuple[Any, ...]:
        """What is installed, what can run, what is missing (see `assistants.doctor`)."""
        from inglenook.assistants.doctor import examine

        return examine(self)

    def close(self) -> None:
        """End the models that are loaded."""
        if "models" in self.__dict__:
            self.models.close()
            del self.__dict__["models"]

    def __enter__(self) -> Installation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _folder_name(profile: Path) -> str:
    digest = hashlib.sha256(str(profile).encode()).hexdigest()[:12]
    return f"{profile.parent.name or 'root'}-{digest}"


def _home_of(paths: Paths) -> Path | None:
    return paths.config.parent if paths.config.parent == paths.data.parent else None
