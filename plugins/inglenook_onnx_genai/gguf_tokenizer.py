"""Writes a tokenizer's files from what a GGUF file says of it.

It knows byte-level BPE with the rules of SmolLM2 and Qwen2, which say how text is cut before pairs
of bytes are joined.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inglenook.errors import ModelBrokenError, UserError
from inglenook.models.gguf import GgufContents

__all__ = ["write_tokenizer"]

_CONTROL = 3
_USER_DEFINED = 4
_QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_RULES = ("smollm", "qwen2")


def write_tokenizer(contents: GgufContents, folder: Path, name: str) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json`.

    Raises `UserError` for a kind of tokenizer that is not known, `ModelBrokenError`.
    """
    kind, rule = contents.info.tokenizer, str(contents.value("tokenizer.ggml.pre") or "")
    if kind != "gpt2" or rule not in _RULES:
        raise UserError(
            f"{name} has a tokenizer that cannot be converted ({kind or 'none'}"
            f"{f', {rule}' if rule else ''}).",
            hint=f"Known are byte-level ones of the kinds {' and '.join(_RULES)}.",
        )
    tokens, kinds = _list(contents, "tokens", name), _list(contents, "token_type", name)
    if len(tokens) != len(kinds):
        raise ModelBrokenError(
            f"{name} cannot be converted: it has {len(tokens):,} tokens and {len(kinds):,} kinds"
            " of them.",
            hint="Fetch the model again, or copy the file anew.",
        )
    _write(folder / "tokenizer.json", _tokenizer(contents, tokens, kinds, name, rule))
    _write(folder / "tokenizer_config.json", _config(contents, tokens))


def _list(contents: GgufContents, key: str, name: str) -> list[Any]:
    value = contents.value(f"tokenizer.ggml.{key}")
    if not isinstance(value, list):
        raise ModelBrokenError(
            f"{name} cannot be converted: it does not list its tokenizer's {key}.",
            hint="Fetch the model again, or copy the file anew.",
        )
    return value


def _tokenizer(
    contents: GgufContents, tokens: list[Any], kinds: list[Any], name: str, rule: str
) -> Mapping[str, Any]:
    added = [
        {
            "id": id,
            "content": token,
            "special": kind == _CONTROL,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
        }
        for id, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind in (_CONTROL, _USER_DEFINED)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": _cuts(rule)},
        "post_processor": None,
        "decoder": _byte_level(use_regex=True),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {token: id for id, token in enumerate(tokens)},
            "merges": _list(contents, "merges", name),
        },
    }


def _cuts(rule: str) -> list[Mapping[str, Any]]:
    if rule == "smollm":
        return [{"type": "Digits", "individual_digits": True}, _byte_level(use_regex=True)]
    words = {"type": "Split", "pattern": {"Regex": _QWEN_WORDS}, "behavior": "Isolated"}
    return [words | {"invert": False}, _byte_level(use_regex=False)]


def _byte_level(*, use_regex: bool) -> dict[str, Any]:
    options = {"add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}
    return {"type": "ByteLevel", **options}


def _config(contents: GgufContents, tokens: list[Any]) -> Mapping[str, Any]:
    info = contents.info
    padding = contents.value("tokenizer.ggml.padding_token_id")
    ids = {"bos_token": info.bos_id, "eos_token": info.eos_id, "pad_token": padding}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": bool(info.add_bos),
        "chat_template": info.chat_template,
        "model_max_length": info.context_length,
        "clean_up_tokenization_spaces": False,
        **{
            name: tokens[id]
            for name, id in ids.items()
            if isinstance(id, int) and 0 <= id < len(tokens)
        },
    }


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
