"""Makes the reranker that a profile names, with the model that its option `model` names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from inglenook.assistants.first_opening import require_opens
from inglenook.errors import UserError
from inglenook.profiles.profile import PartChoice

if TYPE_CHECKING:
    from inglenook.host import Host
    from inglenook.models.library import Library
    from inglenook.protocols import Reranker
    from inglenook.settings import Paths
    from inglenook.types import ModelFiles

__all__ = ["reranker_maker"]


def reranker_maker(
    choice: PartChoice | None, base: Path | None, library: Library, host: Host, paths: Paths
) -> Callable[[], Reranker] | None:
    """What makes the reranker, which is not open then; None where the profile names none.

    Args:
        choice: The profile's RERANKER line.
        base: The folder of the Assistantfile, which a relative path starts from.
        library: Where a model that is no path is looked for.
        host: The plugins.
        paths: Where it is noted which models were opened before (see `first_opening`).

    Raises `UserError` for an unknown name or option, a model that is not there, and one that the
    reranker cannot open; `MissingDependencyError` if its library is not installed.
    """
    if choice is None:
        return None
    host.load_class("reranker", choice.name)
    made_with = host.options_for("reranker", choice.name, choice.options)
    entry = host.find("reranker", choice.name)
    formats = entry.factory.capabilities.get("formats", ())
    files = _model(choice, base, library) if formats else None
    if files is not None and files.format not in formats:
        raise UserError(
            f"RERANKER {choice.name} cannot open {files.reference} ({files.format}).",
            hint=f"It opens: {', '.join(formats)}.",
        )

    def make() -> Reranker:
        require_opens(entry, files, made_with, library.catalog, paths)
        return host.make_reranker(choice.name, files, dict(choice.options))

    return make


def _model(choice: PartChoice, base: Path | None, library: Library) -> ModelFiles:
    from inglenook.models.classifier_folder import classifier_files

    reference = choice.options.get("model", "")
    if not reference:
        raise UserError(
            f"RERANKER {choice.name} needs a model.",
            hint=f"Name its folder: RERANKER {choice.name} model=./my-reranker",
        )
    path = Path(reference).expanduser()
    if not path.is_absolute() and base is not None:
        path = base / path
    if reference.startswith((".", "/", "~")) or path.is_dir():
        return classifier_files(path)
    return library.get(reference)
