"""Turns the bytes of a text file into text: finds the encoding and refuses what is not text.

Line ends become `\\n`, as when Python opens a file in text mode. A byte order mark is left out, and
so is every character that changes only how text is laid out: bidi controls, soft hyphens, joiners
of no width. They part words that a reader sees as one. Offsets of sections count in that text.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from inglenook.errors import LoadError
from inglenook.types import LoadRequest, Notice

__all__ = ["Decoded", "decoded", "read_bytes", "read_text", "without_invisible"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_INVISIBLE = re.compile("[\u00ad\u061c\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_BINARY = {
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a zip archive or office document",
    b"Rar!": "an archive",
    b"7z\xbc\xaf": "an archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"OggS": "a recording",
    b"ID3": "a recording",
    b"RIFF": "a picture or recording",
    b"\xca\xfe\xba\xbe": "a program",
    b"\xcf\xfa\xed\xfe": "a program",
    b"\x00asm": "a program",
    b"\x7fELF": "a program",
    b"MZ\x90": "a program",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"\x1f\x8b": "a gzip archive",
    b"\xd0\xcf\x11\xe0": "an old office document",
    b"GGUF": "a model",
    b"SQLite format 3": "a database",
}
_CONTROLS = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
_MOST_CONTROLS = 0.01
_SAMPLE_BYTES = 65_536
_COMMON_FIRST = ("cp1252", "cp1251", "koi8_r", "cp1250", "cp1253", "cp1256", "cp866")
_HEBREW_LETTERS = frozenset(range(0xE0, 0xFB))
_HEBREW_SHARE = 0.85


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text, and notices on how it was decoded."""

    text: str
    notices: tuple[Notice, ...] = ()


def read_text(request: LoadRequest, declared: str = "") -> Decoded:
    """Read and decode a file; `declared` is the encoding that the format itself names.

    Raises `LoadError`: unreadable, empty, unsupported (not text), too large.
    """
    found = decoded(read_bytes(request), request.name, declared)
    if len(found.text) > request.max_characters:
        raise LoadError(
            f"{request.name} has {len(found.text):,} characters;"
            f" at most {request.max_characters:,} are read.",
            reason="too large",
        )
    if not found.text.strip():
        raise LoadError(f"{request.name} holds nothing but white space.", reason="empty")
    return found


def decoded(data: bytes, name: str, declared: str = "") -> Decoded:
    """The text that these bytes are; as `read_text`, without its limits."""
    found = _decode(data, name, declared)
    text = found.text.replace("\r\n", "\n").replace("\r", "\n")
    return Decoded(without_invisible(text), found.notices)


def without_invisible(text: str) -> str:
    """The text without the characters that only lay it out."""
    return _INVISIBLE.sub("", text)


def read_bytes(request: LoadRequest) -> bytes:
    """The bytes of the file. Raises `LoadError`: unreadable, too large, empty."""
    try:
        size = request.path.stat().st_size
        # No encoding takes more than 4 bytes for a character.
        if size > 4 * request.max_characters:
            raise LoadError(
                f"{request.name} has {size:,} bytes; at most {request.max_characters:,}"
                " characters are read.",
                reason="too large",
            )
        data = request.path.read_bytes()
    except OSError as error:
        raise LoadError(
            f"{request.name} cannot be read: {error.strerror or error}.", reason="unreadable"
        ) from error
    if not data:
        raise LoadError(f"{request.name} is empty (0 bytes).", reason="empty")
    return data


def _decode(data: bytes, name: str, declared: str) -> Decoded:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _lenient(data[len(mark) :], encoding)
    _refuse_binary(data, name)
    wide = _wide_encoding(data)
    if wide:
        return _guessed(data.decode(wide), wide)
    if _CONTROLS.search(data) and _share_of_controls(data) > _MOST_CONTROLS:
        raise _not_text(name, "binary data")
    try:
        return Decoded(data.decode("utf-8"))
    except UnicodeDecodeError:
        return _decode_legacy(data, name, declared)


def _decode_legacy(data: bytes, name: str, declared: str) -> Decoded:
    """Text that is not UTF-8: as declared, or UTF-8 with a few bad bytes, or as it looks."""
    if declared:
        try:
            return Decoded(data.decode(declared))
        except (LookupError, UnicodeDecodeError):
            pass  # a wrong declaration is no better than none
    replaced = data.decode("utf-8", errors="replace")
    bad = replaced.count("\ufffd")
    good = sum(character > "\x7f" for character in replaced) - bad
    if good > 4 * bad:
        return Decoded(replaced, (_replaced(bad, "utf-8"),))
    encoding = _looks_like(data)
    if not encoding:
        raise _not_text(name, "data in no known text encoding")
    try:
        return _guessed(data.decode(encoding), encoding)
    except UnicodeDecodeError:
        decoded = _lenient(data, encoding)
        return Decoded(decoded.text, (*_guessed(decoded.text, encoding).notices, *decoded.notices))


def _lenient(data: bytes, encoding: str) -> Decoded:
    try:
        return Decoded(data.decode(encoding))
    except UnicodeDecodeError:
        text = data.decode(encoding, errors="replace")
        return Decoded(text, (_replaced(text.count("\ufffd"), encoding),))


def _replaced(count: int, encoding: str) -> Notice:
    return Notice("invalid-bytes", f"{count} invalid {encoding} sequence(s) were replaced by �")


def _guessed(text: str, encoding: str) -> Decoded:
    return Decoded(text, (Notice("encoding-guessed", f"read as {encoding}, which is a guess"),))


def _refuse_binary(data: bytes, name: str) -> None:
    for magic, kind in _BINARY.items():
        if data.startswith(magic):
            raise _not_text(name, kind)


def _not_text(name: str, kind: str) -> LoadError:
    return LoadError(
        f"{name} is not text but {kind}.",
        reason="unsupported",
        hint="If its name ends in the wrong extension, rename it.",
    )


def _share_of_controls(data: bytes) -> float:
    return len(_CONTROLS.findall(data)) / len(data)


def _wide_encoding(data: bytes) -> str:
    """UTF-16 or UTF-32 without a byte order mark, by where the zero bytes are; else ""."""
    sample = data[:_SAMPLE_BYTES]
    if sample.count(0) < len(sample) / 20:
        return ""
    shares = [sample[place::4].count(0) / max(1, len(sample[place::4])) for place in range(4)]
    high, low = 0.4, 0.05
    candidates = {
        "utf-32-le": shares[0] < low and shares[2] > high and shares[3] > 0.95,
        "utf-32-be": shares[3] < low and shares[1] > high and shares[0] > 0.95,
        "utf-16-le": max(shares[0], shares[2]) < low and min(shares[1], shares[3]) > 0.1,
        "utf-16-be": max(shares[1], shares[3]) < low and min(shares[0], shares[2]) > 0.1,
    }
    for encoding, looks_so in candidates.items():
        if looks_so and _decodes(data, encoding):
            return encoding
    return ""


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _looks_like(data: bytes) -> str:
    """The name of the most likely single- or double-byte encoding; "" if none fits."""
    sample = data[:_SAMPLE_BYTES]
    if _looks_hebrew(sample):
        return "cp1255" if _decodes(data, "cp1255") else "iso-8859-8"
    import charset_normalizer

    matches = charset_normalizer.from_bytes(sample)
    best = matches.best()
    if best is None:
        return "cp1252" if _decodes(data, "cp1252") else ""
    as_good = {
        match.encoding
        for match in matches
        if match.chaos <= best.chaos + 0.02 and match.coherence >= best.coherence - 0.06
    }
    # Near ties go to the encoding that files are really in.
    return next((name for name in _COMMON_FIRST if name in as_good), best.encoding)


def _looks_hebrew(sample: bytes) -> bool:
    """Whether the bytes above ASCII are almost all where Hebrew code pages have their letters.

    Western text puts lone letters of that range between ASCII ones; Hebrew makes words of them.
    """
    high = [byte for byte in sample if byte >= 0x80]
    words = [word for word in re.findall(rb"[\x80-\xff]+", sample) if len(word) > 1]
    in_range = sum(byte in _HEBREW_LETTERS for byte in high)
    return in_range > _HEBREW_SHARE * len(high) and sum(map(len, words)) > _HEBREW_SHARE * len(high)
