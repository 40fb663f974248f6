"""Reads OpenDocument presentations and drawings: a section for each page, with its notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from inglenook.types import Locator, Notice, Section
from inglenook_office.odf_body import OdfBody
from inglenook_office.odf_styles import OdfStyles
from inglenook_office.slide_order import Box, in_reading_order
from inglenook_office.visible_text import is_right_to_left, one_line
from inglenook_office.xml_events import Attributes, Handlers

__all__ = ["SlidesReader"]

_SHAPES = (
    "draw:frame", "draw:custom-shape", "draw:rect", "draw:ellipse", "draw:circle", "draw:line",
    "draw:polyline", "draw:polygon", "draw:path", "draw:connector", "draw:caption",
    "draw:control", "draw:regular-polygon", "draw:measure",
)  # fmt: skip
_NOT_TEXT = ("page-number", "page")
_AT_THE_END = ("footer", "header", "date-time")
_LONGEST_TITLE = 250
_LENGTH = re.compile(r"(-?[\d.]+)(cm|mm|in|pt|pc|px)?\Z")
_MILLIMETRES = {"cm": 10.0, "mm": 1.0, "in": 25.4, "pt": 0.3528, "pc": 4.233, "px": 0.2646}
_TRANSLATION = re.compile(r"translate\s*\(\s*(-?[\d.]+\w*)[\s,]+(-?[\d.]+\w*)")


@dataclass(slots=True)
class _Shape:
    box: Box | None = None
    role: str = ""
    blocks: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n\n".join(block for block in self.blocks if block.strip())


@dataclass(slots=True)
class _Page:
    shapes: list[_Shape] = field(default_factory=list)
    notes: list[_Shape] = field(default_factory=list)
    footer: str = ""
    in_notes: bool = False


class SlidesReader:
    """Makes a section of each page; `handlers` is what the parser is given."""

    def __init__(self, body: OdfBody, styles: OdfStyles) -> None:
        self.notices: list[Notice] = []
        self._body = body
        self._styles = styles
        self._page: _Page | None = None
        self._number = 0
        self._shapes: list[_Shape] = []
        self._groups: list[list[_Shape]] = []
        self._footers: dict[str, str] = {}
        self._footer = ""
        self._done: list[Section] = []

    def handlers(self) -> Handlers:
        body = self._body
        return Handlers(
            {
                **self._styles.starts,
                **body.text_starts(),
                **body.table_starts(),
                **dict.fromkeys(_SHAPES, self._start_shape),
                "draw:page": self._start_page,
                "draw:g": self._start_group,
                "draw:page-thumbnail": _skip,
                "presentation:notes": self._start_notes,
                "presentation:footer-decl": self._start_footer,
                "office:master-styles": _skip,
            },
            {
                **body.text_ends(),
                **body.table_ends(),
                **dict.fromkeys(_SHAPES, self._end_shape),
                "draw:page": self._end_page,
                "draw:g": self._end_group,
                "presentation:notes": self._end_notes,
                "presentation:footer-decl": self._end_footer,
            },
            body.text,
        )

    def take(self) -> Iterator[Section]:
        done, self._done = self._done, []
        return iter(done)

    def end(self) -> Iterator[Section]:
        if self._page is not None:
            while self._shapes:
                self._end_shape()
            self._end_page()
        return self.take()

    def _start_page(self, attributes: Attributes) -> None:
        self._number += 1
        self._page = _Page(
            footer=self._footers.get(attributes.get("presentation:use-footer-name", ""), "")
        )
        self._groups = [self._page.shapes]
        self._body.push()
        if not self._styles.is_shown("drawing-page", attributes.get("draw:style-name", "")):
            self.notices.append(
                Notice("hidden-slide", f"slide {self._number} is hidden in the show; it was read")
            )

    def _start_notes(self, _: Attributes) -> None:
        if self._page is not None:
            self._groups.append(self._page.notes)

    def _end_notes(self) -> None:
        if len(self._groups) > 1:
            self._groups.pop()

    def _start_footer(self, attributes: Attributes) -> None:
        self._footer = attributes.get("presentation:name", "")
        self._body.divert()

    def _end_footer(self) -> None:
        self._footers[self._footer] = self._body.diverted()

    def _start_shape(self, attributes: Attributes) -> bool:
        if self._page is None:
            return True
        self._shapes.append(_Shape(_box(attributes), attributes.get("presentation:class", "")))
        self._body.push()
        return False

    def _end_shape(self) -> None:
        if self._shapes:
            shape = self._shapes.pop()
            shape.blocks.append("\n".join(self._body.pop()))
            if shape.role not in _NOT_TEXT and self._groups:
                self._groups[-1].append(shape)

    def _start_group(self, _: Attributes) -> None:
        self._groups.append([])

    def _end_group(self) -> None:
        if len(self._groups) < 2:
            return
        members = self._groups.pop()
        boxes = [member.box for member in members if member.box is not None]
        group = _Shape(_around(boxes))
        group.blocks = [member.text for member in _ordered(members) if member.text]
        self._groups[-1].append(group)

    def _end_page(self) -> None:
        page, self._page = self._page, None
        comments = self._body.pop()
        if page is None:
            return
        title = next((s for s in page.shapes if s.role == "title" and s.text), None)
        shapes = [shape for shape in _ordered(page.shapes) if shape is not title]
        shapes.sort(key=lambda shape: shape.role in _AT_THE_END)
        notes = "\n".join(shape.text for shape in page.notes if shape.text)
        blocks = [
            title.text if title else "",
            *(shape.text for shape in shapes),
            page.footer,
            f"Notes: {notes}" if notes else "",
            *comments,
        ]
        text = "\n\n".join(block for block in blocks if block)
        heading = one_line(title.text)[:_LONGEST_TITLE] if title else ""
        if text:
            place = Locator("slide", self._number)
            self._done.append(Section(text, place, (heading,) if heading else ()))
        else:
            self.notices.append(Notice("slide-without-text", f"slide {self._number}: no text"))


def _skip(_: Attributes) -> bool:
    return True


def _ordered(shapes: list[_Shape]) -> list[_Shape]:
    sample = "".join(shape.text[:1000] for shape in shapes[:100])
    return in_reading_order(shapes, from_right=is_right_to_left(sample))


def _box(attributes: Attributes) -> Box | None:
    left, top = attributes.get("svg:x"), attributes.get("svg:y")
    moved = _TRANSLATION.search(attributes.get("draw:transform", ""))
    if left is None and moved:
        left, top = moved[1], moved[2]
    if left is None or top is None:
        return None
    width, height = attributes.get("svg:width", "0"), attributes.get("svg:height", "0")
    return (_millimetres(left), _millimetres(top), _millimetres(width), _millimetres(height))


def _millimetres(length: str) -> float:
    match = _LENGTH.match(length.strip())
    try:
        return float(match[1]) * _MILLIMETRES.get(match[2] or "mm", 1.0) if match else 0.0
    except ValueError:
        return 0.0


def _around(boxes: list[Box]) -> Box | None:
    if not boxes:
        return None
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right = max(box[0] + box[2] for box in boxes)
    bottom = max(box[1] + box[3] for box in boxes)
    return (left, top, right - left, bottom - top)
