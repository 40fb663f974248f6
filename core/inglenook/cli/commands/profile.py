"""`nook profile`: check an Assistantfile, or write it in its canonical form."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.profiles.validation import Names


@click.group()
def profile() -> None:
    """Check or tidy an Assistantfile; no model is loaded."""


@profile.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print commands and problems as JSON.")
@click.pass_obj
def check(session: Session, file: str, as_json: bool) -> int:
    """Say what is wrong with FILE (an Assistantfile, its folder, or - for standard input).

    The exit code is 2 if any problem is an error.
    """
    from inglenook.profiles.check import check_report, exit_code

    report = check_report(_source(file), _names(session))
    if as_json:
        session.terminal.json(report)
    else:
        _print(session, file, report)
    return exit_code(report)


def _print(session: Session, file: str, report: dict[str, Any]) -> None:
    for problem in report["problems"]:
        place = f"{file}:{problem['line']}:{problem['column']}"
        session.terminal.out(f"{place}: {problem['severity']}: {problem['message']}")
    if not report["problems"]:
        session.terminal.out(f"{file}: nothing is wrong.")


@profile.command("format")
@click.argument("file")
@click.option("--ollama", is_flag=True, help="Write our own instructions as comments.")
@click.pass_obj
def format_(session: Session, file: str, ollama: bool) -> int:
    """Print FILE in canonical form: one order, one spelling; comments are not kept."""
    from inglenook.profiles import parse, validate, write
    from inglenook.profiles.loading import profile_error, read_profile

    source = _source(file)
    data = source if isinstance(source, bytes) else read_profile(source)
    found, problems = validate(parse(data), _names(session))
    if found is None:
        raise profile_error(file, problems)
    session.terminal.out(write(found, ollama=ollama), end="")
    return 0


def _source(file: str) -> Path | bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file)


def _names(session: Session) -> Names:
    """The names of parts that a profile may use."""
    return session.installation.part_names()
