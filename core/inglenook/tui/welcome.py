"""What stands in an empty transcript: always the next step."""

from __future__ import annotations

from collections.abc import Sequence

from inglenook.tui.session import Choice, Opened

__all__ = ["NOBODY_CHOSEN", "no_model_yet", "welcome_of"]

NOBODY_CHOSEN = "Press Ctrl+L to choose an assistant, F1 for the keys."


def welcome_of(opened: Opened) -> str:
    """The first words of a conversation with this assistant."""
    if opened.has_documents:
        return f"{opened.name} answers from its documents and names the place. Ask a question."
    return f"{opened.name} answers from the model alone; it has no documents. Ask a question."


def no_model_yet(choices: Sequence[Choice]) -> str:
    """What to do on a machine without a usable assistant or model; "" if there is one."""
    if any(not choice.problem and not choice.model_missing for choice in choices):
        return ""
    wanted = next((choice.model for choice in choices if choice.model_missing), "MODEL")
    return (
        "Welcome to Inglenook: assistants over your own documents, on your own machine.\n\n"
        "There is no model on this machine yet, so nothing can answer. In another terminal:\n\n"
        f"    nook pull {wanted}\n\n"
        "Then come back and press Ctrl+L to choose an assistant. `nook list` shows what is here."
    )
