"""Which versions of its libraries a part runs with, read without importing any of them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata

__all__ = ["library_versions"]


def library_versions(imported: Iterable[str]) -> dict[str, str]:
    """Distribution -> version, of the distributions that bring these import names.

    Those that are not installed are left out.
    """
    found: dict[str, str] = {}
    unnamed: list[str] = []
    for name in imported:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            unnamed.append(name)
    # Reading what every distribution brings takes a while: only where a name is not its own.
    brought = metadata.packages_distributions() if unnamed else {}
    for name in unnamed:
        for distribution in brought.get(name, ())[:1]:
            found[distribution] = metadata.version(distribution)
    return found
