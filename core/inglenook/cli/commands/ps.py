"""`nook ps`: the models that are loaded, and who holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.assistants.warm_upkeep import LoadedModel


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_obj
def ps(session: Session, as_json: bool) -> int:
    """List the models that are loaded: where, how busy, for how long, and by which process.

    Shown is what `nook` on a terminal and the chat of `nook run` hold; other commands use those
    models too, and load what is not there for themselves alone.
    """
    from inglenook.assistants.forms import plain
    from inglenook.assistants.warm_upkeep import loaded_models

    loaded = loaded_models(session.installation)
    if as_json:
        rows = [plain(model) for model in loaded.models]
        session.terminal.json({"version": 1, "models": rows, "silent": list(loaded.silent)})
    elif loaded.models:
        session.terminal.out(_table(loaded.models))
    else:
        session.terminal.out("No model is loaded.")
    for pid in loaded.silent:
        session.terminal.note(f"Note: the process {pid} holds models and does not answer.")
    return 1 if loaded.silent else 0


def _table(models: tuple[LoadedModel, ...]) -> str:
    from inglenook.cli.columns import columns, megabytes

    head = ("MODEL", "RUNTIME", "DEVICE", "MEMORY", "CONTEXT", "BUSY", "WAITING", "KEPT", "PROCESS")
    return columns(
        head,
        [
            (
                model.model,
                model.runtime,
                model.device,
                megabytes(model.memory_bytes) if model.memory_bytes else "",
                f"{model.context_length}",
                f"{model.busy}/{model.slots}",
                f"{model.waiting}",
                _kept(model),
                f"{model.process} ({model.pid})",
            )
            for model in models
        ],
    )


def _kept(model: LoadedModel) -> str:
    """How long it stays, for people."""
    if model.state != "ready":
        return model.state
    if model.kept_s is None:
        return "in use" if model.busy else "always"
    seconds = round(model.kept_s)
    return f"{seconds} s" if seconds < 120 else f"{round(seconds / 60)} min"
