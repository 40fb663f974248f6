"""The root command of `nook` and the one place that turns errors into words and exit codes.

`nook --help` imports no command: the help comes from a table, plugin commands from the light
descriptions that the host has.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import click

from inglenook import __version__
from inglenook.cli.command_table import ALIASES, CLASSIC, COMMANDS
from inglenook.cli.session import OpenTui, Session
from inglenook.cli.terminal import Terminal, finish
from inglenook.errors import InglenookError

__all__ = ["RootGroup", "root", "run"]


class RootGroup(click.Group):
    """Finds commands by name: the built-in ones first, then those of plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names that the help shows."""
        return [*COMMANDS, *(name for name, _ in _plugin_commands(ctx))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name."""
        name = ALIASES.get(cmd_name, cmd_name)
        place = COMMANDS[name][0] if name in COMMANDS else CLASSIC.get(name)
        if place is not None:
            module, _, attribute = place.partition(":")
            found = getattr(import_module(f"inglenook.cli.commands.{module}"), attribute)
            return cast("click.Command", found)
        session = ctx.find_object(Session)
        if session is None:
            return None
        from inglenook.cli.plugin_commands import plugin_command

        return plugin_command(session, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name. Raises a usage error with a suggestion."""
        command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            import difflib

            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise click.UsageError(f"There is no command '{args[0]}'.{hint}", ctx)
        return args[0], command, args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names and one-line helps, from the table and from the plugins."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])
        brought = _plugin_commands(ctx)
        if brought:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(brought)


def _plugin_commands(ctx: click.Context) -> list[tuple[str, str]]:
    """Name and summary of each command that a plugin brings."""
    session = ctx.find_object(Session)
    if session is None:
        return []
    try:
        entries = session.host.registered("command")
    except InglenookError as error:
        # The help must come in any case; the commands themselves say the same as an error.
        session.terminal.error(f"Warning: {error}")
        return []
    return [
        (entry.factory.name, entry.factory.summary)
        for entry in entries
        if entry.factory.name not in COMMANDS
    ]


def _set(name: str, convert: Callable[[Any], Any]) -> Callable[..., None]:
    def callback(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
        session = ctx.find_object(Session)
        if session is not None and value:
            target = session.terminal if name == "quiet" else session
            setattr(target, name, convert(value))

    return callback


def _show_help(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        _print_help(ctx)
        ctx.exit()


def _print_help(ctx: click.Context) -> None:
    session = ctx.find_object(Session) or Session(Terminal(), _no_tui)
    session.terminal.out(ctx.get_help())


# The help comes after the other options whatever their order, because it depends on them.
@click.group(
    cls=RootGroup,
    invoke_without_command=True,
    add_help_option=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Without a command, nook opens on a terminal. `nook COMMAND --help` says more.",
)
@click.version_option(__version__, prog_name="nook", message="%(prog)s %(version)s")
@click.option(
    "--home",
    metavar="PATH",
    is_eager=True,
    expose_value=False,
    callback=_set("home", Path),
    help="Keep everything in this folder (also INGLENOOK_HOME).",
)
@click.option(
    "--no-plugins",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_set("plugins_enabled", lambda _value: False),
    help="Load no plugin.",
)
@click.option(
    "-q",
    "--quiet",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_set("quiet", bool),
    help="Show no notes and no progress.",
)
@click.option(
    "-h",
    "--help",
    is_flag=True,
    expose_value=False,
    callback=_show_help,
    help="Show this message and exit.",
)
@click.pass_context
def root(ctx: click.Context) -> int:
    """Private assistants over your own documents, on your own machine."""
    session = ctx.find_object(Session)
    if ctx.invoked_subcommand is not None or session is None:
        return 0
    if session.terminal.in_is_terminal and session.terminal.out_is_terminal:
        return session.open_tui(session.installation, None)
    _print_help(ctx)
    return 0


def _no_tui(_installation: object, _assistant: str | None) -> int:
    return 0


def run(arguments: Sequence[str] | None = None, *, open_tui: OpenTui = _no_tui) -> int:
    """Run one command; every error has been told when this returns its exit code."""
    Terminal.prepare()
    given = list(sys.argv[1:] if arguments is None else arguments)
    session = Session(Terminal(), open_tui)
    try:
        result = root.main(given, "nook", standalone_mode=False, obj=session)
        code = result if isinstance(result, int) else 0
    # Whatever happens becomes words and an exit code: a traceback is never shown.
    except BaseException as error:  # noqa: BLE001
        from inglenook.cli.failures import told

        code = told(error, session, given)
    session.close()
    return finish(code)
