"""Who is asked about a name that the catalog does not have, and what a source may offer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import inglenook_model_sources
from inglenook.errors import (
    ModelNotFoundError,
    PluginError,
    PullError,
    UserError,
)
from inglenook.factories import Factory, Option
from inglenook.host import Host
from inglenook.models.known import Catalog, load_catalog, with_mirror
from inglenook.models.library import Library
from inglenook.models.model_finders import finder_of, source_options
from inglenook.models.pull import Pulled, PullEvent, PullWishes, pull
from inglenook.models.reference import parse_reference
from inglenook.settings import Paths, Settings
from inglenook.testing.host import host_with, plugin_of
from inglenook.types import CancelToken, FetchPart, ModelOffer, Notice, OfferedFile
from inglenook_model_sources.file_source import FileSource


class ShelfSource(FileSource):
    """Finds `shelf/NAME` as a file in the folder that its option names."""

    offered: tuple[OfferedFile, ...] | None = None

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._folder = Path(str(options["huggingface"]))

    def find_hosts(self, name: str) -> tuple[str, ...]:
        return ("shelf.example",)

    def find(self, name: str, cancel: CancelToken) -> Iterator[Notice | ModelOffer]:
        path = self._folder / name.partition("/")[2]
        if not path.exists():
            raise ModelNotFoundError(f"The shelf has no {name}.", hint="Look.")
        part = FetchPart(str(path), "", path.stat().st_size)
        files = type(self).offered
        yield ModelOffer(name, (OfferedFile("model", part),) if files is None else files)


class SilentSource(FileSource):
    """Declares names and finds nothing."""


def shelf(load: str = "ShelfSource", names: tuple[str, ...] = ("shelf/",)) -> Host:
    factory = Factory(
        name="shelf",
        summary="a shelf",
        load=f"{__name__}:{load}",
        options=(Option("huggingface", default=""),),
        capabilities={"schemes": ("shelf",), "names": names},
    )
    plugin = plugin_of(register_model_sources=factory)
    return host_with(sources=inglenook_model_sources, shelf=plugin)


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    return Settings(settings.paths, extra={"models": {"huggingface": str(tmp_path), "mirror": 0}})


def run(
    asked: str, library: Library, host: Host, settings: Settings, **wishes: str
) -> list[PullEvent]:
    return list(pull(asked, library, host, settings, CancelToken(), None, PullWishes(**wishes)))


def test_a_plugin_of_a_stranger_finds_its_own_names(
    library: Library, own: Settings, gguf_file: Path, gguf_bytes: bytes
) -> None:
    events = run("shelf/tiny.gguf", library, shelf(), own)
    assert isinstance(events[-1], Pulled)
    assert library.get("shelf/tiny.gguf").files["model"].read_bytes() == gguf_bytes
    said = [e.message for e in events if isinstance(e, Notice)]
    assert said[0] == "Asking shelf.example about shelf/tiny.gguf (shelf)."
    assert hashlib.sha256(gguf_bytes).hexdigest() in said[-1]


def test_its_error_reaches_the_user(library: Library, own: Settings) -> None:
    with pytest.raises(ModelNotFoundError, match=r"The shelf has no shelf/nothing\."):
        run("shelf/nothing", library, shelf(), own)


def test_a_source_that_declares_names_and_finds_none_is_a_broken_plugin(
    library: Library, own: Settings
) -> None:
    with pytest.raises(PluginError, match="has no `find`"):
        run("shelf/tiny", library, shelf("SilentSource"), own)


def test_an_empty_offer_is_an_error(
    library: Library, own: Settings, gguf_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShelfSource, "offered", ())
    with pytest.raises(PullError, match="offers nothing"):
        run("shelf/tiny.gguf", library, shelf(), own)


def test_the_longest_beginning_wins_and_the_catalog_comes_before_the_rest(
    settings: Settings,
) -> None:
    catalog = load_catalog()
    host = shelf(names=("", "a/", "a/b/"))

    def prefix(name: str) -> str | None:
        known = catalog.find(parse_reference(name))
        finder = finder_of(name, None, known, catalog, host, settings)
        return None if finder is None else finder.prefix

    assert [prefix(n) for n in ("A/x", "a/B/x", "else", "smollm2")] == ["a/", "a/b/", "", None]


@pytest.mark.parametrize(
    ("name", "slip"),
    [
        ("smolm2:135m", True),
        ("smolm2", True),
        ("qwen2.5-codr:0.5b", True),
        ("smollm:135m", False),
        ("smollm3", False),
        ("qwen2.5:3b", False),
        ("qwen2.5-coder:7b", False),
        ("all-minilm", False),
    ],
)
def test_slips_of_the_pen_are_told_from_other_models(
    settings: Settings, name: str, slip: bool
) -> None:
    catalog = load_catalog()
    host = shelf(names=("",))
    if slip:
        with pytest.raises(ModelNotFoundError, match="Did you mean"):
            finder_of(name, None, None, catalog, host, settings)
    else:
        assert finder_of(name, None, None, catalog, host, settings) is not None


def test_an_address_needs_a_plugin_that_takes_addresses(library: Library, own: Settings) -> None:
    with pytest.raises(UserError, match="No installed plugin fetches models from addresses"):
        run("https://host.invalid/m.gguf", library, shelf(), own)


def test_a_source_gets_the_settings_that_it_declares_and_no_others(own: Settings) -> None:
    assert list(source_options(shelf(), "shelf", own)) == ["huggingface"]


def test_a_mirror_comes_before_the_catalogs_sources(catalog: Catalog, tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path, tmp_path)
    settings = Settings(paths, extra={"models": {"mirror": "https://host.invalid/blobs/"}})
    known = catalog.find(parse_reference("tiny:one"))
    assert known is not None
    mirrored = with_mirror(known, settings)
    assert mirrored.every_scheme == ("mirror", "pip")
    part = mirrored.files[0].sources[0].parts[0]
    assert part.address == f"https://host.invalid/blobs/sha256-{part.sha256}"
    assert with_mirror(known, Settings(paths)) is known


def test_a_mirror_that_is_no_address_is_refused(catalog: Catalog, own: Settings) -> None:
    known = catalog.find(parse_reference("tiny:one"))
    assert known is not None
    with pytest.raises(UserError, match=r"models\.mirror"):
        with_mirror(known, own)


def test_a_path_can_be_given_a_name(library: Library, own: Settings, gguf_file: Path) -> None:
    run(str(gguf_file), library, shelf(), own, name="mine:v2")
    assert library.has("mine:v2")
