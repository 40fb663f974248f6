"""The conformance kit for parts that say where they can compute: fill in `part`."""

from __future__ import annotations

import pickle

import pytest

from inglenook.protocols import DeviceProbe
from inglenook.testing.guard import Kit
from inglenook.types import DeviceReport

__all__ = ["DeviceProbeKit"]

_KINDS = ("cpu", "gpu", "npu")


class DeviceProbeKit(Kit):
    """What every `devices()` must do. `part` is a fixture that returns the class of the part.

    It asks in this process: run it where the library does not crash.
    """

    @pytest.fixture
    def part(self) -> type[DeviceProbe]:
        raise NotImplementedError("return the class of a runtime, embedder or reranker")

    @pytest.fixture
    def reports(self, part: type[DeviceProbe]) -> tuple[DeviceReport, ...]:
        return part.devices()

    def test_the_class_itself_is_asked(self, part: type[DeviceProbe]) -> None:
        """`devices` must be a classmethod: no model is opened for it."""
        assert isinstance(part, DeviceProbe)

    def test_every_kind_has_a_report(self, reports: tuple[DeviceReport, ...]) -> None:
        """Say of a kind that is not usable why it is not; leave none out."""
        assert {report.kind for report in reports} == set(_KINDS)

    def test_what_is_not_usable_says_why(self, reports: tuple[DeviceReport, ...]) -> None:
        """Fill in `reason`, in one line."""
        assert [r for r in reports if not r.usable and not r.reason.strip()] == []
        assert [r for r in reports if "\n" in r.reason + r.name + r.backend] == []

    def test_something_is_usable(self, reports: tuple[DeviceReport, ...]) -> None:
        """A part that can compute nowhere is not installed rightly."""
        assert any(report.usable for report in reports)

    def test_reports_travel_between_processes(self, reports: tuple[DeviceReport, ...]) -> None:
        """Plain text and numbers only."""
        assert pickle.loads(pickle.dumps(reports)) == reports  # noqa: S301

    def test_asking_again_gives_the_same(self, part: type[DeviceProbe]) -> None:
        """Nothing that was tried may stay behind."""
        first, second = ([(r.kind, r.usable) for r in part.devices()] for _ in range(2))
        assert first == second
