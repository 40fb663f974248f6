"""The form for machines of `nook profile check FILE --json`, version 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inglenook.errors import ProfileError
from inglenook.profiles.loading import read_profile
from inglenook.profiles.parser import Parsed, parse
from inglenook.profiles.problems import Problem
from inglenook.profiles.validation import Names, validate

__all__ = ["check_report", "exit_code"]

VERSION = 1


def check_report(source: Path | str | bytes, names: Names | None = None) -> dict[str, Any]:
    """Everything that can be said about a file without opening a model or a document.

    Args:
        source: A path, or the bytes of the file.
        names: See `validate`.

    Returns:
        `version`, `problems` (each with `line`, `column`, `severity`, `message`) and either
        `commands` ([name, args] each, as Ollama's parser gives them) or, where the file cannot be
        read or its syntax is broken, `error`.
    """
    try:
        data = source if isinstance(source, bytes) else read_profile(Path(source))
    except ProfileError as error:
        problem = Problem(1, 1, "error", str(error).replace("\n", " "))
        return _report(Parsed((), (problem,)), (problem,))
    parsed = parse(data)
    _, problems = validate(parsed, names)
    return _report(parsed, problems)


def _report(parsed: Parsed, problems: tuple[Problem, ...]) -> dict[str, Any]:
    report: dict[str, Any] = {"version": VERSION}
    if parsed.failed:
        report["error"] = str(next(p for p in parsed.problems if p.severity == "error"))
    else:
        report["commands"] = [[command.name, command.args] for command in parsed.commands]
    report["problems"] = [
        {"line": p.line, "column": p.column, "severity": p.severity, "message": p.message}
        for p in problems
    ]
    return report


def exit_code(report: dict[str, Any]) -> int:
    """2 when any problem is an error, else 0."""
    return 2 if any(problem["severity"] == "error" for problem in report["problems"]) else 0
