"""A model and its context in llama.cpp's own terms: load, tokenise, evaluate, free."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.errors import MissingDependencyError, RuntimeFailure, UserError
from inglenook.models.gguf import GgufInfo
from inglenook.models.local_requests import require_cache_kind
from inglenook.models.machine import computing_threads
from inglenook.types import RuntimeOptions

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

__all__ = ["Model", "import_library"]

DEFAULT_CONTEXT_LENGTH = 4096
DEFAULT_BATCH = 256
"""Tokens between two chances to stop while the prompt is read; larger ones are hardly faster."""

_ALL_LAYERS = 999
_ERROR_LEVEL = 4
_LONGEST_PIECE_BYTES = 256
_LogCallback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_SILENT = _LogCallback(lambda *_: None)
"""What native code may call when no model listens to it any more; it must live as long."""


def import_library() -> Any:
    """The low-level bindings. Raises `MissingDependencyError`."""
    try:
        from llama_cpp import llama_cpp as native
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingDependencyError(
            f"The runtime 'llama-cpp' needs the library llama-cpp-python: {error}.",
            hint="Install it with: pip install 'inglenook[llama-cpp]' (needs a C++ compiler)",
        ) from error
    return native


class Model:
    """One loaded model with one context. Not thread-safe, except for `tokenize`."""

    def __init__(
        self, native: Any, path: Path, reference: str, header: GgufInfo, options: RuntimeOptions
    ) -> None:
        _refuse(options)
        self._native = native
        self._complaints: deque[str] = deque(maxlen=3)
        # Kept: native code holds no reference to the callback.
        self._log = _LogCallback(self._on_log)
        native.llama_log_set(self._log, ctypes.c_void_p(0))
        native.llama_backend_init()
        self.device = _device(native, options)
        self._model = native.llama_model_load_from_file(
            os.fsencode(path), _model_parameters(native, options, self.device)
        )
        if not self._model:
            native.llama_log_set(_SILENT, ctypes.c_void_p(0))
            raise self._failure(f"llama.cpp cannot load {reference}")
        self.vocabulary = native.llama_model_get_vocab(self._model)
        self.context = native.llama_init_from_model(
            self._model, _context_parameters(native, header, options)
        )
        if not self.context:
            native.llama_model_free(self._model)
            native.llama_log_set(_SILENT, ctypes.c_void_p(0))
            raise self._failure(f"llama.cpp cannot make a context for {reference}")
        self._use_adapters(options.adapters, reference)
        self.context_length = int(native.llama_n_ctx(self.context))
        self.batch = int(native.llama_n_batch(self.context))
        self._memory = native.llama_get_memory(self.context)
        self._piece = ctypes.create_string_buffer(_LONGEST_PIECE_BYTES)
        self._evaluated: list[int] = []

    def _use_adapters(self, paths: Sequence[Path], reference: str) -> None:
        """Load LoRA files, which go with the model, and put them to use."""
        native, adapters = self._native, []
        for path in paths:
            adapter = native.llama_adapter_lora_init(self._model, os.fsencode(path))
            if not adapter:
                self.close()
                raise self._failure(
                    f"llama.cpp cannot load {reference} with {path.name}",
                    "The LoRA may be for another model of the same kind: try without the ADAPTER"
                    " line.",
                )
            adapters.append(adapter)
        if not adapters:
            return
        if hasattr(native, "llama_set_adapters_lora"):
            array = (native.llama_adapter_lora_p_ctypes * len(adapters))(*adapters)
            scales = (ctypes.c_float * len(adapters))(*(1.0 for _ in adapters))
            native.llama_set_adapters_lora(self.context, array, len(adapters), scales)
            return
        # Older versions take them one by one.
        for adapter in adapters:
            native.llama_set_adapter_lora(self.context, adapter, 1.0)

    def tokenize(self, text: str, special: bool) -> list[int]:
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        while True:
            ids = (self._native.llama_token * room)()
            count = self._native.llama_tokenize(
                self.vocabulary, data, len(data), ids, room, False, special
            )
            if count >= 0:
                return list(ids[:count])
            room = -count

    def is_end(self, token: int) -> bool:
        return bool(self._native.llama_vocab_is_eog(self.vocabulary, token))

    def vocabulary_size(self) -> int:
        return int(self._native.llama_vocab_n_tokens(self.vocabulary))

    def bytes_of(self, token: int, *, special: bool = False) -> bytes:
        """The bytes of a token, which may be a part of a character.

        Without `special` those of a control token are b"".
        """
        size = self._native.llama_token_to_piece(
            self.vocabulary, token, self._piece, len(self._piece), 0, special
        )
        if size < 0:
            self._piece = ctypes.create_string_buffer(-size)
            return self.bytes_of(token, special=special)
        return self._piece.raw[:size]

    def text_of(self, token: int) -> str:
        """The text of a token, also of a control token; what is no whole character is replaced."""
        return self.bytes_of(token, special=True).decode("utf-8", "replace")

    def logits(self) -> NDArray[numpy.float32]:
        """Those of the last evaluated position, shape (vocabulary,); valid until the next."""
        import numpy

        pointer = self._native.llama_get_logits_ith(self.context, -1)
        return numpy.ctypeslib.as_array(pointer, shape=(self.vocabulary_size(),))

    def rewind(self, prompt: Sequence[int], reuse_prefix: bool) -> int:
        """Keep the evaluated prefix of `prompt`, forget the rest; how many tokens are kept.

        The last token is always evaluated again, because its result is needed.
        """
        kept = 0
        if reuse_prefix:
            for old, new in zip(self._evaluated, prompt[:-1], strict=False):
                if old != new:
                    break
                kept += 1
        if not kept or not self._native.llama_memory_seq_rm(self._memory, 0, kept, -1):
            # Also the only way back for models whose state cannot be cut.
            self._native.llama_memory_clear(self._memory, True)
            kept = 0
        del self._evaluated[kept:]
        return kept

    def evaluate(self, tokens: Sequence[int]) -> None:
        """Append tokens, `batch` at most. Raises `RuntimeFailure`."""
        array = (self._native.llama_token * len(tokens))(*tokens)
        batch = self._native.llama_batch_get_one(array, len(tokens))
        status = self._native.llama_decode(self.context, batch)
        if status != 0:
            self._evaluated = []
            self._native.llama_memory_clear(self._memory, True)
            raise self._failure(f"llama.cpp could not evaluate {len(tokens)} tokens ({status})")
        self._evaluated.extend(tokens)

    def holds(self, tokens: Sequence[int]) -> bool:
        """Whether what was evaluated begins with these."""
        return self._evaluated[: len(tokens)] == list(tokens)

    def save_state(self, path: Path) -> None:
        """Write what was evaluated to a file. Raises `OSError`."""
        count = len(self._evaluated)
        array = (self._native.llama_token * count)(*self._evaluated)
        name = os.fsencode(path)
        if not self._native.llama_state_seq_save_file(self.context, name, 0, array, count):
            raise OSError(f"llama.cpp could not write {path.name}.")

    def load_state(self, path: Path, tokens: Sequence[int]) -> bool:
        """Put what a file holds of these tokens in the place of all; whether it did."""
        self._evaluated = []
        self._native.llama_memory_clear(self._memory, True)
        array = (self._native.llama_token * len(tokens))()
        count = ctypes.c_size_t(0)
        read = self._native.llama_state_seq_load_file(
            self.context, os.fsencode(path), 0, array, len(tokens), ctypes.byref(count)
        )
        if not read or list(array[: count.value]) != list(tokens):
            self._native.llama_memory_clear(self._memory, True)
            return False
        self._evaluated = list(tokens)
        return True

    @property
    def evaluated(self) -> int:
        """How many tokens the context holds."""
        return len(self._evaluated)

    def close(self) -> None:
        self._native.llama_free(self.context)
        self._native.llama_model_free(self._model)
        self._native.llama_log_set(_SILENT, ctypes.c_void_p(0))

    def _on_log(self, level: int, text: bytes, _: Any) -> None:
        if level >= _ERROR_LEVEL and text.strip():
            self._complaints.append(text.decode("utf-8", "replace").strip())

    def _failure(self, message: str, hint: str = "") -> RuntimeFailure:
        said = f": {self._complaints[0]}" if self._complaints else ""
        return RuntimeFailure(
            f"{message}{said}.",
            hint=hint
            or "Its architecture may be too new for this llama-cpp-python, or memory too small: "
            "update llama-cpp-python, or set a smaller num_ctx.",
        )


def _refuse(options: RuntimeOptions) -> None:
    if options.embeddings:
        raise UserError("The runtime 'llama-cpp' does not open models for embedding.")
    require_cache_kind(options)


def _device(native: Any, options: RuntimeOptions) -> str:
    """`cpu` or `gpu`, the first wanted one that this build can use, and why."""
    usable = {"cpu"} | ({"gpu"} if native.llama_supports_gpu_offload() else set())
    passed: list[str] = []
    for kind in options.devices or ("gpu", "cpu"):
        if kind in usable:
            told = bool(passed and options.devices)
            return kind + (f" (no {' or '.join(passed)} that this build can use)" if told else "")
        passed.append(kind)
    raise UserError(
        f"The runtime 'llama-cpp' can use no {' or '.join(passed)} here.",
        hint=f"It can use {' and '.join(sorted(usable))}: add one to DEVICE.",
    )


def _model_parameters(native: Any, options: RuntimeOptions, device: str) -> Any:
    parameters = native.llama_model_default_params()
    parameters.n_gpu_layers = 0
    if b"AMX_INT8 = 1" in native.llama_print_system_info():
        # ggml crashes where Linux grants AMX tiles to one thread only (llama.cpp issue 20824).
        parameters.use_extra_bufts = False
    if device.startswith("gpu"):
        layers = options.gpu_layers
        parameters.n_gpu_layers = _ALL_LAYERS if layers < 0 else layers
    if options.main_gpu is not None:
        parameters.main_gpu = options.main_gpu
    if options.mmap is not None:
        # The field was renamed when more ways of loading were added.
        if hasattr(parameters, "use_mmap"):
            parameters.use_mmap = options.mmap
        else:
            parameters.load_mode = (
                native.LLAMA_LOAD_MODE_MMAP if options.mmap else native.LLAMA_LOAD_MODE_NONE
            )
    return parameters


def _context_parameters(native: Any, header: GgufInfo, options: RuntimeOptions) -> Any:
    parameters = native.llama_context_default_params()
    wanted = options.context_length or DEFAULT_CONTEXT_LENGTH
    # Beyond what it was trained for a model only babbles.
    parameters.n_ctx = min(wanted, header.context_length or wanted)
    parameters.n_batch = min(options.batch or DEFAULT_BATCH, parameters.n_ctx)
    parameters.n_ubatch = parameters.n_batch
    parameters.n_threads = options.threads or computing_threads()
    parameters.n_threads_batch = parameters.n_threads
    flash = {"auto": "AUTO", "on": "ENABLED", "off": "DISABLED"}
    stated = flash[str(options.settings.get("flash_attention", "auto"))]
    parameters.flash_attn_type = getattr(native, f"LLAMA_FLASH_ATTN_TYPE_{stated}")
    cache = str(options.settings.get("kv_cache", "f16"))
    parameters.type_k = parameters.type_v = getattr(native, f"GGML_TYPE_{cache.upper()}")
    # With a sliding window the whole prefix must stay, or it could not be used again.
    parameters.swa_full = True
    parameters.no_perf = True
    return parameters
