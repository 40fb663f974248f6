"""What this build of ONNX Runtime GenAI can compute on.

The library's own answers are not to be trusted (it says of some providers that they are there
though loading them fails), so each provider is asked to load a folder without a graph. One that
gets as far as missing the graph, like the processor, is there.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from inglenook.types import DeviceReport
from inglenook.types.devices import DeviceKind
from inglenook_onnx_genai.library import NATIVE_ERRORS, one_line
from inglenook_onnx_genai.providers import DEVICE_TYPE, PROVIDERS, TAKES_DEVICE_TYPE

__all__ = ["device_reports"]

_BESIDE_IT: tuple[DeviceKind, ...] = ("gpu", "npu")
_NO_MODEL = {
    "model": {
        "type": "llama",
        "context_length": 8,
        "vocab_size": 8,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "decoder": {
            "filename": "missing.onnx",
            "head_size": 1,
            "hidden_size": 1,
            "num_attention_heads": 1,
            "num_hidden_layers": 1,
            "num_key_value_heads": 1,
        },
    },
    "search": {"max_length": 8},
}


def device_reports(library: Any) -> tuple[DeviceReport, ...]:
    """The processor, and each provider that is there. `library` is `onnxruntime_genai`."""
    reports = [DeviceReport("cpu", True, backend="CPU")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "genai_config.json").write_text(json.dumps(_NO_MODEL), encoding="utf-8")
        of_processor = _said(library, folder, "", "cpu")
        for kind in _BESIDE_IT:
            said = {p: _said(library, folder, p, kind) for p in PROVIDERS[kind]}
            there = [provider for provider, words in said.items() if words == of_processor]
            reports += [DeviceReport(kind, True, backend=p) for p in there]
            if not there:
                reason = f"this build has none of {', '.join(said)} ({_first(said)})"
                reports.append(DeviceReport(kind, False, reason=reason))
    return tuple(reports)


def _said(library: Any, folder: Path, provider: str, kind: str) -> str:
    """How the library refuses the folder."""
    try:
        config = library.Config(str(folder))
        config.clear_providers()
        if provider:
            config.append_provider(provider)
            if provider == TAKES_DEVICE_TYPE:
                config.set_provider_option(provider, DEVICE_TYPE, kind.upper())
        library.Model(config)
    except NATIVE_ERRORS as error:
        return one_line(error)
    return ""


def _first(said: dict[str, str]) -> str:
    """The reason of the first provider, without the paths that follow it."""
    return next(iter(said.values())).partition(": ")[0]
