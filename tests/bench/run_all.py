"""Runs every benchmark, one after the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = (
    "startup.py",
    "runtimes.py",
    "conversion.py",
    "cold_start.py",
    "embedding.py",
    "embedding_e5.py",
    "ingestion.py",
    "growth.py",
    "retrieval.py",
    "hostile.py",
    "pdf_parsers.py",
)


def main() -> int:
    """Run them; the worst exit code."""
    here = Path(__file__).parent
    codes = []
    for name in BENCHMARKS:
        print(f"\n== {name}", flush=True)
        done = subprocess.run([sys.executable, str(here / name), *sys.argv[1:]], check=False)
        codes.append(done.returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
