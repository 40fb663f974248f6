"""Writes the page of the manual that lists every command: `python -m inglenook.cli.manual`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import click

from inglenook.cli.application import root
from inglenook.cli.session import OWN_DISTRIBUTION, Session
from inglenook.cli.terminal import Terminal
from inglenook.host import Host
from inglenook.settings import PluginSettings

__all__ = ["built_in_host", "command_page"]

_INTRO = """# Commands

<!-- Written by `python -m inglenook.cli.manual`; change the commands, not this page. -->

The command is `nook`; `python -m inglenook` is the same. Without a command it opens on a terminal,
and prints its help elsewhere. Results go to standard output, notes and progress to standard error.
`NAME` is an assistant, the path of an Assistantfile or its folder, or a model.

| Exit code | Meaning |
| --- | --- |
| 0 | done |
| 1 | done in part: some documents could not be read; `doctor` or `kb status` found a problem |
| 2 | misuse: an unknown name, a wrong option, an Assistantfile with errors |
| 3 | failed |
| 130 | stopped with Ctrl-C |

| Variable | Meaning |
| --- | --- |
| `INGLENOOK_HOME` | the folder that holds everything, like `--home` |
| `INGLENOOK_PLUGINS` | the only plugins that are on, by name with commas; empty for none |
| `INGLENOOK_STRICT_PLUGINS` | `1`: a broken plugin is an error instead of a warning |
| `OLLAMA_MODELS` | a store of Ollama, whose models are used as they are and never changed |
| `OLLAMA_…` | others of Ollama's are heeded too: see [Coming from Ollama](moving.md#from-ollama) |

With `--json` the result is one JSON document; see [Forms for machines](machine-forms.md).
"""


def command_page(host: Host) -> str:
    """The page in Markdown. `host` says which plugin commands there are."""
    session = Session(Terminal(), lambda _installation, _assistant: 0)
    session.host = host
    context = click.Context(root, info_name="nook", obj=session)
    parts = [_INTRO, *_section("nook", root, context, 2)]
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        if command is not None:
            parts += _with_subcommands(f"nook {name}", command, context, 2)
    return "\n".join(parts)


def _with_subcommands(
    title: str, command: click.Command, parent: click.Context, level: int
) -> Iterator[str]:
    yield from _section(title, command, parent, level)
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _with_subcommands(f"{title} {name}", child, parent, level + 1)


def _section(
    title: str, command: click.Command, parent: click.Context, level: int
) -> Iterator[str]:
    context = click.Context(command, info_name=title, parent=None, obj=parent.obj)
    yield f"{'#' * level} {title}\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    yield f"    {title} {' '.join(command.collect_usage_pieces(context))}\n"
    records = [
        record
        for parameter in command.params
        if isinstance(parameter, click.Option)
        and (record := parameter.get_help_record(context))
        and parameter.name != "help"
    ]
    if records:
        rows = [f"| `{option.replace('|', '&#124;')}` | {text} |" for option, text in records]
        yield "\n".join(["| Option | Meaning |", "| --- | --- |", *rows]) + "\n"


def built_in_host() -> Host:
    """The built-in plugins, without what other distributions bring here by chance."""
    own = (s.name for s in Host().statuses if s.distribution == OWN_DISTRIBUTION)
    return Host(PluginSettings(only=tuple(own)))


if __name__ == "__main__":
    sys.stdout.write(command_page(built_in_host()))
