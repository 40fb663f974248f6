"""`nook export` and `nook import`: models and assistants in one file, for another machine."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.assistants.exporting import Exported
    from inglenook.assistants.importing import Imported, ImportedAssistant


@click.command()
@click.argument("name", nargs=-1, required=True)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--no-models", is_flag=True, help="Leave models out.")
@click.option("--no-documents", is_flag=True, help="Leave the documents of assistants out.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print what was exported as JSON.")
@click.pass_obj
def export(
    session: Session,
    name: tuple[str, ...],
    file: Path,
    no_models: bool,
    no_documents: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Write each NAME (an assistant or a model) into FILE, for a machine without a network.

    An assistant brings its Assistantfile, the documents inside its folder, and the models that it
    needs. Documents elsewhere are left out and named. `nook import FILE` takes it up.
    """
    from inglenook.assistants.exporting import Exported, export_bundle
    from inglenook.cli.interrupts import stopped_by_interrupt
    from inglenook.cli.progress import Progress
    from inglenook.errors import Cancelled
    from inglenook.types import CancelToken

    file = file.expanduser()
    _check_target(session, file, force=force)
    # Where a link leads, a file appears; the link stays.
    target = file.resolve() if file.is_symlink() else file
    cancel, done = CancelToken(), None
    with (
        stopped_by_interrupt(cancel, terminate=True),
        Progress(session.terminal, unit="bytes") as progress,
    ):
        session.terminal.status("Gathering…")
        events = export_bundle(
            session.installation,
            name,
            target,
            cancel,
            models=not no_models,
            documents=not no_documents,
            replace=force,
        )
        for event in events:
            if isinstance(event, Exported):
                done = event
            else:
                session.terminal.status("")
                progress.show(file.name, event.done, event.total)
    if done is None:
        raise Cancelled
    for assistant in done.contents.assistants:
        _tell_left_out(session, assistant.name, assistant.left_out)
    if as_json:
        session.terminal.json(_export_form(done))
    else:
        session.terminal.out(_exported(done))
    return 0


def _check_target(session: Session, file: Path, *, force: bool) -> None:
    """Raise `UserError` for a FILE that cannot be meant."""
    from inglenook.errors import UserError

    if str(file) == "-":
        raise UserError(
            "A bundle is written to a file, not to standard output.",
            hint="Name a file; it appears when it is whole.",
        )
    try:
        there = file.stat()
    except FileNotFoundError:
        there = None
    except OSError as error:
        why = error.strerror or str(error)
        raise UserError(
            f"{file} cannot be written: {why}.", hint="Name a file in a folder of yours."
        ) from error
    if there is not None and stat.S_ISDIR(there.st_mode):
        raise UserError(f"{file} is a folder.", hint=f"Name a file: {file / 'bundle.nook'}")
    if not file.parent.is_dir():
        raise UserError(f"There is no folder {file.parent}.", hint="Make it first.")
    if there is not None and not stat.S_ISREG(there.st_mode):
        raise UserError(f"{file} is a device or a pipe.", hint="Name a file.")
    if there is not None and not force:
        raise UserError(f"{file} exists already.", hint="Replace it with --force.")
    plain = str(file) == file.name and not file.suffix
    if plain and _is_name(session, file.name):
        raise UserError(
            f"The last argument is the file to write, and '{file}' is a name.",
            hint=f"Write: nook export … {file}.nook, or ./{file} for a file that is called so.",
        )


def _is_name(session: Session, text: str) -> bool:
    """Whether an assistant or a model is called so."""
    from inglenook.errors import UserError

    try:
        known = session.installation.registration(text) is not None
        return known or session.installation.library.has(text)
    except UserError:
        return False  # Nothing could be called so.


def _tell_left_out(session: Session, name: str, left_out: tuple[str, ...]) -> None:
    from inglenook.cli.terminal import visible

    for what in left_out:
        session.terminal.note(f"Not in the bundle, of {name}: {visible(what)}")


def _exported(done: Exported) -> str:
    from inglenook.cli.columns import count, megabytes

    lines = [f"{model.name}, a model" for model in done.contents.models]
    lines += [
        f"{assistant.name}, an assistant with {count(len(assistant.files) - 1, 'file')} beside its "
        "Assistantfile"
        for assistant in done.contents.assistants
    ]
    head = f"{done.path} ({megabytes(done.size_bytes)}) holds:"
    return "\n".join((head, *(f"  {line}" for line in lines), f"sha256 {done.sha256}"))


def _export_form(done: Exported) -> dict[str, Any]:
    from inglenook.assistants.forms import VERSION

    return {
        "version": VERSION,
        "path": str(done.path),
        "size_bytes": done.size_bytes,
        "sha256": done.sha256,
        "models": [model.name for model in done.contents.models],
        "assistants": [
            {
                "name": assistant.name,
                "files": [file.path for file in assistant.files],
                "left_out": list(assistant.left_out),
            }
            for assistant in done.contents.assistants
        ],
    }


@click.command("import")
@click.argument("file")
@click.option("--as", "rename", metavar="NAME", default="", help="Call the assistant NAME here.")
@click.option(
    "--to",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Put folders of assistants into FOLDER. [default: in the installation's data]",
)
@click.option("--force", is_flag=True, help="Replace models and names that are here.")
@click.option("--json", "as_json", is_flag=True, help="Print what was imported as JSON.")
@click.pass_obj
def import_(
    session: Session, file: str, rename: str, folder: Path | None, force: bool, as_json: bool
) -> int:
    """Take up the models and assistants that `nook export` wrote into FILE; `-` is standard input.

    Every byte is checked before anything shows. What is here already is not copied again. FILE
    lines of an assistant that lead out of its folder need `nook allow` here too.
    """
    from inglenook.assistants.importing import Imported, import_bundle
    from inglenook.cli.interrupts import stopped_by_interrupt
    from inglenook.cli.progress import Progress
    from inglenook.errors import Cancelled
    from inglenook.models.bundle_archive import Written
    from inglenook.models.pull import Preparing
    from inglenook.types import CancelToken

    cancel, done = CancelToken(), None
    with (
        _opened(session, file) as stream,
        stopped_by_interrupt(cancel, terminate=True),
        Progress(session.terminal, unit="bytes") as progress,
    ):
        bundle = "Standard input" if file == "-" else file
        events = import_bundle(
            session.installation, stream, bundle, cancel, force=force, rename=rename, folder=folder
        )
        for event in events:
            if isinstance(event, Imported):
                done = event
            elif isinstance(event, Written):
                progress.show(bundle, event.done, event.total)
            elif isinstance(event, Preparing):
                progress.note(
                    f"Making {event.reference} ready for this processor; this is done once."
                )
            else:
                progress.note(event.message)
    if done is None:
        raise Cancelled
    for assistant in done.assistants:
        _tell_left_out(session, assistant.name, assistant.left_out)
        if any(what.startswith("FILE ") for what in assistant.left_out):
            session.terminal.note(
                f"Take such FILE lines out of {assistant.path}, or put the files where they say "
                f"and run: nook allow {assistant.name} PATH"
            )
    if as_json:
        session.terminal.json(_import_form(done))
    else:
        session.terminal.out(_imported(done))
    return 0


@contextmanager
def _opened(session: Session, file: str) -> Iterator[BinaryIO]:
    from inglenook.errors import UserError

    if file == "-":
        if session.terminal.in_is_terminal or sys.stdin is None:
            raise click.UsageError("There is nothing on standard input. Pipe a bundle in.")
        yield sys.stdin.buffer
        return
    path = Path(file).expanduser()
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise UserError(f"There is no file {file}.", hint="Check the path.") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, not a bundle.", hint="Name the file.") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise UserError(f"{file} cannot be opened: {why}.", hint="Check the path.") from error
    with stream:
        yield stream


def _imported(done: Imported) -> str:
    from inglenook.cli.columns import megabytes

    lines = [
        f"{model.name} is already here."
        if model.already_there
        else f"{model.name} is here ({megabytes(model.size_bytes)})."
        for model in done.models
    ]
    for assistant in done.assistants:
        lines += _about(assistant)
    return "\n".join(lines)


def _about(assistant: ImportedAssistant) -> Iterator[str]:
    from inglenook.cli.columns import count
    from inglenook.cli.terminal import visible

    if assistant.already_there:
        yield f"The assistant {assistant.name} is already here: {assistant.path}"
    else:
        beside = f" and {count(assistant.documents, 'file')} beside it"
        yield f"The assistant {assistant.name} is here: {assistant.path}{beside}."
    if assistant.remote:
        yield f"Remote: its questions and the passages for them go to {assistant.remote}."
    if assistant.problem:
        yield f"It cannot be used yet: {visible(assistant.problem)}"
    elif not assistant.already_there:
        yield f"Ask it with: nook ask {assistant.name} QUESTION"


def _import_form(done: Imported) -> dict[str, Any]:
    from inglenook.assistants.forms import VERSION, plain

    return {"version": VERSION, **plain(done)}
