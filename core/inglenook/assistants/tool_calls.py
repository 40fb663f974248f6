"""Reads tool calls out of what a model writes, as it writes it.

A call that cannot be understood, or that its tool's schema refuses, is given out as the text that
it is, with a notice; nothing is lost and nothing is repaired.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from inglenook.assistants.tool_formats import ToolFormat
from inglenook.models.json_validation import violation
from inglenook.types import Notice, TextDelta, ToolCallDelta, ToolCallPart, ToolSpec

__all__ = ["ToolCallReader"]

_PYTHON = "<|python_tag|>"
_BARE_CALL = re.compile(r'\[?\s*\{\s*"name"\s*:')
_BARE_BEGIN = re.compile(r'\[?\s*(\{\s*("(n(a(m(e("\s*)?)?)?)?)?)?)?')
_LONGEST_CALL = 200_000
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"

Read = TextDelta | ToolCallDelta | Notice


def _new_id() -> str:
    """Nine letters and digits: templates of Mistral refuse all else."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(9))


class ToolCallReader:
    """Feed it the deltas of an answer in order.

    Args:
        format: How the model writes calls.
        tools: What it may call.
        forced: Whether the prompt ends in what a call begins with.
        new_id: Makes the id of a call.
    """

    def __init__(
        self,
        format: ToolFormat,
        tools: Sequence[ToolSpec],
        *,
        forced: bool = False,
        new_id: Callable[[], str] = _new_id,
    ) -> None:
        self._format = format
        self._tools = {tool.name: tool for tool in tools}
        self._new_id = new_id
        self._in_call = forced
        # What stands in the prompt is not said again if the call turns out to be none.
        self._opened = ""
        self._held = ""
        self._started = forced
        self._bare = False
        self.calls = 0
        """How many were given out."""

    def feed(self, delta: TextDelta) -> Iterator[Read]:
        """What is certain by now; a delta in which nothing is parted comes as it is."""
        text = self._held + delta.text
        if self._bare:
            self._held = text
            return
        if not self._in_call and not self._started:
            yield from self._at_the_start(text, delta)
            return
        may_begin = bool(self._format.begin) and self._may_begin(text)
        if not self._in_call and not self._held and not may_begin:
            yield delta
            return
        self._held = ""
        yield from self._parted(text)

    def finish(self) -> Iterator[Read]:
        """What was held back: a call without its end, or text."""
        held, self._held = self._held, ""
        if self._bare and not self._names_a_tool(held):
            yield TextDelta(held)
        elif self._in_call or self._bare:
            yield from self._call(held, "")
        elif held and not (self.calls and held.isspace()):
            yield TextDelta(held)

    def _may_begin(self, text: str) -> bool:
        blank_behind_a_call = bool(self.calls) and text.isspace()
        return blank_behind_a_call or self._format.begin in text or bool(self._overlap(text))

    def _overlap(self, text: str) -> int:
        begin = self._format.begin
        lengths = range(min(len(begin) - 1, len(text)), 0, -1)
        return next((length for length in lengths if text.endswith(begin[:length])), 0)

    def _at_the_start(self, text: str, delta: TextDelta) -> Iterator[Read]:
        """An answer that begins like a call may be one also where a small model forgot `begin`."""
        begin = text.lstrip()
        tag = "" if self._format.begin else _PYTHON
        if tag and begin.startswith(tag):
            self._in_call, self._opened, self._held = True, tag, begin.removeprefix(tag)
        elif _BARE_CALL.match(begin):
            self._bare, self._held = True, text
        elif _BARE_BEGIN.fullmatch(begin) or tag.startswith(begin):
            self._held = text
        else:
            self._started, held, self._held = True, self._held, ""
            rest = TextDelta(text) if held else delta
            yield from self.feed(rest) if self._format.begin else (rest,)

    def _names_a_tool(self, text: str) -> bool:
        said = _read(text) or ()
        return any(isinstance(one, Mapping) and one.get("name") in self._tools for one in said)

    def _parted(self, text: str) -> Iterator[Read]:
        """Calls and the text between them, as far as they are whole."""
        while True:
            if self._in_call:
                end = self._end_of_call(text)
                if end is None and len(text) <= _LONGEST_CALL:
                    self._held = text
                    return
                end = len(text) if end is None else end
                raw, text = text[:end], text[end:]
                closed = raw.removesuffix(self._format.end) if self._format.end else raw
                yield from self._call(closed, raw[len(closed) :])
                continue
            before, begin, after = text.partition(self._format.begin)
            if not begin:
                break
            yield from self._between(before)
            self._in_call, self._opened, text = True, begin, after
        sure = len(text) - self._overlap(text)
        if self.calls and text[:sure].isspace():
            sure = 0
        self._held = text[sure:]
        yield from self._between(text[:sure])

    def _between(self, text: str) -> Iterator[Read]:
        """Text outside of calls; blanks behind a call only part it from the next."""
        if text and not (self.calls and text.isspace()):
            yield TextDelta(text)

    def _end_of_call(self, text: str) -> int | None:
        """Behind the first end that is not within a string of the call."""
        end = self._format.end
        at = text.find(end) if end else -1
        first = at
        while at >= 0:
            if _read(text[:at]) is not None:
                return at + len(end)
            at = text.find(end, at + 1)
        # A call that is broken ends at its first end; one that may go on has an open string.
        if first >= 0 and not _open_string(text[:first]):
            return first + len(end)
        return None

    def _call(self, raw: str, closing: str) -> Iterator[Read]:
        """The calls of one piece, or the piece as text."""
        opened, self._in_call, self._opened = self._opened, False, ""
        self._started = True
        calls: list[ToolCallPart] = []
        wrong = ""
        said = _read(raw)
        if said is None:
            wrong = "it is no JSON"
        for one in said or ():
            call, wrong = self._understood(one)
            if call is None:
                break
            calls.append(call)
        if wrong or not calls:
            if opened or raw or closing:
                yield TextDelta(opened + raw + closing)
            yield Notice(
                "tool-call-malformed",
                "The model asked for a tool in a way that cannot be used:"
                f" {wrong or 'it is empty'}.",
            )
            return
        self.calls += len(calls)
        yield from (ToolCallDelta(call) for call in calls)

    def _understood(self, said: object) -> tuple[ToolCallPart | None, str]:
        """The call, or what is wrong with it."""
        if not isinstance(said, Mapping):
            return None, "it is no object"
        name = said.get("name")
        if not isinstance(name, str) or name not in self._tools:
            return None, f"there is no tool {str(name)[:60]!r}"
        given: Any = next((said[key] for key in ("arguments", "parameters") if key in said), {})
        if isinstance(given, str):
            given = next(iter(_read(given) or ()), None)
        if not isinstance(given, Mapping):
            return None, f"the arguments of '{name}' are no object"
        if wrong := violation(given, self._tools[name].parameters):
            return None, f"among the arguments of '{name}', {wrong}"
        return ToolCallPart(self._new_id(), name, dict(given)), ""


def _read(text: str) -> list[Any] | None:
    """The JSON values in a text: one, a list of them, or several with `;` or blanks between."""
    decoder = json.JSONDecoder(parse_constant=_refuse)
    found: list[Any] = []
    at = 0
    while at < len(text):
        if text[at].isspace() or (found and text[at] == ";"):
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        found += value if isinstance(value, list) else [value]
    return found or None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _open_string(text: str) -> bool:
    """Whether a string of JSON is open at the end."""
    inside = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = inside
        elif char == '"':
            inside = not inside
    return inside
