"""Narrows retrieval down to some sources and sections. Done in the catalog, not in the store.

A condition that nothing fits is an error that says which: an empty answer would look as if the
documents said nothing.
"""

from __future__ import annotations

import fnmatch
import json
import mimetypes
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from inglenook.errors import UserError
from inglenook.knowledge.catalog import Catalog, SourceRow
from inglenook.knowledge.lexical import fold
from inglenook.types import Narrowing
from inglenook.types.narrowing import point_in_time

__all__ = ["allowed_chunks", "fits_path"]

_AT_ONCE = 500
_MEDIA_TYPES = {
    ".md": "text/markdown",
    ".rst": "text/x-rst",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".toml": "application/toml",
    ".eml": "message/rfc822",
    ".msg": "application/vnd.ms-outlook",
    ".rtf": "application/rtf",
    ".epub": "application/epub+zip",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
}
_KNOWN_MEDIA = mimetypes.MimeTypes()
"""Python's own table: what the machine has installed changes nothing."""


def allowed_chunks(
    catalog: Catalog, narrowings: Iterable[Narrowing], readable: Collection[str]
) -> frozenset[int] | None:
    """The keys of the chunks that may be found; None where nothing is left out.

    Args:
        catalog: Of the knowledge base.
        narrowings: All of them must hold.
        readable: The extensions that loaders read, with their dots.

    Raises `UserError` for a type that nobody knows and where nothing is left.
    """
    allowed: frozenset[int] | None = None
    asked = [narrowing for narrowing in narrowings if narrowing]
    for narrowing in asked:
        keys = _Narrowed(catalog, narrowing, readable).keys()
        allowed = keys if allowed is None else allowed & keys
    if allowed is not None and not allowed:
        together = " and ".join(f"'{narrowing}'" for narrowing in asked)
        raise UserError(f"Nothing in the documents fits {together}.", hint=_HINT)
    return allowed


_HINT = "See the sources with: nook kb status NAME"


class _Narrowed:
    """One narrowing of one catalog."""

    def __init__(self, catalog: Catalog, narrowing: Narrowing, readable: Collection[str]) -> None:
        self._catalog = catalog
        self._asked = narrowing
        self._readable = readable
        self._sources = [row for row in catalog.sources() if row.generation > 0]
        self._members = _members(catalog) if narrowing.paths or narrowing.types else {}

    def keys(self) -> frozenset[int]:
        whole = {row.id for row in self._sources}
        parts = {(row.id, member) for row in self._sources for member in self._members_of(row)}
        for test in self._conditions():
            fitting = {row.id for row in self._sources if test(row, "")}
            whole &= fitting
            parts = {
                (row.id, member)
                for row in self._sources
                for member in self._members_of(row)
                if (row.id, member) in parts and (row.id in fitting or test(row, member))
            }
        keys = set(self._keys_of(sorted(whole)))
        keys |= self._keys_of_members({part for part in parts if part[0] not in whole})
        return frozenset(self._in_sections(keys) if self._asked.sections else keys)

    def _conditions(self) -> Iterator[Callable[[SourceRow, str], bool]]:
        """What a source, or a part of it, must fit. Raises `UserError` where none does."""
        if self._asked.paths:
            self._require(self._fits_a_path, f"No source is at {_any_of(self._asked.paths)}.")
            yield self._fits_a_path
        if self._asked.types:
            for kind in self._asked.types:
                self._check_type(kind)
            self._require(self._fits_a_type, f"No source is of type {_any_of(self._asked.types)}.")
            yield self._fits_a_type
        if self._asked.since or self._asked.until:
            since = point_in_time(self._asked.since)
            until = point_in_time(self._asked.until, end=True)

            def in_time(row: SourceRow, member: str) -> bool:
                del member
                moment = row.mtime_ns / 1e9
                after = since is None or moment >= since.timestamp()
                return after and (until is None or moment < until.timestamp())

            self._require(in_time, self._no_date())
            yield in_time

    def _fits_a_path(self, row: SourceRow, member: str) -> bool:
        names = [f"{name}/{member}" if member else name for name in (row.name, row.path)]
        return any(fits_path(pattern, *names) for pattern in self._asked.paths)

    def _fits_a_type(self, row: SourceRow, member: str) -> bool:
        return any(_is_of_type(member or row.name, kind) for kind in self._asked.types)

    def _require(self, test: Callable[[SourceRow, str], bool], problem: str) -> None:
        places = ((row, member) for row in self._sources for member in ("", *self._members_of(row)))
        if not any(test(row, member) for row, member in places):
            raise UserError(f"{problem}{self._suggestion()}", hint=_HINT)

    def _members_of(self, row: SourceRow) -> Sequence[str]:
        return self._members.get(row.id, ())

    def _suggestion(self) -> str:
        """A path that looks like one that was asked for, as a sentence."""
        known: dict[str, None] = {}
        for row in self._sources:
            place = PurePosixPath(row.name)
            known.update(dict.fromkeys(str(p) for p in (place, *place.parents) if str(p) != "."))
        for pattern in self._asked.paths:
            plain = pattern.removeprefix("./").split("*", 1)[0].rstrip("/")
            close = get_close_matches(plain, known, n=1) if plain and plain not in known else []
            if close:
                return f" Did you mean '{close[0]}'?"
        return ""

    def _check_type(self, kind: str) -> None:
        here = {suffix for row in self._sources if (suffix := _suffix(row.name))}
        here |= {_suffix(m) for members in self._members.values() for m in members} - {""}
        known = {*self._readable, *here}
        if any(_is_of_type(f"x{extension}", kind) for extension in known):
            return
        names = sorted(extension[1:] for extension in known)
        close = get_close_matches(kind.lower().removeprefix("."), names, n=1)
        meant = f" Did you mean '{close[0]}'?" if close else ""
        listed = ", ".join(sorted(extension[1:] for extension in here))
        raise UserError(
            f"'{kind}' is no type of file that is read here.{meant}",
            hint=f"The types of these documents: {listed or 'none'}.",
        )

    def _no_date(self) -> str:
        days = [
            datetime.fromtimestamp(row.mtime_ns / 1e9, UTC).astimezone().date()
            for row in self._sources
        ]
        span = f" They are of {min(days)} to {max(days)}." if days else ""
        asked = str(Narrowing(since=self._asked.since, until=self._asked.until))
        return f"No source was changed within {asked}.{span}"

    # --- chunks -----------------------------------------------------------------------------

    def _keys_of(self, source_ids: Sequence[str]) -> Iterator[int]:
        for begin in range(0, len(source_ids), _AT_ONCE):
            part = source_ids[begin : begin + _AT_ONCE]
            marks = ",".join("?" * len(part))
            for row in self._catalog.live("key", f"source_id IN ({marks})", part):
                yield row[0]

    def _keys_of_members(self, parts: Collection[tuple[str, str]]) -> set[int]:
        if not parts:
            return set()
        rows = self._catalog.live("key, source_id, locator_member", "locator_member <> ''")
        return {key for key, source, member in rows if (source, member) in parts}

    def _in_sections(self, keys: Collection[int]) -> set[int]:
        wanted = [" ".join(fold(text).split()) for text in self._asked.sections]
        known: dict[tuple[str, str, str], bool] = {}
        found = set()
        for key, *place in self._catalog.live("key, headings, locator_kind, locator_value"):
            where = (place[0], place[1], place[2] if place[1] in _NAMED_PLACES else "")
            if where not in known:
                known[where] = _is_under(where, wanted)
            if known[where]:
                found.add(key)
        if not found:
            asked = _any_of(self._asked.sections)
            raise UserError(f"No section's heading contains {asked}.", hint="Use fewer words.")
        return found.intersection(keys)


_NAMED_PLACES = ("sheet", "section", "slide")


def _is_under(place: tuple[str, str, str], wanted: Sequence[str]) -> bool:
    headings, _, value = place
    names = [*json.loads(headings), *([str(json.loads(value))] if value else ())]
    above = " ".join(fold(" › ".join(names)).split())
    return any(text in above for text in wanted)


def _members(catalog: Catalog) -> dict[str, list[str]]:
    """Source -> the parts in it, for archives and messages."""
    found: dict[str, list[str]] = {}
    for source, member in catalog.live(
        "DISTINCT source_id, locator_member", "locator_member <> ''"
    ):
        found.setdefault(source, []).append(member)
    return found


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_of_type(name: str, kind: str) -> bool:
    suffix, kind = _suffix(name), kind.strip().lower()
    if "/" not in kind:
        return bool(suffix) and suffix == f".{kind.removeprefix('.')}"
    media = _MEDIA_TYPES.get(suffix) or _KNOWN_MEDIA.guess_type(f"x{suffix}")[0] or ""
    return fnmatch.fnmatchcase(media, kind)


def _any_of(values: Sequence[str]) -> str:
    return " or ".join(f"'{value}'" for value in values)


# --- paths ----------------------------------------------------------------------------------------


def fits_path(pattern: str, name: str, path: str) -> bool:
    """Whether a source lies where the pattern says.

    Args:
        pattern: A file, a folder (everything in it) or a glob, where `**` is any number of
            folders. Without any `/` it may stand at every depth.
        name: The source's name, relative to the profile's folder.
        path: Where it is on disk, for patterns that begin with `/` or `~`.
    """
    wanted = unicodedata.normalize("NFC", pattern.replace("\\", "/")).removeprefix("./")
    if wanted.startswith("~"):
        wanted = Path(wanted).expanduser().as_posix()
    deep = "/" not in wanted.rstrip("/")
    parts = [part for part in wanted.split("/") if part and part != "."]
    # A name that begins with `~` or `/` is what the FILE line says.
    places = [_parts(name)]
    if wanted.startswith("/") or wanted[1:2] == ":":
        places.append(_parts(path.replace("\\", "/")))
    elif not wanted.startswith(".."):
        places.append([part for part in places[0] if part != ".."])
    return any(
        _fits(place[begin:], parts)
        for place in places
        for begin in (range(len(place)) if deep else (0,))
    )


def _parts(name: str) -> list[str]:
    normal = unicodedata.normalize("NFC", name)
    return [part for part in normal.split("/") if part and part != "."]


def _fits(place: Sequence[str], pattern: Sequence[str]) -> bool:
    """Walks the place through the pattern, keeping every position where it may stand."""
    if not pattern:
        return False
    if list(place[: len(pattern)]) == list(pattern):
        return True  # The name of a file or folder, as it stands, even with brackets in it.
    if pattern[-1] == "**":
        pattern = (*pattern, "*")
    is_plain = not any(mark in part for part in pattern for mark in "*?[")
    states = _closure({0}, pattern)
    for part in place:
        states = _closure(
            {
                state if pattern[state] == "**" else state + 1
                for state in states
                if state < len(pattern)
                and (pattern[state] in ("**", part) or fnmatch.fnmatchcase(part, pattern[state]))
            },
            pattern,
        )
        if is_plain and len(pattern) in states:
            return True
    return len(pattern) in states


def _closure(states: set[int], pattern: Sequence[str]) -> set[int]:
    """With every position that is reached by letting a `**` stand for no folder."""
    reached = set(states)
    for state in sorted(states):
        at = state
        while at < len(pattern) - 1 and pattern[at] == "**":
            at += 1
            reached.add(at)
    return reached
