"""Where a model is run: what DEVICE asks for, in the library's execution providers.

The library says of some providers that they are available though they are not in its build, so
each one is tried by loading the model with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inglenook.errors import RuntimeFailure, UserError
from inglenook.models.genai_folder import GenaiInfo
from inglenook.models.machine import computing_threads
from inglenook.types import RuntimeOptions
from inglenook_onnx_genai.library import NATIVE_ERRORS, one_line

__all__ = ["DEVICE_TYPE", "PROVIDERS", "TAKES_DEVICE_TYPE", "load_model", "threads_of"]

PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "npu": ("QNN", "VitisAI", "OpenVINO"),
    "gpu": ("cuda", "NvTensorRtRtx", "DML", "WebGPU", "OpenVINO"),
    "cpu": ("",),
}
"""What can reach each kind of device, best first; "" is the processor, which needs none."""

TAKES_DEVICE_TYPE = "OpenVINO"
DEVICE_TYPE = "device_type"
"""The setting by which this provider is told the kind of device."""

_CHOOSES_DEVICE = ("cuda", "dml", "nvtensorrtrtx")
_ERRORS_ONLY = 3
_MOST_THREADS = 16
"""As many as the library itself would take at most."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A kind of device, and a provider with its settings to reach it."""

    kind: str
    provider: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def told(self) -> str:
        return f"{self.kind}: {self.provider}" if self.provider else self.kind


def load_model(
    library: Any, folder: Path, info: GenaiInfo, options: RuntimeOptions, reference: str
) -> tuple[Any, str]:
    """The library's model, and where it runs and why there.

    Without DEVICE it is what the folder was made for, else the processor.

    Raises `UserError` if no wanted device can be used, `RuntimeFailure` if the model cannot.
    """
    _refuse(options)
    wanted = _wanted(info, options)
    passed: list[str] = []
    reasons: dict[str, str] = {}
    for kind in wanted:
        for place in _places(kind, info, options):
            try:
                model = _load(library, folder, place, options)
            except NATIVE_ERRORS as error:
                reasons.setdefault(kind, one_line(error))
            else:
                return model, place.told + _because(passed, reasons)
        passed.append(kind)
    if "cpu" in wanted:
        raise RuntimeFailure(
            f"ONNX Runtime GenAI cannot load {reference}: {reasons['cpu']}.",
            hint="Its kind may be too new for this onnxruntime-genai, or made for another device: "
            "update onnxruntime-genai, or build the folder for this one.",
        )
    raise UserError(
        f"The runtime 'onnx-genai' can use no {' or '.join(passed)} here:"
        f" {_first_clause(reasons, passed)}.",
        hint="It can use cpu: add it to DEVICE.",
    )


def _refuse(options: RuntimeOptions) -> None:
    for given, what, hint in (
        (options.adapters, "does not load adapters", "Remove the ADAPTER line."),
        (options.embeddings, "does not open models for embedding", ""),
        (
            options.gpu_layers > 0,
            "cannot honour PARAMETER num_gpu: all layers go to one device",
            "Remove the line, or say DEVICE gpu,cpu.",
        ),
        (
            options.mmap is not None,
            "cannot honour PARAMETER use_mmap: its library decides",
            "Remove the line.",
        ),
    ):
        if given:
            raise UserError(f"The runtime 'onnx-genai' {what}.", hint=hint)


def _wanted(info: GenaiInfo, options: RuntimeOptions) -> tuple[str, ...]:
    """The kinds of device to try, in order."""
    if options.devices:
        return options.devices
    if options.gpu_layers == 0:
        return ("cpu",)
    own = [kind for kind in PROVIDERS for name, _ in info.providers if _reaches(name, kind)]
    return tuple(dict.fromkeys((*own, "cpu")))


def _places(kind: str, info: GenaiInfo, options: RuntimeOptions) -> Iterator[_Place]:
    """The providers of a kind, with the folder's own one first."""
    own = [name for name, _ in info.providers if _reaches(name, kind)]
    settings = {name.lower(): given for name, given in info.providers}
    seen = set()
    for name in (*own, *PROVIDERS.get(kind, ())):
        if name.lower() in seen:
            continue
        seen.add(name.lower())
        given = dict(settings.get(name.lower(), {}))
        if name.lower() == TAKES_DEVICE_TYPE.lower():
            given[DEVICE_TYPE] = kind.upper()
        if options.main_gpu is not None and kind == "gpu" and name.lower() in _CHOOSES_DEVICE:
            given["device_id"] = str(options.main_gpu)
        yield _Place(kind, name, given)


def _reaches(provider: str, kind: str) -> bool:
    return provider.lower() in {name.lower() for name in PROVIDERS[kind] if name}


def _load(library: Any, folder: Path, place: _Place, options: RuntimeOptions) -> Any:
    config = library.Config(str(folder))
    session = {
        "intra_op_num_threads": threads_of(options),
        "log_severity_level": _ERRORS_ONLY,
    }
    config.overlay(json.dumps({"model": {"decoder": {"session_options": session}}}))
    config.clear_providers()
    if place.provider:
        config.append_provider(place.provider)
        for name, value in place.settings.items():
            config.set_provider_option(place.provider, name, value)
    return library.Model(config)


def threads_of(options: RuntimeOptions) -> int:
    """How many threads compute: as many as are asked for, else one for each core.

    The library itself would take half of the processors, also where no two of them share a core.
    """
    return options.threads or min(computing_threads(), _MOST_THREADS)


def _because(passed: list[str], reasons: Mapping[str, str]) -> str:
    if not passed:
        return ""
    return f" (no {' or '.join(passed)} that this build can use: {_first_clause(reasons, passed)})"


def _first_clause(reasons: Mapping[str, str], passed: list[str]) -> str:
    """Why the first kind of device was passed over, without the paths that follow."""
    return reasons.get(passed[0], "no such kind is known").partition(": ")[0]
