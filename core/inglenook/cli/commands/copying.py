"""`nook cp`: another name for a model."""

from __future__ import annotations

import click

from inglenook.cli.session import Session


@click.command()
@click.argument("source")
@click.argument("destination")
@click.option("--force", is_flag=True, help="Replace another model of that name.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_obj
def cp(session: Session, source: str, destination: str, force: bool, as_json: bool) -> int:
    """Give the model SOURCE the name DESTINATION too.

    Both names share the files, so this takes no room. A model of another program's store, such as
    Ollama's, is copied into the library and checked. Where another model has the name already, a
    terminal is asked; elsewhere --force is needed.
    """
    from inglenook.cli.columns import megabytes
    from inglenook.cli.interrupts import stopped_by_interrupt
    from inglenook.cli.progress import Progress
    from inglenook.errors import Cancelled
    from inglenook.models.copying import Copied
    from inglenook.types import CancelToken

    installation = session.installation
    _require_model(session, source)
    if not force:
        _ask_to_replace(session, source, destination)
    cancel, done = CancelToken(), None
    with stopped_by_interrupt(cancel), Progress(session.terminal, unit="bytes") as progress:
        for event in installation.copy_model(source, destination, cancel):
            if isinstance(event, Copied):
                done = event
            else:
                progress.show(event.part, event.done_bytes, event.total_bytes)
    if done is None:
        raise Cancelled
    if as_json:
        from inglenook.assistants.forms import VERSION

        form = {"source": done.source, "destination": done.record.name}
        rest = {"already_there": done.already_there, "copied_bytes": done.copied_bytes}
        session.terminal.json({"version": VERSION, **form, **rest})
    elif done.already_there:
        session.terminal.out(f"{done.record.name} is that model already.")
    else:
        how = f" ({megabytes(done.copied_bytes)} copied)" if done.copied_bytes else ""
        session.terminal.out(f"{done.record.name} is {done.source} now{how}.")
    return 0


def _require_model(session: Session, source: str) -> None:
    from inglenook.errors import UserError

    assistant = session.installation.registration(source)
    if assistant is not None and not session.installation.library.has(source):
        raise UserError(
            f"'{source}' is an assistant; only models are copied.",
            hint=f"Give its Assistantfile another name: nook create NAME -f {assistant.path}",
        )


def _ask_to_replace(session: Session, source: str, destination: str) -> None:
    """Have a person agree that another model gives way. Raises `UserError` if none does."""
    from inglenook.errors import UserError

    library = session.installation.library
    there = library.stored_exactly(destination)
    if there is None or there.digest == library.stored(source).digest:
        return
    whose = "" if there.root == library.root else f" in the store {there.root}"
    question = f"There is another model named {there.name}{whose}."
    if session.terminal.interactive and session.terminal.confirm(f"{question} Replace it?"):
        return
    raise UserError(question, hint="Choose another name, or replace it with --force.")
