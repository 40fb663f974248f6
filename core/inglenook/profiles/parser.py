"""Reads the bytes of an Assistantfile into commands: the shape that Ollama's parser has too.

What a command means is not judged here; `validation` makes a `Profile` of them.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field

from inglenook.profiles.lexer import Statement, scan
from inglenook.profiles.problems import Problem

__all__ = ["Command", "Parsed", "decode", "parse"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Command:
    """One instruction in Ollama's form.

    Args:
        name: `model` for FROM, the parameter's own name for PARAMETER, else the instruction.
        args: The value; for MESSAGE `role: text`.
        line, column: Where the instruction begins, from 1.
        statement: The instruction as written.
    """

    name: str
    args: str
    line: int = field(compare=False)
    column: int = field(compare=False)
    statement: Statement = field(compare=False, repr=False)

    @classmethod
    def of(cls, statement: Statement) -> Command:
        name, args = statement.instruction, statement.value
        if name == "from":
            name = "model"
        elif name == "parameter":
            name = statement.subname
        elif name == "message":
            args = f"{statement.subname}: {args}"
        return cls(name, args, statement.line, statement.column, statement)


@dataclass(frozen=True, slots=True)
class Parsed:
    """The commands of a file and what is wrong with its syntax, both in the order of the file.

    With an error among the problems the commands are only those that could be read.
    """

    commands: tuple[Command, ...]
    problems: tuple[Problem, ...]

    @property
    def failed(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)


def decode(source: bytes) -> str:
    """The text of a file: UTF-8, or what its byte order mark says (UTF-8, UTF-16).

    Raises:
        UnicodeDecodeError: The bytes are not text in that encoding.
    """
    for mark, encoding in _MARKS:
        if source.startswith(mark):
            return source[len(mark) :].decode(encoding)
    return source.decode("utf-8")


def parse(source: bytes | str) -> Parsed:
    """Parse an Assistantfile. Never raises for what stands in it: see `Parsed.problems`."""
    if isinstance(source, bytes):
        try:
            text = decode(source)
        except UnicodeDecodeError as error:
            return Parsed((), (_undecodable(source, error),))
    else:
        text = source.removeprefix("\ufeff")
    return _parse_text(text)


def _parse_text(text: str) -> Parsed:
    commands: list[Command] = []
    problems: list[Problem] = []
    for item in scan(text):
        if isinstance(item, Problem):
            problems.append(item)
        else:
            commands.append(Command.of(item))
    if not problems and not any(command.name == "model" for command in commands):
        missing = "The file is empty." if not text.strip() else "There is no FROM instruction."
        message = f"{missing} It must name a model: FROM NAME"
        problems.append(Problem(1, 1, "error", message))
    return Parsed(tuple(commands), tuple(problems))


def _undecodable(source: bytes, error: UnicodeDecodeError) -> Problem:
    line = source[: error.start].count(b"\n") + 1 if error.encoding == "utf-8" else 1
    return Problem(
        line,
        1,
        "error",
        f"This is not {error.encoding.upper()} text (byte {error.start}). Save the file as UTF-8.",
    )
