"""Turns the bytes of mail into text: by the declared character set, or by how they look.

Declarations in mail are wrong often enough that each is only tried. Hebrew in ISO-8859-8-I and
windows-1255 is stored in logical order, so decoding alone puts it right. Plain ISO-8859-8 is
visual order by its standard (RFC 1556), logical order in what most programs send: the letters that
stand only at the end of a word tell.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

__all__ = ["DecodedText", "clean", "decode", "in_logical_order"]

_ALIASES = {
    # What mail programs write where they mean the larger set; see the WHATWG Encoding Standard.
    "ascii": "utf-8",
    "us-ascii": "utf-8",
    "ansi_x3.4-1968": "utf-8",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "x-mac-roman": "mac_roman",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
}
_HEBREW_LETTERS = frozenset(range(0xE0, 0xFB))
_WINDOWS_ONLY = re.compile(rb"[\x80-\x9f]")
_HIGH = re.compile(rb"[\x80-\xff]+")
_SAMPLE_BYTES = 65_536
_BIDI_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\x00]")
_HEBREW = re.compile("[א-ת]")
_FINAL_FIRST = re.compile("(?<![א-ת])[ךםןףץ](?=[א-ת])")
_FINAL_LAST = re.compile("(?<=[א-ת])[ךםןףץ](?![א-ת])")
_LEFT_TO_RIGHT = re.compile(r"[0-9A-Za-z](?:[^\sא-ת()\[\]{}<>]*[0-9A-Za-z])?")
_MIRRORED = str.maketrans("()[]{}<>", ")(][}{><")
_TRAILING = re.compile(r"[ \t]+(?=\n|\Z)")


@dataclass(frozen=True, slots=True)
class DecodedText:
    """Text, and what should be said about how it was decoded; "" for nothing."""

    text: str
    code: str = ""
    remark: str = ""


def decode(data: bytes, charset: str) -> DecodedText:
    """Decode bytes whose declared character set is `charset`, "" if there is none."""
    if data.startswith(codecs.BOM_UTF8):
        return _lenient(data[3:], "utf-8")
    declared = _codec(charset, data)
    for encoding in dict.fromkeys((declared, "utf-8")):
        if not encoding:
            continue
        try:
            return DecodedText(data.decode(encoding))
        except UnicodeError:
            pass
    if declared and declared != "utf-8":
        return _lenient(data, declared)
    encoding = _looks_like(data)
    text = data.decode(encoding, errors="replace")
    return DecodedText(text, "encoding-guessed", f"read as {encoding}, which is a guess")


def in_logical_order(decoded: DecodedText, charset: str) -> DecodedText:
    """The text with its lines turned around if it is Hebrew as old terminals showed it."""
    if charset.strip().lower() != "iso-8859-8" or decoded.code:
        return decoded
    at_start = len(_FINAL_FIRST.findall(decoded.text))
    if at_start < 2 or at_start <= 2 * len(_FINAL_LAST.findall(decoded.text)):
        return decoded
    lines = (_turned(line) for line in decoded.text.split("\n"))
    remark = "Hebrew in visual order was turned around"
    return DecodedText("\n".join(lines), "visual-order", remark)


def _turned(line: str) -> str:
    if not _HEBREW.search(line):
        return line
    turned = line.rstrip()[::-1].translate(_MIRRORED)
    return _LEFT_TO_RIGHT.sub(lambda run: run[0][::-1], turned)


def clean(text: str) -> str:
    """The text with line ends as `\\n` and without blanks before them, bidi controls and NUL."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _TRAILING.sub("", _BIDI_CONTROLS.sub("", text)).strip("\n")


def _lenient(data: bytes, encoding: str) -> DecodedText:
    text = data.decode(encoding, errors="replace")
    bad = text.count("\ufffd")
    if not bad:
        return DecodedText(text)
    return DecodedText(text, "invalid-bytes", f"{bad} invalid {encoding} sequence(s) replaced by �")


def _codec(charset: str, data: bytes) -> str:
    """The codec to try for a declared character set; "" if there is none."""
    name = charset.strip().strip("'\"").lower()
    name = _ALIASES.get(name, name)
    if name == "iso-8859-8" and _WINDOWS_ONLY.search(data):
        return "cp1255"
    for candidate in (name, name.replace("cp-", "cp"), name.removeprefix("x-")):
        try:
            if codecs.lookup(candidate)._is_text_encoding:  # noqa: SLF001 - as `bytes.decode` does
                return candidate
        except (LookupError, ValueError):
            continue
    return ""


def _looks_like(data: bytes) -> str:
    sample = data[:_SAMPLE_BYTES]
    runs = _HIGH.findall(sample)
    high = b"".join(runs)
    words = sum(len(run) for run in runs if len(run) > 1)
    if sum(byte in _HEBREW_LETTERS for byte in high) > 0.85 * len(high) and words > 0.85 * len(
        high
    ):
        return "cp1255"
    import charset_normalizer

    best = charset_normalizer.from_bytes(sample).best()
    return best.encoding if best is not None else "cp1252"
