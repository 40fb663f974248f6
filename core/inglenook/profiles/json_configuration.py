"""Makes a profile of the JSON configuration of an assistant, as guides to other programs show it.

There is no standard for such files, so keys are understood in the spellings that are around, and
one that is not understood is refused: nothing of it is left out silently. Credentials are refused
too; nothing of ours keeps any.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from inglenook.errors import ProfileError, UserError
from inglenook.profiles.frozen_mapping import FrozenMapping
from inglenook.profiles.parameters import PARAMETERS, ParameterValue, read_parameter
from inglenook.profiles.profile import FileRule, PartChoice, Profile, RetrieveOptions

__all__ = ["JsonProfile", "read_json_profile"]

_LARGEST_BYTES = 1_000_000
_CREDENTIAL = re.compile(
    r"(.*_)?(key|keys|token|secret|password|credential|credentials|authorization|connection_string)"
)
_HARMLESS = ("_schema", "schema", "schema_version", "version", "description", "comment", "_comment")
"""What says nothing about how the assistant works."""

_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "name": "name",
        "id": "name",
        **dict.fromkeys(("model", "model_name", "model_id", "base_model"), "model"),
        **dict.fromkeys(("system", "system_prompt", "system_message", "instructions"), "system"),
        **dict.fromkeys(
            ("parameters", "options", "inference", "generation", "generation_config", "settings"),
            "parameters",
        ),
        **dict.fromkeys(
            ("files", "documents", "knowledge", "knowledge_base", "knowledge_files", "sources"),
            "files",
        ),
        **dict.fromkeys(("device", "devices", "hardware"), "devices"),
        **dict.fromkeys(("embedder", "embedding_model", "embeddings"), "embedder"),
        **dict.fromkeys(("retrieval", "rag"), "retrieve"),
        **dict.fromkeys(("messages", "examples"), "messages"),
        "template": "template",
        **dict.fromkeys(("license", "licence"), "licence"),
    }
)
"""What a key of the file is called -> what it is for."""

_MODEL_KEYS = MappingProxyType(
    {
        **dict.fromkeys(("name", "id", "alias", "path", "model", "reference"), "name"),
        **dict.fromkeys(("quantization", "quantisation", "precision"), "quantisation"),
        **dict.fromkeys(("device", "devices"), "devices"),
        "parameters": "parameters",
    }
)
_PARAMETER_NAMES = MappingProxyType(
    {
        **{name: name for name in PARAMETERS},
        **dict.fromkeys(("max_tokens", "max_output_tokens", "max_new_tokens"), "num_predict"),
        **dict.fromkeys(("max_completion_tokens", "max_length"), "num_predict"),
        **dict.fromkeys(("context_length", "context_window", "context_size"), "num_ctx"),
        **dict.fromkeys(("repetition_penalty",), "repeat_penalty"),
        **dict.fromkeys(("stop_sequences", "stop_words"), "stop"),
        **dict.fromkeys(("threads", "num_threads"), "num_thread"),
        **dict.fromkeys(("gpu_layers", "num_gpu_layers", "n_gpu_layers"), "num_gpu"),
    }
)
_FILE_KEYS = ("path", "file", "pattern", "glob")
_LIST_KEYS = ("files", "documents", "paths", "sources")
_RETRIEVE_KEYS = MappingProxyType(
    {**dict.fromkeys(("top_k", "k", "num_results"), "top_k"), "mode": "mode"}
    | dict.fromkeys(("min_score", "score_threshold", "threshold"), "min_score")
)
_MODES = ("lexical", "vector", "hybrid")
_DEVICES = ("npu", "gpu", "cpu")
_ROLES = ("system", "user", "assistant")


class JsonProfile:
    """What a JSON configuration says.

    Args:
        name: What the assistant is called there; "" if it does not say.
        profile: The profile that it stands for.
    """

    def __init__(self, name: str, profile: Profile) -> None:
        self.name = name
        self.profile = profile


def read_json_profile(path: Path) -> JsonProfile:
    """Read the file at `path`.

    Raises:
        ProfileError: It cannot be read, is not JSON, or says what cannot be done.
    """
    return _Reader(path).read(_content(path))


def _content(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise ProfileError(f"There is no file {path}.", hint="Check the path.") from None
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(data) > _LARGEST_BYTES:
        raise ProfileError(f"{path} is too large for a configuration (over 1 MB).")
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{path} is not JSON: {str(error)[:200]}.") from error
    if not isinstance(content, dict):
        raise ProfileError(f"{path} is no JSON object.", hint='It begins with {"model": …')
    inner = content.get("assistant")
    rest = {key for key in content if key != "assistant" and _plain(key) not in _HARMLESS}
    return inner if isinstance(inner, dict) and not rest else content


class _Reader:
    """Goes through one file and gathers what it says."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = ""
        self._model = ""
        self._texts: dict[str, str] = {}
        self._parameters: dict[str, ParameterValue] = {}
        self._files: list[FileRule] = []
        self._devices: tuple[str, ...] = ()
        self._embedder: PartChoice | None = None
        self._retrieve: dict[str, Any] = {}
        self._messages: list[tuple[str, str]] = []

    def read(self, content: Mapping[str, Any]) -> JsonProfile:
        for key, use, value in self._uses(content, {**_KEYS, **_parameter_uses()}, ""):
            self._take(key, use, value)
        if not self._model:
            raise self._wrong("it names no model", 'Add: "model": "qwen2.5-coder:0.5b"')
        return JsonProfile(
            self._name,
            Profile(
                models=(self._model,),
                parameters=FrozenMapping(self._parameters),
                system=self._texts.get("system"),
                template=self._texts.get("template"),
                licences=(self._texts["licence"],) if "licence" in self._texts else (),
                files=tuple(self._files),
                devices=self._devices,
                embedder=self._embedder,
                messages=tuple(self._messages),
                retrieve=RetrieveOptions(**self._retrieve, given=tuple(sorted(self._retrieve))),
            ),
        )

    def _uses(
        self, content: Mapping[str, Any], known: Mapping[str, str], inside: str
    ) -> Iterator[tuple[str, str, Any]]:
        """Each key with its use and its value. Raises `ProfileError` for one without use."""
        seen: dict[str, str] = {}
        for key, value in content.items():
            plain = _plain(key)
            where = f"{inside}{key}"
            if plain in known:
                use = known[plain]
                if use in seen:
                    raise self._wrong(f"'{where}' and '{inside}{seen[use]}' say the same")
                seen[use] = key
                if value is not None:
                    yield where, use, value
            elif _CREDENTIAL.fullmatch(plain):
                raise self._wrong(
                    f"'{where}' is a credential, which is stored nowhere",
                    "Remove it; a server's key is taken from the environment or the keyring.",
                )
            elif plain not in _HARMLESS:
                close = difflib.get_close_matches(plain, known, n=1)
                said = f"Did you mean '{close[0]}'?" if close else f"Known are {', '.join(known)}."
                raise self._wrong(f"'{where}' is not understood", said)

    def _take(self, key: str, use: str, value: Any) -> None:
        if use.startswith("parameter "):
            self._take_parameter(key, use.removeprefix("parameter "), value)
            return
        takers: dict[str, Callable[[str, Any], None]] = {
            "name": self._take_name,
            "model": self._take_model,
            "parameters": self._take_parameters,
            "files": self._take_files,
            "devices": self._take_devices,
            "embedder": self._take_embedder,
            "retrieve": self._take_retrieve,
            "messages": self._take_messages,
        }
        if use in takers:
            takers[use](key, value)
        else:
            self._texts[use] = self._text(key, value, lines=True)

    def _take_name(self, key: str, value: Any) -> None:
        self._name = self._text(key, value)

    def _take_model(self, key: str, value: Any) -> None:
        if not isinstance(value, dict):
            self._model = self._text(key, value)
            return
        found = {use: (at, v) for at, use, v in self._uses(value, _MODEL_KEYS, f"{key}.")}
        if "name" not in found:
            raise self._wrong(f"'{key}' names no model", f'Say "{key}": "qwen2.5-coder:0.5b"')
        self._model = self._text(*found["name"])
        if "quantisation" in found:
            kind = self._text(*found["quantisation"])
            colon = "-" if ":" in self._model.rpartition("/")[2] else ":"
            self._model = f"{self._model}{colon}{kind}"
        if "devices" in found:
            self._take_devices(*found["devices"])
        if "parameters" in found:
            self._take_parameters(*found["parameters"])

    def _take_parameters(self, key: str, value: Any) -> None:
        table = self._object(key, value)
        for at, use, one in self._uses(table, _parameter_uses(), f"{key}."):
            self._take_parameter(at, use.removeprefix("parameter "), one)

    def _take_parameter(self, key: str, name: str, value: Any) -> None:
        if name in self._parameters:
            raise self._wrong(f"'{key}' is said twice")
        if PARAMETERS[name].type is list:
            texts = value if isinstance(value, list) else [value]
            self._parameters[name] = tuple(self._text(key, text, lines=True) for text in texts)
            return
        if isinstance(value, bool | int | float | str):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            # JSON knows one kind of number: 4096.0 is a whole one too.
            if isinstance(value, float) and PARAMETERS[name].type is int and value.is_integer():
                text = str(int(value))
            try:
                self._parameters[name] = read_parameter(name, text)
            except ValueError as error:
                raise ProfileError(f"{self._path}: '{key}': {error}") from None
        else:
            raise self._wrong(f"'{key}' must be a number")

    def _take_files(self, key: str, value: Any) -> None:
        if isinstance(value, dict):
            for at, _, inner in self._uses(value, dict.fromkeys(_LIST_KEYS, "files"), f"{key}."):
                self._take_files(at, inner)
            return
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict):
                for at, _, path in self._uses(entry, dict.fromkeys(_FILE_KEYS, "path"), f"{key}."):
                    self._files.append(FileRule(self._text(at, path)))
            else:
                self._files.append(FileRule(self._text(key, entry)))

    def _take_devices(self, key: str, value: Any) -> None:
        said = value if isinstance(value, list) else re.split(r"[,\s]+", self._text(key, value))
        devices = tuple(self._text(key, device).lower() for device in said)
        devices = tuple(device for device in devices if device not in ("auto", "any", ""))
        unknown = [device for device in devices if device not in _DEVICES]
        if unknown:
            raise self._wrong(
                f"'{key}' names {unknown[0]!r}", f"Devices are {', '.join(_DEVICES)}, or auto."
            )
        self._devices = devices

    def _take_embedder(self, key: str, value: Any) -> None:
        if isinstance(value, dict):
            known = dict.fromkeys(("model", "name", "id"), "name")
            named = [(at, one) for at, _, one in self._uses(value, known, f"{key}.")]
            if not named:
                raise self._wrong(f"'{key}' names no model")
            key, value = named[0]
        self._embedder = PartChoice(self._text(key, value))

    def _take_retrieve(self, key: str, value: Any) -> None:
        for at, use, one in self._uses(self._object(key, value), _RETRIEVE_KEYS, f"{key}."):
            number = isinstance(one, int | float) and not isinstance(one, bool)
            if use == "mode" and one not in _MODES:
                raise self._wrong(f"'{at}' must be one of {', '.join(_MODES)}")
            if use == "top_k" and not (number and 1 <= one <= 50 and one == int(one)):
                raise self._wrong(f"'{at}' must be a whole number from 1 to 50")
            if use == "min_score" and not (number and -1 <= one <= 1):
                raise self._wrong(f"'{at}' must be a number from -1 to 1")
            self._retrieve[use] = int(one) if use == "top_k" else one

    def _take_messages(self, key: str, value: Any) -> None:
        for entry in value if isinstance(value, list) else [value]:
            known = {"role": "role", "content": "text", "text": "text"}
            uses = self._uses(self._object(key, entry), known, f"{key}.")
            found = {use: self._text(at, one, lines=True) for at, use, one in uses}
            if found.get("role") not in _ROLES or "text" not in found:
                raise self._wrong(f"'{key}' must hold objects with role and content")
            self._messages.append((found["role"], found["text"]))

    # --- values -------------------------------------------------------------------------------

    def _text(self, key: str, value: Any, *, lines: bool = False) -> str:
        if lines and isinstance(value, list) and all(isinstance(line, str) for line in value):
            value = "\n".join(value)
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(f"'{key}' must be a text")
        if "\0" in value:
            raise self._wrong(f"'{key}' holds a NUL character")
        if not lines and len(value.splitlines()) > 1:
            raise self._wrong(f"'{key}' must be a text on one line")
        return value if lines else value.strip()

    def _object(self, key: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(f"'{key}' must be an object")
        return value

    def _wrong(self, what: str, hint: str = "") -> UserError:
        return ProfileError(f"{self._path}: {what}.", hint=hint)


def _parameter_uses() -> dict[str, str]:
    return {key: f"parameter {name}" for key, name in _PARAMETER_NAMES.items()}


def _plain(key: str) -> str:
    """A key in one spelling: `maxTokens`, `max-tokens` and `MAX_TOKENS` are `max_tokens`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key)
    return re.sub(r"[\s.$-]+", "_", words).lower()
