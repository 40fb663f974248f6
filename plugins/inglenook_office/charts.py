"""Reads the text of charts and of SmartArt, which stand in parts of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from inglenook.types import CancelToken
from inglenook_office.number_formats import general
from inglenook_office.package import Package
from inglenook_office.relations import Relations
from inglenook_office.visible_text import one_line
from inglenook_office.xml_events import Attributes, DamagedXmlError, Handlers, whole_number

__all__ = ["PartTexts", "chart_lines", "chart_titles", "diagram_lines"]

_LONGEST_NAME = 200
_MOST_KEPT = 5_000_000


class PartTexts:
    """The texts of parts that other parts refer to; each is read once, however often that is."""

    def __init__(self, package: Package, cancel: CancelToken) -> None:
        self._package = package
        self._cancel = cancel
        self._kept: dict[str, list[str]] = {}
        self._size = 0

    def behind(
        self, relations: Relations, read: Callable[[Package, str, CancelToken], list[str]]
    ) -> Callable[[str], list[str]]:
        """A function from the id of a relation to the lines of the part behind it."""

        def lines(relation: str) -> list[str]:
            part = relations.target(relation)
            if not part:
                return []
            if part in self._kept:
                return self._kept[part]
            found = read(self._package, part, self._cancel)
            size = sum(map(len, found))
            if self._size + size <= _MOST_KEPT:
                self._size += size
                self._kept[part] = found
            return found

        return lines


def chart_titles(package: Package, part: str, cancel: CancelToken) -> list[str]:
    """The titles of a chart and of its axes, for charts whose numbers stand in cells anyway."""
    return _read_chart(package, part, cancel).titles()


def chart_lines(package: Package, part: str, cancel: CancelToken) -> list[str]:
    """The chart as lines: title, titles of axes, then a line for each category with its values.

    A damaged chart gives what stands before the damage.
    """
    return list(_read_chart(package, part, cancel).lines())


def diagram_lines(package: Package, part: str, cancel: CancelToken) -> list[str]:
    """The texts of a SmartArt graphic in the order of its outline, indented by level."""
    reader = _DiagramReader()
    with suppress(DamagedXmlError):
        package.read_whole(part, reader.handlers, cancel)
    return list(reader.lines())


def _read_chart(package: Package, part: str, cancel: CancelToken) -> _ChartReader:
    reader = _ChartReader()
    with suppress(DamagedXmlError):
        package.read_whole(part, reader.handlers, cancel)
    return reader


@dataclass(slots=True)
class _Series:
    name: str = ""
    categories: dict[int, str] = field(default_factory=dict)
    values: dict[int, str] = field(default_factory=dict)


class _ChartReader:
    """Source: ECMA-376-1, 21.2; and, for newer kinds of charts, [MS-ODRAWXML] 2.24."""

    def __init__(self) -> None:
        self._titles: list[str] = []
        self._series: list[_Series] = []
        self._where = ""
        self._point = 0
        self._pieces: list[str] | None = None
        self._rich: list[str] = []
        self.handlers = Handlers(
            {
                "c:ser": self._start_series,
                "c:tx": lambda _: self._enter("name"),
                "c:cat": lambda _: self._enter("categories"),
                "c:xVal": lambda _: self._enter("categories"),
                "c:val": lambda _: self._enter("values"),
                "c:yVal": lambda _: self._enter("values"),
                "c:bubbleSize": lambda _: True,
                "c:errBars": lambda _: True,
                "c:pt": self._start_point,
                "c:v": lambda _: self._start_text(),
                "cx:pt": lambda _: self._start_text(),
                "cx:v": lambda _: self._start_text(),
                "a:t": lambda _: self._start_text(),
                "mc:Fallback": lambda _: True,
            },
            {
                "c:v": self._end_value,
                "cx:pt": self._end_loose,
                "cx:v": self._end_loose,
                "a:t": self._end_rich,
                "a:p": self._end_paragraph,
                "c:tx": self._leave,
                "c:cat": self._leave,
                "c:xVal": self._leave,
                "c:val": self._leave,
                "c:yVal": self._leave,
            },
            self._text,
        )

    def titles(self) -> list[str]:
        return self._titles

    def lines(self) -> Iterator[str]:
        yield from self._titles
        yield from (one.name for one in self._series if len(one.name) > _LONGEST_NAME)
        series = [one for one in self._series if one.values or one.categories]
        labels = {place: text for one in reversed(series) for place, text in one.categories.items()}
        places = sorted(set(labels).union(*(one.values for one in series)) if series else ())
        for place in places:
            parts = [labels.get(place, "")]
            for one in series:
                value = one.values.get(place, "")
                has_name = value and 0 < len(one.name) <= _LONGEST_NAME
                parts.append(f"{one.name}: {value}" if has_name else value)
            yield " | ".join(part for part in parts if part)

    def _start_series(self, _: Attributes) -> None:
        self._series.append(_Series())

    def _enter(self, where: str) -> None:
        self._where = where

    def _leave(self) -> None:
        self._where = ""

    def _start_point(self, attributes: Attributes) -> None:
        self._point = whole_number(attributes.get("idx"), 0)

    def _start_text(self) -> None:
        self._pieces = []

    def _text(self, data: str) -> None:
        if self._pieces is not None:
            self._pieces.append(data)

    def _finish(self) -> str:
        text = one_line("".join(self._pieces or ()))
        self._pieces = None
        return text

    def _end_value(self) -> None:
        text = self._finish()
        if not self._series:
            self._titles.append(text)
        elif self._where == "name":
            self._series[-1].name = text
        elif self._where == "categories":
            self._series[-1].categories[self._point] = text
        elif self._where == "values":
            self._series[-1].values[self._point] = general(text)

    def _end_loose(self) -> None:
        text = self._finish()
        if text:
            self._titles.append(text)

    def _end_rich(self) -> None:
        self._rich.append("".join(self._pieces or ()))
        self._pieces = None

    def _end_paragraph(self) -> None:
        text = one_line("".join(self._rich))
        self._rich = []
        if text:
            self._titles.append(text)


@dataclass(slots=True)
class _Node:
    kind: str
    paragraphs: list[str] = field(default_factory=list)


class _DiagramReader:
    """Source: ECMA-376-1, 21.4: points, and connections from a parent to its children."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._children: dict[str, list[tuple[int, str]]] = {}
        self._node = _Node("")
        self._pieces: list[str] = []
        self._in_text = False
        self.handlers = Handlers(
            {
                "dgm:pt": self._start_node,
                "dgm:cxn": self._connect,
                "a:t": lambda _: self._set_in_text(True),
            },
            {"a:t": lambda: self._set_in_text(False), "a:p": self._end_paragraph},
            self._text,
        )

    def lines(self) -> Iterator[str]:
        roots = [id for id, node in self._nodes.items() if node.kind == "doc"]
        waiting = [(id, 0) for id in reversed(roots)]
        seen: set[str] = set()
        while waiting:
            id, depth = waiting.pop()
            if id in seen or id not in self._nodes:
                continue
            seen.add(id)
            for line in self._nodes[id].paragraphs:
                yield f"{'  ' * min(max(depth - 1, 0), 10)}- {line}"
            children = sorted(self._children.get(id, ()), reverse=True)
            waiting.extend((child, depth + 1) for _, child in children)
        for id, node in self._nodes.items():
            if id not in seen and node.kind in ("node", "asst"):
                yield from (f"- {line}" for line in node.paragraphs)

    def _start_node(self, attributes: Attributes) -> None:
        self._node = _Node(attributes.get("type", "node"))
        self._nodes[attributes.get("modelId", "")] = self._node

    def _connect(self, attributes: Attributes) -> None:
        if attributes.get("type", "parOf") == "parOf":
            order = whole_number(attributes.get("srcOrd"), 0)
            child = (order, attributes.get("destId", ""))
            self._children.setdefault(attributes.get("srcId", ""), []).append(child)

    def _set_in_text(self, value: bool) -> None:
        self._in_text = value

    def _text(self, data: str) -> None:
        if self._in_text:
            self._pieces.append(data)

    def _end_paragraph(self) -> None:
        text = one_line("".join(self._pieces))
        self._pieces = []
        if text and self._node.kind not in ("pres", "parTrans", "sibTrans"):
            self._node.paragraphs.append(text)
