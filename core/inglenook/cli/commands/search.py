"""`nook search`: passages for a query, without asking the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.types import Passage

_TEXT = 300


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
@click.pass_obj
def search(
    session: Session,
    name: str,
    query: tuple[str, ...],
    limit: int | None,
    mode: str | None,
    as_json: bool,
    no_ingest: bool,
) -> int:
    """Find passages for QUERY in the documents of NAME. No model is asked.

    Without QUERY it is read from standard input.
    """
    from inglenook.cli.consent import with_consent
    from inglenook.cli.question import question_from

    text = question_from(session.terminal, query, "query")

    def work() -> int:
        from inglenook.assistants.forms import VERSION, passage_form
        from inglenook.cli.ingestion import read_first

        with session.installation.assistant(name) as assistant:
            code = 0 if no_ingest else read_first(session, assistant)
            if code > 1:
                return code
            found = assistant.search(text, limit=limit, mode=mode)
        if as_json:
            passages = [passage_form(passage) for passage in found]
            session.terminal.json({"version": VERSION, "query": text, "passages": passages})
        else:
            session.terminal.out(_listed(found) or "Nothing was found.")
        return code

    return with_consent(session, name, work)


def _listed(found: tuple[Passage, ...]) -> str:
    from inglenook.cli.columns import shortened
    from inglenook.cli.terminal import visible

    return "\n\n".join(
        f"{number}. {visible(f'{p.source}, {p.locator}'.rstrip(', '))} (score {p.score:.2f})\n"
        f"   {shortened(p.text, _TEXT)}"
        for number, p in enumerate(found, 1)
    )
