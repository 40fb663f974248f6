"""`nook show`: what an assistant or a model is made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inglenook.models.record import ModelRecord
    from inglenook.profiles.profile import Profile


@click.command()
@click.argument("reference")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--modelfile", "part", flag_value="modelfile", help="Print it as an Assistantfile.")
@click.option("--system", "part", flag_value="system", help="Print the system prompt.")
@click.option("--parameters", "part", flag_value="parameters", help="Print the parameters.")
@click.option("--template", "part", flag_value="template", help="Print the template.")
@click.option("--license", "part", flag_value="license", help="Print the licence.")
@click.option("-v", "--verbose", is_flag=True, help="Print the header of a GGUF file too.")
@click.pass_obj
def show(
    session: Session, reference: str, as_json: bool, part: str | None, verbose: bool = False
) -> int:
    """Show what REFERENCE (an assistant, an Assistantfile or a model) is made of."""
    from inglenook.cli.columns import shortened

    found = session.installation.profile(reference)
    if found is not None:
        form, parts = _assistant(session, reference, *found)
    else:
        record = _record(session, reference)
        form, parts = _model(record)
        if verbose and record.format == "gguf":
            form["metadata"] = _header(record.files["model"])
    if as_json:
        session.terminal.json({"version": 1, **form})
    elif part is not None:
        session.terminal.out(parts[part].rstrip("\n"))
    else:
        metadata = form.pop("metadata", {})
        session.terminal.out(_described(form))
        for name, value in metadata.items():
            session.terminal.out(f"{name:40}{shortened(str(value), 200)}")
    return 0


def _header(path: Path) -> dict[str, Any]:
    """What the header of a GGUF file says, without long lists."""
    from inglenook.models.gguf import read_gguf

    return dict(sorted(read_gguf(path).metadata.items()))


# --- assistants -------------------------------------------------------------------------------


def _assistant(
    session: Session, reference: str, profile: Profile, path: Path
) -> tuple[dict[str, Any], dict[str, str]]:
    from inglenook.assistants.forms import plain
    from inglenook.profiles import write

    parameters = plain(profile.parameters)
    server = session.installation.server_of(profile)
    form = {
        "kind": "assistant",
        "name": reference,
        "path": str(path),
        "model": profile.model,
        "runtime": profile.runtime.name if profile.runtime else None,
        "server": str(server) if server else "",
        "remote": session.installation.remote_of(profile),
        "embedder": profile.embedder.name if profile.embedder else None,
        "store": profile.store.name if profile.store else None,
        "reranker": profile.reranker.name if profile.reranker else None,
        "files": [rule.pattern for rule in profile.files],
        "filters": [choice.name for choice in profile.filters],
        "retrieve": {
            "top_k": profile.retrieve.top_k,
            "mode": profile.retrieve.mode,
            "knowledge": profile.retrieve.knowledge,
            "min_score": profile.retrieve.min_score,
            "answer": profile.retrieve.answer,
            "unsupported": profile.retrieve.unsupported,
            "within": plain(profile.retrieve.narrowing),
        },
        "parameters": parameters,
        "system": profile.system or "",
        "template": profile.template or "",
        "licences": list(profile.licences),
        "messages": [{"role": role, "text": text} for role, text in profile.messages],
        "modelfile": write(profile),
    }
    return form, _parts(form, "\n\n".join(profile.licences))


# --- models -----------------------------------------------------------------------------------


def _record(session: Session, reference: str) -> ModelRecord:
    """The model of that name. Raises `ModelNotFoundError` or `UnknownNameError`."""
    from inglenook.errors import ModelNotFoundError

    try:
        return session.installation.library.show(reference)
    except ModelNotFoundError:
        # It may have been meant as an assistant: the error for those suggests both.
        with session.installation.assistant(reference):
            raise


def _model(record: ModelRecord) -> tuple[dict[str, Any], dict[str, str]]:
    from inglenook.assistants.forms import plain
    from inglenook.cli.commands.listing import model_form

    form = {
        "kind": "model",
        **model_form(record),
        "parameters": plain(record.parameters),
        "system": record.system,
        "template": record.template,
        "messages": [{"role": role, "text": text} for role, text in record.messages],
        "files": {name: str(path) for name, path in record.files.items()},
        "details": plain(record.details),
        "modelfile": _modelfile(record),
    }
    return form, _parts(form, record.licence_text or record.licence)


def _modelfile(record: ModelRecord) -> str:
    from inglenook.profiles import Profile, write
    from inglenook.profiles.frozen_mapping import FrozenMapping

    values = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in record.parameters.items()
    }
    return write(
        Profile(
            models=(record.name,),
            parameters=FrozenMapping(values),
            system=record.system or None,
            template=record.template or None,
            messages=record.messages,
            licences=(record.licence_text,) if record.licence_text else (),
        )
    )


# --- printing ---------------------------------------------------------------------------------


def _parts(form: dict[str, Any], licence: str) -> dict[str, str]:
    """The texts that can be asked for one by one."""
    lines = [
        f"{name} {value}"
        for name, values in form["parameters"].items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return {
        "modelfile": form["modelfile"],
        "system": form["system"],
        "template": form["template"],
        "parameters": "\n".join(lines),
        "license": licence,
    }


def _described(form: dict[str, Any]) -> str:
    """Everything that is stated, one line each but for longer texts."""
    from inglenook.cli.columns import megabytes, shortened

    lines = []
    for name, value in form.items():
        if name in ("modelfile", "details", "modified", "problem") or value in (None, "", [], {}):
            continue
        if name == "size_bytes":
            name, value = "size", megabytes(value)  # noqa: PLW2901
        elif isinstance(value, dict):
            value = ", ".join(_stated(value))  # noqa: PLW2901
        elif name == "messages":
            value = "; ".join(f"{item['role']}: {item['text']}" for item in value)  # noqa: PLW2901
        elif isinstance(value, list):
            value = ", ".join(map(str, value))  # noqa: PLW2901
        lines.append(f"{name.replace('_', ' '):16}{shortened(str(value), 200)}")
    return "\n".join(lines)


def _stated(values: dict[str, Any]) -> Iterator[str]:
    """Each with its name, those inside others too; what is not stated is left out."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _stated(value)
        elif isinstance(value, list):
            value = " ".join(map(str, value))  # noqa: PLW2901
        if value not in (None, "") and not isinstance(value, dict):
            yield f"{name} {value}"
