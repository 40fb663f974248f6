"""The PARAMETERs: Ollama's names, types and defaults, with the ranges that we add."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from inglenook.profiles.problems import did_you_mean, shown

__all__ = [
    "ALIASES",
    "DEPRECATED",
    "IGNORED",
    "PARAMETERS",
    "ParameterSpec",
    "ParameterValue",
    "read_parameter",
]

ParameterValue = int | float | bool | tuple[str, ...]

_INT_MAX = 2**31 - 1
_SEED_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One PARAMETER.

    Args:
        name: Its name; case matters, as in Ollama.
        type: `int`, `float`, `bool` or `list` (repeats accumulate).
        default: What holds when it is not given; None leaves the choice to the runtime.
        minimum, maximum: The range, both included.
        summary: One line for people.
    """

    name: str
    type: type
    default: ParameterValue | None
    minimum: float = -math.inf
    maximum: float = math.inf
    summary: str = ""


_SPECS = (
    ParameterSpec("num_keep", int, 4, -1, _INT_MAX, "tokens kept when the context is shifted"),
    ParameterSpec("seed", int, -1, -1, _SEED_MAX, "makes answers repeatable; -1 is random"),
    ParameterSpec("num_predict", int, -1, -2, _INT_MAX, "most tokens of an answer; -1 no limit"),
    ParameterSpec("top_k", int, 40, 0, _INT_MAX, "choose among the k likeliest; 0 is all"),
    ParameterSpec("top_p", float, 0.9, 0.0, 1.0, "choose among this much probability"),
    ParameterSpec("min_p", float, 0.0, 0.0, 1.0, "least probability, relative to the likeliest"),
    ParameterSpec("typical_p", float, 1.0, 0.0, 1.0, "locally typical sampling; 1 is off"),
    ParameterSpec("repeat_last_n", int, 64, -1, _INT_MAX, "tokens looked back for repetition"),
    ParameterSpec("temperature", float, 0.8, 0.0, 10.0, "0 always takes the likeliest token"),
    ParameterSpec("repeat_penalty", float, 1.0, 0.0, 10.0, "penalty for repetition; 1 is off"),
    ParameterSpec("presence_penalty", float, 0.0, -10.0, 10.0, "penalty for tokens seen before"),
    ParameterSpec("frequency_penalty", float, 0.0, -10.0, 10.0, "penalty for each time seen"),
    ParameterSpec("stop", list, (), summary="ends the answer; may be given more than once"),
    ParameterSpec("num_ctx", int, 0, 0, _INT_MAX, "tokens of prompt and answer; 0 is automatic"),
    ParameterSpec("num_batch", int, 512, 1, _INT_MAX, "tokens evaluated at once"),
    ParameterSpec("num_gpu", int, -1, -1, _INT_MAX, "layers on the GPU; -1 automatic, 0 none"),
    ParameterSpec("main_gpu", int, None, 0, _INT_MAX, "the GPU used first"),
    ParameterSpec("use_mmap", bool, None, summary="map the model file into memory"),
    ParameterSpec("num_thread", int, 0, 0, 4096, "CPU threads; 0 is automatic"),
    ParameterSpec("draft_num_predict", int, 4, 0, _INT_MAX, "tokens the draft model looks ahead"),
)
PARAMETERS: Mapping[str, ParameterSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})
"""Every parameter by name, in the order of the manual."""

ALIASES: Mapping[str, str] = MappingProxyType({"context_length": "num_ctx"})
"""Other names that are understood, with a warning."""

DEPRECATED = (
    "penalize_newline",
    "low_vram",
    "f16_kv",
    "logits_all",
    "vocab_only",
    "use_mlock",
    "mirostat",
    "mirostat_tau",
    "mirostat_eta",
)
"""Names that Ollama warns about and ignores; so do we."""

IGNORED = ("numa", "num_gqa", "tfs_z", "embedding_only")
"""Names that older Modelfiles carry and that Ollama now refuses; we warn and ignore."""

# Go's ParseInt(…, 10, 64), ParseFloat and ParseBool.
_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_HEX_FLOAT = re.compile(
    r"[+-]?0[xX](_?[0-9a-fA-F])+\.?[0-9a-fA-F]*[pP][+-]?[0-9]+"
    r"|[+-]?0[xX]\.[0-9a-fA-F]+[pP][+-]?[0-9]+"
)
_NOT_FINITE = re.compile(r"[+-]?(inf|infinity)|nan", re.IGNORECASE)
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def read_parameter(name: str, text: str) -> ParameterValue:
    """The value of the parameter `name` from what the file says.

    Raises:
        ValueError: Unknown name, wrong type or out of range; the message is for the user.
    """
    spec = PARAMETERS.get(name)
    if spec is None:
        known = (*PARAMETERS, *ALIASES)
        raise ValueError(
            f"Unknown parameter {shown(name)}.{did_you_mean(name, known)} "
            f"Allowed are {', '.join(PARAMETERS)}."
        )
    if spec.type is list:
        return (text,)
    if spec.type is bool:
        return _read_bool(name, text)
    value = _read_int(spec, text) if spec.type is int else _read_float(spec, text)
    if not spec.minimum <= value <= spec.maximum:
        raise ValueError(f"{name} must be {_range(spec)}, not {shown(text)}.")
    return value


def _range(spec: ParameterSpec) -> str:
    if spec.maximum == _INT_MAX:
        return f"a whole number of at least {spec.minimum:g} (and below 2^31)"
    kind = "a whole number" if spec.type is int else "a number"
    return f"{kind} from {spec.minimum:g} to {int(spec.maximum)}"


def _comment(text: str) -> str:
    return " A comment needs a line of its own." if "#" in text else ""


def _read_bool(name: str, text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"{name} must be true or false, not {shown(text)}.{_comment(text)}")


def _read_int(spec: ParameterSpec, text: str) -> int:
    # The length is checked first: Python refuses to convert absurdly long numbers.
    if not _INT.fullmatch(text) or len(text) > 400:
        raise ValueError(f"{spec.name} must be {_range(spec)}, not {shown(text)}.{_comment(text)}")
    return int(text)


def _read_float(spec: ParameterSpec, text: str) -> float:
    if _FLOAT.fullmatch(text):
        return float(text) + 0.0  # -0.0 becomes 0.0
    if _HEX_FLOAT.fullmatch(text):
        try:
            return float.fromhex(text.replace("_", ""))
        except OverflowError:
            return math.inf
    if _NOT_FINITE.fullmatch(text):
        return math.nan
    raise ValueError(f"{spec.name} must be {_range(spec)}, not {shown(text)}.{_comment(text)}")
