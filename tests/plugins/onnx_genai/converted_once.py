"""Makes the model folder of the tests from a GGUF file, as `nook convert` does, and keeps it."""

from __future__ import annotations

import hashlib
import tempfile
from importlib.metadata import version
from pathlib import Path

import inglenook_onnx_genai
from inglenook.types import CancelToken, ConversionRequest, ModelFiles
from inglenook_onnx_genai.conversion import convert

__all__ = ["converted_once"]


def converted_once(source: ModelFiles, cache: Path, precision: str = "int4") -> Path:
    """The folder, from an earlier run if there is one that was made in the same way."""
    plugin = Path(inglenook_onnx_genai.__file__).parent
    names = ("block_weights", "decoder_graph", "decoder_weights", "genai_config", "gguf_weights")
    parts = [plugin / f"{name}.py" for name in (*names, "gguf_tokenizer")]
    made_by = hashlib.sha256(b"".join(path.read_bytes() for path in parts)).hexdigest()[:12]
    name = source.files["model"].name[-12:]
    folder = cache / f"{name}-{version('onnxruntime-genai')}-{precision}-{made_by}"
    if (folder / "genai_config.json").is_file():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="making-") as scratch:
        making = Path(scratch, "model")
        making.mkdir()
        list(convert(ConversionRequest(source, making, precision), CancelToken()))
        try:
            making.rename(folder)
        except OSError:
            if not (folder / "genai_config.json").is_file():
                raise  # Else somebody else was faster.
    return folder
