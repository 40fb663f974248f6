"""How likely a token was, from the model's logits."""

from __future__ import annotations

from inglenook.types import TokenLogprob
from inglenook_llama_cpp.model import Model

__all__ = ["token_logprob"]


def token_logprob(model: Model, token: int, text: str, alternatives: int) -> TokenLogprob:
    """The log-softmax of the last evaluated position, for `token` and the likeliest ones."""
    import numpy

    logits = model.logits().astype(numpy.float64)
    logits -= logits.max()
    logits -= numpy.log(numpy.exp(logits).sum())
    count = min(alternatives, len(logits))
    likeliest = numpy.argpartition(-logits, count - 1)[:count]
    ordered = sorted((int(id) for id in likeliest), key=lambda other: (-logits[other], other))
    top = tuple((model.text_of(id), float(logits[id])) for id in ordered)
    return TokenLogprob(text, float(logits[token]), top)
