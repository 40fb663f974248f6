"""`nook models`, `nook model`, `nook cache`, `nook help`: what fingers from elsewhere type.

They are no commands of their own and stand in no list: each does what one of ours does. The page
`docs/moving.md` tells which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inglenook.cli.commands.bench import bench
from inglenook.cli.commands.pull import pull
from inglenook.cli.commands.remove import rm
from inglenook.cli.commands.show import show
from inglenook.cli.commands.stop import stop
from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.assistants.known_models import KnownEntry

_SIZES = ("small", "medium", "large")
_TYPES = ("instruct", "chat", "code", "embedding")
_DEVICES = ("cpu", "gpu", "npu")
_FILTERS = {"device": "device", "task": "type", "type": "type", "alias": "alias"}


@click.group()
def models() -> None:
    """List, fetch and measure models."""


@models.command("list")
@click.option("--size", type=click.Choice(_SIZES, case_sensitive=False), help="How large.")
@click.option("--type", "kind", type=click.Choice(_TYPES, case_sensitive=False), help="For what.")
@click.option("--format", "format_", metavar="NAME", help="Such as gguf or onnx.")
@click.option("--device", type=click.Choice(_DEVICES, case_sensitive=False), help="To run on.")
@click.option("--filter", "filters", multiple=True, metavar="KEY=VALUE", help="The same as text.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_obj
def list_models(
    session: Session,
    size: str | None,
    kind: str | None,
    format_: str | None,
    device: str | None,
    filters: tuple[str, ...],
    as_json: bool,
) -> int:
    """List the models that are here, and those that `nook pull` knows by name.

    Small models have fewer than 4 billion parameters, large ones 15 billion or more.
    """
    from inglenook.assistants.known_models import known_entries

    said = {"size": size, "type": kind, "device": device, **_filtered(filters)}
    wanted = {key: value.lower() for key, value in said.items() if value}
    found = tuple(
        entry
        for entry in known_entries(session.installation)
        if entry.fits(**wanted, format=(format_ or "").lower())
    )
    if as_json:
        from inglenook.assistants.forms import VERSION, plain

        session.terminal.json({"version": VERSION, "models": [plain(entry) for entry in found]})
    else:
        _print(session, found)
    return 0


def _filtered(filters: tuple[str, ...]) -> dict[str, str]:
    """What `--filter KEY=VALUE` says, by our names for the keys."""
    said = {}
    for text in filters:
        key, equals, value = text.partition("=")
        if not equals or key not in _FILTERS:
            raise click.BadParameter(
                f"'{text}' is not KEY=VALUE with a KEY of {', '.join(_FILTERS)}.",
                param_hint="--filter",
            )
        choices = {"type": _TYPES, "device": _DEVICES}.get(_FILTERS[key])
        if choices and value.lower() not in choices:
            raise click.BadParameter(
                f"{key} is one of {', '.join(choices)}, not '{value}'.", param_hint="--filter"
            )
        said[_FILTERS[key]] = value
    return said


def _print(session: Session, found: tuple[KnownEntry, ...]) -> None:
    from inglenook.cli.columns import columns, megabytes

    rows = [
        (
            entry.name,
            megabytes(entry.size_bytes),
            entry.size,
            ", ".join(entry.types),
            entry.format,
            ", ".join(entry.devices),
            "here" if entry.here else f"nook pull {entry.name}",
        )
        for entry in found
    ]
    head = ("MODEL", "ON DISK", "SIZE", "TYPE", "FORMAT", "DEVICE", "")
    session.terminal.out(columns(head, rows) if rows else "No such model is here or known.")


@models.command("info")
@click.argument("reference")
@click.option("--license", "licence", is_flag=True, help="Print the licence.")
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", help="Form.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.pass_context
def info(
    context: click.Context, reference: str, licence: bool, output: str, as_json: bool
) -> object:
    """Show what the model REFERENCE is made of."""
    part = "license" if licence else None
    as_json = as_json or output == "json"
    return context.invoke(show, reference=reference, as_json=as_json, part=part)


@models.command("test")
@click.argument("reference")
@click.option("--benchmark", is_flag=True, help="Measure it fully, as `nook bench` does.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@click.pass_context
def test(context: click.Context, reference: str, benchmark: bool, as_json: bool) -> object:
    """Have the model REFERENCE read and write once, or (--benchmark) as often as `nook bench`."""
    return context.invoke(
        bench,
        reference=reference,
        runtime=None,
        contexts=(512, 2048) if benchmark else (512,),
        parallel=(1,),
        prompt_tokens=None if benchmark else 64,
        tokens=64 if benchmark else 16,
        rounds=3 if benchmark else 1,
        against=None,
        against_runtime=None,
        as_json=as_json,
        plot=None,
    )


@models.command("load")
@click.argument("reference")
@click.pass_obj
def load(session: Session, reference: str) -> int:
    """Open REFERENCE once, to see that it can be. It stays loaded in `nook` and `nook run`."""
    import time

    began = time.monotonic()
    with session.installation.assistant(reference) as assistant:
        session.terminal.status(f"Loading {reference}…")
        assistant.open()
        session.terminal.status("")
    session.terminal.out(f"{reference} can be loaded ({time.monotonic() - began:.1f} s).")
    session.terminal.note("It stays loaded while `nook` or `nook run` is open; see `nook ps`.")
    return 0


@models.command("unload")
@click.argument("reference", nargs=-1, required=True)
@click.pass_context
def unload(context: click.Context, reference: tuple[str, ...]) -> object:
    """Let REFERENCE go in the process that holds it, as `nook stop` does."""
    return context.invoke(stop, name=reference, everything=False, force=False)


for _name, _command in (("pull", pull), ("download", pull), ("remove", rm), ("rm", rm)):
    models.add_command(_command, _name)
models.add_command(list_models, "ls")


# --- cache ----------------------------------------------------------------------------------------


@click.group()
def cache() -> None:
    """Say where models lie, list and remove them."""


@cache.command()
@click.pass_obj
def location(session: Session) -> int:
    """Print the folder of the models."""
    session.terminal.out(str(session.installation.library.root))
    return 0


@cache.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_obj
def list_cached(session: Session, as_json: bool) -> int:
    """List the models that are here."""
    from inglenook.cli.columns import columns, megabytes
    from inglenook.cli.commands.listing import model_form

    records = session.installation.library.list()
    if as_json:
        from inglenook.assistants.forms import VERSION

        session.terminal.json({"version": VERSION, "models": [model_form(r) for r in records]})
    elif not records:
        session.terminal.out("No models.")
    else:
        rows = [(record.name, megabytes(record.size_bytes), record.format) for record in records]
        session.terminal.out(columns(("MODEL", "SIZE", "FORMAT"), rows))
    return 0


@cache.command()
@click.argument("path")
def cd(path: str) -> int:
    """Tell how to keep models in another folder."""
    from inglenook.errors import UserError

    raise UserError(
        "The folder of the models moves with everything else of nook.",
        hint=f"Set INGLENOOK_HOME={path}, or say --home {path}; models are copied there by hand.",
    )


for _name in ("remove", "rm"):
    cache.add_command(rm, _name)


# --- help -----------------------------------------------------------------------------------------

_ALIASES = (
    ("models list", "list"),
    ("models pull NAME, model download NAME", "pull NAME"),
    ("models info NAME", "show NAME"),
    ("models test NAME --benchmark", "bench NAME"),
    ("model load NAME, model unload NAME", "ps, stop NAME"),
    ("cache location, cache list, cache remove NAME", "du, list, rm NAME"),
    ("init [FOLDER]", "writes an Assistantfile to begin with"),
    ("deploy --config FILE.json", "makes an assistant of a JSON configuration"),
    ("ls", "list"),
)


@click.command("help")
@click.argument("command", nargs=-1)
@click.pass_context
def help_(context: click.Context, command: tuple[str, ...]) -> int:
    """Show the help of nook, of a COMMAND, or (`aliases`) what is understood besides."""
    session = context.find_object(Session)
    root = context.find_root()
    if session is None:
        return 0
    if command == ("aliases",):
        from inglenook.cli.columns import columns

        rows = [(f"nook {alias}", ours) for alias, ours in _ALIASES]
        session.terminal.out(columns(("UNDERSTOOD", "IS LIKE"), rows))
        return 0
    shown, at = root.command, root
    for name in command:
        found = shown.get_command(at, name) if isinstance(shown, click.Group) else None
        if found is None:
            raise click.UsageError(f"There is no command '{' '.join(command)}'.", root)
        at, shown = click.Context(found, info_name=name, parent=at), found
    session.terminal.out(shown.get_help(at))
    return 0
