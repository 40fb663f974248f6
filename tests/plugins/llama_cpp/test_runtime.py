"""The runtime of llama-cpp-python with a real model."""

from __future__ import annotations

import pytest

from inglenook.errors import ModelBrokenError, RuntimeFailure, UserError
from inglenook.testing.runtime import RuntimeKit
from inglenook.types import CancelToken, GenerateRequest, ModelFiles, RuntimeOptions
from inglenook_llama_cpp.runtime import LlamaCppRuntime

# One thread: a busy machine stalls several threads of llama.cpp far longer than one.
OPTIONS = RuntimeOptions(context_length=512, threads=1, batch=32)


@pytest.fixture(scope="module")
def loaded(smollm2):
    runtime = LlamaCppRuntime(smollm2, OPTIONS)
    yield runtime
    runtime.close()


class TestLlamaCpp(RuntimeKit):
    @pytest.fixture
    def runtime(self, loaded):
        return loaded


def test_a_truncated_model_is_broken_and_never_reaches_native_code(smollm2, tmp_path):
    path = tmp_path / "half.gguf"
    path.write_bytes(smollm2.files["model"].read_bytes()[: 50 << 20])
    runtime = LlamaCppRuntime(ModelFiles("half", "gguf", {"model": path}), OPTIONS)
    with pytest.raises(ModelBrokenError, match="truncated"):
        runtime.open()


def test_a_device_that_is_not_there_is_refused_with_those_that_are(smollm2):
    runtime = LlamaCppRuntime(smollm2, RuntimeOptions(devices=("npu",)))
    with pytest.raises(UserError, match="no npu here"):
        runtime.open()


def test_before_it_is_open_it_says_so(smollm2):
    runtime = LlamaCppRuntime(smollm2, OPTIONS)
    with pytest.raises(RuntimeFailure, match="is not open"):
        list(runtime.generate(GenerateRequest(tokens=(1,)), CancelToken()))
