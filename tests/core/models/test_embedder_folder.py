"""What an embedder's folder says of itself counts; what it leaves open, its family's habits do."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from inglenook.errors import ModelBrokenError, UserError
from inglenook.models.local import files_from_path


def message(number: int, content: bytes) -> bytes:
    """A field of a protobuf message that holds a message or a text of up to 127 bytes."""
    return bytes((number << 3 | 2, len(content))) + content


def weights_at(location: str, length: int) -> bytes:
    """A tensor whose weights lie in another file."""
    facts = {"location": location, "offset": "0", "length": str(length)}
    entries = (message(1, k.encode()) + message(2, v.encode()) for k, v in facts.items())
    return b"".join(message(13, entry) for entry in entries)


ONNX = b"\x08\x07" + message(2, b"tests") + message(7, message(2, b"main"))
APART = b"\x08\x07" + message(7, message(5, weights_at("model.onnx_data", 7)))
CONSTANT_APART = message(7, message(1, message(5, message(5, weights_at("model.onnx_data", 7)))))
BERT = {"model_type": "bert", "max_position_embeddings": 512}
PLAIN_MODULES = [
    {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]

MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Writes an embedder's folder: its name and files; objects become JSON, None is left out."""

    def make(name: str = "my-model", **files: object) -> Path:
        folder = tmp_path / name
        header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
        content: dict[str, object] = {
            "tokenizer.json": {},
            "config.json": BERT,
            "model.safetensors": struct.pack("<Q", len(header)) + header + bytes(8),
            **{key.replace("__", "/").replace("_dot_", "."): v for key, v in files.items()},
        }
        for place, value in content.items():
            if value is None:
                continue
            path = folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(value, bytes):
                path.write_bytes(value)
            else:
                path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
        return folder

    return make


@pytest.mark.parametrize(
    ("name", "query", "passage", "pooling", "languages"),
    [
        ("multilingual-e5-small", "query: ", "passage: ", "mean", []),
        ("my-e5", "query: ", "passage: ", "mean", []),
        ("e5-base-v2", "query: ", "passage: ", "mean", ["en"]),
        ("BGE-small-en-v1.5", "Represent this sentence for sear", "", "cls", ["en"]),
        ("bge-m3", "", "", "cls", []),
        ("nomic-embed-text-v1.5", "search_query: ", "search_document: ", "mean", []),
        ("all-MiniLM-L6-v2", "", "", "mean", ["en"]),
        ("same5-size", "", "", "mean", []),
        ("something-else", "", "", "mean", []),
    ],
)
def test_a_family_is_known_by_the_name_of_the_folder(
    make_folder: MakeFolder, name: str, query: str, passage: str, pooling: str, languages: list[str]
) -> None:
    details = files_from_path(make_folder(name)).details
    assert details["query_prefix"][:32] == query
    assert details["passage_prefix"] == passage
    assert (details["pooling"], details["languages"]) == (pooling, languages)


def test_an_instructed_e5_has_its_instruction_before_questions_only(
    make_folder: MakeFolder,
) -> None:
    details = files_from_path(make_folder("multilingual-e5-large-instruct")).details
    assert details["query_prefix"].startswith("Instruct: ")
    assert details["passage_prefix"] == ""


def test_a_family_is_known_by_what_the_config_calls_it(make_folder: MakeFolder) -> None:
    config = {**BERT, "_name_or_path": "intfloat/multilingual-e5-small"}
    assert files_from_path(make_folder(config_dot_json=config)).details["query_prefix"] == "query: "


@pytest.mark.parametrize(
    ("config", "prefixes"),
    [
        ({"prompts": {"query": "q ", "document": "d "}}, ("q ", "d ")),
        ({"prompts": {"query": "q "}}, ("q ", "")),
        ({"prompts": {"query": "", "document": ""}}, ("query: ", "passage: ")),
        ({"prompts": {"any": "x "}, "default_prompt_name": "any"}, ("x ", "x ")),
        ({"prompts": None}, ("query: ", "passage: ")),
    ],
)
def test_prompts_of_the_folder_come_before_those_of_the_family(
    make_folder: MakeFolder, config: object, prefixes: tuple[str, str]
) -> None:
    folder = make_folder("my-e5", config_sentence_transformers_dot_json=config)
    details = files_from_path(folder).details
    assert (details["query_prefix"], details["passage_prefix"]) == prefixes


@pytest.mark.parametrize(
    ("config", "stated", "longest"),
    [
        (BERT, 256, 256),
        (BERT, 1024, 512),
        (BERT, None, 512),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514}, None, 512),
        ({"model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 1}, 514, 512),
        ({"model_type": "other"}, None, 512),
    ],
)
def test_the_longest_text_is_what_both_the_folder_and_the_positions_allow(
    make_folder: MakeFolder, config: object, stated: int | None, longest: int
) -> None:
    sentence = {"max_seq_length": stated}
    folder = make_folder(config_dot_json=config, sentence_bert_config_dot_json=sentence)
    assert files_from_path(folder).details["max_tokens"] == longest


@pytest.mark.parametrize(
    ("pooling", "kind"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode": "cls"}, "cls"),
        ({}, "mean"),
    ],
)
def test_pooling_is_read(make_folder: MakeFolder, pooling: object, kind: str) -> None:
    folder = make_folder(modules_dot_json=PLAIN_MODULES, **{"1_Pooling__config_dot_json": pooling})
    assert files_from_path(folder).details["pooling"] == kind


@pytest.mark.parametrize(
    ("pooling", "named"),
    [
        ({"pooling_mode_weightedmean_tokens": True}, "weightedmean_tokens"),
        ({"pooling_mode_mean_tokens": True, "include_prompt": False}, "include_prompt"),
    ],
)
def test_a_pooling_that_cannot_be_done_is_named(
    make_folder: MakeFolder, pooling: object, named: str
) -> None:
    with pytest.raises(UserError, match=named):
        files_from_path(make_folder(**{"1_Pooling__config_dot_json": pooling}))


def test_several_poolings_are_refused(make_folder: MakeFolder) -> None:
    both = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}
    with pytest.raises(ModelBrokenError, match="cls, mean"):
        files_from_path(make_folder(**{"1_Pooling__config_dot_json": both}))


@pytest.mark.parametrize(
    ("kind", "path"), [("Dense", "2_Dense"), ("CLIPModel", "0_CLIPModel"), ("BoW", "0_BoW")]
)
def test_a_module_that_cannot_be_computed_is_named_with_what_can(
    make_folder: MakeFolder, kind: str, path: str
) -> None:
    module = {"idx": 2, "path": path, "type": f"sentence_transformers.models.{kind}"}
    with pytest.raises(UserError, match=rf"{path} \({kind}\)") as caught:
        files_from_path(make_folder(modules_dot_json=[*PLAIN_MODULES, module]))
    assert "EMBEDDER sentence-transformers" in caught.value.hint


def test_a_transformer_in_a_folder_of_its_own_is_found(make_folder: MakeFolder) -> None:
    whole = make_folder("parts/0_Transformer")
    modules = [{**PLAIN_MODULES[0], "path": "0_Transformer"}, *PLAIN_MODULES[1:]]
    (whole.parent / "modules.json").write_text(json.dumps(modules))
    files = files_from_path(whole.parent)
    assert files.files["model.safetensors"] == whole / "model.safetensors"


def test_a_module_cannot_lead_out_of_the_folder(make_folder: MakeFolder) -> None:
    modules = [{**PLAIN_MODULES[0], "path": "../other"}]
    with pytest.raises(ModelBrokenError, match="leads out"):
        files_from_path(make_folder(modules_dot_json=modules))


def test_a_clip_model_without_modules_is_refused(make_folder: MakeFolder) -> None:
    with pytest.raises(UserError, match="pictures"):
        files_from_path(make_folder(config_dot_json={"model_type": "clip"}))


@pytest.mark.parametrize(
    ("kind", "format"), [("bert", "sentence-safetensors"), ("modernbert", "sentence-onnx")]
)
def test_safetensors_come_before_an_export_where_they_can_be_opened(
    make_folder: MakeFolder, kind: str, format: str
) -> None:
    folder = make_folder(config_dot_json={"model_type": kind}, onnx__model_dot_onnx=ONNX)
    assert files_from_path(folder).format == format


@pytest.mark.parametrize(
    ("card", "languages"),
    [
        ("---\nlanguage: en\nlicense: mit\n---\n# Model", ["en"]),
        ("---\nlicense: mit\nlanguage:\n- en\n- he\ntags: [a]\n---\n", ["en", "he"]),
        ("---\nlanguage: [de, en]\n---\n", ["de", "en"]),
        ("---\nlanguage:\n- multilingual\n- en\n---\n", []),
        ("# No head\nlanguage: en\n", []),
        ("", []),
    ],
)
def test_the_languages_are_those_of_the_card(
    make_folder: MakeFolder, card: str, languages: list[str]
) -> None:
    assert files_from_path(make_folder(README_dot_md=card)).details["languages"] == languages


@pytest.mark.parametrize(
    ("files", "missing", "hint"),
    [
        ({"tokenizer_dot_json": None, "vocab_dot_txt": "a"}, "tokenizer.json", "vocab.txt"),
        ({"tokenizer_dot_json": None}, "tokenizer.json", "beside"),
        (
            {"model_dot_safetensors": None, "pytorch_model_dot_bin": b"pickle"},
            "model.safetensors",
            "pytorch_model.bin",
        ),
        ({"model_dot_safetensors": None}, "model.safetensors", "model.onnx"),
        ({"config_dot_json": None}, "config.json", "Copy it"),
    ],
)
def test_what_is_missing_is_named_with_a_way_out(
    make_folder: MakeFolder, files: dict[str, object], missing: str, hint: str
) -> None:
    with pytest.raises(UserError, match=missing) as caught:
        files_from_path(make_folder(**files))
    assert hint in caught.value.hint


def test_an_export_is_taken_where_the_weights_are_too_large_to_build_from(
    make_folder: MakeFolder,
) -> None:
    folder = make_folder(onnx__model_dot_onnx=ONNX)
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(2_000_000_000)  # A hole: it takes no room.

    assert files_from_path(folder).format == "sentence-onnx"


def test_weights_apart_from_their_graph_are_used_where_they_lie(make_folder: MakeFolder) -> None:
    folder = make_folder(
        model_dot_safetensors=None,
        onnx__model_dot_onnx=APART,
        onnx__model_dot_onnx_data=b"weights",
    )
    files = files_from_path(folder)
    assert files.files["model.onnx_data"] == folder / "onnx/model.onnx_data"


@pytest.mark.parametrize("graph", [APART, CONSTANT_APART])
@pytest.mark.parametrize(("data", "said"), [(b"weight", "needs 7 bytes, has 6"), (None, "missing")])
def test_weights_apart_from_their_graph_must_be_whole(
    make_folder: MakeFolder, graph: bytes, data: bytes | None, said: str
) -> None:
    folder = make_folder(model_dot_safetensors=None, model_dot_onnx=graph, model_dot_onnx_data=data)
    with pytest.raises(ModelBrokenError, match=said):
        files_from_path(folder)


def test_a_graph_that_keeps_its_weights_elsewhere_is_refused(make_folder: MakeFolder) -> None:
    graph = message(7, message(5, weights_at("../../secret", 7)))
    folder = make_folder(model_dot_safetensors=None, model_dot_onnx=graph)
    with pytest.raises(ModelBrokenError, match=r"'../../secret'"):
        files_from_path(folder)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, "the size of its shape"),
        ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}}, "no proper place"),
        ({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, "truncated"),
        (
            {
                "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
            },
            "share the bytes",
        ),
        ([], "malformed"),
    ],
)
def test_tensors_must_lie_where_their_file_says(
    make_folder: MakeFolder, tensors: object, said: str
) -> None:
    header = json.dumps(tensors).encode()
    weights = struct.pack("<Q", len(header)) + header + bytes(8)
    with pytest.raises(ModelBrokenError, match=said):
        files_from_path(make_folder(model_dot_safetensors=weights))
