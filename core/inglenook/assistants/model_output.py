"""What a model that takes tokens writes, parted into answer, thinking and tool calls.

Servers part it themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import closing

from inglenook.assistants.thinking import ThinkingReader
from inglenook.assistants.tool_calls import ToolCallReader
from inglenook.types import Done, Failed, RuntimeEvent, TextDelta, Usage

__all__ = ["parted"]


def parted(
    events: Iterator[RuntimeEvent], thinking: ThinkingReader, calls: ToolCallReader | None
) -> Iterator[RuntimeEvent]:
    """The events of a runtime with its text parted; in the same order and to the same end."""
    with closing(events) as stream:  # type: ignore[type-var]
        finished = False
        for event in stream:
            if isinstance(event, TextDelta):
                yield from _read(thinking.feed(event), calls)
                continue
            if isinstance(event, Usage | Done | Failed) and not finished:
                finished = True
                yield from _read(thinking.finish(), calls)
                yield from calls.finish() if calls else ()
            if isinstance(event, Done) and event.stop_reason == "stop" and calls and calls.calls:
                yield dataclasses.replace(event, stop_reason="tool_calls")
            else:
                yield event


def _read(events: Iterable[RuntimeEvent], calls: ToolCallReader | None) -> Iterator[RuntimeEvent]:
    for event in events:
        if calls is not None and isinstance(event, TextDelta):
            yield from calls.feed(event)
        else:
            yield event
