"""`nook ingest`: read an assistant's new and changed documents."""

from __future__ import annotations

import click

from inglenook.cli.session import Session


@click.command()
@click.argument("name")
@click.option("--retry-failed", is_flag=True, help="Try those again that failed before.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def ingest(session: Session, name: str, retry_failed: bool, as_json: bool) -> int:
    """Read the new and changed documents of the assistant NAME (or of an Assistantfile).

    The exit code is 1 if any document could not be read.
    """
    from inglenook.cli import ingestion
    from inglenook.cli.consent import with_consent

    def work() -> int:
        with session.installation.assistant(name) as assistant:
            report = ingestion.read_documents(session, assistant, retry_failed=retry_failed)
        if as_json:
            session.terminal.json(ingestion.report_form(assistant.name, report))
        else:
            table = ingestion.outcomes(report)
            session.terminal.out(f"{table}\n{ingestion.summary(report)}".strip())
        return ingestion.exit_code(report)

    return with_consent(session, name, work)
