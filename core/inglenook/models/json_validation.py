"""Holds data against a JSON schema and says what is wrong with it, in words.

It knows what schemas of tools and answers use (JSON Schema 2020-12). What it does not know, such
as `pattern` and `format`, it takes for fulfilled; it looks nothing up and runs no expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

__all__ = ["violation"]

_DEEPEST = 64
_MOST_STEPS = 20_000
"""Branches that lead back to themselves would be followed for ever."""

_TYPES: Mapping[str, Callable[[object], bool]] = MappingProxyType(
    {
        "object": lambda value: isinstance(value, Mapping),
        "array": lambda value: isinstance(value, list | tuple),
        "string": lambda value: isinstance(value, str),
        "boolean": lambda value: isinstance(value, bool),
        "null": lambda value: value is None,
        "number": lambda value: _is_number(value),  # noqa: PLW0108 - it is defined below
        "integer": lambda value: _is_number(value) and value % 1 == 0,  # type: ignore[operator]
    }
)


def violation(value: object, schema: object) -> str:
    """The first thing that is wrong with `value`, or ""."""
    return next(_Check(schema).wrong(value, schema, "", 0), "")


class _Check:
    def __init__(self, root: object) -> None:
        self._root = root
        self._steps = 0

    def wrong(self, value: Any, schema: object, place: str, depth: int) -> Iterator[str]:
        """What is wrong, in the order in which it is found."""
        named = place or "it"
        self._steps += 1
        if schema is False:
            yield f"{named} may not be there"
        if depth > _DEEPEST or self._steps > _MOST_STEPS:
            yield f"{named} takes too long to check"
            return
        if not isinstance(schema, Mapping):
            return
        if "$ref" in schema:
            yield from self.wrong(value, self._found(schema["$ref"]), place, depth + 1)
        if "const" in schema and not _same(value, schema["const"]):
            yield f"{named} must be {schema['const']!r}"
        if "enum" in schema and not any(_same(value, one) for one in _listed(schema["enum"])):
            yield f"{named} must be one of {', '.join(map(repr, _listed(schema['enum'])))}"
        kinds = schema.get("type", ())
        kinds = [kinds] if isinstance(kinds, str) else _listed(kinds)
        if kinds and not any(kind in _TYPES and _TYPES[kind](value) for kind in kinds):
            yield f"{named} must be {' or '.join(map(str, kinds))}"
            return
        yield from self._of_branches(value, schema, place, depth)
        yield from _outside_limits(value, schema, named)
        if isinstance(value, Mapping):
            yield from self._members(value, schema, place, depth)
        elif isinstance(value, list | tuple):
            yield from self._items(value, schema, place, depth)

    def _of_branches(
        self, value: object, schema: Mapping[str, Any], place: str, depth: int
    ) -> Iterator[str]:
        for branch in _listed(schema.get("allOf")):
            yield from self.wrong(value, branch, place, depth + 1)
        for name in ("anyOf", "oneOf"):
            branches = _listed(schema.get(name))
            fitting = sum(not any(self.wrong(value, one, place, depth + 1)) for one in branches)
            if branches and (not fitting or (name == "oneOf" and fitting > 1)):
                yield f"{place or 'it'} fits {fitting or 'none'} of what '{name}' lists"
        if "not" in schema and not any(self.wrong(value, schema["not"], place, depth + 1)):
            yield f"{place or 'it'} is what 'not' forbids"

    def _members(
        self, value: Mapping[str, Any], schema: Mapping[str, Any], place: str, depth: int
    ) -> Iterator[str]:
        for name in _listed(schema.get("required")):
            if name not in value:
                yield f"{_inside(place, name)} is missing"
        known = schema.get("properties")
        known = known if isinstance(known, Mapping) else {}
        others = schema.get("additionalProperties", True)
        for name, item in value.items():
            if name not in known and others is False:
                yield f"{_inside(place, name)} is not known"
            else:
                yield from self.wrong(
                    item, known.get(name, others), _inside(place, name), depth + 1
                )

    def _items(
        self, value: Sequence[Any], schema: Mapping[str, Any], place: str, depth: int
    ) -> Iterator[str]:
        first = _listed(schema.get("prefixItems"))
        rest = schema.get("items", True)
        for number, item in enumerate(value):
            wanted = first[number] if number < len(first) else rest
            yield from self.wrong(item, wanted, f"{place}[{number}]", depth + 1)
        if schema.get("uniqueItems") is True:
            pairs = ((a, b) for n, a in enumerate(value) for b in value[:n])
            if any(_same(a, b) for a, b in pairs):
                yield f"{place or 'it'} says something twice"

    def _found(self, ref: object) -> object:
        """What a `$ref` leads to; everything fits one that leads nowhere."""
        found: Any = self._root
        for part in filter(None, str(ref).removeprefix("#").split("/")):
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and key in found:
                found = found[key]
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                return True
        return found if str(ref).startswith("#") else True


def _outside_limits(value: Any, schema: Mapping[str, Any], named: str) -> Iterator[str]:
    sizes = ((str, "Length"), ((list, tuple), "Items"), (Mapping, "Properties"))
    for kind, name in sizes:
        if isinstance(value, kind):
            least, most = schema.get(f"min{name}"), schema.get(f"max{name}")
            if _is_number(least) and len(value) < least:  # type: ignore[operator]
                yield f"{named} is shorter than {least}"
            if _is_number(most) and len(value) > most:  # type: ignore[operator]
                yield f"{named} is longer than {most}"
    if not _is_number(value):
        return
    tests: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
        ("minimum", "at least", lambda limit: value >= limit),
        ("maximum", "at most", lambda limit: value <= limit),
        ("exclusiveMinimum", "more than", lambda limit: value > limit),
        ("exclusiveMaximum", "less than", lambda limit: value < limit),
    )
    for name, words, fits in tests:
        if _is_number(schema.get(name)) and not fits(schema[name]):
            yield f"{named} must be {words} {schema[name]}"


def _inside(place: str, name: object) -> str:
    return f"{place}.{name}" if place else f"'{name}'"


def _listed(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(one: object, other: object) -> bool:
    """Equal as JSON: true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
