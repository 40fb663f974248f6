"""The snippets of the Python manual run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SNIPPETS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "python-api.md").read_text("utf-8"), re.DOTALL
)


@pytest.mark.parametrize("number", [0, 1])
def test_a_snippet_of_the_python_manual_prints_the_answer(
    assistant_home: Path, number: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SNIPPETS[number]],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert 0 == done.returncode, done.stderr
    assert "14" in done.stdout
    assert "" == done.stderr


def test_the_first_snippet_has_at_most_ten_lines() -> None:
    assert len(SNIPPETS[0].strip().splitlines()) <= 10


def test_importing_the_package_loads_nothing_heavy(run_python) -> None:
    code = """
        import sys, inglenook
        print(sorted({"numpy", "pluggy", "click", "textual", "rich"} & set(sys.modules)))
    """

    assert "[]" == run_python(code)
