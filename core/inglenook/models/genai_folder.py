"""The folder of a language model for ONNX Runtime GenAI, as its model builder or Olive writes it.

`genai_config.json` names the graphs and says how the model is run; the tokenizer's files say how
it is spoken to. What the folder says is checked before native code sees any of it. Nothing in it
may make that code load a library, or write a file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from inglenook.errors import ModelBrokenError, UserError
from inglenook.models.onnx_layout import external_data
from inglenook.types import ModelFiles

__all__ = [
    "BESIDE_TOKENIZER",
    "CONFIG",
    "FORMAT",
    "GenaiInfo",
    "GenaiTokens",
    "genai_from_folder",
    "is_genai_folder",
    "read_genai_config",
    "read_genai_tokens",
]

FORMAT = "onnx-genai"
CONFIG = "genai_config.json"
TOKENIZER = "tokenizer.json"
BESIDE_TOKENIZER = ("tokenizer_config.json", "chat_template.jinja", "chat_template.json")
"""What may say more of how it is spoken to."""

_LARGEST_CONFIG_BYTES = 4 * 1024 * 1024
_LARGEST_TOKENIZER_BYTES = 256 * 1024 * 1024
_OTHER_SENSES = {"vision": "pictures", "speech": "speech", "encoder": "speech"}
_LOADS_OR_WRITES = (
    "custom_ops_library",
    "enable_profiling",
    "library_path",
    "context_file_path",
    "load_config",
    "user_compute_stream",
)
"""Settings by which a folder would run code of its own or write files; refused everywhere."""
_CALLS = re.compile(r"^gpu_external_", re.IGNORECASE)
"""Settings of a provider whose value is an address that native code calls."""
_BY_NAME_ONLY = re.compile(r"path|library|folder|file|(^|_)dir($|_)|directory", re.IGNORECASE)
_PLAIN_NAMES = ("filename", "config_filename")
_LONGEST_SHOWN = 120
_SAMPLED_BYTES = 64 * 1024
_SAMPLES = 64
_WHOLE_BYTES = 8 * 1024 * 1024
_LOOKS_LIKE_CONTROL = re.compile(r"<\|.*\|>|<｜.*｜>|<[^\s<>]+>|\[/?[A-Z_]+\]", re.DOTALL)
"""What is taken for a control token although the tokenizer does not say so; GGUF files likewise."""


@dataclass(frozen=True, slots=True)
class GenaiInfo:
    """What `genai_config.json` says.

    Args:
        family: Such as `llama` or `qwen2`.
        context_length: Tokens that the model was trained for.
        vocabulary: How many ids it can give.
        window: Tokens of its sliding window; 0 for none.
        bos_id: The token that begins a prompt; None if not said.
        eos_ids: The tokens that end an answer.
        providers: What it was made to run on, with their settings; () is the processor.
        graphs: The names of its ONNX files.
    """

    family: str
    context_length: int
    vocabulary: int
    window: int
    bos_id: int | None
    eos_ids: tuple[int, ...]
    providers: tuple[tuple[str, Mapping[str, str]], ...]
    graphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GenaiTokens:
    """What the tokenizer's files say of a chat; the fields are those of `RuntimeInfo`.

    `tokenizer` is the content of `tokenizer.json`, in which each of the `control_tokens` is marked
    as special.
    """

    chat_template: str
    bos: str
    eos: str
    add_bos: bool
    control_tokens: tuple[str, ...]
    tokenizer: str


def is_genai_folder(folder: Path) -> bool:
    """Whether a folder means to be such a model. Raises `UserError` if its config alone is gone."""
    if (folder / CONFIG).is_file():
        return True
    if (folder / "model.onnx").is_file() and (folder / "chat_template.jinja").is_file():
        raise UserError(
            f"{folder} looks like a language model, but {CONFIG} is missing.",
            hint="Copy it from where the model came from, or build the folder anew.",
        )
    return False


def genai_from_folder(folder: Path) -> ModelFiles:
    """The model in a folder, its headers and sizes checked.

    `digest` covers the config, small graphs, and 64 samples of the weights besides both ends.

    Raises:
        UserError: It is of a kind that cannot be used, or a file is missing.
        ModelBrokenError: It is damaged.
    """
    info = read_genai_config(folder)
    files = {CONFIG: folder / CONFIG}
    for name in info.graphs:
        graph = files[name] = _graph(folder, name)
        for data, needed in external_data(graph).items():
            files[_beside(name, data)] = _data(graph, data, needed)
    files[TOKENIZER] = _tokenizer_path(folder)
    return ModelFiles(
        reference=str(folder),
        format=FORMAT,
        files=files,
        digest=_digest(files),
        details={"family": info.family, "context_length": info.context_length},
    )


# --- genai_config.json ----------------------------------------------------------------------------


def read_genai_config(folder: Path) -> GenaiInfo:
    """Read and check the config. Raises `UserError`, `ModelBrokenError`."""
    path = folder / CONFIG
    content = _json(path, _LARGEST_CONFIG_BYTES, _said_once)
    model = _object(content, "model", path)
    for key, what in _OTHER_SENSES.items():
        if key in model:
            raise UserError(
                f"{folder} cannot be opened: the model takes {what}, and only models that take"
                " text alone are run.",
                hint="Use the text model of its family.",
            )
    _refuse_reach(path, content)
    decoder = _object(model, "decoder", path)
    graphs = tuple(dict.fromkeys(_graph_names(model)))
    if not graphs:
        raise _damaged(path, "it names no ONNX file (model.decoder.filename)")
    window = decoder.get("sliding_window")
    session = decoder.get("session_options")
    return GenaiInfo(
        family=str(model.get("type", "")),
        context_length=_count(model, "context_length", path),
        vocabulary=_count(model, "vocab_size", path),
        window=_window(window, path) if isinstance(window, dict) else 0,
        bos_id=None if model.get("bos_token_id") is None else _ids(model, "bos_token_id", path)[0],
        eos_ids=_ids(model, "eos_token_id", path),
        providers=tuple(_providers(session if isinstance(session, dict) else {}, path)),
        graphs=graphs,
    )


def _graph_names(content: Any) -> Iterator[str]:
    """Every `filename` in a config, its parts in their order."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key == "filename" and isinstance(value, str):
                yield value
            else:
                yield from _graph_names(value)
    elif isinstance(content, list):
        for value in content:
            yield from _graph_names(value)


def _refuse_reach(path: Path, content: Any) -> None:
    """Raise `UserError` for a setting that leads native code to something outside the graphs."""
    for key, value in _settings(content):
        last = key.rpartition(".")[2]
        loads = last.lower() in _LOADS_OR_WRITES or bool(_CALLS.search(last))
        loads = loads and value not in (None, "", False)
        places = isinstance(value, str) and bool(_BY_NAME_ONLY.search(last))
        if loads or (places and key not in _PLAIN_NAMES and not _is_library_name(path, value)):
            raise UserError(
                f"{path} sets {key}, by which a model could load code of its own or write files.",
                hint="Remove that line, if the model works without it.",
            )


def _settings(content: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, however deep."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield key, value
            yield from _settings(value)
    elif isinstance(content, list):
        for value in content:
            yield from _settings(value)


def _is_library_name(path: Path, value: str) -> bool:
    """Whether it names a part of the installation, such as QnnHtp.dll, and no file of the model."""
    return not value or (
        Path(value).name == value and "\\" not in value and not (path.parent / value).exists()
    )


def _providers(session: Mapping[str, Any], path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    entries = session.get("provider_options") or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _damaged(path, "provider_options is not a list of objects")
    for entry in entries:
        for name, options in entry.items():
            given = options if isinstance(options, dict) else {}
            yield name, {key: str(value) for key, value in given.items() if value is not None}


def _window(window: Mapping[str, Any], path: Path) -> int:
    value = window.get("window_size") or 0
    if isinstance(value, bool) or not isinstance(value, int) or value >= 1 << 31:
        raise _damaged(path, f"sliding_window.window_size must be a whole number, not {value!r}")
    return max(0, value)


def _count(model: Mapping[str, Any], key: str, path: Path) -> int:
    value = model.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 31:
        raise _damaged(path, f"model.{key} must be a positive whole number, not {value!r}")
    return value


def _ids(model: Mapping[str, Any], key: str, path: Path) -> tuple[int, ...]:
    value = model.get(key)
    ids = value if isinstance(value, list) else [value]
    if not ids or any(isinstance(id, bool) or not isinstance(id, int) for id in ids):
        raise _damaged(path, f"model.{key} must be a token id or a list of them, not {value!r}")
    return tuple(ids)


# --- the files ------------------------------------------------------------------------------------


def _graph(folder: Path, name: str) -> Path:
    _stay_inside(folder / CONFIG, name)
    path = folder / name
    if not _is_file(path):
        raise UserError(
            f"{folder} is not a whole model: {_cut(name)} is missing, which {CONFIG} names.",
            hint="Copy it from where the model came from.",
        )
    return path


def _data(graph: Path, name: str, needed: int) -> Path:
    _stay_inside(graph, name)
    path = graph.parent / name
    if not _is_file(path):
        raise UserError(
            f"{graph.parent} is not a whole model: {_cut(name)} is missing, which holds the"
            f" weights of {graph.name}.",
            hint="Copy it from where the model came from.",
        )
    size = path.stat().st_size
    if size < needed:
        raise _damaged(path, f"truncated: {graph.name} needs {needed:,} bytes of it, has {size:,}")
    return path


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}…"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # No disk has names so long.


def _tokenizer_path(folder: Path) -> Path:
    path = folder / TOKENIZER
    if not path.is_file():
        raise UserError(
            f"{folder} is not a whole model: {TOKENIZER} is missing.",
            hint="Copy it from where the model came from.",
        )
    if not 0 < path.stat().st_size <= _LARGEST_TOKENIZER_BYTES:
        raise _damaged(path, f"a tokenizer does not have {path.stat().st_size:,} bytes")
    return path


def _beside(graph: str, data: str) -> str:
    """The name of a data file, relative to the model's folder."""
    return str(PurePosixPath(graph).parent / data)


def _stay_inside(source: Path, name: str) -> None:
    parts = PureWindowsPath(name)
    if not name or parts.is_absolute() or parts.root or parts.drive or ".." in parts.parts:
        raise _damaged(source, f"it names a file outside the model's folder ({name!r})")


def _digest(files: Mapping[str, Path]) -> str:
    """The sha256 of what tells two models apart; of large files, samples."""
    digest = hashlib.sha256()
    for name, path in files.items():
        size = path.stat().st_size
        digest.update(f"{name} {size}\n".encode())
        with path.open("rb") as file:
            if size <= _WHOLE_BYTES:
                digest.update(file.read())
                continue
            step = (size - _SAMPLED_BYTES) // _SAMPLES
            for place in (*range(0, step * _SAMPLES, step), size - _SAMPLED_BYTES):
                file.seek(place)
                digest.update(file.read(_SAMPLED_BYTES))
    return digest.hexdigest()


# --- how it is spoken to --------------------------------------------------------------------------


def read_genai_tokens(folder: Path, info: GenaiInfo) -> GenaiTokens:
    """Read the tokenizer's files. Raises `ModelBrokenError`."""
    path = folder / TOKENIZER
    tokenizer = _json(path, _LARGEST_TOKENIZER_BYTES)
    added = tokenizer.get("added_tokens") or []
    if not isinstance(added, list) or not all(isinstance(entry, dict) for entry in added):
        raise _damaged(path, "added_tokens is not a list of objects")
    if not all(isinstance(entry.get("id"), int) for entry in added):
        raise _damaged(path, "an added token has no number")
    config = _optional(folder / "tokenizer_config.json")
    ids = {_text(entry): entry.get("id") for entry in added}
    unmarked = [entry for entry in added if not entry.get("special")]
    marked = [entry for entry in unmarked if _LOOKS_LIKE_CONTROL.fullmatch(_text(entry))]
    for entry in marked:
        entry["special"] = True
    texts = {id: text for text, id in ids.items()}
    bos = _text(config.get("bos_token")) or texts.get(info.bos_id, "")
    add_bos = config.get("add_bos_token")
    return GenaiTokens(
        chat_template=_chat_template(folder, config),
        bos=bos,
        eos=_text(config.get("eos_token")) or texts.get(info.eos_ids[0], ""),
        add_bos=add_bos if isinstance(add_bos, bool) else _begins_with(bos, tokenizer),
        control_tokens=tuple(_text(e) for e in added if e.get("special") and _text(e)),
        # Writing a large one anew takes as long as reading it.
        tokenizer=json.dumps(tokenizer) if marked else path.read_bytes().decode("utf-8", "replace"),
    )


def _chat_template(folder: Path, config: Mapping[str, Any]) -> str:
    """The model's own Jinja template: a file of its own, or a part of the tokenizer's config."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        if path.stat().st_size > _LARGEST_CONFIG_BYTES:
            raise _damaged(path, "it is too large for a template")
        return path.read_bytes().decode("utf-8", "replace")
    named = config.get("chat_template") or _optional(folder / "chat_template.json").get(
        "chat_template"
    )
    if isinstance(named, list):
        entries = [entry for entry in named if isinstance(entry, dict)]
        usual = [e for e in entries if e.get("name") == "default"] or entries[:1]
        named = usual[0].get("template") if usual else ""
    return named if isinstance(named, str) else ""


def _begins_with(bos: str, tokenizer: Mapping[str, Any]) -> bool:
    """Whether the tokenizer puts `bos` before a single text."""
    step = tokenizer.get("post_processor")
    steps = step.get("processors", [step]) if isinstance(step, dict) else []
    for one in steps if isinstance(steps, list) else ():
        single = one.get("single") if isinstance(one, dict) else None
        first = single[0] if isinstance(single, list) and single else None
        special = first.get("SpecialToken") if isinstance(first, dict) else None
        if bos and isinstance(special, dict) and special.get("id") == bos:
            return True
    return False


def _text(token: Any) -> str:
    """A token is written as a text, or as an object around it."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else ""


# --- JSON -----------------------------------------------------------------------------------------


def _optional(path: Path) -> dict[str, Any]:
    return _json(path, _LARGEST_CONFIG_BYTES) if path.is_file() else {}


def _object(content: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = content.get(key)
    if not isinstance(value, dict):
        raise _damaged(path, f"it has no object {key!r}")
    return value


def _said_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without repeated keys: native code would heed those that Python drops."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key is repeated")
    return dict(pairs)


def _json(
    path: Path, limit: int, to_object: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(limit + 1), object_pairs_hook=to_object)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise _damaged(path, "it is not a JSON object")
    return content


def _damaged(path: Path, wrong: str) -> ModelBrokenError:
    return ModelBrokenError(f"{path} cannot be used: {wrong}.", hint="Copy the file anew.")
