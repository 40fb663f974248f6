"""Opens ONNX Runtime sessions that compute one text at a time on one core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from inglenook.errors import MissingDependencyError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["feed_for", "missing", "open_session"]

_FATAL_ONLY = 4
_SLOW_FUSIONS = ["SkipLayerNormFusion"]
"""What makes a graph slower: on one core a sum and a layer norm take a sixth of the fused one."""


def open_session(model: bytes | str | Path) -> Any:
    """An `onnxruntime.InferenceSession`. Raises what that raises, and `MissingDependencyError`."""
    try:
        import onnxruntime
    except ImportError as error:
        raise missing("onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    onnxruntime.set_default_logger_severity(_FATAL_ONLY)
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(
        source, options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOW_FUSIONS
    )


def feed_for(session: Any, ids: Sequence[int]) -> dict[str, Any]:
    """The inputs of one text without padding, for a graph that may take fewer of them."""
    import numpy

    tokens = numpy.array([ids], dtype=numpy.int64)
    feed = {
        "input_ids": tokens,
        "attention_mask": numpy.ones_like(tokens),
        "token_type_ids": numpy.zeros_like(tokens),
    }
    wanted = {entry.name for entry in session.get_inputs()}
    return {name: value for name, value in feed.items() if name in wanted}


def missing(library: str) -> MissingDependencyError:
    """The error for a library that is not installed."""
    return MissingDependencyError(
        f"The embedder 'onnx' needs the library {library}, which is not installed.",
        hint="Install it: pip install 'inglenook[onnx-embedder]'",
    )
