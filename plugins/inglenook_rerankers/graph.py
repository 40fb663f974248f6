"""Opens the encoder of a cross-encoder on ONNX Runtime, from an export or from safetensors.

An export gives logits itself. From safetensors the encoder's graph is built as for an embedder,
and the head is computed beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from inglenook.errors import MissingDependencyError, ModelBrokenError, ModelError
from inglenook.types import ModelFiles
from inglenook_rerankers.head import Head, score_of
from inglenook_rerankers.pairs import Pair

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Tensor = NDArray[numpy.float32]

__all__ = ["Scorer", "open_scorer"]


class Scorer:
    """Scores one pair; safe to call from several threads.

    Args:
        session: The ONNX Runtime session.
        logits: From the session's first output for one pair to the logits, shape (labels,).
        reference: The model's name, for messages.
    """

    def __init__(self, session: Any, logits: Callable[[Tensor], Tensor], reference: str) -> None:
        self._session = session
        self._inputs = frozenset(entry.name for entry in session.get_inputs())
        self._logits = logits
        self._reference = reference

    def __call__(self, pair: Pair) -> float:
        import numpy

        ids = numpy.array([pair.ids], dtype=numpy.int64)
        types = numpy.array([pair.types], dtype=numpy.int64)
        feed = {
            "input_ids": ids,
            "attention_mask": numpy.ones_like(ids),
            "token_type_ids": types,
        }
        wanted = {name: value for name, value in feed.items() if name in self._inputs}
        output = self._session.run(None, wanted)[0]
        return score_of(self._logits(output), self._reference)


def open_scorer(files: ModelFiles, trial: Pair) -> Scorer:
    """Load the model and score one pair.

    Raises `ModelError` for a model that is no reranker, `ModelBrokenError`,
    `MissingDependencyError`.
    """
    scorer = _scorer(files)
    try:
        scorer(trial)
    except ModelError:
        raise
    # The library raises classes of its own that share no base.
    except Exception as error:
        raise ModelError(
            f"{files.reference} cannot be computed ({str(error).splitlines()[0]}).",
            hint="It must take input_ids, attention_mask and, if it wants them, token_type_ids.",
        ) from error
    return scorer


def _scorer(files: ModelFiles) -> Scorer:
    if files.format == "cross-encoder-onnx":
        session = _session(str(files.files["model.onnx"]), files.reference)
        return Scorer(session, lambda output: output.reshape(-1), files.reference)
    graph, head = _build(files)
    session = _session(graph, files.reference)
    return Scorer(session, lambda output: head.logits(output[0, 0]), files.reference)


def _build(files: ModelFiles) -> tuple[bytes, Head]:
    from inglenook_onnx_embedder.bert_graph import build_bert_graph
    from inglenook_onnx_embedder.safetensors import read_safetensors

    try:
        config: dict[str, Any] = json.loads(files.files["config.json"].read_bytes())
    except ValueError as error:
        raise ModelBrokenError(f"{files.reference}: config.json is not JSON.") from error
    weights = read_safetensors(files.files["model.safetensors"])
    head = Head.of(weights, files.reference)
    return build_bert_graph(config, weights, files.reference), head


def _session(model: str | bytes, reference: str) -> Any:
    from inglenook_onnx_embedder.sessions import open_session

    try:
        return open_session(model)
    except MissingDependencyError:
        raise
    # The library raises classes of its own that share no base.
    except Exception as error:
        raise ModelBrokenError(
            f"{reference}: the ONNX graph cannot be loaded ({str(error).splitlines()[0]}).",
            hint="Copy the folder anew.",
        ) from error
