"""JSON schemas become grammars, and what a grammar cannot follow is refused by name."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.errors import UserError
from inglenook.models.grammar_checks import require_usable_form
from inglenook.models.integer_grammar import integers_between
from inglenook.models.json_grammar import gbnf_of_schema
from inglenook.models.json_validation import violation
from inglenook.types import GenerateRequest


@given(st.integers(-2000, 2000), st.integers(0, 3000), st.integers(-9000, 9000))
def test_integers_between_two_limits_are_those_and_no_others(low, width, number):
    body = integers_between(low, low + width)
    pattern = re.compile(re.sub(r'"(-?)"', r"\1", body.replace(" ", "")))
    assert bool(pattern.fullmatch(str(number))) == (low <= number <= low + width)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string", "pattern": "a+"}, "'pattern' cannot be followed"),
        ({"type": "array", "uniqueItems": True}, "'uniqueItems' cannot be followed"),
        ({"type": "number", "minimum": 1}, "'minimum' of a number that is no integer"),
        ({"type": "integer", "minimum": 1.5}, "'minimum' must be a whole number"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "no integer fits"),
        ({"type": "text"}, "'type' knows object, array"),
        ({"type": []}, "'type' names nothing"),
        ({"enum": []}, "'enum' must list"),
        ({"anyOf": []}, "'anyOf' must list"),
        ({"$ref": "#/a"}, "leads nowhere"),
        ({"$ref": "https://example.com"}, "leads out of it"),
        ({"$ref": "#"}, "refers to itself"),
        ({"anyOf": [{"$ref": "#"}, {"type": "string"}]}, "refers to itself"),
        ({"properties": [1]}, "'properties' must be an object"),
        ({"properties": {"a": 3}}, "stands where a schema should"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, "'minLength' is more"),
        ({"type": "string", "maxLength": 5000}, "'maxLength' can be 0 to 1,000"),
        ({"items": [{"type": "string"}]}, "'items' must be one schema"),
        ({"allOf": [{"type": "string"}, {"type": "object"}]}, "different things of 'type'"),
        ({"enum": [str(n) for n in range(3000)]}, "rules and alternatives"),
    ],
)
def test_what_a_grammar_cannot_follow_is_refused_by_name(schema, said):
    with pytest.raises(UserError, match=f"The JSON schema cannot be used: .*{re.escape(said)}"):
        gbnf_of_schema(schema)


def test_titles_and_defaults_change_nothing():
    plain = {"type": "object", "properties": {"a": {"type": "string"}}}
    noted = {**plain, "title": "T", "description": "D", "$schema": "x", "default": {}}
    assert gbnf_of_schema(noted) == gbnf_of_schema(plain)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"grammar": "  "}, "empty"),
        ({"grammar": "x" * 100_001}, "100,000 are allowed"),
        ({"grammar": "%llguidance {}\nstart: /a/"}, "is no GBNF"),
        ({"grammar": 'root ::= "\x00"'}, "a NUL"),
        ({"grammar": 'root ::= "\ud83d"'}, "half a surrogate"),
        ({"grammar": "root ::= " + "(" * 51 + ")" * 51}, "50 deep"),
        ({"grammar": 'root ::= "a"{1,1001}'}, "1,000 times"),
        ({"grammar": 'root ::= "a"{99999999999999}'}, "1,000 times"),
        ({"grammar": "root ::= " + "x | " * 2000}, "2,000 are allowed"),
        ({"grammar": 'root ::= "a"', "json_schema": {}}, "not both"),
        ({"json_schema": {1: 2}}, "is no text"),
        ({"json_schema": {"items": {"minLength": 10**9}}}, "'minLength' is more than 100,000"),
        ({"json_schema": {"const": float("inf")}}, "is no JSON"),
        ({"json_schema": {"enum": ["\ud83d"]}}, "is no JSON"),
        ({"json_schema": {"enum": list(range(30_000))}}, "20,000 parts"),
    ],
)
def test_forms_that_could_harm_are_refused(form, said):
    with pytest.raises(UserError, match=re.escape(said)):
        require_usable_form(GenerateRequest(**form))


def test_signs_in_texts_and_classes_do_not_count():
    text = '"' + "(|{9999}" * 300 + '"'
    require_usable_form(GenerateRequest(grammar=f"root ::= {text} [(|{{9999}}] # (((("))


@pytest.mark.parametrize(
    ("value", "schema", "wrong"),
    [
        ({"a": 1}, {"required": ["b"]}, "'b' is missing"),
        (
            {"a": {"b": "x"}},
            {"properties": {"a": {"properties": {"b": {"type": "integer"}}}}},
            "'a'.b must be integer",
        ),
        ([1, "x"], {"items": {"type": "number"}}, "[1] must be number"),
        (True, {"type": "integer"}, "it must be integer"),
        (True, {"enum": [1]}, "it must be one of 1"),
        (1.0, {"type": "integer"}, ""),
        (3, {"anyOf": [{"type": "string"}, {"minimum": 2}]}, ""),
        (3, {"oneOf": [{"minimum": 1}, {"minimum": 2}]}, "it fits 2 of what 'oneOf' lists"),
        (3, {"not": {"type": "integer"}}, "it is what 'not' forbids"),
        ("ab", {"maxLength": 1}, "it is longer than 1"),
        ([1, 1], {"uniqueItems": True}, "it says something twice"),
        ({"x": 1}, {"additionalProperties": False}, "'x' is not known"),
        ({"x": "a"}, {"additionalProperties": {"type": "null"}}, "'x' must be null"),
        (
            {"t": {"t": 1}},
            {"properties": {"t": {"$ref": "#"}}, "type": "object"},
            "'t'.t must be object",
        ),
        (1, {"$ref": "#"}, "it takes too long to check"),
        (1, {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}, "it fits none of what"),
        (1, {"$ref": "https://example.com/x"}, ""),
    ],
)
def test_what_is_wrong_with_data_is_said(value, schema, wrong):
    assert violation(value, schema).startswith(wrong)
    assert bool(violation(value, schema)) == bool(wrong)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    )
)
def test_everything_fits_itself(value):
    assert violation(value, {"const": value}) == ""
    assert violation(json.loads(json.dumps(value)), {"enum": [value]}) == ""
