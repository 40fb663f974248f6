"""Reads one file at a time in a process of its own: its loaders, its parts, its pages in pictures.

This is the child's side: everything here may crash, hang or run out of memory without harm. The
parent asks for one batch after the other, so nothing piles up between the two.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from inglenook.errors import InglenookError, LoadError
from inglenook.knowledge.loaders import LoaderEntry, LoaderTable
from inglenook.knowledge.media import HEAD_BYTES, true_extension
from inglenook.types import (
    PART_FAILED,
    CancelToken,
    LoadRequest,
    Locator,
    Notice,
    PartFile,
    Section,
    without_name,
)

__all__ = ["FileReader", "ReadBatch", "ReadLimits", "ReadTask"]

_BATCH_ITEMS = 256
_BATCH_CHARACTERS = 100_000
_BATCH_SECONDS = 0.5
_WINDOW_CHARACTERS = 100_000
_HELD_ITEMS = 20_000
_HELD_CHARACTERS = 4_000_000
_LONGEST_REASON = 160
_LONGEST_NOTICE = 300
_MOST_NOTICES = 1_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_TRY_NEXT = ("broken", "unsupported")
_NEEDS_OCR = "no text: needs OCR"
_PAGE_CODES = ("page-without-text", "garbled-text", "page-unreadable")


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much of a file is read; what is more is `too large`.

    Args:
        characters: Of text, parts included.
        members: Of an archive or message, parts of parts included.
        inflated_bytes: Of all parts together.
        depth: How deep parts may lie in parts.
    """

    characters: int = 50_000_000
    members: int = 10_000
    inflated_bytes: int = 500_000_000
    depth: int = 4


@dataclass(frozen=True, slots=True)
class ReadTask:
    """One file to read. `avoid` names loaders that died of it."""

    path: Path
    name: str
    password: str | None = field(default=None, repr=False)
    avoid: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """Some of what a file holds; `peak_bytes` is the most memory this process ever had."""

    items: tuple[Section | Notice, ...]
    ended: bool
    peak_bytes: int = 0


class FileReader:
    """Constructed in the child with plain data. One file at a time: `begin`, then `more`."""

    def __init__(self, table: LoaderTable, limits: ReadLimits) -> None:
        self._table = table
        self._limits = limits
        self._made: dict[str, Any] = {}
        self._items: Iterator[Section | Notice | None] = iter(())

    def begin(self, task: ReadTask) -> ReadBatch:
        """Start with a file and return its first batch. Raises `LoadError`."""
        run = _Run(self._table, self._limits, task, self._loader)
        self._items = run.items()
        return self.more()

    def more(self) -> ReadBatch:
        """The next batch, after half a second at the latest if the loaders let it."""
        until = time.monotonic() + _BATCH_SECONDS
        items: list[Section | Notice] = []
        characters = 0
        for item in self._items:
            if item is not None:
                items.append(item)
                characters += len(item.text) if isinstance(item, Section) else 0
            full = len(items) >= _BATCH_ITEMS or characters >= _BATCH_CHARACTERS
            if full or time.monotonic() > until:
                return ReadBatch(tuple(items), ended=False, peak_bytes=_peak_bytes())
        return ReadBatch(tuple(items), ended=True, peak_bytes=_peak_bytes())

    def close(self) -> None:
        self._items = iter(())

    def _loader(self, entry: LoaderEntry) -> Any:
        made = self._made.get(entry.name)
        if made is None:
            module, _, name = entry.load.partition(":")
            made = self._made[entry.name] = getattr(import_module(module), name)(entry.options)
        return made


class _Run:
    """The reading of one file with all that is inside it. None among the items is a heartbeat."""

    def __init__(
        self, table: LoaderTable, limits: ReadLimits, task: ReadTask, loader_of: Any
    ) -> None:
        self._table = table
        self._limits = limits
        self._task = task
        self._loader_of = loader_of
        self._characters = 0
        self._members = 0
        self._part_bytes = 0

    def items(self) -> Iterator[Section | Notice | None]:
        """All sections and notices. Raises `LoadError`."""
        task = self._task
        request = LoadRequest(
            path=task.path,
            name=task.name,
            max_characters=self._limits.characters,
            password=task.password,
            max_members=self._limits.members,
            max_inflated_bytes=self._limits.inflated_bytes,
        )
        notices = 0
        try:
            for item in self._file(request, "", 0):
                if isinstance(item, Notice):
                    notices += 1
                    if notices > _MOST_NOTICES:
                        continue
                yield _clean(item)
        except LoadError as error:
            raise LoadError(
                _cleaned(error.message), reason=error.reason, hint=_cleaned(error.hint)
            ) from None
        if notices > _MOST_NOTICES:
            yield Notice("more-notices", f"and {notices - _MOST_NOTICES:,} more notices like these")

    def _file(
        self, request: LoadRequest, member: str, depth: int
    ) -> Iterator[Section | Notice | None]:
        """Read a file as what its name says or, if it is no such thing, as what it is."""
        given = False
        if request.extension and not self._table.knows(request.name):
            said = f"no loader knows {request.extension}; it was read as plain text"
            yield _notice("read-as-text", member, said)
        try:
            for item in self._as_named(request, self._chain(request), member, depth):
                given = given or isinstance(item, Section)
                yield item
        except LoadError as error:
            if given or error.reason not in _TRY_NEXT:
                raise
            extension = true_extension(request.path)
            chain = self._table.by_extension.get(extension, ())
            if not chain or chain == self._table.chain(request.name):
                raise
            said = request.extension or "a file without an extension"
            yield _notice("other-type", member, f"it is no {said}; it was read as {extension}")
            # Its place keeps its name; only what it is read as is another.
            renamed = replace(request, name=f"{request.name}{extension}")
            yield from self._as_named(renamed, chain, member, depth)

    def _as_named(
        self, request: LoadRequest, chain: tuple[LoaderEntry, ...], member: str, depth: int
    ) -> Iterator[Section | Notice | None]:
        """Read a file with the first of its loaders that can."""
        readers = [entry for entry in chain if not entry.recognises]
        before = self._characters, self._members, self._part_bytes
        for number, entry in enumerate(readers):
            self._characters, self._members, self._part_bytes = before
            held: list[Section | Notice | None] = []
            holding = _Holding(held)
            try:
                for item in self._with_pages(entry, chain, request, member, depth):
                    yield from holding.pass_on(item)
                yield from held
                return
            except LoadError as error:
                last = number == len(readers) - 1
                if holding.released or error.reason not in (*_TRY_NEXT, _NEEDS_OCR):
                    raise
                if error.reason == _NEEDS_OCR or last:
                    yield from self._recognised(error, chain, request, member)
                    return
                yield _notice("other-loader", member, f"{entry.name} could not read it")
        yield from self._recognised(None, chain, request, member)

    def _chain(self, request: LoadRequest) -> tuple[LoaderEntry, ...]:
        chain = self._table.chain(request.name)
        if not chain:
            raise LoadError(
                f"{request.name}: no loader reads"
                f" {request.extension or 'files without an extension'}.",
                reason="unsupported",
                hint=f"Loaders read: {' '.join(self._table.extensions)}.",
            )
        left = tuple(entry for entry in chain if entry.name not in self._task.avoid)
        return left or chain[-1:]

    def _recognised(
        self,
        error: LoadError | None,
        chain: tuple[LoaderEntry, ...],
        request: LoadRequest,
        member: str,
    ) -> Iterator[Section | Notice | None]:
        """Let the recognisers try what no reader found text in."""
        usable = error is None or error.reason == _NEEDS_OCR
        for entry in chain if usable else ():
            if entry.recognises:
                try:
                    for item in self._checked(entry, request, member):
                        # Pictures hold no files.
                        if not isinstance(item, PartFile):
                            yield item
                    return
                except LoadError as failed:
                    # Why it has no text matters more than why nobody could recognise it.
                    error = error or failed
                    if failed.reason == _NEEDS_OCR and failed.hint:
                        error = LoadError(error.message, reason=error.reason, hint=failed.hint)
        if error is not None:
            raise error

    def _with_pages(
        self,
        entry: LoaderEntry,
        chain: tuple[LoaderEntry, ...],
        request: LoadRequest,
        member: str,
        depth: int,
    ) -> Iterator[Section | Notice | None]:
        """What a loader gives; pages and parts that it cannot read itself are read by others."""
        for item in self._checked(entry, request, member):
            if isinstance(item, PartFile):
                yield from self._part(item, request, member, depth)
            elif isinstance(item, Notice) and item.page and item.code in _PAGE_CODES:
                yield from self._page(item, entry, chain, request, member)
            else:
                yield item

    def _page(
        self,
        notice: Notice,
        tried: LoaderEntry,
        chain: tuple[LoaderEntry, ...],
        request: LoadRequest,
        member: str,
    ) -> Iterator[Section | Notice | None]:
        """Ask the other loaders for one page; if none can, the notice stands."""
        yield None
        for entry in chain:
            if entry is tried or not (entry.reads_pages or entry.recognises):
                continue
            if notice.code == "page-without-text" and not entry.recognises:
                continue
            found: list[Section | Notice | PartFile | None] = []
            try:
                found = list(self._checked(entry, replace(request, pages=(notice.page,)), member))
            except LoadError:
                continue
            if any(isinstance(item, Section) for item in found):
                yield from (item for item in found if isinstance(item, Section | Notice))
                said = "its text was recognised" if entry.recognises else f"{entry.name} read it"
                yield _notice("page-by-other-loader", member, f"page {notice.page}: {said}")
                return
        yield notice

    def _part(
        self, part: PartFile, request: LoadRequest, member: str, depth: int
    ) -> Iterator[Section | Notice | None]:
        """Read a file inside the file; a part that cannot be read is a notice."""
        self._members += 1
        self._part_bytes += len(part.data)
        if self._members > self._limits.members:
            self._refuse(f"more than {self._limits.members:,} files inside")
        if self._part_bytes > self._limits.inflated_bytes:
            self._refuse(f"more than {self._limits.inflated_bytes:,} bytes of files inside")
        path = f"{member}/{part.name}" if member else part.name
        if depth + 1 > self._limits.depth:
            yield Notice(PART_FAILED, f"{path}: too large: it lies too deep in other files")
            return
        chain = self._table.chain(part.name)
        if not self._table.fits(part.name, part.data[:HEAD_BYTES]):
            yield Notice("part-skipped", f"{path}: no loader reads this kind of file")
            return
        try:
            with _as_file(part.data) as place:
                inner = replace(request, path=place, name=part.name, pages=())
                yield from self._file(inner, path, depth + 1)
        except LoadError as error:
            if error.reason == "too large" and self._is_over():
                raise
            # A logo in a message that shows no words is no loss.
            picture = all(entry.recognises for entry in chain)
            code = "part-without-text" if picture else PART_FAILED
            said = without_name(part.name, error.message)
            if error.reason == "empty":
                yield Notice("part-empty", f"{path}: {said.rstrip('.')}")
                return
            yield Notice(code, f"{path}: {error.reason}: {said}")

    def _checked(
        self, entry: LoaderEntry, request: LoadRequest, member: str
    ) -> Iterator[Section | Notice | PartFile | None]:
        """What one loader gives, held to the limits; whatever it raises becomes `LoadError`."""
        try:
            for item in self._loader_of(entry).load(request, CancelToken()):
                if not isinstance(item, Section):
                    yield _prefixed(item, member)
                    continue
                self._characters += len(item.text)
                if self._is_over():
                    self._refuse(f"more than {self._limits.characters:,} characters of text")
                yield from _windows(item, member)
        except LoadError:
            raise
        except InglenookError as error:
            raise LoadError(
                f"{request.name}: {error.message}", reason="unsupported", hint=error.hint
            ) from error
        except MemoryError as error:
            raise LoadError(
                f"{request.name}: reading it takes more memory than is allowed.",
                reason="too large",
            ) from error
        except OSError as error:
            raise LoadError(
                f"{request.name}: cannot be read: {error.strerror or error}.", reason="unreadable"
            ) from error
        # Loaders are plugins over parsers of untrusted files: they may raise anything.
        except Exception as error:
            raise LoadError(
                f"{request.name}: the loader {entry.name} failed: {_reason(error)}",
                reason="broken",
            ) from error

    def _is_over(self) -> bool:
        return (
            self._characters > self._limits.characters
            or self._members > self._limits.members
            or self._part_bytes > self._limits.inflated_bytes
        )

    def _refuse(self, what: str) -> None:
        raise LoadError(f"{self._task.name} has {what}.", reason="too large")


class _Holding:
    """Keeps what a loader gives until it is sure that no other one has to begin anew."""

    def __init__(self, held: list[Section | Notice | None]) -> None:
        self._held = held
        self._characters = 0
        self.released = False

    def pass_on(self, item: Section | Notice | None) -> Iterator[Section | Notice | None]:
        if item is None or self.released:
            yield item
            return
        self._held.append(item)
        self._characters += len(item.text) if isinstance(item, Section) else 0
        if len(self._held) > _HELD_ITEMS or self._characters > _HELD_CHARACTERS:
            self.released = True
            yield from self._held
            self._held.clear()
        else:
            yield None


def _windows(section: Section, member: str) -> Iterator[Section]:
    """The section with its member; a very long one in pieces, cut at line ends or blanks."""
    locator = section.locator
    if member:
        inner = f"{member}/{locator.member}" if locator.member else member
        locator = Locator(locator.kind, locator.value, inner)
    text = section.text
    begin = 0
    while len(text) - begin > _WINDOW_CHARACTERS:
        end = _cut(text, begin + _WINDOW_CHARACTERS // 2, begin + _WINDOW_CHARACTERS)
        if text[begin:end].strip():
            yield replace(
                section, text=text[begin:end], locator=locator, start=section.start + begin
            )
        begin = end
    if text[begin:].strip():
        yield replace(section, text=text[begin:], locator=locator, start=section.start + begin)


def _cut(text: str, low: int, high: int) -> int:
    for mark in ("\n", " "):
        found = text.rfind(mark, low, high)
        if found >= 0:
            return found + 1
    return high


def _cleaned(text: str) -> str:
    """Without what cannot be written down: no database and no terminal takes lone surrogates."""
    return _SURROGATE.sub("\ufffd", text)


def _clean(item: Section | Notice | None) -> Section | Notice | None:
    """Made fit to be kept; a section's text is left to who splits it."""
    if isinstance(item, Notice):
        message = _cleaned(item.message)
        if len(message) > _LONGEST_NOTICE:
            message = f"{message[:_LONGEST_NOTICE]}…"
        return replace(item, message=message)
    if item is None:
        return None
    place = item.locator
    value = _cleaned(place.value) if isinstance(place.value, str) else place.value
    return replace(
        item,
        locator=Locator(place.kind, value, _cleaned(place.member)),
        headings=tuple(_cleaned(heading) for heading in item.headings),
    )


def _prefixed(item: Any, member: str) -> Any:
    if member and isinstance(item, Notice):
        return replace(item, message=f"{member}: {item.message}")
    return item


def _notice(code: str, member: str, message: str) -> Notice:
    return Notice(code, f"{member}: {message}" if member else message)


def _reason(error: BaseException) -> str:
    """The kind of error alone: its text may quote the document."""
    return type(error).__name__[:_LONGEST_REASON]


@contextmanager
def _as_file(data: bytes) -> Iterator[Path]:
    """The bytes as a file that exists in memory only, where the platform has such files."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("part", os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(data)
            yield Path(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory(prefix="inglenook-") as folder:
        path = Path(folder) / "part"
        path.write_bytes(data)
        yield path


def _peak_bytes() -> int:
    """The most memory this process ever had resident; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    status = Path("/proc/self/status")
    if status.exists():
        # Not `ru_maxrss`: a child starts with what its parent had when it was made.
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")), 0)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
