"""The terminal UI's application: screens, the way in and the way out."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from inglenook.tui.screens.chat import ChatScreen
from inglenook.tui.session import Session

if TYPE_CHECKING:
    from inglenook.assistants.installation import Installation

__all__ = ["InglenookApp", "run_tui"]


class InglenookApp(App[None]):
    """Chat with the assistants of an installation.

    Args:
        session: The engine; it is closed when the application ends, however it ends.
        assistant: Whom to open at once; None offers the list.
    """

    TITLE = "Inglenook"
    DEFAULT_MODE = "chat"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+q", "quit", "Quit", id="app.quit", priority=True, tooltip="Leave the program."
        ),
    ]

    def __init__(self, session: Session, assistant: str | None = None) -> None:
        super().__init__()
        self.session = session
        self.add_mode("chat", lambda: ChatScreen(session, assistant))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        for _, binding, _, _ in screen.active_bindings.values():
            if binding.id and binding.show:
                yield SystemCommand(
                    binding.description,
                    binding.tooltip,
                    lambda action=binding.action: self.call_next(screen.run_action, action),
                )
        yield SystemCommand("Theme", "Change the colours.", self.action_change_theme)

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None:
                self._leave_on(loop, number)

    def _leave_on(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        """Leave in good order, so that the terminal is as it was and no model stays behind."""
        try:
            loop.add_signal_handler(number, lambda: self.exit(return_code=128 + number))
        except (NotImplementedError, RuntimeError, ValueError):
            # Windows, or not the main thread: the signal keeps its usual effect.
            return

    async def on_unmount(self) -> None:
        # Before the thread of a running job is waited for: it ends when its model is closed.
        await asyncio.to_thread(self.session.close)


def run_tui(installation: Installation, assistant: str | None = None) -> int:
    """Open the terminal UI and stay until the user leaves; the exit code."""
    session = Session(installation)
    app = InglenookApp(session, assistant)
    try:
        app.run()
    finally:
        session.close()
    return app.return_code or 0
