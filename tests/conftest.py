"""What all tests share: real models, in an installation that `make test` prepared."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inglenook.models.library import Library
from inglenook.types import ModelFiles

MODELS_HOME = Path(
    os.environ.get("INGLENOOK_TEST_MODELS", Path(__file__).parent.parent / ".local" / "test")
)

# A job in the background of a shell ignores Ctrl-C, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def model_library() -> Library:
    """The library that `make test` filled."""
    library = Library(MODELS_HOME / "data" / "models")
    wanted = ("smollm2:135m", "qwen2.5-coder:0.5b", "minilm:int8", "minilm:fp32", "e5:q4")
    for reference in wanted:
        if not library.has(reference):
            pytest.exit(f"the tests need {reference}: run `make test` once, it fetches it", 3)
    return library


@pytest.fixture(scope="session")
def smollm2(model_library: Library) -> ModelFiles:
    """A small model that talks."""
    return model_library.get("smollm2:135m")


@pytest.fixture(scope="session")
def qwen(model_library: Library) -> ModelFiles:
    """A model that answers simple questions rightly."""
    return model_library.get("qwen2.5-coder:0.5b")


@pytest.fixture(scope="session")
def minilm(model_library: Library) -> ModelFiles:
    """The default embedder's model."""
    return model_library.get("minilm:int8")


@pytest.fixture(scope="session")
def minilm_fp32(model_library: Library) -> ModelFiles:
    """The same as safetensors."""
    return model_library.get("minilm:fp32")


@pytest.fixture(scope="session")
def e5(model_library: Library) -> ModelFiles:
    """An embedder for about a hundred languages."""
    return model_library.get("e5:q4")


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's own installation."""
    home = tmp_path_factory.mktemp("home", numbered=True)
    monkeypatch.setenv("INGLENOOK_HOME", str(home))
    theirs = [name for name in os.environ if name.startswith("OLLAMA_")]
    for name in ("INGLENOOK_PLUGINS", "INGLENOOK_STRICT_PLUGINS", *theirs):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def assistant_home(
    tmp_path: Path, model_library: Library, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A home of its own with all test models in it (hard links), set as INGLENOOK_HOME."""
    home = tmp_path / "assistant-home"
    source = MODELS_HOME / "data" / "models"
    shutil.copytree(source, home / "data" / "models", copy_function=_link_or_copy)
    monkeypatch.setenv("INGLENOOK_HOME", str(home))
    yield home
    shutil.rmtree(home, ignore_errors=True)


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


@pytest.fixture
def run_python() -> Callable[[str], str]:
    """Runs code in a fresh interpreter and gives what it printed."""

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
