"""How runs of `nook eval` look in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from inglenook.cli.columns import columns, count, shortened
from inglenook.cli.terminal import visible

if TYPE_CHECKING:
    from inglenook.evaluation.comparing import Comparison, Difference
    from inglenook.evaluation.runs import Run

__all__ = ["comparison_text", "list_text", "run_text"]

_CHANGED_SHOWN = 5
_CHANGES_SHOWN = 12
_QUESTION = 80
_VALUE = 40


def run_text(run: Run) -> str:
    """The measures of a run, with what was asked of whom."""
    return "\n".join((_heading(run), "", _measures(run)))


def _heading(run: Run) -> str:
    subject, settings = run.subject, run.settings
    split = f" ({subject['split']})" if subject["split"] else ""
    questions = count(subject["questions"], "question")
    if subject["drawn_from"] > subject["questions"]:
        questions += f" drawn from {subject['drawn_from']:,} by seed {settings['seed']}"
    parts = [f"mode {settings['mode']}", f"embedder {settings['embedder']}"]
    if settings["model"]:
        parts.append(f"model {settings['model']}")
    documents = f"{count(subject['sources'], 'document')}, {count(subject['chunks'], 'chunk')}"
    return f"{visible(subject['name'])}{split}: {questions}; {documents}\n{', '.join(parts)}"


def _measures(run: Run) -> str:
    from inglenook.evaluation.measures import kind_of

    rows = [
        (kind_of(name).title, f"{e.value:.4f}", f"{e.low:.4f} to {e.high:.4f}", f"{e.n:,}")
        for name, e in run.measures.items()
    ]
    if not rows:
        return "Nothing could be measured: these questions need a model that answers them."
    return columns(("MEASURE", "MEAN", "95% INTERVAL", "N"), rows)


def comparison_text(comparison: Comparison) -> str:
    """How a run differs from an earlier one."""
    from inglenook.evaluation.measures import kind_of

    rows = [
        (
            kind_of(one.measure).title,
            f"{one.before:.4f}",
            f"{one.now:.4f}",
            f"{one.difference.value:+.4f}",
            f"{one.difference.low:+.4f} to {one.difference.high:+.4f}",
            _verdict(one),
        )
        for one in comparison.differences
    ]
    head = ("MEASURE", "BEFORE", "NOW", "DIFFERENCE", "95% INTERVAL", "")
    lines = [f"Against {comparison.before}", *comparison.notices, "", columns(head, rows)]
    if comparison.changes:
        lines += ["", "What was different:", *_changes(comparison)]
    for one in comparison.differences:
        lines += _changed(one)
    return "\n".join(lines)


def _verdict(one: Difference) -> str:
    if not one.is_certain:
        return "may be chance"
    return "better" if one.is_better else "worse"


def _changes(comparison: Comparison) -> Iterator[str]:
    items = list(comparison.changes.items())
    for name, (before, now) in items[:_CHANGES_SHOWN]:
        yield f"  {name}: {shortened(before, _VALUE)} → {shortened(now, _VALUE)}"
    if len(items) > _CHANGES_SHOWN:
        yield f"  … and {len(items) - _CHANGES_SHOWN} more; --json has them all."


def _changed(one: Difference) -> Iterator[str]:
    from inglenook.evaluation.measures import kind_of

    for word, changed in (("worse", one.worse), ("better", one.better)):
        if not changed:
            continue
        title = kind_of(one.measure).title
        yield from ("", f"{title}, {word}: {count(len(changed), 'question')}")
        for question in changed[:_CHANGED_SHOWN]:
            asked = visible(shortened(question.question, _QUESTION))
            yield f"  {question.before:.2f} → {question.now:.2f}  {asked}"
        if len(changed) > _CHANGED_SHOWN:
            yield f"  … and {len(changed) - _CHANGED_SHOWN} more; --html and --json have them."


def list_text(runs: Sequence[Run]) -> str:
    """All runs, a line each, oldest first."""
    rows = [
        (
            run.id,
            visible(str(run.subject.get("name", ""))),
            str(run.settings.get("mode", "")),
            str(run.settings.get("embedder") or ""),
            str(run.settings.get("model") or ""),
            f"{run.subject.get('questions', 0):,}",
            *(_mean(run, name) for name in ("ndcg@10", "answer_f1")),
        )
        for run in runs
    ]
    head = ("RUN", "OF", "MODE", "EMBEDDER", "MODEL", "QUESTIONS", "NDCG@10", "F1")
    return columns(head, rows) if rows else "No runs yet. Make one with: nook eval NAME"


def _mean(run: Run, measure: str) -> str:
    found = run.measures.get(measure)
    return f"{found.value:.4f}" if found is not None else ""
