"""All of a GGUF header, as the format's own library reads it."""

from __future__ import annotations

import pytest
from gguf import GGUFReader

from inglenook.errors import ModelBrokenError
from inglenook.models.gguf import read_gguf, read_gguf_contents
from inglenook.types import ModelFiles


def test_tensors_and_long_arrays_are_those_of_the_library_of_the_format(smollm2: ModelFiles):
    path = smollm2.files["model"]
    contents, reader = read_gguf_contents(path), GGUFReader(path)

    assert {t.name for t in reader.tensors} == set(contents.tensors)
    for tensor in reader.tensors:
        ours = contents.tensors[tensor.name]
        assert tuple(int(size) for size in tensor.shape) == ours.shape
        assert (int(tensor.tensor_type), int(tensor.data_offset), int(tensor.n_bytes)) == (
            ours.type,
            ours.offset,
            ours.size_bytes,
        )
    for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.token_type"):
        assert reader.get_field(key).contents() == contents.value(key)
    assert reader.get_field("llama.block_count").contents() == contents.value("llama.block_count")
    assert contents.value("no.such.key") is None
    assert read_gguf(path) == contents.info


def test_a_file_without_its_end_is_refused(smollm2: ModelFiles, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(smollm2.files["model"].read_bytes()[:-1])

    with pytest.raises(ModelBrokenError, match="truncated"):
        read_gguf_contents(cut)
