"""Makes the folders of documents that the ingestion benchmarks read; the same seed, the same bytes.

The text is recombined from the English prose that comes with the project, so that it reads like
documents and no two chunks are equal.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from ingestion_broken import BROKEN_KINDS, OddEntry, make_odd_entries

__all__ = ["BrokenFile", "Prose", "SmallFiles", "make_growth", "make_mixed", "make_small_files"]

ROOT = Path(__file__).resolve().parent.parent.parent
_SENTENCE = re.compile(r"(?<=[.?!])\s+")
_PLAIN = re.compile(r"[A-Z][A-Za-z0-9 ,;:'’()%$€-]{38,238}[.?!]")
_LETTER_SHARE = 0.7
_TOPICS = (
    "access approvals archives audits backups badges budgets builds calendars certificates"
    " contracts customers deliveries devices drills escalations exports forecasts fleets grants"
    " incidents interviews inventories invoices keys laboratories ledgers licences meetings"
    " migrations networks offices onboarding orders patches payroll permits printers procurement"
    " projects quotas records refunds releases rentals repairs reports reviews rosters samples"
    " sensors shifts storage subscriptions suppliers surveys tenders training transfers travel"
    " uploads vehicles vendors visitors warehouses warranties workshops"
).split()


class Prose:
    """Paragraphs in a random order of real sentences. One seed, one endless text."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def sentence(self) -> str:
        return self.chance.choice(sentences())

    def paragraph(self, least: int = 4, most: int = 8) -> str:
        """A paragraph; the first sentence holds a number, so that none comes twice."""
        chance = self.chance
        own = (
            f"Rule {chance.randrange(10**9):,} on {chance.choice(_TOPICS)} applies to"
            f" {chance.choice(_TOPICS)} of group {chance.randrange(1000)}."
        )
        return " ".join([own, *(self.sentence() for _ in range(chance.randint(least, most)))])

    def title(self) -> str:
        first, second = self.chance.sample(_TOPICS, 2)
        return f"{first.capitalize()} and {second}"

    def text(self, characters: int) -> str:
        """Paragraphs of about this many characters together, a blank line between two."""
        parts: list[str] = []
        left = characters
        while left > 0 or not parts:
            parts.append(self.paragraph())
            left -= len(parts[-1])
        return "\n\n".join(parts)


@cache
def sentences() -> tuple[str, ...]:
    """Every plain English sentence in the documents of the project."""
    files = [
        *sorted((ROOT / "assistants" / "contoso").rglob("*.txt")),
        *sorted((ROOT / "assistants" / "contoso").rglob("*.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
    ]
    found: dict[str, None] = {}
    for file in files:
        for block in re.split(r"\n\s*\n", file.read_text("utf-8")):
            for sentence in _SENTENCE.split(" ".join(block.split())):
                letters = sum(c.isalpha() for c in sentence)
                if _PLAIN.fullmatch(sentence) and letters > _LETTER_SHARE * len(sentence):
                    found[sentence] = None
    return tuple(found)


# --- the mixed folder -----------------------------------------------------------------------------


def make_mixed(folder: Path, *, texts: int = 600, pdfs: int = 60, seed: int = 3) -> Path:
    """Text files and PDFs, of which one PDF is broken; the broken one.

    600 and 60 make about 3,900 chunks of LlamaIndex's `SentenceSplitter(256, 32)`.
    """
    folder.mkdir(parents=True)
    prose = Prose(seed)
    for number in range(texts):
        size = min(20_000, int(prose.chance.lognormvariate(8.05, 0.55)))
        text = f"{prose.title()}\n\n{prose.text(size)}\n"
        (folder / f"note-{number:03}.txt").write_text(text, "utf-8")
    for number in range(pdfs - 1):
        pages = [prose.text(2_300) for _ in range(prose.chance.randint(2, 8))]
        (folder / f"report-{number:02}.pdf").write_bytes(make_pdf(prose.title(), pages))
    whole = make_pdf(prose.title(), [prose.text(2_300) for _ in range(4)])
    broken = folder / f"report-{pdfs - 1:02}.pdf"
    broken.write_bytes(whole[: len(whole) // 3])
    return broken


def make_pdf(title: str, pages: Sequence[str]) -> bytes:
    """A PDF with a heading, running text and page numbers."""
    from fpdf import FPDF

    class _Numbered(FPDF):
        def footer(self) -> None:
            self.set_y(-15)
            self.set_font("Helvetica", size=8)
            self.cell(0, 10, f"Page {self.page_no()}", align="C")

    pdf = _Numbered()
    pdf.set_creation_date(datetime(2025, 1, 1, tzinfo=UTC))
    for number, page in enumerate(pages):
        pdf.add_page()
        if number == 0:
            pdf.set_font("Helvetica", "B", 15)
            pdf.cell(0, 12, title, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("Helvetica", size=10)
        for paragraph in page.split("\n\n"):
            safe = paragraph.replace("’", "'").replace("€", "EUR")
            pdf.multi_cell(0, 5, safe, new_x="LMARGIN", new_y="NEXT")
            pdf.ln(3)
    return bytes(pdf.output())


# --- many small files -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file that cannot be read.

    Args:
        name: Relative to the folder, with `/`.
        kind: Which sort of broken it is.
        reasons: The reasons that are right for it; how far a file can be understood before it is
            given up is a loader's own affair, so some have two.
    """

    name: str
    kind: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SmallFiles:
    """What `make_small_files` made."""

    whole: tuple[str, ...]
    broken: tuple[BrokenFile, ...]
    odd: tuple[OddEntry, ...]


def make_small_files(folder: Path, count: int, *, broken: bool, seed: int = 4) -> SmallFiles:
    """`count` files of a paragraph or two; with `broken`, every hundredth of them is broken.

    Without `broken` a whole file stands in the place of each, so that two runs read the same
    number of files. Files that are not files (pipes, dangling links) are never part of `count`.
    """
    prose = Prose(seed)
    whole: list[str] = []
    bad: list[BrokenFile] = []
    for number in range(count):
        place = folder / f"part-{number // 500:03}"
        place.mkdir(parents=True, exist_ok=True)
        extension, content = _small_file(prose, number)
        if broken and number % 100 == 50:
            kind = BROKEN_KINDS[(number // 100) % len(BROKEN_KINDS)]
            file = place / f"{number:06}-{kind.name}{kind.extension}"
            kind.make(file, f"{seed}/{number}")
            bad.append(BrokenFile(_name(file, folder), kind.name, kind.reasons))
            continue
        file = place / f"{number:06}{extension}"
        file.write_bytes(content)
        whole.append(_name(file, folder))
    odd = make_odd_entries(folder / "odd") if broken else ()
    return SmallFiles(tuple(whole), tuple(bad), odd)


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def _small_file(prose: Prose, number: int) -> tuple[str, bytes]:
    makers: dict[str, Callable[[Prose], bytes]] = {
        ".txt": _text,
        ".md": _markdown,
        ".html": _html,
        ".csv": _csv,
        ".json": _json,
        ".pdf": _pdf,
    }
    # Of a hundred: 60 text, 20 Markdown, 10 HTML, 5 tables, 4 JSON, 1 PDF.
    spread = (".txt",) * 60 + (".md",) * 20 + (".html",) * 10 + (".csv",) * 5 + (".json",) * 4
    extension = (*spread, ".pdf")[number * 37 % 100]
    return extension, makers[extension](prose)


def _text(prose: Prose) -> bytes:
    return f"{prose.paragraph(1, 4)}\n".encode()


def _markdown(prose: Prose) -> bytes:
    return f"# {prose.title()}\n\n{prose.paragraph(1, 3)}\n".encode()


def _html(prose: Prose) -> bytes:
    title = prose.title()
    body = f"<h1>{title}</h1><p>{prose.paragraph(1, 3)}</p>"
    return f"<!doctype html><title>{title}</title>{body}\n".encode()


def _csv(prose: Prose) -> bytes:
    rows = [f"{prose.title()},{prose.chance.randrange(10**6)}" for _ in range(4)]
    return "\n".join(["subject,amount", *rows, ""]).encode()


def _json(prose: Prose) -> bytes:
    import json

    return json.dumps({"title": prose.title(), "text": prose.paragraph(1, 3)}).encode()


def _pdf(prose: Prose) -> bytes:
    return make_pdf(prose.title(), [prose.paragraph(1, 3)])


# --- growth ---------------------------------------------------------------------------------------


def make_growth(folder: Path, chunks: int, *, seed: int = 5) -> None:
    """Text files that come to about this many chunks, 50 a file."""
    folder.mkdir(parents=True)
    prose = Prose(seed)
    for number, text in enumerate(_growing(prose, chunks)):
        place = folder / f"part-{number // 500:03}"
        place.mkdir(exist_ok=True)
        (place / f"{number:06}.txt").write_text(text, "utf-8")


def _growing(prose: Prose, chunks: int) -> Iterator[str]:
    per_file, characters_per_chunk = 50, 630
    for _ in range(max(1, chunks // per_file)):
        yield f"{prose.title()}\n\n{prose.text(per_file * characters_per_chunk)}\n"
