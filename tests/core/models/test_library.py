"""The library keeps models in Ollama's layout, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from inglenook.errors import (
    Cancelled,
    ModelBrokenError,
    ModelNotFoundError,
    StoreError,
    UserError,
)
from inglenook.models.known import Catalog
from inglenook.models.library import Library, NewFile
from inglenook.models.manifest import parse_manifest
from inglenook.models.record import ModelFacts
from inglenook.types import ModelFiles

MEDIA = "application/vnd.ollama.image."


def ollama_store(root: Path, model: bytes) -> Path:
    """A store as `ollama create` leaves it: a model with template, system, parameters, messages."""
    layers = [
        ("model", model),
        ("template", b"{{ if .System }}{{ .System }}{{ end }}{{ .Prompt }}"),
        ("license", b"\n  Apache License\n  Version 2.0"),
        ("license", b"and another"),
        ("system", "Réponds.".encode()),
        ("params", b'{"num_ctx":4096,"stop":["\\u003c|im_end|\\u003e","</s>"],"temperature":0.5}'),
        ("messages", b'[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]'),
    ]
    written = [(f"{MEDIA}{kind}", data) for kind, data in layers]
    config = {
        "model_format": "gguf",
        "model_family": "qwen2",
        "model_families": ["qwen2"],
        "model_type": "494.03M",
        "file_type": "Q4_K_M",
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [digest(data) for _, data in written]},
    }
    encoded = json.dumps(config, separators=(",", ":")).encode()
    blobs = root / "blobs"
    blobs.mkdir(parents=True)
    for data in (encoded, *(data for _, data in written)):
        (blobs / digest(data).replace(":", "-")).write_bytes(data)
    manifest = (
        '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",'
        '"config":{"mediaType":"application/vnd.docker.container.image.v1+json",'
        f'"digest":"{digest(encoded)}","size":{len(encoded)}}},"layers":['
        + ",".join(
            f'{{"mediaType":"{kind}","digest":"{digest(data)}","size":{len(data)}}}'
            for kind, data in written
        )
        + "]}"
    )
    path = root / "manifests/registry.ollama.ai/library/qwen2.5/0.5b"
    path.parent.mkdir(parents=True)
    path.write_text(manifest)
    (root / "manifests/.DS_Store").write_bytes(b"\0")
    return path


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def add(library: Library, reference: str, **files: bytes) -> None:
    """Add files as a pull would: finished, on the same disk, under their sha256."""
    new = []
    for name, data in files.items():
        path = library.root / f"incoming-{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        new.append(NewFile(name.replace("_", "."), path, digest(data)[7:]))
    facts = ModelFacts(family="bert", licence="MIT", details={"pooling": "mean"})
    format = "gguf" if "model" in files else "sentence-onnx"
    library.add(reference, tuple(new), format=format, facts=facts)


def test_a_real_ollama_store_is_read(tmp_path: Path, gguf_bytes: bytes, catalog: Catalog) -> None:
    manifest = ollama_store(tmp_path / "ollama", gguf_bytes)
    library = Library(tmp_path / "mine", (tmp_path / "ollama",), catalog=catalog)
    record = library.show("qwen2.5:0.5b")
    assert record.digest == hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert (record.format, record.family, record.quantisation) == ("gguf", "qwen2", "Q4_K_M")
    assert (record.parameter_size, record.context_length) == ("494.03M", 512)
    assert record.template.endswith("{{ .Prompt }}")
    assert record.system == "Réponds."
    assert record.parameters["stop"] == ["<|im_end|>", "</s>"]
    assert record.messages == (("user", "Hi"), ("assistant", "Hello"))
    assert (record.licence, record.read_only) == ("Apache License", True)
    files = library.get("QWEN2.5:0.5B")
    assert files.files["model"].read_bytes() == gguf_bytes
    assert files.digest == hashlib.sha256(gguf_bytes).hexdigest()
    assert [model.name for model in library.list()] == ["qwen2.5:0.5b"]


def test_a_manifest_is_written_back_byte_for_byte(tmp_path: Path, gguf_bytes: bytes) -> None:
    data = ollama_store(tmp_path, gguf_bytes).read_bytes()
    assert parse_manifest(data, "x").as_bytes() == data


def test_a_model_of_another_programs_store_is_not_removed(
    tmp_path: Path, gguf_bytes: bytes, catalog: Catalog
) -> None:
    manifest = ollama_store(tmp_path / "ollama", gguf_bytes)
    library = Library(tmp_path / "mine", (tmp_path / "ollama",), catalog=catalog)
    with pytest.raises(StoreError, match="only read"):
        library.remove("qwen2.5:0.5b")
    assert manifest.exists()


def test_what_is_added_has_ollamas_layout(library: Library, gguf_bytes: bytes) -> None:
    add(library, "me/Tiny:v1", model=gguf_bytes)
    manifest = json.loads(
        (library.root / "manifests/registry.ollama.ai/me/Tiny/v1").read_text(encoding="utf-8")
    )
    assert manifest["schemaVersion"] == 2
    assert manifest["layers"] == [
        {"mediaType": f"{MEDIA}model", "digest": digest(gguf_bytes), "size": len(gguf_bytes)}
    ]
    blobs = list((library.root / "blobs").iterdir())
    assert [p.name for p in blobs if digest(p.read_bytes()).replace(":", "-") != p.name] == []


def test_a_model_of_several_files_keeps_their_names(library: Library) -> None:
    add(library, "embedder", model_onnx=b"onnx", tokenizer_json=b"{}")
    files = library.get("embedder")
    assert files.format == "sentence-onnx"
    assert {n: p.read_bytes() for n, p in files.files.items()} == {
        "model.onnx": b"onnx",
        "tokenizer.json": b"{}",
    }
    assert files.details["pooling"] == "mean"
    assert files.digest == digest(b"onnx")[7:]


def test_a_name_is_found_without_regard_to_case(library: Library) -> None:
    add(library, "Some/Model:Tag", model_onnx=b"1")
    assert library.get("some/model:tag").reference == "Some/Model:Tag"


def test_a_second_model_of_a_name_in_another_case_replaces_the_first(library: Library) -> None:
    add(library, "Model:Tag", model_onnx=b"1")
    add(library, "model:tag", model_onnx=b"2")
    assert [record.name for record in library.list()] == ["Model:Tag"]
    assert library.get("MODEL:TAG").files["model.onnx"].read_bytes() == b"2"


def test_an_alias_of_the_catalog_is_found_under_its_real_tag(library: Library) -> None:
    add(library, "tiny:one", model_onnx=b"1")
    assert library.get("tiny").reference == "tiny:one"
    with pytest.raises(ModelNotFoundError):
        library.get("tiny:latest")


def test_a_known_model_that_is_missing_comes_with_the_command_to_get_it(library: Library) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        library.get("tiny")
    assert str(caught.value) == (
        "The model tiny:one is not on this machine.\nGet it with: nook pull tiny:one"
    )


def test_an_unknown_model_comes_with_a_suggestion_and_the_list(library: Library) -> None:
    add(library, "mine:v1", model_onnx=b"1")
    with pytest.raises(ModelNotFoundError) as caught:
        library.get("mime:v1")
    assert "Did you mean mine:v1?" in caught.value.hint
    assert "tiny:one, tiny:four, tiny:parts, tiny:two" in caught.value.hint


def test_a_path_is_not_a_reference(library: Library) -> None:
    with pytest.raises(UserError):
        library.get("../../../etc/passwd")


def test_removing_keeps_what_another_model_uses(library: Library) -> None:
    add(library, "a", model_onnx=b"shared", tokenizer_json=b"of a")
    add(library, "b", model_onnx=b"shared", tokenizer_json=b"of b")
    name, freed = library.remove("a")
    assert (name, freed > 0) == ("a:latest", True)
    assert library.get("b").files["model.onnx"].read_bytes() == b"shared"
    assert not (library.root / "blobs" / digest(b"of a").replace(":", "-")).exists()
    library.remove("b")
    assert list((library.root / "blobs").iterdir()) == []
    assert list((library.root / "manifests").iterdir()) == []


def test_nothing_is_deleted_while_a_manifest_cannot_be_read(library: Library) -> None:
    add(library, "a", model_onnx=b"shared")
    add(library, "b", model_onnx=b"shared")
    (library.root / "manifests/registry.ollama.ai/library/b/latest").write_text("{")
    library.remove("a")
    assert (library.root / "blobs" / digest(b"shared").replace(":", "-")).exists()


def test_a_broken_manifest_is_listed_with_its_problem_and_hides_no_other(library: Library) -> None:
    add(library, "a", model_onnx=b"1")
    add(library, "b", model_onnx=b"2")
    (library.root / "manifests/registry.ollama.ai/library/a/latest").write_text('{"layers": 1}')
    listed = {record.name: record.problem for record in library.list()}
    assert "lists no layers" in listed.pop("a:latest")
    assert listed == {"b:latest": ""}


def test_a_broken_model_can_be_removed(library: Library) -> None:
    add(library, "a", model_onnx=b"1")
    (library.root / "manifests/registry.ollama.ai/library/a/latest").write_text("{")
    library.remove("a")
    assert library.list() == ()
    assert library.prune() > 0


@pytest.mark.parametrize(
    "digest_text", ["sha256:../../../etc/passwd", "md5:00", "sha256:" + "g" * 64, ""]
)
def test_a_manifest_cannot_lead_out_of_the_store(library: Library, digest_text: str) -> None:
    path = library.root / "manifests/registry.ollama.ai/library/evil/latest"
    path.parent.mkdir(parents=True)
    layer = {"mediaType": f"{MEDIA}model", "digest": digest_text, "size": 1}
    path.write_text(json.dumps({"schemaVersion": 2, "layers": [layer]}))
    with pytest.raises(ModelBrokenError, match="digest"):
        library.get("evil")


def test_a_blob_that_is_missing_is_a_clear_error(library: Library) -> None:
    add(library, "a", model_onnx=b"1")
    library.get("a").files["model.onnx"].unlink()
    with pytest.raises(ModelBrokenError, match="is missing") as caught:
        library.get("a")
    assert caught.value.hint == "Fetch it again: nook pull a:latest"


def test_a_truncated_blob_is_told_with_both_sizes(library: Library) -> None:
    add(library, "a", model_onnx=b"12345")
    library.get("a").files["model.onnx"].write_bytes(b"123")
    with pytest.raises(ModelBrokenError, match="needs 5 bytes, has 3"):
        library.get("a")


def test_verify_finds_a_changed_byte(library: Library) -> None:
    add(library, "a", model_onnx=b"12345")
    library.verify("a")
    library.get("a").files["model.onnx"].write_bytes(b"12344")
    with pytest.raises(ModelBrokenError) as caught:
        library.verify("a")
    assert digest(b"12345")[7:] in caught.value.message
    assert digest(b"12344")[7:] in caught.value.message


def test_an_empty_library_lists_nothing_and_writes_nothing(library: Library) -> None:
    assert library.list() == ()
    assert not library.root.exists()


def test_a_file_of_the_users_own_is_copied_in(library: Library, gguf_file: Path) -> None:
    record = library.add_file("mine", gguf_file)
    assert (record.name, record.family, record.quantisation) == ("mine:latest", "llama", "Q4_K_M")
    assert (record.context_length, record.licence) == (512, "apache-2.0")
    assert library.get("mine").files["model"].read_bytes() == gguf_file.read_bytes()


def test_a_truncated_file_is_not_let_in(library: Library, gguf_file: Path) -> None:
    gguf_file.write_bytes(gguf_file.read_bytes()[:-1])
    with pytest.raises(ModelBrokenError, match="truncated"):
        library.add_file("mine", gguf_file)
    assert library.list() == ()


def test_a_cancelled_copy_leaves_nothing(library: Library, gguf_file: Path) -> None:
    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        library.add_file("mine", gguf_file, stop)
    assert [p for p in library.root.rglob("*") if p.is_file() and p.suffix != ".lock"] == []


def test_the_prepared_test_models_have_the_sha256_of_their_names(
    model_library: Library, smollm2: ModelFiles
) -> None:
    model_library.verify("smollm2")
    assert smollm2.files["model"].name == f"sha256-{smollm2.digest}"
