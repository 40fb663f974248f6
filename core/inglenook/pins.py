"""The pinned policy: only plugins whose distribution, version and files are known may run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

__all__ = ["pin", "record_sha256", "refusal"]


def pin(distribution: Distribution) -> dict[str, str]:
    """What to keep of a distribution to recognise it: version and the hash of its RECORD."""
    return {"version": distribution.version, "record_sha256": record_sha256(distribution)}


def record_sha256(distribution: Distribution) -> str:
    """The sha256 of the distribution's RECORD file, or "" if it has none."""
    record = distribution.read_text("RECORD")
    return hashlib.sha256(record.encode()).hexdigest() if record else ""


def refusal(entry: EntryPoint, pins: Mapping[str, Mapping[str, str]]) -> str:
    """Why the policy keeps this plugin out, or "". Imports nothing of it."""
    distribution = entry.dist
    if distribution is None:
        return "is not pinned: it belongs to no distribution."
    # The program's own distribution is the code that is asking.
    if distribution.name == "inglenook":
        return ""
    known = pins.get(distribution.name)
    add = f"To trust it as it is now: nook plugins pin {distribution.name}"
    if known is None:
        return f"is not pinned ({distribution.name} {distribution.version}). {add}"
    if known.get("version") != distribution.version:
        return f"has version {distribution.version}, pinned is {known.get('version')}. {add}"
    if known.get("record_sha256") != record_sha256(distribution):
        return f"has another RECORD than the pinned one. Reinstall {distribution.name}, or {add}"
    for name in _changed_files(distribution):
        return f"has a changed file, {name}. Reinstall {distribution.name}."
    return ""


def _changed_files(distribution: Distribution) -> Iterator[str]:
    """The files whose bytes are not those that RECORD promises."""
    for file in distribution.files or ():
        if file.hash is None or file.hash.mode != "sha256":
            continue
        path = Path(str(file.locate()))
        try:
            digest = hashlib.sha256(path.read_bytes()).digest()
        except OSError:
            yield str(file)
            continue
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
            yield str(file)
