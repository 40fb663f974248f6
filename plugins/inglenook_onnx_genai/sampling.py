"""How the next token is chosen, from Ollama's parameter names, and the refusal of the rest.

The library's own sampler knows few of them, so its logits are taken out, and what was chosen is
put back. The steps and their order are llama.cpp's: penalties, top_k, typical_p, top_p, min_p,
temperature.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from inglenook.models.local_requests import SAMPLING_DEFAULTS
from inglenook.types import GenerateRequest

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Floats = NDArray[numpy.float32]
    Ids = NDArray[numpy.int64]

__all__ = ["Sampler"]

OUT_OF_REACH = 10_000.0
"""Far from every logit, and still a number in half precision."""


class Sampler:
    """Chooses the tokens of one answer.

    Args:
        request: What to sample for; already checked.
        context_length: What a `repeat_last_n` of -1 means.
    """

    def __init__(self, request: GenerateRequest, context_length: int) -> None:
        import numpy

        values = {**SAMPLING_DEFAULTS, **request.parameters}
        self._values = values
        self._greedy = values["temperature"] <= 0 or int(values["top_k"]) == 1
        last = int(values["repeat_last_n"])
        self._last = context_length if last < 0 else last
        self._penalises = self._last > 0 and (
            values["repeat_penalty"] != 1.0
            or values["presence_penalty"] != 0.0
            or values["frequency_penalty"] != 0.0
        )
        seed = secrets.randbits(63) if request.seed is None else request.seed & ((1 << 63) - 1)
        self._random = numpy.random.Generator(numpy.random.PCG64(seed))

    @property
    def takes_likeliest(self) -> bool:
        """Whether the likeliest token is the one, so that no logits are needed."""
        return self._greedy and not self._penalises

    def choose(self, logits: Floats, sequence: Sequence[int]) -> int:
        """The next token. `logits` has the shape (vocabulary,) and is changed."""
        self._penalise(logits, sequence)
        if self._greedy:
            return int(logits.argmax())
        ids, kept = self._kept(logits)
        odds = _softmax(kept / self._values["temperature"])
        return int(ids[self._random.choice(len(ids), p=odds)])

    def perturb(self, logits: Floats, sequence: Sequence[int]) -> None:
        """Change logits so that the likeliest token is a random choice, for a grammar to cut into.

        Which tokens the grammar forbids is known to native code only, which takes the likeliest
        of those that are left. The largest of logits plus Gumbel noise is distributed as a choice
        by softmax, among any part of them too (Gumbel-max trick). Tokens that top_k and the like
        cut away come last, in case that the grammar leaves nothing else.
        """
        self._penalise(logits, sequence)
        if self._greedy:
            return
        ids, _ = self._kept(logits)
        logits /= self._values["temperature"]
        logits += self._random.gumbel(size=logits.shape).astype(logits.dtype)
        kept = logits[ids]
        logits -= OUT_OF_REACH
        logits[ids] = kept

    def _penalise(self, logits: Floats, sequence: Sequence[int]) -> None:
        if not self._penalises:
            return
        import numpy

        counts = Counter(sequence[-self._last :])
        ids = numpy.fromiter(counts.keys(), dtype=numpy.int64, count=len(counts))
        times = numpy.fromiter(counts.values(), dtype=numpy.float32, count=len(counts))
        values, penalty = logits[ids], float(self._values["repeat_penalty"])
        values = numpy.where(values <= 0, values * penalty, values / penalty)
        values -= times * float(self._values["frequency_penalty"])
        logits[ids] = values - float(self._values["presence_penalty"])

    def _kept(self, logits: Floats) -> tuple[Ids, NDArray[numpy.float64]]:
        """The tokens to choose from and their logits, likeliest first."""
        import numpy

        most = int(self._values["top_k"])
        if 0 < most < len(logits):
            ids = numpy.argpartition(logits, -most)[-most:]
        else:
            ids = numpy.arange(len(logits))
        ids = ids[numpy.argsort(-logits[ids], kind="stable")]
        values = logits[ids].astype(numpy.float64)
        for cut in (self._typical, self._top_p, self._min_p):
            keep = cut(values)
            ids, values = ids[keep], values[keep]
        return ids, values

    def _typical(self, values: NDArray[numpy.float64]) -> Any:
        """Those whose surprise is nearest the expected one (Meister et al. 2022)."""
        import numpy

        typical = float(self._values["typical_p"])
        if typical >= 1.0:
            return slice(None)
        odds = _softmax(values)
        surprise = -numpy.log(numpy.maximum(odds, 1e-300))
        nearest = numpy.argsort(numpy.abs(surprise - (odds * surprise).sum()), kind="stable")
        number = int(numpy.searchsorted(numpy.cumsum(odds[nearest]), typical, side="right")) + 1
        return numpy.sort(nearest[:number])

    def _top_p(self, values: NDArray[numpy.float64]) -> Any:
        """The likeliest until their odds reach `top_p` together."""
        import numpy

        top = float(self._values["top_p"])
        if top >= 1.0:
            return slice(None)
        number = int(numpy.searchsorted(numpy.cumsum(_softmax(values)), top, side="left")) + 1
        return slice(number)

    def _min_p(self, values: NDArray[numpy.float64]) -> Any:
        """Those at least `min_p` times as likely as the likeliest."""
        import numpy

        least = float(self._values["min_p"])
        if least <= 0.0:
            return slice(None)
        kept = values >= values[0] + numpy.log(least)
        kept[0] = True
        return kept


def _softmax(values: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    import numpy

    odds = numpy.exp(values - values.max())
    result: NDArray[numpy.float64] = odds / odds.sum()
    return result
