"""Which embedder opens the model that a profile's EMBEDDER names.

`EMBEDDER minilm` names a model, and the embedder that suits it best is taken; `EMBEDDER
sentence-transformers model=./folder` names the embedder too.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.errors import UserError
from inglenook.profiles.profile import PartChoice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inglenook.host import Host, Registered
    from inglenook.types import ModelFiles

__all__ = ["chosen_embedder", "made_of", "prepare_embedder", "with_cache_folder"]

_WHOLE_FOLDER = "sentence-transformers"
_CACHE_OPTION = "cache_folder"


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


def made_of(files: ModelFiles, cache: Path) -> Path:
    """The folder of what an embedder made of a model; another model has another one."""
    name = files.digest or hashlib.sha256(files.reference.encode()).hexdigest()
    return cache / "embedders" / name.removeprefix("sha256:")[:32]


def with_cache_folder(
    entry: Registered, files: ModelFiles, options: dict[str, Any], cache: Path
) -> dict[str, Any]:
    """The options, and where an embedder that makes files of its model is to keep them."""
    if _makes_files(entry):
        options.setdefault(_CACHE_OPTION, str(made_of(files, cache)))
    return options


def prepare_embedder(files: ModelFiles, host: Host, cache: Path) -> Iterator[str]:
    """Make what an embedder makes of its model once, so that no question waits for it.

    Yields the name of the model before that, nothing where there is nothing to make or something
    was made before; the embedder itself knows whether that still fits. Raises what the embedder
    raises if the model cannot be opened.
    """
    entry = next(iter(host.able_to_open("embedder", files.format)), None)
    if entry is None or files.format not in entry.factory.capabilities.get("prepares", ()):
        return
    if not any(made_of(files, cache).glob("*")):
        yield files.reference
    options = with_cache_folder(entry, files, {}, cache)
    embedder = host.make_embedder(entry.factory.name, files, options)
    try:
        embedder.open()
    finally:
        embedder.close()


def _makes_files(entry: Registered) -> bool:
    return _CACHE_OPTION in {option.name for option in entry.factory.options}


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
