"""Makes a command line command of what a plugin registered: options, help, and the run itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.factories import Factory, Option

__all__ = ["plugin_command"]


def plugin_command(session: Session, name: str) -> click.Command | None:
    """The command of that name, or None if no plugin brings it."""
    entries = session.host.registered("command")
    entry = next((e for e in entries if e.factory.name == name), None)
    if entry is None:
        return None
    factory = entry.factory

    def callback(as_json: bool, **values: Any) -> int:
        given = {name: value for name, value in values.items() if value not in (None, ())}
        return _run(session, factory, given, as_json=as_json)

    as_json = click.Option(
        ["--json", "as_json"], is_flag=True, help="Print the result as JSON, one line each."
    )
    return click.Command(
        name,
        callback=callback,
        params=[*map(_parameter, factory.options), as_json],
        help=f"{factory.summary}\n\nFrom the plugin '{entry.plugin}' of {entry.distribution}.",
        short_help=factory.summary,
    )


def _parameter(option: Option) -> click.Parameter:
    several = option.type is list
    if option.required:
        return click.Argument([option.name], nargs=-1 if several else 1, required=True)
    flag = f"--{option.name.replace('_', '-')}"
    if option.type is bool:
        return click.Option([f"{flag}/--no-{flag[2:]}"], default=None, help=option.help)
    default = option.default
    shown = ",".join(map(str, default)) if isinstance(default, (list, tuple)) else default
    usual = "" if shown in (None, "") else f" [default: {shown}]"
    return click.Option(
        [flag, option.name],
        metavar="|".join(option.choices) or option.type.__name__.upper(),
        help=f"{option.help}{usual}".strip(),
    )


def _run(session: Session, factory: Factory, given: dict[str, Any], *, as_json: bool) -> int:
    from inglenook.assistants.command_context import EngineCommandContext
    from inglenook.assistants.reading_settings import reading_limits
    from inglenook.cli.interrupts import stopped_by_interrupt
    from inglenook.errors import PluginError
    from inglenook.types import CancelToken

    arguments = session.host.options_for("command", factory.name, given)
    cancel = CancelToken()
    command = session.host.make_command(factory.name)
    code = 0
    try:
        with stopped_by_interrupt(cancel):
            limits, _ = reading_limits(session.settings)
            context = EngineCommandContext(session.host, cancel, limits)
            for output in command.run(arguments, context, cancel):
                code = max(code, output.exit_code)
                if as_json:
                    session.terminal.json({"version": 1, **output.data}, line=True)
                else:
                    session.terminal.out(output.text)
    except SystemExit as error:
        raise PluginError(
            f"The command '{factory.name}' of a plugin ended the program by itself.",
            hint="Tell its makers: a command returns outputs and raises errors.",
        ) from error
    return code
