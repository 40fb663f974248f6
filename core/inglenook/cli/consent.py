"""Asks a person before anything is granted or fetched, and tries again with what was allowed.

Without a terminal nothing is asked: the error says which command would allow it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from inglenook.errors import GrantError, ModelNotFoundError, ProfileError

if TYPE_CHECKING:
    from inglenook.cli.session import Session

__all__ = ["with_consent"]

T = TypeVar("T")
_PULL = re.compile(r"nook pull (\S+)$")


def with_consent(session: Session, reference: str, action: Callable[[], T]) -> T:
    """Do `action`; where it lacks a grant or a model that the user then allows, do it again.

    Args:
        session: The run.
        reference: The assistant, as the user named it.
        action: What is to be done; it must be safe to repeat.
    """
    asked: set[str] = set()
    while True:
        try:
            return action()
        except ProfileError as error:
            _grant(session, reference, error, asked)
        except ModelNotFoundError as error:
            _fetch(session, error, asked)


def _grant(session: Session, reference: str, error: ProfileError, asked: set[str]) -> None:
    """Ask for each path that the profile names and may not read yet. Raises if not granted."""
    wanted = _paths_to_grant(error)
    if not wanted or asked & set(wanted):
        raise error
    asked.update(wanted)
    if session.terminal.interactive:
        for path in wanted:
            question = f"{reference} names {path}, outside its own folder. May it read that?"
            if not session.terminal.confirm(question):
                raise _refused(reference, wanted) from error
            session.installation.allow(reference, Path(path))
        return
    raise _refused(reference, wanted) from error


def _paths_to_grant(error: ProfileError) -> list[str]:
    """The paths, if grants are all that is missing."""
    problems = [p for p in error.problems if getattr(p, "severity", "error") == "error"]
    paths = [str(getattr(p, "path", "")) for p in problems if getattr(p, "code", "") == "grant"]
    complete = len(paths) == len(problems) and all(paths)
    return list(dict.fromkeys(paths)) if complete else []


def _refused(reference: str, paths: list[str]) -> GrantError:
    which = "a path" if len(paths) == 1 else f"{len(paths)} paths"
    commands = "\n".join(f"  nook allow {shlex.quote(reference)} {shlex.quote(p)}" for p in paths)
    return GrantError(
        f"{reference} names {which} outside its own folder that it may not read: "
        f"{', '.join(paths)}.",
        hint=f"To allow that:\n{commands}",
    )


def _fetch(session: Session, error: ModelNotFoundError, asked: set[str]) -> None:
    """Offer to fetch the model that is missing. Raises if it cannot or may not be fetched."""
    found = _PULL.search(error.hint)
    if found is None or found[1] in asked or not session.terminal.interactive:
        raise error
    asked.add(found[1])
    if not session.terminal.confirm(f"{error.message} Run `nook pull {found[1]}` now?"):
        raise error
    from inglenook.cli.pulling import pull_model

    pull_model(session, found[1], None)
