"""Cuts the text of an Assistantfile into statements: instruction, sub-name, value, place.

The grammar is Ollama's (a state machine over characters: between statements, name, sub-name,
value); `deviations` lists where we part from it on purpose.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from inglenook.profiles.problems import Problem, did_you_mean, shown
from inglenook.profiles.words import starts_with_quoted_word

__all__ = ["EXTENSIONS", "INSTRUCTIONS", "ROLES", "Statement", "scan"]

OLLAMA_INSTRUCTIONS = (
    "from",
    "license",
    "template",
    "system",
    "adapter",
    "draft",
    "renderer",
    "parser",
    "parameter",
    "message",
    "requires",
)
EXTENSIONS = (
    "file",
    "runtime",
    "device",
    "embedder",
    "store",
    "splitter",
    "reranker",
    "filter",
    "retrieve",
)
INSTRUCTIONS = OLLAMA_INSTRUCTIONS + EXTENSIONS
ROLES = ("system", "user", "assistant")

BLANKS = " \t"
EDGES = " \t\r\n"
_NEWLINE = re.compile(r"\r\n|\r|\n")
_LETTERS = re.compile(r"[A-Za-z]*")
_SUBNAME = {"parameter": re.compile(r"[A-Za-z0-9_]*"), "message": _LETTERS}


@dataclass(frozen=True, slots=True)
class Statement:
    """One instruction as written.

    Args:
        instruction: Lower case: `from`, `parameter`, `file`, ….
        subname: The parameter's name or the message's role, else "".
        value: Trimmed and unquoted.
        quoted: Whether the whole value stood in quotes.
        line, column: Where the instruction begins, from 1.
        value_line, value_column: Where the value begins, behind its opening mark.
    """

    instruction: str
    subname: str
    value: str
    quoted: bool
    line: int
    column: int
    value_line: int
    value_column: int


@dataclass(frozen=True, slots=True)
class _Value:
    text: str
    quoted: bool
    start: int
    end: int


def scan(text: str) -> Iterator[Statement | Problem]:
    """Yield the statements of `text` in order, and a problem for each that is malformed.

    After a malformed statement scanning goes on behind it, so that all are reported at once.
    """
    return _Scanner(text).run()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = [0, *(match.end() for match in _NEWLINE.finditer(text))]

    def place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self.lines, offset)
        return line, offset - self.lines[line - 1] + 1

    def problem(self, offset: int, message: str) -> Problem:
        line, column = self.place(offset)
        return Problem(line, column, "error", message)

    def run(self) -> Iterator[Statement | Problem]:
        position = 0
        while (start := self.next_start(position)) is not None:
            found, position = self.statement(start)
            yield found

    def next_start(self, position: int) -> int | None:
        """Skip blanks, empty lines and comments to where an instruction begins."""
        while position < len(self.text):
            if self.text[position] == "#":
                position = self.line_end(position)
            elif self.text[position] in EDGES:
                position += 1
            else:
                return position
        return None

    def line_end(self, position: int) -> int:
        match = _NEWLINE.search(self.text, position)
        return match.start() if match else len(self.text)

    def statement(self, start: int) -> tuple[Statement | Problem, int]:
        """Read the statement at `start`; also says where to go on."""
        # As in Ollama, any first character begins a name, and an invisible one does not count.
        end = _span(_LETTERS, self.text, start + 1)
        name = (
            self.text[start:end] if self.text[start].isprintable() else self.text[start + 1 : end]
        )
        instruction = name.lower()
        if end == len(self.text):
            if instruction not in INSTRUCTIONS:
                return self.unknown(start, name), end
            return self.problem(start, f"{name.upper()} needs a value; the file ends here."), end
        if self.text[end] not in BLANKS:
            return self.broken_name(start, end, name), self.line_end(end)
        if instruction not in INSTRUCTIONS:
            value = self.value(end + 1)
            after = value.end if isinstance(value, _Value) else self.line_end(end)
            return self.unknown(start, name), after
        if instruction in _SUBNAME:
            return self.with_subname(start, instruction, end)
        return self.finish(start, instruction, "", end + 1)

    def unknown(self, start: int, name: str) -> Problem:
        allowed = ", ".join(word.upper() for word in INSTRUCTIONS)
        hint = did_you_mean(name, INSTRUCTIONS).upper().replace("DID YOU MEAN", "Did you mean")
        return self.problem(
            start, f"Unknown instruction {shown(name)}.{hint} Allowed are {allowed}."
        )

    def broken_name(self, start: int, end: int, name: str) -> Problem:
        if name.lower() not in INSTRUCTIONS:
            return self.unknown(start, name + self.text[end].strip())
        if self.text[end] in EDGES:
            return self.problem(start, f"{name.upper()} needs a value on the same line.")
        return self.problem(
            end, f"{name.upper()} must be followed by a blank, not by {shown(self.text[end])}."
        )

    def with_subname(
        self, start: int, instruction: str, end: int
    ) -> tuple[Statement | Problem, int]:
        begin = end
        while begin < len(self.text) and self.text[begin] in BLANKS:
            begin += 1
        end = _span(_SUBNAME[instruction], self.text, begin)
        subname = self.text[begin:end]
        what = "a parameter name" if instruction == "parameter" else f"a role ({', '.join(ROLES)})"
        if end == len(self.text) or self.text[end] in "\r\n":
            missing = "a value" if subname else f"{what} and a value"
            message = f"{instruction.upper()} {subname}".rstrip() + f" needs {missing}."
            return self.problem(begin if subname else start, message), self.line_end(end)
        if self.text[end] not in BLANKS:
            message = (
                f"{instruction.upper()} needs {what} and a blank; "
                f"{shown(self.text[end])} cannot be part of it."
            )
            return self.problem(end, message), self.line_end(end)
        if instruction == "message" and subname not in ROLES:
            message = (
                f"The role of a MESSAGE must be one of {', '.join(ROLES)}, not {shown(subname)}."
                f"{did_you_mean(subname, ROLES)}"
            )
            value = self.value(end + 1)
            after = value.end if isinstance(value, _Value) else self.line_end(end)
            return self.problem(begin, message), after
        return self.finish(start, instruction, subname, end + 1)

    def finish(
        self, start: int, instruction: str, subname: str, begin: int
    ) -> tuple[Statement | Problem, int]:
        if instruction in EXTENSIONS and (line := self.words_line(begin)) is not None:
            value: _Value | Problem = line
        else:
            value = self.value(begin)
        if isinstance(value, Problem):
            return value, len(self.text)
        place, value_place = self.place(start), self.place(value.start)
        return (
            Statement(instruction, subname, value.text, value.quoted, *place, *value_place),
            value.end,
        )

    def words_line(self, begin: int) -> _Value | None:
        """Our own instructions may go on behind a quoted first word: `FILE "a b" optional=true`."""
        end = self.line_end(begin)
        line = self.text[begin:end].replace("\0", "").strip(EDGES)
        if not starts_with_quoted_word(line):
            return None
        return _Value(line, False, self.text.index('"', begin), end)

    def value(self, begin: int) -> _Value | Problem:
        """Read a value: the rest of the line, or a quoted text that may go over many lines.

        The quote is judged at the end of each line, by what Ollama sees there: trimmed, and
        without the characters that it drops. Those are kept in the value, except NUL.
        """
        end = self.line_end(begin)
        marks = _first_marks(self.text, begin, end)
        if not marks:
            text = self.text[begin:end].replace("\0", "").strip(EDGES)
            lead = next((i for i in range(begin, end) if self.text[i] not in EDGES), end)
            return _Value(text, False, lead, end)
        content = marks[-1] + 1
        floor = line_start = content
        while True:
            close = _closing_mark(self.text, max(line_start, floor), end, len(marks))
            if close is not None:
                return _Value(self.text[content:close].replace("\0", ""), True, content, end)
            if end == len(self.text):
                mark = '"' * len(marks)
                return self.problem(
                    marks[0],
                    f"The text that {mark} opens here is never closed: a line must end with "
                    f"{mark}, with nothing behind it (comments need a line of their own).",
                )
            line_start = end + 1
            end = self.line_end(line_start)


def _span(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _first_marks(text: str, begin: int, end: int) -> list[int]:
    """The offsets of the opening mark: none, one or three quotes."""
    marks: list[int] = []
    for index in range(begin, end):
        char = text[index]
        if char == '"' and len(marks) < 3:
            marks.append(index)
        elif marks and (char in EDGES or char.isprintable()):
            break
        elif char not in EDGES and char.isprintable():
            return []
    return marks if len(marks) == 3 else marks[:1]


def _closing_mark(text: str, begin: int, end: int, size: int) -> int | None:
    """Where the closing mark of `size` quotes begins, if the line `begin:end` ends with one."""
    seen = 0
    for index in range(end - 1, begin - 1, -1):
        char = text[index]
        if char == '"':
            seen += 1
            if seen == size:
                return index
        elif (char in EDGES and seen) or (char not in EDGES and char.isprintable()):
            return None
    return None
