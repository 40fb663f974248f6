"""Turns a JSON schema into a grammar of llama.cpp (GBNF), the same one for every runtime.

Formats: JSON Schema 2020-12 and `grammars/README.md` of llama.cpp. What a grammar cannot follow is
refused by name and never left out in silence. An answer has the properties in the order in which
the schema has them, and no others unless it says which.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from inglenook.errors import UserError
from inglenook.models.grammar_checks import MOST_ALTERNATIVES, MOST_REPEATS
from inglenook.models.integer_grammar import integers_between

__all__ = ["gbnf_of_schema"]

_CHAR = r'[^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})'
_DATE = '[0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | [12] [0-9] | "3" [01])'
_TIME = (
    '([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,6})?'
    ' ("Z" | [-+] [0-2] [0-9] ":" [0-5] [0-9])'
)
_PLAIN = MappingProxyType(
    {
        "ws": r'(" " | "\n" [ \t]{0,20})?',
        "char": _CHAR,
        "string": r'"\"" char* "\""',
        "integer": '"-"? ("0" | [1-9] [0-9]{0,15})',
        "number": 'integer ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,3})?',
        "boolean": '"true" | "false"',
        "null": '"null"',
        "member": 'string ":" ws value',
        "object": '"{" ws (member ("," ws member)*)? ws "}"',
        "array": '"[" ws (value ("," ws value)*)? ws "]"',
        "value": "object | array | string | number | boolean | null",
        "date": _DATE,
        "time": _TIME,
        "date-time": 'date "T" time',
        "uuid": '[0-9a-f]{8} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{12}',
    }
)
_FORMATS = ("date", "time", "date-time", "uuid")
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_NOT_FOLLOWED = frozenset(
    "pattern patternProperties propertyNames not if then else contains uniqueItems multipleOf"
    " minProperties maxProperties dependentRequired dependentSchemas unevaluatedItems"
    " unevaluatedProperties $dynamicRef $recursiveRef additionalItems dependencies".split()
)
_MOST_RULES = 4000


def gbnf_of_schema(schema: Mapping[str, Any]) -> str:
    """The grammar. Raises `UserError` for what it cannot follow.

    `schema` is plain data that passed `require_usable_form`.
    """
    return _Writer(schema).grammar()


class _Writer:
    """Writes the rules of one schema."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._rules: dict[str, str] = {}
        self._refs: dict[str, str] = {}

    def grammar(self) -> str:
        self._rules["root"] = ""
        self._refs["#"] = "whole"
        self._rules["whole"] = self._rule(self._root)
        self._rules["root"] = "whole"
        self._require_an_end()
        alternatives = sum(body.count("|") + 1 for body in self._rules.values())
        if alternatives > MOST_ALTERNATIVES:
            raise _refused(f"it has more than {MOST_ALTERNATIVES:,} rules and alternatives")
        return "\n".join(f"{name} ::= {body}" for name, body in {**_PLAIN, **self._rules}.items())

    def _require_an_end(self) -> None:
        """Refuse rules that may stand for themselves: nothing would ever come of them."""
        alone = {
            name: [part for part in body.split(" | ") if part in self._rules]
            for name, body in self._rules.items()
        }
        for begin, parts in alone.items():
            reached, waiting = set(parts), list(parts)
            while waiting:
                new = set(alone[waiting.pop()]) - reached
                reached |= new
                waiting += new
            if begin in reached:
                raise _refused("it refers to itself without an end")

    def _named(self, body: str) -> str:
        """The body as a rule of its own; its name."""
        if len(self._rules) > _MOST_RULES:
            raise _refused(f"it needs more than {_MOST_RULES:,} rules")
        name = f"r{len(self._rules)}"
        self._rules[name] = body
        return name

    def _rule(self, schema: object) -> str:
        """The body of the rule for a schema."""
        if schema is True:
            return "value"
        schema = _followable(schema)
        if "$ref" in schema:
            return self._ref(schema["$ref"])
        if "const" in schema:
            return _literal(_json(schema["const"]))
        if "enum" in schema:
            return self._enum(schema["enum"])
        if "allOf" in schema:
            return self._rule(_merged(schema))
        for name in ("anyOf", "oneOf"):
            if name in schema:
                return self._any_of(schema, name)
        return self._typed(schema)

    def _use(self, schema: object) -> str:
        """A schema inside another one, by the name of a rule."""
        body = self._rule(schema)
        return body if body.replace("-", "").isalnum() else self._named(body)

    def _ref(self, ref: object) -> str:
        if not isinstance(ref, str) or not ref.startswith("#"):
            raise _refused(f"$ref {_short(ref)} leads out of it")
        if ref not in self._refs:
            target = self._found(ref)
            name = self._refs[ref] = self._named("")
            self._rules[name] = self._rule(target)
        return self._refs[ref]

    def _found(self, ref: str) -> object:
        found: Any = self._root
        for part in filter(None, ref[1:].split("/")):
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and key in found:
                found = found[key]
            elif isinstance(found, Sequence) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                raise _refused(f"$ref {_short(ref)} leads nowhere")
        return found

    def _enum(self, values: object) -> str:
        if not isinstance(values, list | tuple) or not values:
            raise _refused("'enum' must list at least one value")
        return " | ".join(_literal(_json(value)) for value in values)

    def _any_of(self, schema: Mapping[str, Any], name: str) -> str:
        branches = schema[name]
        if not isinstance(branches, list | tuple) or not branches:
            raise _refused(f"'{name}' must list at least one schema")
        beside = {key: value for key, value in schema.items() if key not in (name, *_NOTES)}
        if beside:
            merged = [_merged({"allOf": [beside, branch]}) for branch in branches]
            return " | ".join(self._use(branch) for branch in merged)
        return " | ".join(self._use(branch) for branch in branches)

    def _typed(self, schema: Mapping[str, Any]) -> str:
        kinds = schema.get("type", _guessed(schema))
        kinds = kinds if isinstance(kinds, list | tuple) else [kinds]
        writers: dict[str, Callable[[Mapping[str, Any]], str]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": _integer,
            "number": _number,
        }
        for kind in kinds:
            if kind not in (*_TYPES, "value"):
                raise _refused(f"'type' knows {', '.join(_TYPES)}, not {_short(kind)}")
        if not kinds:
            raise _refused("'type' names nothing")
        return " | ".join(writers[k](schema) if k in writers else str(k) for k in kinds)

    def _string(self, schema: Mapping[str, Any]) -> str:
        if schema.get("format") in _FORMATS:
            return rf'"\"" {schema["format"]} "\""'
        times = _times(schema, "minLength", "maxLength")
        return rf'"\"" char{times} "\""' if times != "*" else "string"

    def _array(self, schema: Mapping[str, Any]) -> str:
        items = schema.get("items", True)
        first = schema.get("prefixItems", ())
        if isinstance(items, list) or not isinstance(first, list | tuple):
            raise _refused("'items' must be one schema and 'prefixItems' a list of them")
        if first:
            if items is not False or schema.get("minItems", len(first)) != len(first):
                raise _refused("'prefixItems' needs \"items\": false")
            inside = ' "," ws '.join(self._use(item) for item in first)
            return f'"[" ws {inside} ws "]"'
        least, most = _bounds(schema, "minItems", "maxItems")
        if most == 0 or items is False:
            if least:
                raise _refused("no array fits 'minItems'")
            return '"[" ws "]"'
        item = self._use(items)
        more = _repeat(max(0, least - 1), None if most is None else most - 1)
        inside = f'{item} ("," ws {item}){more}'
        return f'"[" ws {inside if least else f"({inside})?"} ws "]"'

    def _object(self, schema: Mapping[str, Any]) -> str:
        properties = schema.get("properties", {})
        required = schema.get("required", ())
        if not isinstance(properties, Mapping) or not isinstance(required, list | tuple):
            raise _refused("'properties' must be an object and 'required' a list")
        extra = schema.get("additionalProperties", not properties)
        properties = {**properties, **{k: True for k in required if k not in properties}}
        more = ""
        # What else is allowed may be left out; without a schema of its own it is.
        if isinstance(extra, Mapping) or (extra is True and not properties):
            more = self._named(f'string ":" ws {self._use(extra)}')
        after = f'("," ws {more})*' if more else '""'
        begin = f"({more} {after})?" if more else '""'
        for name, value in reversed(properties.items()):
            member = self._named(f'{_literal(_json(name))} ":" ws {self._use(value)}')
            after_here, begin_here = self._named(after), self._named(begin)
            if name in required:
                begin = f"{member} {after_here}"
                after = f'"," ws {member} {after_here}'
            else:
                begin = f"{member} {after_here} | {begin_here}"
                after = f'("," ws {member})? {after_here}'
        return f'"{{" ws {self._named(begin)} ws "}}"'


def _followable(schema: object) -> Mapping[str, Any]:
    if not isinstance(schema, Mapping):
        raise _refused(f"{_short(schema)} stands where a schema should")
    for name in schema:
        if name in _NOT_FOLLOWED and schema[name] is not False:
            raise _refused(f"'{name}' cannot be followed")
    return schema


_NOTES = (
    "title",
    "description",
    "default",
    "examples",
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "deprecated",
    "readOnly",
    "writeOnly",
    "discriminator",
)
"""Words of a schema that say nothing of what is valid."""


def _merged(schema: Mapping[str, Any]) -> dict[str, Any]:
    """One schema for all of `allOf` and what stands beside it."""
    parts = schema["allOf"]
    if not isinstance(parts, list | tuple) or not parts:
        raise _refused("'allOf' must list at least one schema")
    merged = {key: value for key, value in schema.items() if key not in ("allOf", *_NOTES)}
    for part in parts:
        if not isinstance(part, Mapping):
            raise _refused(f"{_short(part)} stands where a schema should")
        for key, value in part.items():
            if key in _NOTES:
                continue
            if key == "properties" and isinstance(value, Mapping):
                both = merged.get(key, {})
                if any(both[name] != value[name] for name in both.keys() & value.keys()):
                    raise _refused("'allOf' says different things of one property")
                merged[key] = {**both, **value}
            elif key == "required":
                merged[key] = [*merged.get(key, ()), *value]
            elif merged.get(key, value) != value:
                raise _refused(f"'allOf' says different things of '{key}'")
            else:
                merged[key] = value
    return merged


def _guessed(schema: Mapping[str, Any]) -> str:
    """The type that a schema without one speaks of."""
    telling = {
        "object": ("properties", "required", "additionalProperties"),
        "array": ("items", "prefixItems", "minItems", "maxItems"),
        "string": ("minLength", "maxLength", "format"),
    }
    found = [kind for kind, names in telling.items() if any(name in schema for name in names)]
    if any(name in schema for name in _LIMITS):
        found.append("number")
    if len(found) > 1:
        raise _refused("it needs a 'type'")
    return found[0] if found else "value"


_LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def _number(schema: Mapping[str, Any]) -> str:
    for name in _LIMITS:
        if name in schema:
            raise _refused(f"'{name}' of a number that is no integer cannot be followed")
    return "number"


def _integer(schema: Mapping[str, Any]) -> str:
    given = {name: schema[name] for name in _LIMITS if name in schema}
    if not given:
        return "integer"
    for name, value in given.items():
        whole = isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
        if not whole or abs(value) >= 10**15:
            raise _refused(f"'{name}' must be a whole number of less than 16 digits")
    lows = [int(schema[n]) + at for n, at in zip(_LIMITS[::2], (0, 1), strict=True) if n in schema]
    highs = [
        int(schema[n]) - at for n, at in zip(_LIMITS[1::2], (0, 1), strict=True) if n in schema
    ]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None and low > high:
        raise _refused("no integer fits its limits")
    return integers_between(low, high)


def _bounds(schema: Mapping[str, Any], least: str, most: str) -> tuple[int, int | None]:
    values: list[int | None] = []
    for name in (least, most):
        value = schema.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise _refused(f"'{name}' must be a whole number")
        if value is not None and not 0 <= value <= MOST_REPEATS:
            raise _refused(f"'{name}' can be 0 to {MOST_REPEATS:,}")
        values.append(value)
    low, high = values[0] or 0, values[1]
    if high is not None and low > high:
        raise _refused(f"'{least}' is more than '{most}'")
    return low, high


def _times(schema: Mapping[str, Any], least: str, most: str) -> str:
    return _repeat(*_bounds(schema, least, most))


def _repeat(low: int, high: int | None) -> str:
    if high is None:
        return f"{{{low},}}" if low else "*"
    return f"{{{low},{high}}}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _literal(text: str) -> str:
    """A text as GBNF writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return (
        '"' + "".join(c if c >= " " and c != "\x7f" else f"\\x{ord(c):02x}" for c in escaped) + '"'
    )


def _short(value: object) -> str:
    return repr(value)[:60]


def _refused(why: str) -> UserError:
    return UserError(
        f"The JSON schema cannot be used: {why}.",
        hint="Ask for a simpler form, or check the answer afterwards.",
    )
