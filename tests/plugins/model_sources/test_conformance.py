"""Both built-in model sources pass the kit for plugin authors."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from inglenook.protocols import ModelSource
from inglenook.testing.model_source import ModelSourceKit, write_wheel
from inglenook.types import FetchPart
from inglenook_model_sources.file_source import FileSource
from inglenook_model_sources.pip_source import PipSource

DATA = os.urandom(100_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


class TestPipSource(ModelSourceKit):
    @pytest.fixture
    def source(self, packages: Path) -> ModelSource:
        write_wheel(packages, "a-model", "1.0", {"a_model/model.bin": DATA})
        return PipSource({})

    @pytest.fixture
    def part(self) -> FetchPart:
        return FetchPart("a-model==1.0/a_model/model.bin", SHA256, len(DATA))

    @pytest.fixture
    def absent_part(self) -> FetchPart:
        return FetchPart("no-model==1.0/a_model/model.bin", SHA256, len(DATA))


class TestFileSource(ModelSourceKit):
    @pytest.fixture
    def source(self) -> ModelSource:
        return FileSource({})

    @pytest.fixture
    def part(self, tmp_path: Path) -> FetchPart:
        path = tmp_path / "elsewhere" / "model.bin"
        path.parent.mkdir()
        path.write_bytes(DATA)
        return FetchPart(str(path), SHA256, len(DATA))

    @pytest.fixture
    def absent_part(self, tmp_path: Path) -> FetchPart:
        return FetchPart(str(tmp_path / "nowhere.bin"), SHA256, len(DATA))


class TestFileSourceWithAnAddress(TestFileSource):
    @pytest.fixture
    def part(self, tmp_path: Path) -> FetchPart:
        path = tmp_path / "else where" / "model.bin"
        path.parent.mkdir()
        path.write_bytes(DATA)
        return FetchPart(path.as_uri(), SHA256, len(DATA))
