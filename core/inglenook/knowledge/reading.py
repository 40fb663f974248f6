"""Reads one file: picks the loader, filters the text, splits it into chunks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inglenook.errors import InglenookError, LoadError
from inglenook.host import Host
from inglenook.protocols import Loader, Splitter
from inglenook.security.pipeline import Filters
from inglenook.types import (
    CancelToken,
    ChunkText,
    Finding,
    LoadRequest,
    Notice,
    Section,
)

__all__ = ["Draft", "LoaderTable", "Reader", "embedded_text"]

_SURROGATE = re.compile("[\ud800-\udfff]")
HEADING_TOKENS = 32
"""How many tokens of headings are embedded in front of a chunk, at most."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that was read: its chunks and what should be said about it."""

    chunks: tuple[ChunkText, ...]
    notices: tuple[Notice, ...]
    quarantine: str = ""


class LoaderTable:
    """Which loader reads which file. Loaders are made when they are first needed."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._by_extension = {
            extension: entry
            for entry in reversed(host.registered("loader"))
            for extension in entry.factory.capabilities.get("extensions", ())
        }
        self._made: dict[str, Loader] = {}

    def accepts(self, path: Path) -> bool:
        """Whether a loader says that it reads files with this extension."""
        return path.suffix.lower() in self._by_extension

    def identity(self, path: Path) -> str:
        """The loader's name and version, or "" if none reads this file."""
        entry = self._by_extension.get(path.suffix.lower())
        return f"{entry.factory.name}/{entry.factory.version}" if entry else ""

    @property
    def extensions(self) -> tuple[str, ...]:
        return tuple(sorted(self._by_extension))

    def load(self, path: Path, name: str, cancel: CancelToken) -> Iterator[Section | Notice]:
        """The sections of a file. Raises `LoadError` with a reason."""
        entry = self._by_extension.get(path.suffix.lower())
        if entry is None:
            raise LoadError(
                f"{name}: no loader reads {path.suffix or 'files without an extension'}.",
                reason="unsupported",
                hint=f"Loaders read: {' '.join(self.extensions)}.",
            )
        made = self._made.get(entry.factory.name)
        if made is None:
            made = self._made[entry.factory.name] = self._host.make_loader(entry.factory.name)
        yield from made.load(LoadRequest(path=path, name=name), cancel)


class Reader:
    """Loads, filters and splits.

    Args:
        loaders: Which loader reads which file.
        splitter: Cuts sections into chunks.
        filters: Judge each section's text before anything else sees it.
    """

    def __init__(self, loaders: LoaderTable, splitter: Splitter, filters: Filters) -> None:
        self._loaders = loaders
        self._splitter = splitter
        self._filters = filters

    def identity(self, path: Path) -> str:
        return self._loaders.identity(path)

    def read(
        self,
        path: Path,
        name: str,
        max_tokens: int,
        count: Callable[[Sequence[str]], list[int]],
        cancel: CancelToken,
    ) -> Draft:
        """The file's chunks of at most `max_tokens`, headings included.

        Raises `LoadError`; whatever else a loader or splitter raises becomes one, so that one
        file never stops the others.
        """
        try:
            return self._read(path, name, max_tokens, count, cancel)
        except InglenookError:
            raise
        except MemoryError as error:
            raise LoadError(f"{name}: needs too much memory.", reason="too large") from error
        except OSError as error:
            raise LoadError(
                f"{name}: cannot be read: {error.strerror or error}.", reason="unreadable"
            ) from error
        # Loaders are plugins over parsers of untrusted files: they may raise anything.
        except Exception as error:
            text = str(error).splitlines()[0][:200] if str(error) else ""
            raise LoadError(
                f"{name}: the loader failed: {type(error).__name__}: {text}", reason="broken"
            ) from error

    def _read(
        self,
        path: Path,
        name: str,
        max_tokens: int,
        count: Callable[[Sequence[str]], list[int]],
        cancel: CancelToken,
    ) -> Draft:
        chunks: list[ChunkText] = []
        notices: list[Notice] = []
        room = max_tokens - HEADING_TOKENS
        for item in self._loaders.load(path, name, cancel):
            if isinstance(item, Notice):
                notices.append(item)
                continue
            if _SURROGATE.search(item.text):
                item = _with_text(item, _SURROGATE.sub("\ufffd", item.text))  # noqa: PLW2901
                place = f"{item.locator}: " if str(item.locator) else ""
                notices.append(Notice("broken-characters", f"{place}broken characters replaced"))
            judgement = self._filters.check_ingest(item.text, name)
            notices += [_as_notice(finding, item) for finding in judgement.findings]
            notices += judgement.notices
            if judgement.withheld:
                held = f"{name}: held back by a filter: {judgement.reason}"
                return Draft((), tuple(notices), quarantine=held)
            section = item if judgement.text == item.text else _with_text(item, judgement.text)
            headings = _fitting(section.headings, count)
            split = self._splitter.split(section, room, count)
            chunks.extend(_with_headings(chunk, headings) for chunk in split)
        if not chunks:
            raise LoadError(f"{name}: there is no text in it.", reason="no text: needs OCR")
        return Draft(tuple(chunks), tuple(notices))


def embedded_text(chunk: ChunkText) -> str:
    """What is embedded for a chunk: its headings, then its text."""
    return f"{' › '.join(chunk.headings)}\n{chunk.text}" if chunk.headings else chunk.text


def _fitting(
    headings: tuple[str, ...], count: Callable[[Sequence[str]], list[int]]
) -> tuple[str, ...]:
    """The innermost headings that fit into `HEADING_TOKENS`."""
    for begin in range(len(headings)):
        if count([" › ".join(headings[begin:])])[0] < HEADING_TOKENS:
            return headings[begin:]
    return ()


def _with_headings(chunk: ChunkText, headings: tuple[str, ...]) -> ChunkText:
    return ChunkText(chunk.text, chunk.start, chunk.end, chunk.locator, headings)


def _with_text(section: Section, text: str) -> Section:
    return Section(text, section.locator, section.headings, section.start, section.language)


def _as_notice(finding: Finding, section: Section) -> Notice:
    place = f"{section.locator}: " if str(section.locator) else ""
    return Notice("filter-finding", f"{place}{finding.filter} found {finding.label}")
