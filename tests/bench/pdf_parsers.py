"""Which library reads PDF text best: pypdfium2 against pypdf, with poppler as a third opinion.

Two tables. The first is over pages whose text is known (Hebrew and Arabic as five programs write
them): the share of words found, and found in order. The second is over the PDF files of the test
corpus: pages read, words, how many of poppler's words are among them and how many in its order,
time a page. Each file is read in a process of its own, so that peak memory is its own. Run it with
`python tests/bench/pdf_parsers.py`; poppler's `pdftotext` must be installed.
"""

from __future__ import annotations

import json
import re
import resource
import statistics
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path

TESTS = Path(__file__).parents[1]
CORPUS = TESTS / "data" / "corpus"
KNOWN = TESTS / "plugins" / "pdf" / "data"
LOADERS = {
    "pypdfium2": "inglenook_pdf.pypdfium2_loader:PdfiumLoader",
    "pypdf": "inglenook_pdf.pypdf_loader:PdfLoader",
}
PASSWORDS = {
    "2206.01062_pg3.pdf": "1234",
    "password.pdf": "password",
    "r4-aes-user-password.pdf": "asdfzxcv",
    "r6-both-passwords.pdf": "foo",
}
CONTROLS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
REPEATS = 3


@dataclass(frozen=True)
class Reading:
    """What became of one file: its text, or why there is none."""

    text: str
    pages: int
    failure: str
    seconds: float
    peak_mb: float


def read_here(loader: str, path: Path) -> Reading:
    """Read in this process; the best time of a few."""
    from importlib import import_module

    from inglenook.errors import LoadError
    from inglenook.types import CancelToken, LoadRequest, Section

    module, _, name = LOADERS[loader].partition(":")
    made = getattr(import_module(module), name)({})
    request = LoadRequest(path, path.name, password=PASSWORDS.get(path.name))
    sections: list[Section] = []
    failure, times = "", []
    for _ in range(REPEATS):
        started = time.perf_counter()
        try:
            parts = list(made.load(request, CancelToken()))
            sections = [part for part in parts if isinstance(part, Section)]
        except LoadError as error:
            failure = error.reason
        times.append(time.perf_counter() - started)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    text = "\n".join(section.text for section in sections)
    return Reading(text, len(sections), failure, min(times), peak_mb)


def read_apart(loader: str, path: Path) -> Reading:
    """Read in a new process; one that dies or takes over a minute is a failure."""
    command = [sys.executable, __file__, "--read", loader, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return Reading("", 0, "took over 60 s", 60.0, 0.0)
    if done.returncode:
        return Reading("", 0, f"died ({done.returncode})", 0.0, 0.0)
    return Reading(**json.loads(done.stdout))


def poppler(path: Path) -> Reading:
    """The third opinion."""
    password = PASSWORDS.get(path.name)
    options = ["-upw", password] if password else []
    started = time.perf_counter()
    done = subprocess.run(["pdftotext", *options, str(path), "-"], capture_output=True, check=False)
    seconds = time.perf_counter() - started
    pages = done.stdout.decode("utf-8", "replace").split("\f")[:-1]
    shown = [page for page in pages if page.strip()]
    failure = "" if shown else ("broken" if done.returncode or not pages else "no text")
    return Reading(CONTROLS.sub("", "\n".join(shown)), len(shown), failure, seconds, 0.0)


def words(text: str) -> list[str]:
    """Normal forms, so that the order of points on a letter does not matter."""
    return unicodedata.normalize("NFC", text).split()


def found(expected: Sequence[str], got: Sequence[str]) -> float:
    """The share of the expected words that are there, wherever."""
    return (Counter(expected) & Counter(got)).total() / max(len(expected), 1)


def in_order(expected: Sequence[str], got: Sequence[str]) -> float:
    """The share of the expected words that are there in runs of the same order."""
    blocks = SequenceMatcher(None, expected, got, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / max(len(expected), 1)


def known_rows() -> Iterator[tuple[str, ...]]:
    """A row for each file with known text."""
    yield ("known text", "pypdfium2 found / in order", "pypdf", "pdftotext")
    scores: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(KNOWN.glob("*.pdf")):
        expected = words((KNOWN / f"{path.stem.split('-')[0]}.txt").read_text("utf-8"))
        cells = []
        readings = {name: read_apart(name, path) for name in LOADERS} | {"poppler": poppler(path)}
        for name, reading in readings.items():
            got = words(reading.text)
            score = found(expected, got), in_order(expected, got)
            scores.setdefault(name, []).append(score)
            cells.append(f"{score[0]:.1%} / {score[1]:.1%}")
        yield (path.name, *cells)
    means = [
        f"{statistics.mean(s[0] for s in each):.1%} / {statistics.mean(s[1] for s in each):.1%}"
        for each in scores.values()
    ]
    yield ("mean", *means)


def corpus_rows() -> Iterator[tuple[str, ...]]:
    """A row for each PDF of the corpus and each library."""
    yield ("corpus", "library", "outcome", "words", "poppler's", "in order", "ms/page", "peak MB")
    per_page: dict[str, list[float]] = {name: [] for name in LOADERS}
    for path in sorted(CORPUS.rglob("*.pdf")):
        opinion = poppler(path)
        expected = words(opinion.text)
        said = opinion.failure or f"{opinion.pages} pages"
        yield (path.name, "pdftotext", said, str(len(expected)), "", "", "", "")
        for name in LOADERS:
            reading = read_apart(name, path)
            got = words(reading.text)
            each_ms = reading.seconds * 1000 / max(reading.pages, 1)
            if reading.pages:
                per_page[name].append(each_ms)
            yield (
                "",
                name,
                reading.failure or f"{reading.pages} pages",
                str(len(got)),
                f"{found(expected, got):.1%}" if expected else "",
                f"{in_order(expected, got):.1%}" if expected else "",
                f"{each_ms:.1f}",
                f"{reading.peak_mb:.0f}",
            )
    for name, times in per_page.items():
        median = f"{statistics.median(times):.1f}"
        yield ("median", name, f"{len(times)} read", "", "", "", median, "")


def print_table(rows: Iterator[tuple[str, ...]]) -> None:
    """Columns as wide as their widest cell."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)))
    print()


def main() -> int:
    """Print both tables."""
    if sys.argv[1:2] == ["--read"]:
        print(json.dumps(asdict(read_here(sys.argv[2], Path(sys.argv[3])))))
        return 0
    print_table(known_rows())
    print_table(corpus_rows())
    return 0


if __name__ == "__main__":
    sys.exit(main())
