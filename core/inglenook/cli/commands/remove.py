"""`nook rm`: take assistants and models away."""

from __future__ import annotations

import click

from inglenook.cli.session import Session


@click.command("rm")
@click.argument("reference", nargs=-1, required=True)
@click.option("--keep-knowledge", is_flag=True, help="Keep what was made of its documents.")
@click.pass_obj
def rm(session: Session, reference: tuple[str, ...], keep_knowledge: bool) -> int:
    """Remove each REFERENCE, an assistant or a model.

    Of an assistant the name goes, the knowledge that was made of its documents, and what was kept
    of prompts for its model. Its Assistantfile and the documents themselves stay where they are.
    """
    from inglenook.errors import InglenookError

    removed = 0
    failure: InglenookError | None = None
    for name in reference:
        try:
            session.terminal.out(_remove(session, name, keep_knowledge=keep_knowledge))
            removed += 1
        except InglenookError as error:
            # The others are removed all the same; the last error is the one that is told.
            if failure is not None:
                session.terminal.error(f"Error: {failure}")
            failure = error
    if failure is None:
        return 0
    if not removed:
        raise failure
    session.terminal.error(f"Error: {failure}")
    return 1


def _remove(session: Session, name: str, *, keep_knowledge: bool) -> str:
    from inglenook.cli.columns import megabytes
    from inglenook.errors import ModelNotFoundError, UnknownNameError

    installation = session.installation
    forgotten = installation.forget(name, keep_knowledge)
    if forgotten is not None:
        also = f" and its knowledge, {forgotten.knowledge}" if forgotten.knowledge else ""
        if freed := forgotten.prompts_bytes:
            also += f" and what was kept of prompts for its model ({megabytes(freed)})"
        return f"Removed the assistant {forgotten.name}{also}; its own files stay."
    try:
        model, freed = installation.remove_model(name)
    except ModelNotFoundError as error:
        raise UnknownNameError(
            f"There is no assistant and no model named '{name}'.",
            hint="`nook list` shows what there is.",
        ) from error
    return f"Removed the model {model} ({megabytes(freed)} freed)."
