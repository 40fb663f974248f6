"""A model that is written anew for ONNX Runtime GenAI computes what its source does."""

from __future__ import annotations

import itertools
import json
import struct
from pathlib import Path
from typing import Any

import numpy
import pytest

from inglenook.errors import Cancelled, ModelBrokenError, StoreError, UserError
from inglenook.models.local import files_from_path
from inglenook.models.transformers_folder import is_transformers_folder, transformers_from_folder
from inglenook.types import (
    CancelToken,
    ConversionRequest,
    GenerateRequest,
    ModelFiles,
    RuntimeOptions,
    TextDelta,
)
from inglenook_onnx_genai.runtime import OnnxGenaiRuntime
from inglenook_xllamacpp.runtime import XllamacppRuntime

TEXT = "Water boils at a hundred degrees at sea level, and the bakers of the town rise early."
LONG_TEXT = (
    f"{TEXT} Before six o'clock the first loaves are on the counter, and the children of the "
    "street stand in line with their coins. In winter the windows are white with steam. The "
    "old baker says that bread is mostly patience: flour, water, salt, and a night of waiting."
)
TEXTS = (
    TEXT,
    "It's 12:34, isn't it?\n\n\n  def f(x):\n\treturn x*1000\n",
    "שלום עולם · naïve façade · 東京 🙂🙃 ٣٤",
    "<|im_start|>user\nHello<|im_end|>\n",
)


def convert(source: ModelFiles, folder: Path, precision: str) -> ModelFiles:
    folder.mkdir(exist_ok=True)
    request = ConversionRequest(source, folder, precision)
    events = list(OnnxGenaiRuntime.convert(request, CancelToken()))
    assert 0 == events[0].done_bytes
    assert all(a.done_bytes <= b.done_bytes for a, b in itertools.pairwise(events))
    return files_from_path(folder)


def opened(files: ModelFiles) -> OnnxGenaiRuntime:
    runtime = OnnxGenaiRuntime(files, RuntimeOptions(context_length=512))
    runtime.open()
    return runtime


@pytest.fixture(scope="module")
def source(smollm2: ModelFiles):
    runtime = XllamacppRuntime(smollm2, RuntimeOptions(context_length=512, threads=1))
    runtime.open()
    yield runtime
    runtime.close()


@pytest.fixture(scope="module")
def fp32(smollm2: ModelFiles, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("fp32")
    runtime = opened(convert(smollm2, folder, "fp32"))
    yield runtime
    runtime.close()
    for path in folder.iterdir():
        path.unlink()


def test_without_rounding_it_finds_every_token_as_likely_as_its_source_does(source, fp32):
    tokens = source.tokenize(TEXT, special=False)
    before = source.scores(tokens, CancelToken())
    after = fp32.scores(tokens, CancelToken())

    assert len(before) == len(after) == len(tokens) - 1
    apart = [abs(one.logprob - two.logprob) for one, two in zip(before, after, strict=True)]
    # llama.cpp rounds what goes into a matrix to 8 bits.
    assert sum(apart) / len(apart) < 0.15
    same = [one.likeliest == two.likeliest for one, two in zip(before, after, strict=True)]
    assert sum(same) >= 0.75 * len(same)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("special", [False, True])
def test_it_cuts_text_into_the_same_tokens(source, fp32, text, special):
    assert source.tokenize(text, special=special) == fp32.tokenize(text, special=special)


def test_it_tells_what_its_source_tells(source, fp32):
    before, after = source.open(), fp32.open()
    for name in ("chat_template", "bos", "eos", "add_bos", "trained_context_length"):
        assert getattr(before, name) == getattr(after, name)


def test_the_scores_of_one_token_are_none(fp32):
    assert [] == fp32.scores((5,), CancelToken())


def test_eight_bits_agree_nearly_always_and_so_do_four_of_a_source_in_four(smollm2, fp32, tmp_path):
    tokens = fp32.tokenize(LONG_TEXT, special=False)
    exact = fp32.scores(tokens, CancelToken())
    agreed = {}
    for precision in ("int8", "int4"):
        runtime = opened(convert(smollm2, tmp_path / precision, precision))
        scores = runtime.scores(tokens, CancelToken())
        same = [one.likeliest == two.likeliest for one, two in zip(exact, scores, strict=True)]
        agreed[precision] = sum(same) / len(same)
        runtime.close()

    assert len(exact) > 60
    assert agreed["int8"] >= 0.85
    # The source's own steps of 4 bits are taken over as they are.
    assert agreed["int4"] >= 0.85


@pytest.mark.nightly
@pytest.mark.parametrize(("precision", "least"), [("int8", 0.8), ("int4", 0.6)])
def test_qwen_with_its_biases_and_two_copies_of_one_matrix_agrees(qwen, tmp_path, precision, least):
    reference = XllamacppRuntime(qwen, RuntimeOptions(context_length=512, threads=1))
    reference.open()
    tokens = reference.tokenize(TEXT, special=False)
    before = reference.scores(tokens, CancelToken())
    reference.close()
    made = convert(qwen, tmp_path / "made", precision)
    size = sum(path.stat().st_size for path in made.files.values())
    runtime = opened(made)
    after = runtime.scores(tokens, CancelToken())
    runtime.close()

    same = [one.likeliest == two.likeliest for one, two in zip(before, after, strict=True)]
    assert sum(same) >= least * len(same)
    # The embedding and the output are the same matrix, and are kept once.
    assert size < 600_000_000


def answer(runtime: OnnxGenaiRuntime, text: str) -> str:
    tokens = tuple(runtime.tokenize(text, special=True))
    request = GenerateRequest(tokens=tokens, parameters={"temperature": 0.0}, max_tokens=8)
    events = runtime.generate(request, CancelToken())
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_it_goes_on_from_a_beginning(fp32):
    assert "Paris" in answer(fp32, "The capital of France is")


# --- folders of transformers ----------------------------------------------------------------------


def tiny_config(kind: str, **changes: Any) -> dict[str, Any]:
    return {
        "architectures": [f"{kind.title()}ForCausalLM"],
        "model_type": kind,
        "vocab_size": 400,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": kind == "llama",
        "bos_token_id": 1,
        "eos_token_id": 2,
        **changes,
    }


def tiny_tensors(config: dict[str, Any]) -> dict[str, numpy.ndarray]:
    random = numpy.random.default_rng(7)
    hidden, inner, keys = config["hidden_size"], config["intermediate_size"], 32
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (config["vocab_size"], hidden),
        "model.norm.weight": (hidden,),
    }
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (config["vocab_size"], hidden)
    for layer in range(config["num_hidden_layers"]):
        for name, shape in {
            "input_layernorm.weight": (hidden,),
            "post_attention_layernorm.weight": (hidden,),
            "self_attn.q_proj.weight": (hidden, hidden),
            "self_attn.k_proj.weight": (keys, hidden),
            "self_attn.v_proj.weight": (keys, hidden),
            "self_attn.o_proj.weight": (hidden, hidden),
            "mlp.gate_proj.weight": (inner, hidden),
            "mlp.up_proj.weight": (inner, hidden),
            "mlp.down_proj.weight": (hidden, inner),
        }.items():
            shapes[f"model.layers.{layer}.{name}"] = shape
        if config["model_type"] == "qwen2":
            for name, size in (("q", hidden), ("k", keys), ("v", keys)):
                shapes[f"model.layers.{layer}.self_attn.{name}_proj.bias"] = (size,)
    return {
        name: random.normal(1.0 if len(shape) == 1 else 0.0, 0.15, shape).astype("float32")
        for name, shape in shapes.items()
    }


def write_safetensors(path: Path, tensors: dict[str, numpy.ndarray], kind: str = "F32") -> None:
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.tobytes() if kind == "F32" else (tensor.view("uint32") >> 16).astype("<u2")
        raw = bytes(raw) if isinstance(raw, bytes) else raw.tobytes()
        place = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": place}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.fixture
def make_folder(tmp_path: Path, genai_folder: Path):
    def make(kind: str = "llama", stored: str = "F32", **changes: Any) -> Path:
        folder = tmp_path / f"hf-{kind}"
        folder.mkdir()
        config = tiny_config(kind, **changes)
        (folder / "config.json").write_text(json.dumps(config))
        write_safetensors(folder / "model.safetensors", tiny_tensors(config), stored)
        (folder / "tokenizer.json").write_bytes((genai_folder / "tokenizer.json").read_bytes())
        return folder

    return make


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_a_folder_computes_what_transformers_computes(make_folder, tmp_path, kind):
    import torch
    from transformers import AutoModelForCausalLM

    folder = make_folder(kind)
    assert is_transformers_folder(folder)
    runtime = opened(convert(transformers_from_folder(folder), tmp_path / "made", "fp32"))
    tokens = [1, 17, 300, 5, 399, 42, 8, 77, 123, 250]
    scores = runtime.scores(tokens, CancelToken())
    runtime.close()

    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(folder)(torch.tensor([tokens])).logits[0]
    exact = torch.log_softmax(logits.double(), -1)
    for place, score in enumerate(scores):
        assert score.logprob == pytest.approx(float(exact[place, tokens[place + 1]]), abs=1e-3)
        assert score.likeliest == int(exact[place].argmax())


def test_a_folder_in_half_precision_is_read(make_folder, tmp_path):
    folder = make_folder("llama", "BF16")
    runtime = opened(convert(transformers_from_folder(folder), tmp_path / "made", "int8"))

    assert 3 == len(runtime.scores([1, 5, 9, 11], CancelToken()))
    runtime.close()


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "gemma3"}, "gemma3 model"),
        ({"rope_scaling": {"type": "yarn"}}, "rope_scaling"),
        ({"num_hidden_layers": "two"}, "positive whole number"),
        ({"eos_token_id": None}, "ends an answer"),
    ],
)
def test_what_would_be_computed_wrongly_is_refused(make_folder, tmp_path, changes, said):
    folder = make_folder()
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))

    with pytest.raises((UserError, ModelBrokenError), match=said):
        convert(transformers_from_folder(folder), tmp_path / "made", "int8")
    assert not list((tmp_path / "made").iterdir())


def test_a_missing_tensor_is_named(make_folder, tmp_path):
    folder = make_folder()
    tensors = tiny_tensors(tiny_config("llama"))
    del tensors["model.layers.1.mlp.up_proj.weight"]
    write_safetensors(folder / "model.safetensors", tensors)

    with pytest.raises(ModelBrokenError, match=r"blk\.1\.ffn_up\.weight is missing"):
        convert(transformers_from_folder(folder), tmp_path / "made", "int8")


def test_an_unknown_tensor_is_named(make_folder, tmp_path):
    folder = make_folder()
    tensors = tiny_tensors(tiny_config("llama"))
    tensors["model.layers.0.self_attn.q_norm.weight"] = numpy.ones(16, dtype="float32")
    write_safetensors(folder / "model.safetensors", tensors)

    with pytest.raises(UserError, match="q_norm"):
        convert(transformers_from_folder(folder), tmp_path / "made", "int8")


def test_a_file_that_is_cut_short_is_refused_before_anything_is_written(smollm2, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(smollm2.files["model"].read_bytes()[:-1000])
    files = ModelFiles("cut", "gguf", {"model": cut})

    with pytest.raises(ModelBrokenError, match="truncated"):
        convert(files, tmp_path / "made", "int4")
    assert not list((tmp_path / "made").iterdir())


def test_a_cancel_ends_it_within_a_tensor(smollm2, tmp_path):
    cancel = CancelToken()
    events = OnnxGenaiRuntime.convert(ConversionRequest(smollm2, tmp_path, "int4"), cancel)
    next(events)
    cancel.cancel()

    with pytest.raises(Cancelled):
        list(events)


def test_a_folder_that_cannot_be_written_is_a_clear_error(smollm2, tmp_path):
    request = ConversionRequest(smollm2, tmp_path / "not" / "there", "int4")

    with pytest.raises((StoreError, FileNotFoundError)):
        list(OnnxGenaiRuntime.convert(request, CancelToken()))
