"""Hands on the documents that are embedded in a document."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from inglenook.types import Notice, PartFile
from inglenook_office.package import Package

__all__ = ["embedded_parts"]

_MOST_BYTES = 100_000_000
_OPAQUE = (".bin", ".vml", "")


def embedded_parts(package: Package, targets: Iterable[str]) -> Iterator[PartFile | Notice]:
    """Yield each embedded file; a notice for one that is wrapped in a way nobody can read here."""
    for target in targets:
        if not target:
            continue
        name = posixpath.basename(target)
        data = None
        if posixpath.splitext(name)[1].lower() not in _OPAQUE:
            data = package.data(target, _MOST_BYTES)
        if data:
            yield PartFile(name, data)
        else:
            yield Notice("embedded-object", f"the embedded object {name} was not read")
