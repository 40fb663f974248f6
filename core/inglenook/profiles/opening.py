"""Opens a knowledge file so that nothing can slip in between the check and the reading."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from inglenook.errors import GrantError, LoadError

__all__ = ["open_checked"]


def open_checked(path: Path, roots: Sequence[Path]) -> BinaryIO:
    """Open a regular file that really lies in one of `roots`, for reading bytes.

    A last component that has become a link, a FIFO or a device is refused without waiting for it;
    a folder on the way that was swapped for a link is noticed on the open file. (Windows has no
    such flags: there the check of the open file alone holds.)

    Raises:
        GrantError: It lies elsewhere.
        LoadError: It is gone, unreadable or not a regular file.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY", "O_NOINHERIT"):
        flags |= getattr(os, name, 0)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LoadError(f"{path} cannot be opened: {reason}.", reason="unreadable") from error
    try:
        _check(descriptor, path, roots)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _check(descriptor: int, path: Path, roots: Sequence[Path]) -> None:
    opened = os.fstat(descriptor)
    if not stat.S_ISREG(opened.st_mode):
        raise LoadError(f"{path} is not a regular file.", reason="unreadable")
    try:
        real = Path(os.path.realpath(path))
        now = real.stat()
    except OSError as error:
        raise LoadError(f"{path} changed while it was opened.", reason="unreadable") from error
    allowed = any(real.is_relative_to(os.path.realpath(root)) for root in roots)
    if not allowed:
        raise GrantError(
            f"{path} leads to {real}, outside the folders that are allowed.",
            hint=f'Allow it with: nook allow NAME "{real}"',
        )
    if (now.st_dev, now.st_ino) != (opened.st_dev, opened.st_ino):
        raise GrantError(f"{path} was replaced while it was opened, so it was not read.")
