"""Estimates the memory that a model needs, to refuse what cannot fit before it is tried."""

from __future__ import annotations

from inglenook.errors import InglenookError
from inglenook.models.gguf import GgufInfo, read_gguf
from inglenook.types import ModelFiles

__all__ = ["least_memory_bytes"]

_BYTES_OF_A_HALF = 2


def least_memory_bytes(files: ModelFiles, context_length: int, slots: int) -> int:
    """What the weights and the attention cache take at least; 0 if nothing is known.

    Working buffers come on top. The cache is two vectors (key and value, 16 bits a number) for each
    token, layer and key-value head. It is left out of models that keep less than that for
    each token, and of files that do not say their sizes.
    """
    weights = sum(path.stat().st_size for path in files.files.values() if path.is_file())
    if files.format != "gguf":
        return weights
    try:
        info = read_gguf(files.files["model"])
    except (InglenookError, OSError):
        return weights  # Opening it will say what is wrong.
    held = min(context_length, info.context_length or context_length)
    return weights + _cache_bytes_of_a_token(info) * held * slots


def _cache_bytes_of_a_token(info: GgufInfo) -> int:
    def said(name: str) -> int:
        value = info.metadata.get(f"{info.architecture}.{name}")
        return value if isinstance(value, int) else 0

    saves_some = any(
        word in key for key in info.metadata for word in ("sliding_window", ".ssm.", "kv_lora")
    )
    heads = said("attention.head_count")
    if saves_some or not heads:
        return 0
    each = said("embedding_length") // heads
    keys = said("attention.key_length") or each
    values = said("attention.value_length") or each
    of_layer = said("attention.head_count_kv") * (keys + values)
    return said("block_count") * of_layer * _BYTES_OF_A_HALF
