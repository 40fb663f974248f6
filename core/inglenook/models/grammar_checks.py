"""Refuses grammars and JSON schemas that no runtime should see.

Native readers of them recurse, allocate and search without bounds: a grammar of a few kilobytes
can end or occupy the process that reads it. So what is too large, too deep or no plain data is
refused here, before it leaves the process of whoever asks.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from typing import Any

from inglenook.errors import UserError
from inglenook.types import GenerateRequest

__all__ = ["MOST_ALTERNATIVES", "MOST_REPEATS", "require_usable_form", "unreadable_grammar"]

MOST_ALTERNATIVES = 2000
"""In a grammar. Each token of an answer is held against all that may come next."""
MOST_REPEATS = 1000
"""What `{n}` may say; each is written out."""

_LONGEST_GRAMMAR = 100_000
_DEEPEST_GROUPS = 50
_DEEPEST_SCHEMA = 64
_LARGEST_SCHEMA = 20_000
# A literal, a class of characters, a comment, or a single sign that counts.
_SIGN = re.compile(
    r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|#[^\n]*|\{[^}\n]*\}|[()|]|::=', re.DOTALL
)
_NUMBER = re.compile(r"\d+")
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_LARGEST_COUNT = 100_000
_HOW = "Ask for a simpler form, or check the answer afterwards."


def require_usable_form(request: GenerateRequest) -> None:
    """Raise `UserError` for a grammar or a JSON schema that cannot be used."""
    if request.json_schema is not None and request.grammar is not None:
        raise UserError("An answer can follow a JSON schema or a grammar, not both.")
    if request.grammar is not None:
        _require_usable_grammar(request.grammar)
    if request.json_schema is not None:
        _require_plain(request.json_schema)


def unreadable_grammar() -> UserError:
    """What a runtime raises whose library cannot read a grammar."""
    return UserError(
        "The grammar cannot be parsed.",
        hint="It must be GBNF with a rule 'root', in which no rule begins with itself.",
    )


def _require_usable_grammar(text: str) -> None:
    if not text.strip():
        raise UserError("The grammar is empty.", hint="It must be GBNF with a rule 'root'.")
    if len(text) > _LONGEST_GRAMMAR:
        raise _refused(f"it has {len(text):,} characters; {_LONGEST_GRAMMAR:,} are allowed")
    if text.lstrip().startswith("%"):
        raise _refused("it is no GBNF")
    if "\x00" in text or not _is_utf8(text):
        raise _refused("it has a NUL or half a surrogate pair in it")
    signs = _SIGN.findall(text)
    alternatives = signs.count("|") + signs.count("::=")
    if alternatives > MOST_ALTERNATIVES:
        raise _refused(
            f"it has {alternatives:,} rules and alternatives; {MOST_ALTERNATIVES:,} are allowed"
        )
    depths = itertools.accumulate({"(": 1, ")": -1}.get(sign, 0) for sign in signs)
    if max(depths, default=0) > _DEEPEST_GROUPS:
        raise _refused(f"its groups are more than {_DEEPEST_GROUPS} deep")
    for sign in signs:
        if sign[0] == "{":
            _require_few_repeats(sign)


def _require_few_repeats(sign: str) -> None:
    numbers = _NUMBER.findall(sign)
    if any(len(number) > 9 or int(number) > MOST_REPEATS for number in numbers):
        raise _refused(f"it repeats something {sign[:20]}; {MOST_REPEATS:,} times are allowed")


def _require_plain(schema: Mapping[str, Any]) -> None:
    """Walk without recursion: what is too deep must not end this process either."""
    waiting: list[tuple[object, int]] = [(schema, 1)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if depth > _DEEPEST_SCHEMA:
            raise _refused(f"it is more than {_DEEPEST_SCHEMA} levels deep", "JSON schema")
        if seen > _LARGEST_SCHEMA:
            raise _refused(f"it has more than {_LARGEST_SCHEMA:,} parts", "JSON schema")
        if isinstance(value, Mapping):
            waiting += [(key, 0) for key in value]
            waiting += [(item, depth + 1) for item in value.values()]
            _require_small_counts(value)
            if not all(isinstance(key, str) for key in value):
                raise _refused("a name in it is no text", "JSON schema")
        elif isinstance(value, list | tuple):
            waiting += [(item, depth + 1) for item in value]
        elif not _is_plain(value):
            raise _refused(f"{str(value)[:40]!r} in it is no JSON", "JSON schema")


def _require_small_counts(schema: Mapping[str, Any]) -> None:
    for name in _COUNTS:
        count = schema.get(name)
        if isinstance(count, int) and count > _LARGEST_COUNT:
            raise _refused(f"'{name}' is more than {_LARGEST_COUNT:,}", "JSON schema")


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return _is_utf8(value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refused(why: str, what: str = "grammar") -> UserError:
    return UserError(f"The {what} cannot be used: {why}.", hint=_HOW)
