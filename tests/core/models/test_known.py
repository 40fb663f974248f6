"""The shipped catalog is complete and consistent."""

from __future__ import annotations

import pytest

from inglenook.models.known import Catalog, KnownModel, load_catalog
from inglenook.models.reference import parse_reference

CATALOG = load_catalog()


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("smollm2", "smollm2:135m"),
        ("SmolLM2:135M", "smollm2:135m"),
        ("qwen2.5-coder", "qwen2.5-coder:0.5b"),
        ("minilm", "minilm:fp32"),
        ("minilm:int8", "minilm:int8"),
    ],
)
def test_models_are_found_by_name_and_alias(alias: str, name: str) -> None:
    found = CATALOG.find(parse_reference(alias))
    assert found is not None
    assert found.name == name


def test_an_unknown_name_is_not_found() -> None:
    assert Catalog(()).find(parse_reference("smollm2")) is None


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda model: model.name)
def test_every_file_has_a_sha256_and_parts_that_add_up(model: KnownModel) -> None:
    assert model.licence
    for file in model.files:
        assert len(bytes.fromhex(file.sha256)) == 32
        assert [s.scheme for s in file.sources][-1] == "pip"
        for source in file.sources:
            assert sum(part.size_bytes for part in source.parts) == file.size_bytes
            assert [p for p in source.parts if len(bytes.fromhex(p.sha256)) != 32] == []


def test_the_publisher_comes_before_packages() -> None:
    model = CATALOG.find(parse_reference("minilm:int8"))
    assert model is not None
    assert model.every_scheme == ("url", "pip")
