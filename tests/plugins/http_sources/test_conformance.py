"""The sources pass the kits for plugin authors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest

from inglenook.protocols import ModelFinder, ModelSource
from inglenook.testing.model_source import ModelFinderKit, ModelSourceKit
from inglenook.types import FetchPart
from inglenook_http_sources.huggingface_source import HuggingFaceSource
from inglenook_http_sources.registry_source import RegistrySource
from inglenook_http_sources.url_source import UrlSource

from .conftest import gguf_of
from .file_server import FileServer
from .registry import Registry, running_registry

MODEL = gguf_of(3_000_000)
SHA256 = hashlib.sha256(MODEL).hexdigest()


class TestUrlSource(ModelSourceKit):
    @pytest.fixture
    def source(self, server: FileServer) -> ModelSource:
        server.add("/a/model.gguf", MODEL)
        return UrlSource({"connections": 3})

    @pytest.fixture
    def part(self, server: FileServer) -> FetchPart:
        return FetchPart(f"{server.url}/a/model.gguf", SHA256, len(MODEL))

    @pytest.fixture
    def absent_part(self, server: FileServer) -> FetchPart:
        return FetchPart(f"{server.url}/a/nothing.gguf", SHA256, len(MODEL))


class TestUrlSourceWithoutRanges(TestUrlSource):
    @pytest.fixture
    def source(self, server: FileServer) -> ModelSource:
        server.add("/a/model.gguf", MODEL, ranges=False)
        return UrlSource({})


class TestFindingByAddress(ModelFinderKit):
    @pytest.fixture
    def finder(self, server: FileServer) -> ModelFinder:
        server.add("/a/model.gguf", MODEL)
        return UrlSource({})

    @pytest.fixture
    def name(self, server: FileServer) -> str:
        return f"{server.url}/a/model.gguf"

    @pytest.fixture
    def absent_name(self, server: FileServer) -> str:
        return f"{server.url}/a/nothing.gguf"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        running.push("library/tiny", "one", MODEL, {"system": b"Be brief."})
        yield running


class TestRegistrySource(ModelSourceKit):
    @pytest.fixture
    def source(self) -> ModelSource:
        return RegistrySource({})

    @pytest.fixture
    def part(self, registry: Registry) -> FetchPart:
        url = f"http://{registry.place}/v2/library/tiny/blobs/sha256:{SHA256}"
        return FetchPart(url, SHA256, len(MODEL))

    @pytest.fixture
    def absent_part(self, registry: Registry) -> FetchPart:
        url = f"http://{registry.place}/v2/library/tiny/blobs/sha256:{'0' * 64}"
        return FetchPart(url, "0" * 64, len(MODEL))


class TestFindingInARegistry(ModelFinderKit):
    @pytest.fixture
    def finder(self, registry: Registry) -> ModelFinder:
        return RegistrySource({"registry": f"{registry.place}/library"})

    @pytest.fixture
    def name(self) -> str:
        return "tiny:one"

    @pytest.fixture
    def absent_name(self) -> str:
        return "tiny:two"


@pytest.fixture
def hub(server: FileServer) -> HuggingFaceSource:
    lfs = {"oid": SHA256, "size": len(MODEL), "pointerSize": 130}
    listing = [{"type": "file", "path": "tiny-Q4_K_M.gguf", "size": 130, "lfs": lfs}]
    tree = json.dumps(listing).encode()
    server.add("/api/models/o/r/tree/main?recursive=true", tree)
    server.add("/o/r/resolve/main/tiny-Q4_K_M.gguf", MODEL)
    return HuggingFaceSource({"huggingface": server.url})


class TestHuggingFace(ModelSourceKit):
    @pytest.fixture
    def source(self, hub: HuggingFaceSource) -> ModelSource:
        return hub

    @pytest.fixture
    def part(self, server: FileServer) -> FetchPart:
        url = f"{server.url}/o/r/resolve/main/tiny-Q4_K_M.gguf"
        return FetchPart(url, SHA256, len(MODEL))

    @pytest.fixture
    def absent_part(self, server: FileServer) -> FetchPart:
        return FetchPart(f"{server.url}/o/r/resolve/main/no.gguf", SHA256, len(MODEL))


class TestFindingAtHuggingFace(ModelFinderKit):
    @pytest.fixture
    def finder(self, hub: HuggingFaceSource) -> ModelFinder:
        return hub

    @pytest.fixture
    def name(self) -> str:
        return "hf.co/o/r"

    @pytest.fixture
    def absent_name(self) -> str:
        return "hf.co/o/nothing"
