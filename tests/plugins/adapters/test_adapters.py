"""LoRA files from the Assistantfile, in both runtimes of llama.cpp."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import gguf
import numpy
import pytest

from inglenook.errors import InglenookError, ModelBrokenError, ModelError, RuntimeFailure, UserError
from inglenook.models.adapter_files import adapter_digests
from inglenook.models.wanted_model import WantedModel
from inglenook.models.worker import RuntimeWorker
from inglenook.types import CancelToken, GenerateRequest, RuntimeOptions, TextDelta
from inglenook_llama_cpp.runtime import LlamaCppRuntime
from inglenook_xllamacpp.runtime import XllamacppRuntime

OPTIONS = RuntimeOptions(context_length=512, threads=1, batch=64)
RUNTIMES = (XllamacppRuntime, LlamaCppRuntime)
WIDTH = 576


def write_lora(path, scale, architecture="llama", rank=4, width=WIDTH, kind="adapter"):
    """A LoRA on one matrix of SmolLM2, random where `scale` is not 0."""
    chance = numpy.random.default_rng(5)
    writer = gguf.GGUFWriter(path, architecture)
    if kind:
        writer.add_type(kind)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(rank))
    down = chance.normal(size=(rank, width)).astype(numpy.float32)
    up = scale * chance.normal(size=(WIDTH, rank)).astype(numpy.float32)
    writer.add_tensor("blk.3.attn_q.weight.lora_a", down)
    writer.add_tensor("blk.3.attn_q.weight.lora_b", up)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def answer(runtime, model, *adapters, **fields):
    opened = runtime(model, dataclasses.replace(OPTIONS, adapters=adapters, **fields))
    try:
        opened.open()
        tokens = tuple(opened.tokenize("Once upon a time, in a house by the sea,", special=False))
        request = GenerateRequest(tokens=tokens, max_tokens=16, parameters={"temperature": 0.0})
        events = opened.generate(request, CancelToken())
        return "".join(event.text for event in events if isinstance(event, TextDelta))
    finally:
        opened.close()


def cut_off(folder):
    path = write_lora(folder / "b.gguf", 1.0)
    path.write_bytes(path.read_bytes()[:-2000])
    return path


def other(folder):
    path = folder / "text.gguf"
    path.write_text("not a model")
    return path


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_lora_changes_what_the_model_says_and_one_of_zeros_does_not(smollm2, tmp_path, runtime):
    plain = answer(runtime, smollm2)
    assert answer(runtime, smollm2, write_lora(tmp_path / "zero.gguf", 0.0)) == plain
    assert answer(runtime, smollm2, write_lora(tmp_path / "loud.gguf", 0.5)) != plain


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_two_loras_add_up(smollm2, tmp_path, runtime):
    half = write_lora(tmp_path / "half.gguf", 0.25)
    opposite = write_lora(tmp_path / "opposite.gguf", -0.25)
    assert answer(runtime, smollm2, half, opposite) == answer(runtime, smollm2)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda path: path / "none.gguf", UserError, "There is no LoRA file at .*none.gguf"),
        (lambda path: path, UserError, "is no file"),
        (cut_off, ModelBrokenError, "truncated"),
        (other, ModelBrokenError, "does not begin with 'GGUF'"),
        (lambda path: write_lora(path / "m.gguf", 1.0, kind=""), UserError, "perhaps a model"),
        (lambda path: write_lora(path / "v.gguf", 1.0, kind="vocab"), UserError, "type 'vocab'"),
        (lambda path: write_lora(path / "q.gguf", 1.0, "qwen2"), ModelError, "is llama.*\n.*ADAPT"),
        (lambda path: write_lora(path / "w.gguf", 1.0, width=64), RuntimeFailure, "with w.gguf"),
    ],
)
def test_what_is_no_lora_for_the_model_is_refused(smollm2, tmp_path, runtime, make, error, said):
    with pytest.raises(error, match=said) as caught:
        answer(runtime, smollm2, make(tmp_path))
    assert len(str(caught.value).splitlines()) <= 2


def test_the_model_itself_is_no_lora(smollm2):
    with pytest.raises(UserError, match="is no LoRA file"):
        answer(XllamacppRuntime, smollm2, smollm2.files["model"])


def test_a_safetensors_file_is_refused_with_how_to_convert_it(smollm2, tmp_path):
    path = tmp_path / "adapter_model.safetensors"
    path.write_bytes(b"\x00" * 64)
    with pytest.raises(UserError, match=r"no GGUF file.\nConvert it"):
        answer(LlamaCppRuntime, smollm2, path)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_kept_prompt_states_of_another_lora_are_not_used(smollm2, tmp_path, runtime):
    adapters = (
        (),
        (write_lora(tmp_path / "a.gguf", 0.5),),
        (write_lora(tmp_path / "b.gguf", 0.3),),
        (write_lora(tmp_path / "a.gguf", 0.5),),
    )
    counts = []
    for chosen in adapters:
        kept_answer(runtime, smollm2, chosen, tmp_path / "states")
        counts.append(len(list((tmp_path / "states").rglob("*.state"))))
    assert counts == [1, 2, 3, 3]


def kept_answer(runtime, model, adapters, folder):
    options = dataclasses.replace(
        OPTIONS, adapters=adapters, state_folder=folder / "model", state_bytes=1 << 30
    )
    opened = runtime(model, options)
    try:
        opened.open()
        tokens = tuple(opened.tokenize("A house by the sea. " * 50, special=False))
        request = GenerateRequest(tokens=tokens, max_tokens=2, fixed=256)
        list(opened.generate(request, CancelToken()))
    finally:
        opened.close()


def test_two_loras_of_the_same_name_have_different_digests(tmp_path):
    first = adapter_digests([write_lora(tmp_path / "a.gguf", 0.5)])
    second = adapter_digests([write_lora(tmp_path / "a.gguf", 0.4)])
    assert first != second


def test_a_worker_that_cannot_load_a_lora_says_so_and_leaves_no_process(smollm2, tmp_path):
    load = "inglenook_xllamacpp.runtime:XllamacppRuntime"
    wrong = write_lora(tmp_path / "wrong.gguf", 1.0, width=64)
    options = dataclasses.replace(OPTIONS, adapters=(wrong,))
    worker = RuntimeWorker(load, smollm2, options, tmp_path / "log")
    with pytest.raises(InglenookError, match=r"with wrong.gguf"):
        worker.open()
    assert worker.pid is None
    assert Path(tmp_path / "log").exists()


def test_a_warm_model_is_not_shared_with_another_lora_of_the_same_name(smollm2, tmp_path):
    path = write_lora(tmp_path / "a.gguf", 0.5)

    def identity(*adapters):
        options = dataclasses.replace(OPTIONS, adapters=adapters)
        return WantedModel("load", smollm2, options, tmp_path / "log").identity

    first = identity(path)
    os.utime(path, (1, 1))
    assert len({first, identity(path), identity()}) == 3
    assert identity(path) == identity(path)
