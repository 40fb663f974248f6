"""How a model is opened: `RuntimeOptions` and the machine's devices, in the library's terms."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inglenook.errors import UserError
from inglenook.models.gguf import GgufInfo
from inglenook.models.local_requests import require_cache_kind
from inglenook.ollama_variables import read_ollama_variables
from inglenook.types import RuntimeOptions

__all__ = ["Device", "choose_device", "embedding_parameters", "server_parameters"]

DEFAULT_CONTEXT_LENGTH = 4096
DEFAULT_BATCH = 256
"""Tokens between two chances to stop while the prompt is read; larger ones are hardly faster."""

_ERRORS_ONLY = 1
_EVERYTHING = 4
_ALL_LAYERS = 999


@dataclass(frozen=True, slots=True)
class Device:
    """Where the model runs, `cpu` or `gpu`, and why there."""

    kind: str
    reason: str


def choose_device(native: Any, wanted: tuple[str, ...]) -> Device:
    """The first of `wanted` that this build of the library can use. Raises `UserError` if none."""
    found = {"cpu": "cpu"}
    for device in native.get_device_info():
        if "GPU" in str(device["type"]):
            found.setdefault("gpu", f"gpu: {device['description']}")
    passed: list[str] = []
    for kind in wanted or ("gpu", "cpu"):
        if kind in found:
            because = f" (no {' or '.join(passed)} that this build can use)" if passed else ""
            return Device(kind, found[kind] + (because if wanted else ""))
        passed.append(kind)
    raise UserError(
        f"The runtime 'xllamacpp' can use no {' or '.join(passed)} here.",
        hint=f"It can use {' and '.join(sorted(found))}: add one to DEVICE.",
    )


def server_parameters(
    native: Any, path: Path, header: GgufInfo, options: RuntimeOptions, device: Device
) -> Any:
    """The library's parameters. Raises `UserError` for an option that it cannot honour."""
    _refuse(options)
    parameters = native.CommonParams()
    parameters.model.path = str(path)
    parameters.n_parallel = options.slots
    parameters.n_ctx = _context_length(header, options) * options.slots
    parameters.n_batch = options.batch or DEFAULT_BATCH
    parameters.n_ubatch = min(parameters.n_batch, parameters.n_ubatch)
    parameters.verbosity = _EVERYTHING if read_ollama_variables(os.environ).debug else _ERRORS_ONLY
    if options.threads or _usable_cpus() < (os.cpu_count() or 1):
        parameters.cpuparams.n_threads = options.threads or _usable_cpus()
    if options.mmap is not None:
        modes = native.llama_load_mode
        mode = modes.LLAMA_LOAD_MODE_MMAP if options.mmap else modes.LLAMA_LOAD_MODE_NONE
        parameters.load_mode = mode
    if options.adapters:
        adapters = [native.CommonAdapterLoraInfo(str(path)) for path in options.adapters]
        parameters.lora_adapters = adapters
    if options.state_folder is not None:
        parameters.slot_save_path = f"{options.state_folder}{os.sep}"
    _set_attention(native, parameters, options)
    _set_device(parameters, options, device)
    _set_quiet_server(parameters)
    return parameters


def embedding_parameters(
    native: Any, path: Path, options: RuntimeOptions, device: Device, pooling: str
) -> Any:
    """The library's parameters for vectors: each input is computed whole and by itself.

    `pooling` is `mean`, `cls` or `last`.
    """
    parameters = native.CommonParams()
    parameters.model.path = str(path)
    parameters.embedding = True
    parameters.pooling_type = getattr(
        native.llama_pooling_type, f"LLAMA_POOLING_TYPE_{pooling.upper()}"
    )
    parameters.n_parallel = 1
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = options.context_length
    parameters.verbosity = _ERRORS_ONLY
    parameters.cpuparams.n_threads = options.threads
    _set_device(parameters, options, device)
    _set_quiet_server(parameters)
    return parameters


def _refuse(options: RuntimeOptions) -> None:
    if options.embeddings:
        raise UserError("The runtime 'xllamacpp' does not open models for embedding.")
    require_cache_kind(options)


def _context_length(header: GgufInfo, options: RuntimeOptions) -> int:
    wanted = options.context_length or DEFAULT_CONTEXT_LENGTH
    # Beyond what it was trained for a model only babbles.
    return min(wanted, header.context_length) if header.context_length else wanted


def _usable_cpus() -> int:
    """The CPUs that this process may use; the library counts those of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _set_attention(native: Any, parameters: Any, options: RuntimeOptions) -> None:
    flash = str(options.settings.get("flash_attention", "auto"))
    cache = str(options.settings.get("kv_cache", "f16"))
    types = native.llama_flash_attn_type
    parameters.flash_attn_type = {
        "auto": types.LLAMA_FLASH_ATTN_TYPE_AUTO,
        "on": types.LLAMA_FLASH_ATTN_TYPE_ENABLED,
        "off": types.LLAMA_FLASH_ATTN_TYPE_DISABLED,
    }[flash]
    kind = getattr(native.ggml_type, f"GGML_TYPE_{cache.upper()}")
    parameters.cache_type_k = parameters.cache_type_v = kind


def _set_device(parameters: Any, options: RuntimeOptions, device: Device) -> None:
    if device.kind == "cpu":
        parameters.n_gpu_layers = 0
        # Measuring what fits on a GPU costs as much as loading a small model.
        parameters.fit_params = False
        return
    parameters.n_gpu_layers = options.gpu_layers
    if options.devices and options.gpu_layers < 0:
        parameters.n_gpu_layers = _ALL_LAYERS
    if options.main_gpu is not None:
        parameters.main_gpu = options.main_gpu


def _set_quiet_server(parameters: Any) -> None:
    """Nothing of the server that this program does not use."""
    parameters.ui = False
    parameters.offline = True
    parameters.endpoint_slots = False
    parameters.n_threads_http = 2
    parameters.cors_origins = "localhost"
    # The engine renders prompts. A template that the library cannot parse must not stop it.
    parameters.use_jinja = False
    parameters.chat_template = "chatml"
    # The first answer warms the model up as well as an empty run would.
    parameters.warmup = False
    # A second copy of old prompts, up to 8 GiB by default. The slot's own prefix is enough.
    parameters.cache_ram_mib = 0
