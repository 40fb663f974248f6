"""How the readers of office documents say what went wrong, in the same words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inglenook.errors import LoadError
from inglenook.types import Notice
from inglenook_office.package import Package

__all__ = ["damaged_notice", "hidden_sheet", "misnamed", "sheet_notices", "without_text"]

_REPAIR = "Open it in the program that made it, let it repair the file, and save it again."
_LONGEST_REASON = 160
_MAIN_PARTS = {
    "word/document.xml": ("a Word document", ".docx"),
    "ppt/presentation.xml": ("a PowerPoint presentation", ".pptx"),
    "xl/workbook.xml": ("an Excel workbook", ".xlsx"),
    "xl/workbook.bin": ("an Excel workbook", ".xlsb"),
    "content.xml": ("an OpenDocument file", ".odt"),
}


def damaged_notice(what: str) -> Notice:
    """Say that a part of the document could not be read."""
    line = what.split("\n", maxsplit=1)[0]
    what = "".join(character for character in line if character.isprintable())
    what = what[:_LONGEST_REASON].rstrip(".")
    return Notice("partly-damaged", f"the file is damaged and was read in part: {what}")


def hidden_sheet(name: str) -> Notice:
    return Notice("hidden-sheet", f"sheet {name} is hidden and was left out")


def sheet_notices(
    name: str, *, hidden_rows: int, hidden_cells: int, texts_missing: int
) -> Iterator[Notice]:
    """Say what of a sheet was not read."""
    if hidden_rows or hidden_cells:
        left_out = f"{hidden_rows} hidden row(s) and {hidden_cells} cell(s) in hidden columns"
        yield Notice("hidden-text", f"sheet {name}: {left_out} were left out")
    if texts_missing:
        lost = f"sheet {name}: the texts of {texts_missing:,} cell(s) are lost"
        yield Notice("texts-missing", lost)


def misnamed(package: Package, expected: str) -> LoadError:
    """The document has no main part: it is another kind of file, or damaged."""
    for part, (kind, extension) in _MAIN_PARTS.items():
        if part in package and kind != expected:
            return LoadError(
                f"{package.name} is {kind} under another name.",
                reason="unsupported",
                hint=f"Rename it so that it ends in {extension}.",
            )
    what = "is cut off before its text begins" if package.damage else "holds no document"
    return LoadError(f"{package.name} is not {expected}, or {what}.", reason="broken", hint=_REPAIR)


def without_text(name: str, notices: Sequence[Notice], *, has_pictures: bool) -> LoadError:
    """The document was read and there is no text in it."""
    damage = next((notice for notice in notices if notice.code == "partly-damaged"), None)
    if damage:
        what = damage.message.partition(": ")[2]
        return LoadError(f"{name} is damaged: {what}.", reason="broken", hint=_REPAIR)
    if has_pictures:
        return LoadError(
            f"{name} has no text, only pictures.",
            reason="no text: needs OCR",
            hint="Save it as PDF and run text recognition on that.",
        )
    is_hidden = any(notice.code.startswith("hidden") for notice in notices)
    what = "shows no text; what it holds is hidden" if is_hidden else "holds no text"
    return LoadError(f"{name} {what}.", reason="broken")
