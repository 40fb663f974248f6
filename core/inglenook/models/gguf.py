"""Reads the header of a GGUF file and checks that the file is whole; no library needed.

The file is not trusted: counts and lengths are held against the size of the file before anything
is allocated, and every fault is a `ModelBrokenError`. Format: `ggml/docs/gguf.md`, versions 2, 3.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from inglenook.errors import ModelBrokenError
from inglenook.models.gguf_layout import BLOCKS, FILE_TYPES, SCALARS, TYPE_ARRAY, TYPE_STRING

__all__ = [
    "GgufContents",
    "GgufInfo",
    "GgufTensor",
    "read_gguf",
    "read_gguf_contents",
    "read_gguf_tokens",
]

_Found = TypeVar("_Found")

Value = str | int | float | bool | list["Value"]

_FIRST_READ_BYTES = 16 * 1024 * 1024
_LONGEST_HEADER_BYTES = 128 * 1024 * 1024
_LONGEST_KEPT_ARRAY = 256
_DEEPEST_ARRAY = 3
_MOST_DIMENSIONS = 8
_MOST_ELEMENTS = (1 << 63) - 1
_LARGEST_ALIGNMENT = 1 << 20
_SMALLEST_ENTRY_BYTES = 13
_SMALLEST_TENSOR_BYTES = 24
_CONTROL = 3
_USER_DEFINED = 4
_LOOKS_LIKE_CONTROL = re.compile(r"<\|.*\|>|<｜.*｜>|<[^\s<>]+>|\[/?[A-Z_]+\]", re.DOTALL)
# A hostile length may lie beyond the file, or beyond what an address can be.
_OUT_OF_BYTES = (struct.error, OverflowError)
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class GgufInfo:
    """What a GGUF file says of itself.

    Args:
        architecture: Such as `llama` or `qwen2`; Ollama calls it the family.
        name: The model's own name, or "".
        context_length: Tokens that it was trained for; 0 if not said.
        chat_template: The Jinja template, or "".
        quantisation: Such as `Q4_K_M`; "" if unknown.
        file_type: The number behind `quantisation`; None if not said.
        parameters: How many weights there are, counted.
        tokenizer: The kind of tokenizer, such as `gpt2`; "" if there is none.
        vocabulary: How many tokens there are.
        bos_id, eos_id: The tokens that begin a prompt and end a turn; None if not said.
        add_bos: Whether a prompt begins with `bos_id`; None if not said.
        bos, eos: Their texts; "" unless read with `tokens=True`.
        control_tokens: The texts of control tokens, and of user-defined tokens that look like
            them; () unless read with `tokens=True`.
        licence: As the file says; "" if not said.
        shards: How many files the model is split into.
        metadata: Every key with its value, long arrays left out.
    """

    architecture: str
    name: str
    context_length: int
    chat_template: str
    quantisation: str
    file_type: int | None
    parameters: int
    tokenizer: str = ""
    vocabulary: int = 0
    bos_id: int | None = None
    eos_id: int | None = None
    add_bos: bool | None = None
    bos: str = ""
    eos: str = ""
    control_tokens: tuple[str, ...] = ()
    licence: str = ""
    shards: int = 1
    metadata: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """Where a tensor lies in its file.

    Args:
        name: Such as `blk.0.attn_q.weight`.
        shape: Its dimensions, the one that lies together in the file first.
        type: The number of its type (see `gguf_layout.BLOCKS`).
        offset, size_bytes: Its bytes in the file; the size is 0 for a type that is not known.
    """

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GgufContents:
    """A GGUF file's facts, its tensors by name, and its long arrays of texts and numbers."""

    info: GgufInfo
    tensors: Mapping[str, GgufTensor]
    arrays: Mapping[str, list[Value]]

    def value(self, key: str) -> Value | None:
        """The value of a key of the metadata, however long; None if it is not there."""
        return self.arrays[key] if key in self.arrays else self.info.metadata.get(key)


def read_gguf(path: Path, *, tokens: bool = False) -> GgufInfo:
    """Read and check the header.

    Args:
        path: The file.
        tokens: Whether to read the texts of control tokens too (a tenth of a second for 150,000).

    Raises:
        ModelBrokenError: It is not a GGUF file, or is truncated or malformed.
    """
    return _read(path, lambda header: header.read(tokens))


def _read(path: Path, read: Callable[[_Header], _Found]) -> _Found:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            for limit in _read_limits(size):
                file.seek(0)
                try:
                    return read(_Header(path, file.read(limit), size))
                except _NeedsMoreError:
                    continue
    except OSError as error:
        raise ModelBrokenError(
            f"{path} cannot be read: {error.strerror or error}.", hint="Check the file."
        ) from error
    raise _broken(path, f"its header is larger than {_LONGEST_HEADER_BYTES:,} bytes")


def read_gguf_tokens(path: Path, ids: Iterable[int]) -> dict[int, str]:
    """The texts of these tokens as the vocabulary of a GGUF file has them, in its own spelling.

    Ids that it does not have are left out. Raises `ModelBrokenError` as `read_gguf` does.
    """
    wanted: set[int] = set(ids)
    return _read(path, lambda header: header.texts_of(wanted))


def read_gguf_contents(path: Path) -> GgufContents:
    """Read and check the header, and keep all of it. Raises `ModelBrokenError`."""
    return _read(path, lambda header: header.contents())


def _read_limits(size: int) -> Iterator[int]:
    limit = _FIRST_READ_BYTES
    while limit < min(size, _LONGEST_HEADER_BYTES):
        yield limit
        limit *= 4
    yield min(limit, _LONGEST_HEADER_BYTES)


def _broken(path: Path, wrong: str) -> ModelBrokenError:
    return ModelBrokenError(
        f"{path} is not a usable GGUF file: {wrong}.",
        hint="Fetch it again: remove the model and pull it, or copy the file anew.",
    )


class _NeedsMoreError(Exception):
    """The header goes on behind the bytes that were read."""


@dataclass(frozen=True, slots=True)
class _Array:
    """Where a long array lies: its values are read only if somebody asks."""

    type: int
    length: int
    start: int


class _Header:
    """One pass over the first bytes of a file of `size` bytes."""

    def __init__(self, path: Path, data: bytes, size: int) -> None:
        self._path = path
        self._data = data
        self._size = size
        self._at = 0
        self._values: dict[str, Value] = {}
        self._arrays: dict[str, _Array] = {}
        self._tensors: list[GgufTensor] = []

    def read(self, tokens: bool) -> GgufInfo:
        tensors = self._read_start()
        try:
            parameters = self._read_tensors(tensors)
        except _OUT_OF_BYTES:
            raise self._short() from None
        info = self._info(parameters)
        return self._with_tokens(info) if tokens else info

    def contents(self) -> GgufContents:
        """All of the header, after everything was checked."""
        info = self.read(False)
        tensors = {tensor.name: tensor for tensor in self._tensors}
        arrays = {
            key: self._array_values(array)
            for key, array in self._arrays.items()
            if array.type != TYPE_ARRAY
        }
        return GgufContents(info, tensors, arrays)

    def _array_values(self, array: _Array) -> list[Value]:
        self._at = array.start
        if array.type == TYPE_STRING:
            return [self._string() for _ in range(array.length)]
        layout = self._scalar(array.type)
        end = array.start + layout.size * array.length
        return [value for (value,) in layout.iter_unpack(self._data[array.start : end])]

    def texts_of(self, wanted: set[int]) -> dict[int, str]:
        """The texts of tokens, after everything was checked."""
        self.read(False)
        return self._token_texts(wanted)

    def _read_start(self) -> int:
        """Read magic, version and metadata; the number of tensors."""
        if self._data[:4] != b"GGUF":
            wrong = "it is empty" if not self._data else "it does not begin with 'GGUF'"
            raise _broken(self._path, wrong)
        self._at = 4
        try:
            version = self._number(_U32)
            if version not in (2, 3):
                swapped = version in (0x02000000, 0x03000000)
                kind = "is big-endian" if swapped else f"has the GGUF version {version}"
                raise _broken(self._path, f"it {kind}; little-endian versions 2 and 3 are read")
            tensors, entries = self._number(_U64), self._number(_U64)
            self._fits("tensors", tensors, _SMALLEST_TENSOR_BYTES)
            self._fits("metadata entries", entries, _SMALLEST_ENTRY_BYTES)
            for _ in range(entries):
                self._read_entry()
        except _OUT_OF_BYTES:
            raise self._short() from None
        return tensors

    def _read_entry(self) -> None:
        key = self._string(strict=True)
        if key in self._values or key in self._arrays:
            raise _broken(self._path, f"the key '{key[:80]}' stands in it twice")
        type = self._number(_U32)
        if type == TYPE_ARRAY:
            array = self._array_head()
            if array.length > _LONGEST_KEPT_ARRAY or array.type == TYPE_ARRAY:
                self._arrays[key] = array
                self._skip_array(array, 1)
            else:
                self._values[key] = [self._value(array.type) for _ in range(array.length)]
        else:
            self._values[key] = self._value(type)

    def _value(self, type: int) -> Value:
        if type == TYPE_STRING:
            return self._string()
        value: int | float | bool = self._number(self._scalar(type))
        return value

    def _scalar(self, type: int) -> struct.Struct:
        if type not in SCALARS:
            raise _broken(self._path, f"it uses the unknown value type {type}")
        return SCALARS[type]

    def _number(self, layout: struct.Struct) -> int:
        (value,) = layout.unpack_from(self._data, self._at)
        self._at += layout.size
        return value  # type: ignore[no-any-return]

    def _string(self, *, strict: bool = False) -> str:
        length = self._number(_U64)
        self._fits("characters in a text", length, 1)
        raw = self._data[self._at : self._at + length]
        if len(raw) < length:
            raise self._short()
        self._at += length
        try:
            return raw.decode("utf-8", "strict" if strict else "replace")
        except UnicodeDecodeError:
            raise _broken(self._path, "a key in it is not UTF-8") from None

    def _array_head(self) -> _Array:
        type, length = self._number(_U32), self._number(_U64)
        if type in (TYPE_STRING, TYPE_ARRAY):
            smallest = 8 if type == TYPE_STRING else 12
        else:
            smallest = self._scalar(type).size
        self._fits("values in an array", length, smallest)
        return _Array(type, length, self._at)

    def _skip_array(self, array: _Array, depth: int) -> None:
        if array.type == TYPE_STRING:
            self._at = self._skip_strings(array.length)
        elif array.type == TYPE_ARRAY:
            if depth >= _DEEPEST_ARRAY:
                raise _broken(self._path, "arrays are nested too deeply")
            for _ in range(array.length):
                self._skip_array(self._array_head(), depth + 1)
        else:
            self._at += self._scalar(array.type).size * array.length
        if self._at > len(self._data):
            raise self._short()

    def _skip_strings(self, count: int) -> int:
        # The hot loop: a vocabulary and its merges are 300,000 strings.
        data, at, unpack = self._data, self._at, _U64.unpack_from
        for _ in range(count):
            at += 8 + unpack(data, at)[0]
        return at

    def _fits(self, what: str, count: int, smallest_bytes: int) -> None:
        """Refuse a count that the rest of the file cannot hold, before anything is allocated."""
        if count * smallest_bytes > self._size - self._at:
            needed = self._at + count * smallest_bytes
            raise _broken(
                self._path,
                f"truncated or damaged: its header promises {count:,} {what}, which needs "
                f"{needed:,} bytes; it has {self._size:,}",
            )

    def _short(self) -> Exception:
        """The bytes ran out: of the file, or only of what was read of it so far."""
        if len(self._data) < min(self._size, _LONGEST_HEADER_BYTES):
            return _NeedsMoreError()
        if self._size > _LONGEST_HEADER_BYTES:
            return _broken(self._path, f"its header is larger than {_LONGEST_HEADER_BYTES:,} bytes")
        return _broken(
            self._path,
            f"truncated: it ends within its header, after {self._size:,} bytes",
        )

    def _read_tensors(self, count: int) -> int:
        """Check that every tensor lies inside the file; how many weights there are."""
        parameters, end = 0, 0
        found: list[GgufTensor] = []
        alignment = self._values.get("general.alignment", 32)
        proper = isinstance(alignment, int) and 1 <= alignment <= _LARGEST_ALIGNMENT
        if not isinstance(alignment, int) or not proper or alignment & (alignment - 1):
            raise _broken(self._path, f"its alignment is {alignment!r}")
        for _ in range(count):
            name = self._string()
            dimensions = self._number(_U32)
            if dimensions > _MOST_DIMENSIONS:
                raise _broken(self._path, f"the tensor '{name[:80]}' has {dimensions} dimensions")
            shape = tuple(self._number(_U64) for _ in range(dimensions))
            elements = math.prod(shape)
            if elements > _MOST_ELEMENTS:
                raise _broken(self._path, f"the tensor '{name[:80]}' has {elements:,} weights")
            type, offset = self._number(_U32), self._number(_U64)
            if offset % alignment:
                raise _broken(self._path, f"the tensor '{name[:80]}' is not aligned")
            # A type that is newer than this table is left for the runtime to judge.
            block, block_bytes = BLOCKS.get(type, (1, 0))
            size = -(-elements // block) * block_bytes
            found.append(GgufTensor(name, shape, type, offset, size))
            end = max(end, offset + size)
            parameters += elements
        start = -(-self._at // alignment) * alignment
        if count and start + end > self._size:
            raise _broken(self._path, f"truncated: needs {start + end:,} bytes, has {self._size:,}")
        self._refuse_shared_bytes(found)
        self._tensors = [replace(tensor, offset=start + tensor.offset) for tensor in found]
        return parameters

    def _refuse_shared_bytes(self, tensors: list[GgufTensor]) -> None:
        """Each tensor has a name of its own and bytes of its own."""
        if len({tensor.name for tensor in tensors}) < len(tensors):
            raise _broken(self._path, "two of its tensors have the same name")
        placed = sorted(tensors, key=lambda tensor: tensor.offset)
        for one, next_one in pairwise(placed):
            if next_one.offset < one.offset + one.size_bytes:
                raise _broken(
                    self._path,
                    f"its tensors '{one.name[:80]}' and '{next_one.name[:80]}' share bytes",
                )

    # --- what the values mean ---------------------------------------------------------------

    def _info(self, parameters: int) -> GgufInfo:
        architecture = self._text("general.architecture")
        file_type = self._integer("general.file_type")
        add_bos = self._values.get("tokenizer.ggml.add_bos_token")
        vocabulary = self._arrays.get("tokenizer.ggml.tokens")
        return GgufInfo(
            architecture=architecture,
            name=self._text("general.name"),
            context_length=self._integer(f"{architecture}.context_length") or 0,
            chat_template=self._text("tokenizer.chat_template"),
            quantisation=FILE_TYPES.get(-1 if file_type is None else file_type, ""),
            file_type=file_type,
            parameters=parameters,
            tokenizer=self._text("tokenizer.ggml.model"),
            vocabulary=vocabulary.length if vocabulary else len(self._short_tokens()),
            bos_id=self._integer("tokenizer.ggml.bos_token_id"),
            eos_id=self._integer("tokenizer.ggml.eos_token_id"),
            add_bos=add_bos if isinstance(add_bos, bool) else None,
            licence=self._text("general.license"),
            shards=self._integer("split.count") or 1,
            metadata=self._values,
        )

    def _text(self, key: str) -> str:
        value = self._values.get(key, "")
        return value if isinstance(value, str) else ""

    def _integer(self, key: str) -> int | None:
        value = self._values.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def _short_tokens(self) -> list[Value]:
        value = self._values.get("tokenizer.ggml.tokens", [])
        return value if isinstance(value, list) else []

    def _with_tokens(self, info: GgufInfo) -> GgufInfo:
        kinds = self._token_kinds()
        wanted = {n for n, kind in enumerate(kinds) if kind in (_CONTROL, _USER_DEFINED)}
        texts = self._token_texts(wanted | {info.bos_id, info.eos_id})
        control = tuple(
            text
            for n, text in sorted(texts.items())
            if n in wanted
            and text
            and (kinds[n] == _CONTROL or _LOOKS_LIKE_CONTROL.fullmatch(text))
        )
        bos, eos = (
            texts.get(id, "") if id is not None else "" for id in (info.bos_id, info.eos_id)
        )
        return replace(info, control_tokens=control, bos=bos, eos=eos)

    def _token_kinds(self) -> tuple[int, ...]:
        key = "tokenizer.ggml.token_type"
        array = self._arrays.get(key)
        if array is None:
            kept = self._values.get(key, [])
            return tuple(k for k in kept if isinstance(k, int)) if isinstance(kept, list) else ()
        if array.type not in (4, 5):
            return ()
        return struct.unpack_from(f"<{array.length}i", self._data, array.start)

    def _token_texts(self, wanted: set[int] | set[int | None]) -> dict[int, str]:
        array = self._arrays.get("tokenizer.ggml.tokens")
        if array is None:
            short = self._short_tokens()
            return {n: str(text) for n, text in enumerate(short) if n in wanted}
        if array.type != TYPE_STRING:
            return {}
        texts: dict[int, str] = {}
        data, at, unpack = self._data, array.start, _U64.unpack_from
        for n in range(array.length):
            length = unpack(data, at)[0]
            if n in wanted:
                texts[n] = data[at + 8 : at + 8 + length].decode("utf-8", "replace")
            at += 8 + length
        return texts
