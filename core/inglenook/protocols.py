"""The contracts of the parts that plugins bring.

All are synchronous. Life: construct (cheap: no heavy import, no file opened), `open` (heavy),
use, `close` (safe to call twice). Long work yields events and watches a `CancelToken`. Errors are
those of `errors`. Each protocol has a conformance kit in `inglenook.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from inglenook.types import (
    CancelToken,
    ChunkText,
    ConversionProgress,
    ConversionRequest,
    DeviceReport,
    FetchPart,
    FetchProgress,
    FilterContext,
    GenerateRequest,
    LoadRequest,
    ModelFiles,
    ModelOffer,
    Notice,
    Output,
    PartFile,
    RuntimeEvent,
    RuntimeInfo,
    RuntimeOptions,
    Section,
    Stage,
    TokenScore,
    Verdict,
)

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Vectors = NDArray[numpy.float32]

__all__ = [
    "BareModel",
    "Command",
    "CommandContext",
    "ConvertsModels",
    "DeviceProbe",
    "Embedder",
    "Filter",
    "Loader",
    "ModelFinder",
    "ModelSource",
    "Reranker",
    "Runtime",
    "RuntimeWithBareModel",
    "ScoresTokens",
    "Splitter",
    "VectorStore",
]


@runtime_checkable
class Runtime(Protocol):
    """Runs a language model. Constructed as `Class(files: ModelFiles, options: RuntimeOptions)`."""

    def open(self) -> RuntimeInfo:
        """Load the model. Raises `RuntimeFailure`, `ModelBrokenError`, `MissingDependencyError`."""

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The model's token ids of `text`, without begin or end tokens of its own.

        With `special`, texts of control tokens become those tokens; without, they stay text.
        A runtime whose `token_count` is `estimate` returns as many ids as it estimates.
        """

    def generate(self, request: GenerateRequest, cancel: CancelToken) -> Iterator[RuntimeEvent]:
        """Stream one answer.

        Ends in exactly one `Done` or `Failed`, with a `Usage` before `Done`. Raises
        `ContextOverflowError` before the first event if the prompt does not fit, and `UserError`
        for a parameter that it cannot honour. A cancel ends it within a second with
        `Done("cancelled")`. Closing the iterator stops the work too.
        """

    def close(self) -> None:
        """Free the model."""


@runtime_checkable
class DeviceProbe(Protocol):
    """What the class of a runtime, embedder or reranker may offer too: where it can compute.

    `nook devices` asks for it, always in a process of its own and with a limit of time, so it may
    try things out that crash or hang.
    """

    @classmethod
    def devices(cls) -> tuple[DeviceReport, ...]:
        """A report for each device that the library sees, and one for each kind that it cannot use.

        The first usable one of a kind is what DEVICE with that kind takes. Asks the library itself;
        opens no model. Raises `MissingDependencyError`.
        """


@runtime_checkable
class BareModel(Protocol):
    """A model in a runtime's library with nothing of the runtime around it."""

    def open(self) -> int:
        """Load the model; how many requests it can run at the same time."""

    def generate(
        self, tokens: Sequence[int], max_tokens: int, on_tokens: Callable[[int], None]
    ) -> None:
        """Generate greedily as the library's own documentation does, reading all of the prompt.

        `on_tokens` is told how many tokens came, as they come. Several threads may call it at the
        same time, as many as `open` said.
        """

    def close(self) -> None:
        """Free the model."""


@runtime_checkable
class RuntimeWithBareModel(Protocol):
    """What a runtime's class may offer too, for `nook bench --against bare`."""

    @classmethod
    def bare(cls, files: ModelFiles, options: RuntimeOptions) -> BareModel:
        """The same model as the library alone runs it, not open yet."""


@runtime_checkable
class ConvertsModels(Protocol):
    """What a runtime's class may offer too: it writes models of the format that it opens.

    Its factory states the capabilities `writes` (the precisions) and `converts` (the formats that
    it reads). `nook convert` calls it in a process of its own.
    """

    @classmethod
    def convert(
        cls, request: ConversionRequest, cancel: CancelToken
    ) -> Iterator[ConversionProgress]:
        """Write all files of the model into `request.target`; ends early after a cancel.

        Tensor by tensor: what is in memory does not grow with the model. Raises `UserError` for
        what it cannot convert, before anything is written; `ModelBrokenError`, `StoreError` and
        `MissingDependencyError`.
        """


@runtime_checkable
class ScoresTokens(Protocol):
    """What a runtime may offer too, to compare models: how it finds a given text."""

    def scores(self, tokens: Sequence[int], cancel: CancelToken) -> list[TokenScore]:
        """A score for each token but the first, given those before it.

        After a cancel it may be shorter. Raises `ContextOverflowError`, `RuntimeFailure`.
        """


@runtime_checkable
class Embedder(Protocol):
    """Turns text into vectors of length 1. Constructed as `Class(files: ModelFiles, options)`.

    `options` is a mapping of the factory's options.
    """

    @property
    def dimension(self) -> int:
        """The length of a vector."""

    @property
    def max_tokens(self) -> int:
        """The most tokens of a text, its own begin and end tokens apart."""

    @property
    def fingerprint(self) -> str:
        """Names everything that changes a vector: weights, tokenizer, prefixes, pooling."""

    def open(self) -> None:
        """Load the model; the properties hold from here on."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, begin and end tokens apart, without any cut.

        It may be called while another thread is in `embed_documents`.
        """

    def embed_documents(self, texts: Sequence[str], cancel: CancelToken) -> Vectors:
        """Vectors of shape (len(texts), dimension), float32, unit length, in the order given.

        A text of more than `max_tokens` raises `ValueError`: nothing is cut silently.
        """

    def embed_query(self, text: str) -> Vectors:
        """The vector of shape (dimension,) of a question; an over-long one is cut at the end."""

    def close(self) -> None:
        """Free the model."""


@runtime_checkable
class Loader(Protocol):
    """Reads a file. Constructed as `Class(options)`."""

    def load(
        self, request: LoadRequest, cancel: CancelToken
    ) -> Iterator[Section | PartFile | Notice]:
        """Yield the sections in reading order and a notice for what could not be read.

        Files inside the file are yielded as `PartFile` where they stand; the engine reads them.
        It runs in a process of its own with limits of time, memory and output, may be ended at
        any moment, writes no file and speaks to nobody. `request.path` is opened as it is: a part's
        path leads to memory, and what it is a link to cannot be opened by name.

        Raises `LoadError` with a reason from `LOAD_REASONS`; a file without any text is
        `no text: needs OCR` if it shows pictures, `empty` if it is in order and holds nothing, else
        `broken` or an empty stream with a notice.
        """


@runtime_checkable
class Splitter(Protocol):
    """Cuts a section into chunks. Constructed as `Class(options)`."""

    def split(
        self, section: Section, max_tokens: int, count: Callable[[Sequence[str]], list[int]]
    ) -> Iterator[ChunkText]:
        """Yield chunks in order; each is a slice of the section, of at most `max_tokens`.

        Every character that is not white space is in at least one chunk.
        """


@runtime_checkable
class VectorStore(Protocol):
    """Finds nearest vectors. Constructed as `Class(folder: Path, dimension: int, options)`.

    It holds ids and vectors only and may be thrown away: the catalog rebuilds it.
    """

    def open(self) -> None:
        """Open or create it. Raises `StoreError` if it is damaged or another process owns it."""

    def upsert(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Write vectors of shape (len(ids), dimension); the same id again replaces."""

    def delete(self, ids: Sequence[str]) -> None:
        """Forget these ids; unknown ones are ignored."""

    def search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """The `limit` nearest as (id, cosine), best first."""

    def ids(self) -> Iterator[str]:
        """Every id, in any order."""

    def count(self) -> int:
        """How many vectors there are."""

    def close(self) -> None:
        """Leave it whole on disk."""


@runtime_checkable
class Reranker(Protocol):
    """Orders passages anew. Constructed as `Class(files: ModelFiles | None, options)`.

    `files` are those of the model that the option `model` names; None where the factory opens no
    formats. `options` is a mapping of the factory's options.
    """

    @property
    def fingerprint(self) -> str:
        """Names everything that changes a score: weights, tokenizer, options."""

    def open(self) -> None:
        """Load the model; the fingerprint holds from here on.

        Raises `ModelError`, `ModelBrokenError`, `MissingDependencyError`.
        """

    def rerank(self, question: str, texts: Sequence[str], cancel: CancelToken) -> list[float]:
        """How well each text answers the question, in the order given; higher is better.

        Scores are finite, and comparable within one call only. A text is read to its end, in
        several pieces if it must be; of an over-long question the end is cut. Raises `Cancelled`
        soon after a cancel.
        """

    def close(self) -> None:
        """Free the model."""


@runtime_checkable
class Filter(Protocol):
    """Judges text; pure: no files, no network. Constructed as `Class(options)`."""

    @property
    def max_match(self) -> int | None:
        """The longest span that it can find, in characters; None needs the whole text."""

    def check(self, text: str, context: FilterContext) -> Verdict:
        """The verdict on `text`, with spans in its offsets."""

    def unstable_from(self, text: str) -> int:
        """The first offset whose verdict a longer text could still change.

        Findings that end before it are final. `len(text)` means that all is settled.
        """


@runtime_checkable
class ModelSource(Protocol):
    """Delivers files of models. Constructed as `Class(options)`."""

    def hosts(self, part: FetchPart) -> tuple[str, ...]:
        """The hosts that `fetch` would speak to; empty for none. Shown before anything happens."""

    def fetch(
        self, part: FetchPart, target: Path, cancel: CancelToken
    ) -> Iterator[FetchProgress | Notice]:
        """Write the part to `target` (a new file in a folder of its own). Raises `PullError`.

        Another host than those of `hosts` is named in a notice before it is contacted. What is
        kept in the folder under a name that begins with `resume-` is there at the next pull.
        """


@runtime_checkable
class ModelFinder(Protocol):
    """What a model source does that also finds models by names of its own.

    Its factory declares the capability `names`: how such names begin (`hf.co/`, `https://`); ""
    takes every name that nobody else does.
    """

    def find_hosts(self, name: str) -> tuple[str, ...]:
        """The hosts that `find` would speak to. Raises `UserError` for a malformed name."""

    def find(self, name: str, cancel: CancelToken) -> Iterator[Notice | ModelOffer]:
        """Look it up; the offer comes last, and is the only one.

        Another host than those of `find_hosts` is named in a notice before it is contacted.
        Raises `ModelNotFoundError` if there is no such model, `PullError` for anything else.
        """


class CommandContext(Protocol):
    """What the engine offers to a command: no face, no internals."""

    def make_filter(self, name: str, options: Mapping[str, Any]) -> Filter:
        """A filter by name."""

    def load_text(self, path: Path) -> Iterator[Section | Notice]:
        """Read a file with the loader for its type."""


@runtime_checkable
class Command(Protocol):
    """A command for every face. Constructed as `Class()`."""

    def run(
        self, arguments: Mapping[str, Any], context: CommandContext, cancel: CancelToken
    ) -> Iterable[Output]:
        """Do it; the largest `exit_code` of the outputs is the command's."""


Stages = frozenset[Stage]
