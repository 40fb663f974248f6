"""The model library is looked after with `nook verify` and `nook prune`."""

from __future__ import annotations

import json
import shutil

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


class TestAnAssistantThatIsRemoved:
    @pytest.fixture
    def spoken(self, nook, tmp_path):
        """The assistant `talker`, which was asked, so that its system prompt was kept."""
        folder = tmp_path / "talker"
        folder.mkdir()
        system = " ".join(f"Rule {n}: cabinet {n} closes at {n} o'clock." for n in range(40))
        text = f"FROM smollm2\nPARAMETER num_predict 2\nSYSTEM {system}\n"
        (folder / "Assistantfile").write_text(text)
        assert nook("create", "talker", "-f", "talker/Assistantfile").code == 0
        assert nook("ask", "talker", "Hello?").code == 0
        return folder

    def test_takes_along_what_was_kept_of_its_prompt(self, nook, home, spoken, smollm2):
        (kept,) = (home / "cache" / "prompts").glob("*/*.state")
        another = kept.parent.with_name("of-another-model") / kept.name
        another.parent.mkdir()
        another.write_bytes(b"x")
        assert nook("create", "twin", "-f", "talker/Assistantfile").code == 0

        assert nook("rm", "twin").out == "Removed the assistant twin; its own files stay.\n"
        assert kept.exists()
        ran = nook("rm", "talker")

        assert "and what was kept of prompts for its model" in ran.out
        assert not kept.exists()
        assert another.exists()

    def test_does_so_too_when_its_files_are_gone_already(self, nook, home, spoken):
        shutil.rmtree(spoken)
        assert list((home / "cache" / "prompts").glob("*/*.state"))
        assert nook("rm", "talker", "--keep-knowledge").code == 0
        assert not list((home / "cache" / "prompts").glob("*/*.state"))


@pytest.mark.parametrize("value", ["-1", "1.5", '"all"', "true"])
def test_room_for_prompts_is_a_whole_number_of_megabytes(nook, home, value):
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "config.toml").write_text(f"[models]\nprompt_cache_mb = {value}\n")
    ran = nook("list")
    assert ran.code == 2
    assert "'models.prompt_cache_mb' must be a whole number of megabytes" in ran.err
