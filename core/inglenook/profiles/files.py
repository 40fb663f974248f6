"""Resolves the FILE lines of a profile to real files, and keeps them inside what the user allowed.

The profile's own folder is free; every other place needs a grant. Links are resolved once, here:
what comes out are real paths of regular files, nothing is opened.
"""

# Paths stay text here: pathlib would drop what the user wrote (`./`, a last `/`) and compare less.
# ruff: noqa: PTH100, PTH111, PTH112, PTH114, PTH116, PTH117, PTH118, PTH119

from __future__ import annotations

import errno
import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inglenook.profiles.loading import FILE_NAMES
from inglenook.profiles.problems import Problem, shown
from inglenook.profiles.profile import FileRule, Profile
from inglenook.types import Notice

__all__ = ["FileSet", "KnowledgeFile", "resolve_files"]

_MAGIC = re.compile(r"[*?\[]")
_DRIVE = re.compile(r"[A-Za-z]:([\\/]|$)|\\\\")
_SEPARATORS = re.compile(r"[\\/]+" if os.sep == "\\" else r"/+")
_LISTED = 5


@dataclass(frozen=True, slots=True)
class KnowledgeFile:
    """A file that a FILE line names.

    Args:
        path: Absolute, with every link resolved.
        name: What people call it: relative to the profile's folder with `/`, or as the line has
            it (absolute or `~`).
        rule: The line.
    """

    path: Path
    name: str
    rule: FileRule


@dataclass(frozen=True, slots=True)
class FileSet:
    """What the FILE lines come to.

    Args:
        files: Sorted by name, each real file once.
        notices: What was skipped and why.
        unseen: Real paths of files and folders that could not be looked at just now.
        problems: What must be mended; code `grant` needs the user's consent for `path`, code
            `missing` names what is not there.
    """

    files: tuple[KnowledgeFile, ...]
    notices: tuple[Notice, ...]
    problems: tuple[Problem, ...]
    unseen: tuple[str, ...] = ()


def resolve_files(
    profile: Profile,
    base: Path,
    grants: Sequence[Path],
    accepts: Callable[[Path], bool],
    *,
    assistant: str = "NAME",
    max_bytes: int | None = None,
) -> FileSet:
    """Find the files that `profile` names.

    Args:
        profile: The profile.
        base: Its folder.
        grants: Folders and files outside it that the user allowed.
        accepts: Whether a loader reads this type of file.
        assistant: The assistant's name, for the command in messages.
        max_bytes: Larger files are skipped and listed; None has no limit.
    """
    found: dict[str, KnowledgeFile] = {}
    notices: list[Notice] = []
    problems: list[Problem] = []
    unseen: list[str] = []
    for rule in profile.files:
        folder = rule.folder or os.path.abspath(base)
        roots = _Roots((folder, *map(str, grants)))
        resolver = _Resolver(rule, folder, roots, accepts, assistant, max_bytes)
        for file in resolver.run():
            found.setdefault(os.path.normcase(file.path), file)
        notices.extend(resolver.notices)
        problems.extend(resolver.problems)
        unseen.extend(resolver.unseen)
    files = tuple(sorted(found.values(), key=lambda file: (file.name, str(file.path))))
    return FileSet(
        files, tuple(notices), tuple(dict.fromkeys(problems)), tuple(dict.fromkeys(unseen))
    )


class _Roots:
    """The places that files may lie in, links resolved."""

    def __init__(self, places: Sequence[str]) -> None:
        self.places = [Path(os.path.realpath(os.path.expanduser(place))) for place in places]

    def allow(self, real: str) -> bool:
        return any(Path(real).is_relative_to(place) for place in self.places)


@dataclass
class _Resolver:
    """Resolves one rule; notices and problems gather on the way."""

    rule: FileRule
    folder: str
    roots: _Roots
    accepts: Callable[[Path], bool]
    assistant: str
    max_bytes: int | None
    notices: list[Notice] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)
    leading_out: dict[str, str] = field(default_factory=dict)
    dangling: dict[str, str] = field(default_factory=dict)
    visited: set[tuple[str, int]] = field(default_factory=set)

    def run(self) -> list[KnowledgeFile]:
        pattern = os.path.expanduser(self.rule.pattern)
        if re.search(r"[\x00-\x1f\x7f]", pattern):
            self.problem("A path cannot hold control characters.")
        elif not _is_unicode(pattern):
            self.problem(_not_unicode(pattern))
        elif pattern.startswith("~"):
            self.problem(f"The home folder of {shown(pattern)} is not known.", "missing")
        elif os.sep == "/" and _DRIVE.match(pattern):
            self.problem(f"{shown(pattern)} is a path of Windows, outside this folder.", "grant")
        else:
            files = self.resolve(os.path.join(self.folder, pattern))
            self.report_skipped()
            return files
        return []

    def resolve(self, target: str) -> list[KnowledgeFile]:
        parts = _SEPARATORS.split(target)
        magic = next((i for i, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
        if magic < len(parts) and os.path.lexists(target):
            magic = len(parts)  # a file that is really called "report [1].pdf"
        start = os.sep.join(parts[:magic]) or os.sep
        if not self.allowed(start):
            return []
        if not _is_unicode(os.path.realpath(start)):
            self.problem(_not_unicode(os.path.realpath(start)))
            return []
        rest = tuple(part for part in parts[magic:] if part not in {"", "."})
        if ".." in rest:
            self.problem('".." cannot stand behind a * or ? in a path.')
            return []
        if not rest and not os.path.isdir(start):
            return self.single(start)
        if not os.path.isdir(start):
            self.nothing(f"There is no folder {os.path.realpath(start)}.")
            return []
        files = [
            file
            for path, real in self.walk(start, _collapse(rest or ("**", "*")))
            if (file := self.matched(path, real)) is not None
        ]
        if not files:
            self.nothing(
                f"No file that can be read matches {os.path.realpath(start)}{_tail(rest)}."
            )
        return files

    def single(self, path: str) -> list[KnowledgeFile]:
        real = os.path.realpath(path)
        try:
            status = os.stat(real)
        except FileNotFoundError:
            link = os.path.islink(path) and _sentence(_dangling_link(self.name(path), real))
            self.nothing(f"{link or f'There is no file {shown(real, 300)}'}.")
            return []
        except (OSError, ValueError) as error:
            self.problem(f"{shown(real, 300)} cannot be read: {_reason(error)}.", "missing")
            return []
        if not stat.S_ISREG(status.st_mode):
            self.problem(f"{shown(real, 300)} is not a regular file.")
        elif self.max_bytes is not None and status.st_size > self.max_bytes:
            size, limit = status.st_size // 1_000_000, self.max_bytes // 1_000_000
            self.problem(f"{shown(real, 300)} is too large: {size} MB; the limit is {limit} MB.")
        elif not self.accepts(Path(real)):
            self.problem(
                f"No installed loader reads {shown(os.path.basename(real))}. "
                "See the loaders with: nook plugins"
            )
        else:
            return [KnowledgeFile(Path(real), self.name(path), self.rule)]
        return []

    def matched(self, path: str, real: str) -> KnowledgeFile | None:
        """A file that a folder or glob led to: what is not fit is skipped and listed."""
        name = self.name(path)
        try:
            status = os.stat(real)
        except OSError as error:
            self.skip(f"cannot be read ({_reason(error)})", name)
            if not isinstance(error, FileNotFoundError):
                self.unseen.append(real)
            return None
        if not stat.S_ISREG(status.st_mode):
            self.skip("not a regular file", name)
        elif name in FILE_NAMES:
            return None  # the profile itself is not knowledge
        elif not self.accepts(Path(real)):
            self.skip("of a type that no installed loader reads", name)
        elif self.max_bytes is not None and status.st_size > self.max_bytes:
            self.skip(f"larger than {self.max_bytes // 1_000_000} MB", name)
        elif not (_is_unicode(name) and _is_unicode(real)):
            self.skip("with a name that is not valid UTF-8 (rename it)", name)
        else:
            return KnowledgeFile(Path(real), name, self.rule)
        return None

    def walk(self, start: str, pattern: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """The files under `start` that match `pattern`, as they are called and as they really lie.

        `**` is any number of folders.
        """
        todo = [(start, os.path.realpath(start), pattern)]
        while todo:
            folder, real, parts = todo.pop()
            if (real, len(parts)) in self.visited:
                continue  # a link that leads back up, or two ways to the same place
            self.visited.add((real, len(parts)))
            if parts[0] == "**":
                todo.append((folder, real, parts[1:]))
            for entry in self.entries(folder):
                rest = self.step(entry, parts)
                place = None if rest is None else self.place(entry, real)
                if rest and place is not None:
                    todo.append((entry.path, place, rest))
                elif place is not None:
                    yield entry.path, place

    def step(self, entry: os.DirEntry[str], parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """What is left to match below `entry`: () for a file that matches, None for no match."""
        head, rest = parts[0], parts[1:]
        if entry.name.startswith(".") and not head.startswith("."):
            if head != "**":  # with ** the same folder is also looked at for what follows it
                self.skip("hidden", self.name(entry.path))
            return None
        if head != "**" and not _matches(entry.name, head):
            return None
        if head == "**" or rest:
            return (parts if head == "**" else rest) if self.is_folder(entry) else None
        return None if self.is_folder(entry) else ()

    def place(self, entry: os.DirEntry[str], folder: str) -> str | None:
        """Where an entry of the real `folder` really lies; None after noting that it leads out.

        Only a link (or, on Windows, a junction) can lead out, or to nothing. It is skipped: one
        stray link in a large folder must not keep the rest from being read.
        """
        if os.sep == "/" and not entry.is_symlink():
            return os.path.join(folder, entry.name)
        try:
            real = os.path.realpath(entry.path)
        except (OSError, ValueError) as error:
            self.skip(f"cannot be resolved ({_reason(error)})", self.name(entry.path))
            return None
        if _points_to_nothing(entry.path):
            self.dangling[self.name(entry.path)] = real
            return None
        if self.roots.allow(real):
            return real
        self.leading_out[self.name(entry.path)] = real
        return None

    def entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.skip(f"cannot be read ({_reason(error)})", self.name(folder))
            if not isinstance(error, FileNotFoundError):
                self.unseen.append(os.path.realpath(folder))
            return []

    def is_folder(self, entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir()
        except OSError:
            return False  # a broken entry is judged as a file, which says why it cannot be read

    def allowed(self, path: str) -> bool:
        """Whether `path` really lies where files are free; a problem if not.

        Asked before anything else, so that a profile cannot find out what exists elsewhere.
        """
        try:
            real = os.path.realpath(path)
        except (OSError, ValueError) as error:
            self.problem(f"{shown(path, 300)} cannot be resolved: {_reason(error)}.", "missing")
            return False
        if self.roots.allow(real):
            return True
        if os.path.islink(path) and _points_to_nothing(path):
            self.nothing(f"{_sentence(_dangling_link(self.name(path), real))}.")
            return False
        self.problem(
            f"FILE leads out of the Assistantfile's folder, to {shown(real, 300)}. "
            f"Allow that with: nook allow {self.assistant} {shown(real, 300)}",
            "grant",
            real,
        )
        return False

    def name(self, path: str) -> str:
        home = os.path.expanduser("~")
        pattern = self.rule.pattern
        if pattern.startswith("~") and path.startswith(home + os.sep):
            return "~/" + path[len(home) + 1 :].replace(os.sep, "/")
        if os.path.isabs(pattern) or pattern.startswith("~"):
            return os.path.normpath(path).replace(os.sep, "/")
        return os.path.relpath(path, self.folder).replace(os.sep, "/")

    def problem(self, message: str, code: str = "", path: str = "") -> None:
        self.problems.append(
            Problem(self.rule.line, self.rule.column, "error", message, code, path)
        )

    def nothing(self, message: str) -> None:
        """Nothing is there: a problem, or only a notice where the line says `optional=true`."""
        if self.problems and self.problems[-1].code == "grant":
            return  # the real reason is already told
        if self.leading_out:
            # Notices may not be read where a problem stops everything: say it here as well.
            message += f" Skipped: {self.link_notice(next(iter(self.leading_out)))}"
        elif self.dangling:
            message += f" Skipped: {_dangling_link(*next(iter(self.dangling.items())))}."
        if self.rule.optional:
            self.notices.append(Notice("file-missing", f"FILE {self.rule.pattern}: {message}"))
        else:
            self.problem(f"{message} (optional=true would allow that.)", "missing")

    def skip(self, reason: str, name: str) -> None:
        self.skipped.setdefault(reason, []).append(name)

    def link_notice(self, name: str) -> str:
        """What to say of a link that leads out: how to allow it, unless that would allow all."""
        real = self.leading_out[name]
        message = f"the link {shown(name, 300)} leads out of the Assistantfile's folder"
        if _is_too_much(real) or not _is_unicode(real):
            return f"{message}."
        allow = f"nook allow {self.assistant} {shown(real, 300)}"
        return f"{message}, to {shown(real, 300)}. Allow that with: {allow}"

    def report_skipped(self) -> None:
        prefix = f"FILE {self.rule.pattern}: "
        for name, real in list(self.dangling.items())[:_LISTED]:
            message = f"{prefix}skipped: {_dangling_link(name, real)}."
            self.notices.append(Notice("file-skipped", message))
        if len(self.dangling) > _LISTED:
            more = f"{len(self.dangling) - _LISTED} more links that point to nothing, skipped"
            self.notices.append(Notice("file-skipped", f"{prefix}{more}"))
        for name in list(self.leading_out)[:_LISTED]:
            message = f"{prefix}skipped: {self.link_notice(name)}"
            self.notices.append(Notice("file-skipped", message))
        if len(self.leading_out) > _LISTED:
            more = f"{len(self.leading_out) - _LISTED} more links that lead out, skipped"
            self.notices.append(Notice("file-skipped", f"{prefix}{more}"))
        for reason, names in self.skipped.items():
            unique = list(dict.fromkeys(names))
            listed = ", ".join(shown(name, 300)[1:-1] for name in unique[:_LISTED])
            more = f" and {len(unique) - _LISTED} more" if len(unique) > _LISTED else ""
            code = "file-hidden" if reason == "hidden" else "file-skipped"
            message = f"{prefix}{len(unique)} {reason}, skipped: {listed}{more}"
            self.notices.append(Notice(code, message))


def _collapse(parts: tuple[str, ...]) -> tuple[str, ...]:
    """`**/**` is `**`, and a `**` at the end takes the files in it."""
    kept: list[str] = []
    for part in parts:
        if part != "**" or not kept or kept[-1] != "**":
            kept.append(part)
    return (*kept, "*") if kept[-1] == "**" else tuple(kept)


def _matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(os.path.normcase(name), os.path.normcase(pattern))


def _tail(rest: tuple[str, ...]) -> str:
    return os.sep + os.sep.join(rest) if rest else ""


def _is_unicode(path: str) -> bool:
    """Whether every byte of a path is text; the others stand in it as lone surrogates."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_unicode(path: str) -> str:
    return f"The path {shown(path, 300)} is not valid UTF-8; rename it."


def _points_to_nothing(path: str) -> bool:
    """Whether there is nothing where a link leads; not where that cannot be looked at."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _dangling_link(name: str, real: str) -> str:
    return f"the link {shown(name, 300)} points to nothing: {shown(real, 300)} is not there"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _is_too_much(real: str) -> bool:
    """Whether a place holds the whole home folder, or is the root of a file system."""
    home = os.path.realpath(os.path.expanduser("~"))
    return Path(real).parent == Path(real) or Path(home).is_relative_to(real)


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
