"""What models compute from the beginnings of prompts is kept whole, or not at all."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from inglenook.models.kept_states import LEAST_TOKENS, KeptStates
from inglenook.types import ModelFiles

TOKENS = tuple(range(LEAST_TOKENS))


@pytest.fixture
def model(tmp_path: Path) -> ModelFiles:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"weights")
    return ModelFiles("m", "gguf", {"model": path}, digest="d" * 64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "prompts" / "d"


def states(folder: Path, model: ModelFiles, limit: int = 1000, **made_with: object) -> KeptStates:
    return KeptStates(folder, limit, model, "numpy", {"runtime": "r", **made_with})


def keep(kept: KeptStates, tokens: tuple[int, ...] = TOKENS, data: bytes = b"state") -> None:
    kept.keep(tokens, lambda path: path.write_bytes(data) and None)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_what_was_kept_is_found_by_another_process(folder, model):
    keep(states(folder, model))
    found = states(folder, model).find(TOKENS)
    assert found is not None
    assert b"state" == found.read_bytes()


def test_only_the_user_may_read_it(folder, model):
    keep(states(folder, model))
    (path,) = folder.iterdir()
    assert (0o700, 0o600) == (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777)


def test_nothing_is_found_for_other_tokens_settings_or_weights(folder, model, tmp_path):
    keep(states(folder, model))
    assert states(folder, model).find((*TOKENS, 7)) is None
    assert states(folder, model).find(TOKENS[:-1]) is None
    assert states(folder, model, batch=64).find(TOKENS) is None
    assert KeptStates(folder, 1000, model, "pytest", {"runtime": "r"}).find(TOKENS) is None
    # A file of the same name, size, beginning and end may hold other weights in the middle.
    os.utime(model.files["model"], ns=(1, 1))
    assert states(folder, model).find(TOKENS) is None


@pytest.mark.parametrize("damage", [b"stat", b"statf", b"", b"state and more"])
def test_a_file_that_is_not_the_one_that_was_written_is_deleted(folder, model, damage):
    keep(states(folder, model))
    (path,) = folder.iterdir()
    path.write_bytes(damage)
    assert states(folder, model).find(TOKENS) is None
    assert [] == names(folder)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("no")])
def test_what_cannot_be_written_leaves_nothing_and_says_nothing(folder, model, error):
    def fails(path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    states(folder, model).keep(TOKENS, fails)
    assert [] == names(folder)


def test_a_folder_that_cannot_be_made_costs_nobody_an_answer(tmp_path, model):
    (tmp_path / "prompts").write_text("a file is in the way")
    kept = states(tmp_path / "prompts" / "d", model)
    keep(kept)
    assert kept.find(TOKENS) is None


def test_a_defect_of_who_writes_is_not_hidden(folder, model):
    def wrong(path: Path) -> None:
        raise TypeError("a defect")

    with pytest.raises(TypeError):
        states(folder, model).keep(TOKENS, wrong)
    assert [] == names(folder)


def test_those_not_used_for_longest_make_room_across_models(tmp_path, model):
    first = states(tmp_path / "prompts" / "a", model, limit=250)
    second = states(tmp_path / "prompts" / "b", model, limit=250)
    keep(first, TOKENS, b"1" * 100)
    keep(second, TOKENS, b"2" * 100)
    for path, when in ((first.find(TOKENS), 1000), (second.find(TOKENS), 2000)):
        os.utime(path, (when, when))
    assert first.find(TOKENS)  # Used again: the other one is older now.
    keep(first, (*TOKENS, 1), b"3" * 100)
    assert second.find(TOKENS) is None
    assert first.find(TOKENS)
    assert first.find((*TOKENS, 1))


def test_one_that_is_larger_than_all_that_may_be_kept_is_not_kept(folder, model):
    kept = states(folder, model, limit=10)
    keep(kept, TOKENS, b"1" * 9)
    keep(kept, (*TOKENS, 1), b"2" * 11)
    assert kept.find(TOKENS)
    assert kept.find((*TOKENS, 1)) is None


def test_one_that_was_too_large_is_not_written_again_with_every_start(folder, model):
    keep(states(folder, model, limit=3))
    written = []
    states(folder, model, limit=3).keep(TOKENS, written.append)
    assert [] == written
    keep(states(folder, model, limit=100))
    assert states(folder, model).find(TOKENS)


def test_a_cache_that_cannot_be_written_is_used_all_the_same(folder, model, monkeypatch):
    keep(states(folder, model))

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "utime", refuse)
    assert states(folder, model).find(TOKENS)


def test_what_a_crash_left_goes_after_an_hour(folder, model):
    folder.mkdir(parents=True)
    for name, age_s in (("new-old.state", 4000), ("new-fresh.state", 10)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age_s,) * 2)
    keep(states(folder, model))
    assert ["new-fresh.state"] == [name for name in names(folder) if name.startswith("new-")]


def test_it_is_worth_it_for_long_beginnings_of_longer_prompts_only(folder, model):
    kept = states(folder, model)
    assert kept.worth_it(TOKENS, (*TOKENS, 5))
    assert not kept.worth_it(TOKENS, TOKENS)
    assert not kept.worth_it(TOKENS[:-1], (*TOKENS, 5))
    assert not kept.worth_it((9, *TOKENS[1:]), (*TOKENS, 5))
    assert not kept.worth_it((), TOKENS)
