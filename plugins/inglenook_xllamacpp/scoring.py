"""How a model finds a given text, token by token, through llama.cpp's server.

The server tells probabilities only of tokens that it writes. So it is asked to write one token
after each beginning of the text, which it remembers from one question to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inglenook.errors import RuntimeFailure
from inglenook.types import CancelToken, TokenScore

__all__ = ["token_scores"]

_LIKELIEST = 1000
_ALL = 1_000_000
"""More than any vocabulary has: what a token outside the likeliest ones costs."""


def token_scores(server: Any, tokens: Sequence[int], cancel: CancelToken) -> list[TokenScore]:
    """See `protocols.ScoresTokens`."""
    scores: list[TokenScore] = []
    for place in range(1, len(tokens)):
        if cancel.cancelled:
            break
        beginning, token = list(tokens[:place]), tokens[place]
        likeliest = _likeliest(server, beginning, _LIKELIEST)
        known = {entry["id"]: entry["logprob"] for entry in likeliest}
        if token not in known:
            every = _likeliest(server, beginning, _ALL)
            known = {entry["id"]: entry["logprob"] for entry in every}
        if token not in known:
            raise RuntimeFailure(f"llama.cpp does not know the token {token}.")
        scores.append(TokenScore(min(0.0, float(known[token])), int(likeliest[0]["id"])))
    return scores


def _likeliest(server: Any, beginning: list[int], count: int) -> Sequence[Mapping[str, Any]]:
    answers: list[Any] = []

    def on_answer(answer: Any) -> bool:
        answers.append(answer)
        return False

    body = {
        "prompt": beginning,
        "n_predict": 1,
        "temperature": 0.0,
        "cache_prompt": True,
        "n_probs": count,
        "stream": False,
    }
    server.handle_completions(body, on_answer)
    try:
        last = answers[-1]
        choice = (last[0] if isinstance(last, list) else last)["choices"][0]
        found: Sequence[Mapping[str, Any]] = choice["logprobs"]["content"][0]["top_logprobs"]
        if not found:
            raise IndexError
    except (IndexError, KeyError, TypeError) as error:
        raise RuntimeFailure(f"llama.cpp told no probabilities: {str(answers)[:200]}") from error
    return found
