"""`nook cp` gives a model another name."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time

import pytest


@pytest.fixture
def home(assistant_home):
    return assistant_home


@pytest.fixture
def theirs(home, tmp_path, environment):
    """A store of Ollama with `smollm2:135m`, which our own library does not have."""
    store = tmp_path / "ollama"
    models = home / "data" / "models"
    shutil.copytree(models, store)
    for path in (store / "manifests" / "registry.ollama.ai" / "library").iterdir():
        if path.name != "smollm2":
            shutil.rmtree(path)
    shutil.rmtree(models)
    environment["OLLAMA_MODELS"] = str(store)
    return store


def blobs_of(home):
    return sorted(path.name for path in (home / "data" / "models" / "blobs").glob("sha256-*"))


def left_in(home):
    """What lies where half-done work is done, but for the lock of the library."""
    scratch = home / "data" / "models" / "partial"
    return [path.name for path in scratch.glob("*") if path.name != "library.lock"]


def test_another_name_shares_the_files(nook, home):
    before = blobs_of(home)
    ran = nook("cp", "smollm2", "My-Model")
    assert (ran.code, ran.out) == (0, "My-Model:latest is smollm2:135m now.\n")
    assert blobs_of(home) == before
    assert nook("verify", "my-model").code == 0

    again = nook("cp", "smollm2:135m", "MY-MODEL:LATEST")
    assert (again.code, again.out) == (0, "My-Model:latest is that model already.\n")

    assert "0 kB freed" in nook("rm", "smollm2:135m").out
    assert nook("verify", "my-model").code == 0
    assert blobs_of(home) == before


def test_a_copied_model_answers(nook):
    nook("cp", "smollm2", "me/mine:v1")
    ran = nook("run", "me/mine:v1", "Say hello.")
    assert (ran.code, bool(ran.out.strip())) == (0, True)


def test_another_model_gives_way_only_with_force(nook):
    nook("cp", "smollm2", "mine")
    refused = nook("cp", "minilm:int8", "mine")
    assert refused.code == 2
    assert "There is another model named mine:latest." in refused.err
    assert "--force" in refused.err
    assert json.loads(nook("show", "mine", "--json").out)["format"] == "gguf"
    form = json.loads(nook("cp", "minilm:int8", "mine", "--force", "--json").out)
    assert form == {
        "version": 1,
        "source": "minilm:int8",
        "destination": "mine:latest",
        "already_there": False,
        "copied_bytes": 0,
    }
    assert json.loads(nook("show", "mine", "--json").out)["format"] == "sentence-onnx"


def test_a_terminal_is_asked(screen, nook):
    nook("cp", "smollm2", "mine")
    shown = screen("cp", "minilm:int8", "mine")
    shown.wait_for("Replace it?")
    shown.type("n\n")
    assert shown.end() == 2
    shown = screen("cp", "minilm:int8", "mine")
    shown.wait_for("Replace it?")
    shown.type("y\n")
    assert shown.end() == 0
    assert "mine:latest is minilm:int8 now" in shown.text


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nothing", "mine"], 3, "There is no model nothing:latest"),
        (["smollm2", "contoso"], 2, "There is an assistant named 'contoso'"),
        (["smollm2", "CONTOSO:latest"], 2, "There is an assistant named"),
        (["contoso", "mine"], 2, "'contoso' is an assistant; only models are copied"),
        (["smollm2", "a b"], 2, "not a model reference"),
        (["smollm2", "../evil"], 2, "not a model reference"),
        (["smollm2", ""], 2, "not a model reference"),
        (["smollm2"], 2, "Missing argument"),
    ],
)
def test_misuse_is_told(nook, arguments, code, said):
    ran = nook("cp", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err


def test_a_model_of_another_store_is_copied_and_checked(nook, home, theirs):
    before = {path: path.read_bytes() for path in theirs.rglob("*/135m")}
    ran = nook("cp", "smollm2:135m", "mine", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["copied_bytes"] > 90_000_000
    assert nook("cp", "smollm2:135m", "smollm2:135m").code == 0
    assert {path: path.read_bytes() for path in theirs.rglob("*/135m")} == before
    shutil.rmtree(theirs)
    assert nook("verify", "mine", "smollm2:135m").code == 0
    own = blobs_of(home)
    assert len(own) == 2
    for name in own:
        data = (home / "data" / "models" / "blobs" / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == name.removeprefix("sha256-")


def test_a_damaged_model_of_another_store_is_not_copied(nook, home, theirs):
    largest = next((theirs / "blobs").glob("sha256-b179c952*"))
    data = bytearray(largest.read_bytes())
    data[1000] ^= 1
    largest.unlink()
    largest.write_bytes(data)
    ran = nook("cp", "smollm2:135m", "mine")
    assert ran.code == 3
    assert "has changed" in ran.err
    assert blobs_of(home) == []
    assert left_in(home) == []
    assert not (home / "data" / "models" / "manifests").exists()


def test_what_a_killed_copy_left_is_told_and_goes_with_a_prune(nook, home, theirs, environment):
    command = [sys.executable, "-m", "inglenook", "cp", "smollm2:135m", "mine"]
    scratch = home / "data" / "models" / "partial"
    running = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    while running.poll() is None and not any(p.stat().st_size for p in scratch.glob("*/*")):
        time.sleep(0.002)
    running.kill()
    assert running.wait() == -signal.SIGKILL
    (left,) = [r for r in json.loads(nook("du", "--json").out)["rooms"] if r["unused_bytes"]]
    assert (left["kind"], left["command"]) == ("unfinished import", "nook prune")
    assert json.loads(nook("prune", "--json").out)["freed_bytes"] == left["unused_bytes"]
    assert left_in(home) == []
    assert nook("cp", "smollm2:135m", "mine").code == 0
