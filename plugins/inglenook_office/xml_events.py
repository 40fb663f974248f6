"""Reads the XML inside office documents as a stream of events; no tree is ever built.

Documents are untrusted: a DOCTYPE is refused before anything in it counts, so that there are no
entities and nothing is fetched; depth, the number of elements and of names, and the size of one
tag are limited. Small faults that other programs read past (control characters, bytes that are no
UTF-8) are mended on the way.
"""

from __future__ import annotations

import codecs
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from xml.parsers import expat

from inglenook.errors import Cancelled, LoadError
from inglenook.types import CancelToken
from inglenook_office.namespaces import expanded, short_names

__all__ = [
    "MOST_ELEMENTS",
    "Attributes",
    "ByteStream",
    "DamagedXmlError",
    "Handlers",
    "Meter",
    "XmlReader",
    "whole_number",
]

Attributes = Mapping[str, str]

_CHUNK_BYTES = 65_536
MOST_ELEMENTS = 6_000_000
_MOST_NAMES = 50_000
_DEEPEST = 500
_LONGEST_TAG_IN_CHUNKS = 64
_NO_TEXT = bytes([*range(9), 11, 12, *range(14, 32)])
_REFERENCE = re.compile(rb"&#(?:x0*([0-9a-fA-F]{1,6})|0*([0-9]{1,7}));")
_LONGEST_REFERENCE = 16
_LEGACY_ENCODING = re.compile(
    r"(?:windows-|cp|iso-8859-|latin|us-ascii|gb|big5|shift_jis|euc-|koi8)[\w.-]*\Z", re.IGNORECASE
)


class ByteStream(Protocol):
    """What can be read from: a file, or a member of a zip file."""

    def read(self, size: int = ..., /) -> bytes: ...


class DamagedXmlError(Exception):
    """The XML ends or breaks here; what came before it has been read."""


@dataclass(slots=True)
class Handlers:
    """What to call for which element; names are written as `w:p` (see `namespaces`).

    A `starts` handler that returns True has the element skipped, with all that is in it. With
    `plain_attributes` attributes come as the parser has them, which is faster where none of those
    that matter has a namespace.
    """

    starts: Mapping[str, Callable[[Attributes], bool | None]]
    ends: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    text: Callable[[str], None] | None = None
    plain_attributes: bool = False


@dataclass(slots=True)
class Meter:
    """What all the XML of one document may cost.

    Args:
        bytes_left: How many bytes of it may be read, again and again included.
        elements_left: How many elements.
    """

    bytes_left: int
    elements_left: int = MOST_ELEMENTS


class XmlReader:
    """Feeds one XML stream to handlers, a piece at a time.

    Args:
        handlers: What is called.
        name: The document, for messages.
        meter: What the document may cost; shared by its streams.
        max_elements: The most elements in this stream.
    """

    def __init__(
        self, handlers: Handlers, name: str, meter: Meter, *, max_elements: int = MOST_ELEMENTS
    ) -> None:
        self._meter = meter
        self._name = name
        self._max_elements = max_elements
        self._prefixes: set[str | None] = set()
        self._interned: dict[str, str] = {}
        self._parser = expat.ParserCreate(None, " ", self._interned)
        self._parser.buffer_text = True
        self._counts = _connect(self._parser, handlers)
        self._parser.StartNamespaceDeclHandler = lambda prefix, _: self._prefixes.add(prefix)
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def read(self, stream: ByteStream, cancel: CancelToken) -> Iterator[None]:
        """Parse the stream; yields now and then, so that the caller can pass on what it has.

        Raises `DamagedXmlError`; `LoadError` for what is hostile; `Cancelled`.
        """
        mender = _Mender()
        stuck, last_index = 0, -1
        while True:
            if cancel.cancelled:
                raise Cancelled
            data = self._next(stream)
            before = self._counts()[1]
            self._parse(mender.mended(data, final=not data), final=not data)
            self._meter.elements_left -= self._counts()[1] - before
            self._meter.bytes_left -= len(data)
            if not data:
                return
            index = self._parser.CurrentByteIndex
            stuck = stuck + 1 if index == last_index else 0
            last_index = index
            self._refuse_hostile(stuck)
            yield

    def _next(self, stream: ByteStream) -> bytes:
        try:
            return stream.read(_CHUNK_BYTES)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise DamagedXmlError(str(error) or type(error).__name__) from error

    def _parse(self, text: str, *, final: bool) -> None:
        try:
            self._parser.Parse(text, final)
        except expat.ExpatError as error:
            raise DamagedXmlError(
                f"line {error.lineno}: {expat.errors.messages.get(error.code, 'not well-formed')}"
            ) from error

    def _refuse_hostile(self, stuck: int) -> None:
        what = ""
        depth, elements = self._counts()
        if depth > _DEEPEST:
            what = f"nests elements more than {_DEEPEST:,} deep"
        elif elements > self._max_elements or self._meter.elements_left < 0:
            what = f"has too many elements: {elements:,} so far"
        elif self._meter.bytes_left < 0:
            what = "has more XML than is read"
        elif len(self._interned) + len(self._prefixes) > _MOST_NAMES:
            what = f"uses more than {_MOST_NAMES:,} names of elements"
        elif stuck > _LONGEST_TAG_IN_CHUNKS:
            what = f"holds a tag of more than {_LONGEST_TAG_IN_CHUNKS * _CHUNK_BYTES:,} bytes"
        if what:
            raise LoadError(f"{self._name} {what}.", reason="too large")

    def _refuse_doctype(self, *_: object) -> None:
        raise LoadError(
            f"{self._name} declares a DOCTYPE, which no office program writes.", reason="broken"
        )


def _connect(parser: expat.XMLParserType, handlers: Handlers) -> Callable[[], tuple[int, int]]:
    """Have the parser call the handlers; returns what tells the depth and the number of elements.

    This runs for each tag: it counts, and little else.
    """
    starts, ends = expanded(handlers.starts), expanded(handlers.ends)
    names = None if handlers.plain_attributes else short_names()
    depth = elements = skipped = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, elements, skipped
        depth += 1
        elements += 1
        if skipped or (handler := starts.get(name)) is None:
            return
        if attributes and names is not None:
            attributes = {names[key]: value for key, value in attributes.items()}
        if handler(attributes):
            skipped = depth

    def end(name: str) -> None:
        nonlocal depth, skipped
        depth -= 1
        if skipped:
            skipped = skipped if depth >= skipped else 0
        elif (handler := ends.get(name)) is not None:
            handler()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    if (text := handlers.text) is not None:
        parser.CharacterDataHandler = lambda data: None if skipped else text(data)
    return lambda: (depth, elements)


def whole_number(text: str | None, otherwise: int) -> int:
    """The number that an attribute holds."""
    if not text:
        return otherwise
    try:
        return int(text)
    except ValueError:
        return otherwise


class _Mender:
    """Decodes XML and takes out of it what XML forbids but damaged documents hold."""

    def __init__(self) -> None:
        self._decoder: codecs.IncrementalDecoder | None = None
        self._is_wide = False
        self._kept = b""

    def mended(self, data: bytes, *, final: bool) -> str:
        if self._decoder is None:
            self._decoder = self._decoder_for(data)
        if not self._is_wide:
            data = self._mended_bytes(data, final=final)
        return self._decoder.decode(data, final)

    def _decoder_for(self, head: bytes) -> codecs.IncrementalDecoder:
        encoding = "utf-8-sig"
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        elif head.startswith((b"<\0", b"\0<")):
            encoding = "utf-16-le" if head.startswith(b"<") else "utf-16-be"
        else:
            declared = re.match(rb"<\?xml[^>]{0,100}?encoding=[\"']([\w.-]{1,40})", head)
            if declared:
                encoding = _known_encoding(declared[1].decode("ascii"))
        self._is_wide = encoding.startswith("utf-16")
        return codecs.getincrementaldecoder(encoding)(errors="replace")

    def _mended_bytes(self, data: bytes, *, final: bool) -> bytes:
        data = self._kept + data.translate(None, _NO_TEXT)
        self._kept = b""
        cut = -1 if final else data.rfind(b"&", max(0, len(data) - _LONGEST_REFERENCE))
        if cut >= 0 and b";" not in data[cut:]:
            data, self._kept = data[:cut], data[cut:]
        return _REFERENCE.sub(_allowed, data) if b"&#" in data else data


def _allowed(reference: re.Match[bytes]) -> bytes:
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    is_text = code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE
    return reference[0] if is_text or 0x10000 <= code < 0x110000 else b""


def _known_encoding(name: str) -> str:
    return name if _LEGACY_ENCODING.match(name) and _exists(name) else "utf-8-sig"


def _exists(encoding: str) -> bool:
    try:
        codecs.lookup(encoding)
    except LookupError:
        return False
    return True
