"""The keys of the chat, each with the id by which it can be rebound."""

from __future__ import annotations

from textual.binding import Binding

__all__ = ["CHAT_KEYS"]

CHAT_KEYS = (
    Binding("escape", "stop", "Stop", id="chat.stop", tooltip="Stop; what was said stays."),
    Binding("ctrl+n", "new", "New", id="chat.new", tooltip="Begin a new conversation."),
    Binding("ctrl+l", "choose", "Choose", id="chat.choose", tooltip="Choose an assistant."),
    Binding("f3", "passages", "Passages", id="chat.passages", tooltip="Show or hide passages."),
    Binding("f1", "help", "Keys", id="chat.help", tooltip="Show the keys."),
    Binding(
        "ctrl+c",
        "interrupt",
        "Copy",
        id="chat.interrupt",
        priority=True,
        show=False,
        tooltip="Copy the selection, or stop; twice quits.",
    ),
    Binding(
        "pageup",
        "scroll_back",
        "Back",
        id="chat.back",
        priority=True,
        show=False,
        tooltip="Scroll the conversation back.",
    ),
    Binding(
        "pagedown",
        "scroll_on",
        "On",
        id="chat.on",
        priority=True,
        show=False,
        tooltip="Scroll the conversation on.",
    ),
)
