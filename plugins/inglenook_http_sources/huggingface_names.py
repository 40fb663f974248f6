"""Reads `hf.co/ORG/REPO[:QUANT|:FILE]`, and picks from a repository what that means."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from inglenook.errors import ModelNotFoundError, PullError, UserError

__all__ = ["Listed", "Wanted", "embedder_files", "pick_gguf", "read_listing", "wanted"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}")
_QUANT = re.compile(
    r"(?:^|[-._/])((?:UD-)?(?:I?Q\d+(?:_[A-Z0-9]+)*|TQ\d_\d|MXFP4(?:_[A-Z0-9]+)*|BF16|F16|FP16|F32))"
    r"(?=[-./]|$)",
    re.IGNORECASE,
)
_PIECE = re.compile(r"-\d{5}-of-(\d{5})$")
_NO_MODEL = re.compile(r"(^|[-._/])(mmproj|imatrix)", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PREFERRED = "Q4_K_M"
_MOST_FILES = 20_000
_WEIGHTS = ("model.safetensors", "model.onnx", "onnx/model.onnx")
_WEIGHTS_DATA = ("model.onnx_data", "model.onnx.data")
_BESIDE = (
    "README.md",
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
)
_LARGEST_CONFIG = 1 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """A name taken apart; `choice` is a quantisation, a file, or "" for neither."""

    prefix: str
    repository: str
    choice: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of a repository; `sha256` is "" where nobody publishes it."""

    path: str
    size_bytes: int
    sha256: str


def wanted(name: str) -> Wanted:
    """Read a name. Raises `UserError`."""
    prefix, _, rest = name.strip().partition("/")
    repository, _, choice = rest.partition(":")
    parts = repository.split("/")
    if len(parts) != 2 or not all(_NAME.fullmatch(part) for part in parts):
        raise UserError(
            f"'{name[:100]}' does not name a repository.",
            hint="It looks like hf.co/ORG/REPO, hf.co/ORG/REPO:Q4_K_M or hf.co/ORG/REPO:FILE.gguf.",
        )
    return Wanted(prefix, repository, choice)


def read_listing(body: bytes, place: str) -> tuple[Listed, ...]:
    """The files of a page of `/api/models/…/tree/main`. Raises `PullError`."""
    try:
        entries = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _malformed(place) from error
    if not isinstance(entries, list) or len(entries) > _MOST_FILES:
        raise _malformed(place)
    return tuple(_listed(entry, place) for entry in entries if _is_file(entry))


def _is_file(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("type") == "file"


def _listed(entry: dict[str, object], place: str) -> Listed:
    path, size, lfs = entry.get("path"), entry.get("size"), entry.get("lfs")
    oid = lfs.get("oid") if isinstance(lfs, dict) else None
    if isinstance(lfs, dict) and isinstance(lfs.get("size"), int):
        size = lfs["size"]
    if not isinstance(path, str) or not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _malformed(place)
    if any(part in ("", ".", "..") for part in path.split("/")) or not path.isprintable():
        raise _malformed(place)
    known = isinstance(oid, str) and _SHA256.fullmatch(oid.removeprefix("sha256:"))
    return Listed(path, size, str(oid).removeprefix("sha256:") if known else "")


def _malformed(place: str) -> PullError:
    return PullError(
        f"{place} lists the files of the repository in a form that is not understood.",
        hint="Take one file by its address: nook pull https://HOST/…/FILE.gguf",
    )


# --- what is meant --------------------------------------------------------------------------------


def pick_gguf(want: Wanted, files: tuple[Listed, ...]) -> Listed | None:
    """The GGUF file that is meant; None if there is none and none was asked for.

    Raises `ModelNotFoundError` that lists what there is, `PullError` for a model in pieces.
    """
    models = [f for f in files if f.path.lower().endswith(".gguf") and not _NO_MODEL.search(f.path)]
    if not models and not want.choice:
        return None
    found = list(_meant(want.choice, models))
    if not found:
        raise _choose(want, models)
    if len(found) > 1 and not _in_pieces(found):
        raise _choose(want, found)
    return _whole(found, want)


def _meant(choice: str, models: list[Listed]) -> Iterator[Listed]:
    lower = choice.casefold()
    named = [m for m in models if lower in _names_of(m)]
    if named:
        yield from named
    elif choice:
        yield from (m for m in models if quantisation(m.path).casefold() == lower)
    elif len(models) == 1:
        yield from models
    else:
        yield from (m for m in models if quantisation(m.path) == _PREFERRED)


def _names_of(model: Listed) -> set[str]:
    path = model.path.casefold()
    name = path.rpartition("/")[2]
    return {path, name, name.removesuffix(".gguf")}


def _in_pieces(models: list[Listed]) -> bool:
    stems = {_PIECE.sub("", m.path.removesuffix(".gguf")) for m in models}
    return len(stems) == 1 and all(_PIECE.search(m.path.removesuffix(".gguf")) for m in models)


def _whole(found: list[Listed], want: Wanted) -> Listed:
    if match := _PIECE.search(found[0].path.removesuffix(".gguf")):
        raise PullError(
            f"{found[0].path} of {want.repository} is one of {int(match[1])} pieces of a model, "
            "which are not opened.",
            hint="Choose another quantisation, or fetch and join them with: "
            "llama-gguf-split --merge",
        )
    return found[0]


def quantisation(path: str) -> str:
    """Such as `Q4_K_M`, from the name of a file; "" if it does not say."""
    found = _QUANT.findall(path.rpartition("/")[2].removesuffix(".gguf"))
    return str(found[-1]).upper() if found else ""


def _choose(want: Wanted, models: list[Listed]) -> ModelNotFoundError:
    labels = sorted({quantisation(m.path) or m.path.rpartition("/")[2] for m in models})
    ambiguous = len({quantisation(m.path) for m in models}) < len(models)
    if ambiguous and not _in_pieces(models):
        labels = sorted(m.path for m in models)
    several = " several files" if want.choice and len(models) > 1 and ambiguous else ""
    what = f"a file '{want.choice[:60]}'" if want.choice else f"a file of {_PREFERRED}"
    message = (
        f"{want.repository} has{several} for '{want.choice[:60]}'."
        if several and any(want.choice.casefold() in m.path.casefold() for m in models)
        else f"{want.repository} has not {what}."
    )
    shown = ", ".join(labels[:20]) + (", …" if len(labels) > 20 else "")
    return ModelNotFoundError(
        message,
        hint=f"Name one of these behind a colon: {shown}." if labels else "It has no GGUF file.",
    )


def embedder_files(files: tuple[Listed, ...], *, onnx: bool) -> tuple[Listed, ...]:
    """What makes up an embedder, the weights last; () if it is none.

    Args:
        files: All of the repository.
        onnx: Whether the ONNX graph is to be taken where there are safetensors too.
    """
    there = {f.path: f for f in files}
    order = (*_WEIGHTS[1:], _WEIGHTS[0]) if onnx else _WEIGHTS
    weights = next((there[name] for name in order if name in there), None)
    if weights is None or "tokenizer.json" not in there:
        return ()
    beside = [
        f
        for f in files
        if f.path in _BESIDE
        or (
            f.path.endswith("/config.json")
            and f.path.count("/") == 1
            and f.size_bytes <= _LARGEST_CONFIG
        )
    ]
    folder = weights.path.rpartition("/")[0]
    data = [
        there[path]
        for name in _WEIGHTS_DATA
        if (path := f"{folder}/{name}" if folder else name) in there
        and weights.path.endswith(".onnx")
    ]
    return (*beside, *data, weights)
