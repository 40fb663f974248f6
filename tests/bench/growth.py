"""How ingestion, search, memory and the vector store grow with the number of chunks.

    python tests/bench/growth.py [--quick] [--long] [--json FILE]

1,000 and 10,000 chunks; with --long 100,000 too. The rows say what made the vectors: `words` has
none (lexical search), `made-up` has random ones, because only the store is measured there, and
`minilm` has real ones. Searches are those of a process that stays; below 50,000 chunks `vector` is
the exact scan, above it the store. Exit code 1 if a bar was missed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ingestion_corpus import make_growth
from ingestion_runs import (
    BENCH,
    NOOK,
    Run,
    borrow_models,
    ingest,
    machine,
    measured,
    print_table,
    profile,
)
from ingestion_vectors import install

HERE = Path(__file__).resolve().parent
BAR_REBUILD_S = 10.0
REBUILD_CHUNKS = 10_000
BAR_MEMORY_GROWTH_MB = 100
"""Between the smallest and the largest folder, of the process that ingests."""
KINDS: Mapping[str, tuple[str, ...]] = {
    "words": ("RETRIEVE mode=lexical",),
    "made-up": ("EMBEDDER minilm:fp32", "STORE chroma"),
    "minilm": ("EMBEDDER minilm", "STORE chroma"),
}


def main() -> int:
    arguments = _arguments()
    work = BENCH / "growth"
    shutil.rmtree(work, ignore_errors=True)
    environment = install(work / "plugin")
    report: dict[str, Any] = {"benchmark": "growth", "machine": machine(), "results": []}
    print(f"machine: {report['machine']}", flush=True)
    sizes = (200, 1_000) if arguments.quick else (1_000, 10_000)
    if arguments.long:
        sizes = (*sizes, 100_000)
    for size in sizes:
        make_growth(work / f"{size}" / "documents", size)
        for kind in KINDS:
            if kind == "minilm" and size > sizes[0] and not arguments.long:
                continue
            if kind == "minilm" and size > 10_000:
                continue
            own = environment if kind == "made-up" else {}
            result = grow(work / f"{size}", kind, own)
            report["results"].append(result)
            print(f"  {json.dumps(result)}", flush=True)
        shutil.rmtree(work / f"{size}")
    met = _print(report["results"])
    text = json.dumps(report, indent=2)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    shutil.rmtree(work, ignore_errors=True)
    return 0 if met else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="200 and 1,000 chunks")
    parser.add_argument("--long", action="store_true", help="100,000 chunks too")
    parser.add_argument("--json", type=Path, help="also write the report here")
    return parser.parse_args()


def grow(work: Path, kind: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Ingest a folder, search it, and where it has a store rebuild that."""
    assistant = profile(work, *KINDS[kind])
    home = borrow_models(work / "home")
    first = ingest(home, assistant, **environment)
    again = ingest(home, assistant, **environment)
    report = first.report
    result = {
        "kind": kind,
        "chunks": report["chunks"],
        "seconds": round(first.seconds, 2),
        "unchanged_seconds": round(again.seconds, 2),
        "tree_mb": round(first.tree_mb),
        "home_mb": round(_size(home / "data" / "knowledge") / 1e6, 1),
        "stage_seconds": {k: round(v, 2) for k, v in report.get("stage_seconds", {}).items()},
        "search": {},
    }
    for mode in ("lexical",) if kind == "words" else ("lexical", "vector", "hybrid"):
        result["search"][mode] = _search(home, assistant, mode, environment)
    if kind != "words":
        command = [*NOOK, "--quiet", "--home", str(home), "kb", "rebuild", str(assistant)]
        rebuilt = measured(command, environment=environment)
        result["rebuild_seconds"] = round(rebuilt.seconds, 2)
        result["rebuild_exit_code"] = rebuilt.exit_code
        if rebuilt.exit_code:
            print(f"  nook kb rebuild: {rebuilt.error.strip()[-400:]}")
    shutil.rmtree(home)
    return result


def _search(
    home: Path, assistant: Path, mode: str, environment: Mapping[str, str]
) -> dict[str, Any]:
    script = str(HERE / "ingestion_search.py")
    run: Run = measured(
        [sys.executable, script, str(home), str(assistant), mode], environment=environment
    )
    return {**run.report, "tree_mb": round(run.tree_mb)}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _print(results: Sequence[Mapping[str, Any]]) -> bool:
    head = f"{'vectors':<9}{'chunks':>8}{'seconds':>9}{'chunks/s':>10}{'again s':>9}{'MB':>6}"
    print(f"\n{head}{'disk MB':>9}  median search, ms                    rebuild s")
    for r in results:
        searches = "  ".join(f"{mode} {s['median_ms']:.1f}" for mode, s in r["search"].items())
        line = f"{r['kind']:<9}{r['chunks']:>8}{r['seconds']:>9.1f}"
        line += f"{r['chunks'] / r['seconds']:>10.1f}{r['unchanged_seconds']:>9.2f}"
        line += f"{r['tree_mb']:>6}{r['home_mb']:>9.1f}  {searches:<38}"
        print(f"{line}{r.get('rebuild_seconds', '')!s:>8}")
    rows: list[tuple[str, object, str, bool | None]] = []
    for kind in ("words", "made-up"):
        memory = [r["tree_mb"] for r in results if r["kind"] == kind]
        more = max(memory) - memory[0]
        # Chroma holds its index in memory, so with a store there is no bar.
        bar = f"<= {BAR_MEMORY_GROWTH_MB}" if kind == "words" else ""
        met = more <= BAR_MEMORY_GROWTH_MB if bar else None
        rows.append((f"{kind}: more memory than for the fewest chunks", f"{more} MB", bar, met))
    for r in results:
        if "rebuild_seconds" not in r:
            continue
        if r["rebuild_exit_code"]:
            rows.append((f"{r['kind']}: rebuild", "failed", "exit code 0", False))
            continue
        # The bar is for ten thousand chunks; fewer must take no longer.
        has_bar = r["chunks"] <= 1.2 * REBUILD_CHUNKS
        met = r["rebuild_seconds"] <= BAR_REBUILD_S
        rows.append(
            (
                f"{r['kind']}: rebuild of {r['chunks']} chunks",
                f"{r['rebuild_seconds']} s",
                f"<= {BAR_REBUILD_S:g} s" if has_bar else "",
                met if has_bar else None,
            )
        )
    return print_table("bars", rows)


if __name__ == "__main__":
    sys.exit(main())
