"""TEMPLATE in the old form renders as Ollama renders it, and names what it does not know."""

from __future__ import annotations

import pytest

from inglenook.profiles.go_template import GoTemplateError, parse_go_template

LLAMA = (
    "[INST] {{ if .System }}<<SYS>>{{ .System }}<</SYS>>\n\n{{ end }}{{ .Prompt }} [/INST] "
    "{{ .Response }}</s>"
)
CHATML = """{{- if .System }}<|im_start|>system
{{ .System }}<|im_end|>
{{ end }}<|im_start|>user
{{ .Prompt }}<|im_end|>
<|im_start|>assistant
{{ .Response }}<|im_end|>
"""
TALK = (("system", "S"), ("user", "U1"), ("assistant", "A1"), ("user", "U2"))


def render(template: str, *messages: tuple[str, str]) -> str:
    return parse_go_template(template).render(messages)


def test_renders_each_pair_and_cuts_the_last_behind_the_response():
    assert render(LLAMA, *TALK) == (
        "[INST] <<SYS>>S<</SYS>>\n\nU1 [/INST] A1</s>[INST] U2 [/INST] "
    )


def test_trims_white_space_where_the_dashes_say():
    assert render("a \n {{- .Prompt -}} \n b", ("user", "x")) == "axb"
    assert render(CHATML, ("user", "x")) == "<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n"


def test_a_last_message_of_the_assistant_is_begun_and_not_closed():
    assert render(LLAMA, ("user", "U"), ("assistant", "Sure")) == "[INST] U [/INST] Sure"


def test_the_response_is_appended_where_the_template_has_none():
    talk = (("user", "a"), ("assistant", "b"), ("user", "c"))
    assert render("<{{ .Prompt }}>", *talk) == "<a>b<c>"


def test_a_response_inside_if_cuts_what_follows_it():
    template = "{{ .Prompt }}{{ if .Response }}={{ .Response }};{{ end }}!"
    assert render(template, ("user", "a"), ("assistant", "b"), ("user", "c")) == "a=b;!c"


def test_neighbouring_messages_of_one_role_are_joined():
    assert render("{{ .Prompt }}", ("user", "a"), ("user", "b")) == "a\n\nb"


def test_a_later_system_message_starts_a_new_round():
    template = "({{ .System }}|{{ .Prompt }}|{{ .Response }})"
    talk = (("user", "a"), ("assistant", "b"), ("system", "s"), ("user", "c"))
    assert render(template, *talk) == "(|a|b)(s|c|"


def test_else_and_else_if_and_comments():
    template = "{{/* why */}}{{ if .System }}s{{ else if .Prompt }}p{{ else }}n{{ end }}"
    assert render(template, ("user", "x")) == "p"
    assert render(template, ("system", "x")) == "s"
    assert render(template) == "n"


def test_plain_text_is_a_template_too():
    assert render('He said "hi" }}', ("user", "x")) == 'He said "hi" }}'


@pytest.mark.parametrize(
    ("template", "line", "named"),
    [
        ("a\n{{ range .Messages }}{{ end }}", 2, "{{ range }}"),
        ("{{ .Messages }}", 1, "The field .Messages"),
        ("{{ if .Tools }}{{ end }}", 1, "The field .Tools"),
        ("{{ .Prompt | json }}", 1, "A pipe"),
        ("{{ $x := .Prompt }}", 1, "A variable"),
        ("{{ if and .System .Prompt }}{{ end }}", 1, "if and .System .Prompt"),
        ("{{ with .System }}{{ end }}", 1, "{{ with }}"),
        ("{{ }}", 1, "An empty"),
        ("\n\n{{ .Prompt", 3, "no }}"),
        ("{{ if .Prompt }}", 1, "has no {{ end }}"),
        ("{{ end }}", 1, "without {{ if }}"),
        ("{{ if .Prompt }}{{ else }}{{ else }}{{ end }}", 1, "behind {{ else }}"),
        ("{{ if .Prompt }}" * 100, 1, "More than 50"),
        ("{{/* a }}", 1, "no }}"),
        ("{{/* a */ b }}", 1, "must end"),
    ],
)
def test_refuses_anything_else_by_name_and_line(template, line, named):
    with pytest.raises(GoTemplateError) as caught:
        parse_go_template(template)
    assert caught.value.line == line
    assert named in caught.value.message
