"""Turns a grammar of llama.cpp (GBNF) into one of the library (Lark, as llguidance reads it).

A GBNF grammar is about single characters. A Lark one is about words, of which a lexer takes the
longest; so each character becomes a word of its own, and nothing is left for the lexer to decide.
Format: `grammars/README.md` of llama.cpp. What has no counterpart is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from inglenook.errors import UserError

__all__ = ["lark_of"]

_NAME = re.compile(r"[A-Za-z0-9-]+")
_BLANK = re.compile(r"(?:[ \t]|#[^\r\n]*)*")
_BLANK_OR_LINE = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_TIMES = re.compile(r"\{[ \t]*(\d+)?[ \t]*(,)?[ \t]*(\d+)?[ \t]*\}")
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", "\\": "\\", '"': '"', "[": "[", "]": "]", "-": "-"}
_LARGEST_CODE = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_NOTHING = '""'
_NEVER = "{0}"
"""A number of times that Lark does not know."""
_DEEPEST = 200
_MOST_TIMES = 10_000


def lark_of(gbnf: str) -> str:
    """The same grammar for the library. Raises `UserError` if it cannot be read."""
    return _Reader(gbnf).grammar()


class _Reader:
    """Reads one grammar from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._rules: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._depth = 0

    def grammar(self) -> str:
        self._skip(_BLANK_OR_LINE)
        while self._place < len(self._text):
            self._rule()
            self._skip(_BLANK_OR_LINE)
        if "root" not in self._rules:
            raise self._wrong("it has no rule 'root'")
        missing = [name for name in self._numbers if name not in self._rules]
        if missing:
            raise self._wrong(f"the rule '{missing[0]}' is used and not given")
        lines = [f"start: {self._named('root')}"]
        lines += [f"{self._named(name)}: {body}" for name, body in self._rules.items()]
        return "\n".join(lines)

    def _rule(self) -> None:
        name = self._name()
        self._skip(_BLANK)
        if not self._take("::="):
            raise self._wrong(f"'::=' is expected after '{name}'")
        if name in self._rules:
            raise self._wrong(f"the rule '{name}' is given twice")
        self._skip(_BLANK_OR_LINE)
        self._rules[name] = self._alternatives(_BLANK)
        if self._place < len(self._text) and self._text[self._place] not in "\r\n":
            raise self._wrong(f"'{self._text[self._place]}' is not expected")

    def _alternatives(self, blank: re.Pattern[str]) -> str:
        """Alternatives up to the end of the line, or of the group."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong("its groups are too deep")
        found = [self._sequence(blank)]
        while self._take("|"):
            self._skip(_BLANK_OR_LINE)
            found.append(self._sequence(blank))
        self._depth -= 1
        return " | ".join(found)

    def _sequence(self, blank: re.Pattern[str]) -> str:
        parts: list[str] = []
        while (part := self._part()) is not None:
            self._skip(blank)
            while times := self._times():
                part = _NOTHING if times == _NEVER else f"({part}){times}"
                self._skip(blank)
            parts.append(part)
        return " ".join(parts) or _NOTHING

    def _part(self) -> str | None:
        """The next literal, class, group or name; None where a sequence ends."""
        readers: dict[str, Callable[[], str]] = {
            '"': self._literal,
            "[": self._class,
            "(": self._group,
            ".": self._any,
        }
        mark = self._text[self._place : self._place + 1]
        if mark in readers:
            self._place += 1
            return readers[mark]()
        if mark and mark in "<!":
            raise self._wrong("tokens by name or number are not known here")
        return self._named(self._name()) if _NAME.match(mark) else None

    def _literal(self) -> str:
        codes = []
        while not self._take('"'):
            codes.append(self._character())
        return f"({' '.join(f'/[{_code(c)}]/' for c in codes)})" if codes else _NOTHING

    def _class(self) -> str:
        inside = "^" if self._take("^") else ""
        ranges = []
        while not self._take("]"):
            first = last = self._character()
            after = self._text[self._place + 1 : self._place + 2]
            if self._text[self._place : self._place + 1] == "-" and after not in ("]", ""):
                self._place += 1
                last = self._character()
            if last < first:
                raise self._wrong("a range of characters runs backwards")
            ranges.append(f"{_code(first)}-{_code(last)}")
        if not ranges:
            raise self._wrong("a class of characters is empty")
        return f"/[{inside}{''.join(ranges)}]/"

    def _group(self) -> str:
        self._skip(_BLANK_OR_LINE)
        inside = self._alternatives(_BLANK_OR_LINE)
        if not self._take(")"):
            raise self._wrong("')' is missing")
        return f"({inside})"

    def _any(self) -> str:
        return r"/(?s:.)/"

    def _times(self) -> str:
        """How often the part before is repeated; "" for once."""
        mark = self._text[self._place : self._place + 1]
        if mark and mark in "*+?":
            self._place += 1
            return mark
        if mark != "{":
            return ""
        found = _TIMES.match(self._text, self._place)
        least, comma, most = found.groups() if found else (None, None, None)
        if found is None or least is None:
            raise self._wrong("a number of times is written {2}, {2,} or {2,5}")
        if max(int(least), int(most or 0)) > _MOST_TIMES or int(most or least) < int(least):
            raise self._wrong(f"{found[0]} is no possible number of times")
        self._place = found.end()
        if int(most or least) == 0 and (most or not comma):
            return _NEVER
        return f"{{{least},{most or ''}}}" if comma else f"{{{least}}}"

    def _character(self) -> int:
        """The code of the next character of a literal or a class."""
        mark = self._text[self._place : self._place + 1]
        if not mark or mark in "\r\n":
            raise self._wrong("a literal or a class does not end on its line")
        self._place += 1
        if mark != "\\":
            return self._checked(ord(mark))
        kind = self._text[self._place : self._place + 1]
        self._place += 1
        if kind in _ESCAPES:
            return ord(_ESCAPES[kind])
        digits = self._text[self._place : self._place + _HEX_DIGITS.get(kind, 0)]
        if len(digits) != _HEX_DIGITS.get(kind) or not re.fullmatch("[0-9A-Fa-f]+", digits):
            raise self._wrong(f"the escape '\\{kind}{digits}' is not known")
        self._place += len(digits)
        return self._checked(int(digits, 16))

    def _checked(self, code: int) -> int:
        if code > _LARGEST_CODE or code in _SURROGATES:
            raise self._wrong(f"{code:#x} is no character")
        return code

    def _name(self) -> str:
        found = _NAME.match(self._text, self._place)
        if found is None:
            raise self._wrong("the name of a rule is expected")
        self._place = found.end()
        return found[0]

    def _named(self, name: str) -> str:
        """Lark's names allow fewer characters than GBNF's: rules are numbered."""
        return f"rule_{self._numbers.setdefault(name, len(self._numbers))}"

    def _take(self, text: str) -> bool:
        if self._text.startswith(text, self._place):
            self._place += len(text)
            return True
        return False

    def _skip(self, blank: re.Pattern[str]) -> None:
        found = blank.match(self._text, self._place)
        self._place = found.end() if found else self._place

    def _wrong(self, why: str) -> UserError:
        line = self._text.count("\n", 0, self._place) + 1
        return UserError(
            f"The grammar cannot be used: {why} (line {line}).",
            hint="It must be GBNF with a rule 'root', as llama.cpp reads it.",
        )


def _code(code: int) -> str:
    return f"\\x{{{code:x}}}"
