"""Reads the shapes of a slide, a layout or a page of notes: text, tables, pictures, groups.

Source: ECMA-376-1, 19.3 (slides) and 21.1 (text and tables).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from inglenook_office.docx_math import MathText
from inglenook_office.flow import Budget
from inglenook_office.ordinals import ordinal
from inglenook_office.pictures import alternative_text
from inglenook_office.rows import Cell, TableRows
from inglenook_office.slide_order import Box, in_reading_order
from inglenook_office.visible_text import is_right_to_left, visible
from inglenook_office.xml_events import Attributes, Handlers, whole_number

__all__ = ["Placeholder", "Shape", "ShapeReader"]

_DEEPEST_LEVEL = 8
_NUMBERED = re.compile(r"(arabic|alphaLc|alphaUc|romanLc|romanUc|hebrew2)(\w*)")
_NUMBER_STYLES = {
    "arabic": "decimal", "alphaLc": "lowerLetter", "alphaUc": "upperLetter",
    "romanLc": "lowerRoman", "romanUc": "upperRoman", "hebrew2": "hebrew2",
}  # fmt: skip
_BULLETED = ("body", "obj")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """The role of a shape in its layout: `title`, `body`, `ftr`, …, and its number there."""

    kind: str
    index: str


@dataclass(slots=True)
class Shape:
    """One shape, or a group of them as one, with its text as blocks."""

    box: Box | None = None
    placeholder: Placeholder | None = None
    blocks: list[str] = field(default_factory=list)
    hidden: bool = False
    is_picture: bool = False
    paragraphs: list[str] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)

    @property
    def is_title(self) -> bool:
        return self.placeholder is not None and self.placeholder.kind in ("title", "ctrTitle")

    @property
    def text(self) -> str:
        return "\n\n".join(block for block in self.blocks if block.strip())


@dataclass(slots=True)
class _Paragraph:
    pieces: list[str] = field(default_factory=list)
    level: int = 0
    mark: str | None = None


class ShapeReader:
    """Collects shapes; `handlers` is what the parser is given.

    Args:
        budget: Counts what is read.
        chart: The lines of a chart, by its relation.
        diagram: The lines of a SmartArt graphic, by its relation.
    """

    def __init__(
        self,
        budget: Budget,
        chart: Callable[[str], list[str]],
        diagram: Callable[[str], list[str]],
    ) -> None:
        self.is_hidden = False
        self.embedded: list[str] = []
        self.hidden_shapes = 0
        self.pictures = 0
        self._budget = budget
        self._chart = chart
        self._diagram = diagram
        self._groups: list[list[Shape]] = [[]]
        self._open: list[Shape] = []
        self._paragraph = _Paragraph()
        self._in_text = False
        self._table: TableRows | None = None
        self._row: list[Cell] = []
        self._cell: Cell | None = None
        self._cell_lines: list[str] = []
        self._choices: list[int] = []
        self._finished = 0
        math = MathText(lambda: self._paragraph.pieces)
        self.handlers = Handlers(
            {**self._shape_starts(), **self._text_starts(), **math.starts},
            {**self._ends(), **math.ends},
            self._text,
        )

    def shapes(self) -> list[Shape]:
        """The shapes of the outermost level, in the order of the file."""
        return self._groups[0]

    def _shape_starts(self) -> dict[str, Callable[[Attributes], bool | None]]:
        return {
            "p:sld": self._slide,
            **dict.fromkeys(("p:sp", "p:graphicFrame", "p:cxnSp"), self._start_shape),
            "p:pic": self._start_picture,
            "p:grpSp": self._start_group,
            "xdr:sp": self._start_shape,
            "xdr:graphicFrame": self._start_shape,
            "xdr:cxnSp": self._start_shape,
            "xdr:pic": self._start_picture,
            "xdr:grpSp": self._start_group,
            "p:cNvPr": self._properties,
            "xdr:cNvPr": self._properties,
            "p:ph": self._placeholder,
            "a:off": self._offset,
            "a:ext": self._extent,
            "c:chart": self._read_chart,
            "cx:chart": self._read_chart,
            "dgm:relIds": self._read_diagram,
            "p:oleObj": self._object,
            "mc:AlternateContent": lambda _: self._choices.append(self._finished),
            "mc:Choice": self._is_shown_already,
            "mc:Fallback": self._is_shown_already,
            "p:timing": lambda _: True,
        }

    def _text_starts(self) -> dict[str, Callable[[Attributes], bool | None]]:
        return {
            "a:p": self._start_paragraph,
            "a:pPr": self._level,
            "a:buNone": lambda _: self._set_mark(""),
            "a:buChar": lambda _: self._set_mark("-"),
            "a:buBlip": lambda _: self._set_mark("-"),
            "a:buAutoNum": self._number,
            "a:t": lambda _: self._set_in_text(True),
            "m:t": lambda _: self._set_in_text(True),
            "a:br": lambda _: self._paragraph.pieces.append("\n"),
            "a:fld": lambda attributes: attributes.get("type") == "slidenum",
            "a:lstStyle": lambda _: True,
            "a:tbl": self._start_table,
            "a:tblPr": self._table_look,
            "a:tr": self._start_row,
            "a:tc": self._start_cell,
        }

    def _ends(self) -> dict[str, Callable[[], None]]:
        shapes = [f"{kind}:{name}" for kind in ("p", "xdr") for name in
                  ("sp", "graphicFrame", "cxnSp", "pic")]  # fmt: skip
        return {
            **dict.fromkeys(shapes, self._end_shape),
            "p:grpSp": self._end_group,
            "xdr:grpSp": self._end_group,
            "a:p": self._end_paragraph,
            "a:t": lambda: self._set_in_text(False),
            "m:t": lambda: self._set_in_text(False),
            "a:tc": self._end_cell,
            "a:tr": self._end_row,
            "a:tbl": self._end_table,
            "mc:AlternateContent": self._end_alternatives,
        }

    # --- shapes ---

    def _slide(self, attributes: Attributes) -> None:
        self.is_hidden = attributes.get("show", "1") in ("0", "false")

    def _start_shape(self, _: Attributes) -> None:
        self._open.append(Shape())

    def _start_picture(self, _: Attributes) -> None:
        self.pictures += 1
        self._open.append(Shape(is_picture=True))

    def _start_group(self, _: Attributes) -> None:
        self._open.append(Shape())
        self._groups.append([])

    def _properties(self, attributes: Attributes) -> None:
        if not self._open:
            return
        shape = self._open[-1]
        shape.hidden = attributes.get("hidden", "0") in ("1", "true")
        text = alternative_text(attributes.get("descr", "") or attributes.get("title", ""))
        if text:
            self._budget.spend(len(text))
            shape.blocks.append(f"[Image: {text}]")

    def _placeholder(self, attributes: Attributes) -> None:
        if self._open:
            kind, index = attributes.get("type", "obj"), attributes.get("idx", "")
            self._open[-1].placeholder = Placeholder(kind, index)

    def _offset(self, attributes: Attributes) -> None:
        if self._open and self._open[-1].box is None:
            left, top = (whole_number(attributes.get(key), 0) for key in ("x", "y"))
            self._open[-1].box = (left, top, 0, 0)

    def _extent(self, attributes: Attributes) -> None:
        if self._open and "cx" in attributes and self._open[-1].box is not None:
            left, top, width, height = self._open[-1].box
            if not width and not height:
                width, height = (whole_number(attributes.get(key), 0) for key in ("cx", "cy"))
                self._open[-1].box = (left, top, width, height)

    def _end_shape(self) -> None:
        if not self._open:
            return
        shape = self._open.pop()
        self._finish_paragraphs(shape)
        if shape.hidden:
            self.hidden_shapes += bool(shape.text)
        else:
            self._groups[-1].append(shape)
            self._finished += 1

    def _end_group(self) -> None:
        if len(self._groups) < 2 or not self._open:
            return
        group, members = self._open.pop(), self._groups.pop()
        if group.hidden:
            self.hidden_shapes += 1
            return
        text = "".join(member.text[:1000] for member in members[:100])
        ordered = in_reading_order(members, from_right=is_right_to_left(text))
        group.blocks.extend(block for member in ordered for block in member.blocks)
        self._groups[-1].append(group)

    def _finish_paragraphs(self, shape: Shape) -> None:
        if shape.paragraphs:
            shape.blocks.append("\n".join(shape.paragraphs))
            shape.paragraphs = []

    def _read_chart(self, attributes: Attributes) -> None:
        self._add_block("\n".join(self._chart(attributes.get("r:id", ""))))

    def _read_diagram(self, attributes: Attributes) -> None:
        self._add_block("\n".join(self._diagram(attributes.get("r:dm", ""))))

    def _add_block(self, text: str) -> None:
        if self._open and text:
            self._budget.spend(len(text))
            self._open[-1].blocks.append(text)

    def _object(self, attributes: Attributes) -> None:
        self.embedded.append(attributes.get("r:id", ""))

    def _is_shown_already(self, _: Attributes) -> bool:
        """Of several ways to show a thing, the first that can be read is taken."""
        return bool(self._choices) and self._finished > self._choices[-1]

    def _end_alternatives(self) -> None:
        if self._choices:
            self._choices.pop()

    # --- text ---

    def _start_paragraph(self, _: Attributes) -> None:
        self._budget.paragraph()
        self._paragraph = _Paragraph()

    def _level(self, attributes: Attributes) -> None:
        level = whole_number(attributes.get("lvl"), 0)
        self._paragraph.level = min(max(level, 0), _DEEPEST_LEVEL)

    def _set_mark(self, mark: str) -> None:
        self._paragraph.mark = mark

    def _number(self, attributes: Attributes) -> None:
        match = _NUMBERED.match(attributes.get("type", ""))
        if not self._open or match is None:
            self._paragraph.mark = "-"
            return
        counts, level = self._open[-1].numbers, self._paragraph.level
        counts[level] = counts.get(level, whole_number(attributes.get("startAt"), 1) - 1) + 1
        for deeper in [number for number in counts if number > level]:
            del counts[deeper]
        text = ordinal(counts[level], _NUMBER_STYLES[match[1]])
        close = ")" if "Paren" in match[2] else "." if "Period" in match[2] else ""
        self._paragraph.mark = f"({text})" if "ParenBoth" in match[2] else f"{text}{close}"

    def _set_in_text(self, value: bool) -> None:
        self._in_text = value

    def _text(self, data: str) -> None:
        if self._in_text:
            self._budget.spend(len(data))
            self._paragraph.pieces.append(data)

    def _end_paragraph(self) -> None:
        paragraph, self._paragraph = self._paragraph, _Paragraph()
        text = visible("".join(paragraph.pieces)).strip()
        if not self._open or not text:
            return
        if self._cell is not None:
            self._cell_lines.append(text)
            return
        shape = self._open[-1]
        mark = paragraph.mark
        if mark is None:
            is_listed = shape.placeholder is not None and shape.placeholder.kind in _BULLETED
            mark = "-" if is_listed or paragraph.level else ""
        indent = "  " * paragraph.level if mark else ""
        shape.paragraphs.append(f"{indent}{mark} {text}" if mark else text)

    # --- tables ---

    def _start_table(self, _: Attributes) -> None:
        self._table = TableRows()

    def _table_look(self, attributes: Attributes) -> None:
        if self._table is not None and attributes.get("firstRow", "0") in ("1", "true"):
            self._table.header_rows = 1

    def _start_row(self, _: Attributes) -> None:
        self._row = []

    def _start_cell(self, attributes: Attributes) -> None:
        self._cell_lines = []
        self._cell = Cell(
            "",
            len(self._row),
            max(1, whole_number(attributes.get("gridSpan"), 1)),
            continues=any(
                attributes.get(key, "0") in ("1", "true") for key in ("vMerge", "hMerge")
            ),
        )

    def _end_cell(self) -> None:
        if self._cell is not None:
            self._cell.text = "\n".join(self._cell_lines)
            self._row.append(self._cell)
        self._cell = None

    def _end_row(self) -> None:
        if self._table is not None and self._row:
            self._table.rows.append(self._row)
        self._row = []

    def _end_table(self) -> None:
        if self._table is not None:
            for line in self._table.lines():
                self._budget.spend(len(line))
                if self._open:
                    self._open[-1].paragraphs.append(line)
        self._table = None
