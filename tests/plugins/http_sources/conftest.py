"""Models small enough to be fetched a hundred times, and the parts of a pull."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import inglenook_http_sources
import inglenook_model_sources
from inglenook.host import Host
from inglenook.models.library import Library
from inglenook.models.pull import PullEvent, PullWishes, pull
from inglenook.settings import Paths, Settings
from inglenook.testing.host import host_with
from inglenook.types import CancelToken

from .file_server import FileServer, serving

Run = Callable[..., list[PullEvent]]


def gguf_of(size_bytes: int, seed: int = 1) -> bytes:
    """A GGUF file with one tensor of about this size, of numbers that do not compress."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    def said(key: str, value: str) -> bytes:
        return text(key) + struct.pack("<I", 8) + text(value)

    elements = size_bytes // 4
    entries = [
        said("general.architecture", "llama"),
        said("general.license", "mit"),
        text("llama.context_length") + struct.pack("<II", 4, 512),
    ]
    tensor = text("weight") + struct.pack("<IQIQ", 1, elements, 0, 0)
    header = b"GGUF" + struct.pack("<IQQ", 3, 1, len(entries)) + b"".join(entries) + tensor
    return header + bytes(-len(header) % 32) + random.Random(seed).randbytes(elements * 4)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "HF_ENDPOINT", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="session")
def model_bytes() -> bytes:
    return gguf_of(6_000_000)


@pytest.fixture(scope="session")
def other_bytes() -> bytes:
    """Another model of the same size."""
    return gguf_of(6_000_000, seed=2)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as front:
        yield front


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(Paths(tmp_path / "config", tmp_path / "data", tmp_path / "cache"))


@pytest.fixture
def library(settings: Settings) -> Library:
    return Library(settings.paths.models)


@pytest.fixture
def host() -> Host:
    """A host with the built-in model sources and nothing else."""
    return host_with(sources=inglenook_model_sources, http=inglenook_http_sources)


@pytest.fixture
def run(library: Library, host: Host, settings: Settings) -> Run:
    """Pull to the end; the events."""

    def to_the_end(
        reference: str,
        *,
        source: str | None = None,
        set_to: dict[str, object] | None = None,
        **wishes: object,
    ) -> list[PullEvent]:
        table = set_to or {}
        own = Settings(
            settings.paths,
            sources=tuple(table.pop("sources", ())),  # type: ignore[arg-type]
            extra={"models": table},
        )
        wish = PullWishes(**wishes)  # type: ignore[arg-type]
        return list(pull(reference, library, host, own, CancelToken(), source, wish))

    return to_the_end


def leftovers(library: Library) -> list[str]:
    """What lies in the work folders: all but the lock files."""
    return [p.name for p in library.scratch.rglob("*") if p.suffix != ".lock"]
