"""Model source `huggingface`: repositories of Hugging Face, or of a mirror that speaks the same.

HF_TOKEN is shown to that one host, over https, and to nobody that it sends on to.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Generator, Iterator, Mapping
from functools import cached_property
from urllib.parse import quote

from inglenook.errors import ModelNotFoundError, PullError, UserError
from inglenook.models.embedder_folder import BUILDABLE
from inglenook.types import CancelToken, FetchPart, ModelOffer, Notice, OfferedFile
from inglenook_http_sources.download import look
from inglenook_http_sources.huggingface_names import (
    Listed,
    Wanted,
    embedder_files,
    pick_gguf,
    read_listing,
    wanted,
)
from inglenook_http_sources.web_address import WebAddress
from inglenook_http_sources.web_source import NoCredentials, WebSource, refusal

__all__ = ["HuggingFaceSource"]

_DEFAULT = "https://huggingface.co"
_LARGEST_LISTING = 16 << 20
_LARGEST_CONFIG = 1 << 20
_MOST_PAGES = 20
_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
_ETAG = re.compile(r'(?:W/)?"?([0-9a-f]{64})"?')
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]+")


class HuggingFaceSource(WebSource):
    """Implements `protocols.ModelSource` and `protocols.ModelFinder`."""

    @cached_property
    def _endpoint(self) -> WebAddress:
        """The host: HF_ENDPOINT, else the configuration, else Hugging Face. Raises `UserError`."""
        stated = os.environ.get("HF_ENDPOINT", "").strip() or str(
            self._options.get("huggingface") or _DEFAULT
        )
        return self._web.parse(stated if "://" in stated else f"https://{stated}")

    @cached_property
    def _credentials(self) -> _HubToken:
        return _HubToken(self._endpoint)

    def find_hosts(self, name: str) -> tuple[str, ...]:
        """Hugging Face, or its mirror."""
        wanted(name)
        return (self._endpoint.place,)

    def find(self, name: str, cancel: CancelToken) -> Iterator[Notice | ModelOffer]:
        """List the repository and pick what is meant: a GGUF file, else an embedder's folder."""
        want = wanted(name)
        self._web.told(self._endpoint)
        try:
            files = yield from self._listing(want, cancel)
            chosen = pick_gguf(want, files)
            if chosen is not None:
                yield from self._gguf(want, chosen, files, cancel)
            else:
                yield from self._folder(want, files, cancel)
        finally:
            self._web.close()

    # --- a GGUF file ------------------------------------------------------------------------

    def _gguf(
        self, want: Wanted, chosen: Listed, files: tuple[Listed, ...], cancel: CancelToken
    ) -> Iterator[Notice | ModelOffer]:
        if not want.choice:
            yield Notice("chosen", f"Taking {chosen.path} of {want.repository}.")
        if any("mmproj" in f.path.lower() for f in files):
            message = "The repository has a projector (mmproj); pictures are not read here."
            yield Notice("layer-not-used", message)
        sha256 = chosen.sha256 or (yield from self._linked_sha256(want, chosen, cancel))
        part = FetchPart(self._url(want, chosen.path), sha256, chosen.size_bytes)
        tag = _NOT_IN_TAGS.sub("-", want.choice.rpartition("/")[2].removesuffix(".gguf"))
        name = f"{want.prefix}/{want.repository}" + (f":{tag.strip('-.')[:80]}" if tag else "")
        yield ModelOffer(name, (OfferedFile("model", part),), origin=part.address)

    def _linked_sha256(
        self, want: Wanted, chosen: Listed, cancel: CancelToken
    ) -> Generator[Notice, None, str]:
        """What the host says of a large file when it is asked for; "" for nothing."""
        address = self._web.parse(self._url(want, chosen.path))
        found = yield from look(self._web, address, self._credentials, cancel)
        for headers in (*found.answer.on_the_way, found.answer.headers):
            if match := _ETAG.fullmatch(headers.get("x-linked-etag", "").strip()):
                return match[1]
        return ""

    # --- an embedder's folder ---------------------------------------------------------------

    def _folder(
        self, want: Wanted, files: tuple[Listed, ...], cancel: CancelToken
    ) -> Iterator[Notice | ModelOffer]:
        if any(f.path.rpartition("/")[2] == "genai_config.json" for f in files):
            raise PullError(
                f"{want.repository} is a model for ONNX Runtime GenAI, whose files belong together "
                "in a folder; the library cannot hold it.",
                hint="Fetch the folder with another tool and name it: FROM ./FOLDER",
            )
        config = yield from self._config(want, files, cancel)
        kinds = config.get("architectures")
        said = str(kinds[0]) if isinstance(kinds, list) and kinds else ""
        chosen = embedder_files(files, onnx=config.get("model_type") not in BUILDABLE)
        if not chosen or said.endswith(("ForCausalLM", "ForConditionalGeneration")):
            raise ModelNotFoundError(
                f"{want.repository} has no GGUF file and is no embedder"
                + (f" ({said[:60]})." if said.isprintable() and said else "."),
                hint="Look for a repository with GGUF in its name.",
            )
        repository = want.repository.rpartition("/")[2]
        offered = tuple(
            OfferedFile(f.path, FetchPart(self._url(want, f.path), f.sha256, f.size_bytes))
            for f in chosen
            if f.size_bytes
        )
        name = f"{want.prefix}/{want.repository}"
        origin = self._endpoint.server.url(f"/{want.repository}")
        yield ModelOffer(name, offered, folder=repository, origin=origin)

    def _config(
        self, want: Wanted, files: tuple[Listed, ...], cancel: CancelToken
    ) -> Generator[Notice, None, Mapping[str, object]]:
        if not any(f.path == "config.json" for f in files):
            return {}
        address = self._web.parse(self._url(want, "config.json"))
        answer = yield from self._web.ask(
            address, self._credentials, cancel, largest=_LARGEST_CONFIG
        )
        try:
            content = json.loads(answer.body)
        except (ValueError, RecursionError):
            content = None
        return content if isinstance(content, dict) else {}

    # --- the repository ---------------------------------------------------------------------

    def _listing(self, want: Wanted, cancel: CancelToken) -> Generator[Notice, None, _Files]:
        path = f"/api/models/{want.repository}/tree/main?recursive=true"
        address = self._web.parse(self._base + path)
        found: list[Listed] = []
        for _ in range(_MOST_PAGES):
            answer = yield from self._web.ask(
                address, self._credentials, cancel, largest=_LARGEST_LISTING
            )
            found += read_listing(answer.body, address.place)
            more = _NEXT.search(answer.headers.get("link", ""))
            if more is None:
                return tuple(found)
            address = answer.address.redirected(more[1])
            yield from self._web.announce(self._endpoint, address)
        raise PullError(
            f"{want.repository} has too many files to list.",
            hint="Take one by its address: nook pull https://HOST/…/FILE.gguf",
        )

    @property
    def _base(self) -> str:
        return self._endpoint.url.rstrip("/")

    def _url(self, want: Wanted, path: str) -> str:
        return f"{self._base}/{want.repository}/resolve/main/{quote(path)}"


_Files = tuple[Listed, ...]


class _HubToken(NoCredentials):
    """HF_TOKEN, for one host and only where nobody on the way can read it."""

    def __init__(self, endpoint: WebAddress) -> None:
        self._endpoint = endpoint

    def headers(self, address: WebAddress) -> dict[str, str]:
        token = os.environ.get("HF_TOKEN", "").strip()
        home = self._endpoint.server
        if not token or not home.is_encrypted or address.server.place != home.place:
            return {}
        if not address.server.is_encrypted:
            return {}
        if not (token.isascii() and token.isprintable()):
            raise UserError("HF_TOKEN holds characters that no token has.", hint="Set it anew.")
        return {"Authorization": f"Bearer {token}"}

    def refusal(self, address: WebAddress, status: int, body: bytes) -> Exception:
        if address.server.place != self._endpoint.place or status not in (401, 403, 404):
            return refusal(address, status, body)
        hint = "One that is private, or asks for consent, needs HF_TOKEN."
        if "/resolve/" in address.target:
            return PullError(f"{address.shown} is not to be had (status {status}).", hint=hint)
        repository = "/".join(address.target.split("/models/")[-1].split("/")[:2])
        return ModelNotFoundError(
            f"{address.place} has no repository {repository} for everybody (status {status}).",
            hint=f"Check the name. {hint}",
        )
