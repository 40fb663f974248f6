"""The folder of a language model as Hugging Face's transformers saves it, to be converted.

`config.json` says what it is, the weights lie in one or several safetensors files. Their headers
are checked here; nothing is imported, and no code of the folder is ever run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inglenook.errors import ModelBrokenError, UserError
from inglenook.models.safetensors_layout import check_safetensors
from inglenook.types import ModelFiles

__all__ = [
    "FORMAT",
    "StoredTensor",
    "is_transformers_folder",
    "read_json",
    "stored_tensors",
    "transformers_from_folder",
]

FORMAT = "transformers"
_CONFIG, _INDEX, _SINGLE = "config.json", "model.safetensors.index.json", "model.safetensors"
_LARGEST_JSON_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor lies: `kind` is `F32`, `F16`, `BF16`, …; the offset counts from the start."""

    path: Path
    kind: str
    shape: tuple[int, ...]
    offset: int
    size_bytes: int


def is_transformers_folder(folder: Path) -> bool:
    """Whether a folder is that of a language model that writes text."""
    if not (folder / _CONFIG).is_file():
        return False
    try:
        classes = read_json(folder / _CONFIG).get("architectures")
    except ModelBrokenError:
        return False
    return isinstance(classes, list) and any("CausalLM" in str(name) for name in classes)


def transformers_from_folder(folder: Path) -> ModelFiles:
    """The model in a folder. Raises `UserError` if a file is missing, `ModelBrokenError`."""
    config = read_json(folder / _CONFIG)
    files = {_CONFIG: folder / _CONFIG}
    for name in _weights(folder):
        if Path(name).name != name:
            raise _damaged(folder / _INDEX, f"it names a file outside the folder ({name!r})")
        path = files[name] = folder / name
        if not path.is_file():
            raise UserError(
                f"{folder} is not a whole model: {name} is missing.",
                hint="Copy it from where the model came from.",
            )
        check_safetensors(path)
    if not (folder / "tokenizer.json").is_file():
        raise UserError(
            f"{folder} is not a whole model: tokenizer.json is missing.",
            hint="Copy it from where the model came from.",
        )
    files["tokenizer.json"] = folder / "tokenizer.json"
    family = str(config.get("model_type", ""))
    return ModelFiles(str(folder), FORMAT, files, details={"family": family})


def stored_tensors(model: ModelFiles) -> dict[str, StoredTensor]:
    """The tensors of all files by name. Raises `ModelBrokenError`."""
    found: dict[str, StoredTensor] = {}
    for name, path in model.files.items():
        if name.endswith(".safetensors"):
            found |= _tensors(path)
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of the folder. Raises `ModelBrokenError`."""
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_LARGEST_JSON_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, f"it cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise _damaged(path, "it is not a JSON object")
    return content


def _weights(folder: Path) -> tuple[str, ...]:
    if (folder / _SINGLE).is_file() or not (folder / _INDEX).is_file():
        return (_SINGLE,)
    names = read_json(folder / _INDEX).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise _damaged(folder / _INDEX, "it names no files")
    return tuple(sorted({str(name) for name in names.values()}))


def _tensors(path: Path) -> Mapping[str, StoredTensor]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(length))
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        shape = tuple(int(size) for size in entry["shape"])
        if any(size < 1 for size in shape) or math.prod(shape) < 1:
            raise _damaged(path, f"the tensor {name[:80]!r} is empty")
        place = 8 + length + int(begin)
        found[name] = StoredTensor(path, str(entry["dtype"]), shape, place, int(end) - int(begin))
    return found


def _damaged(path: Path, wrong: str) -> ModelBrokenError:
    return ModelBrokenError(f"{path} cannot be used: {wrong}.", hint="Copy the file anew.")
