"""Thirteen files made to hurt: each is refused, and the process that ingests hardly grows.

    python tests/bench/hostile.py [--each] [--json FILE]

Retrieval is by words, so that no embedder's memory hides a growth. Beside the thirteen stand files
that try to read or write outside, and ordinary ones, which must all get in. Exit code 1 if a bar
was missed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ingestion_bare import live_chunks
from ingestion_broken import HOSTILE, BrokenKind, make_docx, make_odt, make_xlsx, zip_of
from ingestion_corpus import Prose, make_pdf
from ingestion_runs import BENCH, Run, borrow_models, ingest, machine, print_table, profile
from ingestion_tricks import SECRET, TRICKS

BAR_GROWTH_MB = 50
_NEIGHBOURS = 20
_FORMATS = ("pdf", "docx", "xlsx", "odt", "zip", "json")
"""A neighbour of each of these is whole, or a reader that refuses everything would pass."""
_LEXICAL = "RETRIEVE mode=lexical"


def main() -> int:
    arguments = _arguments()
    work = BENCH / "hostile"
    shutil.rmtree(work, ignore_errors=True)
    report: dict[str, Any] = {"benchmark": "hostile", "machine": machine()}
    print(f"machine: {report['machine']}", flush=True)
    plain = _ingest(work / "plain", ())
    all_of_them = _ingest(work / "all", HOSTILE)
    report["hostile"] = judged(all_of_them, plain, HOSTILE)
    if arguments.each:
        report["each"] = {
            _file_name(kind): judged(_ingest(work / "each", (kind,)), plain, (kind,))
            for kind in HOSTILE
        }
    report["tricks"] = tricks(work / "tricks")
    met = _print(report)
    text = json.dumps(report, indent=2)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    shutil.rmtree(work, ignore_errors=True)
    return 0 if met else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", action="store_true", help="also each of them alone")
    parser.add_argument("--json", type=Path, help="also write the report here")
    return parser.parse_args()


def _file_name(kind: BrokenKind) -> str:
    return f"{kind.name.replace(' ', '-').replace(',', '')}{kind.extension}"


def _ingest(work: Path, kinds: Sequence[BrokenKind]) -> Run:
    """A run over these files and ordinary neighbours, in a home of its own."""
    shutil.rmtree(work, ignore_errors=True)
    documents = work / "documents"
    documents.mkdir(parents=True)
    _neighbours(documents)
    for kind in kinds:
        kind.make(documents / _file_name(kind), "hostile")
    return ingest(borrow_models(work / "home"), profile(work, _LEXICAL))


def _neighbours(documents: Path) -> None:
    prose = Prose(7)
    for number in range(_NEIGHBOURS - len(_FORMATS)):
        (documents / f"neighbour-{number:02}.txt").write_text(prose.text(2_000), "utf-8")
    makers = {
        "pdf": lambda: make_pdf(prose.title(), [prose.text(2_000)]),
        "docx": lambda: make_docx(prose.text(500)),
        "xlsx": lambda: make_xlsx(prose.title()),
        "odt": lambda: make_odt(prose.text(500)),
        "zip": lambda: zip_of({"notes.txt": prose.text(500).encode()}),
        "json": lambda: json.dumps({"text": prose.text(500)}).encode(),
    }
    for extension in _FORMATS:
        (documents / f"neighbour.{extension}").write_bytes(makers[extension]())


def judged(run: Run, plain: Run, kinds: Sequence[BrokenKind]) -> dict[str, Any]:
    """How each file ended, and how much more memory than a plain run was needed."""
    results = {r["name"].removeprefix("documents/"): r for r in run.report["results"]}
    ends = {_file_name(kind): _end(results.get(_file_name(kind), {}), kind) for kind in kinds}
    return {
        "exit_code": run.exit_code,
        "seconds": round(run.seconds, 1),
        "own_growth_mb": round(run.own_mb - plain.own_mb, 1),
        "tree_mb": round(run.tree_mb),
        "neighbours_out": _neighbours_out(results),
        "ends": ends,
    }


def _neighbours_out(results: Mapping[str, Any]) -> list[str]:
    """The ordinary files that were not read."""
    names = [f"neighbour-{number:02}.txt" for number in range(_NEIGHBOURS - len(_FORMATS))]
    names += [f"neighbour.{extension}" for extension in _FORMATS]
    return [name for name in names if results.get(name, {}).get("outcome") != "added"]


def _end(result: Mapping[str, Any], kind: BrokenKind) -> dict[str, Any]:
    if not result:
        return {"refused": False, "what": "not named"}
    what = result["reason"] or result["outcome"]
    parts = [n["message"] for n in result["notices"] if n["code"] == "part-failed"]
    refused = result["outcome"] == "failed" and result["reason"] in kind.reasons
    # An archive is a folder: its bad member is refused, not the archive.
    refused |= kind.extension == ".zip" and bool(parts)
    return {"refused": refused, "what": what, "message": (result["message"] or " ".join(parts))}


def tricks(work: Path) -> dict[str, Any]:
    """Ingest the tricks; what leaked and what was written outside."""
    documents = work / "documents"
    documents.mkdir(parents=True)
    _neighbours(documents)
    outside = work / "outside"
    outside.mkdir()
    secret = outside / "secret.txt"
    secret.write_text(f"The password is {SECRET}.", "utf-8")
    for trick in TRICKS:
        (documents / trick.name).write_bytes(trick.content(secret))
    home = borrow_models(work / "home")
    run = ingest(home, profile(work, _LEXICAL))
    results = {r["name"].removeprefix("documents/"): r for r in run.report["results"]}
    return {
        "exit_code": run.exit_code,
        "seconds": round(run.seconds, 1),
        "leaks": sum(SECRET in text for text, _ in live_chunks(home)),
        "written_outside": sorted(p.name for p in outside.iterdir() if p != secret),
        "neighbours_out": _neighbours_out(results),
        "ends": {
            trick.name: (results.get(trick.name) or {}).get("reason")
            or (results.get(trick.name) or {"outcome": "not named"})["outcome"]
            for trick in TRICKS
        },
    }


def _print(report: Mapping[str, Any]) -> bool:
    hostile, tried = report["hostile"], report["tricks"]
    ends = hostile["ends"]
    refused = sum(end["refused"] for end in ends.values())
    growth = hostile["own_growth_mb"]
    rows: list[tuple[str, object, str, bool | None]] = [
        ("hostile files refused", f"{refused} of {len(ends)}", "all", refused == len(ends)),
        ("exit code", hostile["exit_code"], "1", hostile["exit_code"] == 1),
        (
            "more memory of the process than without them",
            f"{growth} MB",
            f"< {BAR_GROWTH_MB}",
            growth < BAR_GROWTH_MB,
        ),
        ("memory of all processes", f"{hostile['tree_mb']} MB", "", None),
        ("whole process", f"{hostile['seconds']} s", "", None),
        (
            "ordinary neighbours that are not in",
            " ".join(hostile["neighbours_out"]) or 0,
            "0",
            not hostile["neighbours_out"],
        ),
    ]
    met = print_table("thirteen hostile files", rows)
    for name, end in ends.items():
        print(f"    {'  ' if end['refused'] else '! '}{name:<36}{end['what']}")
    for name, alone in report.get("each", {}).items():
        print(
            f"    {name:<38}alone: all processes {alone['tree_mb']} MB, this one"
            f" {alone['own_growth_mb']:+} MB, {alone['seconds']} s"
        )
    rows = [
        ("words of a file outside", tried["leaks"], "0", tried["leaks"] == 0),
        ("files written outside", len(tried["written_outside"]), "0", not tried["written_outside"]),
        (
            "ordinary neighbours that are not in",
            " ".join(tried["neighbours_out"]) or 0,
            "0",
            not tried["neighbours_out"],
        ),
        ("exit code", tried["exit_code"], "0 or 1", tried["exit_code"] in (0, 1)),
        ("whole process", f"{tried['seconds']} s", "", None),
    ]
    met &= print_table("files that try to get out", rows)
    for name, end in tried["ends"].items():
        print(f"      {name:<36}{end}")
    return met


if __name__ == "__main__":
    sys.exit(main())
