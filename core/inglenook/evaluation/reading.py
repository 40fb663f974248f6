"""Reads files that people wrote or fetched, and says at which line or place one is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inglenook.errors import UserError

__all__ = ["json_lines", "lines_of", "read_json", "text_of"]


def text_of(path: Path) -> str:
    """The whole file. Raises `UserError` if it cannot be read or is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}, line {line}: this is not UTF-8.", hint="Save the file as UTF-8."
        ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, each with its number from 1; one at a time is in memory."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise UserError(
                        f"{path}, line {number}: this is not UTF-8.",
                        hint="Save the file as UTF-8.",
                    ) from error
                if text.strip():
                    yield number, text.rstrip("\r\n")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON objects of a file that has one a line. Raises `UserError` with the line."""
    for number, line in lines_of(path):
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "not readable"
            raise UserError(
                f"{path}, line {number}: this is not JSON: {reason}.",
                hint="Every line is one JSON object.",
            ) from error
        if not isinstance(data, dict):
            raise UserError(
                f"{path}, line {number}: this is not a JSON object.",
                hint='Every line is one object: {"…": …}',
            )
        yield number, data


def read_json(path: Path) -> Any:
    """The JSON document of a file. Raises `UserError` with the line."""
    try:
        return json.loads(text_of(path))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}, line {error.lineno}, column {error.colno}: this is not JSON: {error.msg}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON that can be read.") from error
