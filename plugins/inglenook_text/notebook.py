"""The loader `notebook`: Jupyter notebooks, cell by cell, with what the code printed.

Each cell is a place; cells count from 1. Format: nbformat 4, and 3 as far as it differs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.errors import Cancelled, LoadError
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, Section
from inglenook_text.decoding import read_text, without_invisible
from inglenook_text.markdown import headings_of
from inglenook_text.sections import Heading, spans

__all__ = ["NotebookLoader"]

_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TEXTS = ("text/markdown", "text/plain", "text/latex")


class NotebookLoader:
    """Implements `protocols.Loader`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section for each cell, and for each heading inside one.

        Raises `LoadError`: as `decoding.read_text`, and broken if it is no notebook.
        """
        decoded = read_text(request)
        yield from decoded.notices
        path: list[Heading] = []
        pictures, found = 0, False
        for number, cell in enumerate(_cells(decoded.text, request.name), start=1):
            if cancel.cancelled:
                raise Cancelled
            source = _joined(cell.get("source", cell.get("input", "")))
            kind = cell.get("cell_type")
            outputs, shown = _outputs(cell) if kind == "code" else ("", 0)
            pictures += shown
            text = "\n\n".join(part for part in (source.strip("\n"), outputs) if part.strip())
            headings = list(_headings(cell, text, kind))
            for start, end, titles in spans(text, headings, path):
                part = text[start:end]
                if part.strip():
                    found = True
                    blank = len(part) - len(part.lstrip())
                    yield Section(part.strip(), Locator("cell", number), titles, start + blank)
        if pictures:
            yield Notice("picture-outputs", f"{pictures} picture(s) in outputs were not read")
        if not found:
            raise LoadError(f"{request.name} has no cell with text.", reason="broken")


def _cells(text: str, name: str) -> list[Mapping[str, Any]]:
    try:
        book = json.loads(text)
    except json.JSONDecodeError as error:
        raise LoadError(
            f"{name} is no notebook: line {error.lineno}, column {error.colno}: {error.msg}.",
            reason="broken",
        ) from error
    except RecursionError as error:
        raise LoadError(f"{name} is nested too deeply to be read.", reason="broken") from error
    sheets = book.get("worksheets") if isinstance(book, dict) else None
    if isinstance(sheets, list):
        listed = [cell for sheet in sheets if isinstance(sheet, dict)
                  for cell in _as_list(sheet.get("cells"))]  # fmt: skip
    else:
        listed = _as_list(book.get("cells")) if isinstance(book, dict) else []
    cells: list[Mapping[str, Any]] = [cell for cell in listed if isinstance(cell, dict)]
    if not cells:
        raise LoadError(f"{name} is no notebook: it has no cells.", reason="broken")
    return cells


def _headings(cell: Mapping[str, Any], text: str, kind: object) -> Iterator[Heading]:
    level = cell.get("level")
    if kind == "heading" and isinstance(level, int):
        yield Heading(0, len(text), level, " ".join(text.split())[:200])
    elif kind == "markdown":
        yield from headings_of(text)


def _outputs(cell: Mapping[str, Any]) -> tuple[str, int]:
    """The text that the code gave, and how many pictures."""
    texts, pictures = [], 0
    for output in _as_list(cell.get("outputs")):
        if not isinstance(output, dict):
            continue
        data = output.get("data")
        bundle = data if isinstance(data, dict) else {}
        shown = next((_joined(bundle[type]) for type in _TEXTS if type in bundle), "")
        pictures += any(str(type).startswith("image/") for type in bundle) or "png" in output
        if output.get("output_type") in ("error", "pyerr"):
            shown = f"{output.get('ename', '')}: {output.get('evalue', '')}"
        texts.append(shown or _joined(output.get("text", "")))
    text = _TERMINAL_CODES.sub("", "\n".join(part.strip("\n") for part in texts if part.strip()))
    return text, pictures


def _joined(value: object) -> str:
    """The text of a field, which is a string or a list of lines."""
    lines = value if isinstance(value, list) else [value]
    text = "".join(line for line in lines if isinstance(line, str))
    return without_invisible(text.replace("\r\n", "\n").replace("\r", "\n"))


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
