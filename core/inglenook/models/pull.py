"""Fetches a known model: says which hosts it will speak to, fetches, checks, makes it visible.

Sources are only trusted for bytes that have the sha256 of the catalog. Parts that were fetched
and checked are kept through any interruption, and are not fetched again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from inglenook.errors import (
    MissingDependencyError,
    ModelBrokenError,
    ModelNotFoundError,
    PullError,
    UnknownNameError,
    UserError,
)
from inglenook.host import Host
from inglenook.models.known import KnownFile, KnownModel, KnownSource, with_mirror
from inglenook.models.library import Library, NewFile
from inglenook.models.model_finders import (
    Finder,
    finder_of,
    similar_names,
    source_options,
    unknown_model,
)
from inglenook.models.pull_events import (
    Preparing,
    Pulled,
    PullEvent,
    PullPlan,
    Stopper,
    Verifying,
)
from inglenook.models.pull_found import PullWishes, plain_name, pull_found
from inglenook.models.pull_turns import in_turn
from inglenook.models.record import ModelFacts
from inglenook.models.reference import parse_reference
from inglenook.models.storage import disk_errors, file_sha256, require_space
from inglenook.models.workbench import Workbench, clear_leftovers
from inglenook.protocols import ModelSource
from inglenook.settings import Settings
from inglenook.types import CancelToken, FetchPart, FetchProgress, Notice

__all__ = ["Preparing", "PullEvent", "PullPlan", "PullWishes", "Pulled", "Verifying", "pull"]

_LEFTOVER_AGE_S = 24 * 3600


def pull(
    reference: str,
    library: Library,
    host: Host,
    settings: Settings,
    cancel: CancelToken,
    source: str | None = None,
    wishes: PullWishes = PullWishes(),  # noqa: B008 - it is frozen
) -> Iterator[PullEvent]:
    """Bring a model into the library.

    Args:
        reference: A name of the catalog, or one that a source finds: qwen2.5:3b,
            hf.co/ORG/REPO, https://…; with `source="file:PATH"` any name. A path, such as
            ./folder, is added under its own last name.
        library: Where it goes.
        host: Makes the model sources.
        settings: `sources` orders and restricts the schemes.
        cancel: Ends it with `Cancelled`; checked parts are kept.
        source: The only scheme to use, such as `pip`, or `file:PATH`.
        wishes: What else the user said.

    Raises:
        ModelNotFoundError: Neither the catalog nor a source knows it.
        PullError: No source could deliver it.
        ModelBrokenError: What came does not have the promised sha256.
        StoreError: The disk is full or cannot be written.
    """
    if source is None and reference.startswith((".", "/", "~")):
        source = f"file:{reference}"
        reference = wishes.name or _named_after(Path(reference), library)
        wishes = replace(wishes, name="")
    known = _in_catalog(reference, library)
    finder = finder_of(reference, source, known, library.catalog, host, settings)
    if finder is not None:
        yield from _found(reference, finder, library, host, settings, cancel, wishes)
        return
    wanted = parse_reference(reference)
    scheme, _, address = (source or "").partition(":")
    if known is None and not address:
        raise unknown_model(str(wanted), library.catalog)
    _require_none(wishes)
    name = known.name if known else wanted.full
    unfinished = Workbench(library.scratch, parse_reference(name)).folder.exists()
    if not unfinished and library.has(name):
        yield Pulled(library.show(name), already_there=True)
        return
    if known is None:
        yield from _add_local(str(wanted), scheme, address, library, cancel)
        return
    known = with_mirror(known, settings)
    sources = _given_sources(known, scheme, address) if source else {}
    order = (scheme,) if source else settings.sources or known.every_scheme
    work = _Pull(known, library, cancel, order, sources, settings)
    with disk_errors(library.root):
        yield from work.run(_makers(host), strict=bool(source))


def _found(
    reference: str,
    finder: Finder,
    library: Library,
    host: Host,
    settings: Settings,
    cancel: CancelToken,
    wishes: PullWishes,
) -> Iterator[PullEvent]:
    try:
        yield from pull_found(reference, finder, library, host, settings, cancel, wishes)
    except ModelNotFoundError as error:
        close = [] if finder.prefix else similar_names(reference, library.catalog)
        hint = f"{error.hint} Did you mean {close[0]}?" if close else error.hint
        raise ModelNotFoundError(error.message, hint=hint.strip()) from error


def _in_catalog(reference: str, library: Library) -> KnownModel | None:
    """The known model of that name; None for an address too, which is no reference."""
    try:
        return library.catalog.find(parse_reference(reference))
    except UserError:
        return None


def _require_none(wishes: PullWishes) -> None:
    """Raise `UserError` for what can only be said of a model that a source finds."""
    if wishes.name:
        raise UserError(
            "--name is for addresses and paths; this model has a name.",
            hint="Give it another one afterwards: nook cp NAME OTHER",
        )
    if wishes.sha256:
        raise UserError(
            "--sha256 is for files from an address.", hint="The sha256 of this one is known."
        )


def _named_after(path: Path, library: Library) -> str:
    """What a model at a path is called: the name of its file or folder, as references allow."""
    path = path.expanduser().resolve()
    name = path.stem if path.is_file() else path.name
    name = plain_name(name)
    # A known name stands for other bytes.
    return f"{name}-local" if library.catalog.find(parse_reference(name)) else name


def _add_local(
    name: str, scheme: str, address: str, library: Library, cancel: CancelToken
) -> Iterator[PullEvent]:
    if scheme != "file":
        raise unknown_model(name, library.catalog)
    path = Path(address).expanduser()
    whole = (path,) if path.is_file() else path.rglob("*")
    size = sum(file.stat().st_size for file in whole if file.is_file())
    yield PullPlan(name, scheme, (), "", size, size, 1, 0)
    record = library.add_file(name, path, Stopper(cancel))
    yield Pulled(library.show(record.name), fetched_parts=1)


def _given_sources(known: KnownModel, scheme: str, address: str) -> dict[str, KnownSource]:
    """Where the user says that the files are: file name -> source. Raises `UserError`."""
    if not address:
        return {}
    if scheme != "file":
        raise UserError(f"The source '{scheme}' takes no address.", hint="Use --source file:PATH.")
    path = Path(address).expanduser().absolute()
    if not path.is_dir() and len(known.files) > 1:
        names = ", ".join(file.name for file in known.files)
        raise UserError(
            f"{path} is not a folder, and {known.name} has several files.",
            hint=f"Name a folder that holds {names}.",
        )
    return {file.name: _file_source(file, path) for file in known.files}


def _file_source(file: KnownFile, path: Path) -> KnownSource:
    if path.is_dir():
        # The folder may also be the `blobs` of another machine's library.
        blob = path / f"sha256-{file.sha256}"
        path = blob if blob.is_file() else path / file.name
    part = FetchPart(str(path), file.sha256, file.size_bytes)
    return KnownSource("file", (part,), ((part.address, 0),))


def _makers(host: Host) -> dict[str, tuple[Host, str]]:
    """Scheme -> the host and the name of the source that takes it."""
    return {
        scheme: (host, entry.factory.name)
        for entry in host.registered("model_source")
        for scheme in entry.factory.capabilities.get("schemes", ())
    }


class _Pull:
    """One pull of one known model."""

    def __init__(
        self,
        known: KnownModel,
        library: Library,
        cancel: CancelToken,
        order: tuple[str, ...],
        given: Mapping[str, KnownSource],
        settings: Settings,
    ) -> None:
        self._known = known
        self._library = library
        self._cancel = cancel
        self._order = order
        self._given = given
        self._settings = settings
        self._stop = Stopper(cancel)
        self._bench = Workbench(library.scratch, parse_reference(known.name), self._stop)
        self._finished: dict[str, Path] = {}
        self._fetched = 0

    def run(self, makers: Mapping[str, tuple[Host, str]], *, strict: bool) -> Iterator[PullEvent]:
        """Do it, as the only one who pulls this model."""
        if strict and self._order[0] not in makers:
            raise UnknownNameError(
                f"There is no model source '{self._order[0]}'.",
                hint=f"There are: {', '.join(sorted(makers)) or 'none; see `nook plugins`'}.",
            )
        name = self._known.name
        yield from in_turn(self._bench, name, self._cancel, lambda: self._run_alone(makers))

    def _run_alone(self, makers: Mapping[str, tuple[Host, str]]) -> Iterator[PullEvent]:
        if self._library.has(self._known.name):
            self._bench.clear()
            self._library.tidy()
            yield Pulled(self._library.show(self._known.name), already_there=True)
            return
        clear_leftovers(self._library.scratch, self._bench.folder, time.time() - _LEFTOVER_AGE_S)
        yield from self._take_what_is_there()
        yield from self._fetch_missing(makers)
        self._library.add(
            self._known.name,
            tuple(NewFile(f.name, self._finished[f.name], f.sha256) for f in self._known.files),
            format=self._known.format,
            facts=_facts(self._known),
        )
        self._bench.clear()
        self._library.tidy()
        yield Pulled(self._library.show(self._known.name), fetched_parts=self._fetched)

    @property
    def _missing(self) -> list[KnownFile]:
        return [file for file in self._known.files if file.name not in self._finished]

    def _take_what_is_there(self) -> Iterator[PullEvent]:
        """Use what an earlier pull, or another model, has brought."""
        for file in self._known.files:
            blob = self._library.root / "blobs" / f"sha256-{file.sha256}"
            kept = self._bench.folder / blob.name
            if blob.is_file() or kept.is_file():
                yield Verifying(self._known.name, file.name, file.size_bytes)
            if blob.is_file() and file_sha256(blob, self._stop) == file.sha256:
                self._finished[file.name] = blob
            elif found := self._bench.finished(file.sha256):
                self._finished[file.name] = found

    # --- sources ----------------------------------------------------------------------------

    def _fetch_missing(self, makers: Mapping[str, tuple[Host, str]]) -> Iterator[PullEvent]:
        """Try one scheme after the other until no file is missing."""
        failure: Exception | None = None
        for scheme in self._order:
            able = [(f, s) for f in self._missing if (s := self._source_of(f, scheme))]
            if not able:
                continue
            if scheme not in makers:
                message = f"No installed plugin fetches from '{scheme}:'; that source is skipped."
                yield Notice("source-not-installed", message)
                continue
            if failure is not None:
                yield Notice("source-failed", f"{failure} Trying '{scheme}:' instead.")
            host, name = makers[scheme]
            try:
                options = source_options(host, name, self._settings)
                source = host.make_model_source(name, options)
                yield from self._fetch_from(source, scheme, able)
            except (PullError, ModelBrokenError, MissingDependencyError) as error:
                failure = error
        if self._missing:
            raise failure or self._no_source()

    def _source_of(self, file: KnownFile, scheme: str) -> KnownSource | None:
        given = self._given.get(file.name)
        if given is not None:
            return given if given.scheme == scheme else None
        return next((s for s in file.sources if s.scheme == scheme), None)

    def _no_source(self) -> PullError:
        has = ", ".join(self._known.every_scheme)
        return PullError(
            f"No source that is installed and allowed has {self._known.name}.",
            hint=f"It can be had from: {has}. See `nook plugins` and `models.sources` in the "
            "configuration, or use --source file:PATH.",
        )

    def _fetch_from(
        self, source: ModelSource, scheme: str, able: list[tuple[KnownFile, KnownSource]]
    ) -> Iterator[PullEvent]:
        held = {f.name: self._parts_held(f, s) for f, s in able}
        to_come = [part for f, s in able for part in s.parts[held[f.name] :]]
        downloads = dict(d for f, s in able for d in s.downloads[held[f.name] :])
        hosts = dict.fromkeys(host for part in to_come for host in source.hosts(part))
        yield PullPlan(
            reference=self._known.name,
            scheme=scheme,
            hosts=tuple(hosts),
            licence=self._known.licence,
            size_bytes=self._known.size_bytes,
            download_bytes=sum(downloads.values()),
            parts=len(to_come),
            kept_parts=sum(held.values()) + len(self._finished),
        )
        there = self._bench.kept_bytes + self._bench.resumable_bytes
        missing = sum(file.size_bytes for file, _ in able) - there
        # A package and the part taken from it lie on the disk together for a while.
        packages = set(downloads) - {part.address for part in to_come}
        extra = max((downloads[what] for what in packages), default=0) + _largest_joined_part(able)
        require_space(self._library.scratch, max(missing, 0) + extra)
        for file, has in able:
            yield from self._fetch_file(source, file, has, held[file.name])

    def _parts_held(self, file: KnownFile, source: KnownSource) -> int:
        if len(source.parts) == 1:
            return 0
        return self._bench.joined_parts(_joined_name(file, source), source.parts)

    # --- one file ---------------------------------------------------------------------------

    def _fetch_file(
        self, source: ModelSource, file: KnownFile, has: KnownSource, held: int
    ) -> Iterator[PullEvent]:
        what = f"{file.name} of {self._known.name}"
        if len(has.parts) == 1:
            yield from self._fetch_part(source, has.parts[0], file.name)
            self._finished[file.name] = self._bench.accept(has.parts[0], what)
            return
        joined = _joined_name(file, has)
        for number, part in enumerate(has.parts[held:], held + 1):
            piece = self._bench.finished(part.sha256)
            if piece is None:
                label = f"{file.name} ({number}/{len(has.parts)})"
                yield from self._fetch_part(source, part, label)
                piece = self._bench.accept(part, what)
            self._bench.join(joined, piece)
        yield Verifying(self._known.name, file.name, file.size_bytes)
        self._finished[file.name] = self._bench.finish_join(joined, file.sha256, what)

    def _fetch_part(self, source: ModelSource, part: FetchPart, label: str) -> Iterator[PullEvent]:
        target = self._bench.target
        for event in source.fetch(part, target, self._cancel):
            if isinstance(event, Notice):
                yield event
            else:
                yield FetchProgress(label, event.done_bytes, event.total_bytes)
        self._stop()
        if not target.is_file():
            raise PullError(f"The source delivered nothing for {part.address}.")
        self._fetched += 1
        yield Verifying(self._known.name, label, target.stat().st_size)


def _joined_name(file: KnownFile, source: KnownSource) -> str:
    return f"{file.sha256[:16]}-{source.scheme}"


def _largest_joined_part(able: list[tuple[KnownFile, KnownSource]]) -> int:
    """A part that is joined to others is on the disk twice for a moment."""
    joined = [part.size_bytes for _, s in able if len(s.parts) > 1 for part in s.parts]
    return max(joined, default=0)


def _facts(known: KnownModel) -> ModelFacts:
    return ModelFacts(
        family=known.family,
        parameter_size=known.parameter_size,
        quantisation=known.quantisation,
        context_length=known.context_length,
        licence=known.licence,
        template=known.template,
        parameters=known.parameters,
        details=known.details,
    )
