"""One evaluation from its questions to its run: asks, measures, and records what was used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from inglenook.evaluation.judging import Judge
from inglenook.evaluation.measures import DEFAULT_DEPTHS, summarised
from inglenook.evaluation.questions import EvaluationSet
from inglenook.evaluation.running import Questioning
from inglenook.evaluation.runs import QuestionResult, Run, RunFolder
from inglenook.evaluation.subjects import Subject, embedder_name, versions_of
from inglenook.types import CancelToken

__all__ = ["Evaluation", "run_folder"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The questions of a set, asked of a subject whose documents have been read.

    Args:
        subject: Who is asked.
        dataset: What is asked; its sources named as the subject names them.
        answers: Whether the model is asked too, or only passages are searched.
        depths: The k of recall@k.
        seed: What the questions were drawn with, for the record.
        limit: How many were drawn, or None for all, likewise.
    """

    subject: Subject
    dataset: EvaluationSet
    answers: bool
    depths: Sequence[int] = DEFAULT_DEPTHS
    seed: int = 0
    limit: int | None = None
    notices: tuple[str, ...] = field(default=())

    def results(self, cancel: CancelToken) -> Iterator[QuestionResult]:
        """Ask every question; see `Questioning.results`."""
        asking = Questioning(
            assistant=self.subject.assistant,
            judge=Judge(self.subject.document_id, answers_prove=self.dataset.layout == "squad"),
            document=self.subject.document,
            mode=self.subject.mode,
            depths=self.depths,
            answers=self.answers,
        )
        return asking.results(self.dataset.questions, cancel)

    def run(
        self,
        results: Sequence[QuestionResult],
        runs: RunFolder,
        made: datetime,
        seconds: Mapping[str, float],
    ) -> Run:
        """The record of the evaluation, not kept yet."""
        failed = sum(bool(result.error) for result in results)
        notices = [*self.dataset.notices, *self.notices]
        if failed:
            notices.append(f"{failed} questions got no answer because something failed.")
        return Run(
            id=runs.free_id(made, f"{self.dataset.name}-{self.subject.mode}"),
            made=made.isoformat(timespec="seconds"),
            subject=self._subject_form(),
            settings=self._settings_form(),
            versions=versions_of(self.subject, answers=self.answers),
            measures=summarised(result.scores for result in results),
            results=tuple(results),
            notices=tuple(notices),
            seconds={stage: round(value, 3) for stage, value in seconds.items()},
        )

    def _subject_form(self) -> dict[str, Any]:
        knowledge = self.subject.assistant.knowledge
        return {
            "name": self.dataset.name,
            "layout": self.dataset.layout,
            "split": self.dataset.split,
            "questions": len(self.dataset.questions),
            "drawn_from": self.dataset.asked_of or len(self.dataset.questions),
            "sources": len(knowledge.sources()) if knowledge is not None else 0,
            "chunks": knowledge.count_chunks() if knowledge is not None else 0,
            "documents_fingerprint": self.dataset.documents_fingerprint,
            "questions_fingerprint": self.dataset.questions_fingerprint,
        }

    def _settings_form(self) -> dict[str, Any]:
        profile = self.subject.assistant.profile
        return {
            "mode": self.subject.mode,
            "embedder": embedder_name(profile),
            "splitter": profile.splitter.name if profile.splitter is not None else "default",
            "model": profile.model if self.answers else None,
            "top_k": profile.retrieve.top_k,
            "recall_at": list(self.depths),
            "limit": self.limit,
            "seed": self.seed if self.limit is not None else None,
        }


def run_folder(data: Path) -> RunFolder:
    """Where the runs of an installation with this data folder are kept."""
    return RunFolder(data / "evaluation")
