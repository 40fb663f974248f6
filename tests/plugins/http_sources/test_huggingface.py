"""Repositories of Hugging Face's layout: what is picked, and who sees the token."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import json
import ssl
from pathlib import Path

import pytest

from inglenook.errors import ModelNotFoundError, PullError, UserError
from inglenook.models.library import Library
from inglenook.models.pull import Pulled, PullEvent
from inglenook.types import ModelFiles, Notice

from .conftest import Run, gguf_of
from .file_server import FileServer, serving

TREE = "/api/models/org/repo/tree/main?recursive=true"


def entry(path: str, data: bytes, *, lfs: bool = True) -> dict[str, object]:
    found: dict[str, object] = {"type": "file", "path": path, "size": len(data), "oid": "0" * 40}
    if lfs:
        oid = hashlib.sha256(data).hexdigest()
        found["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 134}
    return found


def publish(server: FileServer, files: dict[str, bytes], *, lfs: bool = True) -> None:
    server.add(TREE, json.dumps([entry(p, d, lfs=lfs) for p, d in files.items()]).encode())
    for path, data in files.items():
        server.add(f"/org/repo/resolve/main/{path}", data)


def said(events: list[PullEvent]) -> str:
    return "\n".join(e.message for e in events if isinstance(e, Notice))


FILES = {
    "README.md": b"# A model\n",
    "model-Q4_K_M.gguf": gguf_of(2000, 1),
    "model-Q8_0.gguf": gguf_of(3000, 2),
    "mmproj-model-f16.gguf": gguf_of(1000, 3),
    "sub/model-IQ2_XS.gguf": gguf_of(1500, 4),
}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("hf.co/org/repo", "model-Q4_K_M.gguf"),
        ("huggingface.co/org/repo", "model-Q4_K_M.gguf"),
        ("hf.co/org/repo:q8_0", "model-Q8_0.gguf"),
        ("hf.co/org/repo:model-Q8_0.gguf", "model-Q8_0.gguf"),
        ("hf.co/org/repo:IQ2_XS", "sub/model-IQ2_XS.gguf"),
        ("hf.co/org/repo:sub/model-IQ2_XS.gguf", "sub/model-IQ2_XS.gguf"),
    ],
)
def test_the_file_that_is_meant_is_taken(
    run: Run, server: FileServer, library: Library, name: str, path: str
) -> None:
    publish(server, FILES)
    events = run(name, set_to={"huggingface": server.url})
    done = events[-1]
    assert isinstance(done, Pulled)
    assert done.record.files["model"].read_bytes() == FILES[path]
    if "/model" not in name:
        assert library.get(name).digest == hashlib.sha256(FILES[path]).hexdigest()
    assert "pictures are not read" in said(events)
    assert "sha256" not in said(events)
    (again,) = run(name, set_to={"huggingface": "http://127.0.0.1:1"})
    assert isinstance(again, Pulled)


@pytest.mark.parametrize(
    ("choice", "hint"),
    [(":Q5_K_M", "IQ2_XS, Q4_K_M, Q8_0"), (":model", "IQ2_XS, Q4_K_M, Q8_0")],
)
def test_a_quantisation_that_is_not_there_is_told_with_those_that_are(
    run: Run, server: FileServer, choice: str, hint: str
) -> None:
    publish(server, FILES)
    with pytest.raises(ModelNotFoundError) as caught:
        run(f"hf.co/org/repo{choice}", set_to={"huggingface": server.url})
    assert hint in caught.value.hint


def test_the_only_file_is_taken_whatever_its_quantisation(run: Run, server: FileServer) -> None:
    publish(server, {"a.gguf": FILES["model-Q8_0.gguf"]})
    assert "Taking a.gguf" in said(run("hf.co/org/repo", set_to={"huggingface": server.url}))


def test_a_model_in_pieces_is_refused_before_it_is_fetched(run: Run, server: FileServer) -> None:
    parts = {f"m-Q4_K_M-0000{n}-of-00002.gguf": gguf_of(500, n) for n in (1, 2)}
    publish(server, parts)
    with pytest.raises(PullError, match="one of 2 pieces"):
        run("hf.co/org/repo", set_to={"huggingface": server.url})
    assert [path for path, _ in server.seen] == [TREE]


def test_the_sha256_of_the_headers_counts_where_the_listing_has_none(
    run: Run, server: FileServer
) -> None:
    files = {"m-Q4_K_M.gguf": FILES["model-Q4_K_M.gguf"]}
    publish(server, files, lfs=False)
    linked = hashlib.sha256(FILES["model-Q4_K_M.gguf"]).hexdigest()
    served = server.files["/org/repo/resolve/main/m-Q4_K_M.gguf"]
    served.headers = {"X-Linked-Etag": f'"{linked}"'}
    assert "sha256" not in said(run("hf.co/org/repo", set_to={"huggingface": server.url}))


def test_a_file_without_any_sha256_is_taken_and_that_is_told(run: Run, server: FileServer) -> None:
    data = FILES["model-Q4_K_M.gguf"]
    publish(server, {"m-Q4_K_M.gguf": data}, lfs=False)
    events = run("hf.co/org/repo", set_to={"huggingface": server.url})
    assert f"it has {hashlib.sha256(data).hexdigest()}" in said(events)


def test_an_embedder_becomes_one_in_the_library(
    run: Run, server: FileServer, library: Library, minilm_fp32: ModelFiles
) -> None:
    files = {name: path.read_bytes() for name, path in minilm_fp32.files.items()}
    card = b"---\nlanguage: en\n---\n"
    publish(server, {**files, "README.md": card, "pytorch_model.bin": b"not wanted"})
    events = run("hf.co/org/repo", set_to={"huggingface": server.url})
    assert isinstance(events[-1], Pulled)
    got = library.get("hf.co/org/repo")
    assert got.format == "sentence-safetensors"
    assert {n: p.read_bytes() for n, p in got.files.items()} == files
    assert not [path for path, _ in server.seen if "pytorch" in path]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"README.md": b"x"}, "no GGUF file"),
        ({"genai_config.json": b"{}", "model.onnx": b"x"}, "ONNX Runtime GenAI"),
        (
            {
                "config.json": b'{"model_type":"llama","architectures":["LlamaForCausalLM"]}',
                "model.safetensors": b"x",
                "tokenizer.json": b"{}",
            },
            "LlamaForCausalLM",
        ),
    ],
)
def test_what_is_of_no_use_is_refused_before_it_is_fetched(
    run: Run, server: FileServer, files: dict[str, bytes], why: str
) -> None:
    publish(server, files)
    with pytest.raises((PullError, ModelNotFoundError), match=why):
        run("hf.co/org/repo", set_to={"huggingface": server.url})
    assert not [path for path, _ in server.seen if path.endswith((".onnx", ".safetensors"))]


@pytest.mark.parametrize(
    "listing",
    [
        b"oops",
        b"{}",
        b"[" * 100_000,
        b'[{"type":"file","path":"../../m.gguf","size":1}]',
        b'[{"type":"file","path":"/m.gguf","size":1}]',
        b'[{"type":"file","path":"m.gguf","size":-1}]',
        b'[{"type":"file","path":7,"size":1}]',
    ],
)
def test_a_hostile_listing_is_refused_in_words(
    run: Run, server: FileServer, listing: bytes
) -> None:
    server.add(TREE, listing)
    with pytest.raises(PullError, match="not understood"):
        run("hf.co/org/repo", set_to={"huggingface": server.url})


def test_a_long_listing_is_read_to_its_end(run: Run, server: FileServer) -> None:
    publish(server, {"m-Q4_K_M.gguf": FILES["model-Q4_K_M.gguf"]})
    server.files["/next"] = server.files[TREE]
    link = {"Link": f'<{server.url}/next>; rel="next"'}
    server.add(TREE, json.dumps([entry("README.md", b"x")]).encode(), headers=link)
    assert isinstance(run("hf.co/org/repo", set_to={"huggingface": server.url})[-1], Pulled)


@pytest.mark.parametrize("status", [401, 404])
def test_a_repository_that_is_not_there_is_told(run: Run, server: FileServer, status: int) -> None:
    server.add(TREE, b"", refusals=[(status, {})] * 3)
    with pytest.raises(ModelNotFoundError, match="no repository org/repo") as caught:
        run("hf.co/org/repo", set_to={"huggingface": server.url})
    assert "HF_TOKEN" in caught.value.hint


@pytest.mark.parametrize("name", ["hf.co/repo", "hf.co/a/b/c", "hf.co/../x", "hf.co/a/b c"])
def test_a_malformed_name_is_refused_before_anybody_is_asked(run: Run, name: str) -> None:
    with pytest.raises(UserError):
        run(name, set_to={"huggingface": "http://127.0.0.1:1"})


def test_the_environment_names_a_mirror(
    run: Run, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, FILES)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    events = run("hf.co/org/repo", set_to={"huggingface": "http://127.0.0.1:1"})
    assert isinstance(events[-1], Pulled)


# --- the token --------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1, with its key in the same file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    addresses = [x509.IPAddress(ipaddress.ip_address(f"127.0.0.{n}")) for n in (1, 2)]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def test_the_token_goes_to_the_hub_over_https_and_to_nobody_that_it_sends_on_to(
    run: Run, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving(tls=tls) as hub, serving("127.0.0.2", tls=tls) as storage:
        publish(hub, {"m-Q4_K_M.gguf": FILES["model-Q4_K_M.gguf"]})
        path = "/org/repo/resolve/main/m-Q4_K_M.gguf"
        storage.files["/signed"] = hub.files[path]
        hub.add(path, b"", redirect=f"{storage.url}/signed")
        run("hf.co/org/repo", set_to={"huggingface": hub.url})
        assert {h.get("authorization") for _, h in hub.seen} == {"Bearer hf_secret"}
        assert {h.get("authorization") for _, h in storage.seen} == {None}


def test_the_token_stays_here_where_others_could_read_it(
    run: Run, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    publish(server, {"m-Q4_K_M.gguf": FILES["model-Q4_K_M.gguf"]})
    run("hf.co/org/repo", set_to={"huggingface": server.url})
    assert {h.get("authorization") for _, h in server.seen} == {None}


def test_a_host_that_cannot_prove_who_it_is_is_refused(run: Run, certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with serving(tls=tls) as hub, pytest.raises(PullError, match="does not prove who it is"):
        run("hf.co/org/repo", set_to={"huggingface": hub.url})
