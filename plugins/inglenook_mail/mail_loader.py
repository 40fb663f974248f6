"""The loader `mail`: one message in a file, as mail programs save it (.eml; .emlx of macOS)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.errors import Cancelled
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, PartFile, Section
from inglenook_mail.composing import compose
from inglenook_mail.files import broken, read_file
from inglenook_mail.letter import items
from inglenook_mail.mime import parse

__all__ = ["MailLoader"]

_COUNT_LINE = re.compile(rb"(\d{1,12})[ \t]*\r?\n")
_BEFORE_HEADERS = re.compile(rb"(?:\xef\xbb\xbf|[\r\n \t]+|>?From [^\r\n]*\r?\n)*")


class MailLoader:
    """Implements `protocols.Loader`. The headers and the text are one place."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(
        self, request: LoadRequest, cancel: CancelToken
    ) -> Iterator[Section | PartFile | Notice]:
        """Yield a section for the headers and the text, and a part for each file.

        A text that is only there as HTML is the part `body.html`. Raises `LoadError`: unreadable,
        broken (no mail), too large (also for too many parts).
        """
        data = _message_of(read_file(request))
        message = parse(data, request.name, request.max_members)
        if not message.headers.are_of_mail:
            raise broken(request, "it has no header of a mail message")
        found = 0
        for item in items(compose(message), Locator("whole", ""), "", request):
            if cancel.cancelled:
                raise Cancelled
            found += 1
            yield item
        if not found:
            raise broken(request, "there is no text in it")


def _message_of(data: bytes) -> bytes:
    """The message without what stands in front of its headers.

    An .emlx file begins with the length of the message, which the program's own notes follow.
    """
    counted = _COUNT_LINE.match(data)
    if counted:
        return data[counted.end() : counted.end() + int(counted[1])]
    before = _BEFORE_HEADERS.match(data)
    return data[before.end() :] if before else data
