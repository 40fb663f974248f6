"""Writes a model folder for ONNX Runtime GenAI from a GGUF file or a folder of transformers."""

from __future__ import annotations

from collections.abc import Iterator

from inglenook.errors import Cancelled, MissingDependencyError, UserError
from inglenook.models.storage import disk_errors, require_space
from inglenook.models.transformers_folder import FORMAT as TRANSFORMERS
from inglenook.types import CancelToken, ConversionProgress, ConversionRequest, ModelFiles
from inglenook_onnx_genai.decoder_graph import PRECISIONS, DecoderGraph
from inglenook_onnx_genai.decoder_weights import DecoderWeights
from inglenook_onnx_genai.genai_config import write_config

__all__ = ["convert"]

_SPARE_BYTES = 32 * 1024 * 1024
"""For the graph, the tokenizer and what the estimate does not know."""


def convert(request: ConversionRequest, cancel: CancelToken) -> Iterator[ConversionProgress]:
    """See `protocols.ConvertsModels`."""
    _require_library()
    if request.precision not in PRECISIONS:
        raise UserError(
            f"'{request.precision}' is no precision of ONNX models.",
            hint=f"Use one of {', '.join(PRECISIONS)}.",
        )
    weights = _weights(request.source)
    target = request.target
    try:
        graph = DecoderGraph(weights, request.precision, target)
        with disk_errors(target):
            require_space(target, graph.size_bytes + _SPARE_BYTES)
            weights.write_tokenizer(target)
            write_config(weights.sizes, target)
            yield ConversionProgress("", 0, graph.size_bytes)
            for what, done in graph.write(lambda: _stop_if(cancel)):
                yield ConversionProgress(what, done, graph.size_bytes)
    finally:
        weights.close()


def _weights(source: ModelFiles) -> DecoderWeights:
    if source.format == TRANSFORMERS:
        from inglenook_onnx_genai.transformers_weights import TransformersWeights

        return TransformersWeights(source)
    from inglenook_onnx_genai.gguf_weights import GgufWeights

    return GgufWeights(source.files["model"], source.reference)


def _require_library() -> None:
    try:
        import onnx
    except ImportError as error:
        raise MissingDependencyError(
            "Converting to ONNX needs the library onnx, which is not installed.",
            hint="Install it with: pip install 'inglenook[convert]'",
        ) from error
    assert onnx


def _stop_if(cancel: CancelToken) -> None:
    if cancel.cancelled:
        raise Cancelled("Stopped; nothing was converted.")
