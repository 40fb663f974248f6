"""The namespaces of office documents, and the short names that the readers know them by.

Each has one short prefix here, whatever prefix a document uses; the strict variant of Office Open
XML (ISO/IEC 29500) has URIs of its own for the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

__all__ = ["expanded", "short_names"]

_Value = TypeVar("_Value")

_OPEN_XML = "http://schemas.openxmlformats.org/"
_STRICT = "http://purl.oclc.org/ooxml/"
_MICROSOFT = "http://schemas.microsoft.com/office/"
_ODF = "urn:oasis:names:tc:opendocument:xmlns:"

_URIS: Mapping[str, tuple[str, ...]] = {
    "w": (f"{_OPEN_XML}wordprocessingml/2006/main", f"{_STRICT}wordprocessingml/main"),
    "p": (f"{_OPEN_XML}presentationml/2006/main", f"{_STRICT}presentationml/main"),
    "x": (f"{_OPEN_XML}spreadsheetml/2006/main", f"{_STRICT}spreadsheetml/main"),
    "a": (f"{_OPEN_XML}drawingml/2006/main", f"{_STRICT}drawingml/main"),
    "c": (f"{_OPEN_XML}drawingml/2006/chart", f"{_STRICT}drawingml/chart"),
    "dgm": (f"{_OPEN_XML}drawingml/2006/diagram", f"{_STRICT}drawingml/diagram"),
    "xdr": (
        f"{_OPEN_XML}drawingml/2006/spreadsheetDrawing",
        f"{_STRICT}drawingml/spreadsheetDrawing",
    ),
    "wp": (
        f"{_OPEN_XML}drawingml/2006/wordprocessingDrawing",
        f"{_STRICT}drawingml/wordprocessingDrawing",
    ),
    "m": (f"{_OPEN_XML}officeDocument/2006/math", f"{_STRICT}officeDocument/math"),
    "r": (
        f"{_OPEN_XML}officeDocument/2006/relationships",
        f"{_STRICT}officeDocument/relationships",
    ),
    "rel": (f"{_OPEN_XML}package/2006/relationships",),
    "ct": (f"{_OPEN_XML}package/2006/content-types",),
    "mc": (f"{_OPEN_XML}markup-compatibility/2006",),
    "v": ("urn:schemas-microsoft-com:vml",),
    "o": ("urn:schemas-microsoft-com:office:office",),
    "cx": (f"{_MICROSOFT}drawing/2014/chartex",),
    "wps": (f"{_MICROSOFT}word/2010/wordprocessingShape",),
    "p188": (f"{_MICROSOFT}powerpoint/2018/8/main",),
    "xt": (f"{_MICROSOFT}spreadsheetml/2018/threadedcomments",),
    "office": (f"{_ODF}office:1.0",),
    "text": (f"{_ODF}text:1.0",),
    "table": (f"{_ODF}table:1.0",),
    "draw": (f"{_ODF}drawing:1.0",),
    "style": (f"{_ODF}style:1.0",),
    "svg": (f"{_ODF}svg-compatible:1.0",),
    "presentation": (f"{_ODF}presentation:1.0",),
    "chart": (f"{_ODF}chart:1.0",),
    "manifest": (f"{_ODF}manifest:1.0",),
    "dc": ("http://purl.org/dc/elements/1.1/",),
    "xlink": ("http://www.w3.org/1999/xlink",),
    "math": ("http://www.w3.org/1998/Math/MathML",),
    "loext": ("urn:org:documentfoundation:names:experimental:office:xmlns:loext:1.0",),
}
_PREFIXES = {uri: prefix for prefix, uris in _URIS.items() for uri in uris}


def expanded(by_short_name: Mapping[str, _Value]) -> dict[str, _Value]:
    """The same mapping by the names that the parser reports: `URI name`."""
    known: dict[str, _Value] = {}
    for short, value in by_short_name.items():
        prefix, _, local = short.rpartition(":")
        if prefix:
            known.update((f"{uri} {local}", value) for uri in _URIS[prefix])
        else:
            known[local] = value
    return known


class _ShortNames(dict[str, str]):
    def __missing__(self, name: str) -> str:
        uri, _, local = name.rpartition(" ")
        prefix = _PREFIXES.get(uri)
        self[name] = f"{prefix}:{local}" if prefix else name
        return self[name]


def short_names() -> Mapping[str, str]:
    """Maps a name as the parser reports it to its short one; unknown ones map to themselves."""
    return _ShortNames()
