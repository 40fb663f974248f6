"""The report of a conversion as a file: JSON for machines, a page of HTML for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from inglenook.errors import UserError
from inglenook.models.fidelity import Compared, Fidelity
from inglenook.models.storage import disk_errors, megabytes

__all__ = ["check_report_path", "loss_lines", "report_rows", "write_report"]

_SUFFIXES = (".json", ".html")
_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #999;padding:.3em .7em;"
    "text-align:left;vertical-align:top}pre{white-space:pre-wrap;margin:0;font:inherit}"
)
_CLOSE = 0.98
_FAR = 0.9


def check_report_path(path: Path) -> None:
    """Raise `UserError` for a path to which no report can be written."""
    if path.suffix.lower() not in _SUFFIXES:
        raise UserError(
            f"{path} is neither a .json nor an .html file.", hint="Name it report.json, say."
        )
    if not path.absolute().parent.is_dir():
        raise UserError(f"There is no folder {path.parent}.", hint="Make it first.")
    if path.is_dir():
        raise UserError(f"{path} is a folder.", hint="Name a file.")


def write_report(path: Path, form: Mapping[str, Any], fidelity: Fidelity | None) -> None:
    """Write the report. Raises `StoreError`."""
    page = path.suffix.lower() == ".html"
    text = _page(form, fidelity) if page else json.dumps(form, indent=2, ensure_ascii=False) + "\n"
    with disk_errors(path):
        path.write_text(text, encoding="utf-8")


def report_rows(fidelity: Fidelity) -> tuple[tuple[str, str, str], ...]:
    """What of the two models is compared side by side: the title, and both values."""

    def row(title: str, one: str, other: str) -> tuple[str, str, str]:
        return title, one, other

    source, result = fidelity.source, fidelity.result
    return (
        row("Runtime", source.runtime, result.runtime),
        row("Size", megabytes(source.size_bytes), megabytes(result.size_bytes)),
        row("Load", f"{source.load_s:.2f} s", f"{result.load_s:.2f} s"),
        row("Writing", _speed(source), _speed(result)),
        row("Perplexity", _perplexity(source), _perplexity(result)),
    )


def loss_lines(fidelity: Fidelity) -> tuple[str, ...]:
    """How much is lost, in plain words."""
    lines = []
    if not fidelity.same_tokens:
        lines.append("The two cut text into different tokens: the tokenizer was not carried over.")
    if fidelity.text_agreement is not None:
        lines.append(
            f"In {fidelity.text_agreement:.1%} of {fidelity.text_places} places of plain text both"
            " find the same token likeliest."
        )
    growth = fidelity.perplexity_growth
    if growth is not None:
        more = "larger" if growth >= 0 else "smaller"
        lines.append(f"The perplexity on that text is {abs(growth):.1%} {more}.")
    if fidelity.answer_agreement is not None:
        lines.append(
            f"Led along the source's answers, the result writes the same token in"
            f" {fidelity.answer_agreement:.1%} of {fidelity.answer_places} places."
        )
    lines.append(
        f"Left to itself it gives {fidelity.same_answers} of {len(fidelity.answers)} answers letter"
        f" for letter, and the first {fidelity.same_beginning:.0%} of an answer on average."
    )
    if fidelity.threads:
        lines.append("The machine was busy: both ran with one thread, and the speeds say little.")
    lines.append(_verdict(fidelity))
    return tuple(lines)


def _verdict(fidelity: Fidelity) -> str:
    shares = [fidelity.text_agreement, fidelity.answer_agreement]
    known = [share for share in shares if share is not None]
    least = min(known) if known else fidelity.same_beginning
    if least >= _CLOSE:
        return "Lost: next to nothing."
    if least >= _FAR:
        return "Lost: a little; other words now and then."
    return "Lost: noticeably much. A finer precision, such as int8 or Q8_0, loses less."


def _speed(side: Compared) -> str:
    return "?" if side.tokens_per_s is None else f"{side.tokens_per_s:.1f} tokens/s"


def _perplexity(side: Compared) -> str:
    return "?" if side.perplexity is None else f"{side.perplexity:.2f}"


def _page(form: Mapping[str, Any], fidelity: Fidelity | None) -> str:
    title = f"{form['source']} → {form['name']}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        (
            f"<p>{escape(str(form['to']))}, {escape(str(form['precision']))},"
            f" {escape(megabytes(form['size_bytes']))}, in {form['seconds']:.1f} s.</p>"
        ),
    ]
    if fidelity is None:
        parts.append("<p>The two models were not compared.</p>")
    else:
        parts += _tables(fidelity)
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _tables(fidelity: Fidelity) -> list[str]:
    names = (fidelity.source.name, fidelity.result.name)
    figures = "".join(
        f"<tr><th>{escape(title)}</th><td>{escape(one)}</td><td>{escape(other)}</td></tr>"
        for title, one, other in report_rows(fidelity)
    )
    answers = "".join(
        f"<tr>{''.join(f'<td><pre>{escape(text)}</pre></td>' for text in row)}</tr>"
        for row in fidelity.answers
    )
    heads = "".join(f"<th>{escape(name)}</th>" for name in names)
    return [
        f"<table><tr><th></th>{heads}</tr>{figures}</table>",
        "".join(f"<p>{escape(line)}</p>" for line in loss_lines(fidelity)),
        f"<table><tr><th>Asked</th>{heads}</tr>{answers}</table>",
    ]
