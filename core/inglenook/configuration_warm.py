"""Reads how models stay loaded: the table `models` of `config.toml`, and Ollama's environment."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inglenook.errors import UserError
from inglenook.settings import WarmSettings

__all__ = ["duration_s", "warm_settings"]

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_STEP = r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)"
_DURATION = re.compile(rf"([+-]?)((?:{_STEP})+)")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_FOR_EVER_S = -1.0


def duration_s(value: object) -> float:
    """Seconds of a duration in Ollama's syntax: `"5m"`, `"1h30m"`, or a number of seconds.

    Anything below 0 is -1, for ever. Raises `ValueError` for what is none.
    """
    if isinstance(value, str):
        seconds = _seconds(value.strip())
    else:
        known = isinstance(value, int | float) and not isinstance(value, bool)
        seconds = float(value) if known else math.nan  # type: ignore[arg-type]
    if not math.isfinite(seconds):
        raise ValueError(f"{value!r} is no duration")
    return seconds if seconds >= 0 else _FOR_EVER_S


def _seconds(text: str) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no duration")
    seconds = sum(float(n) * _UNITS_S[unit] for n, unit in re.findall(_STEP, found[2]))
    return -seconds if found[1] == "-" else seconds


def warm_settings(
    table: Mapping[str, Any], environment: Mapping[str, str], file: Path
) -> WarmSettings:
    """The settings from the table `models`; where it is silent, from Ollama's variables.

    A variable that Ollama would not understand is passed over, as there. Raises `UserError` for a
    value of the file.
    """
    usual = WarmSettings()

    def whole(key: str, variable: str, default: int, least: int) -> int:
        if key in table:
            value = table[key]
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UserError(
                    f"{file}: 'models.{key}' must be a whole number, {least} or more.",
                    hint=f"Mend it, or take it out: it is {default} then.",
                )
            return value
        said = environment.get(variable, "").strip()
        return int(said) if re.fullmatch(r"\d{1,9}", said) and int(said) >= least else default

    def seconds(key: str, variable: str, default: float) -> float:
        said = table.get(key, environment.get(variable, "") or default)
        try:
            return duration_s(said)
        except ValueError:
            if key not in table:
                return default
            raise UserError(
                f"{file}: 'models.{key}' is no duration: {said!r}.",
                hint='It is like "5m" or "1h30m", or a number of seconds; below 0 is for ever.',
            ) from None

    return WarmSettings(
        keep_alive_s=seconds("keep_alive", "OLLAMA_KEEP_ALIVE", usual.keep_alive_s),
        memory_bytes=whole("memory_mb", "", 0, 0) * 1_000_000,
        max_loaded=whole("max_loaded", "OLLAMA_MAX_LOADED_MODELS", 0, 0) or usual.max_loaded,
        parallel=whole("parallel", "OLLAMA_NUM_PARALLEL", 0, 0) or usual.parallel,
        max_queue=whole("max_queue", "OLLAMA_MAX_QUEUE", usual.max_queue, 0),
        queue_timeout_s=max(0.0, seconds("queue_timeout_s", "", usual.queue_timeout_s)),
    )
