"""The model library is looked after with `nook verify` and `nook prune`."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def home(assistant_home):
    return assistant_home


def blobs_of(home):
    return sorted((home / "data" / "models" / "blobs").glob("sha256-*"))


def own_copy(path):
    """Make a file one that no other home shares."""
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    return data


def test_models_that_are_as_fetched_are_called_so(nook):
    ran = nook("verify", "minilm:fp32")
    assert (ran.code, ran.out, ran.err) == (0, "minilm:fp32 is as it was fetched.\n", "")


def test_a_flipped_bit_is_found_and_the_others_are_checked_all_the_same(nook, home):
    largest = max(blobs_of(home), key=lambda path: path.stat().st_size)
    data = bytearray(own_copy(largest))
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)

    ran = nook("verify", "--json")

    form = json.loads(ran.out)
    assert (ran.code, form["version"], form["healthy"]) == (1, 1, False)
    (damaged,) = [model for model in form["models"] if not model["healthy"]]
    assert largest.name.removeprefix("sha256-") in damaged["problem"]
    assert f"nook pull {damaged['name']}" in damaged["hint"]
    assert len(form["models"]) == len(json.loads(nook("list", "--json").out)["models"])
    told = nook("verify", damaged["name"])
    assert told.code == 1
    assert "has changed" in told.out
    assert "nook pull" in told.out


def test_a_model_that_is_not_here_cannot_be_checked(nook):
    ran = nook("verify", "nothing")
    assert (ran.code, ran.out) == (3, "")
    assert "nothing" in ran.err


def test_an_empty_library_has_nothing_to_check(nook, tmp_path):
    ran = nook("--home", str(tmp_path / "new"), "verify")
    assert (ran.code, ran.out) == (0, "There are no models to check.\n")
    assert nook("--home", str(tmp_path / "new"), "prune").out == "There was nothing to free.\n"


def test_prune_frees_what_belongs_to_no_model_and_nothing_else(nook, home):
    before = [path.name for path in blobs_of(home)]
    stray = home / "data" / "models" / "blobs" / f"sha256-{'0' * 64}"
    stray.write_bytes(b"x" * 5_000_000)
    made = home / "cache" / "embedders" / "of-a-model-that-is-gone"
    made.mkdir(parents=True)
    (made / "encoder.onnx").write_bytes(b"x" * 3_000_000)

    ran = nook("prune", "--json")

    assert (ran.code, json.loads(ran.out)) == (0, {"version": 1, "freed_bytes": 8_000_000})
    assert [path.name for path in blobs_of(home)] == before
    assert not made.exists()
    assert nook("prune").out == "There was nothing to free.\n"
    assert nook("verify", "minilm:fp32").code == 0


def test_what_was_kept_of_prompts_goes_with_the_model(nook, home, smollm2):
    kept = home / "cache" / "prompts"
    for name in (smollm2.digest.removeprefix("sha256:")[:32], "of-a-model-that-is-gone"):
        (kept / name).mkdir(parents=True)
        (kept / name / "a-b.state").write_bytes(b"state")
    assert nook("prune").code == 0
    assert [smollm2.digest.removeprefix("sha256:")[:32]] == [p.name for p in kept.iterdir()]
    assert nook("rm", "smollm2:135m").code == 0
    assert [] == list(kept.iterdir())


@pytest.mark.parametrize("value", ["-1", "1.5", '"all"', "true"])
def test_room_for_prompts_is_a_whole_number_of_megabytes(nook, home, value):
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "config.toml").write_text(f"[models]\nprompt_cache_mb = {value}\n")
    ran = nook("list")
    assert ran.code == 2
    assert "'models.prompt_cache_mb' must be a whole number of megabytes" in ran.err
