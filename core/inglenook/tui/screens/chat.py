"""The chat: transcript, passages, question and status on one screen."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import ClassVar

from textual import getters, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer

from inglenook.tui.feed import EventFeed, FeedEvent, JobEnded
from inglenook.tui.screens.choose import ChooseScreen
from inglenook.tui.screens.help import HelpScreen
from inglenook.tui.session import Choice, LoadingModel, Opened, Session, SessionEvent
from inglenook.tui.widgets.answer import AnswerView
from inglenook.tui.widgets.composer import Composer
from inglenook.tui.widgets.ingestion import IngestionView
from inglenook.tui.widgets.line import failure_line
from inglenook.tui.widgets.passages import PassagesPane
from inglenook.tui.widgets.question import Question
from inglenook.tui.widgets.status_bar import StatusBar
from inglenook.tui.widgets.transcript import Transcript
from inglenook.types import (
    Answered,
    Failed,
    IngestPlan,
    IngestProgress,
    IngestReport,
    Notice,
    Retrieved,
    SourceResult,
)

__all__ = ["ChatScreen"]

FLUSHES_A_SECOND = 15
QUIT_WITHIN_S = 2.0


class ChatScreen(Screen[None]):
    """One conversation. One job runs at a time; one more may wait for it.

    Args:
        session: The engine.
        assistant: Whom to open at once; None offers the list.
    """
