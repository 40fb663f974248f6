"""`nook stop`: let models go that are loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.assistants.warm_upkeep import LoadedModel


@click.command()
@click.argument("name", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Stop every model that is loaded.")
@click.option("--force", is_flag=True, help="Do not wait for answers: they end in an error.")
@click.pass_obj
def stop(session: Session, name: tuple[str, ...], everything: bool, force: bool) -> int:
    """Unload each NAME (a model, or the model of an assistant) in the process that holds it.

    A model that answers somebody goes when that answer is done. The process itself goes on and
    loads the model again when it needs it. `nook ps` shows what is loaded.
    """
    from inglenook.assistants.warm_upkeep import stop_models

    if bool(name) == everything:
        raise click.UsageError("Say which models to stop, or --all.")
    for model in stop_models(session.installation, name, force=force):
        session.terminal.out(_said(model, force=force))
    return 0


def _said(model: LoadedModel, *, force: bool) -> str:
    where = f"{model.process}, process {model.pid}"
    if model.state == "loading" and not force:
        return f"{model.model} ({where}) is being loaded; it goes when it is not needed."
    if model.busy and not force:
        from inglenook.cli.columns import count

        answers = count(model.busy, "question")
        return f"{model.model} ({where}) answers {answers} and goes then; --force ends it now."
    return f"Stopped {model.model} ({where})."
