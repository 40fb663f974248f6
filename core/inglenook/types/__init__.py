"""The plain data that passes between host, engine, plugins and faces.

Everything here is immutable and picklable, because runtimes and parsers may live in other
processes. Offsets are in characters (code points), sizes in bytes, durations in seconds.
"""

from __future__ import annotations

from inglenook.types.answers import (
    Answer,
    Answered,
    AskEvent,
    Citation,
    Passage,
    Retrieved,
    Sentence,
)
from inglenook.types.cancelling import (
    CancelToken,
    Notice,
)
from inglenook.types.documents import (
    ChunkText,
    LoadRequest,
    Locator,
    LocatorKind,
    Section,
)
from inglenook.types.filters import (
    Action,
    FilterContext,
    Finding,
    Span,
    Stage,
    Verdict,
)
from inglenook.types.generation import (
    Done,
    Failed,
    GenerateRequest,
    ImagePart,
    Message,
    ModelFiles,
    Part,
    PromptProgress,
    Role,
    RuntimeEvent,
    RuntimeInfo,
    RuntimeOptions,
    StopReason,
    TextDelta,
    TextPart,
    ThinkingDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    Usage,
)
from inglenook.types.ingestion import (
    IngestEvent,
    IngestPlan,
    IngestProgress,
    IngestReport,
    Outcome,
    SourceResult,
)
from inglenook.types.work import (
    FetchPart,
    FetchProgress,
    Output,
)

__all__ = [
    "Action",
    "Answer",
    "Answered",
    "AskEvent",
    "CancelToken",
    "ChunkText",
    "Citation",
    "Done",
    "Failed",
    "FetchPart",
    "FetchProgress",
    "FilterContext",
    "Finding",
    "GenerateRequest",
    "ImagePart",
    "IngestEvent",
    "IngestPlan",
    "IngestProgress",
    "IngestReport",
    "LoadRequest",
    "Locator",
    "LocatorKind",
    "Message",
    "ModelFiles",
    "Notice",
    "Outcome",
    "Output",
    "Part",
    "Passage",
    "PromptProgress",
    "Retrieved",
    "Role",
    "RuntimeEvent",
    "RuntimeInfo",
    "RuntimeOptions",
    "Section",
    "Sentence",
    "SourceResult",
    "Span",
    "Stage",
    "StopReason",
    "TextDelta",
    "TextPart",
    "ThinkingDelta",
    "TokenLogprob",
    "ToolCallDelta",
    "ToolCallPart",
    "ToolResultPart",
    "ToolSpec",
    "Usage",
    "Verdict",
]
