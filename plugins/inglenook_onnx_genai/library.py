"""The libraries of this runtime: how they are imported, and what their errors are."""

from __future__ import annotations

from typing import Any

from inglenook.errors import MissingDependencyError

__all__ = ["NATIVE_ERRORS", "import_genai", "import_tokenizers", "one_line"]

NATIVE_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, MemoryError)
"""What native code raises: the library has no class of its own."""

_LONGEST_REASON = 300


def import_genai() -> Any:
    """The module `onnxruntime_genai`. Raises `MissingDependencyError`."""
    try:
        import onnxruntime_genai
    except (ImportError, OSError) as error:
        raise _missing("onnxruntime-genai", error) from error
    return onnxruntime_genai


def import_tokenizers() -> Any:
    """The module `tokenizers`. Raises `MissingDependencyError`."""
    try:
        import tokenizers
    except ImportError as error:
        raise _missing("tokenizers", error) from error
    return tokenizers


def one_line(error: BaseException) -> str:
    """What a native error says, short enough to be told, without its full stop."""
    # The state of a parser, which may follow, is for its makers.
    text = " ".join(str(error).partition("<state>")[0].split()).rstrip(".")
    if len(text) > _LONGEST_REASON:
        text = text[:_LONGEST_REASON] + "…"
    return text or type(error).__name__


def _missing(library: str, error: BaseException) -> MissingDependencyError:
    return MissingDependencyError(
        f"The runtime 'onnx-genai' needs the library {library}: {one_line(error)}.",
        hint="Install it with: pip install 'inglenook[onnx-genai]'",
    )
