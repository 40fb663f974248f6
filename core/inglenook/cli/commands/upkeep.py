"""`nook verify` and `nook prune`: look after the model library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.models.library import Library
    from inglenook.types import CancelToken


@click.command()
@click.argument("reference", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@click.pass_obj
def verify(session: Session, reference: tuple[str, ...], as_json: bool) -> int:
    """Read every byte of each model REFERENCE again and compare it with what was fetched.

    Without a REFERENCE all models are checked. The exit code is 1 if one of them is damaged.
    """
    from inglenook.cli.interrupts import stopped_by_interrupt
    from inglenook.types import CancelToken

    cancel = CancelToken()
    library = session.installation.library
    found: list[dict[str, object]] = []
    names = reference or tuple(record.name for record in library.list())
    with stopped_by_interrupt(cancel):
        for name in names:
            session.terminal.status(f"Checking {name}…")
            problem, hint = _problem(library, name, cancel)
            session.terminal.status("")
            found.append({"name": name, "healthy": not problem, "problem": problem, "hint": hint})
            if not as_json:
                session.terminal.out(problem or f"{name} is as it was fetched.")
                if hint:
                    session.terminal.out(f"  {hint}")
    healthy = all(entry["healthy"] for entry in found)
    if as_json:
        from inglenook.assistants.forms import VERSION

        session.terminal.json({"version": VERSION, "healthy": healthy, "models": found})
    elif not found:
        session.terminal.out("There are no models to check.")
    return 0 if healthy else 1


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print what was freed as JSON.")
@click.pass_obj
def prune(session: Session, as_json: bool) -> int:
    """Delete what no model uses any more: files of interrupted pulls and of models that are gone.

    Parts of a pull that was stopped stay, so that it can go on; `nook pull` deletes them.
    """
    from inglenook.cli.columns import megabytes

    freed = session.installation.prune_models()
    if as_json:
        from inglenook.assistants.forms import VERSION

        session.terminal.json({"version": VERSION, "freed_bytes": freed})
    else:
        session.terminal.out(
            f"{megabytes(freed)} freed." if freed else "There was nothing to free."
        )
    return 0


def _problem(library: Library, name: str, cancel: CancelToken) -> tuple[str, str]:
    """What is wrong with a model, and what to do; "" and "" for nothing."""
    from inglenook.errors import Cancelled, ModelBrokenError

    def between() -> None:
        if cancel.cancelled:
            raise Cancelled

    try:
        between()
        library.verify(name, between)
    except ModelBrokenError as error:
        return error.message, error.hint
    return "", ""
