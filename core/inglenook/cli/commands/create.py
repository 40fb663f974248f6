"""`nook create`: register an Assistantfile under a name and read its documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.assistants.assistant import Assistant


@click.command()
@click.argument("name")
@click.option(
    "-f",
    "--file",
    "file",
    metavar="PATH",
    default=".",
    type=click.Path(path_type=Path),
    help="The Assistantfile, or its folder. [default: ./Assistantfile, else ./Modelfile]",
)
@click.pass_obj
def create(session: Session, name: str, file: Path) -> int:
    """Make the assistant NAME from an Assistantfile and read its documents.

    The file and the documents stay where they are; NAME refers to them. The same NAME again
    replaces what it refers to.
    """
    from inglenook.cli import ingestion
    from inglenook.cli.consent import with_consent

    assistant = with_consent(session, str(file), lambda: _create(session, name, file))
    with assistant:
        session.terminal.note(f"Created {name}: {assistant.path}")
        if assistant.knowledge is None:
            return 0
        reading = with_consent(session, name, lambda: ingestion.read_and_ask(session, assistant))
    ingestion.show_report(session, name, reading)
    return ingestion.exit_code(reading.report)


def _create(session: Session, name: str, file: Path) -> Assistant:
    from inglenook.cli.ingestion import require_model

    # The model first: a name for what cannot be asked would be no help.
    installation = session.installation
    with installation.assistant_from_file(file) as draft:
        require_model(session, draft)
    return installation.create(name, draft.path or file)
