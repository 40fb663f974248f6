"""Names of assistants: one damaged registration costs only its own name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inglenook.assistants.registry import Registry
from inglenook.errors import StoreError

DAMAGED = {
    "cut": b"{",
    "empty": b"",
    "binary": b"\xff\xfe",
    "list": b"[]",
    "no path": b"{}",
    "number": b'{"path": 5}',
    "relative": b'{"path": "Assistantfile"}',
    "null byte": b'{"path": "/a\\u0000b"}',
}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """With one good name, `mine`."""
    made = Registry(tmp_path / "assistants")
    made.add("mine", tmp_path / "Assistantfile")
    return made


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_registration_has_a_problem_and_the_others_do_not(registry, tmp_path, kind):
    file = tmp_path / "assistants" / "broken.json"
    file.write_bytes(DAMAGED[kind])

    found = registry.paths()

    assert str(file) in found["broken"].problem
    with pytest.raises(StoreError, match=r"broken\.json"):
        found["broken"].profile()
    assert found["mine"].profile() == (tmp_path / "Assistantfile").resolve()
    assert not found["contoso"].problem


def test_a_damaged_registration_is_removed_without_being_read(registry, tmp_path):
    (tmp_path / "assistants" / "broken.json").write_text("{")

    assert registry.remove("broken") is True
    assert registry.remove("broken") is False
    assert "broken" not in registry.paths()


def test_a_name_with_a_path_in_it_removes_nothing(registry, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"path": "/x"}))

    assert registry.remove("../other") is False
    assert other.exists()
