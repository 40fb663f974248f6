"""The entry module is light and registers what it says."""

from __future__ import annotations

import subprocess
import sys

import inglenook_http_sources
from inglenook.testing.host import host_with


def test_the_sources_are_registered_with_their_schemes_and_names() -> None:
    host = host_with(sources=inglenook_http_sources)
    found = {r.factory.name: r.factory.capabilities for r in host.registered("model_source")}
    assert found == {
        "registry": {"schemes": ("registry",), "names": ("",)},
        "huggingface": {"schemes": ("huggingface",), "names": ("hf.co/", "huggingface.co/")},
        "url": {"schemes": ("url", "mirror"), "names": ("https://", "http://")},
    }


def test_importing_the_entry_module_loads_nothing_heavy() -> None:
    code = (
        "import inglenook_http_sources; "
        "print(sorted({'httpx2', 'ssl', 'socket', 'inglenook.models'} & set(sys.modules)))"
    )
    path = [entry for entry in sys.path if entry]
    result = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[]"
