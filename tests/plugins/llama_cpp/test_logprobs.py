"""Log-probabilities are those of the model's own logits, with every parameter of sampling."""

from __future__ import annotations

import numpy
import pytest
from llama_cpp import Llama

from inglenook.types import CancelToken, GenerateRequest, RuntimeOptions, TextDelta
from inglenook_llama_cpp.bare import BareLlamaCpp
from inglenook_llama_cpp.model import import_library
from inglenook_llama_cpp.runtime import LlamaCppRuntime
from inglenook_xllamacpp.runtime import XllamacppRuntime

OPTIONS = RuntimeOptions(
    context_length=256, threads=1, batch=64, settings={"flash_attention": "off"}
)
TEXT = "The sea is wide, and the house by the sea is"


@pytest.fixture(scope="module")
def log_softmax(smollm2):
    """The log-softmax of the library's own class after each of some tokens."""
    # It makes the choice that keeps the library from a crash on some processors.
    bare = BareLlamaCpp(import_library(), smollm2.files["model"], OPTIONS)
    bare.open()
    bare.close()
    path = str(smollm2.files["model"])
    llama = Llama(path, n_ctx=256, n_threads=1, logits_all=True, verbose=False, n_gpu_layers=0)

    def compute(prompt, ids):
        llama.reset()
        llama.eval(list(prompt))
        # One by one, as they were made: in one batch they round otherwise.
        for id in ids[:-1]:
            llama.eval([id])
        end = len(prompt) + len(ids) - 1
        logits = numpy.array(llama.scores[len(prompt) - 1 : end], dtype=numpy.float64)
        logits -= logits.max(axis=1, keepdims=True)
        return logits - numpy.log(numpy.exp(logits).sum(axis=1, keepdims=True))

    yield compute
    llama.close()


@pytest.mark.parametrize(
    # What the other build computes rounds differently.
    ("runtime", "tolerance"),
    [(LlamaCppRuntime, 0.001), (XllamacppRuntime, 0.5)],
)
@pytest.mark.parametrize(
    "fields",
    [
        {"parameters": {"temperature": 0.0}},
        {"parameters": {"temperature": 1.8, "top_k": 5, "repeat_penalty": 1.3}, "seed": 3},
        {"grammar": "root ::= [a-z ]+", "parameters": {"temperature": 0.0}},
    ],
)
def test_they_are_the_log_softmax_of_the_logits(smollm2, log_softmax, runtime, tolerance, fields):
    opened = runtime(smollm2, OPTIONS)
    opened.open()
    prompt = tuple(opened.tokenize(TEXT, special=False))
    request = GenerateRequest(tokens=prompt, max_tokens=8, logprobs=4, **fields)
    events = [e for e in opened.generate(request, CancelToken()) if isinstance(e, TextDelta)]
    opened.close()
    ids = [id for event in events for id in event.tokens]
    told = [one for event in events for one in event.logprobs]
    assert len(ids) == len(told) == 8
    figures = log_softmax(prompt, ids)
    for one, id, own in zip(told, ids, figures, strict=True):
        assert one.logprob == pytest.approx(own[id], abs=tolerance)
        likeliest = numpy.sort(own)[::-1][:4]
        assert [figure for _, figure in one.top] == pytest.approx(list(likeliest), abs=tolerance)
