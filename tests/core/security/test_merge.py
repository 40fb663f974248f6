"""Verdicts of several filters become one judgement."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.security.merge import FilterRule, judge, redact
from inglenook.testing.fake_filter import FakeFilter
from inglenook.types import Action, FilterContext, Span, Stage, Verdict

EVERYWHERE = frozenset(Stage)
CONTEXT = FilterContext(Stage.CONTEXT, assistant="contoso", source="notes.md")


def rule(name="fake", filter=None, stages=EVERYWHERE, **settings):
    return FilterRule(name, filter or FakeFilter(), stages, **settings)


class Saying(FakeFilter):
    """Gives one fixed verdict."""

    def __init__(self, verdict):
        super().__init__()
        self.verdict = verdict

    def check(self, text, context):
        return self.verdict


def test_a_text_without_findings_passes_unchanged():
    judgement = judge([rule()], "nothing here", CONTEXT)
    assert (judgement.action, judgement.text, judgement.findings) == (
        Action.ALLOW,
        "nothing here",
        (),
    )


def test_a_finding_says_who_found_what_where_in_which_source():
    (finding,) = judge([rule()], "a secret", CONTEXT).findings
    assert (finding.filter, finding.stage, finding.action) == ("fake", Stage.CONTEXT, Action.REDACT)
    assert (finding.label, finding.start, finding.end) == ("word", 2, 8)
    assert (finding.source, finding.reason) == ("notes.md", "found 'secret'")


@pytest.mark.parametrize("stronger", list(Action))
@pytest.mark.parametrize("milder", list(Action))
def test_the_most_restrictive_action_wins_in_any_order(stronger, milder):
    rules = [rule("a", action=stronger), rule("b", action=milder)]
    expected = max(stronger, milder, key=lambda action: action.value)
    assert judge(rules, "secret", CONTEXT).action is expected
    assert judge(rules[::-1], "secret", CONTEXT).action is expected


def test_only_the_findings_of_rules_that_redact_are_replaced():
    rules = [
        rule("flagging", FakeFilter("blue"), action=Action.FLAG),
        rule("redacting", FakeFilter("green")),
    ]
    judgement = judge(rules, "blue green", CONTEXT)
    assert judgement.text == "blue […]"
    assert {finding.filter for finding in judgement.findings} == {"flagging", "redacting"}


@pytest.mark.parametrize("action", [Action.QUARANTINE, Action.BLOCK])
def test_a_withheld_text_leaves_nothing_to_use(action):
    judgement = judge([rule(action=action)], "a secret", CONTEXT)
    assert judgement.withheld
    assert judgement.text == ""
    assert judgement.reason == "fake: found 'secret'"


def test_a_rule_looks_only_at_its_stages():
    elsewhere = rule(stages=frozenset({Stage.OUTPUT}))
    assert judge([elsewhere], "secret", CONTEXT).text == "secret"


def test_a_rule_counts_only_the_labels_it_asks_for():
    text = "secret word"
    assert judge([rule(types=("email",))], text, CONTEXT).text == text
    assert judge([rule(types=("email", "word"))], text, CONTEXT).text == "[…] word"


def test_a_filter_that_cannot_say_where_withholds_the_whole_text_instead_of_redacting():
    vague = rule(filter=FakeFilter(places=False))
    assert judge([vague], "a secret", CONTEXT).action is Action.QUARANTINE


def test_a_failing_filter_that_is_closed_blocks_and_says_why():
    judgement = judge([rule(filter=FakeFilter(error=OSError("no model")))], "text", CONTEXT)
    assert judgement.action is Action.BLOCK
    assert "filter 'fake' failed (OSError: no model)" in judgement.errors[0]
    assert [finding.label for finding in judgement.findings] == ["filter-error"]


def test_a_failing_filter_that_is_open_lets_the_text_through_and_says_so():
    broken = rule(filter=FakeFilter(error=OSError("no model")), fail="open")
    judgement = judge([broken], "text", CONTEXT)
    assert (judgement.action, judgement.text) == (Action.ALLOW, "text")
    assert "went through unchecked" in judgement.findings[0].reason
    assert judgement.errors


@pytest.mark.parametrize("span", [Span(-1, 2, "x"), Span(2, 2, "x"), Span(3, 9, "x")])
def test_a_span_that_is_not_in_the_text_is_a_failure_of_the_filter(span):
    judgement = judge([rule(filter=Saying(Verdict(Action.FLAG, (span,))))], "text", CONTEXT)
    assert judgement.action is Action.BLOCK
    assert "not in a text of 4 characters" in judgement.errors[0]


def test_a_filter_that_takes_too_long_is_named_in_a_notice():
    seconds = iter((0.0, 9.0))
    (notice,) = judge([rule()], "text", CONTEXT, clock=lambda: next(seconds)).notices
    assert notice.code == "filter-slow"
    assert "'fake' took 9000 ms" in notice.message


def test_overlapping_findings_are_replaced_once_by_their_labels():
    spans = (Span(0, 6, "card", replacement="keeps 4111"), Span(4, 8, "phone", replacement="*"))
    assert redact("41111234 end", spans) == "[card, phone] end"


def test_findings_that_touch_keep_their_own_replacements():
    assert redact("abcd", (Span(2, 4, "y", replacement="2"), Span(0, 2, "x", replacement="1"))) == (
        "12"
    )


def test_the_same_finding_of_two_filters_keeps_its_replacement():
    spans = (Span(0, 2, "x", replacement="*"), Span(0, 2, "y", replacement="*"))
    assert redact("abc", spans) == "*c"


@given(
    st.text("ab", min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(0, 29), st.integers(1, 30)), max_size=8),
)
def test_redacting_removes_exactly_the_characters_of_the_spans(text, places):
    spans = [
        Span(start, min(start + length, len(text)), "L", replacement="[L]")
        for start, length in places
        if start < len(text)
    ]
    hidden = {offset for span in spans for offset in range(span.start, span.end)}
    left = "".join(c for offset, c in enumerate(text) if offset not in hidden)
    assert redact(text, spans).replace("[L]", "") == left
