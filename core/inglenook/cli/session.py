"""One run of `nook`: what its global options say, and the installation, opened when needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from inglenook.cli.terminal import Terminal

if TYPE_CHECKING:
    from inglenook.assistants.installation import Installation
    from inglenook.host import Host
    from inglenook.settings import Settings

__all__ = ["OWN_DISTRIBUTION", "OpenTui", "Session"]

OWN_DISTRIBUTION = "inglenook"

OpenTui = Callable[["Installation", "str | None"], int]


class Session:
    """What every command gets.

    Args:
        terminal: Where to write and ask.
        open_tui: Opens the terminal UI, with an assistant's name or None.
    """

    def __init__(self, terminal: Terminal, open_tui: OpenTui) -> None:
        self.terminal = terminal
        self._open_tui = open_tui
        self.home: Path | None = None
        self.plugins_enabled = True

    @cached_property
    def settings(self) -> Settings:
        """What the user has set. Raises `UserError` for a file that cannot be understood."""
        from inglenook.configuration import load_settings

        return load_settings(home=self.home, plugins_enabled=self.plugins_enabled)

    @cached_property
    def host(self) -> Host:
        """The plugins, loaded; what is new or wrong with them has been said."""
        from inglenook.host import Host
        from inglenook.privacy import silence_telemetry

        silence_telemetry()  # before any plugin's module is imported
        host = Host(self.settings.plugins)
        if any(s.error or s.distribution != OWN_DISTRIBUTION for s in host.statuses):
            from inglenook.cli.plugin_news import tell_news

            tell_news(host.statuses, self.settings.paths.data, self.terminal)
        return host

    @cached_property
    def installation(self) -> Installation:
        """The engine's front door."""
        from inglenook.assistants.installation import Installation

        installation = Installation(self.settings, self.host)
        installation.tell = self.terminal.note
        return installation

    def open_tui(self, installation: Installation, assistant: str | None) -> int:
        """Hand the terminal over to the UI; the exit code."""
        installation.tell = lambda _text: None  # A note would stand across its screen.
        return self._open_tui(installation, assistant)

    def close(self) -> None:
        """End the models that this run has loaded."""
        if "installation" in self.__dict__:
            self.installation.close()

    def fresh_installation(self) -> Installation:
        """The same with what the user has set by now, for who runs long."""
        from inglenook.assistants.installation import Installation
        from inglenook.configuration import load_settings

        settings = load_settings(home=self.home, plugins_enabled=self.plugins_enabled)
        installation = Installation(settings, self.host)
        installation.tell = self.terminal.note
        return installation
