"""`nook init`: an Assistantfile to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from inglenook.cli.session import Session

_TEXT = '''# An assistant: a model, what it is told, and the documents that it knows.
# Make it with `nook create NAME -f {folder}`, then ask it: nook ask NAME "…"
FROM {model}
SYSTEM """You are a helpful assistant. Answer briefly, and from the documents."""

# Its documents: files, folders or patterns, relative to this file.
# FILE ./documents
# FILE ./policies/**/*.pdf

# PARAMETER temperature 0.2
# PARAMETER num_ctx 4096
'''


@click.command()
@click.argument("folder", default=".", type=click.Path(path_type=Path))
@click.option("--model", metavar="NAME", default="qwen2.5-coder:0.5b", help="What FROM names.")
@click.pass_obj
def init(session: Session, folder: Path, model: str) -> int:
    """Write an Assistantfile to begin with into FOLDER (by default this one)."""
    from inglenook.cli.written_files import write_whole
    from inglenook.errors import UserError
    from inglenook.models.reference import parse_reference
    from inglenook.profiles.loading import FILE_NAMES

    if "/" not in model or len(model.split()) != 1:
        parse_reference(model)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is not a folder.", hint="Name a folder, or none.")
    there = next((folder / n for n in FILE_NAMES if (folder / n).exists()), None)
    if there is not None:
        raise UserError(
            f"{there} is there already.",
            hint=f"Make an assistant of it: nook create NAME -f {there}",
        )
    path = folder / FILE_NAMES[0]
    write_whole(path, _TEXT.format(folder=folder, model=model))
    session.terminal.out(f"Wrote {path}.")
    session.terminal.note(f"Next: name documents in it, then run: nook create NAME -f {folder}")
    return 0
