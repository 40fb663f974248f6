"""How long a search takes in a process that stays: the first one, and the median of the others.

    ingestion_search.py HOME ASSISTANTFILE MODE

Prints one line of JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from inglenook import Assistant

QUERIES = (
    "How are refunds of customers approved?",
    "Who reviews the access to the warehouses?",
    "When are backups of the ledgers restored?",
    "rule on permits for visitors",
    "training of new employees in Dublin",
    "What happens to expired badges?",
    "How long are invoices kept?",
    "offices that close in December",
    "patches of networks after an incident",
    "Which surveys apply to suppliers?",
)
_ROUNDS = 3


def main() -> int:
    home, assistant_file, mode = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    times = []
    with Assistant.from_file(assistant_file, home=home) as assistant:
        for query in QUERIES * _ROUNDS:
            started = time.perf_counter()
            found = assistant.search(query, mode=mode)
            times.append((time.perf_counter() - started) * 1000)
            assert found, f"nothing was found for {query!r}"
    report = {"first_ms": round(times[0], 2), "median_ms": round(statistics.median(times[1:]), 2)}
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
