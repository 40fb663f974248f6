"""`nook search`: passages for a query, without asking the model."""

from __future__ import annotations

import click

from inglenook.cli.narrowing import narrowing_from, narrowing_options
from inglenook.cli.session import Session


@click.command()
@click.argument("name")
@click.argument("query", nargs=-1)
@click.option("--limit", type=click.IntRange(1, 100), help="How many passages. [default: top_k]")
@click.option(
    "--mode",
    type=click.Choice(("lexical", "vector", "hybrid")),
    help="How to search. [default: what the Assistantfile says]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the passages as JSON.")
@click.option("--no-ingest", is_flag=True, help="Do not read documents first, ever.")
@narrowing_options
@click.pass_obj
def search(
    session: Session,
    /,
    name: str,
    query: tuple[str, ...],
    limit: int | None,
    mode: str | None,
    as_json: bool,
    no_ingest: bool,
    **narrowing: str | tuple[str, ...],
) -> int:
    """Find passages for QUERY in the documents of NAME. No model is asked.

    Each passage says which words of the query it has, how much words and vectors counted, and
    which other sources say nearly the same. Without QUERY it is read from standard input.
    """
    from inglenook.cli.consent import with_consent
    from inglenook.cli.question import question_from

    text = question_from(session.terminal, query, "query")
    within = narrowing_from(narrowing)

    def work() -> int:
        from inglenook.assistants.forms import VERSION, passage_form
        from inglenook.cli.ingestion import read_first
        from inglenook.cli.terminal import visible

        with session.installation.assistant(name) as assistant:
            code = 0 if no_ingest else read_first(session, assistant)
            if code > 1:
                return code
            found = assistant.search(text, limit=limit, mode=mode, within=within, explain=True)
            for notice in assistant.standing_notices():
                session.terminal.note(f"Note: {visible(notice.message)}")
        if as_json:
            passages = [passage_form(passage) for passage in found]
            session.terminal.json({"version": VERSION, "query": text, "passages": passages})
        else:
            from inglenook.cli.found_passages import pieces

            session.terminal.styled(pieces(found) if found else [("Nothing was found.", "")])
        return code

    return with_consent(session, name, work)
