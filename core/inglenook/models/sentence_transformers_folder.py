"""A sentence-transformers folder as it is, for the library itself to open.

`embedder_folder` takes such a folder apart for embedders that compute it without that library;
this is for the models that they cannot open.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from inglenook.errors import UserError
from inglenook.models.storage import file_sha256
from inglenook.types import ModelFiles

__all__ = ["sentence_transformers_files"]

_SMALL = (".json", ".jinja", ".model", ".txt")
_WEIGHTS = (".safetensors", ".bin")
_OTHER_EXPORTS = ("onnx", "openvino")


def sentence_transformers_files(folder: Path) -> ModelFiles:
    """Every file of the folder that says how the model works, by its path in the folder.

    The format is `sentence-transformers`; `digest` covers all of them. A pickle of the transformer
    itself (`pytorch_model.bin`) is left out: it would run code.

    Raises:
        UserError: It is no such folder, or its weights are not safetensors.
    """
    folder = folder.expanduser()
    if not (folder / "modules.json").is_file():
        raise UserError(
            f"{folder} is not a sentence-transformers folder: modules.json is missing.",
            hint="Save the model with SentenceTransformer(...).save_pretrained(folder).",
        )
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and _belongs(path.relative_to(folder))
    }
    weights = [path for path in files.values() if path.suffix in _WEIGHTS]
    if not weights:
        raise UserError(
            f"{folder} has no weights that can be opened: there is no .safetensors file.",
            hint="Save the model anew with save_pretrained, which writes safetensors.",
        )
    digests = "\n".join(f"{name} {file_sha256(path)}" for name, path in files.items())
    return ModelFiles(
        reference=str(folder),
        format="sentence-transformers",
        files=files,
        digest=hashlib.sha256(digests.encode()).hexdigest(),
    )


def _belongs(path: Path) -> bool:
    if any(part.startswith(".") for part in path.parts) or path.parts[0] in _OTHER_EXPORTS:
        return False
    if path.suffix == ".bin":
        # A later module's; the library reads these as plain tensors.
        return len(path.parts) > 1
    return path.suffix in (*_SMALL, *_WEIGHTS)
