"""Fetches a model and shows how far it is; the hosts are named before anything is contacted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from inglenook.cli.columns import count, megabytes
from inglenook.cli.interrupts import stopped_by_interrupt
from inglenook.cli.progress import Progress
from inglenook.cli.transfer_rate import TransferRate
from inglenook.errors import PullError
from inglenook.models.pull import Preparing, Pulled, PullEvent, PullPlan, PullWishes, Verifying
from inglenook.types import CancelToken, FetchProgress, Notice

if TYPE_CHECKING:
    from inglenook.cli.session import Session

__all__ = ["pull_model"]


def pull_model(
    session: Session, reference: str, source: str | None, wishes: PullWishes | None = None
) -> Pulled:
    """Bring a model here. Raises `InglenookError`; what was fetched and checked stays."""
    cancel = CancelToken()
    with stopped_by_interrupt(cancel):
        done = _follow(session, session.installation.pull(reference, cancel, source, wishes))
    terminal = session.terminal
    if done.already_there:
        terminal.out(f"{done.record.name} is already here.")
    else:
        terminal.out(f"{done.record.name} is here ({megabytes(done.record.size_bytes)}).")
    return done


def _follow(session: Session, events: Iterator[PullEvent]) -> Pulled:
    rate = TransferRate()
    with Progress(session.terminal, unit="bytes") as progress:
        for event in events:
            if isinstance(event, PullPlan):
                progress.note(_plan(event))
            elif isinstance(event, FetchProgress):
                speed = rate.at(event.part, event.done_bytes, event.total_bytes)
                detail = f"{speed} ·" if speed else ""
                progress.show(event.part, event.done_bytes, event.total_bytes, detail)
            elif isinstance(event, Verifying):
                progress.show(f"checking {event.name}", 0, 0)
            elif isinstance(event, Preparing):
                progress.note(
                    f"Making {event.reference} ready for this processor; this is done once."
                )
            elif isinstance(event, Notice):
                progress.note(event.message)
            else:
                return event
    raise PullError("The pull ended without a model.", hint="Run it again.")


def _plan(plan: PullPlan) -> str:
    where = f"from {', '.join(plan.hosts)} ({plan.scheme})" if plan.hosts else f"by {plan.scheme}"
    kept = f", {count(plan.kept_parts, 'part')} already here" if plan.kept_parts else ""
    licence = f" Licence: {plan.licence}." if plan.licence else ""
    return (
        f"Fetching {plan.reference} {where}: {megabytes(plan.download_bytes)} in "
        f"{count(plan.parts, 'part')}{kept}.{licence}"
    )
