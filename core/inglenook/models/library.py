"""The models on this machine: content-addressed blobs and manifests, in Ollama's layout.

A model is visible once its manifest is; the manifest is written last, in one rename, after every
blob has the sha256 that names it. So whatever interrupts a writer, readers see all or nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from inglenook.errors import ModelBrokenError, ModelNotFoundError, StoreError, UserError
from inglenook.models.checked_files import CheckedFiles, changed_error, seen_now
from inglenook.models.genai_folder import FORMAT as GENAI
from inglenook.models.known import Catalog, load_catalog
from inglenook.models.manifest import (
    CONFIG,
    FILE,
    LARGEST_MANIFEST_BYTES,
    MODEL,
    PARAMETERS,
    TEMPLATE,
    Layer,
    Manifest,
    config_bytes,
    go_json,
    parse_manifest,
)
from inglenook.models.quantised_names import (
    nearest_names,
    same_quantisation,
    without_quantisation,
)
from inglenook.models.record import ModelFacts, ModelRecord, read_record, size_label
from inglenook.models.reference import Reference, parse_reference
from inglenook.models.storage import (
    disk_errors,
    file_sha256,
    move_into_place,
    write_atomically,
)
from inglenook.types import ModelFiles

__all__ = ["Library", "NewFile", "StoredModel"]


@dataclass(frozen=True, slots=True)
class NewFile:
    """A finished file on the disk of the library, to be moved into it; `sha256` is checked."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model as it lies in a store.

    Args:
        name: The shortest reference that names it.
        root: The store.
        manifest_path: The file of its manifest,
        manifest_bytes: its bytes,
        manifest: and what they say.
    """

    name: str
    root: Path
    manifest_path: Path
    manifest_bytes: bytes
    manifest: Manifest

    @property
    def digest(self) -> str:
        """The sha256 of the manifest, in hex: equal models have equal ones."""
        return hashlib.sha256(self.manifest_bytes).hexdigest()

    def path(self, layer: Layer) -> Path:
        """Where a blob of it lies."""
        return self.root / "blobs" / f"sha256-{layer.sha256}"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A manifest file and the name that its path spells."""

    root: Path
    reference: Reference
    path: Path


class Library:
    """Models by reference.

    Args:
        root: The store that is written to; made when something is first added.
        extra_roots: Stores of other programs, such as Ollama's; they are only read.
        catalog: The known models, for aliases and suggestions.
        tell: Hears when a file that changed on the disk is compared again, which takes a while.
        keep_unused: Whether `tidy` leaves what no model uses.
    """

    def __init__(
        self,
        root: Path,
        extra_roots: tuple[Path, ...] = (),
        *,
        catalog: Catalog | None = None,
        tell: Callable[[str], None] = lambda _text: None,
        keep_unused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._keep_unused = keep_unused
        self.root = root
        self.extra_roots = extra_roots
        self._catalog = catalog
        self._tell = tell
        self._checked = CheckedFiles(root, self.scratch)

    @cached_property
    def catalog(self) -> Catalog:
        """The known models."""
        return self._catalog or load_catalog()

    @property
    def scratch(self) -> Path:
        """Where half-done work lies, on the same disk; nothing reads models from there."""
        return self.root / "partial"

    # --- reading ----------------------------------------------------------------------------

    def get(self, reference: str) -> ModelFiles:
        """The files of a model.

        Raises:
            ModelNotFoundError: It is not here; the hint says how to get it.
            ModelBrokenError: A file of it is missing, has another size than it should, or changed
                since it was compared with its sha256 (see `checked_files`).
        """
        record, manifest = self._read(self._find(reference))
        blobs = tuple((_check_size(record, layer), layer.sha256) for layer in manifest.blobs)
        self._checked.require_unchanged(record.name, blobs, self._tell, self._mend(record))
        files = self._side_by_side(record)
        return replace(files, seen={name: seen_now(path) for name, path in files.files.items()})

    def _side_by_side(self, record: ModelRecord) -> ModelFiles:
        """The files of a record; where they find each other by name, in a folder of links."""
        files = record.model_files()
        if files.format != GENAI:
            return files
        from inglenook.models.linked_folder import linked_folder

        linked = linked_folder(self.root, self.scratch, record.digest, record.files)
        return replace(files, files=linked)

    def _mend(self, record: ModelRecord) -> str:
        """How to have a damaged model whole again."""
        if record.read_only:
            return f"It belongs to the store {record.root}: fetch it again with its own program."
        known = self.catalog.find(parse_reference(record.name))
        if known is not None:
            return f"It is not opened. Fetch it again: nook pull {record.name}"
        return f"It is not opened. Remove it with `nook rm {record.name}`, and fetch it again."

    def show(self, reference: str) -> ModelRecord:
        """All that is known of a model, its GGUF header included. Raises as `get` does."""
        record, _ = self._read(self._find(reference))
        path = record.files.get("model")
        if record.format != "gguf" or path is None:
            return record
        from inglenook.models.gguf import read_gguf

        info = read_gguf(path)
        return replace(
            record,
            family=record.family or info.architecture,
            context_length=record.context_length or info.context_length,
            parameter_size=record.parameter_size or size_label(info.parameters),
            quantisation=record.quantisation or info.quantisation,
            licence=record.licence or info.licence,
        )

    def list(self) -> tuple[ModelRecord, ...]:
        """Every model, by name; one that cannot be read says so in `problem`."""
        found: dict[tuple[str, ...], ModelRecord] = {}
        for entry in self._entries():
            if entry.reference.key not in found:
                found[entry.reference.key] = self._record_or_problem(entry)
        return tuple(sorted(found.values(), key=lambda record: record.name.casefold()))

    def has(self, reference: str) -> bool:
        """Whether a usable model of that name is here."""
        try:
            self.get(reference)
        except (ModelNotFoundError, ModelBrokenError):
            return False
        return True

    def stored(self, reference: str) -> StoredModel:
        """A model as it lies in its store. Raises as `get` does."""
        entry = self._find(reference)
        record, manifest = self._read(entry)
        for layer in manifest.blobs:
            _check_size(record, layer)
        return StoredModel(record.name, entry.root, entry.path, _read_manifest(entry), manifest)

    def manifest(self, record: ModelRecord) -> Manifest:
        """The manifest of a model of `list`. Raises `ModelBrokenError`, `ModelNotFoundError`."""
        return self._read(self._find(parse_reference(record.name).full))[1]

    def stored_exactly(self, reference: str) -> StoredModel | None:
        """The model of this very name, no alias for it; None if there is none or it is damaged."""
        key = parse_reference(reference).key
        if not any(entry.reference.key == key for entry in self._entries()):
            return None
        try:
            return self.stored(parse_reference(reference).full)
        except ModelBrokenError:
            return None

    def blob(self, sha256: str) -> Path:
        """Where a blob of this library lies, if it has it."""
        return self.root / "blobs" / f"sha256-{sha256}"

    def verify(self, reference: str, between: Callable[[], None] = lambda: None) -> None:
        """Read every byte of a model again and compare. Raises `ModelBrokenError`.

        `between` is called after each piece and may raise, to cancel.
        """
        record, manifest = self._read(self._find(reference))
        for layer in manifest.blobs:
            path = _check_size(record, layer)
            seen = seen_now(path)
            actual = file_sha256(path, between)
            self._checked.note_compared(path, seen, equal=actual == layer.sha256)
            if actual != layer.sha256:
                raise changed_error(path, record.name, layer.sha256, actual, self._mend(record))

    # --- writing ----------------------------------------------------------------------------

    def add(
        self, reference: str, files: tuple[NewFile, ...], *, format: str, facts: ModelFacts
    ) -> ModelRecord:
        """Move finished files in and make them visible as one model, or not at all.

        Raises `StoreError`; the caller has compared the bytes with each `sha256`.
        """
        parsed = parse_reference(reference)
        with disk_errors(self.root), self.locked():
            entry = self._own_entry(parsed)
            blobs = self.root / "blobs"
            for file in files:
                move_into_place(file.path, blobs / f"sha256-{file.sha256}")
            manifest = self._write_layers(files, format, facts)
            self._checked.note(self.blob(layer.sha256) for layer in manifest.blobs)
            write_atomically(entry.path, manifest.as_bytes(), self.scratch)
        return self._read(entry)[0]

    def adopt(
        self, reference: str, manifest_bytes: bytes, files: Mapping[str, Path]
    ) -> ModelRecord:
        """Make a model visible under a name, its manifest as it is; another one there gives way.

        Args:
            reference: The name.
            manifest_bytes: Its manifest.
            files: sha256 -> finished file on the disk of the library, compared by the caller, of
                the blobs that the library does not have. They are moved.

        Raises `ModelBrokenError` for a damaged manifest, `StoreError`.
        """
        manifest = parse_manifest(manifest_bytes, f"The manifest of {reference}")
        with disk_errors(self.root), self.locked():
            entry = self._own_entry(parse_reference(reference))
            replaced = self._blobs_of(entry) if entry.path.is_file() else ()
            for sha256, path in files.items():
                move_into_place(path, self.blob(sha256))
            self._checked.note(map(self.blob, files))
            for layer in manifest.blobs:
                path = self.blob(layer.sha256)
                if not path.is_file() or path.stat().st_size != layer.size_bytes:
                    raise StoreError(
                        f"{path} of {reference} is missing or damaged.",
                        hint="Another run of nook may have deleted it just now: try again.",
                    )
            write_atomically(entry.path, manifest_bytes, self.scratch)
            self._drop_unused(replaced)
        return self._read(entry)[0]

    def add_file(
        self, reference: str, path: Path, between: Callable[[], None] = lambda: None
    ) -> ModelRecord:
        """Copy a local model in: a `.gguf` file, or the folder of a language model or embedder.

        `between` is called after each piece and may raise, to cancel. Raises `ModelBrokenError`
        if it is not whole, `UserError` if it is neither, `StoreError`.
        """
        from inglenook.models.local import (
            copy_hashed,
            files_from_path,
            local_facts,
            require_copyable,
            with_tokenizer_files,
        )
        from inglenook.models.staging import staging_folder

        parsed = parse_reference(reference)
        model = files_from_path(path)
        require_copyable(model)
        facts = local_facts(model)
        with staging_folder(self.scratch) as staged:
            files = with_tokenizer_files(model)
            copies = [copy_hashed(n, source, staged, between) for n, source in files.items()]
            return self.add(parsed.full, tuple(copies), format=model.format, facts=facts)

    def remove(self, reference: str) -> tuple[str, int]:
        """Take a model out: its manifest first, then the blobs that no other model uses.

        Returns its name and the bytes that were freed. Raises `ModelNotFoundError`, and
        `StoreError` for a model of another program's store.
        """
        entry = self._find(reference)
        name = str(entry.reference)
        if entry.root != self.root:
            raise StoreError(
                f"{name} belongs to the store {entry.root}, which is only read.",
                hint=f"Remove it with the program that owns it, such as: ollama rm {name}",
            )
        with disk_errors(self.root), self.locked():
            blobs = self._blobs_of(entry)
            entry.path.unlink()
            _remove_empty_parents(entry.path, self.root / "manifests")
            return name, self._drop_unused(blobs)

    def tidy(self) -> None:
        """Delete what a pull left over, as `prune` does, unless unused files are to be kept."""
        if not self._keep_unused():
            self.prune()

    def prune(self) -> int:
        """Delete what interruptions left: blobs of no manifest, imports, copies; the bytes."""
        from inglenook.models.staging import drop_unfinished

        blobs = self.root / "blobs"
        with disk_errors(self.root):
            freed = drop_unfinished(self.scratch)
            with self.locked():
                for path in self.scratch.glob("*.tmp"):
                    path.unlink()  # Such files are written under this lock only.
                unused = tuple(path.name[7:] for path in blobs.glob("sha256-*"))
                return freed + self._drop_unused(unused)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the library against other writers; held for moments only."""
        from filelock import FileLock

        self.scratch.mkdir(parents=True, exist_ok=True)
        with FileLock(self.scratch / "library.lock"):
            yield

    # --- looking up -------------------------------------------------------------------------

    def _find(self, reference: str) -> _Entry:
        wanted = parse_reference(reference)
        known = self.catalog.find(wanted) if not wanted.tag_given else None
        names = (wanted, parse_reference(known.name)) if known else (wanted,)
        for name in names:
            for root in (self.root, *self.extra_roots):
                exact = root.joinpath("manifests", *name.parts)
                if ":" not in name.host and exact.is_file():
                    return _Entry(root, name, exact)
        keys = {name.key for name in names}
        for entry in self._entries():
            if entry.reference.key in keys:
                return entry
        return self._find_quantised(wanted)

    def _find_quantised(self, wanted: Reference) -> _Entry:
        """A model whose tag leaves its quantisation out. Raises `ModelNotFoundError`."""
        other = ""
        for shorter, kind in without_quantisation(wanted):
            known = self.catalog.find(shorter)
            keys = {shorter.key, parse_reference(known.name).key if known else shorter.key}
            for entry in self._entries():
                if entry.reference.key not in keys:
                    continue
                actual = self._record_or_problem(entry).quantisation
                if same_quantisation(actual, kind):
                    return entry
                other = f"{entry.reference} is here, in {actual or 'an unknown quantisation'}. "
        raise self._not_found(wanted, other)

    def _not_found(self, wanted: Reference, other: str) -> ModelNotFoundError:
        known = self.catalog.find(wanted)
        if known is not None:
            return ModelNotFoundError(
                f"The model {known.name} is not on this machine.",
                hint=f"Get it with: nook pull {known.name}",
            )
        here = [str(entry.reference) for entry in self._entries()]
        close = nearest_names(str(wanted), [*here, *self.catalog.names])
        hint = other or (f"Did you mean {close[0]}? " if close else "")
        hint += f"On this machine: {', '.join(sorted(set(here))) or 'none'}. "
        hint += f"`nook pull` knows: {', '.join(self.catalog.names)}."
        return ModelNotFoundError(f"There is no model {wanted}.", hint=hint)

    def _entries(self) -> Iterator[_Entry]:
        for root in (self.root, *self.extra_roots):
            for path in sorted((root / "manifests").glob("*/*/*/*")):
                reference = _reference_of(path)
                if reference is not None and path.is_file():
                    yield _Entry(root, reference, path)

    def _own_entry(self, wanted: Reference) -> _Entry:
        """Where a model of that name is written: over one whose name differs only in case."""
        for entry in self._entries():
            if entry.root == self.root and entry.reference.key == wanted.key:
                return entry
        return _Entry(self.root, wanted, self.root.joinpath("manifests", *wanted.parts))

    def _read(self, entry: _Entry) -> tuple[ModelRecord, Manifest]:
        name = str(entry.reference)
        data = _read_manifest(entry)
        manifest = parse_manifest(data, f"The manifest of {name}")
        record = read_record(
            manifest,
            name=name,
            digest=hashlib.sha256(data).hexdigest(),
            modified=entry.path.stat().st_mtime,
            root=entry.root,
            read_only=entry.root != self.root,
        )
        return record, manifest

    def _record_or_problem(self, entry: _Entry) -> ModelRecord:
        try:
            return self._read(entry)[0]
        except ModelBrokenError as error:
            return ModelRecord(
                name=str(entry.reference),
                format="",
                size_bytes=0,
                digest="",
                modified=0.0,
                root=entry.root,
                read_only=entry.root != self.root,
                problem=error.message,
            )

    # --- blobs ------------------------------------------------------------------------------

    def _write_layers(self, files: tuple[NewFile, ...], format: str, facts: ModelFacts) -> Manifest:
        layers = [self._file_layer(file) for file in files]
        if facts.template:
            layers.append(self._text_layer(TEMPLATE, facts.template.encode()))
        if facts.parameters:
            layers.append(self._text_layer(PARAMETERS, go_json(dict(facts.parameters))))
        details = {
            "licence": facts.licence,
            "context_length": facts.context_length,
            **facts.details,
        }
        config = config_bytes(
            format=format,
            family=facts.family,
            size_label=facts.parameter_size,
            file_type=facts.quantisation,
            layers=tuple(layers),
            details=details,
        )
        return Manifest(self._text_layer(CONFIG, config), tuple(layers))

    def _file_layer(self, file: NewFile) -> Layer:
        size = (self.root / "blobs" / f"sha256-{file.sha256}").stat().st_size
        single = file.name == "model"
        return Layer(MODEL if single else FILE, file.sha256, size, "" if single else file.name)

    def _text_layer(self, media_type: str, data: bytes) -> Layer:
        sha256 = hashlib.sha256(data).hexdigest()
        write_atomically(self.root / "blobs" / f"sha256-{sha256}", data, self.scratch)
        return Layer(media_type, sha256, len(data))

    def _blobs_of(self, entry: _Entry) -> tuple[str, ...]:
        try:
            manifest = parse_manifest(_read_manifest(entry), "")
        except ModelBrokenError:
            return ()  # Its blobs cannot be known; `prune` finds them once it is gone.
        return tuple(layer.sha256 for layer in manifest.blobs)

    def _drop_unused(self, candidates: tuple[str, ...]) -> int:
        from inglenook.models.linked_folder import drop_folders

        drop_folders(self.root, (_manifest_digest(entry) for entry in self._entries()))
        used = self._used_blobs()
        if used is None:
            return 0
        freed = 0
        for sha256 in sorted(set(candidates) - used):
            path = self.root / "blobs" / f"sha256-{sha256}"
            if path.is_file():
                freed += path.stat().st_size
                path.unlink()
        return freed

    def _used_blobs(self) -> set[str] | None:
        """The blobs that manifests name; None if one cannot be read, so nothing is safe."""
        used: set[str] = set()
        for path in (self.root / "manifests").rglob("*"):
            if not path.is_file() or path.name.startswith("."):
                continue
            try:
                manifest = parse_manifest(path.read_bytes(), str(path))
            except (ModelBrokenError, OSError):
                return None
            used |= {layer.sha256 for layer in manifest.blobs}
        return used


def _reference_of(path: Path) -> Reference | None:
    host, namespace, model, tag = path.parts[-4:]
    try:
        return parse_reference(f"{host}/{namespace}/{model}:{tag}")
    except UserError:
        return None  # Not a manifest: a .DS_Store, an editor's backup.


def _manifest_digest(entry: _Entry) -> str:
    return hashlib.sha256(_read_manifest(entry)).hexdigest()


def _read_manifest(entry: _Entry) -> bytes:
    try:
        with entry.path.open("rb") as file:
            return file.read(LARGEST_MANIFEST_BYTES)
    except OSError as error:
        raise ModelBrokenError(
            f"The manifest {entry.path} cannot be read: {error.strerror or error}.",
            hint="Check its permissions.",
        ) from error


def _check_size(record: ModelRecord, layer: Layer) -> Path:
    path = record.root / "blobs" / f"sha256-{layer.sha256}"
    again = f"Fetch it again: nook pull {record.name}"
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise ModelBrokenError(
            f"{record.name} is incomplete: {path} is missing.", hint=again
        ) from None
    if size != layer.size_bytes:
        raise ModelBrokenError(
            f"{path} of {record.name} is truncated or damaged: needs {layer.size_bytes:,} bytes, "
            f"has {size:,}.",
            hint=again,
        )
    return path


def _remove_empty_parents(path: Path, top: Path) -> None:
    for folder in path.parents:
        if folder == top or any(folder.iterdir()):
            return
        folder.rmdir()
