"""What an embedder makes of a model comes and goes with it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inglenook.assistants.model_upkeep import delete_prompts, make_ready
from inglenook.errors import Cancelled, ModelBrokenError, StoreError
from inglenook.models.pull import Preparing, Pulled
from inglenook.types import CancelToken, ModelFiles, Notice

FILES = ModelFiles("mine:v1", "odd", {}, "a" * 64, {})


class Host:
    """A host whose only embedder does `opening` when it is opened."""

    def __init__(self, opening: Any, prepares: tuple[str, ...] = ("odd",)) -> None:
        self.opening = opening
        self.opened = 0
        option = SimpleNamespace(name="cache_folder")
        capabilities = {"formats": ("odd",), "prepares": prepares}
        self.factory = SimpleNamespace(name="mine", options=(option,), capabilities=capabilities)

    def able_to_open(self, kind: str, format: str) -> list[Any]:
        return (
            [SimpleNamespace(factory=self.factory)] if (kind, format) == ("embedder", "odd") else []
        )

    def make_embedder(self, name: str, files: ModelFiles, options: dict[str, Any]) -> Any:
        def open_it() -> None:
            self.opened += 1
            self.opening(Path(options["cache_folder"]))

        return SimpleNamespace(open=open_it, close=lambda: None)


def pulled() -> Pulled:
    return Pulled(SimpleNamespace(name="mine:v1"), already_there=False)  # type: ignore[arg-type]


def events(host: Any, cache: Path, cancel: CancelToken) -> list[Any]:
    library: Any = SimpleNamespace(get=lambda name: FILES)
    return list(make_ready(iter([pulled()]), library, host, cache, cancel))


def test_a_model_is_opened_once_and_that_is_told_only_if_nothing_was_made(tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "graph").write_bytes(b"x")

    host = Host(make)
    first = events(host, tmp_path, CancelToken())
    again = events(host, tmp_path, CancelToken())

    assert [Preparing("mine:v1"), pulled()] == first
    assert [pulled()] == again
    assert 2 == host.opened


def test_an_embedder_that_makes_nothing_is_not_opened(tmp_path: Path) -> None:
    host = Host(lambda _: None, prepares=())
    assert [pulled()] == events(host, tmp_path, CancelToken())
    assert 0 == host.opened


@pytest.mark.parametrize(
    "error", [ModelBrokenError("it is damaged"), RuntimeError("it is odd\nand long"), MemoryError()]
)
def test_no_failure_undoes_the_pull(tmp_path: Path, error: Exception) -> None:
    def fail(folder: Path) -> None:
        raise error

    _, told, last = events(Host(fail), tmp_path, CancelToken())

    assert isinstance(told, Notice)
    assert "mine:v1" in told.message
    assert str(error).partition("\n")[0] in told.message
    assert pulled() == last


def test_a_stop_meanwhile_is_a_stop(tmp_path: Path) -> None:
    cancel = CancelToken()

    with pytest.raises(Cancelled):
        events(Host(lambda _: cancel.cancel()), tmp_path, cancel)


def test_prompts_of_one_model_go_and_all_where_it_is_not_known(tmp_path: Path) -> None:
    for name in ("a" * 32, "b" * 32, "c" * 32):
        (tmp_path / "prompts" / name).mkdir(parents=True)
        (tmp_path / "prompts" / name / "x.state").write_bytes(b"12345")

    assert 5 == delete_prompts(FILES, tmp_path)
    assert ["b" * 32, "c" * 32] == sorted(p.name for p in (tmp_path / "prompts").iterdir())
    assert 10 == delete_prompts(None, tmp_path)
    assert [] == list((tmp_path / "prompts").iterdir())
    assert 0 == delete_prompts(FILES, tmp_path / "nothing")


def test_prompts_that_stay_are_told(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "prompts").mkdir()
    kept = tmp_path / "prompts" / ("a" * 32)
    kept.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StoreError, match="could not be deleted"):
        delete_prompts(FILES, tmp_path)
