"""A file comes whole and right, or not at all, however its server behaves."""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from inglenook.errors import Cancelled, ModelBrokenError, PullError, StoreError, UserError
from inglenook.host import Host
from inglenook.models.library import Library
from inglenook.models.pull import Pulled, PullEvent, PullPlan, pull
from inglenook.settings import Settings
from inglenook.types import CancelToken, FetchProgress, Notice

from .conftest import Run, gguf_of, leftovers
from .file_server import FileServer, serving


def codes(events: list[PullEvent]) -> list[str]:
    return [e.code for e in events if isinstance(e, Notice)]


def messages(events: list[PullEvent]) -> str:
    return "\n".join(e.message for e in events if isinstance(e, Notice))


def bytes_of(library: Library, name: str) -> bytes:
    return library.get(name).files["model"].read_bytes()


def test_a_model_comes_from_an_address_under_the_name_of_its_file(
    run: Run, server: FileServer, library: Library, model_bytes: bytes
) -> None:
    server.add("/a/My%20Model.gguf", model_bytes)
    events = run(f"{server.url}/a/My%20Model.gguf")
    assert isinstance(events[-1], Pulled)
    assert events[-1].record.name == "My-Model:latest"
    assert bytes_of(library, "my-model") == model_bytes
    assert library.show("my-model").details == {"origin": f"{server.url}/a/My%20Model.gguf"}
    assert leftovers(library) == []


def test_the_host_is_told_before_anything_is_asked(
    server: FileServer, library: Library, host: Host, settings: Settings, model_bytes: bytes
) -> None:
    server.add("/m.gguf", model_bytes)
    events = iter(pull(f"{server.url}/m.gguf", library, host, settings, CancelToken()))
    first = next(events)
    assert isinstance(first, Notice)
    assert server.place in first.message
    assert server.seen == []
    events.close()  # type: ignore[attr-defined]


def test_several_pieces_come_at_a_time(run: Run, server: FileServer, model_bytes: bytes) -> None:
    served = server.add("/m.gguf", model_bytes, bytes_per_s=3_000_000)
    started = time.monotonic()
    run(f"{server.url}/m.gguf", set_to={"connections": 4})
    assert time.monotonic() - started < len(model_bytes) / served.bytes_per_s
    ranges = [h["range"] for _, h in server.seen if "range" in h and h["range"] != "bytes=0-0"]
    assert len(ranges) > 3
    assert len(set(ranges)) == len(ranges)


def test_a_sha256_of_the_user_is_held_against_the_file(
    run: Run, server: FileServer, library: Library, model_bytes: bytes
) -> None:
    server.add("/m.gguf", model_bytes)
    sha256 = hashlib.sha256(model_bytes).hexdigest()
    with pytest.raises(ModelBrokenError) as caught:
        run(f"{server.url}/m.gguf", sha256="0" * 64)
    assert sha256 in caught.value.message
    assert library.list() == ()
    events = run(f"{server.url}/m.gguf", sha256=sha256.upper())
    assert "sha256-unknown" not in codes(events)
    assert bytes_of(library, "m") == model_bytes


def test_a_file_without_a_sha256_is_taken_and_its_own_is_told(
    run: Run, server: FileServer, model_bytes: bytes
) -> None:
    server.add("/m.gguf", model_bytes)
    assert hashlib.sha256(model_bytes).hexdigest() in messages(run(f"{server.url}/m.gguf"))


def test_a_model_that_is_there_contacts_nobody(
    run: Run, server: FileServer, model_bytes: bytes
) -> None:
    server.add("/m.gguf", model_bytes)
    run(f"{server.url}/m.gguf")
    server.seen.clear()
    (event,) = run(f"{server.url}/m.gguf")
    assert isinstance(event, Pulled)
    assert event.already_there
    assert server.seen == []


def test_another_model_of_that_name_is_not_replaced(
    run: Run, server: FileServer, library: Library, model_bytes: bytes, other_bytes: bytes
) -> None:
    server.add("/a/m.gguf", model_bytes)
    server.add("/b/m.gguf", other_bytes)
    run(f"{server.url}/a/m.gguf")
    with pytest.raises(UserError, match="another model named m:latest"):
        run(f"{server.url}/b/m.gguf")
    run(f"{server.url}/b/m.gguf", name="other:v1")
    assert bytes_of(library, "m") == model_bytes
    assert bytes_of(library, "other:v1") == other_bytes


@pytest.mark.parametrize("ranges", [True, False])
def test_cut_connections_are_mended_within_one_pull(
    run: Run, server: FileServer, library: Library, model_bytes: bytes, ranges: bool
) -> None:
    cuts = [1, 700_000, 0, 4_999]
    server.add("/m.gguf", model_bytes, ranges=ranges, cuts=cuts)
    events = run(f"{server.url}/m.gguf")
    assert bytes_of(library, "m") == model_bytes
    assert ("from-the-beginning" in codes(events)) is not ranges
    if ranges:
        assert server.sent_bytes < len(model_bytes) + 300_000


def test_a_pull_that_gave_up_is_gone_on_with_by_the_next(
    run: Run, server: FileServer, library: Library, model_bytes: bytes
) -> None:
    served = server.add("/m.gguf", model_bytes)
    served.cuts = [1_500_000, *[0] * 60]
    with pytest.raises(PullError) as caught:
        run(f"{server.url}/m.gguf", set_to={"connections": 1})
    assert "Pull again" in caught.value.hint
    assert library.list() == ()
    served.cuts = []
    server.sent_bytes = 0
    events = run(f"{server.url}/m.gguf")
    assert "resumed" in codes(events)
    assert server.sent_bytes < len(model_bytes) - 1_000_000
    assert bytes_of(library, "m") == model_bytes
    assert leftovers(library) == []


def test_a_pull_of_something_else_leaves_what_is_unfinished(
    run: Run, server: FileServer, model_bytes: bytes
) -> None:
    served = server.add("/m.gguf", model_bytes)
    server.add("/other.gguf", gguf_of(1000))
    served.break_off(3_000_000)
    with pytest.raises(PullError):
        run(f"{server.url}/m.gguf", set_to={"connections": 1})
    run(f"{server.url}/other.gguf")
    served.come_back()
    assert "resumed" in codes(run(f"{server.url}/m.gguf"))


@pytest.mark.parametrize("known", ["by its sha256", "by its tag", "by its date"])
def test_a_file_that_changed_between_two_pulls_comes_from_its_beginning(
    run: Run, server: FileServer, library: Library, other_bytes: bytes, known: str
) -> None:
    url = f"{server.url}/m.gguf"
    old = gguf_of(6_000_000, seed=3)
    assert len(old) == len(other_bytes)
    how: dict[str, object] = {"etag": "", "modified": formatdate(1e9, usegmt=True)}
    served = server.add("/m.gguf", old, **(how if known == "by its date" else {}))
    served.break_off(2_000_000)
    wish = {"sha256": hashlib.sha256(other_bytes).hexdigest()} if "sha256" in known else {}
    with pytest.raises(PullError):
        run(url, set_to={"connections": 1}, **wish)
    served.come_back()
    served.data = other_bytes
    served.modified = formatdate(1.1e9, usegmt=True) if served.modified else None
    events = run(url, **wish)
    assert "from-the-beginning" in codes(events)
    assert bytes_of(library, "m") == other_bytes


def test_a_file_that_changes_during_a_pull_comes_from_its_beginning(
    run: Run, server: FileServer, library: Library, model_bytes: bytes, other_bytes: bytes
) -> None:
    served = server.add("/m.gguf", model_bytes)
    asked = []

    def swap(path: str) -> None:
        asked.append(path)
        if len(asked) == 3:
            served.data, served.etag = other_bytes, '"another"'

    server.on_request = swap
    events = run(f"{server.url}/m.gguf", set_to={"connections": 1})
    assert "from-the-beginning" in codes(events)
    assert bytes_of(library, "m") == other_bytes


def test_mixed_bytes_of_a_server_without_tags_are_noticed(
    run: Run, server: FileServer, library: Library, model_bytes: bytes, other_bytes: bytes
) -> None:
    served = server.add("/m.gguf", other_bytes, etag="")
    served.break_off(2_000_000)
    sha256 = hashlib.sha256(model_bytes).hexdigest()
    with pytest.raises(PullError):
        run(f"{server.url}/m.gguf", sha256=sha256, set_to={"connections": 1})
    served.come_back()
    served.data = model_bytes
    events = run(f"{server.url}/m.gguf", sha256=sha256)
    assert "do not fit together" in messages(events)
    assert bytes_of(library, "m") == model_bytes


def test_without_a_tag_and_a_sha256_nothing_is_gone_on_with(
    run: Run, server: FileServer, library: Library, model_bytes: bytes
) -> None:
    served = server.add("/m.gguf", model_bytes, etag="")
    served.break_off(2_000_000)
    with pytest.raises(PullError):
        run(f"{server.url}/m.gguf", set_to={"connections": 1})
    served.come_back()
    assert "does not say whether" in messages(run(f"{server.url}/m.gguf"))
    assert bytes_of(library, "m") == model_bytes


def test_a_server_that_asks_to_slow_down_is_obeyed_and_the_user_told(
    run: Run, server: FileServer, library: Library, model_bytes: bytes
) -> None:
    served = server.add("/m.gguf", model_bytes)
    served.refusals = [(429, {"Retry-After": "2"}), (503, {})]
    started = time.monotonic()
    events = run(f"{server.url}/m.gguf")
    assert time.monotonic() - started > 2
    assert "asks to slow down" in messages(events)
    assert bytes_of(library, "m") == model_bytes


def test_slowing_down_in_the_middle_is_obeyed_too(
    run: Run, server: FileServer, library: Library, model_bytes: bytes
) -> None:
    served = server.add("/m.gguf", model_bytes)
    asked = []

    def refuse(path: str) -> None:
        asked.append(path)
        if len(asked) == 4:
            served.refusals = [(429, {"Retry-After": "1"})]

    server.on_request = refuse
    run(f"{server.url}/m.gguf")
    assert bytes_of(library, "m") == model_bytes


def test_a_wait_of_hours_is_an_error_with_the_time(run: Run, server: FileServer) -> None:
    server.add("/m.gguf", b"x", refusals=[(429, {"Retry-After": "7200"})])
    with pytest.raises(PullError, match="7,200 s"):
        run(f"{server.url}/m.gguf")


@pytest.mark.parametrize(
    ("status", "said"), [(404, "There is no"), (403, "not give"), (418, "status 418")]
)
def test_refusals_are_errors_with_advice(
    run: Run, server: FileServer, status: int, said: str
) -> None:
    server.add("/m.gguf", b"x", refusals=[(status, {})] * 9)
    with pytest.raises(PullError, match=said) as caught:
        run(f"{server.url}/m.gguf")
    assert caught.value.hint


def test_a_web_page_is_no_model(run: Run, server: FileServer) -> None:
    server.add("/m", b"<html>", content_type="text/html; charset=utf-8")
    with pytest.raises(PullError, match="web page"):
        run(f"{server.url}/m")


def test_what_is_no_model_is_deleted_again(run: Run, server: FileServer, library: Library) -> None:
    server.add("/m.gguf", b"PK" + bytes(2_000_000))
    with pytest.raises(PullError, match="cannot be used"):
        run(f"{server.url}/m.gguf")
    assert library.list() == ()
    assert leftovers(library) == []


def test_a_stream_without_a_length_is_refused(
    run: Run, server: FileServer, model_bytes: bytes
) -> None:
    server.add("/m.gguf", model_bytes, ranges=False, says_length=False)
    with pytest.raises(PullError, match="does not say how long"):
        run(f"{server.url}/m.gguf")


def test_http_to_another_machine_needs_the_users_word(run: Run) -> None:
    with pytest.raises(UserError, match="not encrypted") as caught:
        run("http://192.0.2.1/m.gguf")
    assert "--insecure" in caught.value.hint


def test_a_password_in_an_address_is_refused_and_not_repeated(run: Run) -> None:
    with pytest.raises(UserError) as caught:
        run("https://me:secret@example.org/m.gguf")
    assert "secret" not in str(caught.value)


def test_a_redirect_to_another_host_is_told_before_that_host_is_asked(
    run: Run, server: FileServer, library: Library, model_bytes: bytes
) -> None:
    with serving("127.0.0.2") as other:
        other.add("/signed?key=1", model_bytes)
        server.add("/m.gguf", b"", redirect=f"{other.url}/signed?key=1")
        events = run(f"{server.url}/m.gguf")
        told = next(e for e in events if isinstance(e, Notice) and e.code == "redirect")
        assert other.place in told.message
        assert events.index(told) < next(n for n, e in enumerate(events) if isinstance(e, PullPlan))
        assert other.seen
    assert bytes_of(library, "m") == model_bytes


def test_a_signed_address_that_expires_is_asked_for_again(
    run: Run, server: FileServer, library: Library, model_bytes: bytes
) -> None:
    served = server.add("/signed", model_bytes)
    server.add("/m.gguf", b"", redirect="/signed")
    asked: list[str] = []
    one_at_a_time = threading.Lock()

    def expire(path: str) -> None:
        with one_at_a_time:
            asked.append(path)
            if path == "/signed" and asked.count("/signed") == 4:
                served.refusals = [(403, {})]

    server.on_request = expire
    run(f"{server.url}/m.gguf", set_to={"connections": 2})
    assert bytes_of(library, "m") == model_bytes
    assert asked.count("/m.gguf") >= 2


def test_redirects_without_an_end_are_an_error(run: Run, server: FileServer) -> None:
    server.add("/m.gguf", b"", redirect="/m.gguf")
    with pytest.raises(PullError, match="without an end"):
        run(f"{server.url}/m.gguf")


def test_a_full_disk_is_told_before_anything_is_fetched(
    run: Run, server: FileServer, monkeypatch: pytest.MonkeyPatch, model_bytes: bytes
) -> None:
    server.add("/m.gguf", model_bytes)
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real(path)._replace(free=1000))
    with pytest.raises(StoreError, match="not enough space"):
        run(f"{server.url}/m.gguf")
    assert server.sent_bytes <= 1


def test_a_cancel_ends_it_within_a_second_and_the_next_pull_goes_on(
    server: FileServer,
    library: Library,
    host: Host,
    settings: Settings,
    run: Run,
    model_bytes: bytes,
) -> None:
    served = server.add("/m.gguf", model_bytes, bytes_per_s=400_000)
    cancel = CancelToken()
    seen: list[float] = []

    def stop() -> None:
        seen.append(time.monotonic())
        cancel.cancel()

    timer = threading.Timer(2.0, stop)
    timer.start()
    with pytest.raises(Cancelled):
        list(pull(f"{server.url}/m.gguf", library, host, settings, cancel))
    assert time.monotonic() - seen[0] < 1
    served.bytes_per_s = 0.0
    assert "resumed" in codes(run(f"{server.url}/m.gguf"))
    assert bytes_of(library, "m") == model_bytes


def test_a_server_that_is_silent_can_be_left_within_a_second(
    library: Library, host: Host, settings: Settings
) -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/m.gguf"
        cancel = CancelToken()
        threading.Timer(0.5, cancel.cancel).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            list(pull(url, library, host, settings, cancel))
        assert time.monotonic() - started < 1.5


def test_nobody_there_is_one_error_at_once(run: Run, server: FileServer) -> None:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(PullError, match="cannot be reached") as caught:
        run(f"http://127.0.0.1:{port}/m.gguf")
    assert time.monotonic() - started < 2
    assert "nook pull ./FILE" in caught.value.hint


def test_progress_ends_full(run: Run, server: FileServer, model_bytes: bytes) -> None:
    server.add("/m.gguf", model_bytes)
    last = [e for e in run(f"{server.url}/m.gguf") if isinstance(e, FetchProgress)][-1]
    assert last.done_bytes == last.total_bytes == len(model_bytes)


def test_no_proxy_sees_what_stays_on_this_machine(
    run: Run, server: FileServer, model_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        server.add("/m.gguf", model_bytes)
        run(f"{server.url}/m.gguf")
        assert proxy.seen == []


def test_a_proxy_of_the_user_is_asked_for_other_machines(
    run: Run, model_bytes: bytes, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        proxy.add("http://192.0.2.1/m.gguf", model_bytes)
        run("http://192.0.2.1/m.gguf", insecure=True)
        assert proxy.seen
    assert bytes_of(library, "m") == model_bytes


def test_the_journal_of_a_broken_disk_is_not_believed(
    run: Run, server: FileServer, library: Library, model_bytes: bytes
) -> None:
    served = server.add("/m.gguf", model_bytes)
    served.break_off(3_000_000)
    with pytest.raises(PullError):
        run(f"{server.url}/m.gguf", set_to={"connections": 1})
    (journal,) = library.scratch.rglob("resume-*.json")
    journal.write_text('{"of": {"address": 1}, "there": [[0, -5]]}')
    served.come_back()
    run(f"{server.url}/m.gguf")
    assert bytes_of(library, "m") == model_bytes


def test_half_a_model_is_seen_by_nobody(
    run: Run, server: FileServer, library: Library, model_bytes: bytes, tmp_path: Path
) -> None:
    served = server.add("/m.gguf", model_bytes)
    served.break_off(3_000_000)
    with pytest.raises(PullError):
        run(f"{server.url}/m.gguf", set_to={"connections": 1})
    assert library.list() == ()
    assert not list((library.root / "blobs").glob("*"))
