"""`nook deploy --config FILE`: an assistant from a JSON configuration, as guides show it."""

from __future__ import annotations

import re
from pathlib import Path

import click

from inglenook.cli.commands.create import create
from inglenook.cli.session import Session


@click.command()
@click.option(
    "--config",
    "config",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="The JSON configuration of a model or an assistant.",
)
@click.option("--name", metavar="NAME", help="What to call the assistant. [default: as it says]")
@click.option("--force", is_flag=True, help="Replace another Assistantfile of that configuration.")
@click.pass_context
def deploy(context: click.Context, config: Path, name: str | None, force: bool) -> object:
    """Make an assistant of the JSON configuration FILE.

    Its keys become an Assistantfile beside it, FILE without its ending and with `.Assistantfile`,
    of which the assistant is made as by `nook create`. A key that is not understood is refused.
    """
    from inglenook.cli.written_files import write_whole
    from inglenook.errors import UserError
    from inglenook.profiles.json_configuration import read_json_profile
    from inglenook.profiles.loading import profile_error
    from inglenook.profiles.parser import parse
    from inglenook.profiles.validation import validate
    from inglenook.profiles.writer import write

    session: Session = context.obj
    found = read_json_profile(config)
    text = f"# Made of {config.name} by `nook deploy`.\n{write(found.profile)}"
    profile, problems = validate(parse(text.encode()), session.installation.part_names())
    if profile is None:
        raise profile_error(config, problems)
    path = config.with_suffix(".Assistantfile")
    called = name or _called(found.name or config.stem)
    if path.is_file() and path.read_bytes() != text.encode() and not force:
        raise UserError(
            f"{path} is there already, and says something else.",
            hint="Replace it with --force, or use it: nook create NAME -f " + str(path),
        )
    write_whole(path, text)
    session.terminal.note(f"Wrote {path}.")
    return context.invoke(create, name=called, file=path)


def _called(name: str) -> str:
    """A name that can be typed."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._") or "assistant"
