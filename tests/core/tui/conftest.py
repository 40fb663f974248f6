"""Scripted assistants, for what a real model cannot show on demand, and a driver for the chat."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Static

from inglenook.assistants.registry import AssistantRecord
from inglenook.tui.app import InglenookApp
from inglenook.tui.session import Session
from inglenook.types import (
    Answer,
    Answered,
    CancelToken,
    Citation,
    IngestPlan,
    IngestProgress,
    IngestReport,
    Locator,
    Message,
    Passage,
    Retrieved,
    Sentence,
    SourceResult,
    StopReason,
    TextDelta,
    Usage,
)

Script = Callable[[str, CancelToken], Iterator[Any]]

QUOTE = "Passwords must be at least 14 characters long."


def passage(
    number: int, text: str = f"Section 4. {QUOTE} Change them yearly.", source: str = ""
) -> Passage:
    return Passage(
        chunk=f"c{number}",
        source=source or "security_protocols.pdf",
        source_id=f"s{number}",
        path=f"/d/{source}",
        text=text,
        locator=Locator("page", 9 + number),
        start=100,
        end=100 + len(text),
        headings=("Access", "Passwords"),
        score=1.0 / number,
    )


def cited_answer(stop_reason: StopReason = "stop") -> Answer:
    """One sentence with a source, one without, one that needs none."""
    first, second, third = "A password has at least 14 characters.", "It is blue.", "Anything else?"
    text = f"{first} {second} {third}"
    found = passage(1)
    start = found.start + found.text.index(QUOTE)
    citation = Citation(
        found.source, found.locator, start, start + len(QUOTE), found.chunk, QUOTE, found.path
    )
    second_start, third_start = len(first) + 1, len(first) + len(second) + 2
    return Answer(
        text=text,
        abstained=False,
        stop_reason=stop_reason,
        sentences=(
            Sentence(first, 0, len(first), True, (citation,)),
            Sentence(second, second_start, second_start + len(second), False),
            Sentence(third, third_start, len(text), None),
        ),
        passages=(found, passage(2, "Lock your screen.", "policies/desk.md")),
        usage=Usage(812, 600, 41, 0.0, 2.0, 1.0),
    )


def saying(*pieces: str, pause_s: float = 0.0, passages: Sequence[Passage] = ()) -> Script:
    """Say these pieces, then end; a stop keeps what was said."""

    def script(question: str, cancel: CancelToken) -> Iterator[Any]:
        yield Retrieved(tuple(passages))
        said: list[str] = []
        for piece in pieces:
            if cancel.wait(pause_s):
                break
            said.append(piece)
            yield TextDelta(piece)
        reason: StopReason = "cancelled" if cancel.cancelled else "stop"
        yield Answered(Answer("".join(said), False, reason, passages=tuple(passages)))

    return script


def playing(*events: Any) -> Script:
    """Play these events; an exception among them is raised."""

    def script(question: str, cancel: CancelToken) -> Iterator[Any]:
        for event in events:
            if isinstance(event, Exception):
                raise event
            yield event

    return script


@dataclass
class ScriptedAssistant:
    name: str
    script: Script
    unread_sources: int = 0
    ingest_pause_s: float = 0.0
    open_error: Exception | None = None
    asked: list[tuple[str, tuple[Message, ...]]] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        self.profile = SimpleNamespace(model="tiny:1b")
        self.remote = ""
        self.knowledge = object()
        self.needs_ingest = self.unread_sources > 0

    def open(self) -> None:
        if self.open_error is not None:
            raise self.open_error

    def ingest_events(self, cancel: CancelToken) -> Iterator[Any]:
        total = self.unread_sources
        yield IngestPlan(total, total, 0, 0)
        results = []
        for done in range(total):
            yield IngestProgress(f"file{done}.txt", done, total, done * 10)
            if cancel.wait(self.ingest_pause_s):
                break
            results.append(SourceResult(f"file{done}.txt", "added", chunks=10))
            yield results[-1]
        self.needs_ingest = len(results) < total
        yield IngestReport(tuple(results), len(results), 10 * len(results), 0.5, self.needs_ingest)

    def ask_events(
        self, question: str, history: tuple[Message, ...], cancel: CancelToken
    ) -> Iterator[Any]:
        self.asked.append((question, history))
        yield from self.script(question, cancel)

    def close(self) -> None:
        self.closed = True


class ScriptedInstallation:
    """Has these assistants, and these models."""

    def __init__(
        self,
        *assistants: ScriptedAssistant,
        models: tuple[str, ...] = ("tiny:1b",),
        broken: dict[str, str] | None = None,
    ) -> None:
        self._assistants = {assistant.name: assistant for assistant in assistants}
        self._broken = broken or {}
        records = [SimpleNamespace(name=name, format="gguf", problem="") for name in models]
        self.library = SimpleNamespace(
            list=lambda: tuple(records), has=lambda reference: reference in models
        )

    def assistants(self) -> tuple[AssistantRecord, ...]:
        good = [AssistantRecord(n, Path(n), True, "tiny:1b") for n in self._assistants]
        bad = [AssistantRecord(n, Path(n), False, problem=p) for n, p in self._broken.items()]
        return (*good, *bad)

    def assistant(self, name: str) -> Any:
        return self._assistants[name]


class Chat:
    """What a user does at the terminal, and what stands on it."""

    def __init__(self, app: InglenookApp, pilot: Pilot[Any]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> Any:
        return self.app.screen

    async def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        for _ in range(int(seconds / 0.02)):
            await self.pilot.pause(0.02)
            if condition():
                return
        raise AssertionError(f"this never came true; the chat says:\n{self.text()}")

    async def idle(self, seconds: float = 30.0) -> None:
        await self.until(lambda: not self.screen.busy, seconds)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        self.screen.composer.text = text
        await self.pilot.press("enter")

    async def ask(self, text: str, seconds: float = 30.0) -> None:
        await self.type(text)
        await self.idle(seconds)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def text(self, selector: str = "Transcript") -> str:
        """All that stands in the widgets, scrolled out of sight or not."""
        return "\n".join(
            str(static.content)
            for widget in self.screen.query(selector)
            for static in _statics(widget)
        )

    def rendered(self, widget: Widget) -> str:
        """The cells of a widget as the terminal gets them."""
        return "\n".join(strip.text for strip in widget.render_lines(widget.size.region))


def _statics(widget: Widget) -> Iterator[Static]:
    found = [widget] if isinstance(widget, Static) else list(widget.query(Static))
    return (static for static in found if static.display)


Story = Callable[[Chat], Awaitable[None]]


def play(
    installation: Any,
    story: Story,
    *,
    size: tuple[int, int] = (120, 40),
    assistant: str | None = "contoso",
    opening_s: float = 30.0,
) -> None:
    """Run a user's story in the application; by default one assistant is open and idle."""

    async def run() -> None:
        app = InglenookApp(Session(installation), assistant)
        async with app.run_test(size=size) as pilot:
            chat = Chat(app, pilot)
            await pilot.pause()
            if assistant is not None:
                await chat.idle(opening_s)
            await story(chat)

    asyncio.run(run())


@pytest.fixture(scope="session")
def scripted() -> SimpleNamespace:
    """Everything above, for the tests in this folder."""
    return SimpleNamespace(
        Assistant=ScriptedAssistant,
        Installation=ScriptedInstallation,
        QUOTE=QUOTE,
        cited_answer=cited_answer,
        passage=passage,
        play=play,
        playing=playing,
        saying=saying,
    )
