"""Switches off the telemetry of the libraries that parts of this program may load."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

__all__ = ["SWITCHES", "imported_too_early", "silence_telemetry"]

SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "OTEL_SDK_DISABLED": "true",
}
_SPEAKS_ON_IMPORT = ("onnxruntime", "onnxruntime_genai")


def silence_telemetry(environment: MutableMapping[str, str] | None = None) -> None:
    """Set every switch that the user has not set. Call it before any heavy import.

    ONNX Runtime reads its switch while it is imported; setting it later has no effect.
    """
    target = os.environ if environment is None else environment
    for name, value in SWITCHES.items():
        target.setdefault(name, value)


def imported_too_early(environment: MutableMapping[str, str] | None = None) -> tuple[str, ...]:
    """The libraries that somebody imported before the switches were set."""
    target = os.environ if environment is None else environment
    if target.get("ORT_DISABLE_TELEMETRY") == "1":
        return ()
    return tuple(name for name in _SPEAKS_ON_IMPORT if name in sys.modules)
