"""`nook tokens`: how many tokens a text has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.assistants.token_counting import TokenCount
    from inglenook.cli.terminal import Terminal


@click.command()
@click.argument("name")
@click.argument("text", nargs=-1)
@click.option(
    "--file", "path", type=click.Path(path_type=Path), help="Count the text of this file."
)
@click.option("--ids", is_flag=True, help="Print each token, its id and its text.")
@click.option(
    "--special", is_flag=True, help="Take texts of control tokens for these, as a template does."
)
@click.option("--json", "as_json", is_flag=True, help="Print the count as JSON.")
@click.pass_obj
def tokens(
    session: Session,
    name: str,
    text: tuple[str, ...],
    path: Path | None,
    ids: bool,
    special: bool,
    as_json: bool,
) -> int:
    """Count the tokens of TEXT with the tokenizer of NAME, a model or an assistant's.

    Without TEXT, or with `-`, standard input is counted as it is, its last newline too. Nothing is
    added: no template, no begin token. An embedder counts as it does when it cuts documents.
    """
    from inglenook.assistants.token_counting import count_tokens
    from inglenook.cli.consent import with_consent

    if text and path is not None:
        raise click.UsageError("Give TEXT or --file, not both.")
    given = _given(session.terminal, text, path)

    def work() -> int:
        found = count_tokens(session.installation, name, given, special=special, ids=ids)
        if as_json:
            from inglenook.assistants.forms import VERSION, plain

            session.terminal.json({"version": VERSION, **plain(found)})
        else:
            _print(session.terminal, found, ids=ids)
        return 0

    return with_consent(session, name, work)


def _given(terminal: Terminal, words: tuple[str, ...], path: Path | None) -> str:
    """The text to count. Raises `UserError` for what is no text."""
    from inglenook.errors import UserError

    if words and words != ("-",):
        return " ".join(words)
    if path is None and terminal.in_is_terminal and not words:
        raise click.UsageError(
            "There is no text. Give it as an argument, by --file, or pipe it in."
        )
    where = "Standard input" if path is None else str(path)
    try:
        if path is not None:
            data = path.expanduser().read_bytes()
        else:
            data = sys.stdin.buffer.read() if sys.stdin is not None else b""
    except OSError as error:
        raise UserError(f"{where} cannot be read: {error.strerror}.") from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{where} is not UTF-8: {error.reason} at byte {error.start}.",
            hint="Convert it, for example with: iconv -t UTF-8",
        ) from error


def _print(terminal: Terminal, found: TokenCount, *, ids: bool) -> None:
    from inglenook.cli.columns import count

    if ids and found.ids is not None:
        for number, id in enumerate(found.ids):
            piece = f"\t{found.pieces[number]!r}" if found.pieces is not None else ""
            terminal.out(f"{id}{piece}")
        terminal.note(f"{count(found.count, 'token')} of {found.model}.")
        return
    terminal.out(str(found.count))
    if not found.exact:
        terminal.note("This is an estimate: the model runs elsewhere and does not count.")
