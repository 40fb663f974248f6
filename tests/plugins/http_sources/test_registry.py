"""Models of a registry: from Debian's own, and from one that lies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest

from inglenook.errors import ModelNotFoundError, PullError, UserError
from inglenook.models.library import Library
from inglenook.models.pull import Pulled, PullEvent, PullPlan
from inglenook.types import Notice
from inglenook_http_sources.registry_names import place_of

from .conftest import Run, gguf_of, leftovers
from .file_server import FileServer, serving
from .registry import LAYER, Registry, manifest_of, running_registry

TEXTS = {
    "template": b"{{ .System }} {{ .Prompt }}",
    "system": b"Be brief.",
    "params": b'{"temperature":0.5,"stop":["<end>"]}',
    "messages": b'[{"role":"user","content":"Hello"},{"role":"assistant","content":"Hi"}]',
    "license": b"MIT License\n\nDo as you like.",
}
CONFIG = json.dumps({"model_format": "gguf"}).encode()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def notices(events: list[PullEvent]) -> list[Notice]:
    return [e for e in events if isinstance(e, Notice)]


def test_a_model_arrives_with_its_manifest_byte_for_byte_and_all_its_texts(
    run: Run, registry: Registry, library: Library, model_bytes: bytes
) -> None:
    manifest = registry.push("team/tiny", "one", model_bytes, TEXTS)
    events = run(f"{registry.place}/team/tiny:one")
    assert isinstance(events[-1], Pulled)
    record = library.show(f"{registry.place}/team/tiny:one")
    assert record.digest == hashlib.sha256(manifest).hexdigest()
    assert record.files["model"].read_bytes() == model_bytes
    assert (record.template, record.system) == ("{{ .System }} {{ .Prompt }}", "Be brief.")
    assert record.parameters == {"temperature": 0.5, "stop": ["<end>"]}
    assert record.messages == (("user", "Hello"), ("assistant", "Hi"))
    assert (record.licence, record.context_length) == ("MIT License", 512)
    assert leftovers(library) == []
    library.verify(record.name)


def test_a_name_without_a_host_is_looked_up_where_the_configuration_says(
    run: Run, registry: Registry, library: Library, model_bytes: bytes
) -> None:
    registry.push("mirror/smallish", "3b", model_bytes, {})
    events = run("smallish:3b", set_to={"registry": f"{registry.place}/mirror"})
    first = events[0]
    assert isinstance(first, Notice)
    assert registry.place in first.message
    assert library.show("smallish:3b").name == "smallish:3b"


def test_a_model_that_is_there_asks_no_registry(
    run: Run, registry: Registry, model_bytes: bytes
) -> None:
    registry.push("library/again", "latest", model_bytes, {})
    run("again", set_to={"registry": registry.place})
    (event,) = run("again", set_to={"registry": "127.0.0.1:1"})
    assert isinstance(event, Pulled)
    assert event.already_there


def test_what_two_models_share_is_fetched_once(
    run: Run, registry: Registry, model_bytes: bytes
) -> None:
    registry.push("library/first", "latest", model_bytes, {"system": b"One."})
    registry.push("library/second", "latest", model_bytes, {"system": b"Two."})
    run("first", set_to={"registry": registry.place})
    events = run("second", set_to={"registry": registry.place})
    (plan,) = [e for e in events if isinstance(e, PullPlan)]
    assert plan.download_bytes < 1000 < plan.size_bytes


def test_an_absent_model_is_told_with_what_may_have_been_meant(
    run: Run, registry: Registry
) -> None:
    with pytest.raises(
        ModelNotFoundError, match=r"has no model library/qwen2\.5-coder:9b"
    ) as caught:
        run("qwen2.5-coder:9b", set_to={"registry": registry.place})
    assert "Did you mean qwen2.5-coder?" in caught.value.hint


def test_a_layer_that_nothing_uses_is_told(
    run: Run, registry: Registry, library: Library, model_bytes: bytes
) -> None:
    extra = {"adapter": gguf_of(2000), "projector": gguf_of(3000), "surprise": b"?"}
    registry.push("library/layered", "latest", model_bytes, extra)
    said = " ".join(n.message for n in notices(run("layered", set_to={"registry": registry.place})))
    assert "NOT applied" in said
    assert "pictures cannot be read" in said
    assert "unknown kind application/vnd.ollama.image.surprise" in said
    library.verify("layered")


def test_a_blob_that_rotted_at_the_registry_is_never_visible(
    run: Run, registry: Registry, library: Library
) -> None:
    data = gguf_of(2_500_000, seed=9)
    registry.push("library/rotten", "latest", data, {})
    registry.path(data).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises((PullError, Exception), match="not the file that was promised"):
        run("rotten", set_to={"registry": registry.place})
    assert library.list() == ()
    assert not list((library.root / "blobs").glob("*"))


# --- a registry that behaves as it likes ------------------------------------------------------


def offer(
    server: FileServer,
    manifest: bytes,
    blobs: tuple[bytes, ...] = (),
    **how: object,
) -> None:
    server.add("/v2/library/odd/manifests/latest", manifest, **how)
    for blob in blobs:
        server.add(f"/v2/library/odd/blobs/sha256:{hashlib.sha256(blob).hexdigest()}", blob)


def whole(model: bytes) -> bytes:
    return manifest_of(CONFIG, {"model": model})


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(whole(b"GGUF")), **fields}).encode()


def layers(*entries: dict[str, object]) -> bytes:
    return changed(layers=list(entries))


GOOD = {"mediaType": f"{LAYER}model", "digest": "sha256:" + "0" * 64, "size": 4}


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"[" * 200_000, "not JSON"),
        (b"{}", "schemaVersion"),
        (changed(schemaVersion=1), "schemaVersion"),
        (changed(manifests=[]), "container images"),
        (layers(), "no layers"),
        (layers({**GOOD, "digest": "sha256:../../etc/passwd"}), "digest"),
        (layers({**GOOD, "digest": "md5:0"}), "digest"),
        (layers({**GOOD, "size": -1}), "size"),
        (layers({**GOOD, "size": 1 << 60}), "claims to have"),
        (layers({**GOOD, "size": "4"}), "size"),
        (layers({**GOOD, "size": True}), "size"),
        (layers({**GOOD, "size": 0}), "size"),
        (layers(GOOD, {**GOOD, "size": 5}), "two sizes"),
        (layers(*[GOOD] * 2000), "2,000 layers"),
        (layers({**GOOD, "name": "../../x"}), "leads out"),
        (layers({**GOOD, "mediaType": "application/vnd.docker.image.rootfs"}), "container image"),
        (layers({**GOOD, "mediaType": f"{LAYER}tensor"}), "no layer with a model"),
        (layers(GOOD, {**GOOD, "mediaType": f"{LAYER}system", "size": 1 << 30}), "two sizes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_hostile_manifest_is_refused_in_words(
    run: Run, server: FileServer, library: Library, manifest: bytes, why: str
) -> None:
    offer(server, manifest, (CONFIG,))
    with pytest.raises(PullError) as caught:
        run("odd", set_to={"registry": server.url})
    assert why in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert library.list() == ()


def test_a_manifest_without_an_end_is_cut_off(run: Run, server: FileServer) -> None:
    offer(server, b" " * 5_000_000)
    with pytest.raises(PullError, match="more than 4,194,304 bytes"):
        run("odd", set_to={"registry": server.url})
    assert server.sent_bytes < 5_000_000 + 1


def test_a_manifest_of_another_digest_than_its_header_says_is_refused(
    run: Run, server: FileServer, model_bytes: bytes
) -> None:
    stated = {"Docker-Content-Digest": "sha256:" + "1" * 64}
    offer(server, whole(model_bytes), (CONFIG, model_bytes), headers=stated)
    with pytest.raises(PullError, match="has another"):
        run("odd", set_to={"registry": server.url})


def test_weights_of_another_format_are_refused_before_they_are_fetched(
    run: Run, server: FileServer, model_bytes: bytes
) -> None:
    config = json.dumps({"model_format": "safetensors"}).encode()
    offer(server, manifest_of(config, {"model": model_bytes}), (config, model_bytes))
    with pytest.raises(PullError, match="safetensors"):
        run("odd", set_to={"registry": server.url})
    assert server.sent_bytes < 10_000


def test_a_blob_of_another_size_is_refused_before_it_is_fetched(
    run: Run, server: FileServer, library: Library, model_bytes: bytes
) -> None:
    offer(server, whole(model_bytes), (CONFIG,))
    digest = hashlib.sha256(model_bytes).hexdigest()
    server.add(f"/v2/library/odd/blobs/sha256:{digest}", model_bytes + b"x")
    with pytest.raises(PullError, match="another file"):
        run("odd", set_to={"registry": server.url})
    assert library.list() == ()


def test_a_token_is_got_where_the_registry_says_and_shown_to_it_alone(
    run: Run, server: FileServer, library: Library, model_bytes: bytes
) -> None:
    offer(server, whole(model_bytes), (CONFIG,))
    digest = hashlib.sha256(model_bytes).hexdigest()
    with serving("127.0.0.2") as tokens, serving("127.0.0.3") as storage:
        tokens.add("/token?service=s&scope=repository%3Alibrary%2Fodd%3Apull", b'{"token":"abc"}')
        storage.add("/signed", model_bytes)
        blob = f"/v2/library/odd/blobs/sha256:{digest}"
        server.add(blob, b"", redirect=f"{storage.url}/signed")
        challenge = (
            f'Bearer realm="{tokens.url}/token",service="s",scope="repository:library/odd:pull"'
        )
        manifest = server.files["/v2/library/odd/manifests/latest"]
        manifest.refusals = [(401, {"WWW-Authenticate": challenge})]
        events = run("odd", set_to={"registry": server.url})
        told = [n.message for n in notices(events) if n.code == "redirect"]
        assert [tokens.place in told[0], storage.place in told[1]] == [True, True]
        shown = {h.get("authorization") for path, h in server.seen if path == blob}
        assert shown == {"Bearer abc"}
        assert {h.get("authorization") for _, h in (*tokens.seen, *storage.seen)} == {None}
    assert library.get("odd").files["model"].read_bytes() == model_bytes


@pytest.mark.parametrize(
    ("answer", "said"),
    [(b"{}", "gives no token"), (b"oops", "gives no token"), (b'{"token":"a\\nb"}', "no token")],
)
def test_a_token_that_is_none_is_an_error(
    run: Run, server: FileServer, model_bytes: bytes, answer: bytes, said: str
) -> None:
    offer(server, whole(model_bytes))
    server.add("/token", answer)
    manifest = server.files["/v2/library/odd/manifests/latest"]
    manifest.refusals = [(401, {"WWW-Authenticate": f'Bearer realm="{server.url}/token"'})] * 3
    with pytest.raises(PullError, match=said):
        run("odd", set_to={"registry": server.url})


def test_a_registry_that_wants_a_password_is_told_so(run: Run, server: FileServer) -> None:
    offer(server, b"{}", refusals=[(401, {"WWW-Authenticate": 'Basic realm="x"'})] * 3)
    with pytest.raises(ModelNotFoundError, match="everybody"):
        run("odd", set_to={"registry": server.url})


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("qwen2.5:3b", "https://registry.ollama.ai/v2/library/qwen2.5/manifests/3b"),
        ("someone/model", "https://registry.ollama.ai/v2/someone/model/manifests/latest"),
        ("host.example:8080/a/b:c", "https://host.example:8080/v2/a/b/manifests/c"),
        ("127.0.0.1:5000/a/b", "http://127.0.0.1:5000/v2/a/b/manifests/latest"),
        ("localhost:5000/a/b", "http://127.0.0.1:5000/v2/a/b/manifests/latest"),
    ],
)
def test_names_say_which_registry_is_asked(name: str, url: str) -> None:
    place = place_of(name, "https://registry.ollama.ai/library")
    assert place.url("manifests", place.tag) == url


def test_a_registry_of_the_local_network_is_asked_over_http_if_the_user_says_so() -> None:
    place = place_of("192.168.1.5:5000/a/b", "https://registry.ollama.ai/library", insecure=True)
    assert place.url("manifests", "t") == "http://192.168.1.5:5000/v2/a/b/manifests/t"
    place = place_of("b", "https://registry.ollama.ai/library", insecure=True)
    assert place.url("manifests", "t") == "https://registry.ollama.ai/v2/library/b/manifests/t"


@pytest.mark.parametrize(
    ("default", "url"),
    [
        ("models.example", "https://models.example/v2/library/m/manifests/t"),
        ("models.example/team", "https://models.example/v2/team/m/manifests/t"),
        ("http://10.0.0.1:5000/team", "http://10.0.0.1:5000/v2/team/m/manifests/t"),
        ("[::1]:5000", "http://[::1]:5000/v2/library/m/manifests/t"),
    ],
)
def test_the_configuration_names_registry_and_namespace(default: str, url: str) -> None:
    assert place_of("m:t", default).url("manifests", "t") == url


def test_a_registry_without_encryption_elsewhere_needs_the_users_word(run: Run) -> None:
    with pytest.raises(UserError, match="not encrypted"):
        run("odd", set_to={"registry": "http://192.0.2.1:5000"})


def test_a_scheme_that_the_configuration_leaves_out_is_not_asked(
    run: Run, server: FileServer
) -> None:
    table: dict[str, object] = {"registry": server.url, "sources": ["pip"]}
    with pytest.raises(ModelNotFoundError, match="leaves out 'registry'"):
        run("odd", set_to=table)
    with pytest.raises(PullError, match="leaves out 'url'"):
        run(f"{server.url}/m.gguf", set_to={"sources": ["pip", "registry"]})
    assert server.seen == []


def test_a_slip_of_the_pen_asks_nobody_unless_it_is_meant(run: Run, server: FileServer) -> None:
    with pytest.raises(ModelNotFoundError, match="Did you mean smollm2"):
        run("smolm2:135m", set_to={"registry": server.url})
    assert server.seen == []
    with pytest.raises(ModelNotFoundError, match="has no model"):
        run("smolm2:135m", source="registry", set_to={"registry": server.url})


def test_a_known_name_is_looked_up_in_the_registry_if_that_is_asked_for(
    run: Run, registry: Registry, model_bytes: bytes, library: Library
) -> None:
    registry.push("library/smollm2", "135m", model_bytes, {})
    run("smollm2:135m", source="registry", set_to={"registry": registry.place})
    assert library.get("smollm2:135m").files["model"].read_bytes() == model_bytes
