"""How a model finds a given text, token by token, from llama.cpp's logits."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from inglenook.types import CancelToken, TokenScore
from inglenook_llama_cpp.model import Model

__all__ = ["token_scores"]


def token_scores(model: Model, tokens: Sequence[int], cancel: CancelToken) -> list[TokenScore]:
    """See `protocols.ScoresTokens`. What the model held before is forgotten."""
    import numpy

    model.rewind(tokens, reuse_prefix=False)
    scores: list[TokenScore] = []
    for token, following in itertools.pairwise(tokens):
        if cancel.cancelled:
            break
        model.evaluate([token])
        logits = model.logits().astype(numpy.float64)
        highest = logits.max()
        total = highest + numpy.log(numpy.exp(logits - highest).sum())
        scores.append(TokenScore(float(logits[following] - total), int(logits.argmax())))
    return scores
