"""Reads the text of OpenDocument files: paragraphs, lists, tables, notes, annotations, frames.

Text documents, slides and cells hold the same elements; the readers of slides and sheets take
over what means something else there. Source: OASIS OpenDocument 1.3, part 3, sections 5 to 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from inglenook_office.flow import Budget
from inglenook_office.odf_styles import ListStyle, OdfStyles
from inglenook_office.pictures import alternative_text
from inglenook_office.rows import Cell, TableRows
from inglenook_office.sinks import Lines, Sink
from inglenook_office.visible_text import one_line, visible
from inglenook_office.xml_events import Attributes, Handlers, whole_number

__all__ = ["OdfBody"]

_MOST_BLANKS = 1_000
_MOST_COLUMNS = 16_384
_MOST_REPEATED = 100
_DEEPEST_LIST = 10
_BLANKS = re.compile(r"[ \t\r\n]+")
_BOXES = (
    "draw:text-box", "draw:custom-shape", "draw:rect", "draw:ellipse", "draw:circle", "draw:line",
    "draw:polyline", "draw:polygon", "draw:path", "draw:connector", "draw:caption",
)  # fmt: skip


@dataclass(slots=True)
class _Paragraph:
    pieces: list[str] = field(default_factory=list)
    style: str = ""
    level: int | None = None
    is_hidden: bool = False
    after: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _List:
    style: ListStyle | None
    depth: int
    awaits_mark: bool = False


@dataclass(slots=True)
class _Table:
    rows: TableRows = field(default_factory=TableRows)
    columns: int = 0
    has_begun: bool = False
    is_frame: bool = False
    header_rows: int = 0
    in_header: bool = False
    row: list[Cell] = field(default_factory=list)
    column: int = 0
    repeat: int = 1
    covered: int = 0
    cell: Cell = field(default_factory=lambda: Cell("", 0))


class OdfBody:
    """Turns events into blocks for a sink.

    Args:
        sink: Takes the blocks.
        styles: The styles; those that stand in the same stream are added to them.
        budget: Counts what is read.
        read_object: The lines of an object that is kept in a folder of its own.
    """

    def __init__(
        self,
        sink: Sink,
        styles: OdfStyles,
        budget: Budget,
        read_object: Callable[[str], list[str]] = lambda _: [],
    ) -> None:
        self.deletions = 0
        self.hidden = 0
        self.pictures = 0
        self._sinks: list[Sink] = [sink]
        self._styles = styles
        self._budget = budget
        self._read_object = read_object
        self._paragraphs: list[_Paragraph] = []
        self._lists: list[_List] = []
        self._tables: list[_Table] = []
        self._hidden_spans: list[bool] = []
        self._notes = 0
        self._authors: list[str] = []
        self._citation = ""
        self._diverted: list[str] | None = None
        self._in_list = False

    def handlers(self) -> Handlers:
        """Everything that a text document needs."""
        return Handlers(
            {
                **self._styles.starts,
                **self.text_starts(),
                **self.table_starts(),
                **dict.fromkeys(_BOXES, self._start_box),
            },
            {**self.text_ends(), **self.table_ends(), **dict.fromkeys(_BOXES, self._end_box)},
            self.text,
        )

    def begin(self, sink: Sink) -> None:
        """From here on, blocks go to this sink."""
        self._sinks[0] = sink
        self._in_list = False

    def push(self) -> None:
        """From here on, blocks are lines of their own."""
        self._sinks.append(Lines())
        self._lists.append(_List(None, 0))
        self._in_list = False

    def pop(self) -> list[str]:
        """The lines since `push`."""
        lines = self._sinks.pop() if len(self._sinks) > 1 else Lines()
        if self._lists:
            self._lists.pop()
        self._in_list = False
        found = lines.lines if isinstance(lines, Lines) else []
        if len(self._sinks) > 2:
            self._budget.spend(sum(map(len, found)))  # it is copied once for each box around it
        return found

    def block(self, text: str) -> None:
        """Put a block behind the open paragraph, or where none is open, here."""
        if not text.strip():
            return
        if self._paragraphs:
            self._paragraphs[-1].after.append(text)
        else:
            self._sinks[-1].paragraph(text)
            self._in_list = False

    def text_starts(self) -> dict[str, Callable[[Attributes], bool | None]]:
        return {
            "text:p": self._start_paragraph,
            "text:h": self._start_heading,
            "text:number": _skip,
            "text:span": self._start_span,
            "text:s": self._blanks,
            "text:tab": lambda _: self._write(" "),
            "text:line-break": lambda _: self._write("\n"),
            "text:section": self._section,
            "text:hidden-paragraph": self._hidden_paragraph,
            "text:hidden-text": self._hide,
            "text:tracked-changes": self._changes,
            "text:list": self._start_list,
            "text:list-item": self._start_item,
            "text:note-citation": lambda _: self.divert(),
            "text:note-body": self._start_note,
            "office:annotation": self._start_annotation,
            "dc:creator": lambda _: self.divert(),
            "dc:date": _skip,
            "text:ruby-text": lambda _: self._write("("),
            "svg:title": lambda _: self.divert(),
            "svg:desc": lambda _: self.divert(),
            "draw:image": self._image,
            "draw:object": self._object,
            "text:sequence-decls": _skip,
            "text:variable-decls": _skip,
            "text:user-field-decls": _skip,
            "office:forms": _skip,
            "office:scripts": _skip,
            "office:binary-data": _skip,
            "math:annotation": _skip,
            "chart:label-separator": _skip,
            "math:math": self._start_formula,
        }

    def text_ends(self) -> dict[str, Callable[[], None]]:
        return {
            "text:p": self._end_paragraph,
            "text:h": self._end_paragraph,
            "text:span": self._end_span,
            "text:list": self._end_list,
            "text:list-item": self._end_item,
            "text:note-citation": self._end_citation,
            "text:note-body": self._end_note,
            "office:annotation": self._end_annotation,
            "dc:creator": self._end_creator,
            "text:ruby-text": lambda: self._write(")"),
            "svg:title": self._end_alternative,
            "svg:desc": self._end_alternative,
            "math:math": self._end_paragraph,
        }

    def table_starts(self) -> dict[str, Callable[[Attributes], bool | None]]:
        return {
            "table:table": self._start_table,
            "table:table-column": self._table_column,
            "table:table-header-rows": lambda _: self._set_in_header(True),
            "table:table-row": self._start_row,
            "table:table-cell": self._start_cell,
            "table:covered-table-cell": self._start_covered_cell,
        }

    def table_ends(self) -> dict[str, Callable[[], None]]:
        return {
            "table:table": self._end_table,
            "table:table-header-rows": lambda: self._set_in_header(False),
            "table:table-row": self._end_row,
            "table:table-cell": self._end_cell,
            "table:covered-table-cell": self._end_cell,
        }

    # --- text ---

    def text(self, data: str) -> None:
        """Take characters; those outside of paragraphs lay the file out and are no text."""
        if self._diverted is not None:
            self._budget.spend(len(data))
            self._diverted.append(data)
        elif self._paragraphs:
            self._budget.spend(len(data))
            if self._paragraphs[-1].is_hidden or any(self._hidden_spans):
                self.hidden += len(data.strip())
            else:
                self._write(_BLANKS.sub(" ", data))

    def _write(self, text: str) -> None:
        if self._paragraphs and self._diverted is None:
            self._paragraphs[-1].pieces.append(text)

    def _blanks(self, attributes: Attributes) -> None:
        count = whole_number(attributes.get("text:c"), 1)
        self._write(" " * min(max(count, 1), _MOST_BLANKS))

    def _start_paragraph(self, attributes: Attributes) -> None:
        self._budget.paragraph()
        style = attributes.get("text:style-name", "")
        hidden = self._styles.is_hidden("paragraph", style)
        level = None if self._lists else self._styles.heading_level(style)
        self._paragraphs.append(_Paragraph(style=style, level=level, is_hidden=hidden))

    def _start_heading(self, attributes: Attributes) -> None:
        self._start_paragraph(attributes)
        self._paragraphs[-1].level = max(1, whole_number(attributes.get("text:outline-level"), 1))

    def _start_formula(self, _: Attributes) -> None:
        self._paragraphs.append(_Paragraph())

    def _end_paragraph(self) -> None:
        if not self._paragraphs:
            return
        paragraph = self._paragraphs.pop()
        text = visible("".join(paragraph.pieces)).strip()
        if text:
            self._put(paragraph, text)
        for block in paragraph.after:
            self._sinks[-1].paragraph(block)
            self._in_list = False

    def _put(self, paragraph: _Paragraph, text: str) -> None:
        item = self._lists[-1] if self._lists else None
        if paragraph.level is not None:
            mark = self._heading_mark(paragraph.level)
            self._sinks[-1].heading(paragraph.level, f"{mark} {text}" if mark else text)
            self._in_list = False
        elif item is not None:
            mark = ""
            if item.awaits_mark:
                item.awaits_mark = False
                mark = item.style.next_mark(item.depth) if item.style else "-"
            line = f"{mark} {text}" if mark else text
            indent = "  " * (min(item.depth, _DEEPEST_LIST) - 1)
            self._sinks[-1].paragraph(f"{indent}{line}", tight=self._in_list)
            self._in_list = True
        else:
            self._sinks[-1].paragraph(text)
            self._in_list = False

    def _heading_mark(self, level: int) -> str:
        outline = self._styles.outline
        mark = outline.next_mark(level) if level in outline.levels else ""
        return "" if mark == "-" else mark

    def _start_span(self, attributes: Attributes) -> None:
        style = attributes.get("text:style-name", "")
        self._hidden_spans.append(self._styles.is_hidden("text", style))

    def _end_span(self) -> None:
        if self._hidden_spans:
            self._hidden_spans.pop()

    def _section(self, attributes: Attributes) -> bool:
        is_hidden = attributes.get("text:display", "true") == "none"
        self.hidden += is_hidden
        return is_hidden

    def _hidden_paragraph(self, attributes: Attributes) -> None:
        if self._paragraphs and attributes.get("text:is-hidden", "false") == "true":
            self._paragraphs[-1].is_hidden = True

    def _hide(self, attributes: Attributes) -> bool:
        is_hidden = attributes.get("text:is-hidden", "true") == "true"
        self.hidden += is_hidden
        return is_hidden

    def _changes(self, _: Attributes) -> bool:
        """Deleted text is kept apart from the text; it is left out."""
        self.deletions += 1
        return True

    # --- lists ---

    def _start_list(self, attributes: Attributes) -> None:
        outer = self._lists[-1] if self._lists else None
        name = attributes.get("text:style-name", "")
        style = self._styles.list_style(name) if name else outer.style if outer else None
        depth = min(outer.depth + 1 if outer else 1, _DEEPEST_LIST)
        goes_on = attributes.get("text:continue-numbering", "false") == "true"
        if style is not None and not goes_on and "text:continue-list" not in attributes:
            style.restart(depth)
        self._lists.append(_List(style, depth))

    def _end_list(self) -> None:
        if self._lists:
            self._lists.pop()

    def _start_item(self, attributes: Attributes) -> None:
        if not self._lists:
            return
        item = self._lists[-1]
        item.awaits_mark = True
        start = attributes.get("text:start-value")
        if start is not None and item.style is not None:
            item.style.restart(item.depth, whole_number(start, 1) - 1)

    def _end_item(self) -> None:
        if self._lists:
            self._lists[-1].awaits_mark = False

    # --- what stands beside the text ---

    def divert(self) -> None:
        """From here on, characters are no text of the document."""
        self._diverted = []

    def diverted(self) -> str:
        """The characters since `divert`, on one line."""
        text = one_line("".join(self._diverted or ()))
        self._diverted = None
        return text

    def _end_citation(self) -> None:
        self._citation = self.diverted()
        self._write(f"[{self._citation}]")

    def _start_note(self, _: Attributes) -> None:
        self.push()

    def _end_note(self) -> None:
        text = "\n".join(self.pop())
        self.block(f"[{self._citation}] {text}" if text else "")

    def _start_annotation(self, _: Attributes) -> None:
        self._authors.append("")
        self._paragraphs.append(_Paragraph())
        self.push()

    def _end_creator(self) -> None:
        author = self.diverted()
        if self._authors:
            self._authors[-1] = author

    def _end_annotation(self) -> None:
        author = self._authors.pop() if self._authors else ""
        text = "\n".join(self.pop())
        if self._paragraphs:
            self._paragraphs.pop()
        if text:
            self.block(f"[Comment by {author}: {text}]" if author else f"[Comment: {text}]")

    def _end_alternative(self) -> None:
        text = alternative_text(self.diverted())
        self.block(f"[Image: {text}]" if text else "")

    def _image(self, _: Attributes) -> None:
        self.pictures += 1

    def _object(self, attributes: Attributes) -> None:
        self.block("\n".join(self._read_object(attributes.get("xlink:href", ""))))

    def _start_box(self, _: Attributes) -> None:
        self._paragraphs.append(_Paragraph())
        self.push()

    def _end_box(self) -> None:
        text = "\n".join(self.pop())
        after = self._paragraphs.pop().after if self._paragraphs else []
        for block in (text, *after):
            self.block(block)

    # --- tables ---

    def _start_table(self, attributes: Attributes) -> None:
        has_header = attributes.get("table:use-first-row-styles", "false") == "true"
        self._tables.append(_Table(TableRows(header_rows=1 if has_header else None)))

    def _table_column(self, attributes: Attributes) -> None:
        if self._tables:
            count = whole_number(attributes.get("table:number-columns-repeated"), 1)
            self._tables[-1].columns += min(max(count, 1), _MOST_COLUMNS)

    def _set_in_header(self, value: bool) -> None:
        if self._tables:
            self._tables[-1].in_header = value

    def _start_row(self, _: Attributes) -> None:
        if not self._tables:
            return
        table = self._tables[-1]
        if not table.has_begun:
            table.has_begun, table.is_frame = True, table.columns == 1
        table.row, table.column, table.covered = [], 0, 0

    def _start_cell(self, attributes: Attributes) -> None:
        if not self._tables or not self._tables[-1].has_begun:
            return
        table = self._tables[-1]
        spanned = whole_number(attributes.get("table:number-columns-spanned"), 1)
        repeated = whole_number(attributes.get("table:number-columns-repeated"), 1)
        table.cell = Cell("", table.column, min(max(spanned, 1), _MOST_COLUMNS))
        table.repeat = min(max(repeated, 1), _MOST_REPEATED)
        if not table.is_frame:
            self._paragraphs.append(_Paragraph())
            self.push()

    def _start_covered_cell(self, attributes: Attributes) -> None:
        self._start_cell(attributes)
        if self._tables:
            self._tables[-1].cell.continues = True

    def _end_cell(self) -> None:
        table = self._tables[-1] if self._tables else _Table()
        if not table.has_begun or table.is_frame:
            return
        lines = self.pop()
        after = self._paragraphs.pop().after if self._paragraphs else []
        table.cell.text = "\n".join([*lines, *after])
        if table.cell.continues and table.covered > 0:
            table.covered -= table.repeat
            table.column += table.repeat
            return
        table.covered = table.cell.columns - 1
        for _ in range(table.repeat):
            look = table.cell
            table.row.append(Cell(look.text, table.column, look.columns, look.continues))
            table.column += 1

    def _end_row(self) -> None:
        if not self._tables or not self._tables[-1].row:
            return
        table = self._tables[-1]
        if table.in_header and table.header_rows == len(table.rows.rows):
            table.header_rows += 1
        table.rows.rows.append(table.row)

    def _end_table(self) -> None:
        if not self._tables:
            return
        table = self._tables.pop()
        table.rows.header_rows = table.header_rows or table.rows.header_rows
        for number, line in enumerate(table.rows.lines()):
            self._sinks[-1].paragraph(line, tight=number > 0)
        self._in_list = False


def _skip(_: Attributes) -> bool:
    return True
