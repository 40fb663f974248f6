"""`nook bench` measures real models, and says clearly what it cannot measure."""

from __future__ import annotations

import json
import signal
import struct
import time
import xml.etree.ElementTree as ET

import pytest

QUICK = ("--context", "64", "--prompt-tokens", "16", "--tokens", "2", "--rounds", "1")

ENTRY = """
from inglenook import Factory, hookimpl

@hookimpl
def register_runtimes(register):
    for name in ("dying", "unloadable", "greedy", "slow", "stuck", "steady"):
        register(Factory(
            name=name, summary="Behaves so.", load=f"odd_runtimes:{name.title()}",
            capabilities={"formats": ("gguf",), "preference": ("90",)},
        ))
"""
RUNTIMES = """
from pathlib import Path
from inglenook.testing.fake_runtime import FakeRuntime, fake_model

STARTED = Path(__file__).with_name("started")

class Steady(FakeRuntime):
    def __init__(self, files, options, **script):
        super().__init__(fake_model(files.reference, **script), options)

def times():
    with STARTED.open("a") as file:
        file.write("x")
    return len(STARTED.read_text())

class Dying(Steady):
    def __init__(self, files, options):
        super().__init__(files, options, crash_after=5 if times() == 2 else None)

class Unloadable(Steady):
    def __init__(self, files, options):
        super().__init__(files, options, crash_after=0)

class Greedy(Steady):
    def __init__(self, files, options):
        super().__init__(files, options, crash_after=0 if options.context_length > 64 else None)

class Slow(Steady):
    def __init__(self, files, options):
        super().__init__(files, options, delay_s=0.0 if times() == 1 else 0.5)

class Stuck(Steady):
    def __init__(self, files, options):
        super().__init__(files, options, open_delay_s=600.0 if times() else 0.0)
"""


@pytest.fixture
def home(assistant_home):
    return assistant_home


@pytest.fixture
def odd_runtimes(site, nook):
    """Runtimes that misbehave; `started` beside them grows by a byte with each process."""
    site.install("nook-odd", ENTRY, files={"odd_runtimes.py": RUNTIMES})
    nook("plugins")  # a new plugin is announced once
    return site.folder / "started"


def huge_gguf(path):
    """A whole GGUF file of one tensor of 4 TiB, nothing of which is on the disk."""

    def text(value):
        return struct.pack("<Q", len(value)) + value

    entry = text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")
    tensor = text(b"weight") + struct.pack("<IQQIQ", 2, 1 << 20, 1 << 20, 0, 0)
    header = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + entry + tensor
    header += bytes(-len(header) % 32)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + (1 << 42))


class TestARealModel:
    def test_is_measured_with_as_many_tokens_as_were_asked_for(self, nook, home):
        ran = nook("bench", "smollm2:135m", *QUICK, "--json")
        form = json.loads(ran.out)
        assert ran.code == 0
        (subject,) = form["subjects"]
        assert (subject["runtime"], subject["bare"]) == ("xllamacpp", False)
        assert subject["libraries"].keys() == {"xllamacpp"}
        assert subject["device"].startswith("cpu")
        (measured,) = form["measurements"]
        assert (measured["prompt_tokens"], measured["completion_tokens"]) == (16, 2)
        for figure in measured["figures"].values():
            assert figure["low"] == figure["median"] == figure["high"] > 0
        assert measured["figures"]["peak_memory_bytes"]["median"] > 50_000_000
        assert form["machine"]["usable"] >= 1

    def test_of_an_assistant_is_opened_as_its_file_says_and_drawn(self, nook, folder, tmp_path):
        file = folder / "Assistantfile"
        file.write_text(file.read_text() + "RUNTIME llama-cpp\nPARAMETER num_thread 1\n")
        plot = tmp_path / "speed.svg"
        ran = nook("bench", "./office", *QUICK, "--parallel", "1,2", "--plot", str(plot))
        assert ran.code == 0
        assert "./office: runtime llama-cpp (llama_cpp_python " in ran.out
        assert "2 at a time: not measured. The runtime 'llama-cpp' runs 1 at a time" in ran.out
        assert f"The plot is in {plot}." in ran.err
        drawing = ET.fromstring(plot.read_text("utf-8"))
        texts = [element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")]
        assert "./office, llama-cpp, 1 at a time" in texts
        assert sum("is better" in (text or "") for text in texts) == 6

    def test_runs_several_requests_at_a_time_and_is_compared_with_the_bare_library(self, nook):
        ran = nook(
            "bench", "smollm2:135m", *QUICK, "--parallel", "2", "--against", "bare", "--json"
        )
        form = json.loads(ran.out)
        assert ran.code == 0
        assert [s["bare"] for s in form["subjects"]] == [False, True]
        assert [m["completion_tokens"] for m in form["measurements"]] == [2, 2]
        assert [m["prompt_tokens"] for m in form["measurements"]] == [16, 16]
        (comparison,) = form["comparisons"]
        assert comparison["ratios"].keys() == form["measurements"][0]["figures"].keys()
        ours, theirs = (m["figures"]["load_s"]["median"] for m in form["measurements"])
        assert comparison["ratios"]["load_s"]["median"] == pytest.approx(ours / theirs, rel=1e-3)

    def test_is_compared_between_two_runtimes_by_its_path(self, nook, smollm2):
        path = str(smollm2.files["model"])
        arguments = ("--runtime", "llama-cpp", "--against-runtime", "xllamacpp")
        ran = nook("bench", path, *QUICK, *arguments)
        assert ran.code == 0
        assert f"{path}: runtime llama-cpp (llama_cpp_python " in ran.out
        assert f"{path}: runtime xllamacpp (xllamacpp " in ran.out
        assert "the median of the rounds" in ran.out


class TestWhatCannotBeMeasured:
    @pytest.mark.parametrize(
        ("arguments", "code", "told"),
        [
            (("smollm",), 2, "Did you mean 'smollm2:135m'?"),
            (("nothing:7b",), 2, "There is no assistant and no model named 'nothing:7b'."),
            (("./nothing.gguf",), 2, "There is no model at nothing.gguf."),
            (("minilm:fp32",), 2, "is a model for embedding"),
            (("smollm2:135m", "--runtime", "lama"), 2, "There is no runtime named 'lama'."),
            (("smollm2:135m", "--against", "no-such"), 2, "no model named 'no-such'"),
            (("smollm2:135m", "--context", "64,x"), 2, "'64,x' is not numbers from 16"),
            (("smollm2:135m", "--parallel", "0"), 2, "'0' is not numbers from 1"),
            (("smollm2:135m", "--plot", "speed.png"), 2, "speed.png is no .svg file."),
            (("smollm2:135m", "--plot", "no/where.svg"), 2, "There is no folder"),
            (("smollm2:135m", "--plot", f"{'x' * 300}.svg"), 2, "File name too long"),
            (
                ("smollm2:135m", "--context", "64"),
                2,
                "has no room for a prompt and an answer of 64",
            ),
            (
                ("smollm2:135m", "--against", "bare", "--against-runtime", "llama-cpp"),
                2,
                "leave --against-runtime out",
            ),
            (("--no-plugins",), 2, "No such option"),
        ],
    )
    def test_misuse_is_one_clear_error(self, nook, arguments, code, told):
        ran = nook("-q", "bench", *arguments)
        assert (ran.code, ran.out) == (code, "")
        assert told in ran.err
        assert len(ran.err.splitlines()) <= 2

    def test_plugins_that_are_off_are_named(self, nook):
        ran = nook("--no-plugins", "bench", "smollm2:135m")
        assert (ran.code, ran.out) == (2, "")
        assert "plugins are off (--no-plugins)" in ran.err

    def test_a_context_that_the_model_does_not_have_is_told_and_the_others_are_measured(self, nook):
        ran = nook("-q", "bench", "smollm2:135m", *QUICK, "--context", "64,9000")
        assert ran.code == 0
        assert "Context 9000, 1 at a time: not measured." in ran.out
        assert "\n64 " in ran.out

    def test_a_model_larger_than_the_memory_is_refused_before_it_is_tried(
        self, nook, tmp_path, home
    ):
        huge_gguf(tmp_path / "huge.gguf")
        ran = nook("-q", "bench", "./huge.gguf", *QUICK)
        assert (ran.code, ran.out) == (3, "")
        assert "huge.gguf needs at least 4,398,0" in ran.err
        assert "this machine has" in ran.err
        assert not (home / "cache" / "logs").exists()

    def test_a_plot_that_cannot_be_written_costs_no_figures(self, nook, odd_runtimes):
        plot = f"{'x' * 245}.svg"
        ran = nook("-q", "bench", "smollm2:135m", *QUICK, "--runtime", "steady", "--plot", plot)
        assert ran.code == 3
        assert "steady" in ran.out
        assert "cannot be written" in ran.err

    def test_a_runtime_without_a_bare_model_says_so(self, nook, odd_runtimes):
        ran = nook(
            "-q", "bench", "smollm2:135m", *QUICK, "--runtime", "steady", "--against", "bare"
        )
        assert ran.code == 0
        assert "This runtime offers no way to run its library bare." in ran.out


class TestOnATerminal:
    def test_a_narrow_one_gets_a_list_and_a_wide_one_a_table(
        self, screen, environment, odd_runtimes
    ):
        arguments = ("bench", "smollm2:135m", *QUICK[:-1], "2", "--runtime", "steady")
        for columns, shown in (("60", "  First token "), ("120", "CONTEXT  AT ONCE  PROMPT")):
            environment["COLUMNS"] = columns
            opened = screen(*arguments)
            assert opened.end() == 0
            assert shown in opened.text
            assert "runtime steady on none: it only pretends" in opened.text


class TestARuntimeThatFails:
    def test_in_the_middle_leaves_what_was_measured_and_one_error(self, nook, odd_runtimes):
        arguments = (*QUICK[:-3], "9", "--rounds", "3", "--runtime", "dying")
        ran = nook("-q", "bench", "smollm2:135m", *arguments)
        assert ran.code == 3
        assert "smollm2:135m: runtime dying" in ran.out
        assert "\n64 " in ran.out
        assert ran.err.startswith("Error: The runtime of smollm2:135m ended unexpectedly")
        assert "SIGABRT" in ran.err
        odd_runtimes.unlink()
        form = json.loads(nook("-q", "bench", "smollm2:135m", *arguments, "--json").out)
        assert form["error"]["type"] == "RuntimeFailure"
        assert form["measurements"][0]["rounds"] == 1

    def test_only_where_more_is_asked_for_is_told_and_the_rest_is_measured(
        self, nook, odd_runtimes
    ):
        arguments = (*QUICK, "--context", "64,4096", "--runtime", "greedy")
        ran = nook("-q", "bench", "smollm2:135m", *arguments)
        assert (ran.code, ran.err) == (0, "")
        assert "\n64 " in ran.out
        assert "Context 4096, 1 at a time: not measured. The runtime of smollm2" in ran.out

    def test_while_it_loads_is_one_error_and_nothing_else(self, nook, odd_runtimes):
        ran = nook("-q", "bench", "smollm2:135m", *QUICK, "--runtime", "unloadable")
        assert (ran.code, ran.out) == (3, "")
        assert "ended unexpectedly while loading: signal 6 (SIGABRT)" in ran.err
        form = json.loads(
            nook("bench", "smollm2:135m", *QUICK, "--runtime", "unloadable", "--json").out
        )
        assert form["error"]["type"] == "RuntimeFailure"


class TestCtrlC:
    def stopped(self, started, odd_runtimes, processes):
        """Send Ctrl-C once so many processes were started; the seconds until the end."""
        started.until(lambda: odd_runtimes.exists() and len(odd_runtimes.read_bytes()) >= processes)
        time.sleep(0.5)
        began = time.monotonic()
        assert started.stop(signal.SIGINT) == 130
        return time.monotonic() - began

    def test_prints_what_was_measured_so_far(self, running, odd_runtimes):
        arguments = ("bench", "smollm2:135m", *QUICK[:-3], "9", "--rounds", "3")
        started = running(*arguments, "--runtime", "slow")
        assert self.stopped(started, odd_runtimes, 2) < 2
        out = "".join(started.out)
        assert "\n64 " in out
        assert "Stopped. That is what was measured so far." in "".join(started.err)

    def test_ends_a_model_that_loads_for_ever(self, running, odd_runtimes):
        started = running("-q", "bench", "smollm2:135m", *QUICK, "--runtime", "stuck")
        assert self.stopped(started, odd_runtimes, 1) < 2.5
        assert "".join(started.out) == ""
        assert "".join(started.err) == "Stopped. Nothing was measured.\n"

    def test_leaves_a_whole_form_for_machines(self, running, odd_runtimes):
        started = running("-q", "bench", "smollm2:135m", *QUICK, "--runtime", "stuck", "--json")
        self.stopped(started, odd_runtimes, 1)
        form = json.loads("".join(started.out))
        assert (form["cancelled"], form["measurements"], form["error"]) == (True, [], None)
