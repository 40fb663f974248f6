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
    from inglenook.cli import ingestion, outcomes
    from inglenook.cli.consent import with_consent

    assistant = with_consent(session, str(file), lambda: _create(session, name, file))
    with assistant:
        session.terminal.note(f"Created {name}: {assistant.path}")
        if assistant.knowledge is None:
            return 0
        report = with_consent(session, name, lambda: ingestion.read_and_ask(session, assistant))
    table = outcomes.outcome_table(report.results, whole=not session.terminal.out_is_terminal)
    session.terminal.out(f"{table}\n{outcomes.summary(report)}".strip())
    return ingestion.exit_code(report)


def _create(session: Session, name: str, file: Path) -> Assistant:
    from inglenook.cli.ingestion import require_model

    # The model first: a name for what cannot be asked would be no help.
    installation = session.installation
    with installation.assistant_from_file(file) as draft:
        require_model(session, draft)
    return installation.create(name, draft.path or file)
