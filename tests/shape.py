"""Prints files and functions that are too long, and names that hide their subject."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MOST_LINES_OF_A_FILE = 600
MOST_LINES_OF_A_FUNCTION = 100
HIDING_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}


def faults(path: Path) -> Iterator[str]:
    """What is wrong with the shape of one file."""
    text = path.read_text("utf-8")
    lines = text.count("\n")
    if lines > MOST_LINES_OF_A_FILE:
        yield f"{path}: {lines} lines; it is two files"
    if path.stem in HIDING_NAMES:
        yield f"{path}: a name that hides its subject"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MOST_LINES_OF_A_FUNCTION:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines; it is two functions"


def main() -> int:
    """Check the whole tree."""
    root = Path(__file__).resolve().parent.parent
    found = [
        fault
        for folder in ("core", "plugins", "tests", "docs")
        for path in sorted((root / folder).rglob("*.py"))
        for fault in faults(path)
    ]
    print("\n".join(found) or "the shape of the code is as agreed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
