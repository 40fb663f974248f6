"""Which loader reads which file, as data that can cross to the process that reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inglenook.host import Host, Registered
from inglenook.knowledge.media import HEAD_BYTES, has_known_start, is_text

__all__ = ["LoaderEntry", "LoaderTable"]

_PREFERENCE = 50
_TEXT_LOADER = "text"


@dataclass(frozen=True, slots=True)
class LoaderEntry:
    """A loader that can be made in another process.

    Args:
        name: Its name.
        load: Its class, `package.module:Class`.
        identity: Its name and the version of its behaviour.
        options: What it is constructed with.
        recognises: It finds text in pictures: asked last, also for single pages.
        reads_pages: It can be asked for single pages.
    """

    name: str
    load: str
    identity: str
    options: Mapping[str, Any] = field(default_factory=dict)
    recognises: bool = False
    reads_pages: bool = False


@dataclass(frozen=True, slots=True)
class LoaderTable:
    """For each extension its loaders, in the order in which they are tried.

    Args:
        by_extension: Extension, with its dot -> loaders.
        plain: What reads text of no extension, or of one that no loader knows.
    """

    by_extension: Mapping[str, tuple[LoaderEntry, ...]]
    plain: tuple[LoaderEntry, ...] = ()

    @classmethod
    def of(cls, host: Host) -> LoaderTable:
        """The loaders that are installed and whose libraries are there."""
        ranked = sorted(host.registered("loader"), key=_rank)
        by_extension: dict[str, list[LoaderEntry]] = {}
        plain: tuple[LoaderEntry, ...] = ()
        for entry in ranked:
            made = _entry(host, entry)
            if entry.factory.name == _TEXT_LOADER:
                plain = (made,)
            for extension in entry.factory.capabilities.get("extensions", ()):
                by_extension.setdefault(extension, []).append(made)
        return cls({key: tuple(entries) for key, entries in by_extension.items()}, plain)

    def chain(self, name: str) -> tuple[LoaderEntry, ...]:
        """The loaders for a file of this name; empty if none reads it.

        For a name that says nothing they are those for plain text: see `fits`.
        """
        return self.by_extension.get(_extension(name), self.plain)

    def knows(self, name: str) -> bool:
        """Whether a loader says that it reads files of this name."""
        return _extension(name) in self.by_extension

    def fits(self, name: str, head: bytes) -> bool:
        """Whether a file of this name that begins like this can be read.

        Where the name says nothing the content decides: text is read whatever its extension, and
        a document without any extension as what it is.
        """
        if self.knows(name):
            return True
        bare = not _extension(name)
        return bool(self.plain) and (is_text(head) or (bare and has_known_start(head)))

    def accepts(self, path: Path) -> bool:
        """Whether a loader reads this file. Looks into it only if its name does not say."""
        if self.knows(path.name):
            return True
        try:
            with path.open("rb") as file:
                return self.fits(path.name, file.read(HEAD_BYTES))
        except OSError:
            # That it cannot be read is told when it is to be read.
            return bool(self.plain)

    def identity(self, path: Path) -> str:
        """The names and versions of the loaders that may read this file; "" if none does."""
        return "+".join(entry.identity for entry in self.chain(path.name))

    @property
    def extensions(self) -> tuple[str, ...]:
        return tuple(sorted(self.by_extension))


def _extension(name: str) -> str:
    return Path(name).suffix.lower()


def _rank(entry: Registered) -> tuple[bool, bool, int]:
    """Recognisers last; what lacks its library behind what has it; then by preference."""
    capabilities = entry.factory.capabilities
    preference = int(capabilities.get("preference", (str(_PREFERENCE),))[0])
    return "recognises" in capabilities, bool(entry.missing), preference


def _entry(host: Host, entry: Registered) -> LoaderEntry:
    factory = entry.factory
    return LoaderEntry(
        name=factory.name,
        load=factory.load,
        identity=f"{factory.name}/{factory.version}",
        options=host.options_for("loader", factory.name, {}),
        recognises="recognises" in factory.capabilities,
        reads_pages="pages" in factory.capabilities,
    )
