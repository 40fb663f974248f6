"""Disturbs `nook ingest` on purpose and looks at what can be seen afterwards.

`Stage` holds documents that changed since a home read them. A trial copies that home, disturbs one
run on the copy, and holds what is visible then against the two states that are allowed: for every
source what it was before or what it is to be, never a mix.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

__all__ = [
    "Run",
    "Shim",
    "Source",
    "Stage",
    "State",
    "build_shim",
    "ingest",
    "kill_after",
    "mixed_sources",
    "start",
    "state_of",
]

HERE = Path(__file__).resolve().parent
LEXICAL = "RETRIEVE mode=lexical"
_ENDS_WITHIN_S = 120


# --- what can be seen -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chunk:
    """A visible chunk: everything that an answer could be made from."""

    place: str
    start: int
    end: int
    text: str
    headings: str
    terms: str
    vector: str


@dataclass(frozen=True, slots=True)
class Source:
    """How a source stands: `in`, or as it ended; why; and what can be found of it."""

    outcome: str
    reason: str
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class State:
    """What a home shows. `problems` is what must never be seen, whatever happened."""

    sources: Mapping[str, Source] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def visible(self) -> dict[str, tuple[Chunk, ...]]:
        """The chunks of each source that has any."""
        return {name: source.chunks for name, source in self.sources.items() if source.chunks}


def state_of(home: Path, scratch: Path) -> State:
    """What the home shows now.

    Looks at a copy in `scratch`: opening a catalog mends it, which is for the next run to do.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    problems = list(_cache_problems(home, scratch))
    pointers = list((home / "data" / "knowledge").glob("*/current"))
    if not pointers:
        return State({}, tuple(problems))
    (pointer,) = pointers
    name = pointer.read_text("utf-8").strip()
    if not pointer.with_name(name).is_file():
        return State({}, (*problems, f"`current` names {name!r}, which is not there"))
    catalog = _copy(pointer.with_name(name), scratch)
    with closing(sqlite3.connect(catalog)) as connection:
        problems += _catalog_problems(connection)
        sources = _sources(connection)
    shutil.rmtree(scratch)
    return State(sources, tuple(problems))


def _copy(database: Path, scratch: Path) -> Path:
    """A copy of a database with its journals."""
    for part in database.parent.glob(f"{database.name}*"):
        if not part.name.endswith("-shm"):
            shutil.copyfile(part, scratch / part.name)
    return scratch / database.name


def _cache_problems(home: Path, scratch: Path) -> Iterator[str]:
    cache = home / "data" / "embeddings.sqlite"
    if cache.is_file():
        with closing(sqlite3.connect(_copy(cache, scratch))) as connection:
            yield from _integrity(connection, "the cache of embeddings")


def _integrity(connection: sqlite3.Connection, what: str) -> Iterator[str]:
    rows = connection.execute("PRAGMA integrity_check").fetchall()
    if rows != [("ok",)]:
        yield f"{what}: {rows[:3]}"


def _catalog_problems(connection: sqlite3.Connection) -> Iterator[str]:
    yield from _integrity(connection, "the catalog")
    try:
        connection.execute("INSERT INTO terms (terms) VALUES ('integrity-check')")
    except sqlite3.DatabaseError as error:
        yield f"the lexical index: {error}"
    counts = {
        "chunks without terms": "SELECT count(*) FROM chunks WHERE key NOT IN"
        " (SELECT rowid FROM terms)",
        "terms without a chunk": "SELECT count(*) FROM terms WHERE rowid NOT IN"
        " (SELECT key FROM chunks)",
        "chunks without a source": "SELECT count(*) FROM chunks WHERE source_id NOT IN"
        " (SELECT id FROM sources)",
        "visible sources without a chunk": "SELECT count(*) FROM sources WHERE generation > 0"
        " AND id NOT IN (SELECT source_id FROM live)",
        "sources with a gap in their chunks": "SELECT count(*) FROM (SELECT count(*) AS n,"
        " max(ordinal) + 1 AS m, min(ordinal) AS l FROM live GROUP BY source_id"
        " HAVING n != m OR l != 0)",
        "sources that stand twice": "SELECT count(*) - count(DISTINCT name) FROM sources",
        "lengths of vectors too many": "SELECT max(0, count(DISTINCT length(embedding)) - 1)"
        " FROM live",
    }
    for what, sql in counts.items():
        (count,) = connection.execute(sql).fetchone()
        if count:
            yield f"{count} {what}"


def _sources(connection: sqlite3.Connection) -> dict[str, Source]:
    found = {}
    rows = connection.execute("SELECT id, name, generation, outcome, reason FROM sources")
    for id_, name, generation, outcome, reason in rows.fetchall():
        chunks = tuple(_chunks(connection, id_))
        if not generation and outcome not in ("failed", "quarantined"):
            continue  # begun and never visible
        known = outcome if outcome in ("failed", "quarantined") else "in"
        found[name] = Source(known, reason, chunks)
    return found


def _chunks(connection: sqlite3.Connection, source_id: str) -> Iterator[Chunk]:
    rows = connection.execute(
        "SELECT locator_kind || locator_value, place_start, place_end, text, headings, content,"
        " embedding FROM live LEFT JOIN terms ON terms.rowid = live.key WHERE source_id = ?"
        " ORDER BY ordinal",
        (source_id,),
    )
    for place, start_, end, text, headings, terms, embedding in rows:
        digest = hashlib.sha256(embedding).hexdigest()[:16]
        yield Chunk(place, start_, end, text, headings, terms, digest)


def mixed_sources(seen: State, old: State, new: State, renamed: Mapping[str, str]) -> list[str]:
    """The prefix-state oracle: what is wrong with `seen`, if `old` was to become `new`.

    Every source shows all that it showed before or all that it is to show, and none that is in
    both is ever missing. Of a renamed one exactly one name is there. Idea: crash4.test of SQLite.
    """
    before, after, now = old.visible, new.visible, seen.visible
    wrong = [*seen.problems]
    for name in sorted(before.keys() | after.keys() | now.keys()):
        if now.get(name) not in (before.get(name), after.get(name)):
            lengths = [len(state.get(name, ())) for state in (before, after, now)]
            wrong.append(f"{name}: neither as before nor as it is to be; chunks: {lengths}")
    for was, is_now in renamed.items():
        if was in before and (was in now) == (is_now in now):
            wrong.append(f"{was}, renamed {is_now}: there {'twice' if was in now else 'no more'}")
    return wrong


# --- documents that change ------------------------------------------------------------------------


def text_of(name: str, version: int, paragraphs: int) -> str:
    """Distinct paragraphs; a source of some chunks."""
    lines = [
        f"Source {name} says in version {version} that part {part} holds {part * 31 + version}."
        f" It is kept in cabinet {name}{part} and read by {part + 2} people."
        for part in range(paragraphs)
    ]
    return "\n\n".join(lines) + "\n"


class Stage:
    """Documents in their new form, a home that knows the old ones, and one that knows the new.

    One is unchanged, one changed, one grew, one is gone, one renamed, one new, one broken.

    Args:
        folder: Where everything goes.
        lines: Of the Assistantfile, beside FROM and FILE.
        sources: How many more unchanged, changed and new ones there are, of each.
        prepare: Fills a new home, with models say.
        rebuilt: The Assistantfile changes too, so that everything is read anew.
    """

    renamed: Mapping[str, str] = {"old-name.txt": "new-name.txt"}

    def __init__(
        self,
        folder: Path,
        lines: tuple[str, ...] = (LEXICAL,),
        *,
        sources: int = 0,
        prepare: Callable[[Path], None] = lambda home: home.mkdir(parents=True, exist_ok=True),
        rebuilt: bool = False,
    ) -> None:
        self.folder = folder
        self.documents = folder / "documents"
        self.documents.mkdir(parents=True)
        self.profile = self.documents / "Assistantfile"
        self._prepare = prepare
        self._write_profile(lines)
        self._write_old(sources)
        self.old_home = self._home("old")
        self._ingest_undisturbed(self.old_home)
        self.old = state_of(self.old_home, folder / "look")
        self._write_new(sources)
        if rebuilt:
            self._write_profile((*lines, "SPLITTER sentences max_tokens=40"))
        self.new_home = self.copy_of_old("new")
        started = time.monotonic()
        self.exit_code = self._ingest_undisturbed(self.new_home)
        self.took_s = time.monotonic() - started
        self.new = state_of(self.new_home, folder / "look")
        assert not self.old.problems
        assert not self.new.problems
        assert self.old.sources != self.new.sources
        assert "failed" == self.new.sources["broken.pdf"].outcome

    def _write_profile(self, lines: tuple[str, ...]) -> None:
        text = "\n".join(["FROM any", *lines, "FILE ./*.txt", "FILE ./*.pdf optional=true", ""])
        self.profile.write_text(text, "utf-8")

    def _write_old(self, sources: int) -> None:
        for name in ("same", "changed", "gone", "old-name"):
            self._write(name, 1, 12)
        self._write("grown", 1, 3)
        for number in range(sources):
            self._write(f"same-{number}", 1, 40)
            self._write(f"changed-{number}", 1, 40)

    def _write_new(self, sources: int) -> None:
        self._write("changed", 2, 12)
        self._write("grown", 1, 30)
        self._write("new", 2, 12)
        (self.documents / "gone.txt").unlink()
        (self.documents / "old-name.txt").rename(self.documents / "new-name.txt")
        (self.documents / "broken.pdf").write_bytes(b"%PDF-1.7\nno more of it is here")
        for number in range(sources):
            self._write(f"changed-{number}", 2, 40)
            self._write(f"new-{number}", 2, 40)

    def _write(self, name: str, version: int, paragraphs: int) -> None:
        path = self.documents / f"{name}.txt"
        path.write_text(text_of(name, version, paragraphs), "utf-8")

    def _home(self, name: str) -> Path:
        home = self.folder / "homes" / name
        self._prepare(home)
        return home

    def _ingest_undisturbed(self, home: Path) -> int:
        run = ingest(home, self.profile)
        assert run.exit_code in (0, 1), run.error
        return run.exit_code

    def copy_of_old(self, name: str) -> Path:
        """A home as it was when the documents had their old form."""
        home = self.folder / "homes" / name
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.old_home, home, copy_function=_link_models)
        return home

    def empty_home(self, name: str) -> Path:
        """A home that has read nothing."""
        shutil.rmtree(self.folder / "homes" / name, ignore_errors=True)
        return self._home(name)

    def wrong_with(self, home: Path, *, first: bool = False) -> list[str]:
        """What is wrong with what a disturbed run left; `first` if the home knew nothing."""
        seen = state_of(home, self.folder / f"look-{home.name}")
        return mixed_sources(seen, State() if first else self.old, self.new, self.renamed)

    def wrong_after_a_clean_run(self, home: Path) -> list[str]:
        """What is wrong after one run that nothing disturbs."""
        run = ingest(home, self.profile)
        if run.exit_code != self.exit_code:
            return [f"the clean run ended with {run.exit_code}: {run.error[-500:]}"]
        seen = state_of(home, self.folder / f"look-{home.name}")
        return [*seen.problems, *differences(seen, self.new)]


def differences(seen: State, wanted: State) -> list[str]:
    """Where two states differ, a line for each source."""
    return [
        f"{name}: {_short(seen.sources.get(name))}, not {_short(wanted.sources.get(name))}"
        for name in sorted(seen.sources.keys() | wanted.sources.keys())
        if seen.sources.get(name) != wanted.sources.get(name)
    ]


def _short(source: Source | None) -> str:
    if source is None:
        return "not there"
    return f"{source.outcome} {source.reason} with {len(source.chunks)} chunks"


def _link_models(source: str, target: str) -> str:
    """Copy a file; models are large and never written, so they are linked."""
    if f"{os.sep}models{os.sep}" in source:
        with suppress(OSError):
            os.link(source, target)
            return target
    shutil.copy2(source, target)
    return target


# --- runs -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """A run that ended; a negative exit code is a signal."""

    exit_code: int
    out: str
    error: str


def start(
    home: Path,
    profile: Path,
    environment: Mapping[str, str] | None = None,
    under: tuple[str, ...] = (),
) -> psutil.Popen:
    """`nook ingest`, running. It leads a group of processes of its own.

    `under` is a command that is to run it, such as a tracer.
    """
    nook = (sys.executable, "-m", "inglenook", "--home", str(home), "ingest", str(profile))
    return psutil.Popen(
        [*under, *nook],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )


def end_of(process: psutil.Popen) -> Run:
    """Wait for the end of a run."""
    try:
        out, error = process.communicate(timeout=_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        for one in [*process.children(recursive=True), process]:
            one.kill()
        raise AssertionError(f"nook ingest hung for {_ENDS_WITHIN_S} s") from None
    return Run(process.returncode, out.decode(errors="replace"), error.decode(errors="replace"))


def ingest(
    home: Path,
    profile: Path,
    environment: Mapping[str, str] | None = None,
    under: tuple[str, ...] = (),
) -> Run:
    """`nook ingest`, to its end."""
    return end_of(start(home, profile, environment, under))


@dataclass(frozen=True, slots=True)
class Kill:
    """What was killed: the process that ingests, one of its children, or nothing any more."""

    whom: str
    run: Run
    left: tuple[str, ...]


def kill_after(home: Path, profile: Path, seconds: float, *, child: bool) -> Kill:
    """Start a run, and kill -9 it or one of its children after some time.

    `left` is what still runs of it some seconds after the parent is gone.
    """
    process = start(home, profile)
    whom, family = "nobody", [process]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.is_running():
        time.sleep(min(0.01, max(0.0, deadline - time.monotonic())))
    with suppress(psutil.Error):
        children = process.children(recursive=True)
        family += children
        target, whom = (children[0], "child") if child and children else (process, "parent")
        target.kill()
    run = end_of(process)
    _, alive = psutil.wait_procs(family[1:], timeout=5)
    left = tuple(f"{p.pid} {p.name()}" for p in alive if p.is_running())
    for survivor in alive:
        with suppress(psutil.Error):
            survivor.kill()
    return Kill(whom, run, left)


# --- the shim -------------------------------------------------------------------------------------


def build_shim(folder: Path) -> Path:
    """The library of `enospc.c`, built with the system's C compiler."""
    compiler = shutil.which("cc")
    assert compiler, "this test needs a C compiler named cc: install one with your packages"
    library = folder / "enospc.so"
    source = HERE / "enospc.c"
    subprocess.run(
        [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True
    )
    return library


@dataclass(frozen=True, slots=True)
class Shim:
    """Puts the library under a run; see `enospc.c` for the modes and the kinds of calls."""

    library: Path
    counter: Path

    def run(self, home: Path, profile: Path, mode: str, at: int, calls: str) -> tuple[Run, int]:
        """`nook ingest` disturbed at the n-th call; the run, and how many faults there were."""
        with self._counting() as (environment, numbers):
            environment |= {"FAULT_MODE": mode, "FAULT_AT": str(at), "FAULT_CALLS": calls}
            environment["FAULT_FOLDER"] = str(home.resolve())
            run = ingest(home, profile, environment)
            return run, numbers()[1]

    def count(self, home: Path, profile: Path, calls: str) -> int:
        """How many such calls an undisturbed run makes."""
        with self._counting() as (environment, numbers):
            environment |= {"FAULT_MODE": "count", "FAULT_CALLS": calls}
            environment["FAULT_FOLDER"] = str(home.resolve())
            run = ingest(home, profile, environment)
            assert run.exit_code in (0, 1), run.error
            return numbers()[0]

    @contextmanager
    def _counting(self) -> Iterator[tuple[dict[str, str], Callable[[], Any]]]:
        counter = self.counter.with_name(f"{self.counter.name}-{time.monotonic_ns()}")
        counter.write_bytes(bytes(16))
        environment = {"LD_PRELOAD": str(self.library), "FAULT_COUNTER": str(counter)}
        yield environment, lambda: struct.unpack("<QQ", counter.read_bytes())
        counter.unlink()
