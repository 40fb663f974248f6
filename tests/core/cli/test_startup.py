"""What a start must not load: `nook --help` stays as light as the library that parses it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "asyncio",
    "charset_normalizer",
    "chromadb",
    "filelock",
    "httpx",
    "jinja2",
    "llama_cpp",
    "numpy",
    "onnxruntime",
    "platformdirs",
    "pypdf",
    "pypdfium2",
    "lxml",
    "keyring",
    "watchfiles",
    "rich",
    "snowballstemmer",
    "sqlite3",
    "subprocess",
    "textual",
    "tokenizers",
    "tomlkit",
    "torch",
    "xllamacpp",
}


def loaded_after(arguments: list[str], environment: dict[str, str]) -> set[str]:
    code = (
        "import sys\nfrom inglenook.main import main\n"
        f"main({arguments!r})\nsys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_start_loads_nothing_heavy(arguments, environment):
    assert loaded_after(arguments, environment) & HEAVY == set()


def test_help_imports_no_command_no_contract_types_and_no_tui(environment):
    loaded = loaded_after(["--help"], environment)
    assert not any(name.startswith("inglenook.cli.commands") for name in loaded)
    assert not any(name.startswith("inglenook.tui") for name in loaded)
    assert "inglenook.types" not in loaded


def test_help_asks_the_plugins_without_loading_their_parts(environment):
    loaded = loaded_after(["--help"], environment)
    assert "inglenook_guard" in loaded
    assert "inglenook_guard.scan" not in loaded


def test_listing_plugins_loads_no_library_of_theirs(environment):
    libraries = HEAVY - {"platformdirs", "filelock", "tomlkit"}
    assert loaded_after(["plugins"], environment) & libraries == set()
