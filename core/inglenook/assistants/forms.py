"""The forms for machines of questions and answers, version 1. Keys are only ever added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from inglenook.types import (
    Answer,
    Answered,
    Citation,
    Failed,
    Finding,
    Notice,
    Passage,
    PassagePart,
    PromptProgress,
    Queued,
    Retrieved,
    Sentence,
    TextDelta,
    ThinkingDelta,
    Usage,
)

__all__ = ["VERSION", "answer_form", "event_form", "passage_form", "plain"]

VERSION = 1
_EVENT_NAMES = {
    Retrieved: "retrieved",
    PromptProgress: "progress",
    Queued: "queued",
    TextDelta: "text",
    ThinkingDelta: "thinking",
    Finding: "finding",
    Notice: "notice",
    Usage: "usage",
    Answered: "answered",
    Failed: "failed",
}


def answer_form(answer: Answer) -> dict[str, Any]:
    """An answer as `nook ask --json` prints it."""
    return {
        "version": VERSION,
        "answer": answer.text,
        "abstained": answer.abstained,
        "extracted": answer.extracted,
        "remote": answer.remote,
        "stop_reason": answer.stop_reason,
        "sentences": [_sentence(sentence) for sentence in answer.sentences],
        "passages": [passage_form(passage) for passage in answer.passages],
        "findings": [plain(finding) for finding in answer.findings],
        "usage": plain(answer.usage),
        "notices": [plain(notice) for notice in answer.notices],
    }


def event_form(event: object) -> dict[str, Any]:
    """One event of a stream, as a line of `nook ask --json --stream`."""
    head: dict[str, Any] = {"version": VERSION, "type": _EVENT_NAMES[type(event)]}
    if isinstance(event, Retrieved):
        return {**head, "passages": [passage_form(passage) for passage in event.passages]}
    if isinstance(event, Answered):
        return {**head, **answer_form(event.answer)}
    if isinstance(event, TextDelta):
        return {**head, "text": event.text}
    return {**head, **plain(event)}


def passage_form(passage: Passage) -> dict[str, Any]:
    """A passage, with its place and all its scores."""
    parts = [{**plain(part), "locator": _locator(part)} for part in passage.parts]
    return {**plain(passage), "locator": _locator(passage), "parts": parts}


def _sentence(sentence: Sentence) -> dict[str, Any]:
    return {
        "text": sentence.text,
        "start": sentence.start,
        "end": sentence.end,
        "supported": sentence.supported,
        "citations": [
            {
                "source": citation.source,
                "locator": _locator(citation),
                "start": citation.start,
                "end": citation.end,
                "chunk": citation.chunk,
                "quote": citation.quote,
                "path": citation.path,
            }
            for citation in sentence.citations
        ],
    }


def _locator(place: Passage | PassagePart | Citation) -> dict[str, Any]:
    return {"kind": place.locator.kind, "value": place.locator.value}


def plain(value: Any) -> Any:
    """Plain JSON data of a contract type."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
