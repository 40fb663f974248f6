"""The filters of an assistant, composed from what it asks for and the defaults."""

from __future__ import annotations

from inglenook.security.merge import FilterRule
from inglenook.security.pipeline import DEFAULT_FILTERS, Filters, with_defaults
from inglenook.testing.fake_filter import FakeFilter
from inglenook.types import Action, Stage, TextDelta


def defaults(filter=None):
    return [FilterRule(name, filter or FakeFilter(), stages) for name, stages in DEFAULT_FILTERS]


def asked(*stages, **settings):
    return FilterRule("markup", FakeFilter(), frozenset(stages), **settings)


def test_an_assistant_that_asks_for_nothing_is_guarded_at_context_and_output():
    filters = Filters(with_defaults([], defaults()))
    assert [bool(filters.at(stage)) for stage in Stage] == [False, False, True, True]


def test_what_an_assistant_asks_for_replaces_the_default_at_that_stage_only():
    rules = with_defaults([asked(Stage.CONTEXT, action=Action.FLAG)], defaults())
    filters = Filters(rules)
    assert [rule.action for rule in filters.at(Stage.CONTEXT)] == [Action.FLAG]
    assert [rule.action for rule in filters.at(Stage.OUTPUT)] == [None]


def test_the_action_allow_turns_a_default_off():
    filters = Filters(with_defaults([asked(Stage.OUTPUT, action=Action.ALLOW)], defaults()))
    assert filters.at(Stage.OUTPUT) == ()
    assert filters.check_output("secret").text == "secret"


def test_each_stage_is_judged_with_its_name_and_source():
    filters = Filters((FilterRule("fake", FakeFilter(), frozenset(Stage)),), "contoso")
    judgements = [
        filters.check_input("secret"),
        filters.check_ingest("secret", "a.md"),
        filters.check_context("secret", "b.md"),
        filters.check_output("secret"),
    ]
    seen = [(j.findings[0].stage, j.findings[0].source, j.text) for j in judgements]
    assert seen == [
        (Stage.INPUT, "", "[…]"),
        (Stage.INGEST, "a.md", "[…]"),
        (Stage.CONTEXT, "b.md", "[…]"),
        (Stage.OUTPUT, "", "[…]"),
    ]


def test_each_stream_is_a_new_one():
    filters = Filters((FilterRule("fake", FakeFilter(), frozenset({Stage.OUTPUT})),))
    first, second = filters.stream(), filters.stream()
    first.feed("sec")
    second.feed("ret")
    emissions = [*first.finish(), *second.finish()]
    assert [e.text for e in emissions if isinstance(e, TextDelta)] == ["sec"]
