"""The runtime `onnx-genai`: ONNX Runtime GenAI through its own Python library.

Run it with `inglenook.models.worker.RuntimeWorker`, which keeps crashes of native code away from
the program.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inglenook.errors import RuntimeFailure
from inglenook.models.genai_folder import CONFIG, GenaiInfo, read_genai_config, read_genai_tokens
from inglenook.models.local import files_from_path
from inglenook.models.local_requests import (
    SAMPLING_DEFAULTS,
    require_honoured,
    require_known_tokens,
    require_room,
)
from inglenook.models.stop_strings import StopStrings
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
from inglenook_onnx_genai.bare import BareOnnxGenai
from inglenook_onnx_genai.devices import device_reports
from inglenook_onnx_genai.library import NATIVE_ERRORS, import_genai, one_line
from inglenook_onnx_genai.providers import load_model
from inglenook_onnx_genai.sampling import Sampler
from inglenook_onnx_genai.seat import Guidance, Seat, guidance_of
from inglenook_onnx_genai.vocabulary import TokenText, Vocabulary

__all__ = ["OnnxGenaiRuntime"]

DEFAULT_CONTEXT_LENGTH = 4096
DEFAULT_BATCH = 256

_WAIT_S = 0.05


class OnnxGenaiRuntime:
    """Runs one model folder. Several requests take turns if opened with several `slots`."""

    def __init__(self, files: ModelFiles, options: RuntimeOptions) -> None:
        self._files = files
        self._options = options
        self._info: RuntimeInfo | None = None
        self._config: GenaiInfo | None = None
        self._vocabulary: Vocabulary | None = None
        self._model: Any = None
        self._seats: list[Seat] = []
        self._free = threading.Condition()
        self._load_s = 0.0
        self._round = 0

    @classmethod
    def devices(cls) -> tuple[DeviceReport, ...]:
        """What this build of the library can compute on; see `protocols.DeviceProbe`."""
        return device_reports(import_genai())

    @classmethod
    def bare(cls, files: ModelFiles, options: RuntimeOptions) -> BareOnnxGenai:
        """The library alone; see `protocols.RuntimeWithBareModel`."""
        return BareOnnxGenai(import_genai(), files.files[CONFIG].parent, options)

    @classmethod
    def convert(
        cls, request: ConversionRequest, cancel: CancelToken
    ) -> Iterator[ConversionProgress]:
        """Write a model folder from other weights; see `protocols.ConvertsModels`."""
        from inglenook_onnx_genai.conversion import convert

        return convert(request, cancel)

    def open(self) -> RuntimeInfo:
        """Load the model; does nothing when it is loaded."""
        if self._info is not None:
            return self._info
        folder = self._folder()
        config = read_genai_config(folder)
        tokens = read_genai_tokens(folder, config)
        vocabulary = Vocabulary(tokens, self._files.reference)
        library = import_genai()
        started = time.monotonic()
        model, device = load_model(library, folder, config, self._options, self._files.reference)
        # Beyond what it was trained for a model only babbles.
        context = min(self._options.context_length or DEFAULT_CONTEXT_LENGTH, config.context_length)
        batch = self._options.batch or DEFAULT_BATCH
        seats = [Seat(library, model, config, context, batch) for _ in range(self._options.slots)]
        self._load_s = time.monotonic() - started
        self._config, self._vocabulary, self._seats = config, vocabulary, seats
        self._model = model
        self._info = RuntimeInfo(
            context_length=context,
            trained_context_length=config.context_length,
            chat_template=tokens.chat_template,
            bos=tokens.bos,
            eos=tokens.eos,
            add_bos=tokens.add_bos,
            control_tokens=tokens.control_tokens,
            slots=self._options.slots,
            grammar=True,
            parameters=tuple(SAMPLING_DEFAULTS),
            # What was written is computed token by token, and rounds differently from what is read.
            reproducible="same_cache",
            device=device,
        )
        return self._info

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The model's own tokens of `text`."""
        return self._opened()[1].encode(text, special=special)

    def generate(self, request: GenerateRequest, cancel: CancelToken) -> Iterator[RuntimeEvent]:
        """Stream one answer."""
        info, vocabulary, config = self._opened()
        require_honoured(request, "onnx-genai")
        guidance = guidance_of(request)
        prompt = request.tokens or ()
        require_room(len(prompt), info.context_length, self._files.reference)
        require_known_tokens(prompt, config.vocabulary, self._files.reference)
        with self._seat_for(request, cancel) as seat:
            if seat is None or cancel.cancelled:
                yield Usage(prompt_tokens=len(prompt))
                yield Done("cancelled")
                return
            load_s, self._load_s = self._load_s, 0.0
            answer = _Answer(seat, request, cancel, vocabulary, info, load_s)
            events = answer.events(guidance, frozenset(config.eos_ids))
            yield from self._guarded(events, seat, guidance)

    def scores(self, tokens: Sequence[int], cancel: CancelToken) -> list[TokenScore]:
        """How likely the model finds a text; see `protocols.ScoresTokens`."""
        from inglenook_onnx_genai.scoring import token_scores

        info, _, config = self._opened()
        require_room(len(tokens), info.context_length, self._files.reference)
        require_known_tokens(tuple(tokens), config.vocabulary, self._files.reference)
        try:
            return token_scores(import_genai(), self._model, tokens, cancel)
        except NATIVE_ERRORS as error:
            raise RuntimeFailure(f"ONNX Runtime GenAI failed: {one_line(error)}.") from error

    def close(self) -> None:
        """Free the model. Answers under way must be cancelled or closed first."""
        with self._free:
            # A seat that is in use frees its memory when its answer ends.
            self._info, self._vocabulary, self._config = None, None, None
            self._model = None
            self._seats = []
            self._round += 1
            self._free.notify_all()

    def _folder(self) -> Path:
        """The model's folder, whole. Raises `UserError`, `ModelBrokenError`."""
        folder = self._files.files[CONFIG].parent
        files_from_path(folder)
        return folder

    def _opened(self) -> tuple[RuntimeInfo, Vocabulary, GenaiInfo]:
        info, vocabulary, config = self._info, self._vocabulary, self._config
        if info is None or vocabulary is None or config is None:
            raise RuntimeFailure(f"{self._files.reference} is not open.")
        return info, vocabulary, config

    @contextmanager
    def _seat_for(self, request: GenerateRequest, cancel: CancelToken) -> Iterator[Seat | None]:
        """The free seat that holds most of the prompt; None if it was cancelled meanwhile."""
        prompt = request.tokens or ()
        with self._free:
            round = self._round
            while not self._seats and round == self._round and not cancel.cancelled:
                self._free.wait(_WAIT_S)
            if round != self._round:
                raise RuntimeFailure(f"{self._files.reference} was closed.")
            seat = max(self._seats, key=lambda s: s.common(prompt)) if self._seats else None
            if seat is not None:
                self._seats.remove(seat)
        try:
            yield seat
        finally:
            with self._free:
                if seat is not None and round == self._round:
                    self._seats.append(seat)
                    self._free.notify()

    def _guarded(
        self, events: Iterator[RuntimeEvent], seat: Seat, guidance: Guidance | None
    ) -> Iterator[RuntimeEvent]:
        """The events, with an end in `Failed` where native code or a close ends them."""
        round, begun = self._round, False
        try:
            for event in events:
                begun = True
                yield event
                if round != self._round:
                    yield Failed("RuntimeFailure", f"{self._files.reference} was closed.")
                    return
        except NATIVE_ERRORS as error:
            seat.clear()
            message = f"ONNX Runtime GenAI failed: {one_line(error)}."
            hint = (
                f"The {guidance.told} may be too intricate: ask for something simpler."
                if guidance
                else "If it is memory that is short, set a smaller num_ctx."
            )
            if not begun:
                raise RuntimeFailure(message, hint=hint) from error
            yield Failed("RuntimeFailure", message, hint)


class _Answer:
    """One generation: the library's own loop, with the choice of tokens and the end of it ours."""

    def __init__(
        self,
        seat: Seat,
        request: GenerateRequest,
        cancel: CancelToken,
        vocabulary: Vocabulary,
        info: RuntimeInfo,
        load_s: float,
    ) -> None:
        self._seat = seat
        self._request = request
        self._cancel = cancel
        self._text = TokenText(vocabulary)
        self._context_length = info.context_length
        self._load_s = load_s
        self._stops = StopStrings(request.stop)
        self._made = 0
        self._unshown: list[int] = []

    def events(self, guidance: Guidance | None, ends: frozenset[int]) -> Iterator[RuntimeEvent]:
        prompt = self._request.tokens or ()
        started = time.monotonic()
        cached = self._seat.begin(prompt, reuse=self._request.reuse_prefix, guidance=guidance)
        for read in self._seat.read(prompt, lambda: self._cancel.cancelled):
            yield PromptProgress(read, len(prompt))
        begun = time.monotonic()
        done = yield from self._write(ends)
        yield Usage(
            prompt_tokens=len(prompt),
            cached_tokens=cached,
            completion_tokens=self._made,
            load_s=self._load_s,
            prompt_s=begun - started,
            completion_s=time.monotonic() - begun,
        )
        yield done

    def _write(self, ends: frozenset[int]) -> Generator[RuntimeEvent, None, Done]:
        """Yield text until the end; returns the `Done`."""
        sampler = Sampler(self._request, self._context_length)
        limit = self._request.max_tokens
        while not self._cancel.cancelled:
            if limit is not None and self._made >= limit:
                yield from self._rest()
                return Done("length")
            token = self._seat.next(sampler)
            if token in ends:
                yield from self._rest()
                return Done("stop")
            self._made += 1
            self._unshown.append(token)
            yield from self._shown(self._stops.feed(self._text.feed(token)))
            if self._stops.found:
                return Done("stop", stop_string=self._stops.found)
            if len(self._seat.tokens) >= self._context_length:
                yield from self._rest()
                return Done("length", context_full=True)
        yield from self._rest()
        return Done("cancelled")

    def _shown(self, text: str) -> Iterator[TextDelta]:
        if text:
            tokens, self._unshown = tuple(self._unshown), []
            yield TextDelta(text, tokens=tokens)

    def _rest(self) -> Iterator[TextDelta]:
        """What was held back for a character or a stop string that never came."""
        text = self._stops.feed(self._text.finish())
        yield from self._shown(text if self._stops.found else text + self._stops.finish())
