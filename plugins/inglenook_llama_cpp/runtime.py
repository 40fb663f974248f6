"""The runtime `llama-cpp`: llama.cpp through the low-level bindings of `llama-cpp-python`.

Run it with `inglenook.models.worker.RuntimeWorker`, which keeps crashes of native code away from
the program.
"""

from __future__ import annotations

import codecs
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from inglenook.errors import RuntimeFailure
from inglenook.models.adapter_files import adapter_digests, require_adapters
from inglenook.models.gguf import read_gguf
from inglenook.models.kept_states import KeptStates
from inglenook.models.local_requests import (
    SAMPLING_DEFAULTS,
    require_honoured,
    require_known_tokens,
    require_room,
)
from inglenook.models.stop_strings import StopStrings
from inglenook.models.token_logprobs import HeldLogprobs
from inglenook.types import (
    CancelToken,
    ConversionProgress,
    ConversionRequest,
    DeviceReport,
    Done,
    Failed,
    GenerateRequest,
    ModelFiles,
    PromptProgress,
    RuntimeEvent,
    RuntimeInfo,
    RuntimeOptions,
    TextDelta,
    TokenScore,
    Usage,
)
from inglenook_llama_cpp.bare import BareLlamaCpp
from inglenook_llama_cpp.devices import device_reports
from inglenook_llama_cpp.logprobs import token_logprob
from inglenook_llama_cpp.model import Model, import_library
from inglenook_llama_cpp.sampling import Sampler

__all__ = ["LlamaCppRuntime"]

_WAIT_S = 0.05
_CLOSE_S = 1.0


class LlamaCppRuntime:
    """Runs one GGUF model, one request at a time; further ones wait."""

    def __init__(self, files: ModelFiles, options: RuntimeOptions) -> None:
        self._files = files
        self._options = options
        self._native: Any = None
        self._model: Model | None = None
        self._info: RuntimeInfo | None = None
        self._load_s = 0.0
        self._using = threading.Lock()
        self._closing = False
        self._states: KeptStates | None = None

    @classmethod
    def devices(cls) -> tuple[DeviceReport, ...]:
        """What this build of the library can compute on; see `protocols.DeviceProbe`."""
        return device_reports(import_library())

    @classmethod
    def bare(cls, files: ModelFiles, options: RuntimeOptions) -> BareLlamaCpp:
        """The library alone; see `protocols.RuntimeWithBareModel`."""
        return BareLlamaCpp(import_library(), files.files["model"], options)

    @classmethod
    def convert(
        cls, request: ConversionRequest, cancel: CancelToken
    ) -> Iterator[ConversionProgress]:
        """Write a GGUF model in fewer bits; see `protocols.ConvertsModels`."""
        from inglenook_llama_cpp.quantising import quantise

        return quantise(import_library(), request, cancel)

    def open(self) -> RuntimeInfo:
        """Load the model; does nothing when it is loaded."""
        if self._info is not None:
            return self._info
        path = self._files.files["model"]
        header = read_gguf(path, tokens=True)
        require_adapters(self._options.adapters, header, self._files.reference)
        started = time.monotonic()
        self._native = import_library()
        self._model = Model(self._native, path, self._files.reference, header, self._options)
        self._load_s = time.monotonic() - started
        self._states = self._kept_states()
        self._closing = False
        self._info = RuntimeInfo(
            context_length=self._model.context_length,
            trained_context_length=header.context_length,
            chat_template=header.chat_template,
            bos=header.bos,
            eos=header.eos,
            add_bos=bool(header.add_bos),
            control_tokens=header.control_tokens,
            grammar=True,
            logprobs=True,
            state=self._states is not None,
            parameters=tuple(SAMPLING_DEFAULTS),
            # A reused prefix was computed in other batches and rounds differently.
            reproducible="same_cache",
            device=self._model.device,
        )
        return self._info

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The model's own tokens of `text`."""
        return self._opened().tokenize(text, special) if text else []

    def generate(self, request: GenerateRequest, cancel: CancelToken) -> Iterator[RuntimeEvent]:
        """Stream one answer."""
        model = self._opened()
        require_honoured(request, "llama-cpp", logprobs=True)
        prompt = request.tokens or ()
        require_room(len(prompt), model.context_length, self._files.reference)
        require_known_tokens(prompt, model.vocabulary_size(), self._files.reference)
        while not self._using.acquire(timeout=_WAIT_S):
            if cancel.cancelled:
                yield Usage(prompt_tokens=len(prompt))
                yield Done("cancelled")
                return
        try:
            load_s, self._load_s = self._load_s, 0.0
            sampler = Sampler(self._native, model.vocabulary, request, model.context_length)
            try:
                answer = _Answer(model, request, cancel, load_s, self._states)
                for event in answer.events(sampler):
                    yield event
                    if self._closing:
                        yield Failed("RuntimeFailure", f"{self._files.reference} was closed.")
                        return
            finally:
                sampler.close()
        finally:
            self._using.release()

    def scores(self, tokens: Sequence[int], cancel: CancelToken) -> list[TokenScore]:
        """How likely the model finds a text; see `protocols.ScoresTokens`."""
        from inglenook_llama_cpp.scoring import token_scores

        model = self._opened()
        require_room(len(tokens), model.context_length, self._files.reference)
        require_known_tokens(tuple(tokens), model.vocabulary_size(), self._files.reference)
        with self._using:
            return token_scores(model, tokens, cancel)

    def close(self) -> None:
        """Free the model. Answers under way must be cancelled or closed first."""
        model, self._model, self._info = self._model, None, None
        self._closing = True
        # Freeing what native code still uses would crash; better to leave it until the end.
        if model is not None and self._using.acquire(timeout=_CLOSE_S):
            try:
                model.close()
            finally:
                self._using.release()

    def _kept_states(self) -> KeptStates | None:
        options = self._options
        if options.state_folder is None:
            return None
        made_with = {
            "runtime": "llama-cpp",
            "context": options.context_length,
            "batch": self._model.batch if self._model else 0,
            "layers": (options.gpu_layers, options.main_gpu),
            "settings": sorted(options.settings.items()),
            "adapters": adapter_digests(options.adapters),
            "device": self._model.device if self._model else "",
        }
        return KeptStates(
            options.state_folder, options.state_bytes, self._files, "llama-cpp-python", made_with
        )

    def _opened(self) -> Model:
        if self._model is None:
            raise RuntimeFailure(f"{self._files.reference} is not open.")
        return self._model


class _Answer:
    """One generation: the loop that every use of llama.cpp comes down to."""

    def __init__(
        self,
        model: Model,
        request: GenerateRequest,
        cancel: CancelToken,
        load_s: float,
        states: KeptStates | None,
    ) -> None:
        self._model = model
        self._request = request
        self._cancel = cancel
        self._load_s = load_s
        self._states = states
        # A character may be spread over tokens; half of one at the end is dropped.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = StopStrings(request.stop)
        self._logprobs = HeldLogprobs() if request.logprobs else None
        self._readable = frozenset(
            ids[0]
            for text in request.shown_tokens
            if len(ids := model.tokenize(text, special=True)) == 1
        )
        self._unshown: list[int] = []
        self._made = 0
        self._cached = 0
        self._prompt_s = 0.0

    def events(self, sampler: Sampler) -> Iterator[RuntimeEvent]:
        started = time.monotonic()
        yield from self._read_prompt(self._request.tokens or ())
        read = time.monotonic()
        self._prompt_s = read - started
        done = yield from self._write(sampler)
        yield Usage(
            prompt_tokens=len(self._request.tokens or ()),
            cached_tokens=self._cached,
            completion_tokens=self._made,
            load_s=self._load_s,
            prompt_s=self._prompt_s,
            completion_s=time.monotonic() - read,
        )
        yield done

    def _read_prompt(self, prompt: tuple[int, ...]) -> Iterator[RuntimeEvent]:
        states = self._states
        fixed: tuple[int, ...] = ()
        if states is not None and self._request.reuse_prefix:
            fixed = prompt[: states.whole_batches(self._request.fixed, self._model.batch)]
            if self._model.holds(fixed) and states.known(fixed):
                fixed = ()
        if states is None or not states.worth_it(fixed, prompt):
            self._cached = self._model.rewind(prompt, self._request.reuse_prefix)
            yield from self._evaluate(prompt, self._cached, len(prompt))
            return
        path = states.find(fixed)
        if path is not None and self._model.load_state(path, fixed):
            self._cached = len(fixed)
        else:
            # From the first token on: a part that was read before was read in other batches.
            self._cached = self._model.rewind(fixed, reuse_prefix=False)
            yield from self._evaluate(fixed, 0, len(prompt))
            if self._model.evaluated < len(fixed):
                return
            states.keep(fixed, self._model.save_state)
        yield from self._evaluate(prompt, len(fixed), len(prompt))

    def _evaluate(self, tokens: tuple[int, ...], begin: int, total: int) -> Iterator[RuntimeEvent]:
        """Read the tokens from `begin` on, in batches; a cancel ends it between two."""
        for start in range(begin, len(tokens), self._model.batch):
            if self._cancel.cancelled:
                return
            if start > begin:
                yield PromptProgress(start, total)
            self._model.evaluate(tokens[start : start + self._model.batch])

    def _write(self, sampler: Sampler) -> Generator[RuntimeEvent, None, Done]:
        """Yield text until the end; returns the `Done`."""
        model, limit = self._model, self._request.max_tokens
        while not self._cancel.cancelled:
            if limit is not None and self._made >= limit:
                yield from self._rest()
                return Done("length")
            token = sampler.sample(model.context)
            if model.is_end(token):
                yield from self._rest()
                return Done("stop")
            self._made += 1
            self._unshown.append(token)
            piece = self._decoder.decode(model.bytes_of(token, special=token in self._readable))
            if self._logprobs is not None:
                self._logprobs.feed(token_logprob(model, token, piece, self._request.logprobs))
            if text := self._stops.feed(piece):
                yield self._delta(text)
            if self._stops.found:
                return Done("stop", stop_string=self._stops.found)
            if model.evaluated >= model.context_length:
                yield from self._rest()
                return Done("length", context_full=True)
            model.evaluate((token,))
        yield from self._rest()
        return Done("cancelled")

    def _rest(self) -> Iterator[RuntimeEvent]:
        if text := self._stops.finish():
            yield self._delta(text)

    def _delta(self, text: str) -> TextDelta:
        tokens, self._unshown = tuple(self._unshown), []
        given = () if self._logprobs is None else self._logprobs.shown(text)
        return TextDelta(text, given, tokens)
