"""The options that narrow a question down to some documents, the same for every command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from inglenook.types import Narrowing

__all__ = ["narrowing_from", "narrowing_options"]

_Command = TypeVar("_Command", bound=Callable[..., object])

_OPTIONS = (
    click.option(
        "--path",
        multiple=True,
        metavar="PATH",
        help="Only this file, folder or glob, such as 'policies/**'; may be repeated.",
    ),
    click.option(
        "--type",
        multiple=True,
        metavar="TYPE",
        help="Only files of this extension or media type: pdf, text/*; may be repeated.",
    ),
    click.option("--since", metavar="DATE", default="", help="Only files changed since: 2025-01."),
    click.option("--until", metavar="DATE", default="", help="Only files changed until then."),
    click.option(
        "--section",
        multiple=True,
        metavar="WORDS",
        help="Only under headings that contain these words; may be repeated.",
    ),
)


def narrowing_options(command: _Command) -> _Command:
    """Give a command the options `--path`, `--type`, `--since`, `--until` and `--section`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def narrowing_from(given: Mapping[str, str | tuple[str, ...]]) -> Narrowing:
    """What those options say. Raises `click.UsageError` for a date that is none."""
    from inglenook.types import Narrowing

    for name, texts in given.items():
        if isinstance(texts, tuple) and not all(text.strip() for text in texts):
            raise click.UsageError(f"--{name} needs a value.")
    try:
        return Narrowing.of(
            path=given["path"],
            type=given["type"],
            since=str(given["since"]),
            until=str(given["until"]),
            section=given["section"],
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
