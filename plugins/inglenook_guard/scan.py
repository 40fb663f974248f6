"""The command `scan`: what the filters find in files, with place and offset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inglenook.errors import Cancelled, LoadError, UserError
from inglenook.protocols import CommandContext, Filter
from inglenook.types import Action, CancelToken, FilterContext, Notice, Output, Section, Span, Stage

__all__ = ["ScanCommand"]

_SHOWN_CHARACTERS = 60


class ScanCommand:
    """Reads each file with its loader and lists what each filter finds.

    Arguments: `files`, `filters` (names) and `stage`. A row's data has `file`, `filter`, `label`,
    `rule`, `score`, `locator`, `start` and `end`; the offsets count from the start of the place.
    The exit code is 1 if anything was found or a file could not be read.
    """

    def run(
        self, arguments: Mapping[str, Any], context: CommandContext, cancel: CancelToken
    ) -> Iterable[Output]:
        """Yield a row for each finding and one that sums up."""
        files = [Path(file) for file in arguments.get("files") or ()]
        if not files:
            raise UserError("scan needs files to read.", hint="For example: nook scan notes.md")
        names = tuple(arguments.get("filters") or ("markup",))
        filters = {name: context.make_filter(name, {}) for name in names}
        stage = Stage(arguments.get("stage") or Stage.CONTEXT)
        return _scan(files, filters, stage, context, cancel)


def _scan(
    files: Sequence[Path],
    filters: Mapping[str, Filter],
    stage: Stage,
    context: CommandContext,
    cancel: CancelToken,
) -> Iterator[Output]:
    found = unread = 0
    for file in files:
        try:
            for item in context.load_text(file):
                if cancel.cancelled:
                    raise Cancelled
                if isinstance(item, Notice):
                    yield _noted(file, item)
                    continue
                for row in _rows(file, item, filters, stage):
                    found += 1
                    yield row
        except (LoadError, UserError) as error:
            unread += 1
            yield _unread(file, error)
    yield _summary(len(files), found, unread)


def _rows(
    file: Path, section: Section, filters: Mapping[str, Filter], stage: Stage
) -> Iterator[Output]:
    judged = FilterContext(stage, source=str(file))
    for name, filter in filters.items():
        verdict = filter.check(section.text, judged)
        for span in verdict.spans:
            yield _finding(file, section, name, span)
        if not verdict.spans and verdict.action is not Action.ALLOW:
            whole = Span(0, len(section.text), verdict.reason or "text")
            yield _finding(file, section, name, whole)


def _finding(file: Path, section: Section, name: str, span: Span) -> Output:
    start, end = section.start + span.start, section.start + span.end
    place = f"{file}: {section.locator}".rstrip(" :")
    shown = span.replacement
    if len(shown) > _SHOWN_CHARACTERS:
        shown = shown[:_SHOWN_CHARACTERS] + "…"
    # Only the replacement is shown: the text itself is what must not reach a terminal.
    what = f"{span.label} ({span.rule})" if span.rule else span.label
    return Output(
        f"{place}, characters {start} to {end}: {what} {shown!r}".removesuffix(" ''"),
        {
            "file": str(file),
            "filter": name,
            "label": span.label,
            "rule": span.rule,
            "score": span.score,
            "locator": {"kind": section.locator.kind, "value": section.locator.value},
            "start": start,
            "end": end,
        },
        exit_code=1,
    )


def _noted(file: Path, notice: Notice) -> Output:
    return Output(
        f"{file}: {notice.message}",
        {"file": str(file), "notice": notice.code, "message": notice.message},
    )


def _unread(file: Path, error: LoadError | UserError) -> Output:
    data = {"file": str(file), "error": type(error).__name__, "message": error.message}
    return Output(f"{file}: not read: {error}", data, exit_code=1)


def _summary(files: int, found: int, unread: int) -> Output:
    text = f"{_count(found, 'finding')} in {_count(files, 'file')}"
    if unread:
        text += f"; {_count(unread, 'file')} could not be read"
    return Output(
        text, {"files": files, "findings": found, "unread": unread}, int(found + unread > 0)
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
