"""Which embedder opens the model that a profile's EMBEDDER names.

`EMBEDDER minilm` names a model, and the embedder that suits it best is taken; `EMBEDDER
sentence-transformers model=./folder` names the embedder too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.errors import UserError
from inglenook.profiles.profile import PartChoice

if TYPE_CHECKING:
    from collections.abc import Callable

    from inglenook.host import Host, Registered
    from inglenook.types import ModelFiles

__all__ = ["chosen_embedder"]

_WHOLE_FOLDER = "sentence-transformers"


def chosen_embedder(
    choice: PartChoice,
    base: Path | None,
    host: Host,
    find_model: Callable[[str], ModelFiles],
) -> tuple[Registered, ModelFiles, dict[str, Any]]:
    """The embedder, the model's files, and the options for the embedder.

    Args:
        choice: The EMBEDDER line.
        base: The Assistantfile's folder, which a relative path starts from.
        host: The plugins.
        find_model: The model that a path or a name stands for.

    Raises `UserError` where no embedder opens the model.
    """
    options = dict(choice.options)
    if "model" in options and choice.name in host.names("embedder"):
        entry = host.find("embedder", choice.name)
        formats = entry.factory.capabilities.get("formats", ())
        files = _files(str(options.pop("model")), base, formats, find_model)
        if files.format not in formats:
            raise UserError(
                f"EMBEDDER {choice.name} cannot open {files.reference} ({files.format}).",
                hint=f"It opens: {', '.join(formats)}.",
            )
        return entry, files, options
    files = find_model(choice.name)
    able = host.able_to_open("embedder", files.format)
    if not able:
        raise UserError(
            f"No embedder is installed that opens {choice.name} (format {files.format}).",
            hint="Run `nook doctor`; the usual one comes with: pip install 'inglenook[standard]'",
        )
    return able[0], files, options


def _files(
    reference: str,
    base: Path | None,
    formats: tuple[str, ...],
    find_model: Callable[[str], ModelFiles],
) -> ModelFiles:
    path = Path(reference).expanduser()
    if not path.is_absolute() and base is not None:
        path = base / path
    if _WHOLE_FOLDER in formats and path.is_dir():
        from inglenook.models.sentence_transformers_folder import sentence_transformers_files

        return sentence_transformers_files(path)
    return find_model(reference)
