"""How events read on the screen: one line of plain text each."""

from __future__ import annotations

from collections.abc import Sequence

from inglenook.types import (
    Action,
    Citation,
    Finding,
    IngestProgress,
    IngestReport,
    Passage,
    SourceResult,
    StopReason,
    Usage,
)

__all__ = [
    "END_REMARKS",
    "citation_numbers",
    "finding_line",
    "place",
    "progress_line",
    "report_line",
    "source_line",
    "usage_line",
]

END_REMARKS: dict[StopReason, str] = {
    "cancelled": "stopped",
    "length": "cut off: the answer reached its greatest length",
    "content_filter": "stopped by a filter",
}
"""What is said of an answer that did not end by itself."""

_DONE = {
    Action.ALLOW: "allowed",
    Action.FLAG: "marked",
    Action.REDACT: "took out",
    Action.QUARANTINE: "set aside a text with",
    Action.BLOCK: "stopped",
}


def place(passage: Passage | Citation) -> str:
    """Where it stands, such as `security_protocols.pdf page 10`."""
    return f"{passage.source} {passage.locator}".strip()


def citation_numbers(passages: Sequence[Passage]) -> dict[str, int]:
    """Chunk -> its number, the same in the answer and in the list of passages."""
    return {chunk: number for number, p in enumerate(passages, 1) for chunk in p.chunks}


def usage_line(usage: Usage) -> str:
    """Tokens and speed, such as `41 tokens · 38 tok/s · prompt 812 (600 reused) · 11.2 s`."""
    parts = []
    if usage.completion_tokens is not None:
        parts.append(f"{usage.completion_tokens} tokens")
        if usage.completion_s > 0:
            speed = usage.completion_tokens / usage.completion_s
            parts.append(f"{speed:.0f} tok/s" if speed >= 10 else f"{speed:.1f} tok/s")
    if usage.prompt_tokens is not None:
        reused = f" ({usage.cached_tokens} reused)" if usage.cached_tokens else ""
        parts.append(f"prompt {usage.prompt_tokens}{reused}")
    seconds = usage.prompt_s + usage.completion_s
    if seconds > 0:
        parts.append(f"{seconds:.1f} s")
    return " · ".join(parts)


def finding_line(finding: Finding) -> str:
    """What a filter did and where."""
    where = f" in {finding.source}" if finding.source else f" ({finding.stage.value})"
    why = f": {finding.reason}" if finding.reason else ""
    return f"filter {finding.filter} {_DONE[finding.action]} {finding.label}{where}{why}"


def progress_line(progress: IngestProgress, width: int = 16) -> str:
    """How far reading the documents is, with a small bar."""
    filled = width * progress.done // max(1, progress.total)
    bar = "━" * filled + "╌" * (width - filled)
    counts = f"{progress.done}/{progress.total} · {progress.chunks} chunks"
    return f"Reading documents {bar} {counts} · {progress.name}"


def report_line(report: IngestReport) -> str:
    """How reading the documents ended."""
    failed = sum(r.outcome in ("failed", "quarantined") for r in report.results)
    said = f"Read {report.sources} sources, {report.chunks} chunks, in {report.seconds:.1f} s"
    if failed:
        said += f"; {failed} could not be used"
    return said + ("; stopped before the end." if report.cancelled else ".")


def source_line(result: SourceResult) -> str:
    """Why a source could not be used."""
    why = " · ".join(part for part in (result.reason, result.message) if part)
    return f"{result.name}: {result.outcome}" + (f" ({why})" if why else "")
