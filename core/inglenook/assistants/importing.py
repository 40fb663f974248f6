"""Takes models and assistants out of a bundle. Nothing shows before every byte of it was checked.

A bundle may come from a stranger. Models are known by what they are, documents are data, and an
Assistantfile gets no right that it would not have if its folder had been copied here by hand.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from inglenook.assistants.model_upkeep import make_ready
from inglenook.assistants.registry import require_name
from inglenook.configuration import change_configuration
from inglenook.errors import Cancelled, ModelBrokenError, StoreError, UserError
from inglenook.knowledge.upkeep import bytes_under
from inglenook.models.bundle_archive import BundleReader, Written
from inglenook.models.bundle_contents import BundledAssistant, BundledModel, Contents
from inglenook.models.gguf import read_gguf
from inglenook.models.manifest import (
    LARGEST_MANIFEST_BYTES,
    MODEL,
    Layer,
    Manifest,
    parse_json_object,
    parse_manifest,
)
from inglenook.models.pull import Preparing, Pulled
from inglenook.models.reference import parse_reference
from inglenook.models.staging import staging_folder
from inglenook.models.storage import disk_errors, file_sha256, make_durable, require_space
from inglenook.profiles.problems import shown
from inglenook.types import CancelToken, Notice

if TYPE_CHECKING:
    from inglenook.assistants.installation import Installation
    from inglenook.models.library import Library

__all__ = [
    "PARTIAL",
    "Imported",
    "ImportedAssistant",
    "ImportedModel",
    "drop_partial",
    "import_bundle",
]

PARTIAL = ".import-"
"""How the names of the folders begin in which assistants are laid out."""
_STOPPED = "Stopped; nothing was imported."
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """A model of the bundle; `already_there` if the very same was here."""

    name: str
    size_bytes: int
    already_there: bool


@dataclass(frozen=True, slots=True)
class ImportedAssistant:
    """An assistant of the bundle.

    Args:
        name: What it is called here.
        path: Its Assistantfile.
        documents: How many files came with its Assistantfile.
        already_there: The very same had that name here.
        left_out: What it names and the bundle does not hold.
        problem: Why it cannot be used as it is; "" for nothing.
        remote: The host that it sends questions and passages to; "" if they stay here.
    """

    name: str
    path: Path
    documents: int
    already_there: bool
    left_out: tuple[str, ...] = ()
    problem: str = ""
    remote: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """The end of an import."""

    models: tuple[ImportedModel, ...]
    assistants: tuple[ImportedAssistant, ...]


def import_bundle(
    installation: Installation,
    stream: BinaryIO,
    bundle: str,
    cancel: CancelToken,
    *,
    force: bool = False,
    rename: str = "",
    folder: Path | None = None,
) -> Iterator[Written | Preparing | Notice | Imported]:
    """Bring what is in a bundle here; ends in an `Imported`.

    Args:
        installation: Where it goes.
        stream: The bundle, which is read once, from its beginning.
        bundle: What messages call it.
        cancel: Ends it with `Cancelled`; nothing is left then.
        force: Other models and assistants of the same names give way.
        rename: What the assistant is to be called; "" as in the bundle.
        folder: Where folders of assistants are put; None is in the installation's data.

    Raises `UserError` if this is no bundle or something is in the way, `StoreError` if the bundle
    is damaged or the disk is full.
    """
    reader = BundleReader(stream, bundle)
    own = installation.paths.data / "imported"
    root = (folder or own).expanduser().absolute()
    work = _Import(
        installation, reader.contents(), bundle, root, folder is None, force=force, rename=rename
    )
    work.decide()
    scratch = installation.library.scratch
    with staging_folder(scratch) as staged:
        drop_partial(own, scratch)
        try:
            yield from work.read(reader, staged, cancel)
        except StoreError:
            if cancel.cancelled:  # What writes into a pipe hears the same Ctrl-C, and cuts it off.
                raise Cancelled(_STOPPED) from None
            raise
        work.check_models(staged)
        with _alone(scratch):
            work.decide_again()
            with _partial(root, staged.name, work.has_assistants) as partial:
                work.lay_out(staged, partial)
                if cancel.cancelled:
                    raise Cancelled(_STOPPED)
                models = work.adopt(staged)
                assistants = work.place(partial)
    for model in models:
        if not model.already_there:
            events = iter([Pulled(installation.library.show(model.name))])
            cache = installation.paths.cache
            ready = make_ready(events, installation.library, installation.host, cache, cancel)
            yield from (event for event in ready if isinstance(event, Preparing | Notice))
    yield Imported(models, assistants)


@contextmanager
def _alone(scratch: Path) -> Iterator[None]:
    """Hold other imports off while this one becomes visible."""
    from filelock import FileLock

    with FileLock(scratch / "importing.lock"):
        yield


def drop_partial(own: Path, scratch: Path) -> int:
    """Delete what killed imports had laid out among the folders of assistants; the bytes freed.

    Args:
        own: Where those folders lie.
        scratch: Where the locks of running imports lie; what is left of dead ones was dropped.
    """
    freed = 0
    for folder in own.glob(f"{PARTIAL}*"):
        # That of a running one lies there until its folder is gone.
        if not (scratch / f"{folder.name[1:]}.lock").exists():
            freed += bytes_under(folder)
            shutil.rmtree(folder, ignore_errors=True)
    return freed


@contextmanager
def _partial(root: Path, name: str, needed: bool) -> Iterator[Path]:
    """A hidden folder in `root` for assistants that are being laid out; gone after the block."""
    folder = root / f".{name}"
    if not needed:
        yield folder
        return
    with disk_errors(root):
        made = [path for path in (root, *root.parents) if not path.exists()]
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            for path in made:
                if path.is_dir() and not any(path.iterdir()):
                    path.rmdir()


@dataclass(slots=True)
class _Placed:
    """An assistant of the bundle and where it goes; `there` if it is here already."""

    bundled: BundledAssistant
    name: str
    folder: Path
    there: bool = False
    laid_out: bool = False


@dataclass
class _Import:
    """One import: what the bundle holds, what of it is new, and where that goes."""

    installation: Installation
    contents: Contents
    bundle: str
    root: Path
    own_folder: bool
    force: bool
    rename: str
    new_models: list[BundledModel] = field(default_factory=list)
    placed: list[_Placed] = field(default_factory=list)

    @property
    def library(self) -> Library:
        return self.installation.library

    @property
    def has_assistants(self) -> bool:
        """Whether a folder has to be made."""
        return any(not placed.there for placed in self.placed)

    # --- deciding, before anything is written -----------------------------------------------

    def decide(self) -> None:
        """Find out what is new and what is in the way. Raises `UserError`."""
        asked = [a for a in self.contents.assistants if not a.parent]
        if self.rename and len(asked) != 1:
            raise UserError(
                f"{self.bundle} holds {len(asked)} assistants; --as renames exactly one.",
                hint="Leave --as out.",
            )
        self.new_models = [model for model in self.contents.models if not self._is_here(model)]
        self.placed = [self._placed(assistant) for assistant in self.contents.assistants]

    def decide_again(self) -> None:
        """Heed what came into being while the bundle was read. Raises `UserError`."""
        self.new_models = [model for model in self.new_models if not self._is_here(model)]
        self.placed = [
            placed if placed.there else self._placed(placed.bundled) for placed in self.placed
        ]

    def _is_here(self, model: BundledModel) -> bool:
        """Whether this very model is here. Raises `UserError` for another one of its name."""
        reference = parse_reference(model.name)
        short = f"{reference.model}:{reference.tag}".removesuffix(":latest")
        if self.installation.registration(short) is not None:
            raise UserError(
                f"The bundle holds a model {model.name}, and an assistant has that name here.",
                hint=f"Take the assistant away first: nook rm {short}",
            )
        there = self.library.stored_exactly(reference.full)
        if there is None:
            return False
        if there.digest == model.manifest:
            return True
        if self.force:
            return False
        raise UserError(
            f"There is another model named {model.name} here.",
            hint="Replace it with --force, or keep both: give the one that is here another name "
            f"with `nook cp {model.name} NEWNAME`, then use --force.",
        )

    def _placed(self, assistant: BundledAssistant) -> _Placed:
        name = self.rename if self.rename and not assistant.parent else assistant.name
        require_name(name)
        known = self.installation.registration(name)
        if known is not None:
            if not known.problem and _holds(known.profile(), assistant):
                return _Placed(assistant, name, known.profile().parent, there=True)
            if not self.force:
                raise UserError(
                    f"There is another assistant named '{name}' here.",
                    hint="Give this one another name with --as NEWNAME, or use --force: the name "
                    "then stands for this one, and the files of the other stay.",
                )
        elif self.library.has(name):
            raise UserError(
                f"There is a model named '{name}' here.",
                hint="Give the assistant another name: --as NEWNAME",
            )
        if not self.own_folder:
            target = self.root / name
            if target.exists():
                raise UserError(f"{target} exists already.", hint="Choose another folder for --to.")
            return _Placed(assistant, name, target)
        # Other contents get another folder, so that no grant for a folder serves a stranger's.
        first = self.root / f"{name}-{assistant.digest[:10]}"
        target, number = first, 2
        while target.exists() and not _holds(target / assistant.profile, assistant):
            target, number = self.root / f"{first.name}-{number}", number + 1
        return _Placed(assistant, name, target)

    # --- reading ----------------------------------------------------------------------------

    def _wanted(self, stop: Callable[[], None]) -> dict[str, int]:
        """sha256 -> size of the members that have to be kept."""
        library = self.library
        sizes = {member.sha256: member.size_bytes for member in self.contents.members}
        wanted = {m.manifest for m in self.new_models}
        for placed in self.placed:
            if not placed.there:
                wanted |= {file.sha256 for file in placed.bundled.files}
        blobs = {sha256 for model in self.new_models for sha256 in model.blobs}
        for sha256 in blobs - wanted:
            own = library.blob(sha256)
            if not own.is_file() or file_sha256(own, stop) != sha256:
                wanted.add(sha256)
        return {sha256: sizes[sha256] for sha256 in wanted}

    def read(self, reader: BundleReader, staged: Path, cancel: CancelToken) -> Iterator[Written]:
        """Read all of the bundle, and keep in `staged` what is needed. Raises `StoreError`."""

        def stop() -> None:
            if cancel.cancelled:
                raise Cancelled(_STOPPED)

        wanted = self._wanted(stop)
        require_space(staged, sum(wanted.values()))
        done, total, current = 0, self.contents.size_bytes, ""
        file: BinaryIO | None = None
        try:
            for member, piece in reader.pieces():
                stop()
                if member.sha256 != current:
                    if file is not None:
                        file.close()
                    current, kept = member.sha256, member.sha256 in wanted
                    file = (staged / current).open("xb") if kept else None
                if file is not None:
                    file.write(piece)
                done += len(piece)
                yield Written(done, total)
        finally:
            if file is not None:
                file.close()

    def check_models(self, staged: Path) -> None:
        """Raise `StoreError` for a model whose manifest is not what the bundle says of it."""
        try:
            self._check_manifests(staged)
        except ModelBrokenError as error:
            raise StoreError(error.message, hint="Export it again. Nothing was kept.") from error

    def _check_manifests(self, staged: Path) -> None:
        sizes = {member.sha256: member.size_bytes for member in self.contents.members}
        for model in self.new_models:
            where = f"The manifest of {model.name} in {self.bundle}"
            path = staged / model.manifest
            if path.stat().st_size > LARGEST_MANIFEST_BYTES:
                raise StoreError(f"{where} is too large.", hint="Export it again.")
            manifest = parse_manifest(path.read_bytes(), where)
            said = {layer.sha256: layer.size_bytes for layer in manifest.blobs}
            if said != {sha256: sizes[sha256] for sha256 in model.blobs}:
                raise StoreError(f"{where} names other blobs than came.", hint="Export it again.")
            for layer in manifest.layers:
                if layer.name and not _FILE_NAME.fullmatch(layer.name):
                    raise StoreError(
                        f"{where} calls a file {shown(layer.name)}.", hint="Nothing was kept."
                    )
            self._check_files(staged, manifest, model)

    def _check_files(self, staged: Path, manifest: Manifest, model: BundledModel) -> None:
        """Raise for a config that cannot be read, and for weights that are not of their format."""
        config: dict[str, Any] = {}
        if manifest.config is not None:
            where = f"The config of {model.name} in {self.bundle}"
            if manifest.config.size_bytes > LARGEST_MANIFEST_BYTES:
                raise StoreError(f"{where} is too large.", hint="Export it again.")
            data = self._file_of(staged, manifest.config).read_bytes()
            config = parse_json_object(data, where)
        if config.get("model_format", "gguf") != "gguf":
            return
        for layer in manifest.layers:
            if layer.media_type == MODEL:
                path = self._file_of(staged, layer)
                try:
                    read_gguf(path)
                except ModelBrokenError as error:
                    said = error.message.replace(str(path), f"The model {model.name}")
                    raise ModelBrokenError(said, hint=error.hint) from error

    def _file_of(self, staged: Path, layer: Layer) -> Path:
        """Where a blob lies that has come, or was here."""
        new = staged / layer.sha256
        return new if new.is_file() else self.library.blob(layer.sha256)

    # --- making it visible ------------------------------------------------------------------

    def lay_out(self, staged: Path, partial: Path) -> None:
        """Build the folders of the new assistants in `partial`."""
        sizes = {member.sha256: member.size_bytes for member in self.contents.members}
        for placed in self.placed:
            if placed.there or placed.folder.exists():
                continue
            require_space(partial, sum(sizes[file.sha256] for file in placed.bundled.files))
            folder = partial / placed.name
            for file in placed.bundled.files:
                target = folder / file.path
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.exists():
                    raise StoreError(
                        f"Two files of '{placed.name}' have one name here: {shown(file.path)}.",
                        hint="This disk does not tell capitals apart; nothing was imported.",
                    )
                shutil.copyfile(staged / file.sha256, target)
                os.utime(target, (file.modified, file.modified))
                make_durable(target)
            placed.laid_out = True

    def adopt(self, staged: Path) -> tuple[ImportedModel, ...]:
        """Make the models visible, one after the other."""
        sizes = {member.sha256: member.size_bytes for member in self.contents.members}
        done = []
        for model in self.contents.models:
            new = model in self.new_models
            if new:
                data = (staged / model.manifest).read_bytes()
                files = {s: staged / s for s in model.blobs if (staged / s).is_file()}
                self.library.adopt(parse_reference(model.name).full, data, files)
            size = sum(sizes[sha256] for sha256 in model.blobs)
            done.append(ImportedModel(model.name, size, already_there=not new))
        return tuple(done)

    def place(self, partial: Path) -> tuple[ImportedAssistant, ...]:
        """Give the folders of assistants their place, and register their names."""
        for placed in self.placed:
            if placed.laid_out:
                (partial / placed.name).replace(placed.folder)
                make_durable(placed.folder.parent)
        for placed in sorted(self.placed, key=lambda p: not p.bundled.parent):
            if not placed.there:
                profile = placed.folder.resolve() / placed.bundled.profile
                if placed.laid_out:
                    self._revoke(profile)
                self.installation.register(placed.name, profile)
        return tuple(self._imported(placed) for placed in self.placed)

    def _imported(self, placed: _Placed) -> ImportedAssistant:
        bundled = placed.bundled
        record = next(r for r in self.installation.assistants() if r.name == placed.name)
        return ImportedAssistant(
            placed.name,
            placed.folder / bundled.profile,
            len(bundled.files) - 1,
            placed.there,
            bundled.left_out,
            record.problem,
            record.remote,
        )

    def _revoke(self, profile: Path) -> None:
        """Take away what an earlier file of that path was allowed to read."""
        if str(profile) not in self.installation.settings.grants:
            return

        def drop(document: Any) -> None:
            document.get("grants", {}).pop(str(profile), None)

        change_configuration(self.installation.paths, drop)


def _holds(profile: Path, assistant: BundledAssistant) -> bool:
    """Whether the folder of an Assistantfile has all files of the bundled one, byte for byte."""
    if profile.name != assistant.profile:
        return False
    for file in assistant.files:
        path = profile.parent / file.path
        try:
            if not path.is_file() or file_sha256(path) != file.sha256:
                return False
        except OSError:
            return False
    return True
