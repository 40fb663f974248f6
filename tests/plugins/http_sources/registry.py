"""Debian's `docker-registry` on loopback, and what it takes to push a model to it."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

__all__ = ["Registry", "manifest_of", "running_registry"]

LAYER = "application/vnd.ollama.image."
CONFIG = "application/vnd.docker.container.image.v1+json"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def manifest_of(config: bytes, layers: Mapping[str, bytes]) -> bytes:
    """A manifest in Ollama's layout; `layers` by the last word of their media type."""

    def layer(kind: str, data: bytes) -> dict[str, object]:
        sha256 = hashlib.sha256(data).hexdigest()
        return {"mediaType": kind, "digest": f"sha256:{sha256}", "size": len(data)}

    content = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layer(CONFIG, config),
        "layers": [layer(f"{LAYER}{kind}", data) for kind, data in layers.items()],
    }
    return json.dumps(content, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Registry:
    """A running registry; `blobs` is the folder where it keeps them."""

    place: str
    blobs: Path

    def push(
        self,
        repository: str,
        tag: str,
        model: bytes,
        texts: Mapping[str, bytes],
        config: Mapping[str, object] | None = None,
    ) -> bytes:
        """Upload a model as Ollama does; its manifest."""
        facts = config or {"model_format": "gguf", "model_family": "llama"}
        said = json.dumps(facts).encode()
        layers = {"model": model, **texts}
        base = f"http://{self.place}/v2/{repository}"
        with httpx2.Client(trust_env=False) as client:
            for data in (said, *layers.values()):
                begun = client.post(f"{base}/blobs/uploads/")
                digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
                url = begun.headers["location"]
                joint = "&" if "?" in url else "?"
                done = client.put(f"{url}{joint}digest={digest}", content=data)
                assert done.status_code == 201, done.text
            manifest = manifest_of(said, layers)
            kind = {"Content-Type": MANIFEST}
            done = client.put(f"{base}/manifests/{tag}", content=manifest, headers=kind)
            assert done.status_code == 201, done.text
        return manifest

    def path(self, data: bytes) -> Path:
        """Where it keeps a blob on its disk."""
        sha256 = hashlib.sha256(data).hexdigest()
        return self.blobs / "sha256" / sha256[:2] / sha256 / "data"


@contextmanager
def running_registry(folder: Path) -> Iterator[Registry]:
    """A registry with its files in `folder`, on a free port of loopback."""
    program = shutil.which("docker-registry")
    assert program, "this test needs docker-registry: run `make system` (or install it)"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    store = folder / "store"
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\n"
        f"storage: {{filesystem: {{rootdirectory: {store}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log)
        try:
            _await(port, process)
            yield Registry(f"127.0.0.1:{port}", store / "docker" / "registry" / "v2" / "blobs")
        finally:
            process.terminate()
            process.wait(10)


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, "docker-registry ended at once"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    raise AssertionError("docker-registry does not answer")
