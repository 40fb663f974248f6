"""Makes chunks of what was read: filters judge the text, then the splitter cuts it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from inglenook.errors import InglenookError, LoadError
from inglenook.protocols import Splitter
from inglenook.security.pipeline import Filters
from inglenook.types import ChunkText, Finding, Notice, Section

__all__ = ["Drafted", "Drafter", "embedded_text"]

_SURROGATE = re.compile("[\ud800-\udfff]")
HEADING_TOKENS = 32
"""How many tokens of headings are embedded in front of a chunk, at most."""


@dataclass(frozen=True, slots=True)
class Drafted:
    """What became of a section. `quarantine` says why its whole source is held back, or ""."""

    chunks: tuple[ChunkText, ...] = ()
    notices: tuple[Notice, ...] = ()
    quarantine: str = ""


class Drafter:
    """Filters and splits sections.

    Args:
        splitter: Cuts sections into chunks.
        filters: Judge each section's text before anything else sees it.
        max_tokens: Of a chunk, headings included.
        count: The tokens of each text.
    """

    def __init__(
        self,
        splitter: Splitter,
        filters: Filters,
        max_tokens: int,
        count: Callable[[Sequence[str]], list[int]],
    ) -> None:
        self._splitter = splitter
        self._filters = filters
        self._room = max_tokens - HEADING_TOKENS
        self._count = count
        self._fitting: dict[tuple[str, ...], tuple[str, ...]] = {}

    def draft(self, section: Section, name: str) -> Drafted:
        """The chunks of a section of the source `name`.

        Whatever a filter or the splitter raises becomes a `LoadError`, so that one source never
        stops the others.
        """
        try:
            return self._draft(section, name)
        except InglenookError:
            raise
        # Splitters are plugins; what they cannot take costs this source only.
        except Exception as error:
            raise LoadError(
                f"{name}: could not be split: {type(error).__name__}.", reason="broken"
            ) from error

    def _draft(self, section: Section, name: str) -> Drafted:
        notices: list[Notice] = []
        place = f"{section.locator}: " if str(section.locator) else ""
        if _SURROGATE.search(section.text):
            section = replace(section, text=_SURROGATE.sub("\ufffd", section.text))
            notices.append(Notice("broken-characters", f"{place}broken characters replaced"))
        judgement = self._filters.check_ingest(section.text, name)
        notices += [_as_notice(finding, place) for finding in judgement.findings]
        notices += judgement.notices
        if judgement.withheld:
            held = f"{name}: held back by a filter: {judgement.reason}"
            return Drafted((), tuple(notices), quarantine=held)
        if judgement.text != section.text:
            section = replace(section, text=judgement.text)
        headings = self._fitting_headings(section.headings)
        chunks = tuple(_placed(self._splitter, section, headings, self._room, self._count))
        return Drafted(chunks, tuple(notices))

    def _fitting_headings(self, headings: tuple[str, ...]) -> tuple[str, ...]:
        """The innermost headings that fit into `HEADING_TOKENS`."""
        known = self._fitting.get(headings)
        if known is None:
            known = next(
                (
                    headings[begin:]
                    for begin in range(len(headings))
                    if self._count([" › ".join(headings[begin:])])[0] < HEADING_TOKENS
                ),
                (),
            )
            self._fitting = {headings: known}
        return known


def _placed(
    splitter: Splitter,
    section: Section,
    headings: tuple[str, ...],
    room: int,
    count: Callable[[Sequence[str]], list[int]],
) -> Iterator[ChunkText]:
    """The chunks of a section with its headings, each with the white space in front of it."""
    end = None
    for chunk in splitter.split(section, room, count):
        before = (
            "" if end is None else section.text[end - section.start : chunk.start - section.start]
        )
        end = chunk.end
        gap = "" if before.strip() else before
        yield replace(chunk, headings=headings, gap=gap)


def embedded_text(chunk: ChunkText) -> str:
    """What is embedded for a chunk: its headings, then its text."""
    return f"{' › '.join(chunk.headings)}\n{chunk.text}" if chunk.headings else chunk.text


def _as_notice(finding: Finding, place: str) -> Notice:
    return Notice("filter-finding", f"{place}{finding.filter} found {finding.label}")
