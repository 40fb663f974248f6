"""`nook plugins`: what is installed, and what of it may run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from inglenook.cli.session import OWN_DISTRIBUTION, Session

if TYPE_CHECKING:
    from inglenook.host import PluginStatus


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.option("--traceback", "name", metavar="NAME", help="Show why the plugin NAME is broken.")
@click.pass_context
def plugins(ctx: click.Context, as_json: bool, name: str | None) -> int:
    """List the plugins that are installed, or switch them on and off."""
    session = ctx.find_object(Session)
    if session is None or ctx.invoked_subcommand is not None:
        return 0
    if name is not None:
        status = _find(session, name)
        session.terminal.out(status.traceback.rstrip() or f"'{name}' is {status.state}.")
    elif as_json:
        session.terminal.json(
            {
                "version": 1,
                "policy": session.settings.plugins.policy,
                "plugins": [_form(status) for status in session.host.statuses],
            }
        )
    else:
        _print(session)
    return 0


def _form(status: PluginStatus) -> dict[str, Any]:
    return {
        "name": status.name,
        "version": status.version,
        "distribution": status.distribution,
        "hooks": list(status.hooks),
        "state": status.state,
        "load_time_s": status.load_time_s,
        "error": status.error,
        "factories": list(status.factories),
    }


def _print(session: Session) -> None:
    from inglenook.cli.columns import columns

    statuses = session.host.statuses
    rows = [
        (
            s.name,
            s.version,
            s.distribution,
            s.state,
            f"{s.load_time_s * 1000:.1f} ms" if s.state == "on" else "",
            ", ".join(hook.removeprefix("register_") for hook in s.hooks),
        )
        for s in statuses
    ]
    head = ("PLUGIN", "VERSION", "DISTRIBUTION", "STATE", "LOADED IN", "HOOKS")
    session.terminal.out(columns(head, rows) if rows else "No plugin is installed.")
    for status in statuses:
        if status.error:
            session.terminal.out(f"\n{status.name}: {status.error}")
            if status.state == "broken":
                session.terminal.out(f"  More: nook plugins --traceback '{status.name}'")


def _find(session: Session, name: str) -> PluginStatus:
    from inglenook.errors import UnknownNameError
    from inglenook.host import suggestion

    known = {status.name: status for status in session.host.statuses}
    if name not in known:
        raise UnknownNameError(
            f"There is no plugin named '{name}'.", hint=suggestion(name, tuple(known))
        )
    return known[name]


# --- switching --------------------------------------------------------------------------------


@plugins.command()
@click.argument("name")
@click.pass_obj
def enable(session: Session, name: str) -> int:
    """Switch the plugin NAME on."""
    from inglenook.configuration import change_configuration

    if name not in session.settings.plugins.disabled:
        _find(session, name)

    def change(document: Any) -> None:
        table = document.setdefault("plugins", {})
        table["disabled"] = [other for other in table.get("disabled", []) if other != name]

    change_configuration(session.settings.paths, change)
    session.terminal.out(f"{name} is switched on.")
    return 0


@plugins.command()
@click.argument("name")
@click.pass_obj
def disable(session: Session, name: str) -> int:
    """Switch the plugin NAME off."""
    from inglenook.configuration import change_configuration

    _find(session, name)

    def change(document: Any) -> None:
        table = document.setdefault("plugins", {})
        table["disabled"] = sorted({*table.get("disabled", []), name})

    change_configuration(session.settings.paths, change)
    session.terminal.out(f"{name} is switched off.")
    return 0


@plugins.command()
@click.argument("distribution", nargs=-1)
@click.pass_obj
def pin(session: Session, distribution: tuple[str, ...]) -> int:
    """Trust each DISTRIBUTION as it is now; without one, all that bring plugins.

    With `policy = "pinned"` under [plugins] in the configuration, only pinned plugins may run.
    """
    from inglenook.configuration import change_configuration

    pins = {name: _pin(name) for name in distribution or _bringing_plugins(session)}

    def change(document: Any) -> None:
        document.setdefault("plugins", {}).setdefault("pins", {}).update(pins)

    if pins:
        change_configuration(session.settings.paths, change)
    for name, known in pins.items():
        session.terminal.out(f"Pinned {name} {known['version']}.")
    if not pins:
        session.terminal.out("There is nothing to pin: no other distribution brings plugins.")
    if session.settings.plugins.policy != "pinned":
        session.terminal.note(
            'The policy is "open", so other plugins run too. To change that, set '
            f'policy = "pinned" under [plugins] in {session.settings.paths.config_file}.'
        )
    return 0


def _bringing_plugins(session: Session) -> list[str]:
    names = {status.distribution for status in session.host.statuses}
    return sorted(names - {OWN_DISTRIBUTION, "unknown"})


def _pin(name: str) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, distribution

    from inglenook import pins
    from inglenook.errors import UnknownNameError

    try:
        return pins.pin(distribution(name))
    except (PackageNotFoundError, ValueError) as error:
        raise UnknownNameError(
            f"There is no distribution named '{name}'.",
            hint="`nook plugins` lists the distributions of all plugins.",
        ) from error
