"""`nook allow`: let an assistant read outside its own folder."""

from __future__ import annotations

from pathlib import Path

import click

from inglenook.cli.session import Session


@click.command()
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.pass_obj
def allow(session: Session, name: str, path: Path) -> int:
    """Let the FILE lines of NAME (an assistant or its Assistantfile) name PATH.

    PATH is a file, or a folder with everything in it. Nothing is read until the next ingest.
    """
    granted = session.installation.allow(name, path)
    session.terminal.out(f"{name} may read {granted}.")
    return 0
