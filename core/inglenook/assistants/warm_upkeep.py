"""Shows and ends the models that programs of this installation have loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.errors import InglenookError, UnknownNameError, UserError
from inglenook.models.borrowing import ask_lenders
from inglenook.models.reference import parse_reference
from inglenook.models.warm_model import WarmRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inglenook.assistants.installation import Installation

__all__ = ["Loaded", "LoadedModel", "loaded_models", "stop_models"]


@dataclass(frozen=True, slots=True)
class LoadedModel(WarmRow):
    """A model that a program has loaded, and which program that is.

    Args:
        pid: The program that holds it.
        process: What that program is, such as `nook run`.
    """

    pid: int
    process: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The models that are loaded, and the processes that did not answer in time."""

    models: tuple[LoadedModel, ...]
    silent: tuple[int, ...] = ()


def loaded_models(installation: Installation) -> Loaded:
    """What every program of this installation that lends models has loaded."""
    return _loaded(list(ask_lenders(installation.paths.cache, "list")))


def stop_models(
    installation: Installation, names: Sequence[str], *, force: bool = False
) -> tuple[LoadedModel, ...]:
    """End models wherever they are loaded; those of all programs without names.

    An idle one is gone when this returns. A busy one answers what it has begun and goes then; with
    `force` its answers end in an error.

    Raises `UserError` if none is loaded, `UnknownNameError` if one of the names is not; then
    nothing is stopped.
    """
    loaded = loaded_models(installation)
    if loaded.silent:
        silent = ", ".join(str(pid) for pid in loaded.silent)
        raise UserError(
            f"The process {silent} lends models and does not answer.",
            hint="It may be suspended (Ctrl-Z): continue it with `fg`, or end it with `kill -9`.",
        )
    if not loaded.models:
        raise UserError(
            "No model is loaded that could be stopped.",
            hint="Models stay loaded while `nook` or `nook run` is open.",
        )
    wanted = {row.model for row in loaded.models}
    if names:
        wanted = {model for name in names for model in _named(installation, name, wanted)}
    cache = installation.paths.cache
    replies = [
        reply
        for model in sorted(wanted)
        for reply in ask_lenders(cache, "stop", model=model, force=force)
    ]
    return _loaded(replies).models


def _loaded(replies: Sequence[Mapping[str, Any]]) -> Loaded:
    rows = [row for reply in replies for row in reply.get("models", ())]
    models = tuple(LoadedModel(**row) for row in rows)
    return Loaded(models, tuple(reply["silent"] for reply in replies if "silent" in reply))


def _named(installation: Installation, name: str, loaded: set[str]) -> set[str]:
    """The loaded models that a name stands for: a model's, with or without tag, or an assistant."""
    meant = {name, *_model_of(installation, name)}
    found = {model for model in loaded for one in meant if _is(one, model)}
    if not found:
        raise UnknownNameError(
            f"'{name}' is not loaded.", hint=f"Loaded are: {', '.join(sorted(loaded))}."
        )
    return found


def _model_of(installation: Installation, name: str) -> tuple[str, ...]:
    try:
        found = installation.profile(name)
    except InglenookError:
        return ()  # It cannot be read; as a name of a model it may do.
    if found is None:
        return ()
    profile, path = found
    return (profile.model, str(path.parent / Path(profile.model).expanduser()))


def _is(name: str, model: str) -> bool:
    if name == model:
        return True
    try:
        said, known = parse_reference(name), parse_reference(model)
    except UserError:
        return Path(name).exists() and Path(name).resolve() == Path(model).resolve()
    return said.key[: 4 if said.tag_given else 3] == known.key[: 4 if said.tag_given else 3]
