"""The wheel holds all that a user without a clone needs; the core requires nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        check=True,
        cwd=ROOT,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_engine_plugins_assistants_and_manual(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    for expected in (
        "inglenook/main.py",
        "inglenook/py.typed",
        "inglenook/models/catalog.toml",
        "inglenook/tui/screens/chat.tcss",
        "inglenook/shipped/assistants/contoso/security_protocols.pdf",
        "inglenook/shipped/assistants/hebrew/Assistantfile",
        "inglenook/shipped/docs/plugins.md",
        "inglenook/shipped/README.md",
        *(f"{module}/__init__.py" for module in PROJECT["entry-points"]["inglenook"].values()),
    ):
        assert expected in names
    assert not [n for n in names if n.endswith((".gguf", ".onnx", ".safetensors"))]


def test_the_installed_wheel_knows_its_assistants_and_its_manual(
    wheel: Path, tmp_path: Path, assistant_home: Path
) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    (site / "elsewhere").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}

    def nook(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "inglenook", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            cwd=site / "elsewhere",
        )

    listed = nook("list").stdout
    assert all(name in listed for name in ("contoso", "hebrew", "manual"))
    shown = nook("show", "manual").stdout
    assert str(site / "inglenook" / "shipped" / "assistants" / "manual") in shown
    ingested = nook("ingest", "manual")
    assert 0 == ingested.returncode, ingested.stderr
    assert "plugins.md" in ingested.stdout + ingested.stderr


def test_the_core_requires_neither_torch_nor_a_compiler() -> None:
    required = " ".join(PROJECT["dependencies"])
    standard = " ".join(PROJECT["optional-dependencies"]["standard"])

    assert "torch" not in required + standard
    assert "llama-cpp" not in standard
    assert "chroma" not in required


def test_every_plugin_has_an_extra_of_its_own() -> None:
    assert set(PROJECT["entry-points"]["inglenook"]) <= set(PROJECT["optional-dependencies"])


def test_a_part_that_needs_a_library_names_the_extra_that_brings_it() -> None:
    from inglenook.hookspecs import HOOK_KINDS
    from inglenook.host import Host

    host = Host()
    for kind in HOOK_KINDS.values():
        for entry in host.registered(kind):
            if set(entry.factory.requires) - {"pip", "numpy"}:
                assert entry.factory.extra in PROJECT["optional-dependencies"], entry


def test_without_any_extra_every_command_still_works_and_says_what_is_missing() -> None:
    code = (
        "import sys\n"
        "heavy = {'xllamacpp', 'llama_cpp', 'onnxruntime', 'tokenizers', 'chromadb', 'pypdf',\n"
        " 'pypdfium2', 'docx', 'pptx', 'openpyxl', 'lxml', 'odfdo', 'olefile', 'keyring',\n"
        " 'watchfiles'}\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in heavy:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "import importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda n, p=None: None if n.partition('.')[0] in heavy else real(n, p)\n"
        "from inglenook.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )

    def nook(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )

    assert 0 == nook("list").returncode
    assert 0 == nook("plugins").returncode
    doctor = nook("doctor")
    assert "inglenook[xllamacpp]" in doctor.stdout
    assert "Traceback" not in doctor.stderr
