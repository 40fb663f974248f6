"""Reads the rows of a worksheet, each cell as it is shown. Source: ECMA-376-1, 18.3.1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from inglenook_office.flow import Budget
from inglenook_office.grid import GridCell, Row
from inglenook_office.merged import MergedCells
from inglenook_office.number_formats import general, shown
from inglenook_office.visible_text import visible
from inglenook_office.xlsx_parts import Tail, cell_place
from inglenook_office.xml_events import Attributes, Handlers, whole_number

__all__ = ["SheetReader", "WorkbookTexts"]

_MOST_COLUMNS = 16_384
_TEXT_KINDS = ("inlineStr", "str")


@dataclass(slots=True)
class WorkbookTexts:
    """What the sheets of a workbook share."""

    strings: Sequence[str] = ()
    formats: Sequence[str] = ()
    from_1904: bool = False


class _Columns(dict[str, int | None]):
    """Columns by their letters, from 0; None for what is no column."""

    def __missing__(self, letters: str) -> int | None:
        place = cell_place(f"{letters}1")
        if len(self) < _MOST_COLUMNS:
            self[letters] = place[1] if place else None
        return place[1] if place else None


class _Formats(dict[str, str]):
    """Format codes by the number of the style, as cells write it."""

    def __init__(self, formats: Sequence[str]) -> None:
        super().__init__((str(number), code) for number, code in enumerate(formats))

    def __missing__(self, style: str) -> str:
        return "General"


class SheetReader:
    """Collects rows; `handlers` is what the parser is given.

    Attributes:
        uncomputed: How many formulas have no stored result.
        hidden_rows: How many hidden rows with text were left out.
        hidden_cells: How many cells in hidden columns were left out.
        cells_outside: How many cells beyond the last possible column were left out.
        texts_missing: How many cells refer to a shared text that is not there.

    Args:
        shared: What the workbook's sheets share.
        tail: What stands behind the cells.
        comments: Comments by row and column; those that are told are taken out.
        budget: Counts what is read.
    """

    def __init__(
        self,
        shared: WorkbookTexts,
        tail: Tail,
        comments: dict[tuple[int, int], str],
        budget: Budget,
    ) -> None:
        self.uncomputed = 0
        self.hidden_rows = 0
        self.hidden_cells = 0
        self.cells_outside = 0
        self.texts_missing = 0
        self._shared = shared
        self._is_filtered = tail.is_filtered
        self._merged = MergedCells(tail.merges)
        self._comments = comments
        self._budget = budget
        self._rows: list[Row] = []
        self._hidden_columns = bytearray(_MOST_COLUMNS)
        self._hides_columns = False
        self._number = 0
        self._column = -1
        self._cells: dict[int, GridCell] = {}
        self._row_is_hidden = False
        self._kind = ""
        self._style = "0"
        self._columns = _Columns()
        self._formats = _Formats(shared.formats)
        self._formula = ""
        self._value: list[str] = []
        self._pieces: list[str] = []
        self._target: list[str] | None = None
        self.handlers = Handlers(
            {
                "x:col": self._column_look,
                "x:row": self._start_row,
                "x:c": self._start_cell,
                "x:t": self._start_text,
                "x:f": self._start_formula,
                "x:rPh": lambda _: True,
                "x:extLst": lambda _: True,
                "x:conditionalFormatting": lambda _: True,
                "x:dataValidations": lambda _: True,
            },
            {
                "x:t": self._end_text,
                "x:f": self._end_formula,
                "x:c": self._end_cell,
                "x:row": self._end_row,
            },
            self._text,
            plain_attributes=True,
        )

    def take(self) -> Iterator[Row]:
        """The rows that are complete and were not taken yet."""
        rows, self._rows = self._rows, []
        return iter(rows)

    def _column_look(self, attributes: Attributes) -> None:
        if attributes.get("hidden", "0") not in ("1", "true"):
            return
        if whole_number(attributes.get("outlineLevel"), 0):
            return  # a folded group is one click away, and no secret
        first = min(max(1, whole_number(attributes.get("min"), 1)), _MOST_COLUMNS)
        last = min(max(first, whole_number(attributes.get("max"), first)), _MOST_COLUMNS)
        self._hidden_columns[first - 1 : last] = bytes([1]) * max(0, last - first + 1)
        self._hides_columns = True

    def _start_row(self, attributes: Attributes) -> None:
        self._number = whole_number(attributes.get("r"), self._number + 1)
        self._column = -1
        self._cells = {}
        is_hidden = attributes.get("hidden", "0") in ("1", "true")
        is_folded = whole_number(attributes.get("outlineLevel"), 0) > 0
        # What a filter leaves out is hidden from a glance, not from a reader.
        self._row_is_hidden = is_hidden and not (self._is_filtered or is_folded)

    def _start_cell(self, attributes: Attributes) -> None:
        get = attributes.get
        column = self._columns[get("r", "").rstrip("0123456789")]
        self._column = column if column is not None else self._column + 1
        self._kind = get("t", "n")
        self._style = get("s", "0")
        self._value = []
        self._formula = ""
        self._target = None if self._kind == "inlineStr" else self._value

    def _start_text(self, _: Attributes) -> None:
        self._target = self._value

    def _end_text(self) -> None:
        self._target = None

    def _start_formula(self, _: Attributes) -> None:
        self._target = self._pieces = []

    def _end_formula(self) -> None:
        self._formula = "".join(self._pieces).strip()
        self._target = self._value

    def _text(self, data: str) -> None:
        if self._target is not None:
            self._budget.spend(len(data))
            self._target.append(data)

    def _end_cell(self) -> None:
        self._target = None
        if self._column >= _MOST_COLUMNS:
            self.cells_outside += bool(self._value)
            return
        if not (self._value or self._formula or self._comments):
            return
        value = "".join(self._value)
        text, is_text = self._shown(value if self._kind in _TEXT_KINDS else value.strip())
        if self._comments:
            comment = self._comments.pop((self._number, self._column), "")
            text = f"{text} {comment}".strip() if comment else text
        if text:
            self._cells[self._column] = GridCell(text, is_text)

    def _shown(self, value: str) -> tuple[str, bool]:
        """A value as it is shown, and whether it is text."""
        kind = self._kind
        if kind == "s":
            number = whole_number(value, -1)
            strings = self._shared.strings
            if 0 <= number < len(strings):
                self._budget.spend(len(strings[number]))
                return strings[number], True
            self.texts_missing += 1
            return "", True
        if kind in _TEXT_KINDS:
            return visible(value).strip(), True
        if not value:
            self.uncomputed += bool(self._formula)
            return (f"={self._formula}" if self._formula else ""), False
        if kind == "n":
            code = self._formats[self._style]
            if code == "General":
                return general(value), False
            return shown(value, code, self._shared.from_1904), code == "@"
        if kind == "b":
            return ("TRUE" if value in ("1", "true") else "FALSE"), False
        if kind == "d":
            return value.removesuffix("T00:00:00").replace("T", " "), False
        return value, False

    def _end_row(self) -> None:
        cells, self._cells = self._cells, {}
        if self._row_is_hidden:
            self.hidden_rows += bool(cells)
            return
        if self._hides_columns and cells:
            shown_cells = {c: cell for c, cell in cells.items() if not self._hidden_columns[c]}
            self.hidden_cells += len(cells) - len(shown_cells)
            cells = shown_cells
        cells = self._merged.filled(self._number, cells)
        if cells:
            self._rows.append(Row(self._number, cells))
