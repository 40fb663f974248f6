"""Check that the passages of the shipped questions stand in their sources; count the knowledge.

Needs pypdf; exits with 1 and a line for each fault when anything is wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pypdf import PdfReader

HERE = Path(__file__).resolve().parent
ASSISTANTS = HERE.parents[1] / "assistants"
TEXT_SUFFIXES = {".txt", ".md", ".html", ".csv"}
CHARACTERS_PER_PAGE = 2000


def normalized(text: str) -> str:
    """Return the text with each run of white space as one blank."""
    return " ".join(text.split())


def pages_of(path: Path) -> list[str]:
    """Return the text of each page; a file without pages is one."""
    if path.suffix == ".pdf":
        return [page.extract_text() for page in PdfReader(path).pages]
    return [path.read_text(encoding="utf-8")]


def fault_of(entry: dict[str, Any]) -> str | None:
    """Return what is wrong with a question, or None."""
    path = ASSISTANTS / entry["assistant"] / entry["source"]
    if not path.is_file():
        return f"no such source: {path}"
    passage = normalized(entry["passage_contains"])
    pages = [normalized(page) for page in pages_of(path)]
    found = [number for number, page in enumerate(pages, start=1) if passage in page]
    if not found:
        return f"the passage does not stand in {entry['source']}"
    if entry["locator"] and entry["locator"]["value"] not in found:
        return f"the passage is on page {found}, not {entry['locator']['value']}"
    if not any(normalized(fact).lower() in pages[found[0] - 1].lower() for fact in entry["fact"]):
        return "none of the facts stands on the page of the passage"
    return None


def totals(folder: Path) -> tuple[int, int, float]:
    """Return the number of files, characters and pages (2,000 characters of text are one)."""
    files = characters = 0
    page_count = 0.0
    for path in sorted(folder.rglob("*")):
        if path.suffix != ".pdf" and path.suffix not in TEXT_SUFFIXES:
            continue
        pages = pages_of(path)
        length = sum(len(page) for page in pages)
        files += 1
        characters += length
        page_count += len(pages) if path.suffix == ".pdf" else length / CHARACTERS_PER_PAGE
    return files, characters, page_count


def main() -> int:
    """Print the faults and the totals."""
    entries: list[dict[str, Any]] = json.loads((HERE / "questions.json").read_text("utf-8"))
    written = [entry for entry in entries if not entry.get("todo")]
    faults = 0
    for entry in written:
        if fault := fault_of(entry):
            faults += 1
            print(f"{entry['question']}: {fault}")
    print(f"{len(entries)} questions, {len(entries) - len(written)} to be written, {faults} faults")
    for folder in sorted(path for path in ASSISTANTS.iterdir() if path.is_dir()):
        files, characters, pages = totals(folder)
        print(f"{folder.name}: {files} files, {characters:,} characters, {pages:.1f} pages")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
