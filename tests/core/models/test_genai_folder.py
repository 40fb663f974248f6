"""The folder of an ONNX language model is checked before native code sees any of it."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from inglenook.errors import ModelBrokenError, UserError
from inglenook.models.genai_folder import read_genai_config, read_genai_tokens
from inglenook.models.library import Library
from inglenook.models.linked_folder import linked_folder
from inglenook.models.local import files_from_path
from inglenook.models.onnx_layout import external_data

CONFIG: dict[str, Any] = {
    "model": {
        "type": "llama",
        "context_length": 2048,
        "vocab_size": 320,
        "bos_token_id": 1,
        "eos_token_id": [2, 3],
        "decoder": {
            "filename": "model.onnx",
            "session_options": {"log_id": "x", "provider_options": []},
        },
    },
    "search": {"max_length": 2048, "top_k": 50},
}
TOKENIZER = {
    "added_tokens": [
        {"id": 1, "content": "<s>", "special": True},
        {"id": 2, "content": "</s>", "special": True},
        {"id": 3, "content": "<|end|>", "special": False},
        {"id": 4, "content": "    ", "special": False},
    ],
    "post_processor": {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
    },
    "model": {"type": "BPE", "vocab": {}, "merges": []},
}


def graph(weights: bool = True) -> onnx.ModelProto:
    shaped = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4, 4]) for n in ("x", "y")]
    tensors = [numpy_helper.from_array(numpy.ones((4, 4), numpy.float32), "w")]
    node = helper.make_node("Add", ["x", "w"], ["y"])
    made = helper.make_graph([node], "g", shaped[:1], shaped[1:], tensors if weights else [])
    return helper.make_model(made)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model with its weights in a file of their own."""
    folder = tmp_path / "model"
    folder.mkdir()
    onnx.save_model(
        graph(),
        folder / "model.onnx",
        save_as_external_data=True,
        location="model.onnx.data",
        size_threshold=0,
    )
    (folder / "genai_config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    return folder


@pytest.fixture
def change(folder: Path) -> Callable[..., None]:
    """Changes a value of the config, by the keys that lead to it."""

    def change(*keys: str, to: Any) -> None:
        path = folder / "genai_config.json"
        config = json.loads(path.read_text())
        place = config
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = to
        path.write_text(json.dumps(config))

    return change


def test_a_folder_with_its_config_is_a_language_model(folder: Path) -> None:
    files = files_from_path(folder)
    assert files.format == "onnx-genai"
    assert files.files == {
        name: folder / name
        for name in ("genai_config.json", "model.onnx", "model.onnx.data", "tokenizer.json")
    }
    assert files.details == {"family": "llama", "context_length": 2048}


def test_weights_may_lie_in_the_graph(folder: Path) -> None:
    onnx.save_model(graph(), folder / "model.onnx")
    assert "model.onnx.data" not in files_from_path(folder).files


def test_a_pipeline_of_graphs_is_one_model(folder: Path, change: Callable[..., None]) -> None:
    shutil.copy(folder / "model.onnx", folder / "head.onnx")
    stages = [{"head": {"filename": "head.onnx"}}, {"body": {"filename": "model.onnx"}}]
    change("model", "decoder", to={"pipeline": stages})
    assert list(files_from_path(folder).files)[1:] == [
        "head.onnx",
        "model.onnx.data",
        "model.onnx",
        "tokenizer.json",
    ]


def test_the_digest_changes_with_weights_and_config_and_with_nothing_else(folder: Path) -> None:
    before = files_from_path(folder).digest
    (folder / "README.md").write_text("read me")
    assert files_from_path(folder).digest == before
    data = bytearray((folder / "model.onnx.data").read_bytes())
    data[9] ^= 1
    (folder / "model.onnx.data").write_bytes(data)
    changed = files_from_path(folder).digest
    assert changed != before
    config = folder / "genai_config.json"
    config.write_text(config.read_text() + " ")
    assert files_from_path(folder).digest not in (before, changed)


def test_large_weights_are_told_apart_by_samples(folder: Path) -> None:
    weights = numpy.zeros(12 << 20, numpy.uint8)
    path = folder / "model.onnx.data"
    weights.tofile(path)
    before = files_from_path(folder).digest
    for scale in (1, 2):
        (weights + numpy.uint8(scale)).tofile(path)
        assert files_from_path(folder).digest != before


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("tokenizer.json", r"tokenizer\.json is missing"),
        ("model.onnx", r"model\.onnx is missing"),
        ("model.onnx.data", r"model\.onnx\.data is missing, which holds the weights"),
    ],
)
def test_a_missing_file_is_named(folder: Path, name: str, wrong: str) -> None:
    (folder / name).unlink()
    with pytest.raises(UserError, match=wrong) as caught:
        files_from_path(folder)
    assert caught.value.hint


def test_a_missing_config_is_named(folder: Path) -> None:
    (folder / "genai_config.json").unlink()
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    with pytest.raises(UserError, match=r"genai_config\.json is missing"):
        files_from_path(folder)


def test_a_truncated_file_is_told_with_both_sizes(folder: Path) -> None:
    path = folder / "model.onnx.data"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelBrokenError, match=r"truncated: model\.onnx needs 64 bytes.* has 63"):
        files_from_path(folder)


@pytest.mark.parametrize("cut", [0, 1, 20, -1])
def test_a_truncated_graph_is_broken(folder: Path, cut: int) -> None:
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ModelBrokenError, match=r"model\.onnx"):
        files_from_path(folder)


def test_every_truncation_and_every_flipped_byte_of_a_graph_ends_in_words(folder: Path) -> None:
    path = folder / "model.onnx"
    whole = path.read_bytes()
    damaged = [whole[:length] for length in range(len(whole))]
    damaged += [
        whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :]
        for place in range(len(whole))
        for flip in (1, 0x80, 0xFF)
    ]
    for data in damaged:
        path.write_bytes(data)
        # Any other error than this one fails the test.
        with contextlib.suppress(ModelBrokenError):
            external_data(path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '"model"', "{}", '{"model": 3}', '{"model": {}}', "[" * 100_000, "\0", "nul"],
)
def test_a_broken_config_is_told_in_words(folder: Path, text: str) -> None:
    (folder / "genai_config.json").write_text(text)
    with pytest.raises(ModelBrokenError, match=r"genai_config\.json cannot be used"):
        files_from_path(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("context_length", 0),
        ("context_length", "2048"),
        ("context_length", True),
        ("vocab_size", None),
        ("vocab_size", 1 << 40),
        ("eos_token_id", []),
        ("eos_token_id", ["</s>"]),
        ("bos_token_id", 1.5),
        ("decoder", []),
        ("decoder", {}),
    ],
)
def test_a_value_that_cannot_be_is_named(
    folder: Path, change: Callable[..., None], key: str, value: Any
) -> None:
    change("model", key, to=value)
    with pytest.raises(ModelBrokenError, match=key):
        files_from_path(folder)


def test_a_key_that_is_said_twice_is_refused(folder: Path) -> None:
    """Native code heeds both, Python the last one only."""
    path = folder / "genai_config.json"
    path.write_text('{"model": {"custom_ops_library": "evil.so"}, ' + path.read_text()[1:])
    with pytest.raises(ModelBrokenError, match="repeated"):
        files_from_path(folder)


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "C:\\x.onnx", "a/../../x", ""])
def test_a_graph_outside_the_folder_is_refused(
    folder: Path, change: Callable[..., None], name: str
) -> None:
    change("model", "decoder", "filename", to=name)
    with pytest.raises(ModelBrokenError, match="outside the model's folder"):
        files_from_path(folder)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..\\x", "*/_ORT_MEM_ADDR_/*"])
def test_weights_outside_the_folder_are_refused(folder: Path, name: str) -> None:
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = name
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder.parent / "secret").write_bytes(bytes(64))
    with pytest.raises((ModelBrokenError, UserError), match=r"outside|missing"):
        files_from_path(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("custom_ops_library", "evil.so"),
        ("enable_profiling", "/tmp/profile"),
        ("session.model_external_initializers_file_folder_path", "/etc"),
        ("ep.context_file_path", "x.bin"),
        ("ENABLE_PROFILING", "/tmp/profile"),
        ("provider_options", [{"OpenVINO": {"cache_dir": "/tmp/x"}}]),
        ("provider_options", [{"OpenVINO": {"load_config": "{}"}}]),
        ("provider_options", [{"QNN": {"json_qnn_graph_dir": "../x"}}]),
        ("provider_options", [{"cuda": {"gpu_external_alloc": "140187736"}}]),
        ("provider_options", [{"cuda": {"user_compute_stream": "140187736"}}]),
        ("provider_options", [{"QNN": {"backend_path": "/tmp/evil.so"}}]),
        ("provider_options", [{"QNN": {"backend_path": "model.onnx.data"}}]),
    ],
)
def test_a_folder_cannot_make_native_code_load_or_write_anything(
    folder: Path, change: Callable[..., None], key: str, value: Any
) -> None:
    change("model", "decoder", "session_options", key, to=value)
    with pytest.raises(UserError, match="load code of its own or write files"):
        files_from_path(folder)


def test_what_leads_outside_is_refused_wherever_it_stands(
    folder: Path, change: Callable[..., None]
) -> None:
    change("engine", to={"plugins": [{"library_path": "/tmp/evil.so"}]})
    with pytest.raises(UserError, match="load code of its own or write files"):
        files_from_path(folder)


@pytest.mark.parametrize(
    ("keys", "value", "wrong"),
    [
        (("sliding_window",), {"window_size": "all"}, "window_size"),
        (("sliding_window",), {"window_size": [1]}, "window_size"),
        (("session_options", "provider_options"), True, "provider_options"),
        (("session_options", "provider_options"), {"cuda": {}}, "provider_options"),
    ],
)
def test_a_setting_of_another_shape_is_named(
    folder: Path, change: Callable[..., None], keys: tuple[str, ...], value: Any, wrong: str
) -> None:
    change("model", "decoder", *keys, to=value)
    with pytest.raises(ModelBrokenError, match=wrong):
        files_from_path(folder)


def test_a_name_that_no_disk_has_is_missing(folder: Path, change: Callable[..., None]) -> None:
    change("model", "decoder", "filename", to="x" * 5000)
    with pytest.raises(UserError, match="is missing") as raised:
        files_from_path(folder)
    assert len(str(raised.value)) < 500


def test_a_library_of_the_installation_may_be_named(
    folder: Path, change: Callable[..., None]
) -> None:
    options = [{"QNN": {"backend_path": "QnnHtp.dll", "htp_performance_mode": "burst"}}]
    change("model", "decoder", "session_options", "provider_options", to=options)
    files_from_path(folder)
    assert read_genai_config(folder).providers == (
        ("QNN", {"backend_path": "QnnHtp.dll", "htp_performance_mode": "burst"}),
    )


@pytest.mark.parametrize("sense", ["vision", "speech", "encoder"])
def test_a_model_for_more_than_text_is_refused(
    folder: Path, change: Callable[..., None], sense: str
) -> None:
    change("model", sense, to={"filename": "model.onnx"})
    with pytest.raises(UserError, match="text alone"):
        files_from_path(folder)


def test_in_the_library_its_files_find_each_other_by_name(folder: Path, tmp_path: Path) -> None:
    library = Library(tmp_path / "library")
    (folder / "tokenizer_config.json").write_text("{}")
    library.add_file("mine", folder)
    files = library.get("mine").files

    assert {path.name for path in folder.iterdir()} == set(files)
    assert 1 == len({path.parent for path in files.values()})
    again = files_from_path(files["genai_config.json"].parent)
    assert "onnx-genai" == again.format
    for name, path in files.items():
        assert path.read_bytes() == (folder / name).read_bytes()


def test_the_folder_of_links_comes_back_and_goes_with_the_model(
    folder: Path, tmp_path: Path
) -> None:
    library = Library(tmp_path / "library")
    library.add_file("mine", folder)
    made = library.get("mine").files["model.onnx"].parent
    shutil.rmtree(made)

    assert library.get("mine").files["model.onnx"].is_file()
    library.remove("mine")
    assert not made.exists()


def test_two_models_have_folders_and_digests_of_their_own(
    folder: Path, change: Callable[..., None], tmp_path: Path
) -> None:
    library = Library(tmp_path / "library")
    library.add_file("one", folder)
    change("model", "context_length", to=1024)
    library.add_file("two", folder)

    one, two = library.get("one"), library.get("two")
    assert one.digest != two.digest
    assert one.files["genai_config.json"].parent != two.files["genai_config.json"].parent
    library.remove("one")
    assert two.files["model.onnx"].is_file()


@pytest.mark.parametrize("name", ["../../x", "/x", "..\\x", "C:/x"])
def test_a_name_that_leads_out_of_the_folder_of_links_is_refused(
    folder: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ModelBrokenError, match="outside its folder"):
        linked_folder(tmp_path, tmp_path / "s", "digest", {name: folder / "model.onnx"})


# --- how it is spoken to --------------------------------------------------------------------------


def test_what_the_tokenizer_says_is_taken(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"bos_token": {"content": "<s>"}, "eos_token": "<|end|>"})
    )
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    tokens = read_genai_tokens(folder, read_genai_config(folder))
    assert (tokens.bos, tokens.eos, tokens.add_bos) == ("<s>", "<|end|>", True)
    assert tokens.control_tokens == ("<s>", "</s>", "<|end|>")
    assert tokens.chat_template == "{{ messages }}"


def test_without_a_config_of_the_tokenizer_the_ids_say_it(folder: Path) -> None:
    tokens = read_genai_tokens(folder, read_genai_config(folder))
    assert (tokens.bos, tokens.eos, tokens.chat_template) == ("<s>", "</s>", "")


@pytest.mark.parametrize("stated", [True, False])
def test_a_begin_token_that_is_stated_counts(folder: Path, stated: bool) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps({"add_bos_token": stated}))
    assert read_genai_tokens(folder, read_genai_config(folder)).add_bos is stated


@pytest.mark.parametrize(
    "template",
    ["plain", [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "plain"}]],
)
def test_a_template_in_the_config_of_the_tokenizer_is_found(folder: Path, template: Any) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({"chat_template": template}))
    assert read_genai_tokens(folder, read_genai_config(folder)).chat_template == "plain"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"added_tokens": [3]}',
        '{"added_tokens": 3}',
        '{"added_tokens": [{"id": [], "content": "x"}]}',
    ],
)
def test_a_broken_tokenizer_is_told_in_words(folder: Path, text: str) -> None:
    (folder / "tokenizer.json").write_text(text)
    with pytest.raises(ModelBrokenError, match=r"tokenizer\.json cannot be used"):
        read_genai_tokens(folder, read_genai_config(folder))


@pytest.mark.parametrize(
    "step", [{"processors": None}, {"single": True}, {"single": {"a": 1}}, {"single": [3]}, 5]
)
def test_a_post_processor_of_another_shape_begins_with_nothing(folder: Path, step: Any) -> None:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "post_processor": step}))
    assert read_genai_tokens(folder, read_genai_config(folder)).add_bos is False
