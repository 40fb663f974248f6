"""`nook ingest`: read an assistant's new and changed documents, once or as they change."""

from __future__ import annotations

import click

from inglenook.cli.session import Session


@click.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--retry-failed", is_flag=True, help="Try those again that failed before.")
@click.option("--watch", is_flag=True, help="Go on reading whatever changes, until Ctrl-C.")
@click.option("-v", "--verbose", is_flag=True, help="List every document, and show every note.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def ingest(
    session: Session,
    name: str,
    dry_run: bool,
    retry_failed: bool,
    watch: bool,
    verbose: bool,
    as_json: bool,
) -> int:
    """Read the new and changed documents of the assistant NAME (or of an Assistantfile).

    Ctrl-C finishes the documents in hand and stops; run it again to go on. Of an encrypted
    document the password is looked up in the system keyring (`keyring set inglenook PATH` puts
    it there) and asked for on a terminal.

    With --watch it first catches up, then waits for changes; what could not be read for a reason
    that may pass is tried again after a while. With --json each run is one line.

    The exit code is 1 if any document, or a part of one, could not be read. Watching ends with 130
    after Ctrl-C, and with 0 after the signal to terminate.
    """
    from inglenook.cli.consent import with_consent

    if dry_run and watch:
        raise click.UsageError("--dry-run and --watch do not go together.")

    def work() -> int:
        if dry_run:
            return _plan(session, name, retry_failed, verbose, as_json)
        if watch:
            from inglenook.cli.watching import watch_documents

            return watch_documents(
                session, name, retry_failed=retry_failed, verbose=verbose, as_json=as_json
            )
        return _read(session, name, retry_failed, verbose, as_json)

    return with_consent(session, name, work)


def _plan(session: Session, name: str, retry_failed: bool, verbose: bool, as_json: bool) -> int:
    from inglenook.cli.outcomes import plan_form, plan_table
    from inglenook.cli.terminal import visible

    terminal = session.terminal
    with session.installation.assistant(name) as assistant:
        plan = assistant.plan(retry_failed=retry_failed)
    for notice in plan.notices:
        terminal.note(visible(notice.message))
    if as_json:
        terminal.json(plan_form(assistant.name, plan))
    else:
        whole = verbose or not terminal.out_is_terminal
        terminal.out(plan_table(plan, whole=whole, width=terminal.out_columns))
    return 0


def _read(session: Session, name: str, retry_failed: bool, verbose: bool, as_json: bool) -> int:
    from inglenook.cli import ingestion
    from inglenook.cli.outcomes import report_form

    with session.installation.assistant(name) as assistant:
        if as_json:
            reading = ingestion.read_documents(
                session, assistant, retry_failed=retry_failed, verbose=verbose
            )
        else:
            reading = ingestion.read_and_ask(
                session, assistant, retry_failed=retry_failed, verbose=verbose
            )
    if as_json:
        session.terminal.json(report_form(assistant.name, reading.report))
    else:
        ingestion.show_report(session, name, reading, verbose=verbose)
    return ingestion.exit_code(reading.report)
