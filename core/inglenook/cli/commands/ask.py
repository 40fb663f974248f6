"""`nook ask`: one question, one answer with its citations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from inglenook.cli.narrowing import narrowing_from, narrowing_options
from inglenook.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inglenook.types import AskEvent, Notice


@click.command()
@click.argument("name")
@click.argument("question", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.option("--stream", is_flag=True, help="With --json: one event a line, as it happens.")
@click.option("--no-ingest", is_flag=True, help="Do not read documents first, ever.")
@click.option("--extractive", is_flag=True, help="Quote the documents; no model is asked.")
@narrowing_options
@click.pass_obj
def ask(
    session: Session,
    /,
    name: str,
    question: tuple[str, ...],
    as_json: bool,
    stream: bool,
    no_ingest: bool,
    extractive: bool,
    **narrowing: str | tuple[str, ...],
) -> int:
    """Ask NAME (an assistant, an Assistantfile or a model) one question.

    Without QUESTION it is read from standard input. The answer and what it cites are written to
    standard output, everything else to standard error. Documents that were never read are read
    first.
    """
    from inglenook.cli.consent import with_consent
    from inglenook.cli.question import question_from

    if stream and not as_json:
        raise click.UsageError("--stream needs --json.")
    text = question_from(session.terminal, question)
    within = narrowing_from(narrowing)

    def work() -> int:
        from inglenook.cli.answers import events_of, exit_code, print_answer
        from inglenook.cli.ingestion import prepare

        with session.installation.assistant(name) as assistant:
            code = prepare(session, assistant, ingest=not no_ingest, extractive=extractive)
            if code > 1:
                return code
            if as_json:
                notices = _lost_sources(assistant.name) if code else ()
                events = events_of(assistant, text, within=within, extractive=extractive)
                return max(code, _ask_json(session, events, notices, stream=stream))
            answer = print_answer(
                session.terminal, assistant, text, within=within, extractive=extractive
            )
            return max(code, exit_code(answer))

    return with_consent(session, name, work)


def _lost_sources(name: str) -> tuple[Notice, ...]:
    """What tells a program why the exit code is 1 beside a whole answer."""
    from inglenook.types import Notice

    message = f"Some documents could not be read; see: nook ingest {name} --retry-failed"
    return (Notice("sources-failed", message),)


def _ask_json(
    session: Session,
    events: Iterator[AskEvent],
    notices: tuple[Notice, ...],
    *,
    stream: bool,
) -> int:
    from inglenook.assistants.forms import answer_form, event_form
    from inglenook.cli import answers
    from inglenook.types import Answered, Failed

    code = 0
    for notice in notices if stream else ():
        session.terminal.json(event_form(notice), line=True)
    for given in events:
        event = given
        if isinstance(given, Answered):
            whole = replace(given.answer, notices=(*notices, *given.answer.notices))
            event = replace(given, answer=whole)
        if stream:
            session.terminal.json(event_form(event), line=True)
        if isinstance(event, Failed):
            error = answers.error_of(event)
            if not stream:
                raise error
            code = error.exit_code
        elif isinstance(event, Answered):
            code = answers.exit_code(event.answer)
            if not stream:
                session.terminal.json(answer_form(event.answer))
    return code
