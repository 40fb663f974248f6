"""How a model of ONNX Runtime GenAI finds a given text, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inglenook.types import CancelToken, TokenScore

__all__ = ["token_scores"]

_BATCH = 32
"""Tokens that are read at once: each gives one number for every token of the vocabulary."""


def token_scores(
    library: Any, model: Any, tokens: Sequence[int], cancel: CancelToken
) -> list[TokenScore]:
    """See `protocols.ScoresTokens`. Native code raises `RuntimeError` and its like."""
    import numpy

    parameters = library.GeneratorParams(model)
    parameters.set_search_options(max_length=len(tokens) + 1, do_sample=False, num_beams=1)
    generator = library.Generator(model, parameters)
    scores: list[TokenScore] = []
    for start in range(0, len(tokens) - 1, _BATCH):
        if cancel.cancelled:
            break
        batch = tokens[start : min(start + _BATCH, len(tokens) - 1)]
        generator.append_tokens(numpy.array(batch, dtype=numpy.int32))
        logits = numpy.array(generator.get_output("logits"))[0, -len(batch) :]
        following = tokens[start + 1 : start + 1 + len(batch)]
        for row, token in zip(logits.astype(numpy.float64), following, strict=True):
            highest = row.max()
            total = highest + numpy.log(numpy.exp(row - highest).sum())
            scores.append(TokenScore(float(row[token] - total), int(row.argmax())))
    return scores
