"""Which model source finds a name that the catalog does not have, and whether it may be asked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from inglenook.errors import ModelNotFoundError, PluginError, PullError, UserError
from inglenook.host import Host
from inglenook.models.known import Catalog, KnownModel
from inglenook.protocols import ModelFinder, ModelSource
from inglenook.settings import Settings

__all__ = ["Finder", "finder_of", "similar_names", "source_options", "unknown_model"]

_ALIKE = 0.85
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finder:
    """A model source that finds models: its name, its first scheme, and what such names begin with.

    `prefix` is "" for the one that takes every name that nobody else does.
    """

    name: str
    scheme: str
    prefix: str

    def make(self, host: Host, options: Mapping[str, Any]) -> tuple[ModelFinder, ModelSource]:
        """The source, as both that it is. Raises `PluginError`."""
        made = host.make_model_source(self.name, options)
        if not isinstance(made, ModelFinder):
            raise PluginError(
                f"The model source '{self.name}' declares names, but has no `find`.",
                hint="Update the plugin, or disable it with: nook plugins disable NAME",
            )
        return made, cast("ModelSource", made)


def finder_of(
    reference: str,
    source: str | None,
    known: KnownModel | None,
    catalog: Catalog,
    host: Host,
    settings: Settings,
) -> Finder | None:
    """Who finds this name; None if it is the catalog's, or nobody does.

    Args:
        reference: As the user wrote it.
        source: The only scheme to use, if the user named one.
        known: What the catalog has under that name.

    Raises:
        PullError: `models.sources` of the configuration leaves it out.
        ModelNotFoundError: It looks like a slip of the pen; nobody is asked about it.
        UserError: It is an address, and no plugin takes addresses.
    """
    finders = _finders(host)
    if source is not None:
        has = known.every_scheme if known else ()
        named = [f for f in finders if f.scheme == source and source not in has]
        fitting = [f for f in named if reference.casefold().startswith(f.prefix)]
        if named and not fitting:
            begins = " or ".join(f.prefix for f in named)
            raise UserError(
                f"The source '{source}' takes no such name: {reference[:100]}.",
                hint=f"Its names begin with {begins}.",
            )
        return max(fitting, key=lambda f: len(f.prefix), default=None)
    fitting = [f for f in finders if reference.casefold().startswith(f.prefix)]
    best = max(fitting, key=lambda f: len(f.prefix), default=None)
    if _ADDRESS.match(reference) and (best is None or not best.prefix):
        raise UserError(
            "No installed plugin fetches models from addresses.",
            hint="Install it: pip install 'inglenook[http-sources]'. See `nook plugins`.",
        )
    if best is None or (known is not None and not best.prefix):
        return None
    _require_allowed(best, reference, catalog, settings)
    return best


def _finders(host: Host) -> list[Finder]:
    return [
        Finder(entry.factory.name, entry.factory.capabilities["schemes"][0], prefix.casefold())
        for entry in host.registered("model_source")
        for prefix in entry.factory.capabilities.get("names", ())
    ]


def _require_allowed(finder: Finder, reference: str, catalog: Catalog, settings: Settings) -> None:
    if settings.sources and finder.scheme not in settings.sources:
        message = f"`models.sources` in the configuration leaves out '{finder.scheme}'."
        hint = f"For this pull alone: --source {finder.scheme}"
        if not finder.prefix:
            unknown = unknown_model(reference, catalog)
            raise ModelNotFoundError(f"{unknown.message} {message}", hint=f"{unknown.hint} {hint}")
        raise PullError(f"{message} Nobody was asked.", hint=hint)
    if not finder.prefix and (meant := _slip_of_the_pen(reference, catalog)):
        raise ModelNotFoundError(
            f"No known model is called {reference}. Did you mean {meant}?",
            hint=f"If not, look it up with: nook pull {reference} --source {finder.scheme}",
        )


def _slip_of_the_pen(reference: str, catalog: Catalog) -> str:
    """The known name that was probably meant; other digits make another model."""
    model, _, tag = reference.casefold().partition(":")
    for known in (name for m in catalog.models for name in (m.name, *m.aliases)):
        other, _, other_tag = known.casefold().partition(":")
        if model == other or re.findall(r"\d+", model) != re.findall(r"\d+", other):
            continue
        same_tag = not tag or not other_tag or tag == other_tag
        if same_tag and difflib.SequenceMatcher(a=model, b=other).ratio() >= _ALIKE:
            return known
    return ""


def similar_names(name: str, catalog: Catalog) -> list[str]:
    """The known name that is most like this one; [] if none is."""
    names = [known for model in catalog.models for known in (model.name, *model.aliases)]
    return difflib.get_close_matches(name, names, n=1) or difflib.get_close_matches(
        name.removesuffix(":latest"), names, n=1
    )


def unknown_model(name: str, catalog: Catalog) -> ModelNotFoundError:
    """The error for a name that the catalog does not have."""
    close = similar_names(name, catalog)
    hint = f"Did you mean {close[0]}? " if close else ""
    return ModelNotFoundError(
        f"No known model is called {name}.",
        hint=f"{hint}Known are: {', '.join(catalog.names)}. "
        "A file of your own can be added with --source file:PATH.",
    )


def source_options(
    host: Host, name: str, settings: Settings, *, insecure: bool = False
) -> dict[str, Any]:
    """What the table `[models]` of the configuration says to a source: the keys that it knows."""
    table = settings.extra.get("models", {})
    known = {option.name for option in host.find("model_source", name).factory.options}
    stated = {key: value for key, value in table.items() if key in known}
    return {**stated, "insecure": True} if insecure and "insecure" in known else stated
