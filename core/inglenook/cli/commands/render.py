"""`nook render`: the exact prompt that the model would get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from inglenook.cli.narrowing import narrowing_from, narrowing_options
from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.assistants.rendering import PromptView
    from inglenook.cli.terminal import Terminal


@click.command()
@click.argument("name")
@click.argument("question", nargs=-1)
@click.option("--no-passages", is_flag=True, help="Look into no documents.")
@click.option("--no-ingest", is_flag=True, help="Do not read documents first, ever.")
@click.option("--json", "as_json", is_flag=True, help="Print the prompt as JSON.")
@narrowing_options
@click.pass_obj
def render(
    session: Session,
    /,
    name: str,
    question: tuple[str, ...],
    no_passages: bool,
    no_ingest: bool,
    as_json: bool,
    **narrowing: str | tuple[str, ...],
) -> int:
    """Print the prompt that the model of NAME would get for QUESTION; nothing is generated.

    It has the system prompt, the passages that were found, and the template with its control
    tokens, which stand out on a terminal. Without QUESTION it is what every prompt begins with.
    Where a server renders prompts itself, the messages are printed instead. The number of tokens
    goes to standard error. Elsewhere than on a terminal the text is exactly the prompt.
    """
    from inglenook.cli.consent import with_consent
    from inglenook.cli.question import question_from

    text = question_from(session.terminal, question) if question else None
    within = narrowing_from(narrowing)

    def work() -> int:
        from inglenook.cli.ingestion import read_first, require_model

        with session.installation.assistant(name) as assistant:
            if assistant.needs_model:
                require_model(session, assistant)
            looks = text is not None and not no_passages and not no_ingest
            code = read_first(session, assistant) if looks else 0
            if code > 1:
                return code
            view = assistant.prompt_for(text, within=within, passages=not no_passages)
            shown = assistant.name
        if as_json:
            session.terminal.json(_form(shown, text, view))
        else:
            _print(session.terminal, view)
        return code

    return with_consent(session, name, work)


def _print(terminal: Terminal, view: PromptView) -> None:
    from inglenook.cli.terminal import visible

    for notice in view.notices:
        terminal.note(f"Note: {visible(notice.message)}")
    if view.why:
        terminal.note(f"No model is asked: {view.why}.")
        if view.instead:
            terminal.note(f"The answer is: {visible(view.instead)}")
        return
    if view.spans and terminal.out_is_terminal:
        terminal.styled((span.text, "match" if span.control else "") for span in view.spans)
    elif view.spans:
        terminal.out(view.text, end="")
    else:
        for message in view.messages:
            terminal.out(f"{message.role}: {message.text}")
    terminal.note(_count(view))


def _count(view: PromptView) -> str:
    from inglenook.cli.columns import count

    about = "" if view.exact else "About "
    of = f" of {view.context_length:,}" if view.context_length else ""
    room = f"; {view.room:,} are left for the answer" if view.context_length else ""
    passages = f", {count(len(view.passages), 'passage')} among them" if view.passages else ""
    return f"{about}{count(view.tokens, 'token')}{of}{passages}{room}."


def _form(name: str, question: str | None, view: PromptView) -> dict[str, Any]:
    from inglenook.assistants.forms import VERSION, passage_form, plain

    return {
        "version": VERSION,
        "assistant": name,
        "question": question,
        "prompt": view.text if view.spans else None,
        "spans": [plain(span) for span in view.spans],
        "messages": [{"role": m.role, "text": m.text} for m in view.messages],
        "tokens": view.tokens if not view.why else None,
        "exact": view.exact,
        "context_length": view.context_length or None,
        "room": view.room if not view.why else None,
        "passages": [passage_form(passage) for passage in view.passages],
        "notices": [plain(notice) for notice in view.notices],
        "instead": view.instead,
        "why": view.why,
    }
