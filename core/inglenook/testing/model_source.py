"""The conformance kits for model sources: subclass one and fill in its fixtures.

`ModelSourceKit` is for every source, `ModelFinderKit` for those that also find models by name.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from inglenook.errors import Cancelled, ModelNotFoundError, PullError, UserError
from inglenook.models.reference import parse_reference
from inglenook.protocols import ModelFinder, ModelSource
from inglenook.types import CancelToken, FetchPart, FetchProgress, ModelOffer, Notice

__all__ = ["ModelFinderKit", "ModelSourceKit", "write_wheel"]


class ModelSourceKit:
    """What every model source must do.

    Fill in three fixtures:

        source: A `ModelSource`, as its factory makes it.
        part: A part that it can deliver, with the true `sha256` and `size_bytes`.
        absent_part: A part of the same form that does not exist.
    """

    @pytest.fixture
    def source(self) -> ModelSource:
        raise NotImplementedError("fill in the fixture `source`")

    @pytest.fixture
    def part(self) -> FetchPart:
        raise NotImplementedError("fill in the fixture `part`")

    @pytest.fixture
    def absent_part(self) -> FetchPart:
        raise NotImplementedError("fill in the fixture `absent_part`")

    @pytest.fixture
    def target(self, tmp_path: Path) -> Path:
        folder = tmp_path / "work" / "fetch"
        folder.mkdir(parents=True)
        return folder / "part"

    def test_it_implements_the_protocol(self, source: ModelSource) -> None:
        """Fix: give the class the methods `hosts` and `fetch`."""
        assert isinstance(source, ModelSource)

    def test_hosts_are_plain_host_names(self, source: ModelSource, part: FetchPart) -> None:
        """Fix: return a tuple of host names (with a port if need be), no addresses and no
        passwords; `()` if nothing is contacted. The user reads them before anything happens.
        """
        hosts = source.hosts(part)
        assert isinstance(hosts, tuple)
        assert [host for host in hosts if not host or "/" in host or "@" in host] == []

    def test_the_file_arrives_whole(
        self, source: ModelSource, part: FetchPart, target: Path
    ) -> None:
        """Fix: when the iterator ends, `target` must hold exactly the promised bytes."""
        _exhaust(source, part, target)
        data = target.read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (part.size_bytes, part.sha256)

    def test_progress_never_goes_back_and_ends_full(
        self, source: ModelSource, part: FetchPart, target: Path
    ) -> None:
        """Fix: yield at least one `FetchProgress`, `done_bytes` never smaller than before and
        never more than a known `total_bytes`; in the last one they are equal.
        """
        seen = _exhaust(source, part, target)
        done = [progress.done_bytes for progress in seen]
        assert done == sorted(done)
        assert [p for p in seen if p.total_bytes and p.done_bytes > p.total_bytes] == []
        assert seen
        assert seen[-1].done_bytes == seen[-1].total_bytes > 0

    def test_only_the_folder_of_the_target_is_written(
        self, source: ModelSource, part: FetchPart, target: Path
    ) -> None:
        """Fix: keep what you need on the way in `target.parent`, which is yours for the pull."""
        before = sorted(target.parent.parent.iterdir())
        _exhaust(source, part, target)
        assert sorted(target.parent.parent.iterdir()) == before

    def test_a_second_fetch_works_as_the_first(
        self, source: ModelSource, part: FetchPart, target: Path
    ) -> None:
        """Fix: what a fetch leaves in `target.parent` must not trouble the next one."""
        _exhaust(source, part, target)
        again = target.with_name("again")
        _exhaust(source, part, again)
        assert again.read_bytes() == target.read_bytes()

    def test_an_absent_part_is_a_pull_error_with_advice(
        self, source: ModelSource, absent_part: FetchPart, target: Path
    ) -> None:
        """Fix: raise `PullError(message, hint=…)`; both lines are for people."""
        with pytest.raises(PullError) as caught:
            _exhaust(source, absent_part, target)
        assert caught.value.message.count("\n") == 0
        assert caught.value.hint
        assert not target.exists()

    def test_a_part_of_another_size_is_refused_before_it_is_written(
        self, source: ModelSource, part: FetchPart, target: Path
    ) -> None:
        """Fix: hold the size that the other side states against `part.size_bytes`, if that is
        not 0, and raise `PullError`: a small promise must not fill the disk.
        """
        with pytest.raises(PullError):
            _exhaust(source, replace(part, size_bytes=part.size_bytes + 1), target)
        assert not target.exists()

    def test_a_cancelled_token_stops_it(
        self, source: ModelSource, part: FetchPart, target: Path
    ) -> None:
        """Fix: look at `cancel.cancelled` while you wait and between pieces; raise `Cancelled`."""
        cancel = CancelToken()
        cancel.cancel()
        with pytest.raises(Cancelled):
            list(source.fetch(part, target, cancel))

    def test_it_can_be_left_in_the_middle(
        self, source: ModelSource, part: FetchPart, target: Path
    ) -> None:
        """Fix: release everything in `finally`, so that a closed iterator leaves no process and
        no open file, and the next fetch starts clean.
        """
        iterator = iter(source.fetch(part, target, CancelToken()))
        next(iterator)
        iterator.close()  # type: ignore[attr-defined]
        target.unlink(missing_ok=True)
        _exhaust(source, part, target)
        assert hashlib.sha256(target.read_bytes()).hexdigest() == part.sha256


class ModelFinderKit:
    """What every source must do that finds models by names of its own (`ModelFinder`).

    Fill in three fixtures:

        finder: A source, as its factory makes it; it is a `ModelSource` too.
        name: A name that it knows.
        absent_name: A name of the same form that it does not know.
    """

    @pytest.fixture
    def finder(self) -> ModelFinder:
        raise NotImplementedError("fill in the fixture `finder`")

    @pytest.fixture
    def name(self) -> str:
        raise NotImplementedError("fill in the fixture `name`")

    @pytest.fixture
    def absent_name(self) -> str:
        raise NotImplementedError("fill in the fixture `absent_name`")

    def test_it_implements_both_protocols(self, finder: ModelFinder) -> None:
        """Fix: give the class `find_hosts` and `find` beside `hosts` and `fetch`."""
        assert isinstance(finder, ModelFinder)
        assert isinstance(finder, ModelSource)

    def test_hosts_are_plain_host_names(self, finder: ModelFinder, name: str) -> None:
        """Fix: return host names, with a port if need be; contact nobody to learn them."""
        hosts = finder.find_hosts(name)
        assert isinstance(hosts, tuple)
        assert [host for host in hosts if not host or "/" in host or "@" in host] == []

    def test_a_malformed_name_is_refused_before_anything_is_asked(
        self, finder: ModelFinder, name: str
    ) -> None:
        """Fix: check the form of a name in `find_hosts`, and raise `UserError`."""
        with pytest.raises(UserError):
            finder.find_hosts(f"{name[: name.index('/') + 1] if '/' in name else ''}a b\n:")

    def test_the_search_ends_in_one_offer(self, finder: ModelFinder, name: str) -> None:
        """Fix: yield notices, then the `ModelOffer`, then nothing."""
        found = list(finder.find(name, CancelToken()))
        assert [type(event) for event in found[:-1]] == [Notice] * (len(found) - 1)
        assert isinstance(found[-1], ModelOffer)

    def test_the_offer_can_be_read_by_core(self, finder: ModelFinder, name: str) -> None:
        """Fix: a reference by Ollama's rules, files with names of their own and known sizes, and
        each sha256 in small hex digits or "".
        """
        offer = _offer(finder, name)
        parse_reference(offer.reference)
        names = [file.name for file in offer.files]
        assert names
        assert len(set(names)) == len(names)
        assert [f for f in offer.files if f.part.size_bytes < 1] == []
        assert [f for f in offer.files if f.part.sha256.strip("0123456789abcdef")] == []

    def test_every_file_of_the_offer_can_be_fetched(
        self, finder: ModelFinder, name: str, tmp_path: Path
    ) -> None:
        """Fix: `fetch` must deliver what `find` offers, of that size and with that sha256."""
        assert isinstance(finder, ModelSource)
        for number, file in enumerate(_offer(finder, name).files):
            target = tmp_path / str(number) / "part"
            target.parent.mkdir()
            _exhaust(finder, file.part, target)
            data = target.read_bytes()
            assert len(data) == file.part.size_bytes
            assert file.part.sha256 in ("", hashlib.sha256(data).hexdigest())

    def test_an_absent_name_is_an_error_with_advice(
        self, finder: ModelFinder, absent_name: str
    ) -> None:
        """Fix: raise `ModelNotFoundError` or `PullError`, with a hint."""
        with pytest.raises((ModelNotFoundError, PullError)) as caught:
            list(finder.find(absent_name, CancelToken()))
        assert caught.value.message.count("\n") == 0
        assert caught.value.hint

    def test_a_cancelled_token_stops_the_search(self, finder: ModelFinder, name: str) -> None:
        """Fix: look at `cancel.cancelled` while you wait; raise `Cancelled`."""
        cancel = CancelToken()
        cancel.cancel()
        with pytest.raises(Cancelled):
            list(finder.find(name, cancel))


def _offer(finder: ModelFinder, name: str) -> ModelOffer:
    return next(e for e in finder.find(name, CancelToken()) if isinstance(e, ModelOffer))


def _exhaust(source: ModelSource, part: FetchPart, target: Path) -> list[FetchProgress]:
    """Fetch to the end; the progress without the notices."""
    events = list(source.fetch(part, target, CancelToken()))
    return [event for event in events if isinstance(event, FetchProgress)]


def write_wheel(folder: Path, name: str, version: str, members: Mapping[str, bytes]) -> Path:
    """Write a small valid wheel with these files, for tests of sources that read packages."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    wheel = folder / f"{stem}-py3-none-any.whl"
    facts = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in members.items():
            archive.writestr(path, data)
        for path, text in facts.items():
            archive.writestr(f"{stem}.dist-info/{path}", text)
    return wheel
