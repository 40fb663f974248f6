"""Asks for the passwords of documents that turned out to be encrypted, and reads those again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from inglenook.cli.columns import count
from inglenook.cli.terminal import visible
from inglenook.types import IngestReport, SourceResult, encrypted_part

if TYPE_CHECKING:
    from inglenook.assistants.passwords import Passwords
    from inglenook.cli.ingestion import Reading
    from inglenook.cli.terminal import Terminal

__all__ = ["with_passwords"]

MOST_TRIES = 3


def with_passwords(
    terminal: Terminal,
    passwords: Passwords,
    first: Reading,
    read_again: Callable[[Collection[str]], IngestReport],
) -> IngestReport:
    """The report of a reading, after every document that a typed password opens was read too.

    Only documents that were found encrypted just now are asked for. A password is tried on all of
    them, for people use one for many.

    Args:
        terminal: Where a person sits.
        passwords: What the reading asks.
        first: The reading.
        read_again: Reads the sources with these paths.
    """
    failed_before = {step.path for step in first.plan.steps if step.task == "still-failed"}
    results = {result.path: result for result in first.report.results}
    locked = {
        path: result
        for path, result in results.items()
        if result.needs_password and path not in failed_before
    }
    report, tries = first.report, Counter[str]()
    while locked and not report.cancelled:
        path, result = next(iter(locked.items()))
        locked_thing = _locked_thing(result)
        to_skip = "Enter to skip" + (f", Ctrl-D all {len(locked):,}" if len(locked) > 1 else "")
        typed = terminal.secret(f"Password for {locked_thing} ({to_skip}):")
        if typed is None:
            break
        if not typed:
            del locked[path]
            continue
        tries[path] += 1
        passwords.typed(Path(path), typed)
        report = read_again(tuple(locked))
        read = {r.path: r for r in report.results if r.path in locked and r.outcome != "unchanged"}
        results |= read
        opened = [
            r for r in read.values() if r.outcome in ("added", "updated") and not r.needs_password
        ]
        _keep(terminal, passwords, opened)
        for one in opened:
            del locked[one.path]
        if path in locked and not report.cancelled:
            terminal.note(f"That is not the password of {locked_thing}.")
            if tries[path] >= MOST_TRIES:
                del locked[path]
    return _merged(first.report, report, results)


def _locked_thing(result: SourceResult) -> str:
    """What is locked, by name: the source, or files in it."""
    parts = list(dict.fromkeys(filter(None, map(encrypted_part, result.notices))))
    if not parts:
        return visible(result.name)
    more = f" and {count(len(parts) - 1, 'other')}" if len(parts) > 1 else ""
    return f"{visible(parts[0])}{more} in {visible(result.name)}"


def _keep(terminal: Terminal, passwords: Passwords, opened: Collection[SourceResult]) -> None:
    """Offer to keep the password for the documents that it opened."""
    if not opened or not passwords.can_keep:
        return
    which = f" for {count(len(opened), 'document')}" if len(opened) > 1 else ""
    if not terminal.confirm(f"It was right. Keep it in the system keyring{which}?"):
        return
    kept = [passwords.keep(Path(result.path)) for result in opened]
    if not all(kept):
        terminal.error("The keyring did not take it.")


def _merged(
    first: IngestReport, last: IngestReport, results: dict[str, SourceResult]
) -> IngestReport:
    """The first report, with what was read after it in its place."""
    if last is first:
        return first
    return replace(
        last,
        results=tuple(results[result.path] for result in first.results),
        seconds=first.seconds + last.seconds,
        notices=first.notices,
    )
