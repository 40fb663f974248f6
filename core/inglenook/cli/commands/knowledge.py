"""`nook kb`: look after what was made of an assistant's documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.types import KnowledgeStatus


@click.group()
def kb() -> None:
    """Look after an assistant's knowledge base: what was made of its documents."""


@kb.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print the state as JSON.")
@click.pass_obj
def status(session: Session, name: str, as_json: bool) -> int:
    """Say what the knowledge base of NAME holds, what is missing, and whether it is in order.

    The whole catalog is read to find damage. The exit code is 1 if there is a problem; documents
    that could not be read or have changed are none.
    """
    from inglenook.cli.consent import with_consent

    def work() -> int:
        with session.installation.assistant(name) as assistant:
            found = assistant.knowledge_status()
        if as_json:
            session.terminal.json(_status_form(assistant.name, found))
        else:
            from inglenook.cli.knowledge_status import status_text

            width = session.terminal.out_columns
            session.terminal.out(status_text(assistant.name, found, name, width))
        return 1 if found.problems else 0

    return with_consent(session, name, work)


@kb.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_obj
def rebuild(session: Session, name: str, as_json: bool) -> int:
    """Build the vector store of NAME anew from its catalog. Nothing is read or embedded again."""
    from inglenook.cli.columns import count
    from inglenook.cli.interrupts import stopped_by_interrupt
    from inglenook.types import CancelToken

    cancel = CancelToken()
    with session.installation.assistant(name) as assistant, stopped_by_interrupt(cancel):
        session.terminal.status("Building the vector store…")
        vectors, seconds = assistant.rebuild_store(cancel)
        session.terminal.status("")
    if as_json:
        session.terminal.json(_form(assistant.name, vectors=vectors, seconds=seconds))
    else:
        session.terminal.out(
            f"The vector store of {assistant.name} was built anew: "
            f"{count(vectors, 'vector')} in {seconds:.1f} s."
        )
    return 0


@kb.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_obj
def vacuum(session: Session, name: str, as_json: bool) -> int:
    """Free the disk space that the knowledge base of NAME no longer uses.

    That is what documents left that are gone or have changed: in the catalog, in the cache of
    embeddings that all assistants share, and in the vector store, which is built anew if much of it
    is dead; and stores and catalogs that were set aside.
    """
    from inglenook.cli.columns import megabytes

    with session.installation.assistant(name) as assistant:
        session.terminal.status("Freeing space…")
        freed = max(0, assistant.vacuum_knowledge())
        session.terminal.status("")
    if as_json:
        session.terminal.json(_form(assistant.name, freed_bytes=freed))
    else:
        session.terminal.out(
            f"{megabytes(freed)} freed." if freed else "There was nothing to free."
        )
    return 0


def _form(name: str, **values: Any) -> dict[str, Any]:
    from inglenook.assistants.forms import VERSION

    return {"version": VERSION, "assistant": name, **values}


def _status_form(name: str, found: KnowledgeStatus) -> dict[str, Any]:
    from inglenook.assistants.forms import plain

    failed = [
        {"name": source, "reason": reason, "message": message}
        for source, reason, message in found.failed
    ]
    return _form(name, healthy=not found.problems, **{**plain(found), "failed": failed})
