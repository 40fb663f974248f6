"""The anonymous token that a registry wants to see, got where it says (Docker's token protocol).

The token is shown to the registry that asked for it and to nobody else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from urllib.parse import urlencode

from inglenook.errors import ModelNotFoundError, PullError
from inglenook.types import CancelToken, Notice
from inglenook_http_sources.failures import shown
from inglenook_http_sources.web import Web
from inglenook_http_sources.web_address import WebAddress
from inglenook_http_sources.web_source import NoCredentials, refusal

__all__ = ["RegistryToken"]

_LARGEST_BYTES = 1 << 20
_PATH = re.compile(r"/v2/(.+)/(?:manifests|blobs)/[^/]+")
_FIELD = re.compile(r'(\w+)="([^"\\]*)"')


class RegistryToken:
    """The tokens of the repositories that were asked for, each for its own registry."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._tokens: dict[tuple[str, str], str] = {}

    def headers(self, address: WebAddress) -> dict[str, str]:
        """The token, for its own registry and repository only."""
        token = self._tokens.get(_repository(address), "")
        return {"Authorization": f"Bearer {token}"} if token else {}

    def challenged(
        self, address: WebAddress, headers: Mapping[str, str], cancel: CancelToken
    ) -> Generator[Notice, None, bool]:
        """Get a token where the registry says; whether there is one."""
        said = headers.get("www-authenticate", "")
        repository = _repository(address)
        if not repository[1] or not said.lower().startswith("bearer "):
            return False
        fields = dict(_FIELD.findall(said))
        realm = address.redirected(fields.get("realm", ""))
        yield from self._web.announce(address, realm)
        query = {k: fields[k] for k in ("service", "scope") if fields.get(k)}
        joint = "&" if "?" in realm.target else "?"
        where = WebAddress.parse(f"{realm.url}{joint}{urlencode(query)}" if query else realm.url)
        answer = yield from self._web.ask(where, NoCredentials(), cancel, largest=_LARGEST_BYTES)
        self._tokens[repository] = _token(answer.body, realm.place)
        return True

    def refusal(self, address: WebAddress, status: int, body: bytes) -> Exception:
        """The error for a status that is no success."""
        _, repository = _repository(address)
        if "/manifests/" in address.target and repository and status in (400, 401, 403, 404):
            name = f"{repository}:{address.target.rpartition('/')[2]}"
            everybody = " that everybody may have" if status in (401, 403) else ""
            return ModelNotFoundError(
                f"{address.place} has no model {name}{everybody}.",
                hint="Check the name and the tag.",
            )
        return refusal(address, status, body)


def _repository(address: WebAddress) -> tuple[str, str]:
    """Registry and repository that an address belongs to; "" for none."""
    match = _PATH.fullmatch(address.target)
    return str(address.server), match[1] if match else ""


def _token(body: bytes, place: str) -> str:
    try:
        content = json.loads(body)
        token = content.get("token") or content.get("access_token")
    except (ValueError, AttributeError, RecursionError):
        token = None
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise PullError(
            f"{place} gives no token, though the registry asks for one: "
            f"{shown(body[:80].decode('utf-8', 'replace')) or 'it said nothing'}",
            hint="It may want a login, which is not supported; use another source.",
        )
    return token
