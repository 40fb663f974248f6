"""The built-in commands: where each lives and its line in the help, known without importing any."""

from __future__ import annotations

__all__ = ["ALIASES", "CLASSIC", "COMMANDS"]

COMMANDS = {
    "create": ("create:create", "Make an assistant from an Assistantfile and read its documents."),
    "run": ("run:run", "Chat with an assistant or a model, or ask it once."),
    "ask": ("ask:ask", "Ask an assistant one question; the answer cites its documents."),
    "search": ("search:search", "Find passages in an assistant's documents."),
    "render": ("render:render", "Show the exact prompt that the model would get."),
    "tokens": ("tokens:tokens", "Count the tokens of a text as a model does."),
    "ps": ("ps:ps", "List the models that are loaded, and who holds them."),
    "stop": ("stop:stop", "Unload models that are loaded."),
    "ingest": ("ingest:ingest", "Read an assistant's new and changed documents."),
    "eval": ("evaluation:eval_", "Measure how well passages are found and questions answered."),
    "bench": ("bench:bench", "Measure how fast a model runs on this machine."),
    "kb": ("knowledge:kb", "Look after an assistant's knowledge base."),
    "pull": ("pull:pull", "Fetch a model."),
    "list": ("listing:list_", "List assistants and models."),
    "show": ("show:show", "Show what an assistant or a model is made of."),
    "rm": ("remove:rm", "Remove assistants or models."),
    "cp": ("copying:cp", "Give a model another name."),
    "convert": ("convert:convert", "Write a model anew in another format or precision."),
    "export": ("bundles:export", "Write assistants and models into one file for another machine."),
    "import": ("bundles:import_", "Take up what export wrote."),
    "du": ("disk_usage:du", "Say what takes room on the disk, and what could be freed."),
    "verify": ("upkeep:verify", "Check models byte by byte."),
    "prune": ("upkeep:prune", "Delete what no model uses any more."),
    "allow": ("allow:allow", "Let an assistant read a file or folder outside its own."),
    "plugins": ("plugins:plugins", "List plugins, or switch them on and off."),
    "devices": ("devices:devices", "Say what there is to compute on, and what can use it."),
    "doctor": ("doctor:doctor", "Say what works, what is missing, and how to mend it."),
    "profile": ("profile:profile", "Check or tidy an Assistantfile."),
}
"""Name -> (module and attribute in `inglenook.cli.commands`, one line of help)."""

ALIASES = {"ls": "list"}

CLASSIC = {
    "models": "classic:models",
    "model": "classic:models",
    "cache": "classic:cache",
    "help": "classic:help_",
    "init": "init:init",
    "deploy": "deploy:deploy",
}
"""What is understood besides and stands in no help: names that other programs use."""
