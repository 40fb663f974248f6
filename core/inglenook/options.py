"""Checks the `key=value` options of a part against what its factory declares."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

from inglenook.errors import UserError
from inglenook.factories import Factory, Option

__all__ = ["check_options"]

_TRUE = ("1", "true", "t", "yes", "on")
_FALSE = ("0", "false", "f", "no", "off")


def check_options(factory: Factory, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of the factory with the given or the default value, in its type.

    Raises `UserError` for an unknown name, a wrong type, or a value out of range.
    """
    known = {option.name: option for option in factory.options}
    for name in given:
        if name not in known:
            raise UserError(f"'{factory.name}' has no option '{name}'.", hint=_known(name, known))
    return {
        name: _convert(factory, option, given[name]) if name in given else option.default
        for name, option in known.items()
    }


def _known(name: str, known: Mapping[str, Option]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"Its options are: {', '.join(known)}." if known else "It has no options."


def _convert(factory: Factory, option: Option, value: Any) -> Any:
    try:
        converted = _typed(option.type, value)
    except ValueError as error:
        raise UserError(
            f"'{factory.name}': option {option.name}={value} is not {_article(option.type)}.",
            hint=option.help,
        ) from error
    _check_range(factory, option, converted)
    return converted


def _typed(type_: type, value: Any) -> Any:
    if type_ is bool and isinstance(value, str):
        if value.lower() in _TRUE:
            return True
        if value.lower() in _FALSE:
            return False
        raise ValueError(value)
    if type_ is list:
        items = value.split(",") if isinstance(value, str) else list(value)
        return [str(item).strip() for item in items if str(item).strip()]
    return value if type_ is type(value) else type_(value)


def _check_range(factory: Factory, option: Option, value: Any) -> None:
    said = f"'{factory.name}': option {option.name}={value}"
    chosen = value if isinstance(value, list) else [value]
    if option.choices and any(item not in option.choices for item in chosen):
        raise UserError(f"{said} is not one of: {', '.join(option.choices)}.")
    if isinstance(value, float) and math.isnan(value):
        raise UserError(f"{said} is not a number.")
    if option.minimum is not None and value < option.minimum:
        raise UserError(f"{said} is below the smallest allowed, {option.minimum:g}.")
    if option.maximum is not None and value > option.maximum:
        raise UserError(f"{said} is above the largest allowed, {option.maximum:g}.")


def _article(type_: type) -> str:
    return {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        list: "a comma-separated list",
    }.get(type_, "a text")
