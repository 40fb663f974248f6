"""The entry module is light and registers what it says."""

from __future__ import annotations

import subprocess
import sys

import inglenook_model_sources
from inglenook.testing.host import host_with


def test_both_sources_are_registered_with_their_schemes() -> None:
    host = host_with(sources=inglenook_model_sources)
    found = {r.factory.name: r.factory.capabilities for r in host.registered("model_source")}
    assert found == {"pip": {"schemes": ("pip",)}, "file": {"schemes": ("file",)}}


def test_the_sources_can_be_made_by_name() -> None:
    host = host_with(sources=inglenook_model_sources)
    made = [type(host.make_model_source(name)).__name__ for name in ("pip", "file")]
    assert made == ["PipSource", "FileSource"]


def test_importing_the_entry_module_loads_nothing_heavy() -> None:
    code = (
        "import sys, inglenook_model_sources; "
        "print(sorted({'pip', 'zipfile', 'subprocess', 'urllib.request'} & set(sys.modules)))"
    )
    path = ":".join(entry for entry in sys.path if entry)
    result = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {path.split(':')!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[]"
