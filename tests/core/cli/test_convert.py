"""`nook convert` writes a model anew in another format or precision."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time

import pytest


@pytest.fixture
def home(assistant_home):
    return assistant_home


def left_in(home):
    """What lies where half-done work is done, but for locks of earlier work."""
    scratch = home / "data" / "models" / "partial"
    return [path.name for path in scratch.glob("*") if path.suffix != ".lock"]


def names_of(nook):
    return [model["name"] for model in json.loads(nook("list", "--json").out)["models"]]


GREEDY = "PARAMETER temperature 0\nPARAMETER num_predict 16\n"


def test_the_new_model_lives_in_the_library_like_any_other(nook, home, tmp_path):
    ran = nook("convert", "smollm2", "--precision", "int8", "--no-compare", "--json")
    made = json.loads(ran.out)
    assert (0, "smollm2:135m-onnx-int8", "onnx", "int8") == (
        ran.code,
        made["name"],
        made["to"],
        made["precision"],
    )
    assert [] == left_in(home)
    assert 0 == nook("verify", "smollm2:135m-onnx-int8").code
    shown = nook("show", "smollm2:135m-onnx-int8").out
    assert "Apache-2.0" in shown
    assert "134.52M" in shown

    greedy = tmp_path / "Assistantfile"
    greedy.write_text(f"FROM smollm2:135m-onnx-int8\n{GREEDY}")
    asked = nook("run", str(greedy), "What is the capital of France?")
    assert 0 == asked.code, asked.err
    assert asked.out.strip()

    assert 0 == nook("cp", "smollm2:135m-onnx-int8", "mine").code
    assert 0 == nook("rm", "smollm2:135m-onnx-int8").code
    greedy.write_text(f"FROM mine\n{GREEDY}")
    assert asked.out == nook("run", str(greedy), "What is the capital of France?").out

    again = nook("convert", "smollm2", "--precision", "int8", "--no-compare", "--name", "mine")
    assert 2 == again.code
    assert "There is a model named mine:latest already." in again.err
    assert "--force" in again.err

    assert 0 == nook("rm", "mine").code
    assert not list((home / "data" / "models" / "folders").iterdir())


def test_a_folder_outside_the_library_is_used_where_it_lies(nook, home, tmp_path):
    folder = tmp_path / "made"
    ran = nook("convert", "smollm2", "--precision", "int8", "--no-compare", "--output", str(folder))
    assert 0 == ran.code, ran.err
    assert "genai_config.json" in {path.name for path in folder.iterdir()}
    assert ["made"] == [p.name for p in tmp_path.iterdir() if "made" in p.name]

    profile = tmp_path / "Assistantfile"
    profile.write_text("FROM ./made\nPARAMETER temperature 0\nPARAMETER num_predict 8\n")
    asked = nook("ask", str(profile), "What is the capital of France?")
    assert 0 == asked.code, asked.err

    copied = nook("pull", "copied", "--source", f"file:{folder}")
    assert 0 == copied.code, copied.err
    assert "copied:latest" in names_of(nook)
    assert 0 == nook("run", "copied", "Hello").code

    twice = nook("convert", "smollm2", "--no-compare", "--output", str(folder))
    assert (2, True) == (twice.code, "exists already" in twice.err)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing-here"], "There is no model nothing-here"),
        (["./nothing.gguf"], "There is no model at"),
        (["smollm2", "--precision", "int3"], "'int3' is no precision of onnx models."),
        (["smollm2", "-q", "Q9_Z"], "'Q9_Z' is no precision of gguf models."),
        (["smollm2", "--precision", "int4", "-q", "Q8_0"], "choose one"),
        (["smollm2", "--to", "gguf", "--precision", "int4"], "take --quantize"),
        (["smollm2", "--to", "onnx", "-q", "Q8_0"], "take --precision"),
        (["smollm2", "--name", "a", "--output", "b"], "choose one"),
        (["smollm2", "--output", "no/such/place"], "There is no folder no/such"),
        (["smollm2", "--report", "report.txt"], "neither a .json nor an .html"),
        (["smollm2", "--name", "contoso"], "There is an assistant named 'contoso'."),
        (["minilm:int8"], "No plugin here converts minilm:int8"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_line(nook, home, arguments, said):
    ran = nook("convert", *arguments)

    assert ran.code in {2, 3}
    assert said in ran.err
    assert [] == left_in(home)


def test_rounding_twice_has_to_be_asked_for(nook, home, tmp_path):
    ran = nook("convert", "smollm2", "-q", "Q4_0", "--no-compare")
    assert 2 == ran.code
    assert "rounded already (Q4_1)" in ran.err
    assert "--requantize" in ran.err
    assert [] == left_in(home)

    file = tmp_path / "again.gguf"
    ran = nook(
        *("convert", "smollm2", "-q", "q8_0", "--requantize", "--no-compare"),
        *("--output", str(file)),
    )
    assert 0 == ran.code, ran.err
    assert b"GGUF" == file.read_bytes()[:4]
    profile = tmp_path / "Assistantfile"
    profile.write_text("FROM ./again.gguf\nPARAMETER num_predict 4\n")
    assert 0 == nook("ask", str(profile), "Hello").code


def test_a_comparison_says_how_much_was_lost(nook, home, tmp_path):
    report = tmp_path / "report.json"
    ran = nook("convert", "smollm2", "--precision", "int8", "--report", str(report))
    assert 0 == ran.code, ran.err

    assert "Lost:" in ran.out
    form = json.loads(report.read_text())
    compared = form["comparison"]
    assert compared["same_tokens"]
    assert compared["text_agreement"] > 0.85
    assert abs(compared["perplexity_growth"]) < 0.1
    assert 0 < compared["result"]["size_bytes"]


def test_a_broken_file_leaves_nothing(nook, home, tmp_path):
    blob = max((home / "data" / "models" / "blobs").iterdir(), key=lambda p: p.stat().st_size)
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(blob.read_bytes()[:100_000])
    ran = nook("convert", str(cut), "--no-compare")

    assert 3 == ran.code
    assert "truncated" in ran.err
    assert [] == left_in(home)


def running(environment, tmp_path, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "inglenook", "convert", *arguments],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def until_written(home, process):
    """Wait until weights are being written."""
    for _ in range(1200):
        sizes = [p.stat().st_size for p in (home / "data/models/partial").rglob("*.data")]
        if any(size > 1_000_000 for size in sizes):
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("nothing was written")


def test_ctrl_c_leaves_nothing(nook, home, environment, tmp_path):
    process = running(environment, tmp_path, "smollm2", "--precision", "int4", "--no-compare")
    until_written(home, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert 130 == process.returncode
    assert b"Traceback" not in err
    assert [] == left_in(home)
    assert "smollm2:135m-onnx-int4" not in names_of(nook)


def test_a_kill_leaves_nothing_that_is_seen_and_the_next_run_clears_it(
    nook, home, environment, tmp_path
):
    process = running(environment, tmp_path, "smollm2", "--precision", "int4", "--no-compare")
    until_written(home, process)
    process.kill()
    process.communicate(timeout=60)

    assert "smollm2:135m-onnx-int4" not in names_of(nook)
    assert 0 == nook("prune").code
    assert [] == left_in(home)


def test_a_limit_on_files_is_a_clear_error(nook, home, environment, tmp_path):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))

    process = running(
        environment, tmp_path, "smollm2", "--precision", "int8", "--no-compare", preexec_fn=limit
    )
    _, err = process.communicate(timeout=120)

    assert 3 == process.returncode
    assert b"Cannot write" in err
    assert b"Traceback" not in err
    assert [] == left_in(home)


def test_a_place_that_cannot_be_written_is_told(nook, home):
    ran = nook("convert", "smollm2", "--no-compare", "--output", "/proc/model")

    assert 3 == ran.code
    assert "Cannot write" in ran.err
