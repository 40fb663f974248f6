"""Routes the engine's events to the widgets that show them."""

from __future__ import annotations

from inglenook.tui.session import LoadingModel, Opened, SessionEvent
from inglenook.tui.widgets.answer import AnswerView
from inglenook.tui.widgets.ingestion import IngestionView
from inglenook.tui.widgets.line import failure_line
from inglenook.tui.widgets.passages import PassagesPane
from inglenook.tui.widgets.status_bar import StatusBar
from inglenook.tui.widgets.transcript import Transcript
from inglenook.types import (
    Answered,
    AskEvent,
    Failed,
    IngestPlan,
    IngestProgress,
    IngestReport,
    Notice,
    Retrieved,
    SourceResult,
)

__all__ = ["Conversation"]


class Conversation:
    """The running job and where its events go.

    Args:
        transcript: Gets answers, ingestions and remarks.
        passages: Gets what was retrieved.
        status: Gets what goes on.
    """

    def __init__(self, transcript: Transcript, passages: PassagesPane, status: StatusBar) -> None:
        self._transcript = transcript
        self._passages = passages
        self._status = status
        self._answer: AnswerView | None = None
        self._ingestion: IngestionView | None = None

    def begin_answer(self) -> None:
        """A question is being asked: make room for its answer."""
        self._answer = AnswerView()
        self._transcript.add(self._answer)
        self._status.activity = "answering …"

    def end_job(self) -> None:
        """Nothing more will come."""
        self._answer = None
        self._ingestion = None
        self._status.activity = ""

    def show(self, event: SessionEvent) -> None:
        """Show one event of the running job."""
        match event:
            case Opened(name=name, model=model, remote=remote):
                self._status.assistant = name
                self._status.model = model
                self._status.remote = remote
            case LoadingModel(model=model):
                self._status.activity = f"loading {model} …"
            case IngestPlan() | IngestProgress() | SourceResult() | IngestReport():
                self._show_ingestion(event)
            case Notice() if self._ingestion is not None:
                self._ingestion.show(event)
            case Failed():
                self._fail(event)
            case _:
                self._show_answering(event)

    def _show_ingestion(
        self, event: IngestPlan | IngestProgress | SourceResult | IngestReport
    ) -> None:
        if self._ingestion is None:
            self._ingestion = IngestionView()
            self._transcript.add(self._ingestion, before=self._answer)
            self._status.activity = "reading documents …"
        self._ingestion.show(event)
        if isinstance(event, IngestReport):
            self._ingestion = None

    def _fail(self, event: Failed) -> None:
        if self._ingestion is not None:
            self._ingestion.end()
        if self._answer is not None:
            self._answer.show(event)
        else:
            self._transcript.add(failure_line(event))

    def _show_answering(self, event: AskEvent) -> None:
        if self._answer is not None:
            self._answer.show(event)
        elif isinstance(event, Notice):
            self._transcript.say(f"• {event.message}", "notice")
        if isinstance(event, Retrieved):
            self._passages.show(event.passages)
        elif isinstance(event, Answered):
            self._passages.mark(event.answer)
