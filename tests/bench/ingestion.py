"""Ingestion of whole folders: against LlamaIndex, against the bare embedder, and with broken files.

    python tests/bench/ingestion.py [--quick] [--only mixed|small] [--no-peer] [--json FILE]

`--embedder minilm:fp32` compares the same weights; by default ours are those that are packaged,
in 8 bits. Every figure is of a whole process in a fresh installation, whose model was made ready
as `nook pull` does; that is a row of its own. Run it on a machine that
does nothing else: the first line of the report says whether it was so. Exit code 1 if a bar was
missed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ingestion_corpus import SmallFiles, make_mixed, make_small_files
from ingestion_peer import make_peer, run_peer
from ingestion_runs import (
    BENCH,
    Run,
    borrow_models,
    ingest,
    machine,
    measured,
    prepare,
    print_table,
    profile,
)

HERE = Path(__file__).resolve().parent
BAR_AGAINST_PEER = 2.4
BAR_UNCHANGED = 20.0
BAR_EMBEDDING = 0.95
BAR_REST_MS = 3.0
BAR_SMALL_RATIO = 0.9
BAR_MEMORY_MB = 1_000


def main() -> int:
    arguments = _arguments()
    work = BENCH / "ingestion"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    report: dict[str, Any] = {"benchmark": "ingestion", "machine": machine()}
    print(f"machine: {report['machine']}", flush=True)
    met = True
    if arguments.only in (None, "mixed"):
        sizes = (60, 6) if arguments.quick else (600, 60)
        report["mixed"] = mixed(work / "mixed", sizes, arguments.embedder, with_peer=arguments.peer)
        met &= _print_mixed(report["mixed"])
    if arguments.only in (None, "small"):
        count = arguments.files or (1_000 if arguments.quick else 10_000)
        report["small"] = small(work / "small", count, arguments.embedder)
        met &= _print_small(report["small"])
    text = json.dumps(report, indent=2)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)
    shutil.rmtree(work, ignore_errors=True)
    return 0 if met else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the files")
    parser.add_argument("--only", choices=("mixed", "small"), help="one of the two folders")
    parser.add_argument("--no-peer", dest="peer", action="store_false", help="without LlamaIndex")
    parser.add_argument("--files", type=int, default=0, help="how many small files")
    parser.add_argument("--embedder", default="minilm", help="the model that embeds for us")
    parser.add_argument("--json", type=Path, help="also write the report here")
    return parser.parse_args()


# --- the mixed folder -----------------------------------------------------------------------------


def mixed(work: Path, sizes: tuple[int, int], embedder: str, *, with_peer: bool) -> dict[str, Any]:
    """Ours first, then the peer, each twice on the same folder; then the bare embedder."""
    if with_peer:
        make_peer()
    texts, pdfs = sizes
    documents = work / "assistant" / "documents"
    broken = make_mixed(documents, texts=texts, pdfs=pdfs)
    assistant = profile(work / "assistant", f"EMBEDDER {embedder}")
    home = borrow_models(work / "home")
    prepared = prepare(home, embedder)
    first, again = ingest(home, assistant), ingest(home, assistant)
    bare = measured([sys.executable, str(HERE / "ingestion_bare.py"), str(home), embedder])
    shutil.rmtree(home / "data" / "knowledge")
    (home / "data" / "embeddings.sqlite").unlink()
    stage = measured([sys.executable, str(HERE / "ingestion_stage.py"), str(home), str(assistant)])
    result: dict[str, Any] = {
        "prepared_seconds": round(prepared, 2),
        "stage": stage.report,
        "texts": texts,
        "pdfs": pdfs,
        "embedder": embedder,
        "ours": _ours(first),
        "ours_unchanged": _ours(again),
        "bare": bare.report,
        "broken_named": _failures(first.report).get(f"documents/{broken.name}", ""),
        "failed": len(_failures(first.report)),
    }
    if with_peer:
        state = work / "peer"
        result["peer"] = _peer(run_peer(documents, state))
        result["peer_unchanged"] = _peer(run_peer(documents, state))
    return result


def _ours(run: Run) -> dict[str, Any]:
    report = run.report
    return {
        "seconds": round(run.seconds, 3),
        "exit_code": run.exit_code,
        "tree_mb": round(run.tree_mb),
        "own_mb": round(run.own_mb),
        "chunks": report["chunks"],
        "counts": report["counts"],
        "report_seconds": round(report["seconds"], 3),
        "stage_seconds": {k: round(v, 3) for k, v in report.get("stage_seconds", {}).items()},
    }


def _peer(run: Run) -> dict[str, Any]:
    if run.exit_code:
        raise SystemExit(f"LlamaIndex failed ({run.exit_code}):\n{run.error[-4000:]}")
    measures = {"process_seconds": round(run.seconds, 3), "tree_mb": round(run.tree_mb)}
    return {**run.report, **measures}


def _failures(report: Mapping[str, Any]) -> dict[str, str]:
    """Name -> reason of every source that was not read, or not wholly."""
    found = {}
    for result in report["results"]:
        parts = [n for n in result.get("notices", ()) if n["code"] == "part-failed"]
        if result["outcome"] in ("failed", "quarantined"):
            found[result["name"]] = result["reason"]
        elif parts:
            found[result["name"]] = "part-failed"
    return found


def _print_mixed(result: Mapping[str, Any]) -> bool:
    ours, again, bare = result["ours"], result["ours_unchanged"], result["bare"]
    stages = ours["stage_seconds"]
    embed = stages.get("embed", 0.0)
    share = bare["seconds"] / embed if embed else 0.0
    cpu_share = bare["cpu_seconds"] / result["stage"]["embed_cpu_seconds"]
    rest_ms = (ours["seconds"] - embed) / max(1, ours["chunks"]) * 1000 if embed else 0.0
    rows: list[tuple[str, object, str, bool | None]] = [
        ("ours: the model made ready once", f"{result['prepared_seconds']:.1f} s", "", None),
        ("ours: whole process", f"{ours['seconds']:.1f} s", "", None),
        ("ours: chunks, a second", f"{ours['chunks'] / ours['seconds']:.1f}", "", None),
        ("ours: chunks", ours["chunks"], "", None),
        ("ours: unchanged again", f"{again['seconds']:.2f} s", "", None),
        (
            "ours: the broken PDF is named as",
            result["broken_named"] or "not named",
            "",
            bool(result["broken_named"]),
        ),
        ("ours: sources that failed", result["failed"], "1", result["failed"] == 1),
        ("ours: exit code", ours["exit_code"], "1", ours["exit_code"] == 1),
        ("ours: memory of all processes", f"{ours['tree_mb']} MB", "", None),
        ("bare embedder over the same texts", f"{bare['seconds']:.1f} s", "", None),
        (
            "  vectors that are the same",
            f"{bare['same_vectors']} of {bare['texts']}",
            "all",
            bare["same_vectors"] == bare["texts"],
        ),
        ("stages", " ".join(f"{k} {v:.1f}" for k, v in stages.items()) or "not told", "", None),
        (
            "bare embedder / our embedding stage",
            f"{share:.3f}",
            f">= {BAR_EMBEDDING}",
            share >= BAR_EMBEDDING,
        ),
        ("  by its CPU time: parsing has the same cores", f"{cpu_share:.3f}", "", None),
        (
            "all but embedding, a chunk",
            f"{rest_ms:.2f} ms",
            f"<= {BAR_REST_MS}",
            bool(embed) and rest_ms <= BAR_REST_MS,
        ),
    ]
    if "peer" in result:
        rows += _rows_of_peer(result["peer"], result["peer_unchanged"], ours, again)
    title = (
        f"{result['texts']} text files and {result['pdfs']} PDFs; we embed with"
        f" {result['embedder']}, LlamaIndex with minilm in full precision"
    )
    return print_table(title, rows)


def _rows_of_peer(
    peer: Mapping[str, Any],
    peer_again: Mapping[str, Any],
    ours: Mapping[str, Any],
    again: Mapping[str, Any],
) -> list[tuple[str, object, str, bool | None]]:
    ratio = peer["process_seconds"] / ours["seconds"]
    unchanged = peer_again["process_seconds"] / again["seconds"]
    lost = f"{len(peer['files_lost'])} file(s), exit code 0"
    return [
        ("LlamaIndex: whole process", f"{peer['process_seconds']:.1f} s", "", None),
        (
            "LlamaIndex: chunks, a second",
            f"{peer['chunks'] / peer['process_seconds']:.1f}",
            "",
            None,
        ),
        ("LlamaIndex: chunks", peer["chunks"], "", None),
        ("LlamaIndex: unchanged again", f"{peer_again['process_seconds']:.2f} s", "", None),
        ("LlamaIndex: lost", lost, "", None),
        ("LlamaIndex: memory of all processes", f"{peer['tree_mb']} MB", "", None),
        (
            "LlamaIndex / ours, the same folder",
            f"{ratio:.2f}",
            f">= {BAR_AGAINST_PEER}",
            ratio >= BAR_AGAINST_PEER,
        ),
        (
            "LlamaIndex / ours, unchanged again",
            f"{unchanged:.1f}",
            f">= {BAR_UNCHANGED:g}",
            unchanged >= BAR_UNCHANGED,
        ),
    ]


# --- many small files -----------------------------------------------------------------------------


def small(work: Path, count: int, embedder: str) -> dict[str, Any]:
    """The same number of files, all whole and then with every hundredth broken."""
    lines = ["RETRIEVE mode=lexical"] if embedder == "none" else [f"EMBEDDER {embedder}"]
    runs: dict[str, Run] = {}
    made: dict[str, SmallFiles] = {}
    for name in ("clean", "broken"):
        folder = work / name
        made[name] = make_small_files(folder / "documents", count, broken=name == "broken")
        home = borrow_models(work / f"home-{name}")
        runs[name] = ingest(home, profile(folder, *lines))
        shutil.rmtree(home)
    return {
        "files": count,
        "embedder": embedder,
        "clean": _ours(runs["clean"]),
        "broken": _ours(runs["broken"]),
        **_judged(runs["broken"].report, made["broken"]),
    }


def _judged(report: Mapping[str, Any], made: SmallFiles) -> dict[str, Any]:
    """What was told about the broken files, held against what they are."""
    failures = {name.removeprefix("documents/"): r for name, r in _failures(report).items()}
    results = {r["name"].removeprefix("documents/"): r for r in report["results"]}
    notices = " ".join(notice["message"] for notice in report["notices"])
    wrong = {
        file.name: f"{failures.get(file.name, 'not named')}, not {' or '.join(file.reasons)}"
        for file in made.broken
        if failures.get(file.name) not in file.reasons
    }
    expected = {file.name for file in made.broken}
    return {
        "made_broken": len(made.broken),
        "kinds": len({file.kind for file in made.broken}),
        "named": len(expected & failures.keys()),
        "wrongly_judged": wrong,
        "whole_but_failed": {n: r for n, r in failures.items() if n not in expected},
        "whole_and_in": sum(results.get(n, {}).get("outcome") == "added" for n in made.whole),
        "whole": len(made.whole),
        "odd_not_named": [odd.name for odd in made.odd if odd.name not in notices],
        "reasons": dict(Counter(failures.values())),
    }


def _print_small(result: Mapping[str, Any]) -> bool:
    clean, broken, count = result["clean"], result["broken"], result["files"]
    ratio = clean["seconds"] / broken["seconds"]
    wrong, odd = result["wrongly_judged"], result["odd_not_named"]
    rows: list[tuple[str, object, str, bool | None]] = [
        ("clean: files a second", f"{count / clean['seconds']:.1f}", "", None),
        ("clean: exit code", clean["exit_code"], "0", clean["exit_code"] == 0),
        (
            "clean: memory of all processes",
            f"{clean['tree_mb']} MB",
            f"<= {BAR_MEMORY_MB}",
            clean["tree_mb"] <= BAR_MEMORY_MB,
        ),
        ("broken: files a second", f"{count / broken['seconds']:.1f}", "", None),
        ("broken: exit code", broken["exit_code"], "1", broken["exit_code"] == 1),
        (
            "broken: memory of all processes",
            f"{broken['tree_mb']} MB",
            f"<= {BAR_MEMORY_MB}",
            broken["tree_mb"] <= BAR_MEMORY_MB,
        ),
        (
            "throughput, broken to clean",
            f"{ratio:.3f}",
            f">= {BAR_SMALL_RATIO}",
            ratio >= BAR_SMALL_RATIO,
        ),
        (
            "whole files that are in",
            f"{result['whole_and_in']} of {result['whole']}",
            "all",
            result["whole_and_in"] == result["whole"],
        ),
        (
            "broken files that are named",
            f"{result['named']} of {result['made_broken']}",
            "all",
            result["named"] == result["made_broken"],
        ),
        ("  of them with a wrong reason", len(wrong), "0", not wrong),
        ("pipes and dead links that are not named", len(odd), "0", not odd),
    ]
    met = print_table(f"{count} small files, embedder {result['embedder']}", rows)
    for name, why in list(wrong.items())[:25]:
        print(f"    {name}: {why}")
    return met


if __name__ == "__main__":
    sys.exit(main())
