"""Says once that a plugin is new, and every time that one is broken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inglenook.cli.columns import count, shortened
from inglenook.cli.session import OWN_DISTRIBUTION

if TYPE_CHECKING:
    from inglenook.cli.terminal import Terminal
    from inglenook.host import PluginStatus

__all__ = ["tell_news"]

_MOST = 3
_WIDTH = 160


def tell_news(statuses: Sequence[PluginStatus], data: Path, terminal: Terminal) -> None:
    """Announce what is new, and warn of what does not work."""
    _warn([s for s in statuses if s.state in ("broken", "refused")], terminal)
    theirs = [s for s in statuses if s.distribution != OWN_DISTRIBUTION and s.state == "on"]
    if theirs:
        _announce(theirs, data / "plugins-seen.json", terminal)


def _warn(failed: Sequence[PluginStatus], terminal: Terminal) -> None:
    """A line for each of the first few, a count of the others, and once where to read more."""
    if not failed:
        return
    for status in failed[:_MOST]:
        terminal.note(
            f"Warning: the plugin '{status.name}' is {status.state}: "
            f"{shortened(_first_line(status.error), _WIDTH)}"
        )
    more = len(failed) - _MOST
    if more > 0:
        terminal.note(f"Warning: {count(more, 'more plugin')} cannot be used.")
    terminal.note("See `nook plugins`.")


def _announce(statuses: Sequence[PluginStatus], file: Path, terminal: Terminal) -> None:
    import json

    try:
        seen = set(json.loads(file.read_text("utf-8"))["plugins"])
    except (OSError, ValueError, KeyError, TypeError):
        seen = set()  # Not there yet, or damaged: then they are announced once more.
    new = [status for status in statuses if _key(status) not in seen]
    if not new:
        return
    for status in new:
        terminal.note(
            f"New plugin: '{status.name}' from {status.distribution} {status.version}. "
            f"Switch it off with: nook plugins disable {status.name}"
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        names = sorted(seen | {_key(status) for status in new})
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps({"version": 1, "plugins": names}) + "\n", "utf-8")
        temporary.replace(file)
    except OSError:
        return  # A folder that cannot be written only means that it is announced again.


def _key(status: PluginStatus) -> str:
    return f"{status.distribution}/{status.name}"


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""
