"""The last step of a sequence classifier: from the first token's state to a score.

Two kinds are laid out by Hugging Face's classes: `BertForSequenceClassification` (a pooler of its
own, then one linear layer) and `RobertaForSequenceClassification`, which XLM-R and MPNet share
(`classifier.dense`, then `classifier.out_proj`). Both have a tanh in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inglenook.errors import ModelBrokenError, ModelError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Tensor = NDArray[numpy.float32]

__all__ = ["Head", "score_of"]

_LAYOUTS = (
    ("bert.pooler.dense", "classifier"),
    ("classifier.dense", "classifier.out_proj"),
)


@dataclass(frozen=True, slots=True)
class Head:
    """Two linear layers with a tanh between them; weights as stored, (out, in)."""

    inner_weight: Tensor
    inner_bias: Tensor
    outer_weight: Tensor
    outer_bias: Tensor

    @classmethod
    def of(cls, weights: Mapping[str, Tensor], reference: str) -> Head:
        """Find it among the weights.

        Raises `ModelError` for weights without a classifier, such as an embedder's, and
        `ModelBrokenError` for one that lacks a tensor.
        """
        for inner, outer in _LAYOUTS:
            if f"{outer}.weight" in weights:
                names = [f"{part}.{what}" for part in (inner, outer) for what in ("weight", "bias")]
                missing = [name for name in names if name not in weights]
                if missing:
                    raise ModelBrokenError(f"{reference}: the weights lack {', '.join(missing)}.")
                return cls(*(weights[name] for name in names))
        raise ModelError(
            f"{reference} has no classifier in its weights, so it is no cross-encoder.",
            hint="An embedder's folder goes after EMBEDDER. A reranker is named so by its maker.",
        )

    def logits(self, state: Tensor) -> Tensor:
        """The logits, shape (labels,), of the first token's state, shape (hidden,)."""
        import numpy

        inner = numpy.tanh(self.inner_weight @ state + self.inner_bias)
        logits: Tensor = self.outer_weight @ inner + self.outer_bias
        return logits


def score_of(logits: Tensor, reference: str) -> float:
    """One number of the logits: the only one, or how far "relevant" is above "not relevant".

    Raises `ModelError` for three and more labels: that classifier judges something else.
    """
    if logits.shape == (1,):
        return float(logits[0])
    if logits.shape == (2,):
        return float(logits[1] - logits[0])
    raise ModelError(
        f"{reference} tells {logits.size} labels apart, so it is no reranker.",
        hint="A reranker has one label, or two (not relevant, relevant).",
    )
