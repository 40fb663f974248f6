"""Opens an Assistantfile on disk and gives its profile, or one clear error that says where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inglenook.errors import ProfileError
from inglenook.profiles.parser import Parsed, parse
from inglenook.profiles.problems import Problem
from inglenook.profiles.profile import Profile
from inglenook.profiles.validation import Names, validate

__all__ = ["FILE_NAMES", "find_profile", "load_profile", "profile_error", "read_profile"]

FILE_NAMES = ("Assistantfile", "Modelfile")
MAX_BYTES = 1_000_000
_SHOWN_PROBLEMS = 5


def find_profile(path: Path) -> Path:
    """The file itself, or the Assistantfile or Modelfile in that folder.

    Raises:
        ProfileError: There is none.
    """
    try:
        if not path.is_dir():
            return path
        for name in FILE_NAMES:
            if (path / name).is_file():
                return path / name
    except OSError as error:
        raise ProfileError(f"{_safe(path)} cannot be read: {error.strerror}.") from error
    raise ProfileError(
        f"The folder {path} holds no Assistantfile.",
        hint=f"Name the file itself, or write {path / FILE_NAMES[0]} (FROM NAME is enough).",
    )


def read_profile(path: Path) -> bytes:
    """The bytes of the file at `path` (or of the one in that folder).

    Raises:
        ProfileError: It is missing, not a regular file, unreadable, empty or over 1 MB.
    """
    path = find_profile(path)
    try:
        if path.exists() and not path.is_file():
            raise ProfileError(f"{path} is not a regular file, so it cannot be an Assistantfile.")
        with path.open("rb") as file:
            source = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ProfileError(
            f"There is no file {path}.", hint="Check the path, or write one: FROM NAME is enough."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ProfileError(f"{_safe(path)} cannot be read: {reason}.") from error
    if len(source) > MAX_BYTES:
        raise ProfileError(
            f"{path} is over {MAX_BYTES // 1000} kB, too large for an Assistantfile.",
            hint="Documents do not belong in it: name them with FILE lines.",
        )
    if not source.strip():
        raise ProfileError(
            f"{path} is empty.", hint="An Assistantfile must name a model: FROM NAME"
        )
    return source


def load_profile(path: Path, names: Names | None = None) -> Profile:
    """The profile in the file at `path`, or in the folder at `path`.

    Args:
        path: The file or its folder.
        names: See `validate`.

    Raises:
        ProfileError: There is anything wrong; `problems` has it all, warnings too.
    """
    path = find_profile(path)
    parsed: Parsed = parse(read_profile(path))
    profile, problems = validate(parsed, names)
    if profile is None:
        raise profile_error(path, problems)
    return profile


def profile_error(path: Path | str, problems: Sequence[Problem]) -> ProfileError:
    """One error for all `problems`; its text shows the first few with file, line and column."""
    errors = [problem for problem in problems if problem.severity == "error"]
    lines = [
        f"{path}:{problem.line}:{problem.column}: {problem.message}"
        for problem in errors[:_SHOWN_PROBLEMS]
    ]
    more = len(errors) - _SHOWN_PROBLEMS
    hint = f"{more} more; see all with: nook profile check {path}" if more > 0 else ""
    return ProfileError("\n".join(lines), hint=hint, problems=tuple(problems))


def _safe(path: Path) -> str:
    return "".join(ch if ch.isprintable() else "?" for ch in str(path))
