"""What a bundle says of itself: its first member, `bundle.json`, read without trusting it.

Everything else in a bundle is named by its sha256, so the paths of documents stand here only, and
are checked here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inglenook.errors import StoreError, UserError
from inglenook.models.reference import parse_reference
from inglenook.profiles.problems import shown

__all__ = [
    "BundledAssistant",
    "BundledFile",
    "BundledModel",
    "Contents",
    "Member",
    "parse_contents",
    "require_portable",
]

VERSION = 1
_LARGEST_MEMBER_BYTES = 1 << 50
_MOST_MEMBERS = 1_000_000
_LONGEST_PATH_BYTES = 1024
_LONGEST_PART_BYTES = 255
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FORBIDDEN_ON_WINDOWS = re.compile(r'[<>:"|?*]|[. ]$')


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the bundle behind its first one. `sha256` is bare hex."""

    sha256: str
    size_bytes: int

    @property
    def name(self) -> str:
        """What the archive calls it."""
        return f"blobs/sha256-{self.sha256}"


@dataclass(frozen=True, slots=True)
class BundledModel:
    """A model: the sha256 of its manifest, and of the blobs that the manifest names."""

    name: str
    manifest: str
    blobs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BundledFile:
    """A file of an assistant's folder.

    Args:
        path: Relative to the folder, with `/`.
        sha256: Of its bytes, in hex.
        modified: When it was changed last, in whole seconds since 1970.
    """

    path: str
    sha256: str
    modified: int


@dataclass(frozen=True, slots=True)
class BundledAssistant:
    """An assistant.

    Args:
        name: What it is called.
        profile: The path of its Assistantfile, one of `files`.
        files: The Assistantfile, the documents and the models inside its folder, by path.
        parent: Whether it is here only because another one is made from it.
        left_out: What it names and the bundle does not hold.
    """

    name: str
    profile: str
    files: tuple[BundledFile, ...]
    parent: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Another one for other files or contents."""
        text = json.dumps([[f.path, f.sha256] for f in self.files])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Contents:
    """All that is in a bundle; `members` are in the order of the file."""

    models: tuple[BundledModel, ...]
    assistants: tuple[BundledAssistant, ...]
    members: tuple[Member, ...]

    @property
    def size_bytes(self) -> int:
        """Of all members together."""
        return sum(member.size_bytes for member in self.members)

    def as_bytes(self) -> bytes:
        """`bundle.json`: the same bytes for the same contents, with a checksum of themselves."""
        form = self._form()
        return _text({**form, "check": _check_of(form)})

    def _form(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "models": [
                {"name": m.name, "manifest": m.manifest, "blobs": list(m.blobs)}
                for m in self.models
            ],
            "assistants": [_assistant_form(assistant) for assistant in self.assistants],
            "members": [
                {"name": m.name, "sha256": m.sha256, "size_bytes": m.size_bytes}
                for m in self.members
            ],
        }


def _assistant_form(assistant: BundledAssistant) -> dict[str, Any]:
    return {
        "name": assistant.name,
        "profile": assistant.profile,
        "files": [
            {"path": f.path, "sha256": f.sha256, "modified": f.modified} for f in assistant.files
        ],
        "parent": assistant.parent,
        "left_out": list(assistant.left_out),
    }


def _text(form: Mapping[str, Any]) -> bytes:
    return (json.dumps(form, ensure_ascii=True, indent=1, sort_keys=True) + "\n").encode()


def _check_of(form: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text(form)).hexdigest()


# --- reading what a stranger wrote ----------------------------------------------------------------


def parse_contents(data: bytes, bundle: str) -> Contents:
    """Read `bundle.json` of the bundle that messages call `bundle`.

    Raises `UserError` for a version that is not known, `StoreError` for anything that is wrong.
    """
    try:
        form = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _damaged(bundle, f"its bundle.json is not JSON ({error})") from error
    if not isinstance(form, dict):
        raise _damaged(bundle, "its bundle.json is not a JSON object")
    if form.get("version") != VERSION:
        version = form.get("version")
        told = str(version) if isinstance(version, int) else shown(repr(version))
        raise UserError(
            f"{bundle} has the version {told}; this nook reads version {VERSION}.",
            hint="Import it with the version of nook that exported it, or a later one.",
        )
    check = form.pop("check", "")
    if _check_of(form) != check:
        raise _damaged(bundle, "its bundle.json has another checksum than it says")
    try:
        contents = _contents(form)
    except (KeyError, TypeError, ValueError) as error:
        wrong = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise _damaged(bundle, f"its bundle.json is not in order: {wrong}") from error
    return contents


def _contents(form: Mapping[str, Any]) -> Contents:
    """Raises `KeyError`, `TypeError` or `ValueError` for what is not as it should be."""
    members = tuple(_member(entry) for entry in _list(form["members"], "members"))
    known = {member.sha256 for member in members}
    if len(known) < len(members):
        raise ValueError("it lists a member twice")
    models = tuple(_model(entry) for entry in _list(form["models"], "models"))
    assistants = tuple(_assistant(entry) for entry in _list(form["assistants"], "assistants"))
    if len({_key_of(model.name) for model in models}) < len(models):
        raise ValueError("it lists a model twice")
    if len({assistant.name.casefold() for assistant in assistants}) < len(assistants):
        raise ValueError("it lists an assistant twice")
    if not members:
        raise ValueError("it lists nothing")
    used = {sha256 for m in models for sha256 in (m.manifest, *m.blobs)}
    used |= {file.sha256 for assistant in assistants for file in assistant.files}
    if used - known:
        raise ValueError(f"blobs/sha256-{min(used - known)} is used and not listed as a member")
    if known - used:
        raise ValueError(f"the member blobs/sha256-{min(known - used)} belongs to nothing")
    return Contents(models, assistants, members)


def _key_of(model: str) -> tuple[str, ...]:
    """What tells two models apart: one may be named in several ways, such as `m` and `m:latest`."""
    try:
        return parse_reference(model).key
    except UserError:
        return (model.casefold(),)  # Whoever takes it up will say what is wrong with it.


def _member(entry: Mapping[str, Any]) -> Member:
    member = Member(_sha256(entry["sha256"]), entry["size_bytes"])
    size = member.size_bytes
    if type(size) is not int or not 0 <= size <= _LARGEST_MEMBER_BYTES:
        raise ValueError(f"{member.name} has the size {shown(repr(size))}")
    if entry["name"] != member.name:
        raise ValueError(f"a member is called {shown(str(entry['name']))}")
    return member


def _model(entry: Mapping[str, Any]) -> BundledModel:
    blobs = tuple(_sha256(blob) for blob in _list(entry["blobs"], "blobs"))
    return BundledModel(_string(entry["name"]), _sha256(entry["manifest"]), blobs)


def _assistant(entry: Mapping[str, Any]) -> BundledAssistant:
    files = tuple(_file(file) for file in _list(entry["files"], "files"))
    paths = {file.path for file in files}
    if len(paths) < len(files):
        raise ValueError("an assistant has a file twice")
    for path in paths:
        folders = path.split("/")[:-1]
        if any("/".join(folders[: n + 1]) in paths for n in range(len(folders))):
            raise ValueError(f"{shown(path)} lies in what is a file")
    profile = _string(entry["profile"])
    if profile not in paths or "/" in profile:
        raise ValueError(f"the Assistantfile {shown(profile)} is not among the files")
    left_out = tuple(_string(text) for text in _list(entry["left_out"], "left_out"))
    return BundledAssistant(_string(entry["name"]), profile, files, bool(entry["parent"]), left_out)


def _file(entry: Mapping[str, Any]) -> BundledFile:
    modified = entry["modified"]
    if type(modified) is not int or not 0 <= modified < 1 << 40:
        raise ValueError(f"a file was changed at {shown(repr(modified))}")
    path = _string(entry["path"])
    wrong = _not_portable(path)
    if wrong:
        raise ValueError(f"the path {shown(path)} {wrong}")
    return BundledFile(path, _sha256(entry["sha256"]), modified)


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > _MOST_MEMBERS:
        raise TypeError(f"{name} is not a list, or too long")
    return value


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{shown(repr(value))} is not a text")
    return value


def _sha256(value: object) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError(f"{shown(str(value))} is not a sha256")
    return value


def _damaged(bundle: str, wrong: str) -> StoreError:
    return StoreError(
        f"{bundle} is damaged: {wrong}.", hint="Copy it anew, or export it again. Nothing was kept."
    )


# --- paths ----------------------------------------------------------------------------------------


def require_portable(path: str) -> None:
    """Raise `UserError` for the path of a file that could not be imported again."""
    if wrong := _not_portable(path):
        raise UserError(f"The file {shown(path, 300)} cannot be exported: its path {wrong}.")


def _not_portable(path: str) -> str:
    """Why a path may not stand in a bundle; "" if it may."""
    parts = path.split("/")
    if path.startswith("/"):
        return "is absolute"
    if ".." in parts:
        return "leads out of its folder"
    if "" in parts or "." in parts:
        return "is not in its shortest form"
    if "\\" in path or _CONTROL.search(path):
        return "holds a backslash or a control character"
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    if max(sizes) > _LONGEST_PART_BYTES or len(path.encode()) > _LONGEST_PATH_BYTES:
        return "is too long"
    if os.name == "nt" and any(_FORBIDDEN_ON_WINDOWS.search(part) for part in parts):
        return "holds what Windows does not allow"
    return ""
