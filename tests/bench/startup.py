"""Start-up of the whole process against the libraries that it cannot do without, in one run."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

NOOK = str(Path(sys.executable).with_name("nook"))
COMMANDS = {
    "nook --help": [NOOK, "--help"],
    "import click": [sys.executable, "-c", "import click"],
    "click + pluggy + entry points": [
        sys.executable,
        "-c",
        "import click, pluggy, importlib.metadata as m; m.entry_points(group='inglenook')",
    ],
}
RUNS = 25


def seconds(command: list[str]) -> float:
    """How long one whole process takes."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> int:
    """Run the commands in turn and print medians and ratios."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for command in COMMANDS.values():
        seconds(command)
    for _ in range(RUNS):
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
    median = {name: statistics.median(values) for name, values in times.items()}
    ours = median["nook --help"]
    result = {
        "median_ms": {name: round(value * 1000, 1) for name, value in median.items()},
        "ratio_to_click": round(ours / median["import click"], 2),
        "ratio_to_click_pluggy_scan": round(ours / median["click + pluggy + entry points"], 2),
        "bars": {"ratio_to_click": 2.5, "ratio_to_click_pluggy_scan": 1.3},
    }
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
