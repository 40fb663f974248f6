"""What the sources of this plugin have in common: how a part is fetched."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from inglenook.errors import ModelNotFoundError, PullError, UserError
from inglenook.types import CancelToken, FetchPart, FetchProgress, Notice
from inglenook_http_sources.download import Download
from inglenook_http_sources.failures import shown
from inglenook_http_sources.web import Web
from inglenook_http_sources.web_address import WebAddress

__all__ = ["NoCredentials", "WebSource", "refusal"]


class WebSource:
    """Implements `protocols.ModelSource` for parts whose address is a URL."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    @cached_property
    def _web(self) -> Web:
        return Web(insecure=bool(self._options.get("insecure")))

    @cached_property
    def _credentials(self) -> Any:
        return NoCredentials()

    def hosts(self, part: FetchPart) -> tuple[str, ...]:
        """The host of its address; redirects are told of when they come."""
        return (self._parsed(part).place,)

    def fetch(
        self, part: FetchPart, target: Path, cancel: CancelToken
    ) -> Iterator[FetchProgress | Notice]:
        """Fetch it in several pieces at a time, and go on where an earlier fetch ended."""
        address = self._parsed(part)
        self._web.told(address)
        connections = int(self._options.get("connections") or 4)
        download = Download(
            self._web, address, self._credentials, part, target, cancel, connections
        )
        try:
            yield from download.run()
        finally:
            self._web.close()

    def _parsed(self, part: FetchPart) -> WebAddress:
        try:
            return self._web.parse(part.address)
        except UserError as error:
            raise PullError(error.message, hint=error.hint) from error


class NoCredentials:
    """Shows nothing to anybody."""

    def headers(self, address: WebAddress) -> dict[str, str]:  # noqa: ARG002
        return {}

    def challenged(
        self,
        address: WebAddress,  # noqa: ARG002
        headers: Mapping[str, str],  # noqa: ARG002
        cancel: CancelToken,  # noqa: ARG002
    ) -> Generator[Notice, None, bool]:
        yield from ()
        return False

    def refusal(self, address: WebAddress, status: int, body: bytes) -> Exception:
        return refusal(address, status, body)


def refusal(address: WebAddress, status: int, body: bytes) -> PullError | ModelNotFoundError:
    """The error for a status that is no success."""
    if status in (404, 410):
        return PullError(
            f"There is no {address.shown}.", hint="Check the address, or try another source."
        )
    if status in (401, 403):
        return PullError(
            f"{address.place} does not give {address.shown} to everybody (status {status}).",
            hint="Fetch it with a tool that can log in, then: nook pull ./FILE",
        )
    said = shown(body[:200].decode("utf-8", "replace"))
    return PullError(
        f"{address.place} refuses {address.shown} with status {status}"
        + (f": {said}" if said and not said.startswith("<") else "."),
        hint="Try another source with --source.",
    )
