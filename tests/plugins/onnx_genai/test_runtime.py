"""The runtime for ONNX folders with a real model: alone, and in a process of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import threading

import psutil
import pytest

from inglenook.errors import (
    ContextOverflowError,
    MissingDependencyError,
    ModelBrokenError,
    RuntimeFailure,
    UserError,
)
from inglenook.models.local import files_from_path
from inglenook.models.worker import RuntimeWorker
from inglenook.testing.runtime import RuntimeKit
from inglenook.types import (
    CancelToken,
    Done,
    GenerateRequest,
    PromptProgress,
    RuntimeOptions,
    TextDelta,
    Usage,
)
from inglenook_onnx_genai.runtime import OnnxGenaiRuntime

LOAD = "inglenook_onnx_genai.runtime:OnnxGenaiRuntime"
# One thread: a busy machine stalls several threads far longer than one.
OPTIONS = RuntimeOptions(context_length=512, threads=1, batch=64)
GREEDY = {"temperature": 0.0}
STORY = "<|im_start|>user\nTell me of the sea.<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def in_process(genai_model):
    runtime = OnnxGenaiRuntime(genai_model, OPTIONS)
    yield runtime
    runtime.close()


@pytest.fixture(scope="module")
def in_worker(genai_model, tmp_path_factory):
    runtime = RuntimeWorker(LOAD, genai_model, OPTIONS, tmp_path_factory.mktemp("log") / "log")
    yield runtime
    runtime.close()


@pytest.fixture
def opened(in_process):
    in_process.open()
    return in_process


class TestOnnxGenai(RuntimeKit):
    @pytest.fixture
    def runtime(self, in_process):
        return in_process


class TestOnnxGenaiInAWorker(RuntimeKit):
    @pytest.fixture
    def runtime(self, in_worker):
        return in_worker


def prompt_of(runtime, text=STORY):
    return tuple(runtime.tokenize(text, special=True))


def events_of(runtime, tokens, **fields):
    return list(runtime.generate(GenerateRequest(tokens=tuple(tokens), **fields), CancelToken()))


def text_of(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def usage_of(events):
    return next(event for event in events if isinstance(event, Usage))


def answer(runtime, text=STORY, **fields):
    return text_of(events_of(runtime, prompt_of(runtime, text), **fields))


# --- what it says of itself -----------------------------------------------------------------------


def test_it_says_what_the_folder_says(opened):
    info = opened.open()
    assert (info.bos, info.eos, info.add_bos) == ("<|im_start|>", "<|im_end|>", False)
    assert "<|im_start|>" in info.chat_template
    assert {"<|im_start|>", "<|im_end|>", "<|endoftext|>"} <= set(info.control_tokens)
    assert (info.context_length, info.trained_context_length) == (512, 8192)
    assert info.device == "cpu"


def test_its_tokens_are_those_of_the_model_that_it_was_made_from(opened, smollm2):
    from inglenook_xllamacpp.runtime import XllamacppRuntime

    reference = XllamacppRuntime(smollm2, RuntimeOptions(context_length=256, threads=1))
    reference.open()
    try:
        for text in (STORY, "naïve 🙂 שלום 漢字", "x = 12345;\n\n\tif  y:", "a\u0301 <b>"):
            for special in (True, False):
                ours = opened.tokenize(text, special=special)
                assert ours == reference.tokenize(text, special=special)
    finally:
        reference.close()


def test_it_writes_what_the_model_that_it_was_made_from_writes(opened):
    question = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    written = answer(opened, question, parameters=GREEDY, max_tokens=7)
    assert written.startswith("The capital of France is Paris")


def test_the_context_is_no_longer_than_the_model_was_trained_for(own_folder):
    path = own_folder / "genai_config.json"
    config = json.loads(path.read_text())
    config["model"]["context_length"] = 300
    path.write_text(json.dumps(config))
    runtime = OnnxGenaiRuntime(files_from_path(own_folder), RuntimeOptions(100_000, threads=1))
    info = runtime.open()
    runtime.close()
    assert info.context_length == info.trained_context_length == 300


# --- devices --------------------------------------------------------------------------------------


def test_a_device_that_is_not_there_is_refused_with_those_that_are(genai_model):
    runtime = OnnxGenaiRuntime(genai_model, RuntimeOptions(devices=("npu",)))
    with pytest.raises(UserError, match=r"no npu here: .*\nIt can use cpu"):
        runtime.open()


def test_the_next_device_is_taken_and_the_reason_told(genai_model):
    options = RuntimeOptions(context_length=256, devices=("npu", "gpu", "cpu"), threads=1)
    runtime = OnnxGenaiRuntime(genai_model, options)
    info = runtime.open()
    runtime.close()
    assert info.device.startswith("cpu (no npu or gpu that this build can use: ")


def test_a_folder_for_a_device_that_is_not_there_runs_on_the_processor(own_folder):
    path = own_folder / "genai_config.json"
    config = json.loads(path.read_text())
    options = [{"cuda": {"enable_cuda_graph": "0"}}]
    config["model"]["decoder"]["session_options"]["provider_options"] = options
    path.write_text(json.dumps(config))
    runtime = OnnxGenaiRuntime(files_from_path(own_folder), OPTIONS)
    info = runtime.open()
    text = answer(runtime, parameters=GREEDY, max_tokens=4)
    runtime.close()
    assert info.device.startswith("cpu (no gpu that this build can use: ")
    assert text


def test_its_devices_are_reported_with_a_reason_for_those_that_are_not_there():
    reports = OnnxGenaiRuntime.devices()
    assert [report.kind for report in reports if report.usable] == ["cpu"]
    assert {report.kind for report in reports} == {"cpu", "gpu", "npu"}
    assert all(report.reason for report in reports if not report.usable)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (RuntimeOptions(embeddings=True), "embedding"),
        (RuntimeOptions(gpu_layers=7), "num_gpu"),
        (RuntimeOptions(mmap=True), "use_mmap"),
    ],
)
def test_what_it_cannot_honour_when_it_is_opened_is_refused_by_name(genai_model, options, wrong):
    with pytest.raises(UserError, match=wrong):
        OnnxGenaiRuntime(genai_model, options).open()


# --- damage ---------------------------------------------------------------------------------------


def test_a_truncated_weight_file_never_reaches_native_code(genai_model, own_folder):
    files = files_from_path(own_folder)
    weights = own_folder / "model.onnx.data"
    os.truncate(weights, weights.stat().st_size - 1)
    with pytest.raises(ModelBrokenError, match=r"model\.onnx\.data.*truncated"):
        OnnxGenaiRuntime(files, OPTIONS).open()


def test_a_tokenizer_of_another_shape_is_refused_in_words(own_folder):
    (own_folder / "tokenizer.json").write_text('{"model": {"type": "Nonsense"}}')
    with pytest.raises(ModelBrokenError, match=r"tokenizer\.json"):
        OnnxGenaiRuntime(files_from_path(own_folder), OPTIONS).open()


def test_a_graph_that_the_library_cannot_load_is_told_in_words(own_folder):
    # A whole protobuf message with a graph in it, and nothing in the graph.
    (own_folder / "model.onnx").write_bytes(b"\x08\x07\x3a\x06\x12\x04main")
    with pytest.raises(RuntimeFailure, match="cannot load"):
        OnnxGenaiRuntime(files_from_path(own_folder), OPTIONS).open()


def test_what_the_folder_says_of_searching_does_not_come_on_top(opened, own_folder):
    path = own_folder / "genai_config.json"
    config = json.loads(path.read_text())
    config["search"] |= {"repetition_penalty": 5.0, "num_beams": 3, "no_repeat_ngram_size": 1}
    path.write_text(json.dumps(config))
    runtime = OnnxGenaiRuntime(files_from_path(own_folder), OPTIONS)
    runtime.open()
    text = answer(runtime, parameters=GREEDY, max_tokens=40)
    runtime.close()
    assert text == answer(opened, parameters=GREEDY, max_tokens=40, reuse_prefix=False)


def test_a_library_that_is_not_installed_is_named_with_its_extra(genai_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime_genai", None)
    with pytest.raises(MissingDependencyError, match=r"onnxruntime-genai.*\n.*\[onnx-genai\]"):
        OnnxGenaiRuntime(genai_model, OPTIONS).open()


def test_a_folder_of_links_with_an_unusual_name_is_opened(genai_folder, tmp_path):
    folder = tmp_path / "mein Modell – 模型"
    folder.mkdir()
    for path in genai_folder.iterdir():
        (folder / path.name).symlink_to(path)
    runtime = OnnxGenaiRuntime(files_from_path(folder), OPTIONS)
    runtime.open()
    assert answer(runtime, parameters=GREEDY, max_tokens=4)
    runtime.close()


# --- the kept prefix ------------------------------------------------------------------------------


def test_an_answer_after_a_kept_prefix_is_the_one_without_it(opened):
    before = STORY.replace("sea", "hills and all that lives there")
    fresh = answer(opened, parameters=GREEDY, max_tokens=30, reuse_prefix=False)
    answer(opened, before, parameters=GREEDY, max_tokens=30, reuse_prefix=False)
    again = events_of(opened, prompt_of(opened), parameters=GREEDY, max_tokens=30)
    assert 0 < usage_of(again).cached_tokens < len(prompt_of(opened))
    assert text_of(again) == fresh


def test_the_very_same_prompt_is_answered_the_same_from_what_is_kept(opened):
    prompt = prompt_of(opened)
    fresh = events_of(opened, prompt, parameters=GREEDY, max_tokens=30, reuse_prefix=False)
    again = events_of(opened, prompt, parameters=GREEDY, max_tokens=30)
    assert usage_of(again).cached_tokens == len(prompt) - 2
    assert text_of(again) == text_of(fresh)


def test_a_second_turn_keeps_the_first_with_its_answer(opened):
    prompt = prompt_of(opened)
    first = events_of(opened, prompt, parameters=GREEDY, max_tokens=20, reuse_prefix=False)
    written = [id for event in first if isinstance(event, TextDelta) for id in event.tokens]
    assert len(written) == 20
    second = (*prompt, *written, *prompt_of(opened, "<|im_end|>\n" + STORY))
    usage = usage_of(events_of(opened, second, parameters=GREEDY, max_tokens=2))
    # The last token was given out, and not read yet.
    assert usage.cached_tokens == len(prompt) + len(written) - 1


def test_after_a_cancel_while_the_prompt_is_read_the_rest_is_read_later(opened):
    prompt = prompt_of(opened, STORY * 12)
    whole = text_of(events_of(opened, prompt, parameters=GREEDY, max_tokens=12, reuse_prefix=False))
    cancel = CancelToken()
    request = GenerateRequest(tokens=prompt, parameters=GREEDY, max_tokens=12, reuse_prefix=False)
    for event in opened.generate(request, cancel):
        if isinstance(event, PromptProgress):
            cancel.cancel()
    assert isinstance(event, Done)
    assert event.stop_reason == "cancelled"
    after = events_of(opened, prompt, parameters=GREEDY, max_tokens=12)
    assert 0 < usage_of(after).cached_tokens < len(prompt) - 2
    assert text_of(after) == whole


def test_a_model_that_cannot_go_back_behind_its_window_reads_all_again(windowed_folder):
    runtime = OnnxGenaiRuntime(files_from_path(windowed_folder), RuntimeOptions(300, threads=1))
    runtime.open()
    prompt = tuple(range(100, 300))
    fresh = events_of(runtime, prompt, parameters=GREEDY, max_tokens=20, reuse_prefix=False)
    again = events_of(runtime, prompt, parameters=GREEDY, max_tokens=20)
    assert usage_of(again).cached_tokens == 0
    assert text_of(again) == text_of(fresh) != ""
    runtime.close()


def test_a_context_that_is_shorter_than_the_window_is_kept_to(windowed_folder):
    runtime = OnnxGenaiRuntime(files_from_path(windowed_folder), RuntimeOptions(40, threads=1))
    assert runtime.open().context_length == 40
    events = events_of(runtime, range(100, 130), parameters=GREEDY)
    assert usage_of(events).completion_tokens <= 10
    assert events[-1].context_full or events[-1].stop_reason == "stop"
    runtime.close()


# --- sampling -------------------------------------------------------------------------------------


def test_parameters_change_the_answer_as_they_should(opened):
    def words(**parameters):
        text = answer(
            opened,
            "The sea, the sea, the sea, the sea, the sea, the",
            parameters=GREEDY | parameters,
            max_tokens=12,
            reuse_prefix=False,
        )
        return text.count("sea")

    assert words() >= 3
    for parameters in (
        {"repeat_penalty": 1.8},
        {"presence_penalty": 20.0},
        {"frequency_penalty": 5.0},
    ):
        assert words(**parameters) < words()
        # The prompt counts as repeated text, as far back as asked.
        assert words(**parameters, repeat_last_n=0) == words()


@pytest.mark.parametrize(
    "parameters",
    [{"top_k": 1}, {"top_p": 0.0}, {"min_p": 1.0}, {"typical_p": 1.0, "top_p": 1e-9}],
)
def test_a_choice_of_one_is_the_likeliest(opened, parameters):
    hot = {"temperature": 5.0, "top_k": 0, **parameters}
    greedy = answer(opened, parameters=GREEDY, max_tokens=10, reuse_prefix=False)
    assert answer(opened, parameters=hot, max_tokens=10, reuse_prefix=False, seed=5) == greedy


def test_a_hot_answer_is_another_one(opened):
    greedy = answer(opened, parameters=GREEDY, max_tokens=20)
    assert answer(opened, parameters={"temperature": 3.0}, max_tokens=20, seed=1) != greedy


# --- what an answer must follow -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grammar", "pattern"),
    [
        ('root ::= [a-z]{0,5} "end"', r"[a-z]{0,5}end"),
        ('root ::= ("yes" | "no") " " number\nnumber ::= [0-9]{2,4} # digits', r"(yes|no) \d{2,4}"),
        ('root ::= "\\x41\\u00e9"? [^a-zA-Z\\]]{1,6} "."', r"(Aé)?[^a-zA-Z\]]{1,6}\."),
        (
            'root ::= item ("," item){3}\nitem ::= "a" | [a-c] "b" |',
            r"((a|[a-c]b|),){3}(a|[a-c]b|)",
        ),
        ("root ::= .\n", r"(?s:.)"),
    ],
)
def test_a_grammar_is_followed_to_the_letter(opened, grammar, pattern):
    for seed in range(3):
        events = events_of(
            opened,
            prompt_of(opened),
            grammar=grammar,
            seed=seed,
            parameters={"temperature": 1.5},
            max_tokens=60,
        )
        assert events[-1] == Done("stop")
        assert re.fullmatch(pattern, text_of(events))


def test_a_recursive_grammar_is_followed(opened):
    grammar = 'root ::= "(" root ")" | "x" root-tail\nroot-tail ::= "y"*'
    for seed in range(4):
        text = answer(opened, grammar=grammar, seed=seed, max_tokens=40)
        bare = text.replace("y", "")
        assert bare == "(" * bare.count("(") + "x" + ")" * bare.count(")") or len(text) > 30


@pytest.mark.parametrize(
    "grammar",
    ["", "root ::= (", "answer ::= \"x\"", 'root ::= other', 'root ::= "x', "root ::= [z-a]",
     'root ::= "x"{5,2}', 'root ::= <think>', 'root = "x"', 'root ::= "\\q"', "(" * 5000,
     "root ::= " + "(" * 5000, 'root ::= "a"\nroot ::= "b"'],
)  # fmt: skip
def test_a_grammar_that_cannot_be_read_is_refused(opened, grammar):
    with pytest.raises(UserError, match="grammar"):
        events_of(opened, prompt_of(opened), grammar=grammar)


@pytest.mark.parametrize(
    "schema", [{"type": "nonsense"}, {"$ref": "http://example.invalid/x"}, {"if": {"const": 1}}]
)
def test_a_schema_that_cannot_be_followed_is_refused_with_the_reason(opened, schema):
    with pytest.raises(UserError, match="JSON schema cannot be followed"):
        events_of(opened, prompt_of(opened), json_schema=schema)


def test_a_schema_is_followed_whatever_the_dice_say(opened):
    schema = {
        "type": "object",
        "properties": {"name": {"enum": ["Ada", "Bob"]}, "age": {"type": "integer", "maximum": 99}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    seen = set()
    for seed in range(6):
        text = answer(
            opened, json_schema=schema, seed=seed, parameters={"temperature": 2.0}, max_tokens=60
        )
        value = json.loads(text)
        assert list(value) == ["name", "age"]
        seen.add(value["name"])
    assert seen == {"Ada", "Bob"}


def test_free_text_after_a_grammar_is_free_again(opened):
    free = answer(opened, parameters=GREEDY, max_tokens=8, reuse_prefix=False)
    answer(opened, grammar='root ::= "no"', max_tokens=8)
    assert answer(opened, parameters=GREEDY, max_tokens=8) == free


# --- manners --------------------------------------------------------------------------------------


def test_a_prompt_that_does_not_fit_names_both_numbers(opened):
    with pytest.raises(ContextOverflowError, match=r"600 tokens.*context of 512"):
        events_of(opened, (5,) * 600)


def test_ids_that_the_model_does_not_know_are_refused(opened):
    for id in (-1, 49152):
        with pytest.raises(UserError, match="does not know"):
            events_of(opened, (5, id))


def test_two_slots_answer_two_requests_in_turn(genai_model):
    runtime = OnnxGenaiRuntime(genai_model, dataclasses.replace(OPTIONS, slots=2))
    runtime.open()
    alone = [answer(runtime, STORY, parameters=GREEDY, max_tokens=24, reuse_prefix=False)]
    alone += [answer(runtime, "Once upon", parameters=GREEDY, max_tokens=24, reuse_prefix=False)]
    order, texts = [], {}

    def run(number, text):
        request = GenerateRequest(
            tokens=prompt_of(runtime, text), parameters=GREEDY, max_tokens=24, reuse_prefix=False
        )
        pieces = []
        for event in runtime.generate(request, CancelToken()):
            if isinstance(event, TextDelta):
                order.append(number)
                pieces.append(event.text)
        texts[number] = "".join(pieces)

    threads = [threading.Thread(target=run, args=job) for job in enumerate((STORY, "Once upon"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    runtime.close()
    assert [texts[0], texts[1]] == alone
    assert order != sorted(order)
    assert order != sorted(order, reverse=True)


def test_closing_in_mid_answer_ends_it_with_a_failure(genai_model):
    runtime = OnnxGenaiRuntime(genai_model, OPTIONS)
    runtime.open()
    request = GenerateRequest(tokens=prompt_of(runtime), max_tokens=200)
    stream = runtime.generate(request, CancelToken())
    next(stream)
    runtime.close()
    rest = list(stream)
    assert type(rest[-1]).__name__ == "Failed"
    assert "closed" in rest[-1].message
    with pytest.raises(RuntimeFailure, match="not open"):
        events_of(runtime, (5,))


USE = """
import sys
from pathlib import Path
from inglenook.models.local import files_from_path
from inglenook.models.worker import RuntimeWorker
from inglenook.types import *
files = files_from_path(Path(sys.argv[1]))
runtime = RuntimeWorker(sys.argv[3], files, RuntimeOptions(256, threads=1), Path(sys.argv[2]))
runtime.open()
events = list(runtime.generate(GenerateRequest(tokens=(1, 4093, 198), max_tokens=4), CancelToken()))
assert isinstance(events[-1], Done), events
runtime.close()
"""


def test_a_whole_use_prints_nothing_and_leaves_nothing_behind(genai_folder, tmp_path):
    # The library keeps what it would tell its maker in a file of the home, if it is let.
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    own = {"TMPDIR": temporary, "HOME": home, "XDG_CACHE_HOME": home / "cache"}
    before = sorted(genai_folder.iterdir())
    used = subprocess.run(
        [sys.executable, "-c", USE, str(genai_folder), str(tmp_path / "log"), LOAD],
        env={
            **{name: value for name, value in os.environ.items() if "TELEMETRY" not in name},
            **{name: str(path) for name, path in own.items()},
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (used.returncode, used.stdout, used.stderr) == (0, "", "")
    assert (tmp_path / "log").read_text() == ""
    assert [*home.rglob("*"), *temporary.iterdir()] == []
    assert sorted(genai_folder.iterdir()) == before


def test_no_port_is_open_while_a_model_is_loaded(in_worker):
    in_worker.open()
    assert psutil.Process(in_worker.pid).net_connections(kind="inet") == []
