"""Which passwords to try on an encrypted PDF."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from inglenook.types import LoadRequest

__all__ = ["passwords"]


def passwords(request: LoadRequest) -> Iterator[str]:
    """The empty one, which most restricted files have, then the one given.

    Unicode passwords are hashed in a normal form (ISO 32000-2, 7.6.4.3), which some writers left
    out and some keyboards do not send.
    """
    yield ""
    given = request.password
    if given:
        yield given
        normal = unicodedata.normalize("NFKC", given)
        if normal != given:
            yield normal
