"""Build assistants/contoso/security_protocols.pdf from its source, the same bytes each time.

The source is a small subset of Markdown: ``#`` opens a chapter on a new page, ``##`` a section,
lines with ``|`` are table rows (the first one is the heading), any other line is a paragraph.
Needs fpdf2; run it after editing security_protocols.md and commit the result.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from fpdf import FPDF, XPos, YPos

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "security_protocols.md"
TARGET = HERE.parents[1] / "assistants" / "contoso" / "security_protocols.pdf"
TITLE = "Contoso Security Protocols"
VERSION = "Version 4.2 | March 2025 | Internal"
CREATED = datetime(2025, 3, 1, 9, 0, tzinfo=UTC)
ACCENT = (28, 62, 110)
GRAY = (105, 105, 105)
BLACK = (0, 0, 0)


class Handbook(FPDF):
    """A page with the document's title above and its number below."""

    def header(self) -> None:
        """Write the title and the version above a rule; the cover has none."""
        if self.page_no() == 1:
            return
        self.set_font("Helvetica", "", 8.5)
        self.set_text_color(*GRAY)
        self.cell(self.epw / 2, 5, TITLE)
        self.cell(self.epw / 2, 5, VERSION, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_draw_color(*GRAY)
        self.line(self.l_margin, self.get_y() + 1, self.w - self.r_margin, self.get_y() + 1)
        self.ln(7)

    def footer(self) -> None:
        """Write the page number below the text."""
        self.set_y(-15)
        self.set_font("Helvetica", "", 8.5)
        self.set_text_color(*GRAY)
        self.cell(0, 8, f"Page {self.page_no()} of {{nb}}", align="C")


def blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield (kind, lines) for each block, kind being chapter, section, table or paragraph."""
    lines = [line for line in text.splitlines() if line.strip()]
    for is_table, group in groupby(lines, key=lambda line: line.startswith("|")):
        rows = list(group)
        if is_table:
            yield "table", rows
            continue
        for line in rows:
            marker, _, rest = line.partition(" ")
            kind = {"#": "chapter", "##": "section"}.get(marker, "paragraph")
            yield kind, [line if kind == "paragraph" else rest]


def write_cover(pdf: Handbook) -> None:
    """Write the first page."""
    pdf.add_page()
    pdf.set_y(80)
    pdf.set_text_color(*ACCENT)
    for text, size, height in (("Contoso Corporation", 16, 12), ("Security Protocols", 30, 18)):
        pdf.set_font("Helvetica", "B", size)
        pdf.cell(0, height, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.set_font("Helvetica", "", 11)
    pdf.set_text_color(*BLACK)
    pdf.ln(6)
    for text in (
        "Version 4.2, effective from March 1, 2025",
        "Owner: Dana Whitfield, Chief Information Security Officer",
        "Classification: Internal",
        "For all employees, contractors, interns and temporary staff",
    ):
        pdf.cell(0, 7, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def write_contents(pdf: Handbook, chapters: list[str]) -> None:
    """Write the list of chapters."""
    pdf.add_page()
    write_heading(pdf, "Contents", 18)
    pdf.set_font("Helvetica", "", 11)
    for chapter in chapters:
        pdf.cell(0, 7.5, chapter, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def write_heading(pdf: Handbook, text: str, size: float) -> None:
    """Write a heading, on the next page if less than a few lines would follow it here."""
    if pdf.will_page_break(30):
        pdf.add_page()
    pdf.set_font("Helvetica", "B", size)
    pdf.set_text_color(*ACCENT)
    pdf.multi_cell(0, size * 0.5, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.set_text_color(*BLACK)
    pdf.ln(2)


def write_paragraph(pdf: Handbook, text: str) -> None:
    """Write a paragraph; whole on the next page if it does not fit on this one."""
    pdf.set_font("Helvetica", "", 10.5)
    height = pdf.multi_cell(0, 5.6, text, align="L", dry_run=True, output="HEIGHT")
    if isinstance(height, float) and pdf.will_page_break(height):
        pdf.add_page()
    pdf.multi_cell(0, 5.6, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(3)


def write_table(pdf: Handbook, lines: list[str]) -> None:
    """Write a table whose first row is its heading; it is kept on one page."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    if pdf.will_page_break(9.0 * len(rows)):
        pdf.add_page()
    pdf.set_font("Helvetica", "", 9.5)
    pdf.set_draw_color(*GRAY)
    with pdf.table(text_align="LEFT", line_height=5.6, padding=1.2) as table:
        for cells in rows:
            table.row(cells)
    pdf.ln(4)


def build(text: str) -> bytes:
    """Lay out the document and return the PDF."""
    pdf = Handbook(format="Letter")
    pdf.set_margins(22, 18, 22)
    pdf.set_auto_page_break(True, margin=22)
    pdf.set_title(TITLE)
    pdf.set_author("Contoso Corporation")
    pdf.set_lang("en-US")
    pdf.set_creation_date(CREATED)
    parsed = list(blocks(text))
    write_cover(pdf)
    write_contents(pdf, [lines[0] for kind, lines in parsed if kind == "chapter"])
    for kind, lines in parsed:
        if kind == "chapter":
            pdf.add_page()
            pdf.start_section(lines[0])
            write_heading(pdf, lines[0], 17)
        elif kind == "section":
            write_heading(pdf, lines[0], 12)
        elif kind == "table":
            write_table(pdf, lines)
        else:
            write_paragraph(pdf, lines[0])
    return bytes(pdf.output())


def main() -> int:
    """Write the PDF and say where it is."""
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(build(SOURCE.read_text(encoding="utf-8")))
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
