"""The loader `json`: JSON and JSON lines as `path: value` lines, a section for each entry.

Numbers and repeated keys stay as written. The extracted text of a JSON file is one place; each
line of a JSON-lines file is a place of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.errors import Cancelled, LoadError
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, Section
from inglenook_text.decoding import read_text, without_invisible
from inglenook_text.sections import sections_by_heading

__all__ = ["JsonLoader"]

_LINES = (".jsonl", ".ndjson")
_SHORT_CHARACTERS = 600
_LISTED_BROKEN_LINES = 10


class _Object(list[tuple[str, Any]]):
    """The members of a JSON object in the order of the file, repeated keys too."""


class JsonLoader:
    """Implements `protocols.Loader`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section for each entry of the outermost value.

        A file that is not valid JSON is read as plain text, with a notice. Raises `LoadError`:
        as `decoding.read_text`, and broken for values nested too deeply.
        """
        decoded = read_text(request)
        yield from decoded.notices
        if request.extension in _LINES:
            yield from _json_lines(decoded.text, request.name, cancel)
            return
        try:
            value = _parse(decoded.text, request.name)
        except json.JSONDecodeError as error:
            yield Notice(
                "not-json",
                f"line {error.lineno}, column {error.colno}: not valid JSON ({error.msg});"
                " read as plain text",
            )
            yield from sections_by_heading(decoded.text, (), cancel)
            return
        yield from _sections(value, request.name, cancel)


def _parse(text: str, name: str) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=str
        )
    except RecursionError as error:
        raise LoadError(f"{name} is nested too deeply to be read.", reason="broken") from error


def _json_lines(text: str, name: str, cancel: CancelToken) -> Iterator[Section | Notice]:
    broken: list[int] = []
    good = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if cancel.cancelled:
            raise Cancelled
        if not line.strip():
            continue
        try:
            value = _parse(line, f"{name}, line {number},")
        except json.JSONDecodeError:
            broken.append(number)
            continue
        good += 1
        lines = "\n".join(_leaves(value, ""))
        if lines:
            yield Section(lines, Locator("row", number))
    if not good:
        raise LoadError(f"{name} has no line that is valid JSON.", reason="broken")
    if broken:
        listed = ", ".join(map(str, broken[:_LISTED_BROKEN_LINES]))
        more = ", …" if len(broken) > _LISTED_BROKEN_LINES else ""
        yield Notice("broken-lines", f"{len(broken)} line(s) are not JSON: {listed}{more}")


def _sections(value: Any, name: str, cancel: CancelToken) -> Iterator[Section]:
    start = 0
    for path, text in _grouped(_entries(value)):
        if cancel.cancelled:
            raise Cancelled
        place = Locator("section", path) if path else Locator("whole", "")
        yield Section(text, place, (path,) if path else (), start)
        start += len(text) + 2
    if not start:
        raise LoadError(f"{name} holds no values.", reason="empty")


def _entries(value: Any) -> Iterator[tuple[str, str]]:
    """The members of the outermost value, and of a list right below it, with their text."""
    for path, member in _members(value, ""):
        below = isinstance(member, list) and not isinstance(member, _Object)
        if below and any(isinstance(item, list) for item in member):
            entries = _members(member, path)
        else:
            entries = iter([(path, member)])
        for entry_path, entry in entries:
            text = "\n".join(_leaves(entry, entry_path))
            if text:
                yield entry_path, text


def _grouped(entries: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Join entries that are one line each, so that a flat object does not become crumbs."""
    first, size = "", 0
    lines: list[str] = []
    for path, text in entries:
        if "\n" in text or size + len(text) > _SHORT_CHARACTERS:
            if lines:
                yield first, "\n".join(lines)
            first, lines, size = "", [], 0
        if "\n" in text:
            yield path, text
            continue
        first = first or path
        lines.append(text)
        size += len(text)
    if lines:
        yield first, "\n".join(lines)


def _leaves(value: Any, path: str) -> Iterator[str]:
    """`path: value` for every scalar below a value, in order; without recursion."""
    waiting = [(path, value)]
    while waiting:
        place, current = waiting.pop()
        if isinstance(current, list):
            waiting.extend(reversed(list(_members(current, place))))
        elif current is not None and current != "":
            text = str(current).lower() if isinstance(current, bool) else str(current)
            text = without_invisible(text)
            yield f"{place}: {text}" if place else text


def _members(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, _Object):
        for key, member in value:
            yield (f"{path}.{key}" if path else key), member
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield f"{path}[{index}]", member
    else:
        yield path, value
