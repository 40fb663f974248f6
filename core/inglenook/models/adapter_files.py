"""Checks LoRA files before native code reads them, and names them for what depends on them.

Format: GGUF with `general.type` `adapter`, as llama.cpp's `convert_lora_to_gguf.py` writes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from inglenook.errors import ModelError, UserError
from inglenook.models.gguf import GgufInfo, read_gguf
from inglenook.models.storage import file_sha256

__all__ = ["adapter_digests", "require_adapters"]

_HOW = "Convert it with llama.cpp's convert_lora_to_gguf.py."


def require_adapters(paths: Iterable[Path], model: GgufInfo, reference: str) -> None:
    """Look at the header of each LoRA file.

    Args:
        paths: The files.
        model: The header of the model that they are for.
        reference: What the model goes by.

    Raises:
        UserError: A file is not there, or is none that can be used.
        ModelBrokenError: It is damaged.
        ModelError: It is for another kind of model.
    """
    for path in paths:
        _require_readable(path)
        info = read_gguf(path)
        kind = str(info.metadata.get("general.type", ""))
        if kind != "adapter":
            what = f"a GGUF file of the type '{kind}'" if kind else "a GGUF file, perhaps a model"
            raise UserError(
                f"ADAPTER {path} is no LoRA file: it is {what}.",
                hint="FROM names the model, ADAPTER a LoRA file for it.",
            )
        method = str(info.metadata.get("adapter.type", ""))
        if method != "lora":
            raise UserError(
                f"ADAPTER {path} is of the type '{method}'; only LoRA can be used.", hint=_HOW
            )
        if info.architecture != model.architecture:
            raise ModelError(
                f"ADAPTER {path} was made for {info.architecture or 'an unnamed kind of'} models; "
                f"{reference} is {model.architecture}.",
                hint="Take the one that was made for this model, or remove the ADAPTER line.",
            )


def adapter_digests(paths: Iterable[Path]) -> tuple[str, ...]:
    """The sha256 of each file: what was computed with one is worth nothing with another."""
    return tuple(file_sha256(path) for path in paths)


def _require_readable(path: Path) -> None:
    if not path.exists():
        raise UserError(f"There is no LoRA file at {path}.", hint="Check the path after ADAPTER.")
    if not path.is_file():
        raise UserError(f"ADAPTER {path} is no file.", hint=f"Name a .gguf file. {_HOW}")
    if path.suffix.lower() in (".safetensors", ".bin"):
        raise UserError(f"ADAPTER {path} is no GGUF file.", hint=_HOW)
