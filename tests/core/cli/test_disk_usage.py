"""`nook du` says what takes room and what frees it."""

from __future__ import annotations

import json
import shutil

import pytest


def rooms(nook, **options):
    return json.loads(nook("du", "--json", **options).out)


def of_kind(found, kind):
    return {room["name"]: room for room in found["rooms"] if room["kind"] == kind}


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_an_empty_home_takes_nothing(nook):
    ran = nook("du")
    assert (ran.code, ran.out) == (0, "0 kB in all.\n")
    assert rooms(nook) == {"version": 1, "total_bytes": 0, "unused_bytes": 0, "rooms": []}


class TestWithModels:
    @pytest.fixture
    def home(self, assistant_home):
        return assistant_home

    def test_shared_files_count_once_and_are_told(self, nook, home):
        before = rooms(nook)
        nook("cp", "smollm2", "mine")
        found = rooms(nook)
        assert 0 < found["total_bytes"] - before["total_bytes"] < 2000
        assert found["total_bytes"] == size_of(home)
        models = of_kind(found, "model")
        assert models["mine:latest"]["shared_with"] == ["smollm2:135m"]
        assert models["mine:latest"]["shared_bytes"] == models["mine:latest"]["size_bytes"]
        assert models["qwen2.5-coder:0.5b"]["shared_with"] == []
        # The two forms of one embedder have a tokenizer in common.
        pair = models["minilm:fp32"]["shared_with"], models["minilm:int8"]["shared_with"]
        assert pair == (["minilm:int8"], ["minilm:fp32"])
        assert "shares 98 MB with smollm2:135m" in nook("du").out

    def test_what_is_of_no_use_goes_with_the_command_that_is_named(self, nook, home):
        stray = home / "data" / "models" / "blobs" / f"sha256-{'0' * 64}"
        stray.write_bytes(b"x" * 5_000_000)
        made = home / "cache" / "embedders" / "of-a-model-that-is-gone"
        made.mkdir(parents=True)
        (made / "encoder.onnx").write_bytes(b"x" * 3_000_000)
        prompts = home / "cache" / "prompts" / "of-a-model-that-is-gone"
        prompts.mkdir(parents=True)
        (prompts / "x.state").write_bytes(b"x" * 1_000_000)
        found = rooms(nook)
        assert found["unused_bytes"] == 9_000_000
        assert of_kind(found, "unused blobs")[""]["command"] == "nook prune"
        assert "9 MB of it is of no use and can be freed with:\n  nook prune" in nook("du").out
        assert json.loads(nook("prune", "--json").out)["freed_bytes"] == found["unused_bytes"]
        assert rooms(nook)["unused_bytes"] == 0

    def test_models_of_another_store_are_apart(self, nook, home, tmp_path, environment):
        shutil.copytree(home / "data" / "models", tmp_path / "ollama")
        shutil.rmtree(home / "data" / "models")
        environment["OLLAMA_MODELS"] = str(tmp_path / "ollama")
        found = rooms(nook)
        assert "smollm2:135m" in of_kind(found, "model elsewhere")
        assert of_kind(found, "model") == {}
        assert found["total_bytes"] < 1_000_000

    def test_what_was_made_of_a_model_and_unfinished_pulls_are_told(self, nook, home, folder):
        (home / "data" / "models" / "partial" / "big-1b-00112233").mkdir(parents=True)
        part = home / "data" / "models" / "partial" / "big-1b-00112233" / f"sha256-{'1' * 64}"
        part.write_bytes(b"x" * 1_000_000)
        nook("ingest", "./office")
        found = rooms(nook)
        assert "minilm:fp32" in of_kind(found, "made of a model")
        assert of_kind(found, "unfinished pull")["big-1b-00112233"]["size_bytes"] == 1_000_000
        assert found["total_bytes"] == size_of(home)


def test_knowledge_is_told_by_name_and_what_has_none_apart(nook, papers, home):
    nook("ingest", "./papers")
    (folder,) = (home / "data" / "knowledge").iterdir()
    (nameless,) = of_kind(rooms(nook), "knowledge without a name").values()
    assert nameless["path"] == str(folder)
    assert "used by its path" in nameless["note"]
    assert nameless["unused_bytes"] == 0

    nook("export", "./papers", "p.nook", "--no-models")
    nook("import", "p.nook")
    nook("ingest", "papers")
    found = rooms(nook)
    assert of_kind(found, "knowledge")["papers"]["command"] == "nook rm papers"
    assert "papers" in of_kind(found, "imported assistant")
    assert found["total_bytes"] == size_of(home)
    assert sum(room["size_bytes"] for room in found["rooms"]) == found["total_bytes"]


def test_knowledge_whose_drive_may_only_be_away_is_never_called_useless(nook, papers, home):
    nook("ingest", "./papers")
    (folder,) = (home / "data" / "knowledge").iterdir()
    papers.folder.rename(papers.folder.with_name("unplugged"))
    (away,) = of_kind(rooms(nook), "knowledge without a name").values()
    assert (away["unused_bytes"], away["command"]) == (0, "")
    said = " ".join(nook("du").out.split())
    assert "connect their drive, or if they are gone for good delete it with: rm -r" in said
    assert str(folder) in said
    assert "of no use" not in said


def test_what_a_vacuum_would_free_is_told(nook, papers, home):
    papers.write("large.txt", "Many different words about badgers and otters. " * 8000)
    nook("export", "./papers", "p.nook", "--no-models")
    nook("import", "p.nook")
    nook("ingest", "papers")
    (imported,) = (home / "data" / "imported").iterdir()
    (imported / "documents" / "large.txt").write_text("Short.")
    nook("ingest", "papers")
    room = of_kind(rooms(nook), "knowledge")["papers"]
    assert room["command"] == "nook kb vacuum papers"
    assert 0 < room["unused_bytes"] < room["size_bytes"]
    nook("kb", "vacuum", "papers")
    assert of_kind(rooms(nook), "knowledge")["papers"]["unused_bytes"] == 0
