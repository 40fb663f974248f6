"""The built-in commands: where each lives and its line in the help, known without importing any."""

from __future__ import annotations

__all__ = ["ALIASES", "COMMANDS"]

COMMANDS = {
    "create": ("create:create", "Make an assistant from an Assistantfile and read its documents."),
    "run": ("run:run", "Chat with an assistant or a model, or ask it once."),
    "ask": ("ask:ask", "Ask an assistant one question; the answer cites its documents."),
    "search": ("search:search", "Find passages in an assistant's documents."),
    "ingest": ("ingest:ingest", "Read an assistant's new and changed documents."),
    "eval": ("evaluation:eval_", "Measure how well passages are found and questions answered."),
    "kb": ("knowledge:kb", "Look after an assistant's knowledge base."),
    "pull": ("pull:pull", "Fetch a model."),
    "list": ("listing:list_", "List assistants and models."),
    "show": ("show:show", "Show what an assistant or a model is made of."),
    "rm": ("remove:rm", "Remove assistants or models."),
    "verify": ("upkeep:verify", "Check models byte by byte."),
    "prune": ("upkeep:prune", "Delete what no model uses any more."),
    "allow": ("allow:allow", "Let an assistant read a file or folder outside its own."),
    "plugins": ("plugins:plugins", "List plugins, or switch them on and off."),
    "doctor": ("doctor:doctor", "Say what works, what is missing, and how to mend it."),
    "profile": ("profile:profile", "Check or tidy an Assistantfile."),
}
"""Name -> (module and attribute in `inglenook.cli.commands`, one line of help)."""

ALIASES = {"ls": "list"}
