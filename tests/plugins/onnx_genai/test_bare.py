"""The library alone is a fair measure: it computes with as many threads as the runtime."""

from __future__ import annotations

import sys

import pytest

linux_only = pytest.mark.xfail(sys.platform != "linux", reason="reads /proc", run=False)

CODE = """
    import os
    from pathlib import Path
    from inglenook.models.local import files_from_path
    from inglenook.types import RuntimeOptions
    from inglenook_onnx_genai.runtime import OnnxGenaiRuntime

    files = files_from_path(Path({folder!r}))
    options = RuntimeOptions(context_length=256, threads={threads})
    made = OnnxGenaiRuntime.bare(files, options) if {bare} else OnnxGenaiRuntime(files, options)
    before = len(os.listdir("/proc/self/task"))
    made.open()
    print(len(os.listdir("/proc/self/task")) - before)
"""


@linux_only
@pytest.mark.parametrize("threads", [0, 1, 3])
def test_both_compute_with_as_many_threads(run_python, genai_folder, threads):
    def threads_of(bare: bool) -> int:
        return int(run_python(CODE.format(folder=str(genai_folder), threads=threads, bare=bare)))

    assert threads_of(bare=True) == threads_of(bare=False)
