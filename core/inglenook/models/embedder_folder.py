"""The folder of an embedder, as sentence-transformers or Hugging Face's transformers write it.

What the folder says about itself counts: `modules.json`, the pooling, the longest text, the
prompts. Where it is silent, the habits of the model's family do. What would change the vectors
and cannot be done here is refused in words, not left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inglenook.errors import ModelBrokenError, UserError
from inglenook.models.embedder_prefixes import FamilyHabits, habits_of
from inglenook.models.onnx_layout import data_beside
from inglenook.models.safetensors_layout import check_safetensors
from inglenook.models.storage import file_sha256
from inglenook.types import ModelFiles

__all__ = ["BUILDABLE", "DATA_OF_ONNX", "embedder_from_folder"]

DATA_OF_ONNX = ("model.onnx_data", "model.onnx.data")
"""What the weights of a large ONNX model are called when they lie apart from the graph."""

_LARGEST_JSON_BYTES = 64 * 1024 * 1024
_LARGEST_CARD_BYTES = 64 * 1024
_ONNX_PLACES = ("model.onnx", "onnx/model.onnx")
BUILDABLE = ("bert", "roberta", "xlm-roberta", "mpnet")
"""Kinds of model that are opened from safetensors, faster than from an ONNX export."""
_MOST_BUILDABLE_BYTES = 1_900_000_000
"""An ONNX graph in one file holds no more than two gigabytes."""
_AFTER_LAST_PADDING = ("roberta", "xlm-roberta", "mpnet")
"""Their positions begin behind that of the padding, so the table is longer than a text may be."""
_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "last",
}
_POOLING_MODE = "pooling_mode_"
_PLAIN_MODULES = ("Transformer", "Pooling", "Normalize")
_QUERY_PROMPTS = ("query", "retrieval.query", "search_query", "s2p_query")
_PASSAGE_PROMPTS = ("passage", "document", "retrieval.passage", "search_document", "corpus")
_ONLY_TORCH = ("pytorch_model.bin", "model.pt", "tf_model.h5", "model.safetensors.index.json")
_ONLY_SLOW = ("sentencepiece.bpe.model", "spiece.model", "vocab.txt", "vocab.json")


def embedder_from_folder(folder: Path) -> ModelFiles:
    """The embedder in a folder, its headers checked.

    It holds `tokenizer.json` and `model.safetensors` with `config.json`, or `model.onnx` (or
    `onnx/model.onnx`). `digest` is the sha256 of the weights.

    Raises:
        UserError: It is none, or of a kind that cannot be used.
        ModelBrokenError: It is one and is damaged.
    """
    modules = _modules(folder)
    root = folder / modules.transformer
    config = _optional(root / "config.json")
    onnx, weights = _weights(folder, root, config)
    tokenizer = _tokenizer(folder, root)
    files = {weights.name: weights, "tokenizer.json": tokenizer}
    digest_of = weights
    if onnx:
        for data in data_beside(weights, DATA_OF_ONNX):
            files[data.name] = digest_of = data
    else:
        check_safetensors(weights)
        files["config.json"] = root / "config.json"
    return ModelFiles(
        reference=str(folder),
        format="sentence-onnx" if onnx else "sentence-safetensors",
        files=files,
        digest=file_sha256(digest_of),
        details=_details(folder, root, modules, config),
    )


# --- the files ------------------------------------------------------------------------------------


def _weights(folder: Path, root: Path, config: Mapping[str, Any]) -> tuple[bool, Path]:
    """Whether it is ONNX, and the file."""
    places = [base / place for base in (root, folder) for place in _ONNX_PLACES]
    onnx = next((path for path in places if path.is_file()), None)
    plain = root / "model.safetensors"
    if plain.is_file() and (onnx is None or _is_buildable(plain, config)):
        if not config:
            raise UserError(
                f"{folder} is not an embedder's folder: config.json is missing.",
                hint="Copy it from where the model came from.",
            )
        return False, plain
    if onnx is not None:
        return True, onnx
    other = next((name for name in _ONLY_TORCH if (root / name).is_file()), "")
    raise UserError(
        f"{folder} is not an embedder's folder: model.safetensors or model.onnx is missing.",
        hint=f"It has {other}, which is not opened: save the model as one model.safetensors."
        if other
        else "It needs tokenizer.json and model.safetensors with config.json, or model.onnx.",
    )


def _is_buildable(weights: Path, config: Mapping[str, Any]) -> bool:
    return config.get("model_type") in BUILDABLE and weights.stat().st_size <= _MOST_BUILDABLE_BYTES


def _tokenizer(folder: Path, root: Path) -> Path:
    for path in (root / "tokenizer.json", folder / "tokenizer.json"):
        if path.is_file():
            _json(path)
            return path
    slow = next((name for name in _ONLY_SLOW if (root / name).is_file()), "")
    raise UserError(
        f"{folder} is not an embedder's folder: tokenizer.json is missing.",
        hint=f"It has {slow}, the older form: save the tokenizer anew with transformers'"
        " AutoTokenizer."
        if slow
        else "It needs tokenizer.json beside the model.",
    )


# --- what the folder says -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Modules:
    """Where the parts of a sentence-transformers model lie; "" is the folder itself."""

    transformer: str = ""
    pooling: str = "1_Pooling"


def _modules(folder: Path) -> _Modules:
    """Read `modules.json`. Raises `UserError` for a part that cannot be computed here."""
    path = folder / "modules.json"
    if not path.is_file():
        if _optional(folder / "config.json").get("model_type") in ("clip", "siglip"):
            raise _unsupported(folder, "it is a CLIP model, for pictures")
        return _Modules()
    entries = _json_value(path)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _damaged(path, "it is not a list of modules")
    places: dict[str, str] = {}
    for entry in entries:
        kind = str(entry.get("type", "")).rpartition(".")[2]
        if kind not in _PLAIN_MODULES:
            what = f"{entry.get('path') or entry.get('name')} ({kind})"
            raise _unsupported(folder, f"its module {what} is none of {', '.join(_PLAIN_MODULES)}")
        place = str(entry.get("path", ""))
        if Path(place).is_absolute() or ".." in Path(place).parts:
            raise _damaged(path, f"the module path {place} leads out of the folder")
        places[kind] = place
    return _Modules(places.get("Transformer", ""), places.get("Pooling", "1_Pooling"))


def _details(
    folder: Path, root: Path, modules: _Modules, config: Mapping[str, Any]
) -> dict[str, Any]:
    habits = habits_of(folder.resolve().name, str(config.get("_name_or_path", "")))
    query, passage = _prompts(folder, habits)
    return {
        "pooling": _pooling(folder, modules, habits),
        "max_tokens": _longest(folder, root, config),
        "query_prefix": query,
        "passage_prefix": passage,
        "languages": _languages(folder) or list(habits.languages),
        "family": str(config.get("model_type", "")),
    }


def _pooling(folder: Path, modules: _Modules, habits: FamilyHabits) -> str:
    pooling = _optional(folder / modules.pooling / "config.json")
    if pooling.get("include_prompt") is False:
        raise _unsupported(folder, "its pooling leaves the prompt out (include_prompt)")
    modes = [key for key, on in pooling.items() if key.startswith(_POOLING_MODE) and on is True]
    unknown = [key for key in modes if key not in _POOLINGS]
    if len(modes) > 1:
        names = ", ".join(_POOLINGS.get(key, key.removeprefix(_POOLING_MODE)) for key in modes)
        raise ModelBrokenError(
            f"{folder} joins several poolings ({names}), which is not supported.",
            hint="Use a model with one of cls, mean, max or last.",
        )
    if unknown:
        raise _unsupported(folder, f"its pooling is {unknown[0].removeprefix(_POOLING_MODE)}")
    named = pooling.get("pooling_mode")  # As newer versions write it.
    if isinstance(named, str) and not modes:
        return "last" if named == "lasttoken" else named
    return _POOLINGS[modes[0]] if modes else habits.pooling


def _longest(folder: Path, root: Path, config: Mapping[str, Any]) -> int:
    """The most tokens of a text, begin and end tokens included."""
    table = config.get("max_position_embeddings")
    if isinstance(table, int) and config.get("model_type") in _AFTER_LAST_PADDING:
        padding = config.get("pad_token_id", 1)
        table -= padding + 1 if isinstance(padding, int) else 2
    sentence = _optional(root / "sentence_bert_config.json")
    sentence = sentence or _optional(folder / "sentence_bert_config.json")
    stated = sentence.get("max_seq_length")
    limits = [n for n in (table, stated) if isinstance(n, int) and n > 0]
    return min(limits, default=512)


def _prompts(folder: Path, habits: FamilyHabits) -> tuple[str, str]:
    """What goes before a question and before a passage.

    sentence-transformers writes empty prompts where nobody set any, so empty ones say nothing.
    """
    config = _optional(folder / "config_sentence_transformers.json")
    prompts = config.get("prompts")
    prompts = {k: v for k, v in prompts.items() if v} if isinstance(prompts, dict) else {}
    if not prompts:
        return habits.query_prefix, habits.passage_prefix
    usual = str(prompts.get(str(config.get("default_prompt_name")), ""))
    query = next((str(prompts[key]) for key in _QUERY_PROMPTS if key in prompts), usual)
    passage = next((str(prompts[key]) for key in _PASSAGE_PROMPTS if key in prompts), usual)
    return query, passage


def _languages(folder: Path) -> list[str]:
    """The languages that the model's card names at its top; [] for many, or none named."""
    card = folder / "README.md"
    if not card.is_file():
        return []
    with card.open("rb") as file:
        text = file.read(_LARGEST_CARD_BYTES).decode("utf-8", "replace")
    head = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    found = re.search(
        r"^language:[ \t]*(?:\[([^\]]*)\]|(\S+)|((?:\n[ \t]*-[ \t]*\S+)+))",
        head[1] if head else "",
        re.MULTILINE,
    )
    if found is None:
        return []
    codes = re.findall(r"[A-Za-z]+", found[1] or found[2] or found[3])
    known = [code.lower() for code in codes if len(code) == 2]
    # "multilingual" and its like stand for more than is listed.
    return known if len(known) == len(codes) else []


# --- whether the files are whole ------------------------------------------------------------------


def _optional(path: Path) -> dict[str, Any]:
    return _json(path) if path.is_file() else {}


def _json(path: Path) -> dict[str, Any]:
    content = _json_value(path)
    if not isinstance(content, dict):
        raise _damaged(path, "it is not a JSON object")
    return content


def _json_value(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_LARGEST_JSON_BYTES))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON ({error})") from error


def _damaged(path: Path, wrong: str) -> ModelBrokenError:
    return ModelBrokenError(f"{path} cannot be used: {wrong}.", hint="Copy the file anew.")


def _unsupported(folder: Path, why: str) -> UserError:
    return UserError(
        f"{folder} cannot be used as an embedder: {why}.",
        hint="The library can use it: EMBEDDER sentence-transformers model=FOLDER, after"
        " pip install 'inglenook[sentence-transformers]'.",
    )
