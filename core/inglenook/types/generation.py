"""Messages, models, and what passes between the engine and a runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from inglenook.types.cancelling import Notice

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image, as bytes of the named media type."""

    data: bytes
    media_type: str = "image/png"


@dataclass(frozen=True, slots=True)
class ToolCallPart:
    """A call that the model asked for; `arguments` is JSON-like data."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResultPart:
    """What the tool call with this id gave."""

    id: str
    name: str
    text: str


Part = TextPart | ImagePart | ToolCallPart | ToolResultPart


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, in typed parts."""

    role: Role
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, role: Role, text: str) -> Message:
        return cls(role, (TextPart(text),))

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that the model may call; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """One generation. Exactly one of `tokens` and `messages` is given.

    Args:
        tokens: The prompt in the model's own ids: what a runtime without `renders_chat` takes.
        messages: The conversation: what a runtime with `renders_chat` takes.
        parameters: Ollama's sampling names (`temperature`, `top_k`, `min_p`, …) with checked
            values. A runtime refuses by name what it cannot honour.
        stop: Strings that end the answer and are not part of it.
        max_tokens: The most tokens to generate; None goes on to the end of the context.
        seed: Makes the same request give the same text; None is random.
        json_schema: The answer must be JSON of this schema (needs the `grammar` capability).
        grammar: The answer must follow this grammar (needs the `grammar` capability).
        tools: What the model may call (needs the `tools` capability).
        tool_choice: `auto` leaves it to the model, `required` has it call one of the `tools`, and
            the name of a tool that one.
        shown_tokens: Texts of control tokens that the answer is to show; others stay hidden. For a
            runtime that takes `tokens`: the engine reads tool calls and thinking by them.
        logprobs: How many alternatives to report for each token, 100 at most (needs `logprobs`).
        session: Requests of one conversation share it, so that a runtime can keep their prefix.
        reuse_prefix: Whether an evaluated prefix may be used again. Where a runtime's
            `reproducible` is `same_cache`, an exact repeat by seed needs False.
        fixed: How many of the first `tokens` every prompt of the same assistant begins with; a
            runtime with the capability `state` may keep on disk what it computes from them.
    """

    tokens: tuple[int, ...] | None = None
    messages: tuple[Message, ...] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    seed: int | None = None
    json_schema: Mapping[str, Any] | None = None
    grammar: str | None = None
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"
    shown_tokens: tuple[str, ...] = ()
    logprobs: int = 0
    session: str = ""
    reuse_prefix: bool = True
    fixed: int = 0


StopReason = Literal["stop", "length", "cancelled", "content_filter", "tool_calls"]


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """How likely a token was, as the natural logarithm, before any sampling parameter.

    Args:
        token: Its text; "" for one that only begins a character, which the next ones complete.
        logprob: At most 0; None for one that the runtime's library does not tell.
        top: The likeliest tokens in its place and their figures, the likeliest first.
    """

    token: str
    logprob: float | None
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer; always whole characters.

    `tokens` are the ids that it came from, where the runtime knows them; text that was held back
    for a stop string may come with a later event than its ids. `logprobs` are those of the tokens
    that begin in this text: their texts joined are the answer, where a stop string did not end it
    inside a token.
    """

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """The next piece of the model's reasoning, apart from the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A complete tool call."""

    call: ToolCallPart


@dataclass(frozen=True, slots=True)
class Usage:
    """What a generation cost. Tokens, and seconds.

    `cached_tokens` of the `prompt_tokens` were not evaluated again. Counts are None where a
    remote runtime does not tell.
    """

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    load_s: float = 0.0
    prompt_s: float = 0.0
    completion_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """How much of a long prompt has been evaluated, in tokens."""

    processed: int
    total: int


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a generation that did not fail.

    `stop_string` is the stop string that ended it, where the runtime knows it. With
    `context_full`, a `length` comes from the end of the context and not from `max_tokens`.
    """

    stop_reason: StopReason
    stop_string: str = ""
    context_full: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """The end of a generation that failed. `error` names the class in `errors`."""

    error: str
    message: str
    hint: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits for its turn; `position` is its place in line, from 1.

    Args:
        position: Requests that come before it, and itself.
        reason: `slot` where the model answers others, `memory` where others must end before the
            model can be loaded.
    """

    position: int
    reason: Literal["slot", "memory"] = "slot"

    def __str__(self) -> str:
        last = self.position % 10 if self.position % 100 not in (11, 12, 13) else 0
        place = f"{self.position}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') } in line"
        return f"Waiting for memory: {place}" if self.reason == "memory" else f"Waiting: {place}"


RuntimeEvent = (
    TextDelta
    | ThinkingDelta
    | ToolCallDelta
    | PromptProgress
    | Queued
    | Usage
    | Notice
    | Done
    | Failed
)
"""A stream ends in exactly one `Done` or `Failed`; a `Usage` comes right before a `Done`."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on disk, for a runtime or embedder to open.

    Args:
        reference: The name it goes by, for messages.
        format: `gguf`, `sentence-onnx`, `sentence-safetensors`, …; matched with `formats`.
        files: File name -> path. A single-file model has the key `model`.
        digest: The sha256 of the main file, part of every fingerprint.
        details: Facts from the manifest: licence, family, query prefix, pooling, ….
        seen: File name -> size in bytes and time of modification in nanoseconds, as the files
            were when they were last checked; {} if nobody has.
    """

    reference: str
    format: str
    files: Mapping[str, Path]
    digest: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    seen: Mapping[str, tuple[int, int]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """How to open a model. None and 0 leave the choice to the runtime.

    Args:
        context_length: Tokens of prompt and answer together (`num_ctx`).
        batch: Tokens evaluated at once (`num_batch`).
        gpu_layers: Layers to put on the GPU (`num_gpu`); -1 is automatic, 0 none.
        main_gpu: The index of the GPU to use first.
        threads: CPU threads (`num_thread`).
        mmap: Whether to map the file into memory (`use_mmap`).
        slots: How many requests run at the same time.
        devices: The order of preference: `npu`, `gpu`, `cpu`.
        adapters: LoRA files.
        embeddings: Open for embedding instead of generation.
        state_folder: Where the runtime may keep what it computes from the fixed beginnings of
            prompts (see `models.kept_states`); None keeps nothing.
        state_bytes: What all that is kept there, and in the folders beside it, may take.
        settings: The options of the profile's RUNTIME line, checked, defaults filled in.
    """

    context_length: int = 0
    batch: int = 0
    gpu_layers: int = -1
    main_gpu: int | None = None
    threads: int = 0
    mmap: bool | None = None
    slots: int = 1
    devices: tuple[str, ...] = ()
    adapters: tuple[Path, ...] = ()
    embeddings: bool = False
    state_folder: Path | None = None
    state_bytes: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """What an open runtime can do and what the model says of itself.

    Args:
        context_length: Tokens of prompt and answer together, for one request; 0 where a server
            does not tell.
        trained_context_length: What the model was trained for; 0 if unknown.
        renders_chat: Takes `messages` and renders them itself (remote servers). Otherwise it
            takes `tokens`, and the engine renders `chat_template`.
        token_count: Whether `tokenize` is the model's own (`exact`) or an `estimate`.
        chat_template: The model's own Jinja template, or "".
        bos: The text of the token that begins a prompt, or "".
        eos: The text of the token that ends a turn, or "".
        control_tokens: The texts that the tokenizer turns into control tokens; the engine keeps
            them out of untrusted text.
        slots: Requests that run at the same time.
        tools, grammar, logprobs: What requests may ask for. A runtime that takes `tokens` has no
            `tools`: the engine renders them, and reads the calls.
        state: Whether it keeps what it computes from the `fixed` tokens of a request on disk.
        parameters: The sampling parameters that it honours.
        reproducible: Whether the same seed gives the same text: `always`, with the `same_cache`
            state only, or `never`.
        device: Where it runs, and why there.
        remote: The host that prompts are sent to; "" on this machine.
    """

    context_length: int
    trained_context_length: int = 0
    renders_chat: bool = False
    token_count: Literal["exact", "estimate"] = "exact"
    chat_template: str = ""
    bos: str = ""
    eos: str = ""
    add_bos: bool = False
    control_tokens: tuple[str, ...] = ()
    slots: int = 1
    tools: bool = False
    grammar: bool = False
    logprobs: bool = False
    state: bool = False
    parameters: tuple[str, ...] = ()
    reproducible: Literal["always", "same_cache", "never"] = "always"
    device: str = "cpu"
    remote: str = ""
