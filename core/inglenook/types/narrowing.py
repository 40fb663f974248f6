"""Which sources, and which places in them, a question is to be answered from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

__all__ = ["Narrowing", "point_in_time"]

_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:")
"""Python reads more, such as 20250301, whose end would be a minute after its midnight."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Leaves out sources and sections; empty fields leave out nothing, all fields must hold.

    Args:
        paths: A file, a folder or a glob each, as a FILE line has it; any of them.
        types: An extension (`pdf`) or a media type (`text/*`) each; any of them.
        since, until: The day (or month, year, minute) of the last change, both included.
        sections: Words of a heading above the passage; any of them.
    """

    paths: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    sections: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise `ValueError` for a date that is none, or dates in the wrong order."""
        since, until = point_in_time(self.since), point_in_time(self.until, end=True)
        if since is not None and until is not None and since >= until:
            raise ValueError(f"until={self.until} lies before since={self.since}.")

    @classmethod
    def of(
        cls,
        *,
        path: str | Iterable[str] = (),
        type: str | Iterable[str] = (),
        since: str = "",
        until: str = "",
        section: str | Iterable[str] = (),
    ) -> Narrowing:
        """One of single texts or several. Raises `ValueError` for a date that is none."""
        return cls(_several(path), _several(type), since.strip(), until.strip(), _several(section))

    def __bool__(self) -> bool:
        return self != Narrowing()

    def __str__(self) -> str:
        """As a RETRIEVE line has it, such as `path=policies/** type=pdf`."""
        parts = {
            "path": ",".join(self.paths),
            "type": ",".join(self.types),
            "since": self.since,
            "until": self.until,
            "section": ",".join(self.sections),
        }
        return " ".join(f"{name}={text}" for name, text in parts.items() if text)


def point_in_time(text: str, *, end: bool = False) -> datetime | None:
    """The beginning of what the text names, with `end` the moment after it; None for "".

    Args:
        text: `2025`, `2025-03`, `2025-03-01` or `2025-03-01T14:30`, in local time where it names
            no zone.
        end: Whether the end is wanted.

    Raises `ValueError` for anything else.
    """
    if not text:
        return None
    try:
        named = _DAY.fullmatch(text)
        if named is None:
            if not _TIME.match(text):
                raise ValueError(text)
            moment = datetime.fromisoformat(text).astimezone()
            return moment + timedelta(minutes=1) if end else moment
        year, month, day = (int(part) if part else None for part in named.groups())
        assert year is not None
        first = date(year, month or 1, day or 1)
        return _midnight(_next(first, month, day) if end else first)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(
            f"'{text}' is no date; write it as 2025, 2025-03, 2025-03-01 or 2025-03-01T14:30."
        ) from error


def _next(first: date, month: int | None, day: int | None) -> date:
    """The day after the year, the month or the day that begins with `first`."""
    if day is not None:
        return first + timedelta(days=1)
    if month is not None and month < 12:
        return first.replace(month=month + 1)
    return first.replace(year=first.year + 1, month=1)


def _midnight(day: date) -> datetime:
    """Where this machine is."""
    return datetime.combine(day, time()).astimezone()


def _several(given: str | Iterable[str]) -> tuple[str, ...]:
    texts = (given,) if isinstance(given, str) else tuple(given)
    return tuple(text.strip() for text in texts if text.strip())
