"""The report stands alone and shows texts as they are, whatever is in them."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from inglenook.evaluation.comparing import compare
from inglenook.evaluation.measures import summarised
from inglenook.evaluation.report import MOST_FAILURES, reasons, report_html
from inglenook.evaluation.runs import Cited, Excerpt, QuestionResult, Run

EVIL = '<script>alert(1)</script><img src="http://evil.example/x">"\'&'
BAD = QuestionResult(
    "1",
    f"question {EVIL}",
    expected=(f"expected {EVIL}",),
    scores={"ndcg@10": 0.0, "answer_contains": 0.0, "citation_precision": 0.0},
    answer=f"answer {EVIL}",
    citations=(Cited(f"source {EVIL}", f"quote {EVIL}", False),),
    error=f"error {EVIL}",
    found=(Excerpt(f"found {EVIL}", EVIL),),
    right=(Excerpt(f"right {EVIL}", EVIL, True),),
)
GOOD = QuestionResult("2", "a good question", scores={"ndcg@10": 0.8}, first_right=2)


def run_of(*results: QuestionResult) -> Run:
    return Run(
        f"run {EVIL}",
        "2030-01-01T00:00:00+00:00",
        {"name": f"set {EVIL}", "split": "test", "questions": 2, "sources": 5},
        {"mode": "hybrid", "embedder": f"e {EVIL}", "model": "m"},
        {"plugins": {EVIL: EVIL}},
        summarised(result.scores for result in results),
        results,
        notices=(f"notice {EVIL}",),
    )


class Elements(HTMLParser):
    """Every element with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(attrs)


def test_no_text_becomes_an_element_or_leads_anywhere():
    now = run_of(BAD, GOOD)
    before = replace(run_of(replace(BAD, scores={"ndcg@10": 1.0}), GOOD), settings={"mode": EVIL})

    seen = Elements(report_html(now, compare(before, now)))

    assert not seen.names & {"script", "img", "link", "iframe", "object", "a", "form"}
    assert not {name for name, _ in seen.attributes} & {"src", "href", "onclick", "onload"}
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in seen.attributes


def test_nothing_is_fetched_by_the_style_either():
    style = re.search("<style>(.*?)</style>", report_html(run_of(GOOD)), re.DOTALL)[1]

    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style


def test_everything_about_a_failure_can_be_read():
    text = report_html(run_of(BAD, GOOD))

    for part in ("question", "expected", "answer", "source", "quote", "error", "found", "right"):
        assert f"{part} &lt;script&gt;" in text
    assert "a good question" not in text


def test_texts_run_in_their_own_direction():
    text = report_html(run_of(replace(BAD, question="מי בנה את המגדלור?")))

    assert re.search('<summary dir="auto">מי בנה את המגדלור', text)


def test_a_plot_shows_each_measure_where_it_lies():
    text = report_html(run_of(replace(GOOD, scores={"ndcg@10": 0.5}), GOOD))

    # The mean of 0.5 and 0.8, of 400 pixels, beside labels of 190.
    assert 'cx="450.0"' in text


def test_a_run_where_all_went_well_says_so():
    assert "Nothing went wrong." in report_html(run_of(GOOD))


def test_more_failures_than_can_be_read_are_counted():
    many = [replace(BAD, id=str(number)) for number in range(MOST_FAILURES + 7)]

    text = report_html(run_of(*many))

    assert "And 7 more" in text


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (replace(GOOD, first_right=None), "nothing right was found"),
        (replace(GOOD, first_right=30), "right only at rank 30"),
        (replace(GOOD, answer="x", refused=True), "refused, though there is an answer"),
        (replace(GOOD, answer="x", unanswerable=True), "answered, though there is no answer"),
        (replace(GOOD, answer="x", citations=(Cited("s", "q", False),)), "a citation is not"),
        (replace(GOOD, error="broke"), "it failed"),
    ],
)
def test_what_went_wrong_is_said(result, reason):
    assert reason in "; ".join(reasons(result))
