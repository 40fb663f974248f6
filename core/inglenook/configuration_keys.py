"""What `config.toml` may hold, and where in its text a key stands, for errors that say so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inglenook.errors import UserError

__all__ = ["check_keys", "place_of"]

_KEYS: Mapping[str, tuple[str, ...] | None] = {
    "plugins": ("disabled", "policy", "pins"),
    "models": (
        "sources",
        "prompt_cache_mb",
        "keep_alive",
        "memory_mb",
        "max_loaded",
        "parallel",
        "max_queue",
        "queue_timeout_s",
        "registry",
        "huggingface",
        "connections",
        "mirror",
    ),
    # The keys of these are paths, or are checked by who owns them.
    "grants": None,
    "reading": None,
}
"""Every table, and the keys that it may have; None for any."""

_PART = r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'"""
_DOTTED = rf"(?:{_PART})(?:\s*\.\s*(?:{_PART}))*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")


def check_keys(file: Path, text: str, table: Mapping[str, Any]) -> None:
    """Raise `UserError` for the first table or key that nothing reads: a slip of the pen."""
    for name, value in table.items():
        if name not in _KEYS:
            what = "table" if isinstance(value, dict) else "key"
            raise _unknown(file, text, (name,), f"unknown {what} '{name}'", tuple(_KEYS))
        known = _KEYS[name]
        for key in value if known is not None and isinstance(value, dict) else ():
            if known is not None and key not in known:
                raise _unknown(file, text, (name, key), f"'{name}' has no key '{key}'", known)


def place_of(file: Path, path: tuple[str, ...], text: str | None = None) -> str:
    """`FILE:LINE` of a key; the file alone if its line cannot be found.

    Args:
        file: The configuration file.
        path: The key with the tables that it is in, outermost first.
        text: What the file holds, if that is known already.
    """
    if text is None:
        try:
            text = file.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            return str(file)
    for number, found in _keys_by_line(text):
        if found[: len(path)] == path:
            return f"{file}:{number}"
    return str(file)


def _unknown(
    file: Path, text: str, path: tuple[str, ...], said: str, known: tuple[str, ...]
) -> UserError:
    import difflib

    close = difflib.get_close_matches(path[-1], known, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else f"It can be: {', '.join(known)}."
    return UserError(f"{place_of(file, path, text)}: {said}.", hint=hint)


def _keys_by_line(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    header: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if match := _HEADER.match(line):
            header = _parts(match[1])
            yield number, header
        elif match := _KEY.match(line):
            yield number, (*header, *_parts(match[1]))


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))
