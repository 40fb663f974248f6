"""`nook doctor`: what works, what is missing, and the command that mends it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.assistants.doctor import Check
    from inglenook.settings import Settings

_BY_PLUGINS = ("runtimes", "embedders", "loaders")
_MARKS = {True: "ok", False: "PROBLEM", None: "-"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@click.pass_obj
def doctor(session: Session, as_json: bool) -> int:
    """Look at everything; say what works, what is missing, and how to mend it.

    The exit code is 1 if there is a problem.
    """
    checks = _examined(session)
    why_off = _why_off(session)
    if why_off is not None:
        checks = _with_plugins_off(checks, *why_off)
    healthy = all(check.ok is not False for check in checks)
    if as_json:
        session.terminal.json(
            {
                "version": 1,
                "healthy": healthy,
                "checks": [
                    {"name": c.name, "ok": c.ok, "message": c.message, "fix": c.fix} for c in checks
                ],
            }
        )
    else:
        _print(session, checks)
    return 0 if healthy else 1


def _examined(session: Session) -> tuple[Check, ...]:
    """All checks; with a configuration that cannot be read, those of the usual one."""
    from inglenook.assistants.doctor import Check
    from inglenook.assistants.installation import Installation
    from inglenook.errors import UserError

    try:
        session.settings  # noqa: B018  (reads the file)
    except UserError as error:
        first = Check("configuration", False, error.message, error.hint)
        return first, *Installation(_usual_settings(session)).doctor()
    return session.installation.doctor()


def _why_off(session: Session) -> tuple[str, str] | None:
    """What switched all plugins off and what to do about it; None if nothing did."""
    from inglenook.errors import UserError

    try:
        plugins = session.settings.plugins
    except UserError:
        plugins = _usual_settings(session).plugins
    return None if plugins.enabled else plugins.why_off


def _with_plugins_off(checks: tuple[Check, ...], why: str, fix: str) -> tuple[Check, ...]:
    """The checks where all plugins were switched off, so that switching one on mends nothing."""
    from inglenook.assistants.doctor import Check

    first = Check("plugins", None, f"plugins are off ({why})", fix)
    return first, *(
        replace(check, fix=fix)
        if check.name.startswith("plugin ") or check.name in _BY_PLUGINS
        else check
        for check in checks
    )


def _usual_settings(session: Session) -> Settings:
    import os

    from inglenook.configuration import find_paths
    from inglenook.settings import PluginSettings, Settings

    paths = find_paths(os.environ, session.home)
    return Settings(paths, PluginSettings(enabled=session.plugins_enabled))


def _print(session: Session, checks: tuple[Check, ...]) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        session.terminal.out(f"{_MARKS[check.ok]:7}  {check.name:{width}}  {check.message}")
        if check.fix and check.ok is not True:
            session.terminal.out(f"{'':7}  {'':{width}}  → {check.fix}")
    problems = sum(check.ok is False for check in checks)
    session.terminal.out()
    session.terminal.out(
        "Everything is well." if not problems else f"{problems} to mend; see the arrows."
    )
