"""Turns the events of an XML parser into lines of text with their place and their headings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from inglenook_text.decoding import without_invisible
from inglenook_text.html import page_text

__all__ = ["Line", "LineReader"]

_TITLES = frozenset("title head heading subject caption".split())
_PROSE = _TITLES | frozenset(
    "p para simpara text desc li td th dd dt l line verse quote abstract summary content subtitle"
    " v div entry listitem".split()
)
_BLOCKS = _PROSE | frozenset("div section sec list item table tr row body note footnote".split())
_INLINE = frozenset(
    "a b i u em strong emphasis span tspan sub sup code tt ulink link xref hi ref literal style"
    " lb br".split()
)
_KEPT = frozenset("pre programlisting screen literallayout".split())
_LAYOUT_ATTRIBUTES = frozenset("class style lang space base schemalocation".split())
_LONGEST_LABELLED = 200
_LONGEST_HEADING = 200
_DEEPEST_HEADINGS, _DEEPEST_SEARCHED = 8, 64
_DEEPEST_ENTRY = 4
_MARKUP = re.compile(
    r"</?(?:p|br|div|a|b|i|em|strong|ul|ol|li|img|span|h[1-6]|table)\b[^<>]*>", re.IGNORECASE
)
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]{1000,}")
_LONGEST_WORD = 60


@dataclass(slots=True)
class _Node:
    """An open element. Its text is shared with the elements that only mark words in it."""

    name: str
    parent: _Node | None
    depth: int
    pieces: list[str] = field(default_factory=list)
    has_text: bool = False
    is_inline: bool = False
    title: str = ""
    entry: tuple[str, ...] = ()
    children: Counter[str] | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text.

    `entry` is the path of the outermost elements around it, such as `book[2]`.
    """

    text: str
    entry: tuple[str, ...]
    scope: _Node

    @property
    def headings(self) -> tuple[str, ...]:
        """The titles of the elements around it, outermost first."""
        found: list[str] = []
        node: _Node | None = self.scope
        for _ in range(_DEEPEST_SEARCHED):
            if node is None or len(found) == _DEEPEST_HEADINGS:
                break
            if node.title and node.title not in found[-1:]:
                found.append(node.title)
            node = node.parent
        return tuple(reversed(found))


class LineReader:
    """Collects `lines`; `binary` counts embedded files that are no text."""

    def __init__(self, *, is_drawing: bool = False) -> None:
        self.lines: list[Line] = []
        self.binary = 0
        self.language = ""
        self._is_drawing = is_drawing
        self._node: _Node | None = None

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = tag.rpartition(":")[2]
        parent = self._node
        if parent is None:
            self.language = attributes.get("xml:lang", "")
            self._node = _Node(name, None, 0)
        elif self._only_marks_words(parent, name.lower()):
            self._node = _Node(name, parent, parent.depth + 1, parent.pieces, is_inline=True)
            self._node.has_text = parent.has_text
        else:
            self._flush(parent)
            self._node = _Node(name, parent, parent.depth + 1, entry=self._entry(parent, name))
        if not self._node.is_inline and not self._is_drawing:
            self._add_attributes(self._node, attributes)

    def text(self, data: str) -> None:
        node = self._node
        if node is not None:
            node.pieces.append(data)
            if not node.has_text and not data.isspace():
                node.has_text = True

    def end(self, _: str) -> None:
        node = self._node
        if node is None:
            return
        self._node = node.parent
        if not node.is_inline:
            self._flush(node)
        elif node.parent is not None:
            node.parent.has_text = node.parent.has_text or node.has_text

    @staticmethod
    def _only_marks_words(parent: _Node, name: str) -> bool:
        around = parent.name.lower()
        if around in _TITLES or parent.is_inline:
            return True
        return (name in _INLINE and around in _PROSE) or (parent.has_text and name not in _BLOCKS)

    @staticmethod
    def _entry(parent: _Node, name: str) -> tuple[str, ...]:
        if parent.depth >= _DEEPEST_ENTRY:
            return parent.entry
        if parent.children is None:
            parent.children = Counter()
        parent.children[name] += 1
        return (*parent.entry, f"{name}[{parent.children[name]}]")

    def _add_attributes(self, node: _Node, attributes: Mapping[str, str]) -> None:
        for tag, value in attributes.items():
            name = tag.rpartition(":")[2]
            if tag.startswith(("xmlns", "xml:", "xsi:")) or name.lower() in _LAYOUT_ATTRIBUTES:
                continue
            if name == "version" and node.parent is None:
                continue
            if name in ("title", "text") and not node.title:
                node.title = " ".join(value.split())[:_LONGEST_HEADING]
            if value.strip():
                self._add(f"{node.name}.{name}: {' '.join(value.split())}", node, node)

    def _flush(self, node: _Node) -> None:
        """Make a line of the text that stands in an element so far."""
        raw = "".join(node.pieces)
        node.pieces.clear()
        has_text, node.has_text = node.has_text, False
        if not has_text:
            return
        if _is_binary(raw):
            self.binary += 1
            return
        name = node.name.lower()
        if _MARKUP.search(raw):
            text = page_text(raw)
        else:
            text = raw.strip("\n").rstrip() if name in _KEPT else " ".join(raw.split())
        scope = node.parent or node
        if name in _TITLES and node.parent is not None and not scope.title:
            scope.title = " ".join(text.split())[:_LONGEST_HEADING]
        is_value = name not in _PROSE and len(text) <= _LONGEST_LABELLED and "\n" not in text
        self._add(f"{node.name}: {text}" if is_value else text, node, scope)

    def _add(self, text: str, node: _Node, scope: _Node) -> None:
        text = without_invisible(text)
        if text.strip():
            self.lines.append(Line(text, node.entry, scope))


def _is_binary(text: str) -> bool:
    """Whether it is a file in base64, as in FictionBook and Office's flat files."""
    if not _BASE64.fullmatch(text):
        return False
    return len(max(text.split(), key=len)) > _LONGEST_WORD
