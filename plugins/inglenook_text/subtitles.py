"""The loader `subtitles`: what is said in SubRip and WebVTT files, joined into paragraphs.

Times, numbers, comments and styles are no text; voices stay, as `Name: `. A section is a paragraph
on one line; it says the line of the file where its first words stand. The extracted text is one
place. Format: WebVTT (W3C, 2019), sections 3 and 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from itertools import pairwise
from typing import Any

from inglenook.errors import Cancelled
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, Section
from inglenook_text.decoding import read_text, without_invisible
from inglenook_text.sections import sections_by_heading

__all__ = ["SubtitleLoader"]

_TIME = r"(?:\d{1,4}:)?\d{1,2}:\d{2}[.,]\d{1,3}"
_TIMING = re.compile(rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}")
_BLOCK = re.compile(r"(?:NOTE|STYLE|REGION|WEBVTT)(?:[ \t]|\Z)")
_VOICE = re.compile(r"<v(?:\.[^\s<>]{1,100})?[ \t]+([^<>]{1,200})>")
_TAG = re.compile(r"</?[A-Za-z0-9][^<>]{0,200}>|</>|\{\\[^{}]{0,200}\}")
_SENTENCE_END = re.compile(r"[.!?…。！？؟][\"'”’)\]]*\Z")
_LONG, _LONGEST = 700, 1_500
_ROLLING_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class _Said:
    """A line of a cue, the voice that says it, and its line number from 1."""

    text: str
    voice: str
    line: int


class SubtitleLoader:
    """Implements `protocols.Loader`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section for each paragraph; see `decoding.read_text` for what is raised.

        A file without cues is read as plain text, with a notice.
        """
        decoded = read_text(request)
        yield from decoded.notices
        cues = [said for cue in _cues(decoded.text) if (said := _said(cue))]
        if not cues:
            yield Notice("no-cues", "there are no timed lines in it; read as plain text")
            yield from sections_by_heading(decoded.text, (), cancel)
            return
        start = 0
        for line, text in _paragraphs(_without_repeats(cues)):
            if cancel.cancelled:
                raise Cancelled
            yield Section(text, Locator("line", line), (), start)
            start += len(text) + 2


def _cues(text: str) -> Iterator[list[tuple[int, str]]]:
    """The numbered lines of each cue, without its times and its name."""
    lines = text.split("\n")
    cue: list[tuple[int, str]] = []
    in_cue = skipped = False
    for index, line in enumerate(lines):
        if _TIMING.match(line):
            if in_cue:
                yield _without_name(cue, lines, index)
            cue, in_cue, skipped = [], True, False
        elif not line.strip():
            skipped = False
        elif skipped or (_BLOCK.match(line) and (not index or not lines[index - 1].strip())):
            skipped = True
        elif in_cue:
            cue.append((index + 1, line))
    if in_cue:
        yield cue


def _without_name(
    cue: list[tuple[int, str]], lines: list[str], timing: int
) -> list[tuple[int, str]]:
    """A line right above the next times names the next cue, if it is a number or stands alone."""
    if not cue or cue[-1][0] != timing:
        return cue
    stands_alone = not lines[timing - 2].strip()
    return cue[:-1] if stands_alone or cue[-1][1].strip().isdigit() else cue


def _said(cue: list[tuple[int, str]]) -> list[_Said]:
    found, voice = [], ""
    for number, line in cue:
        pieces = _VOICE.split(line)
        for index, piece in enumerate(pieces):
            if index % 2:
                voice = _plain(piece)
            elif words := _plain(piece):
                found.append(_Said(words, voice, number))
    return found


def _plain(text: str) -> str:
    return " ".join(without_invisible(unescape(_TAG.sub("", text))).split())


def _without_repeats(cues: list[list[_Said]]) -> Iterator[_Said]:
    """All lines, those left out that captions of live speech show a second time while they roll."""
    repeated = sum(
        len(cue) > 1 and cue[0].text == before[-1].text for before, cue in pairwise(cues)
    )
    rolls = repeated >= max(3, _ROLLING_SHARE * len(cues))
    last = ""
    for cue in cues:
        for said in cue:
            if not (rolls and said.text == last):
                yield said
            last = said.text


def _paragraphs(lines: Iterator[_Said]) -> Iterator[tuple[int, str]]:
    first, voice, size = 0, "", 0
    words: list[str] = []
    for said in lines:
        ended = bool(words) and _SENTENCE_END.search(words[-1]) is not None
        if (size > _LONG and (ended or said.voice != voice)) or size > _LONGEST:
            yield first, " ".join(words)
            words, size, voice = [], 0, ""
        first = said.line if not words else first
        spoken = f"{said.voice}: {said.text}" if said.voice and said.voice != voice else said.text
        voice = said.voice
        words.append(spoken)
        size += len(spoken) + 1
    if words:
        yield first, " ".join(words)
