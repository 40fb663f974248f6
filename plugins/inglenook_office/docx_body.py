"""Reads the blocks of a Word document: paragraphs, lists, tables, text boxes, notes, comments.

The parser's events drive it; what is finished goes to a sink: the flow of the document, or the
lines of a cell, a text box or a note. Source: ECMA-376-1, 17.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from inglenook_office.docx_lists import Lists
from inglenook_office.docx_math import MathText
from inglenook_office.docx_styles import Styles, is_on
from inglenook_office.flow import Budget
from inglenook_office.ordinals import ordinal
from inglenook_office.pictures import alternative_text
from inglenook_office.rows import Cell, TableRows
from inglenook_office.sinks import Lines, Sink
from inglenook_office.visible_text import symbol, visible
from inglenook_office.xml_events import Attributes, Handlers, whole_number

__all__ = ["BodyReader", "References", "Seen"]

_DEEPEST_LEVEL = 8


@dataclass(slots=True)
class Seen:
    """What the reader met that is told in notices or read from other parts."""

    deletions: int = 0
    insertions: int = 0
    hidden: int = 0
    pictures: int = 0
    embedded: list[str] = field(default_factory=list)
    endnotes: list[str] = field(default_factory=list)


def _nothing(_: str) -> str:
    return ""


def _no_lines(_: str) -> list[str]:
    return []


@dataclass(slots=True)
class References:
    """Looks up what a document refers to: texts of notes and comments by id, parts by relation."""

    footnote: Callable[[str], str] = _nothing
    endnote: Callable[[str], str] = _nothing
    comment: Callable[[str], str] = _nothing
    chart: Callable[[str], list[str]] = _no_lines
    diagram: Callable[[str], list[str]] = _no_lines


class _Paragraph:
    """An open paragraph. There are very many of them, so that making one must be cheap."""

    __slots__ = ("after", "joins_next", "list_id", "list_level", "outline", "pieces", "style")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.style = ""
        self.list_id: str | None = None
        self.list_level: int | None = None
        self.outline: int | None = None
        self.joins_next = False
        self.after: list[str] | None = None


@dataclass(slots=True)
class _Table:
    """An open table. One of a single column is a frame: its paragraphs are the document's own."""

    rows: TableRows = field(default_factory=TableRows)
    has_begun: bool = False
    columns: int = 0
    header_rows: int = 0
    row: list[Cell] = field(default_factory=list)
    column: int = 0
    row_is_header: bool = False
    row_is_deleted: bool = False
    cell: Cell = field(default_factory=lambda: Cell("", 0))
    is_frame: bool = False


class BodyReader:
    """Turns events into blocks. `handlers` is what the parser is given."""

    def __init__(
        self,
        sink: Sink,
        styles: Styles,
        lists: Lists,
        references: References,
        budget: Budget,
    ) -> None:
        self._budget = budget
        self.seen = Seen()
        self.is_last_in_list = False
        self._sinks: list[Sink] = [sink]
        self._styles = styles
        self._lists = lists
        self._references = references
        self._paragraphs: list[_Paragraph] = []
        self._tables: list[_Table] = []
        self._fields: list[bool] = []
        self._run_is_hidden = False
        self._in_text = False
        self._properties_of = ""
        self._footnotes = 0
        self._carried = ""
        self._ruby_from = 0
        self._ruby = ""
        self._choices: list[int] = []
        self._written = 0
        math = MathText(self._pieces)
        self.handlers = Handlers(
            {**self._block_starts(), **self._run_starts(), **math.starts},
            {**self._ends(), **math.ends},
            self._text,
        )

    def _block_starts(self) -> dict[str, Callable[[Attributes], bool | None]]:
        return {
            "w:p": self._start_paragraph,
            "w:pPr": lambda _: self._start_properties("paragraph"),
            "w:trPr": lambda _: self._start_properties("row"),
            "w:pStyle": self._style,
            "w:numId": self._list_id,
            "w:ilvl": self._list_level,
            "w:outlineLvl": self._outline,
            "w:sectPr": _skip,
            "w:pPrChange": _skip,
            "w:rPrChange": _skip,
            "w:tblPrChange": _skip,
            "w:tblGridChange": _skip,
            "w:trPrChange": _skip,
            "w:tcPrChange": _skip,
            "w:numberingChange": _skip,
            "w:tbl": lambda _: self._tables.append(_Table()),
            "w:gridCol": self._grid_column,
            "w:tr": self._start_row,
            "w:tblHeader": self._header_row,
            "w:gridBefore": self._columns_before,
            "w:tc": self._start_cell,
            "w:gridSpan": self._span,
            "w:vMerge": self._continue_cell,
            "w:hMerge": self._continue_cell_across,
            "w:cellDel": self._delete_cell,
            "w:txbxContent": self._start_box,
            "w:altChunk": self._embed_chunk,
        }

    def _run_starts(self) -> dict[str, Callable[[Attributes], bool | None]]:
        return {
            "w:r": self._start_run,
            "w:t": self._start_text,
            "w:vanish": self._vanish,
            "w:rStyle": self._run_style,
            "w:del": self._deletion,
            "w:moveFrom": self._deletion,
            "w:ins": self._insertion,
            "w:moveTo": self._insertion,
            "w:tab": lambda _: self._write(" "),
            "w:ptab": lambda _: self._write(" "),
            "w:br": lambda _: self._write("\n"),
            "w:cr": lambda _: self._write("\n"),
            "w:noBreakHyphen": lambda _: self._write("-"),
            "w:sym": self._symbol,
            "w:fldChar": self._field,
            "w:checkBox": lambda _: self._pieces().append("☐"),
            "w:default": self._check,
            "w:checked": self._check,
            "w:rt": self._start_ruby,
            "w:footnoteReference": self._footnote,
            "w:endnoteReference": self._endnote,
            "w:commentReference": self._comment,
            "wp:docPr": self._drawing,
            "v:shape": self._shape,
            "v:textpath": self._art,
            "a:t": self._start_text,
            "c:chart": self._chart,
            "cx:chart": self._chart,
            "dgm:relIds": self._diagram,
            "o:OLEObject": self._object,
            "m:r": self._start_run,
            "m:t": self._start_text,
            "mc:AlternateContent": lambda _: self._choices.append(self._written),
            "mc:Choice": self._is_shown_already,
            "mc:Fallback": self._is_shown_already,
        }

    def _ends(self) -> dict[str, Callable[[], None]]:
        return {
            "w:p": self._end_paragraph,
            "w:pPr": self._end_properties,
            "w:trPr": self._end_properties,
            "w:t": self._end_text,
            "m:t": self._end_text,
            "a:t": self._end_text,
            "a:p": lambda: self._write("\n"),
            "w:rt": self._end_ruby,
            "w:ruby": self._end_base,
            "w:tc": self._end_cell,
            "w:tr": self._end_row,
            "w:tbl": self._end_table,
            "w:txbxContent": self._end_box,
            "mc:AlternateContent": self._end_alternatives,
        }

    # --- paragraphs ---

    def _start_paragraph(self, _: Attributes) -> None:
        self._budget.paragraph()
        self._paragraphs.append(_Paragraph())
        if self._carried:
            self._write(self._carried)
            self._carried = ""

    def _start_properties(self, of: str) -> None:
        self._properties_of = of

    def _end_properties(self) -> None:
        self._properties_of = ""

    def _style(self, attributes: Attributes) -> None:
        if self._paragraphs:
            self._paragraphs[-1].style = attributes.get("w:val", "")

    def _list_id(self, attributes: Attributes) -> None:
        if self._paragraphs:
            self._paragraphs[-1].list_id = attributes.get("w:val", "")

    def _list_level(self, attributes: Attributes) -> None:
        if self._paragraphs:
            self._paragraphs[-1].list_level = whole_number(attributes.get("w:val"), 0)

    def _outline(self, attributes: Attributes) -> None:
        if self._paragraphs:
            self._paragraphs[-1].outline = whole_number(attributes.get("w:val"), 9)

    def _end_paragraph(self) -> None:
        if not self._paragraphs:
            return
        paragraph = self._paragraphs.pop()
        if self._fields:
            self._fields = [in_code for in_code in self._fields if not in_code]
        text = "".join(paragraph.pieces)
        if paragraph.joins_next and text.strip():
            self._carried = text
            return
        self._put_paragraph(paragraph, visible(text).strip())
        for block in paragraph.after or ():
            self._sinks[-1].paragraph(block)
            self.is_last_in_list = False

    def _put_paragraph(self, paragraph: _Paragraph, text: str) -> None:
        mark, depth = self._mark(paragraph)
        if not text:
            return
        level = self._heading_level(paragraph)
        if level is not None:
            self._sinks[-1].heading(level, f"{mark} {text}" if mark not in ("", "-") else text)
            self.is_last_in_list = False
        elif mark:
            item = f"{'  ' * depth}{mark} {text}"
            self._sinks[-1].paragraph(item, tight=self.is_last_in_list)
            self.is_last_in_list = True
        else:
            self._sinks[-1].paragraph(text)
            self.is_last_in_list = False

    def _heading_level(self, paragraph: _Paragraph) -> int | None:
        if paragraph.outline is not None:
            return paragraph.outline + 1 if 0 <= paragraph.outline < 9 else None
        return self._styles.heading_level(paragraph.style)

    def _mark(self, paragraph: _Paragraph) -> tuple[str, int]:
        """The mark of a list item and its depth; "" for what is none."""
        list_id, level = paragraph.list_id, paragraph.list_level
        if list_id is None:
            list_id, of_style = self._styles.list_of(paragraph.style)
            level = of_style if level is None else level
            if level is None and list_id:
                level = self._lists.level_of(list_id, paragraph.style)
        if not list_id or list_id == "0":
            return "", 0
        depth = min(max(level or 0, 0), _DEEPEST_LEVEL)
        return self._lists.next_mark(list_id, depth), depth

    # --- runs ---

    def _start_run(self, _: Attributes) -> None:
        self._run_is_hidden = False

    def _vanish(self, attributes: Attributes) -> None:
        if not self._properties_of:
            self._run_is_hidden = is_on(attributes)

    def _run_style(self, attributes: Attributes) -> None:
        if not self._properties_of and self._styles.is_hidden(attributes.get("w:val", "")):
            self._run_is_hidden = True

    def _start_text(self, _: Attributes) -> None:
        self._in_text = not any(self._fields)

    def _end_text(self) -> None:
        self._in_text = False

    def _text(self, data: str) -> None:
        if not self._in_text:
            return
        self._budget.spend(len(data))
        if self._run_is_hidden:
            self.seen.hidden += len(data.strip())
        else:
            self._write(data)

    def _pieces(self) -> list[str]:
        """The pieces of the open paragraph."""
        return self._paragraphs[-1].pieces if self._paragraphs else []

    def _write(self, text: str) -> None:
        if self._paragraphs and not (self._properties_of or any(self._fields)):
            self._paragraphs[-1].pieces.append(text)
            self._written += 1

    def _write_after(self, text: str) -> None:
        """Put a block behind the open paragraph."""
        if text.strip() and self._paragraphs:
            self._budget.spend(len(text))
            if self._paragraphs[-1].after is None:
                self._paragraphs[-1].after = []
            self._paragraphs[-1].after.append(text)
            self._written += 1

    def _symbol(self, attributes: Attributes) -> None:
        try:
            code = int(attributes.get("w:char", ""), 16)
        except ValueError:
            return
        self._write(symbol(code, attributes.get("w:font", "")))

    def _field(self, attributes: Attributes) -> None:
        """Of a field, the result is text and the code is not."""
        kind = attributes.get("w:fldCharType", "")
        if kind == "begin":
            self._fields.append(True)
        elif kind == "separate" and self._fields:
            self._fields[-1] = False
        elif kind == "end" and self._fields:
            self._fields.pop()

    def _check(self, attributes: Attributes) -> None:
        pieces = self._pieces()
        if pieces and pieces[-1] in ("☐", "☒"):
            pieces[-1] = "☒" if is_on(attributes) else "☐"

    def _start_ruby(self, _: Attributes) -> None:
        self._ruby_from = len(self._pieces())

    def _end_ruby(self) -> None:
        pieces = self._pieces()
        self._ruby = "".join(pieces[self._ruby_from :])
        del pieces[self._ruby_from :]

    def _end_base(self) -> None:
        if self._ruby:
            self._write(f"({self._ruby})")
        self._ruby = ""

    # --- tracked changes ---

    def _deletion(self, _: Attributes) -> bool:
        """What was deleted is left out: a run, the mark that ends a paragraph, or a row."""
        if self._properties_of == "paragraph" and self._paragraphs:
            self._paragraphs[-1].joins_next = True
        elif self._properties_of == "row" and self._tables:
            self._tables[-1].row_is_deleted = True
        self.seen.deletions += 1
        return True

    def _insertion(self, _: Attributes) -> None:
        self.seen.insertions += 1

    # --- what stands beside the text ---

    def _footnote(self, attributes: Attributes) -> None:
        self._footnotes += 1
        self._write(f"[{self._footnotes}]")
        text = self._references.footnote(attributes.get("w:id", ""))
        self._write_after(f"[{self._footnotes}] {text}" if text else "")

    def _endnote(self, attributes: Attributes) -> None:
        mark = f"[{ordinal(len(self.seen.endnotes) + 1, 'lowerRoman')}]"
        self._write(mark)
        text = self._references.endnote(attributes.get("w:id", ""))
        self._budget.spend(len(text))
        self.seen.endnotes.append(f"{mark} {text}" if text else "")

    def _comment(self, attributes: Attributes) -> None:
        self._write_after(self._references.comment(attributes.get("w:id", "")))

    def _drawing(self, attributes: Attributes) -> None:
        self.seen.pictures += 1
        text = alternative_text(attributes.get("descr", "") or attributes.get("title", ""))
        self._write_after(f"[Image: {text}]" if text else "")

    def _shape(self, attributes: Attributes) -> None:
        text = alternative_text(attributes.get("alt", ""))
        self._write_after(f"[Image: {text}]" if text else "")

    def _art(self, attributes: Attributes) -> None:
        self._write_after(visible(attributes.get("string", "")))

    def _chart(self, attributes: Attributes) -> None:
        self._write_after("\n".join(self._references.chart(attributes.get("r:id", ""))))

    def _diagram(self, attributes: Attributes) -> None:
        self._write_after("\n".join(self._references.diagram(attributes.get("r:dm", ""))))

    def _object(self, attributes: Attributes) -> None:
        self.seen.embedded.append(attributes.get("r:id", ""))

    def _embed_chunk(self, attributes: Attributes) -> None:
        self.seen.embedded.append(attributes.get("r:id", ""))

    def _start_box(self, _: Attributes) -> None:
        self._sinks.append(Lines())
        self._paragraphs.append(_Paragraph())

    def _end_box(self) -> None:
        box = self._sinks.pop()
        self._paragraphs.pop()
        if isinstance(box, Lines):
            self._write_after("\n".join(box.lines))

    def _is_shown_already(self, _: Attributes) -> bool:
        """Of several ways to show a thing the first is read, the next if that has no text."""
        return bool(self._choices) and self._written > self._choices[-1]

    def _end_alternatives(self) -> None:
        if self._choices:
            self._choices.pop()

    # --- tables ---

    def _grid_column(self, _: Attributes) -> None:
        if self._tables:
            self._tables[-1].columns += 1

    def _start_row(self, _: Attributes) -> None:
        if self._tables:
            table = self._tables[-1]
            if not table.has_begun:
                table.has_begun, table.is_frame = True, table.columns == 1
            table.row, table.column = [], 0
            table.row_is_header = table.row_is_deleted = False

    def _header_row(self, attributes: Attributes) -> None:
        if self._tables:
            self._tables[-1].row_is_header = is_on(attributes)

    def _columns_before(self, attributes: Attributes) -> None:
        if self._tables:
            self._tables[-1].column = max(0, whole_number(attributes.get("w:val"), 0))

    def _start_cell(self, _: Attributes) -> None:
        if self._tables and self._tables[-1].has_begun and not self._tables[-1].is_frame:
            self._tables[-1].cell = Cell("", self._tables[-1].column)
            self._sinks.append(Lines())

    def _span(self, attributes: Attributes) -> None:
        if self._tables:
            self._tables[-1].cell.columns = max(1, whole_number(attributes.get("w:val"), 1))

    def _continue_cell(self, attributes: Attributes) -> None:
        if self._tables:
            self._tables[-1].cell.continues = attributes.get("w:val", "continue") != "restart"

    def _continue_cell_across(self, attributes: Attributes) -> None:
        if self._tables and attributes.get("w:val", "continue") != "restart":
            self._tables[-1].cell.continues = True

    def _delete_cell(self, _: Attributes) -> None:
        self.seen.deletions += 1
        if self._tables:
            self._tables[-1].row_is_deleted = True

    def _end_cell(self) -> None:
        table = self._tables[-1] if self._tables else _Table()
        lines = self._sinks[-1]
        if not table.has_begun or table.is_frame or not isinstance(lines, Lines):
            return
        self._sinks.pop()
        table.cell.text = "\n".join(lines.lines)
        if len(self._tables) > 1:
            self._budget.spend(len(table.cell.text))  # it is copied once for each table around it
        table.row.append(table.cell)
        table.column += table.cell.columns
        self.is_last_in_list = False

    def _end_row(self) -> None:
        if not self._tables:
            return
        table = self._tables[-1]
        if table.row_is_deleted or not table.row:
            return
        if table.row_is_header and table.header_rows == len(table.rows.rows):
            table.header_rows += 1
        table.rows.rows.append(table.row)

    def _end_table(self) -> None:
        if not self._tables:
            return
        table = self._tables.pop()
        table.rows.header_rows = table.header_rows or None
        for number, line in enumerate(table.rows.lines()):
            self._sinks[-1].paragraph(line, tight=number > 0)
        self.is_last_in_list = False


def _skip(_: Attributes) -> bool:
    return True
