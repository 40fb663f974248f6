"""A cross-encoder that a user points at: the folder of a sequence classifier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inglenook.errors import ModelBrokenError, UserError
from inglenook.models.onnx_layout import data_beside
from inglenook.models.safetensors_layout import check_safetensors
from inglenook.models.storage import file_sha256
from inglenook.types import ModelFiles

__all__ = ["classifier_files"]

_ONNX_PLACES = ("model.onnx", "onnx/model.onnx")
_DATA_OF_ONNX = ("model.onnx_data", "model.onnx.data")
_LARGEST_JSON_BYTES = 64 * 1024 * 1024
_NEEDS = "It needs tokenizer.json, config.json, and model.onnx or model.safetensors."
_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet")
"""Families whose positions start after the padding token's id."""


def classifier_files(folder: Path) -> ModelFiles:
    """The cross-encoder in a folder, as Hugging Face or sentence-transformers writes it.

    The format is `cross-encoder-onnx` if there is an export (`model.onnx` or `onnx/model.onnx`),
    else `cross-encoder-safetensors`. `details["max_tokens"]` is what the model takes.

    Raises:
        UserError: Nothing is there, or it is something else.
        ModelBrokenError: A file of it is damaged.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise UserError(f"There is no model at {folder}.", hint="Check the path after model=.")
    onnx = next((folder / p for p in _ONNX_PLACES if (folder / p).is_file()), None)
    weights = onnx or folder / "model.safetensors"
    wanted = {name: folder / name for name in ("tokenizer.json", "config.json")}
    wanted[weights.name] = weights
    missing = [name for name, path in wanted.items() if not path.is_file()]
    if missing:
        raise UserError(
            f"{folder} is not a cross-encoder's folder: {missing[0]} is missing.", hint=_NEEDS
        )
    data: Path | None = None
    if onnx is None:
        check_safetensors(weights)
    else:
        # A large export keeps its weights beside it.
        for data in data_beside(onnx, _DATA_OF_ONNX):
            wanted[data.name] = data
    config = _json(wanted["config.json"])
    _refuse_other_tasks(config, folder)
    return ModelFiles(
        reference=str(folder),
        format="cross-encoder-onnx" if onnx else "cross-encoder-safetensors",
        files=wanted,
        digest=file_sha256(data or weights),
        details={"max_tokens": _max_tokens(config, folder), "family": config.get("model_type", "")},
    )


def _refuse_other_tasks(config: dict[str, Any], folder: Path) -> None:
    named = [str(name) for name in config.get("architectures") or ()]
    if named and not any(name.endswith("ForSequenceClassification") for name in named):
        raise UserError(
            f"{folder} holds a {named[0]}, which is no cross-encoder.",
            hint="A reranker is a ...ForSequenceClassification. An embedder goes after EMBEDDER.",
        )


def _max_tokens(config: dict[str, Any], folder: Path) -> int:
    positions = config.get("max_position_embeddings")
    limit = positions if isinstance(positions, int) else 512
    if config.get("model_type") in _OFFSET_POSITIONS:
        limit -= int(config.get("pad_token_id", 1)) + 1
    tokenizer = folder / "tokenizer_config.json"
    stated = _json(tokenizer).get("model_max_length") if tokenizer.is_file() else None
    # Tokenizers without a limit state a huge number, some of them as a float.
    return min(limit, int(stated)) if isinstance(stated, int | float) else limit


def _json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_LARGEST_JSON_BYTES))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise _damaged(path, "it is not a JSON object")
    return content


def _damaged(path: Path, wrong: str) -> ModelBrokenError:
    return ModelBrokenError(f"{path} cannot be used: {wrong}.", hint="Copy the folder anew.")
