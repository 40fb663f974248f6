"""The command `nook`: the only place where the faces are put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inglenook.assistants.installation import Installation

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `nook` with these arguments, by default those of the process; the exit code."""
    from inglenook.cli.application import run

    return run(arguments, open_tui=_open_tui)


def _open_tui(installation: Installation, assistant: str | None) -> int:
    from inglenook.tui.app import run_tui

    # Other commands may use what is loaded for the screen.
    with installation, installation.lending("nook"):
        return run_tui(installation, assistant) or 0
