"""`nook list`: the assistants and models of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.assistants.registry import AssistantRecord
    from inglenook.models.record import ModelRecord


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_obj
def list_(session: Session, as_json: bool) -> int:
    """List the assistants and the models of this machine."""
    assistants = session.installation.assistants()
    models = session.installation.library.list()
    if as_json:
        session.terminal.json(
            {
                "version": 1,
                "assistants": [_assistant_form(record) for record in assistants],
                "models": [model_form(record) for record in models],
            }
        )
        return 0
    _print(session, assistants, models)
    return 0


def _assistant_form(record: AssistantRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "path": str(record.path),
        "shipped": record.shipped,
        "model": record.model,
        "files": record.files,
        "server": record.server,
        "remote": record.remote,
        "problem": record.problem,
    }


def model_form(record: ModelRecord) -> dict[str, Any]:
    """What there is to say of a model in a list."""
    return {
        "name": record.name,
        "format": record.format,
        "size_bytes": record.size_bytes,
        "digest": record.digest,
        "modified": record.modified,
        "family": record.family,
        "parameter_size": record.parameter_size,
        "quantisation": record.quantisation,
        "context_length": record.context_length,
        "licence": record.licence,
        "read_only": record.read_only,
        "problem": record.problem,
    }


def _model_of(record: AssistantRecord) -> str:
    """The model's name, and where it runs if that is not here."""
    if record.remote:
        return f"{record.model} (remote: {record.remote})"
    return f"{record.model} (at {record.server})" if record.server else record.model


def _print(
    session: Session, assistants: tuple[AssistantRecord, ...], models: tuple[ModelRecord, ...]
) -> None:
    from inglenook.cli.columns import columns, megabytes

    terminal = session.terminal
    rows = [
        (
            record.name,
            _model_of(record),
            "comes with nook" if record.shipped else str(record.path.parent),
            f"problem: {record.problem}" if record.problem else "",
        )
        for record in assistants
    ]
    terminal.out(columns(("ASSISTANT", "MODEL", "FOLDER", ""), rows) if rows else "No assistants.")
    terminal.out()
    described = [
        (
            record.name,
            megabytes(record.size_bytes) if not record.problem else "",
            record.format,
            record.licence,
            f"problem: {record.problem}" if record.problem else "",
        )
        for record in models
    ]
    empty = "No models. Fetch one with: nook pull qwen2.5-coder:0.5b"
    head = ("MODEL", "SIZE", "FORMAT", "LICENCE", "")
    terminal.out(columns(head, described) if described else empty)
