"""`nook run`: chat with an assistant or a model, or ask it once."""

from __future__ import annotations

import click

from inglenook.cli.session import Session


@click.command()
@click.argument("name")
@click.argument("prompt", nargs=-1)
@click.pass_obj
def run(session: Session, name: str, prompt: tuple[str, ...]) -> int:
    """Chat with NAME (an assistant, an Assistantfile or a model).

    With PROMPT, or with one on standard input, it answers that and ends. In the chat Ctrl-C stops
    an answer and keeps what was said; /help lists what else can be typed.
    """
    from inglenook.cli.consent import with_consent
    from inglenook.cli.question import question_from

    terminal = session.terminal
    chatting = not prompt and terminal.in_is_terminal
    text = "" if chatting else question_from(terminal, prompt)

    def work() -> int:
        from inglenook.cli import answers
        from inglenook.cli.chat import Chat
        from inglenook.cli.ingestion import prepare

        with session.installation.assistant(name) as assistant:
            code = prepare(session, assistant)
            if code > 1:
                return code
            if chatting:
                with session.installation.lending("nook run") as problem:
                    if problem:
                        terminal.note(f"Note: {problem}")
                    Chat(terminal, assistant).run()
                return 0
            return max(code, answers.exit_code(answers.print_answer(terminal, assistant, text)))

    return with_consent(session, name, work)
