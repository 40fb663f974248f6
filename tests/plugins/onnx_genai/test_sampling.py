"""Tokens are chosen by llama.cpp's rules."""

from __future__ import annotations

from collections import Counter

import numpy
import pytest

from inglenook.types import GenerateRequest
from inglenook_onnx_genai.sampling import Sampler

ODDS = numpy.array([0.5, 0.25, 0.125, 0.0625, 0.0625])
ALL = {"temperature": 1.0, "top_k": 0, "top_p": 1.0}


def sampler(seed=1, **parameters) -> Sampler:
    request = GenerateRequest(tokens=(1,), seed=seed, parameters=ALL | parameters)
    return Sampler(request, context_length=100)


def logits() -> numpy.ndarray:
    return numpy.log(ODDS).astype(numpy.float32)


def chosen(times=2000, sequence=(), **parameters) -> Counter[int]:
    one = sampler(**parameters)
    return Counter(one.choose(logits(), sequence) for _ in range(times))


def test_tokens_come_as_often_as_they_are_likely():
    counts = chosen(8000)
    assert numpy.allclose([counts[id] / 8000 for id in range(5)], ODDS, atol=0.02)


@pytest.mark.parametrize(
    ("parameters", "kept"),
    [
        ({"top_k": 2}, {0, 1}),
        ({"top_k": 99}, {0, 1, 2, 3, 4}),
        ({"top_p": 0.5}, {0}),
        ({"top_p": 0.51}, {0, 1}),
        ({"top_p": 0.0}, {0}),
        ({"min_p": 0.2}, {0, 1, 2}),
        ({"min_p": 1.0}, {0}),
        # The entropy is 1.875 bits, and 2 bits of surprise are nearest: the second token.
        ({"typical_p": 0.2}, {1}),
        ({"typical_p": 0.7}, {0, 1}),
        ({"top_k": 3, "top_p": 0.8}, {0, 1}),
    ],
)
def test_what_is_unlikely_is_cut_away(parameters, kept):
    assert set(chosen(**parameters)) == kept


def test_heat_flattens_and_cold_sharpens():
    hot, warm, cold = (chosen(temperature=heat)[0] for heat in (3.0, 1.0, 0.3))
    assert hot < warm < cold


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"repeat_penalty": 2.0}, [2.0, -2.0, 1.0]),
        ({"presence_penalty": 0.5}, [3.5, -1.5, 1.0]),
        ({"frequency_penalty": 0.5}, [3.0, -1.5, 1.0]),
        ({"frequency_penalty": 0.5, "repeat_last_n": 2}, [3.5, -1.5, 1.0]),
        ({"frequency_penalty": 0.5, "repeat_last_n": 1}, [4.0, -1.5, 1.0]),
        ({"frequency_penalty": 0.5, "repeat_last_n": 0}, [4.0, -1.0, 1.0]),
        ({"frequency_penalty": 0.5, "repeat_last_n": -1}, [3.0, -1.5, 1.0]),
    ],
)
def test_what_was_said_is_less_likely(parameters, expected):
    values = numpy.array([4.0, -1.0, 1.0], dtype=numpy.float32)
    sampler(temperature=0.0, **parameters).choose(values, [0, 0, 1])
    assert values.tolist() == expected


def test_the_likeliest_that_a_grammar_leaves_is_a_fair_choice_among_them():
    one, counts, left = sampler(), Counter(), [1, 2, 4]
    for _ in range(8000):
        values = logits()
        one.perturb(values, ())
        counts[left[int(values[left].argmax())]] += 1
    expected = ODDS[left] / ODDS[left].sum()
    assert numpy.allclose([counts[id] / 8000 for id in left], expected, atol=0.02)


def test_a_grammar_that_leaves_only_what_was_cut_away_still_gets_a_token():
    values = logits()
    sampler(top_k=1, temperature=2.0).perturb(values, ())
    assert int(values.argmax()) == 0
    values = logits()
    sampler(top_k=2).perturb(values, ())
    assert set(numpy.argsort(-values)[:2].tolist()) == {0, 1}
    assert numpy.isfinite(values).all()
    assert numpy.abs(values).max() < 65504  # The largest number in half precision.


def test_only_a_plain_greedy_answer_needs_no_logits():
    assert sampler(temperature=0.0).takes_likeliest
    assert sampler(top_k=1).takes_likeliest
    assert not sampler(temperature=0.0, repeat_penalty=1.1).takes_likeliest
    assert sampler(temperature=0.0, repeat_penalty=1.1, repeat_last_n=0).takes_likeliest
    assert not sampler().takes_likeliest
