"""Verdicts of security filters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


class Stage(StrEnum):
    """Where a filter looks."""

    INPUT = "input"
    INGEST = "ingest"
    CONTEXT = "context"
    OUTPUT = "output"


class Action(Enum):
    """What is to happen, from the mildest to the most restrictive."""

    ALLOW = 0
    FLAG = 1
    REDACT = 2
    QUARANTINE = 3
    BLOCK = 4


@dataclass(frozen=True, slots=True)
class Span:
    """A finding: `text[start:end]`, in offsets of the original text.

    Args:
        label: What it is, such as `terminal-escape`.
        score: From 0 to 1.
        rule: Which rule found it.
        replacement: What stands in its place when it is redacted.
    """

    start: int
    end: int
    label: str
    score: float = 1.0
    rule: str = ""
    replacement: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a filter says of a text. It never returns text of its own."""

    action: Action = Action.ALLOW
    spans: tuple[Span, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FilterContext:
    """What a filter may know of where a text comes from."""

    stage: Stage
    assistant: str = ""
    source: str = ""
    final: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """A decision of a filter, as kept and shown: no text, only where and what."""

    filter: str
    stage: Stage
    action: Action
    label: str
    start: int
    end: int
    source: str = ""
    reason: str = ""
