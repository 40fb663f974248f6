"""Model source `registry`: models of an Ollama registry, by the protocol of Docker's registries.

A manifest lists the blobs of a model by their sha256; both land in the library byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from inglenook.models.manifest import Layer, Manifest
from inglenook.types import CancelToken, FetchPart, ModelOffer, Notice, OfferedFile
from inglenook_http_sources.registry_manifest import (
    LARGEST_MANIFEST,
    LARGEST_TEXT,
    checked_manifest,
    require_format,
    unused,
)
from inglenook_http_sources.registry_names import Place, place_of
from inglenook_http_sources.registry_token import RegistryToken
from inglenook_http_sources.web_source import WebSource

__all__ = ["RegistrySource"]

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class RegistrySource(WebSource):
    """Implements `protocols.ModelSource` and `protocols.ModelFinder`."""

    @cached_property
    def _credentials(self) -> RegistryToken:
        return RegistryToken(self._web)

    def find_hosts(self, name: str) -> tuple[str, ...]:
        """The registry; one that wants a token from elsewhere is told of when it says so."""
        place = self._place(name)
        place.registry.require_safe(insecure=bool(self._options.get("insecure")))
        return (place.registry.place,)

    def find(self, name: str, cancel: CancelToken) -> Iterator[Notice | ModelOffer]:
        """Fetch the manifest and the config, check them, offer the blobs."""
        place = self._place(name)
        where = place.registry.place
        self._web.told(self._web.parse(place.registry.url))
        try:
            address = self._web.parse(place.url("manifests", place.tag))
            answer = yield from self._web.ask(
                address,
                self._credentials,
                cancel,
                headers={"Accept": f"{_MANIFEST}, {_OCI_MANIFEST};q=0.5"},
                largest=LARGEST_MANIFEST,
            )
            manifest = checked_manifest(answer.body, answer.headers, name, where)
            if manifest.config is not None:
                config = self._web.parse(place.url("blobs", f"sha256:{manifest.config.sha256}"))
                said = yield from self._web.ask(
                    config, self._credentials, cancel, largest=LARGEST_TEXT
                )
                require_format(said.body, name, where)
        finally:
            self._web.close()
        yield from unused(manifest)
        yield ModelOffer(name, tuple(self._files(manifest, place)), manifest=answer.body)

    def _files(self, manifest: Manifest, place: Place) -> Iterator[OfferedFile]:
        largest_last = sorted({layer.sha256: layer for layer in manifest.blobs}.values(), key=_size)
        for layer in largest_last:
            kind = layer.media_type.rpartition(".")[2].partition("+")[0]
            url = place.url("blobs", f"sha256:{layer.sha256}")
            name = layer.name or ("config" if layer is manifest.config else kind)
            yield OfferedFile(name, FetchPart(url, layer.sha256, layer.size_bytes))

    def _place(self, name: str) -> Place:
        default = str(self._options.get("registry") or "registry.ollama.ai")
        return place_of(name, default, insecure=bool(self._options.get("insecure")))


def _size(layer: Layer) -> int:
    return layer.size_bytes
