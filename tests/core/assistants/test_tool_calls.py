"""Tool calls are read out of what models write, and nothing of it is lost."""

from __future__ import annotations

import json
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.assistants.tool_calls import ToolCallReader
from inglenook.assistants.tool_formats import chosen_tools, format_of
from inglenook.errors import UserError
from inglenook.models.json_grammar import gbnf_of_schema
from inglenook.types import Notice, TextDelta, ToolCallDelta, ToolSpec

WEATHER = ToolSpec(
    "get_weather",
    "The weather of a city",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
        "required": ["city"],
        "additionalProperties": False,
    },
)
TIME = ToolSpec("time", "The time", {"type": "object"})
HERMES = format_of("{% if tools %}<tool_call>")
MISTRAL = format_of("{% if tools %}[TOOL_CALLS]")
LLAMA = format_of('{% if tools %}{"name": function name, "parameters": dictionary}')


def read(format, *pieces, forced=False):
    numbers = count(1)
    reader = ToolCallReader(
        format, [WEATHER, TIME], forced=forced, new_id=lambda: f"id{next(numbers)}"
    )
    events = [event for piece in pieces for event in reader.feed(TextDelta(piece))]
    return [*events, *reader.finish()]


def text_of(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def calls_of(events):
    calls = [event.call for event in events if isinstance(event, ToolCallDelta)]
    return [(call.name, dict(call.arguments)) for call in calls]


def notices_of(events):
    return [event.message for event in events if isinstance(event, Notice)]


PARIS = [("get_weather", {"city": "Paris"})]
CALL = '{"name": "get_weather", "arguments": {"city": "Paris"}}'


@pytest.mark.parametrize(
    ("format", "text", "calls", "said"),
    [
        (HERMES, f"<tool_call>\n{CALL}\n</tool_call>", PARIS, ""),
        (HERMES, f"I look.\n<tool_call>{CALL}</tool_call>", PARIS, "I look.\n"),
        (HERMES, f"<tool_call>{CALL}</tool_call>\n<tool_call>{CALL}</tool_call>\n", PARIS * 2, ""),
        (HERMES, f"<tool_call>{CALL}</tool_call> Done.", PARIS, " Done."),
        (HERMES, f"<tool_call>{CALL}", PARIS, ""),
        (HERMES, CALL, PARIS, ""),
        (HERMES, f"{CALL}\n{CALL}", PARIS * 2, ""),
        (MISTRAL, f"[TOOL_CALLS][{CALL}, {CALL}]", PARIS * 2, ""),
        (MISTRAL, f"[TOOL_CALLS] [{CALL}]", PARIS, ""),
        (MISTRAL, f"[{CALL}]", PARIS, ""),
        (LLAMA, CALL.replace("arguments", "parameters"), PARIS, ""),
        (LLAMA, "<|python_tag|>" + CALL.replace("arguments", "parameters"), PARIS, ""),
        (LLAMA, f"{CALL}; {CALL}", PARIS * 2, ""),
    ],
)
def test_each_format_is_understood(format, text, calls, said):
    events = read(format, text)
    assert (calls_of(events), text_of(events), notices_of(events)) == (calls, said, [])


def test_an_end_inside_of_a_string_is_no_end():
    call = json.dumps({"name": "get_weather", "arguments": {"city": "a</tool_call>b"}})
    events = read(HERMES, f"<tool_call>{call}</tool_call>")
    assert calls_of(events) == [("get_weather", {"city": "a</tool_call>b"})]


@pytest.mark.parametrize(
    ("inside", "why"),
    [
        ("{broken", "it is no JSON"),
        ("", "it is no JSON"),
        ('{"name": "rm", "arguments": {}}', "there is no tool 'rm'"),
        ('{"name": "get_weather", "arguments": {}}', "'city' is missing"),
        ('{"name": "get_weather", "arguments": {"city": 3}}', "'city' must be string"),
        ('{"name": "get_weather", "arguments": {"city": "a", "x": 1}}', "'x' is not known"),
        ('{"name": "get_weather", "arguments": {"city": "a", "days": 0}}', "at least 1"),
        ('{"name": "get_weather", "arguments": "Paris"}', "are no object"),
        ('{"name": "get_weather", "arguments": {"city": NaN}}', "it is no JSON"),
        ("[1]", "it is no object"),
        ("[" * 5000, "it is no JSON"),
    ],
)
def test_a_call_that_cannot_be_used_is_text_with_a_notice(inside, why):
    text = f"So: <tool_call>{inside}</tool_call> ok"
    events = read(HERMES, text)
    assert calls_of(events) == []
    assert text_of(events) == text
    assert why in notices_of(events)[0]


def test_json_that_names_no_tool_is_an_answer():
    text = '{"name": "Bob", "age": 3}'
    for format in (HERMES, MISTRAL, LLAMA):
        assert (text_of(read(format, text)), notices_of(read(format, text))) == (text, [])


def test_arguments_written_as_a_text_of_json_are_read():
    call = json.dumps({"name": "get_weather", "arguments": '{"city": "Paris"}'})
    assert calls_of(read(HERMES, f"<tool_call>{call}</tool_call>")) == PARIS


def test_a_forced_call_begins_in_the_prompt():
    assert calls_of(read(HERMES, CALL, forced=True)) == PARIS
    assert text_of(read(HERMES, '{"name": "get_w', forced=True)) == '{"name": "get_w'


def test_plain_text_is_given_out_as_it_comes():
    reader = ToolCallReader(HERMES, [WEATHER])
    delta = TextDelta("Hello", tokens=(1,))
    assert list(reader.feed(delta)) == [delta]


PARTS = st.lists(
    st.sampled_from(["<tool_call>", "</tool_call>", CALL, "{", "x", " ", "\n", '"', "[TOOL_CALLS]"])
)


@given(PARTS, st.lists(st.integers(0, 60), max_size=8), st.sampled_from([HERMES, MISTRAL, LLAMA]))
def test_how_the_text_is_cut_changes_nothing(parts, cuts, format):
    text = "".join(parts)
    bounds = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in pairwise(bounds)]
    whole, cut = read(format, text) if text else [], read(format, *pieces)
    assert text_of(cut) == text_of(whole)
    assert calls_of(cut) == calls_of(whole)


@given(PARTS, st.sampled_from([HERMES, MISTRAL, LLAMA]))
def test_every_character_is_in_a_call_or_in_the_text(parts, format):
    events = read(format, "".join(parts))
    if not calls_of(events):
        assert text_of(events) == "".join(parts)
    else:
        assert text_of(events).count("x") == parts.count("x")


@pytest.mark.parametrize("choice", ["none", "rm", ""])
def test_a_choice_that_is_no_tool_is_refused_with_those_that_are(choice):
    with pytest.raises(UserError, match="auto, required or the name of a tool: get_weather, time"):
        chosen_tools([WEATHER, TIME], choice)


def test_a_name_that_means_something_else_is_refused():
    with pytest.raises(UserError, match="'auto' of a tool cannot be used"):
        chosen_tools([ToolSpec("auto", "", {})], "required")
    with pytest.raises(UserError, match="'time' of a tool cannot be used"):
        chosen_tools([TIME, TIME], "auto")


def test_what_parameters_refer_to_is_found_inside_of_a_call():
    tree = {
        "$ref": "#/$defs/tree",
        "$defs": {"tree": {"properties": {"t": {"$ref": "#/$defs/tree"}}}},
    }
    tools = [ToolSpec("a", "", tree), ToolSpec("b", "", {"properties": {"x": {"$ref": "#"}}})]
    for format in (HERMES, MISTRAL, LLAMA):
        for chosen in (tools, tools[:1], tools[1:]):
            assert "root ::=" in gbnf_of_schema(format.schema(chosen))


def test_a_template_without_tools_has_no_format():
    assert format_of("{% for message in messages %}") is None
