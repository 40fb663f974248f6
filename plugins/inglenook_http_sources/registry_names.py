"""Reads a model's name as the registry that it is looked up in, and the path there."""

from __future__ import annotations

from dataclasses import dataclass

from inglenook.errors import UserError
from inglenook.models.reference import parse_reference
from inglenook_http_sources.web_address import WebAddress

__all__ = ["Place", "place_of"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model lies in a registry.

    Args:
        registry: `http(s)://HOST[:PORT]` and `/`.
        repository: `namespace/model`.
        tag: Such as `3b`.
    """

    registry: WebAddress
    repository: str
    tag: str

    def url(self, kind: str, what: str) -> str:
        """The address of a manifest (`manifests`) or a blob (`blobs`)."""
        return self.registry.server.url(f"/v2/{self.repository}/{kind}/{what}")


def place_of(name: str, default: str, *, insecure: bool = False) -> Place:
    """Where to look for a name.

    Args:
        name: `[host[:port]/][namespace/]model[:tag]`.
        default: `[http[s]://]HOST[:PORT][/NAMESPACE]`, for names without a host.
        insecure: Whether a host that the name has is asked over http.

    Raises `UserError`.
    """
    reference = parse_reference(name)
    bare = name.strip().partition("://")[2] or name.strip()
    slashes = bare.count("/")
    registry, namespace = _registry(default)
    if slashes >= 2:
        registry, _ = _registry(name.strip().rsplit("/", 2)[0], insecure=insecure)
    if slashes >= 1 or not namespace:
        namespace = reference.namespace
    return Place(registry, f"{namespace}/{reference.model}", reference.tag)


def _registry(text: str, *, insecure: bool = False) -> tuple[WebAddress, str]:
    """A registry and the namespace behind it, "" for none."""
    text = text.strip().rstrip("/")
    if "://" in text:
        address = WebAddress.parse(text)
    else:
        address = WebAddress.parse(f"https://{text}")
        if address.server.is_this_machine or insecure:
            # Nobody has a certificate for the loopback address.
            address = WebAddress.parse(f"http://{text}")
    namespace = address.target.strip("/")
    if "?" in namespace:
        raise UserError(f"'{text}' is not the address of a registry.", hint="HOST[:PORT]/NAMESPACE")
    return address, namespace
