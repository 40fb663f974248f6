"""What a profile asks for and cannot have is refused before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from inglenook.assistants.composition import model_files, pick_runtime, runtime_options
from inglenook.assistants.installation import Installation
from inglenook.errors import ModelNotFoundError, UserError
from inglenook.profiles.profile import PartChoice, Profile
from inglenook.types import ModelFiles


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.txt").write_text("The kettle is green.")
    path = folder / "Assistantfile"
    path.write_text(f"FROM smollm2:135m\nFILE ./a.txt\n{text}\n")
    return path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("RERANKER psychic", "psychic"),
        ("SPLITTER sentences max_tokens=many", "whole number"),
        ("SPLITTER sentences colour=red", "no option 'colour'"),
        ("STORE chroma colour=red", "no option 'colour'"),
        ("FILTER markup stage=everywhere", "no stage 'everywhere'"),
        ("FILTER markup action=explode", "no action 'explode'"),
    ],
)
def test_what_no_part_can_do_is_refused_by_name(
    tmp_path: Path, assistant_home: Path, line: str, said: str
) -> None:
    path = write(tmp_path / "kb", line)

    with Installation.open() as installation, pytest.raises(UserError, match=said):
        installation.assistant(str(path))


def test_the_embedder_must_be_in_the_library(tmp_path: Path, assistant_home: Path) -> None:
    path = write(tmp_path / "kb", "EMBEDDER minilm:nonesuch")

    with Installation.open() as installation, pytest.raises(ModelNotFoundError, match="minilm"):
        installation.assistant(str(path))


def test_the_preferred_runtime_of_a_format_is_taken_unless_one_is_named(smollm2) -> None:
    with Installation.open() as installation:
        host = installation.host
        assert "xllamacpp" == pick_runtime(host, None, smollm2).factory.name
        named = PartChoice("llama-cpp")
        assert "llama-cpp" == pick_runtime(host, named, smollm2).factory.name
        with pytest.raises(UserError, match="cannot open"):
            pick_runtime(host, named, ModelFiles("x", "onnx-genai", {}))


def test_parameters_say_how_the_model_is_opened(smollm2) -> None:
    stated = {"num_ctx": 1024, "num_thread": 3, "num_gpu": 0, "use_mmap": False}

    options = runtime_options(Profile(models=("x",)), None, stated, smollm2)

    assert (1024, 3, 0, False) == (
        options.context_length,
        options.threads,
        options.gpu_layers,
        options.mmap,
    )


def test_a_model_file_is_found_beside_the_profile(tmp_path: Path, smollm2, model_library) -> None:
    (tmp_path / "mine.gguf").symlink_to(smollm2.files["model"])

    files = model_files("./mine.gguf", tmp_path, model_library)

    assert "gguf" == files.format


def test_an_assistant_may_build_on_another(tmp_path: Path, assistant_home: Path) -> None:
    parent = write(tmp_path / "parent", "SYSTEM You are kind.\nPARAMETER temperature 0.5")
    child = tmp_path / "child"
    child.mkdir()
    (child / "Assistantfile").write_text("FROM parent\nPARAMETER top_k 9\n")

    with Installation.open() as installation:
        installation.create("parent", parent).close()
        with installation.assistant(str(child)) as assistant:
            assert "You are kind." == assistant.profile.system
            assert {"temperature": 0.5, "top_k": 9} == dict(assistant.profile.parameters)
            assert 1 == assistant.ingest().sources


def test_an_assistant_cannot_build_on_itself(tmp_path: Path, assistant_home: Path) -> None:
    first = write(tmp_path / "first", "")
    with Installation.open() as installation:
        installation.create("first", first).close()
        second = tmp_path / "second" / "Assistantfile"
        second.parent.mkdir()
        second.write_text("FROM first\n")
        installation.create("second", second).close()
        first.write_text("FROM second\n")

        with pytest.raises(UserError, match="back to the same"):
            installation.assistant("first")


def test_a_granted_folder_may_be_named(tmp_path: Path, assistant_home: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.txt").write_text("The cup is blue.")
    path = write(tmp_path / "kb", "FILE ../outside/*.txt")

    with Installation.open() as installation:
        with (
            installation.assistant(str(path)) as assistant,
            pytest.raises(UserError, match="nook allow"),
        ):
            assistant.ingest()
        installation.allow(str(path), outside)
        with installation.assistant(str(path)) as assistant:
            assert 2 == assistant.ingest().sources
