"""Lays a model's files out as the folder that sentence-transformers opens.

A model of the format `sentence-transformers` is such a folder already, or it was taken apart into
the library's blobs; one of the format `sentence-safetensors` is weights and tokenizer, and what
says how to use them is written beside them here.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inglenook.errors import ModelBrokenError, ModelError
from inglenook.types import ModelFiles

__all__ = ["model_folder"]

_OWN_MODULES = "sentence_transformers."
_POOLINGS = {
    "mean": "pooling_mode_mean_tokens",
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "last": "pooling_mode_lasttoken",
}


@contextmanager
def model_folder(files: ModelFiles) -> Iterator[Path]:
    """The folder, for as long as the model is loaded.

    Raises `ModelBrokenError` for a file that is missing or malformed, and `ModelError` for a model
    that names code of its own: a model is data, and nothing of it is run.
    """
    missing = [name for name, path in files.files.items() if not path.is_file()]
    if missing:
        raise ModelBrokenError(
            f"{files.reference}: {missing[0]} is missing.", hint="Copy the folder anew."
        )
    home = _home(files)
    if home is not None:
        _refuse_foreign_code(home, files.reference)
        yield home
        return
    with tempfile.TemporaryDirectory(prefix="inglenook-model-") as name:
        folder = Path(name)
        for file, path in files.files.items():
            _place(folder / file, path)
        if "modules.json" not in files.files:
            _describe(folder, files)
        _refuse_foreign_code(folder, files.reference)
        yield folder


def _home(files: ModelFiles) -> Path | None:
    """The folder in which every file has its own name already, if it is whole there."""
    index = files.files.get("modules.json")
    if index is None:
        return None
    at_home = all(path == index.parent / name for name, path in files.files.items())
    return index.parent if at_home else None


def _place(target: Path, source: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.symlink_to(source.resolve())
    except OSError:  # Windows lets only some users make links.
        shutil.copyfile(source, target)


def _describe(folder: Path, files: ModelFiles) -> None:
    """Write pooling, length and prefixes as sentence-transformers keeps them (its version 5)."""
    details = files.details
    kind = str(details.get("pooling", "mean"))
    if kind not in _POOLINGS:
        raise ModelError(
            f"{files.reference}: pooling {kind!r} is not known.",
            hint=f"Known are: {', '.join(_POOLINGS)}.",
        )
    config = _json(folder / "config.json", files.reference)
    _write(
        folder / "modules.json",
        [
            _module(0, "", "Transformer"),
            _module(1, "1_Pooling", "Pooling"),
            _module(2, "2_Normalize", "Normalize"),
        ],
    )
    _write(
        folder / "1_Pooling" / "config.json",
        {
            "word_embedding_dimension": config.get("hidden_size"),
            **{key: name == kind for name, key in _POOLINGS.items()},
        },
    )
    _write(
        folder / "sentence_bert_config.json",
        {"max_seq_length": int(details.get("max_tokens", 256)), "do_lower_case": False},
    )
    prompts = {
        "query": str(details.get("query_prefix", "")),
        "document": str(details.get("passage_prefix", "")),
    }
    _write(folder / "config_sentence_transformers.json", {"prompts": prompts})


def _module(number: int, path: str, kind: str) -> dict[str, Any]:
    name = f"sentence_transformers.models.{kind}"
    return {"idx": number, "name": str(number), "path": path, "type": name}


def _refuse_foreign_code(folder: Path, reference: str) -> None:
    modules = _json(folder / "modules.json", reference)
    for module in modules if isinstance(modules, list) else ():
        kind = str(module.get("type")) if isinstance(module, Mapping) else "nothing"
        if not kind.startswith(_OWN_MODULES):
            raise ModelError(
                f"{reference} wants to run code of its own ({kind}), which is not allowed.",
                hint="Choose a model that is made of the library's own modules.",
            )


def _json(path: Path, reference: str) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelBrokenError(
            f"{reference}: {path.name} cannot be read ({error}).", hint="Copy the folder anew."
        ) from error


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")
