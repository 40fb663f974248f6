"""Puts models and assistants into a bundle: one file, for a machine without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from inglenook.assistants.composition import DEFAULT_EMBEDDER, model_of
from inglenook.assistants.embedder_choice import chosen_embedder
from inglenook.assistants.remote_models import REMOTE
from inglenook.errors import Cancelled, ModelNotFoundError, UnknownNameError, UserError
from inglenook.host import suggestion
from inglenook.knowledge.loaders import LoaderTable
from inglenook.models.bundle_archive import Written, write_bundle
from inglenook.models.bundle_contents import (
    BundledAssistant,
    BundledFile,
    BundledModel,
    Contents,
    Member,
    require_portable,
)
from inglenook.models.storage import file_sha256
from inglenook.profiles.files import resolve_files
from inglenook.profiles.loading import load_profile, profile_error
from inglenook.profiles.profile import PartChoice, Profile
from inglenook.types import CancelToken

if TYPE_CHECKING:
    from inglenook.assistants.installation import Installation

__all__ = ["Exported", "export_bundle"]


@dataclass(frozen=True, slots=True)
class Exported:
    """The end of an export.

    Args:
        path: The bundle.
        sha256: Of the bundle, in hex.
        size_bytes: Of the bundle.
        contents: What is in it.
    """

    path: Path
    sha256: str
    size_bytes: int
    contents: Contents


def export_bundle(
    installation: Installation,
    names: Sequence[str],
    target: Path,
    cancel: CancelToken,
    *,
    models: bool = True,
    documents: bool = True,
    replace: bool = False,
) -> Iterator[Written | Exported]:
    """Write a bundle of models and assistants; ends in an `Exported`.

    Args:
        installation: Where they are.
        names: Of models and assistants; an assistant brings the models that it needs.
        target: The file, which appears when all of it is on the disk.
        cancel: Ends it with `Cancelled`; nothing is left then.
        models: Whether models go in.
        documents: Whether the documents of assistants go in.
        replace: Whether a file of that name may be replaced.

    Raises `UnknownNameError`, `ModelNotFoundError`, `ProfileError`, `UserError`, `StoreError`.
    """
    gathered = _Gathered(installation, cancel, models=models, documents=documents)
    for name in names:
        gathered.add(name)
    contents = gathered.contents()
    if not contents.members:
        raise UserError("There is nothing to export.", hint="Leave --no-models out.")
    for event in write_bundle(target, contents, gathered.sources, replace=replace):
        if isinstance(event, Written):
            _stop_if(cancel)
            yield event
        else:
            yield Exported(target, event, target.stat().st_size, contents)


def _stop_if(cancel: CancelToken) -> None:
    if cancel.cancelled:
        raise Cancelled("Stopped; nothing was exported.")


@dataclass(slots=True)
class _Assistant:
    """An assistant as it is being gathered.

    Args:
        name: Its name in the bundle.
        profile: Its Assistantfile.
        files: Path in its folder -> the file.
        left_out: What it names and the bundle will not hold.
        parent: Whether it is here only because another one is made from it.
    """

    name: str
    profile: Path
    files: dict[str, Path] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    parent: bool = False


class _Gathered:
    """What a bundle will hold."""

    def __init__(
        self, installation: Installation, cancel: CancelToken, *, models: bool, documents: bool
    ) -> None:
        self._installation = installation
        self._cancel = cancel
        self._with_models = models
        self._with_documents = documents
        self._models: dict[str, BundledModel] = {}
        self._assistants: dict[str, _Assistant] = {}
        self._sizes: dict[str, int] = {}
        self.sources: dict[str, Path] = {}
        """sha256 -> a file with these bytes."""

    def add(self, name: str) -> None:
        """An assistant with what it needs, or a model."""
        found = self._installation.profile(name)
        if found is None:
            self._add_named_model(name)
            return
        profile, path = found
        own = name.removesuffix(":latest").lower()
        if self._installation.registration(own) is None:
            own = (
                re.sub(r"[^a-z0-9._-]+", "-", path.parent.name.lower()).strip("-._") or "assistant"
            )
        self._add_needed(profile, self._add_assistant(own, path, parent=False))

    def contents(self) -> Contents:
        """All of it, in an order that depends on nothing else."""
        assistants = tuple(self._bundled(a) for _, a in sorted(self._assistants.items()))
        models = tuple(model for _, model in sorted(self._models.items()))
        members = sorted((size, sha256) for sha256, size in self._sizes.items())
        return Contents(models, assistants, tuple(Member(s, n) for n, s in members))

    # --- models -----------------------------------------------------------------------------

    def _add_named_model(self, name: str) -> None:
        library = self._installation.library
        try:
            self._add_model(name)
        except ModelNotFoundError as error:
            known = [a.name for a in self._installation.assistants()]
            known += [record.name for record in library.list()]
            raise UnknownNameError(
                f"There is no assistant and no model named '{name}' here.",
                hint=f"{suggestion(name, tuple(known))} Run `nook list` to see all.".strip(),
            ) from error

    def _add_model(self, reference: str) -> None:
        model = self._installation.library.stored(reference)
        if not self._with_models or model.name in self._models:
            return
        blobs = {layer.sha256: layer for layer in model.manifest.blobs}
        for sha256, layer in blobs.items():
            self._take(sha256, layer.size_bytes, model.path(layer))
        self._take(model.digest, len(model.manifest_bytes), model.manifest_path)
        self._models[model.name] = BundledModel(model.name, model.digest, tuple(sorted(blobs)))

    def _take(self, sha256: str, size_bytes: int, path: Path) -> None:
        self.sources[sha256], self._sizes[sha256] = path, size_bytes

    def _add_needed(self, profile: Profile, assistant: _Assistant) -> None:
        """The models that the lines of a whole profile name, inherited ones too."""
        base = assistant.profile.parent
        library, host = self._installation.library, self._installation.host
        quotes_only = bool(profile.files) and profile.retrieve.answer == "extractive"
        if (
            not quotes_only
            and not self._add_local(profile.model, "FROM", assistant)
            and self._with_models
        ):
            files = model_of(profile, base, library, host)
            if files.format == REMOTE:
                assistant.left_out.append(f"FROM {profile.model}, which a server runs")
            else:
                self._add_model(files.reference)
        if profile.adapter:
            self._add_local(profile.adapter, "ADAPTER", assistant)
        embedder = profile.embedder or PartChoice(DEFAULT_EMBEDDER)
        needed = bool(profile.embedder) or profile.retrieve.mode != "lexical"
        reference = str(embedder.options.get("model", embedder.name))
        if (
            profile.files
            and needed
            and not self._add_local(reference, "EMBEDDER", assistant)
            and self._with_models
        ):
            _, files, _ = chosen_embedder(embedder, base, host, library.get)
            self._add_model(files.reference)
        reranker = profile.reranker.options.get("model", "") if profile.reranker else ""
        if reranker and not self._add_local(reranker, "RERANKER", assistant) and self._with_models:
            self._add_model(reranker)

    def _add_local(self, reference: str, line: str, assistant: _Assistant) -> bool:
        """Take a model that is a file or folder; whether it is one. One elsewhere is left out."""
        base = assistant.profile.parent
        given = Path(reference).expanduser()
        path = given if given.is_absolute() else base / given
        may_be = reference.startswith((".", "~")) or "/" in reference or path.suffix == ".gguf"
        if not path.exists() or not (may_be or (line == "RERANKER" and path.is_dir())):
            return False
        real = path.resolve()
        if given.is_absolute() and self._comes_with_parent(real):
            return True
        if not self._with_models:
            assistant.left_out.append(f"{line} {reference}")
            return True
        if given.is_absolute() or not real.is_relative_to(base.resolve()):
            assistant.left_out.append(f"{line} {reference}, outside its folder: {real}")
            return True
        inside = sorted(real.rglob("*")) if real.is_dir() else [real]
        for file in inside:
            if not file.resolve().is_relative_to(base.resolve()):
                assistant.left_out.append(f"{line} {reference}, a link that leads out: {file}")
            elif file.is_file():
                assistant.files[file.relative_to(base.resolve()).as_posix()] = file
        return True

    def _comes_with_parent(self, real: Path) -> bool:
        """Whether a model lies in the folder of one that an assistant is made from."""
        parents = (a.profile.parent.resolve() for a in self._assistants.values() if a.parent)
        return any(real.is_relative_to(folder) for folder in parents)

    def _add_models_of_parent(self, profile: Profile, parent: _Assistant) -> None:
        """The models inside its folder, which the lines of one that is made from it do not say."""
        self._add_local(profile.model, "FROM", parent)
        if profile.adapter:
            self._add_local(profile.adapter, "ADAPTER", parent)
        for part, line in ((profile.embedder, "EMBEDDER"), (profile.reranker, "RERANKER")):
            if part is not None:
                self._add_local(str(part.options.get("model", part.name)), line, parent)

    # --- assistants -------------------------------------------------------------------------

    def _add_assistant(self, name: str, path: Path, *, parent: bool) -> _Assistant:
        known = self._assistants.get(name)
        if known is not None:
            if known.profile != path:
                raise UserError(
                    f"Two assistants are called '{name}': {known.profile} and {path}.",
                    hint="Export them in two bundles.",
                )
            known.parent = known.parent and parent
            return known
        profile = load_profile(path, self._installation.part_names())
        assistant = _Assistant(name, path, {path.name: path}, parent=parent)
        self._assistants[name] = assistant
        if self._with_documents:
            self._add_documents(profile, assistant)
        else:
            assistant.left_out += [f"FILE {rule.pattern}" for rule in profile.files]
        if parent:
            self._add_models_of_parent(profile, assistant)
        above = self._installation.registration(profile.model)
        if above is not None and not above.shipped and above.profile() != path:
            parent_name = profile.model.removesuffix(":latest").lower()
            self._add_assistant(parent_name, above.profile(), parent=True)
        return assistant

    def _add_documents(self, profile: Profile, assistant: _Assistant) -> None:
        """The files that its FILE lines name inside its folder; all others are left out by name."""
        path, folder = assistant.profile, assistant.profile.parent
        settings = self._installation.settings
        found = resolve_files(
            profile,
            folder,
            [Path(granted) for granted in settings.grants.get(str(path), ())],
            LoaderTable.of(self._installation.host).accepts,
            assistant=assistant.name,
        )
        broken = [p for p in found.problems if p.severity == "error" and p.code != "grant"]
        if broken:
            raise profile_error(path, broken)
        assistant.left_out += [f"FILE {p.path}" for p in found.problems if p.code == "grant"]
        for file in found.files:
            elsewhere = file.name.startswith(("/", "~", "../")) or Path(file.name).is_absolute()
            if elsewhere or not file.path.is_relative_to(folder.resolve()):
                assistant.left_out.append(f"FILE {file.path}")
            else:
                require_portable(file.name)
                assistant.files[file.name] = file.path

    def _bundled(self, assistant: _Assistant) -> BundledAssistant:
        return BundledAssistant(
            assistant.name,
            assistant.profile.name,
            tuple(self._file(name, path) for name, path in sorted(assistant.files.items())),
            assistant.parent,
            tuple(dict.fromkeys(assistant.left_out)),
        )

    def _file(self, name: str, path: Path) -> BundledFile:
        require_portable(name)
        sha256 = file_sha256(path, lambda: _stop_if(self._cancel))
        status = path.stat()
        self._take(sha256, status.st_size, path)
        return BundledFile(name, sha256, max(0, int(status.st_mtime)))
