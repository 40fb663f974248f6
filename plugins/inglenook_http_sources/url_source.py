"""Model source `url`: a file at an address. `mirror` is the same for a mirror of blobs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from inglenook.errors import PullError, UserError
from inglenook.types import CancelToken, FetchPart, ModelOffer, Notice, OfferedFile
from inglenook_http_sources.download import look
from inglenook_http_sources.web_source import WebSource

__all__ = ["UrlSource"]

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")


class UrlSource(WebSource):
    """Implements `protocols.ModelSource` and `protocols.ModelFinder` for https addresses."""

    def find_hosts(self, name: str) -> tuple[str, ...]:
        """The host of the address. Raises `UserError` for one that names no file."""
        address = self._web.parse(name)
        if address.shown.endswith("/"):
            raise UserError(f"{address.shown} names no file.", hint="Name a .gguf file.")
        return (address.place,)

    def find(self, name: str, cancel: CancelToken) -> Iterator[Notice | ModelOffer]:
        """Ask how long the file is; it is named after the last part of its path."""
        address = self._web.parse(name)
        self._web.told(address)
        file = unquote(address.shown.rpartition("/")[2])
        try:
            found = yield from look(self._web, address, self._credentials, cancel)
        finally:
            self._web.close()
        kind = found.answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in ("text/html", "application/xhtml+xml"):
            raise PullError(
                f"{address.shown} is a web page, not a model.",
                hint="Copy the address of the file itself; on Hugging Face it has /resolve/ in it.",
            )
        stem = file.removesuffix(".gguf").removesuffix(".GGUF")
        called = _NOT_IN_NAMES.sub("-", stem).strip("-.")[:70] or "model"
        part = FetchPart(address.url, "", found.identity.size_bytes)
        yield ModelOffer(called, (OfferedFile("model", part),), origin=address.shown)
