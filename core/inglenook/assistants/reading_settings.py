"""The table `reading` of the configuration: what reading one file may take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inglenook.configuration_keys import place_of
from inglenook.errors import UserError
from inglenook.factories import Factory, Option
from inglenook.knowledge.file_reader import ReadLimits
from inglenook.knowledge.reader_process import ReadingLimits
from inglenook.options import check_options
from inglenook.settings import Settings

__all__ = ["reading_limits"]

_OPTIONS = Factory(
    name="reading",
    summary="Limits of reading one file.",
    load="",
    options=(
        Option("silence_s", float, 60.0, "Seconds without any text.", minimum=1),
        Option("total_s", float, 3600.0, "Seconds for the whole file.", minimum=1),
        Option("memory_mb", int, 1536, "Memory of a process that reads.", minimum=256),
        Option("characters", int, 50_000_000, "Characters of text.", minimum=1),
        Option("members", int, 10_000, "Files inside a file.", minimum=1),
        Option("inflated_mb", int, 500, "Size of an archive when inflated.", minimum=1),
        Option("depth", int, 4, "How deep files may lie in files.", minimum=0),
        Option("readers", int, 0, "Processes that read; 0 finds a number.", minimum=0, maximum=64),
    ),
)


def reading_limits(settings: Settings) -> tuple[ReadingLimits, int]:
    """The limits, and how many processes read at once (0: one for each core, a few at most).

    Raises `UserError` for a key that is not known and for a value that is none of its kind.
    """
    table = settings.extra.get("reading", {})
    file = settings.paths.config_file
    if not isinstance(table, dict):
        raise UserError(f"{place_of(file, ('reading',))}: 'reading' must be a table.")
    values = {key: _checked(file, key, value) for key, value in table.items()}
    values = check_options(_OPTIONS, values)
    content = ReadLimits(
        characters=values["characters"],
        members=values["members"],
        inflated_bytes=values["inflated_mb"] << 20,
        depth=values["depth"],
    )
    limits = ReadingLimits(
        silence_s=values["silence_s"],
        total_s=values["total_s"],
        memory_bytes=values["memory_mb"] << 20,
        content=content,
    )
    return limits, values["readers"]


def _checked(file: Path, key: str, value: object) -> Any:
    """The value of one key in its type. Raises `UserError` that says where it stands."""
    try:
        return check_options(_OPTIONS, {key: value}).get(key)
    except (UserError, TypeError) as error:
        text = error.message if isinstance(error, UserError) else str(error)
        hint = error.hint if isinstance(error, UserError) else ""
        raise UserError(f"{place_of(file, ('reading', key))}: {text}", hint=hint) from error
