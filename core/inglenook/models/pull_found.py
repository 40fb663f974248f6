"""Fetches a model that a source finds by a name of its own: a registry, a repository, an address.

What the source offers is checked, fetched, compared with its sha256, and becomes visible as a
whole. What came is kept through any interruption.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from inglenook.errors import InglenookError, ModelBrokenError, PullError, UserError
from inglenook.host import Host
from inglenook.models.library import Library, NewFile
from inglenook.models.model_finders import Finder, source_options
from inglenook.models.pull_events import Pulled, PullEvent, PullPlan, Stopper, Verifying
from inglenook.models.pull_turns import in_turn
from inglenook.models.record import ModelFacts, ModelRecord
from inglenook.models.reference import Reference, parse_reference
from inglenook.models.storage import disk_errors, file_sha256, require_space
from inglenook.models.workbench import Workbench, clear_leftovers
from inglenook.protocols import ModelSource
from inglenook.settings import Settings
from inglenook.types import CancelToken, FetchProgress, ModelOffer, Notice, OfferedFile

__all__ = ["PullWishes", "plain_name", "pull_found"]

_LEFTOVER_AGE_S = 24 * 3600
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ORIGIN = "origin"


@dataclass(frozen=True, slots=True)
class PullWishes:
    """What a user may say besides the name.

    Args:
        name: What the model is called in the library; "" leaves it to the source.
        sha256: What a single file must have; "" if the user does not know.
        insecure: Whether http:// to other machines is allowed.
    """

    name: str = ""
    sha256: str = ""
    insecure: bool = False


def plain_name(text: str) -> str:
    """A text as the `model` of a reference; `model` if nothing of it is left."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:70] or "model"


def pull_found(
    reference: str,
    finder: Finder,
    library: Library,
    host: Host,
    settings: Settings,
    cancel: CancelToken,
    wishes: PullWishes,
) -> Iterator[PullEvent]:
    """Bring a model into the library that `finder` knows under this name.

    Raises:
        ModelNotFoundError: It is not there either.
        PullError: It cannot be had, or cannot be used here.
        ModelBrokenError: What came does not have the promised sha256.
        StoreError: The disk is full or cannot be written.
        UserError: Another model has that name, or a wish cannot be met.
    """
    if wishes.sha256 and not _SHA256.fullmatch(wishes.sha256.lower()):
        raise UserError(
            f"'{wishes.sha256[:80]}' is no sha256.", hint="It has 64 digits from 0-9 and a-f."
        )
    options = source_options(host, finder.name, settings, insecure=wishes.insecure)
    try:
        called = _called(reference, library, wishes)
    except UserError:
        if not wishes.name:
            # The source knows better what is wrong with a name of its own.
            finder.make(host, options)[0].find_hosts(reference)
        raise
    work = _FoundPull(reference, called, finder, library, host, options, cancel, wishes)
    with disk_errors(library.root):
        yield from work.run()


def _called(reference: str, library: Library, wishes: PullWishes) -> Reference:
    """What it will be called in the library. Raises `UserError`."""
    if wishes.name:
        called = parse_reference(wishes.name)
        if library.catalog.find(called):
            raise UserError(
                f"{wishes.name} is the name of a known model.", hint="Choose another --name."
            )
        return called
    if "://" in reference:
        path = reference.partition("://")[2].partition("?")[0].partition("#")[0]
        file = PurePosixPath(unquote(path)).name
        name = plain_name(re.sub(r"\.gguf$", "", file, flags=re.IGNORECASE))
        # A known name stands for other bytes.
        taken = library.catalog.find(parse_reference(name)) is not None
        return parse_reference(f"{name}-local" if taken else name)
    above, colon, tag = reference.rpartition(":")
    if colon and "/" in tag and above.count("/") >= 2:
        # A file in a folder of a repository: its own name stands for it.
        reference = f"{above}:{plain_name(PurePosixPath(tag).name)}"
    return parse_reference(reference)


class _FoundPull:
    """One pull of one model that was found."""

    def __init__(
        self,
        asked: str,
        called: Reference,
        finder: Finder,
        library: Library,
        host: Host,
        options: Mapping[str, object],
        cancel: CancelToken,
        wishes: PullWishes,
    ) -> None:
        self._asked = asked
        self._called = called
        self._finder = finder
        self._library = library
        self._host = host
        self._options = options
        self._cancel = cancel
        self._wishes = wishes
        self._stop = Stopper(cancel)
        self._bench = Workbench(library.scratch, called, self._stop)
        self._finished: dict[str, Path] = {}  # By the name that the offer gives.
        self._sha256: dict[str, str] = {}
        self._fetched = 0

    def run(self) -> Iterator[PullEvent]:
        """Do it, as the only one who pulls this model."""
        if not self._bench.folder.exists() and (there := self._already_there()):
            yield there
            return
        yield from in_turn(self._bench, str(self._called), self._cancel, self._alone)

    def _already_there(self) -> Pulled | None:
        """The model, if it is the one that is meant. Raises `UserError` if it is another."""
        if not self._library.has(self._called.full):
            return None
        record = self._library.show(self._called.full)
        origin = str(record.details.get(_ORIGIN, ""))
        from_elsewhere = "://" in self._asked or bool(self._wishes.name)
        if from_elsewhere and not self._is_from(origin):
            raise UserError(
                f"There is another model named {record.name}.",
                hint=f"Choose another name with --name NAME, or remove it: nook rm {record.name}",
            )
        return Pulled(record, already_there=True)

    def _is_from(self, origin: str) -> bool:
        asked = self._asked.partition("?")[0]
        return bool(origin) and origin in (asked, self._asked)

    def _alone(self) -> Iterator[PullEvent]:
        if there := self._already_there():
            self._bench.clear()
            yield there
            return
        clear_leftovers(self._library.scratch, self._bench.folder, time.time() - _LEFTOVER_AGE_S)
        finder, source = self._finder.make(self._host, self._options)
        hosts = finder.find_hosts(self._asked)
        yield Notice(
            "asking", f"Asking {', '.join(hosts)} about {self._asked} ({self._finder.scheme})."
        )
        offer = None
        for found in finder.find(self._asked, self._cancel):
            if isinstance(found, ModelOffer):
                offer = found
            else:
                yield found
        self._stop()
        offer = self._as_wished(offer)
        yield from self._take_what_is_there(offer)
        yield from self._fetch_all(source, offer)
        self._stop()
        record = self._make_visible(offer)
        self._bench.clear()
        self._library.tidy()
        yield Pulled(self._library.show(record.name), fetched_parts=self._fetched)

    def _as_wished(self, offer: ModelOffer | None) -> ModelOffer:
        if offer is None or not offer.files:
            raise PullError(f"The source '{self._finder.name}' offers nothing for {self._asked}.")
        offer = replace(offer, origin=offer.origin and self._asked.partition("?")[0])
        wish = self._wishes.sha256.lower()
        if not wish:
            return offer
        if len(offer.files) > 1 or offer.manifest:
            raise UserError(
                f"{self._asked} has several files, and --sha256 is for one.", hint="Leave it out."
            )
        file = offer.files[0]
        if file.part.sha256 and file.part.sha256 != wish:
            raise ModelBrokenError(
                f"{self._asked} is not the file that you named: it should have the sha256 {wish}, "
                f"and is published with {file.part.sha256}.",
                hint="Nothing was fetched. Check the sha256 and the name.",
            )
        return replace(offer, files=(OfferedFile(file.name, replace(file.part, sha256=wish)),))

    # --- fetching ---------------------------------------------------------------------------

    def _take_what_is_there(self, offer: ModelOffer) -> Iterator[PullEvent]:
        """Use what an earlier pull, or another model, has brought."""
        for file in offer.files:
            sha256 = file.part.sha256
            blob, kept = self._library.blob(sha256), self._bench.folder / f"sha256-{sha256}"
            if not sha256 or not (blob.is_file() or kept.is_file()):
                continue
            yield Verifying(self._asked, file.name, file.part.size_bytes)
            if blob.is_file() and file_sha256(blob, self._stop) == sha256:
                self._take(file, sha256, blob)
            elif found := self._bench.finished(sha256):
                self._take(file, sha256, found)

    def _take(self, file: OfferedFile, sha256: str, path: Path) -> None:
        self._finished[file.name], self._sha256[file.name] = path, sha256

    def _fetch_all(self, source: ModelSource, offer: ModelOffer) -> Iterator[PullEvent]:
        to_come = [file for file in offer.files if file.name not in self._finished]
        missing = sum(file.part.size_bytes for file in to_come)
        yield PullPlan(
            reference=str(self._called),
            scheme=self._finder.scheme,
            hosts=tuple(dict.fromkeys(h for file in to_come for h in source.hosts(file.part))),
            licence=offer.licence,
            size_bytes=sum(file.part.size_bytes for file in offer.files),
            download_bytes=missing,
            parts=len(to_come),
            kept_parts=len(self._finished),
        )
        require_space(self._bench.target.parent, max(0, missing - self._bench.resumable_bytes))
        unpublished = []
        for file in to_come:
            yield from self._fetch(source, file)
            if not file.part.sha256:
                unpublished.append(file.name)
        if unpublished:
            yield self._taken_as_it_came(unpublished)

    def _fetch(self, source: ModelSource, file: OfferedFile) -> Iterator[PullEvent]:
        target = self._bench.target
        for event in source.fetch(file.part, target, self._cancel):
            if isinstance(event, Notice):
                yield event
            else:
                yield FetchProgress(file.name, event.done_bytes, event.total_bytes)
        self._stop()
        if not target.is_file():
            raise PullError(f"The source delivered nothing for {file.part.address}.")
        self._fetched += 1
        yield Verifying(self._asked, file.name, target.stat().st_size)
        kept = self._bench.accept(file.part, f"{file.name} of {self._asked}")
        self._take(file, kept.name.removeprefix("sha256-"), kept)

    def _taken_as_it_came(self, names: list[str]) -> Notice:
        if len(names) == 1:
            came = f"what came was taken; it has {self._sha256[names[0]]}"
        else:
            came = "they were taken as they came"
        return Notice("sha256-unknown", f"Nobody states a sha256 of {', '.join(names)}: {came}.")

    # --- making it visible ------------------------------------------------------------------

    def _make_visible(self, offer: ModelOffer) -> ModelRecord:
        name = self._called.full
        if offer.manifest:
            new = {
                self._sha256[file]: path
                for file, path in self._finished.items()
                if path.parent == self._bench.folder
            }
            return self._library.adopt(name, offer.manifest, new)
        from inglenook.models.local import (
            files_from_path,
            local_facts,
            require_copyable,
            with_tokenizer_files,
        )

        path = self._as_folder(offer) if offer.folder else next(iter(self._finished.values()))
        try:
            model = files_from_path(path)
            require_copyable(model)
            facts = _with_origin(local_facts(model), offer)
        except InglenookError as error:
            self._bench.clear()
            raise PullError(
                f"What came from {self._asked} cannot be used: "
                f"{error.message.replace(str(path), 'it').rstrip('.')}.",
                hint="It was deleted. "
                + (error.hint if offer.folder else "Name a .gguf file of a language model."),
            ) from error
        hashes = self._sha256.values() if not offer.folder else ()
        files = tuple(
            NewFile(
                key, at, next(iter(hashes), "") or self._sha256[at.relative_to(path).as_posix()]
            )
            for key, at in with_tokenizer_files(model).items()
        )
        return self._library.add(name, files, format=model.format, facts=facts)

    def _as_folder(self, offer: ModelOffer) -> Path:
        """The files under the names that they have among themselves."""
        folder = self._bench.folder / "folder" / plain_name(offer.folder)
        if folder.parent.exists():
            shutil.rmtree(folder.parent)
        for name, path in self._finished.items():
            parts = PurePosixPath(name).parts
            if not parts or ".." in parts or name.startswith("/"):
                raise PullError(f"'{name[:80]}' of {self._asked} is no name of a file.")
            place = folder.joinpath(*parts)
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(path, place)
            except OSError:
                shutil.copyfile(path, place)
        return folder


def _with_origin(facts: ModelFacts, offer: ModelOffer) -> ModelFacts:
    licence = facts.licence or offer.licence
    details = {**facts.details, _ORIGIN: offer.origin} if offer.origin else facts.details
    return replace(facts, licence=licence, details=details)
