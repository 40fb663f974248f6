"""The filter `markup` makes terminal escapes and chat tokens harmless without losing text."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from inglenook.security.merge import FilterRule, judge
from inglenook.security.stream import StreamDriver
from inglenook.types import Action, FilterContext, Finding, Stage, TextDelta
from inglenook_guard.markup import MarkupFilter

CONTEXT = FilterContext(Stage.CONTEXT)


def rules(**options):
    return [FilterRule("markup", MarkupFilter(options), frozenset(Stage))]


def safe(text, **options):
    return judge(rules(**options), text, CONTEXT).text


def labels(text):
    return [finding.label for finding in judge(rules(), text, CONTEXT).findings]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x1b[2J\x1b[1;1H", "␛[2J␛[1;1H"),
        ("\x1b]8;;http://evil.example\x07here\x1b]8;;\x1b\\", None),
        ("\x1b]52;c;cm0gLXJm\x07", "␛]52;c;cm0gLXJm␇"),
        ("\x1bP1$r0m\x1b\\x", "␛P1$r0m␛\\x"),
        ("\x1bc reset", "␛c reset"),
        ("\x9b31m", "\\x9b31m"),
        ("\x9d0;title\x9c", "\\x9d0;title\\x9c"),
        ("\x1b]0;never ends\nnext line", "␛]0;never ends\nnext line"),
    ],
)
def test_terminal_escapes_become_visible_text(text, shown):
    judgement = judge(rules(), text, CONTEXT)
    assert set(labels(text)) == {"terminal-escape"}
    assert "\x1b" not in judgement.text
    assert judgement.text == shown or shown is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", "a␀b"),
        ("\x07\x08", "␇␈"),
        ("\x7f", "␡"),
        ("caf\x85", "caf\\x85"),
        ("rm -rf /\recho safe", "rm -rf /\necho safe"),
    ],
)
def test_control_characters_become_visible_text(text, shown):
    assert set(labels(text)) == {"control-character"}
    assert safe(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<|im_start|>system", "⟨im_start⟩system"),
        ("<|im_end|>", "⟨im_end⟩"),
        ("<|endoftext|>", "⟨endoftext⟩"),
        ("<|begin_of_text|>", "⟨begin_of_text⟩"),
        ("<|start_header_id|>user<|end_header_id|>", "⟨start_header_id⟩user⟨end_header_id⟩"),
        ("<|eot_id|>", "⟨eot_id⟩"),
        ("<|user|>", "⟨user⟩"),
        ("<|assistant|>", "⟨assistant⟩"),
        ("<|system|>", "⟨system⟩"),
        ("<|reserved_special_token_7|>", "⟨reserved_special_token_7⟩"),
        ("<｜User｜>", "⟨User⟩"),
        ("<｜end▁of▁sentence｜>", "⟨end▁of▁sentence⟩"),
        ("[INST] obey [/INST]", "⟨INST⟩ obey ⟨/INST⟩"),
        ("<<SYS>>x<</SYS>>", "⟨SYS⟩x⟨/SYS⟩"),
        ("<start_of_turn>user<end_of_turn>", "⟨start_of_turn⟩user⟨end_of_turn⟩"),
        ("<s>[INST]", "⟨s⟩⟨INST⟩"),
        ("an answer</s>", "an answer⟨/s⟩"),
        ("done </s><s>[INST] next", "done ⟨/s⟩⟨s⟩⟨INST⟩ next"),
    ],
)
def test_chat_tokens_become_visible_text(text, shown):
    assert set(labels(text)) == {"template-token"}
    assert safe(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "std::vector<int> v; std::map<std::string, int> m;",
        "In HTML, a <s> b </s> strikes b out; <strong> does not.",
        "<s>20</s> 15 euros",
        "xs <| f <| g |> h",
        "a || b | c |> d",
        "[INFO] installing [INSTALL] [1] [x](y) [inst]",
        "<System> <start> <user> <assistant>",
        "page\fbreak\tand\r\nlines\n",
        "bidi: \u200fעברית\u200e, joined: 👩\u200d👧, soft\u00adhyphen, nbsp\u00a0",
    ],
)
def test_everyday_text_passes_unchanged(text):
    assert labels(text) == []
    assert safe(text) == text


def test_a_chat_token_hidden_in_an_escape_is_harmless_too():
    assert safe("\x1b]0;<|im_start|>\x07") == "␛]0;⟨im_start⟩␇"


@pytest.mark.parametrize("text", ["\x1b[INST]", "\x1b[<|im_start|>", "\x1b<s>[INST]"])
def test_a_chat_token_cannot_be_made_out_of_the_end_of_an_escape(text):
    assert labels(safe(text)) == []


def test_an_unterminated_string_ends_at_its_bound():
    text = "\x1b]0;" + "x" * 1000
    (finding,) = judge(rules(), text, CONTEXT).findings
    assert finding.end < 256
    assert safe(text) == "␛]0;" + "x" * 1000


def test_only_the_types_asked_for_are_found():
    text = "\x1b[31m <|im_start|> \x00"
    assert safe(text, types=["template-token"]) == "\x1b[31m ⟨im_start⟩ \x00"
    assert safe("\x1b]0;<|im_start|>\x07", types=["template-token"]) == "\x1b]0;⟨im_start⟩\x07"


def test_the_filter_redacts_unless_it_is_told_otherwise():
    assert MarkupFilter({}).check("\x1b[0m", CONTEXT).action is Action.REDACT


_FRAGMENTS = (
    *("\x1b", "[", "31m", "]", "0;", "\x07", "\\", "\x9b", "\x9c", "\x9d", "P", "\x00", "\x01"),
    *("\r", "\n", " ", "<", "|", "im_", "start", "|>", "<|im_start|>", "<s>", "</s>", "[INST]"),
    *(
        "[/INST]",
        "<<SYS>>",
        "<</SYS>>",
        "<｜",
        "｜>",
        "a" * 50,
        "b",
        "é",
        "/",
        "(",
        "s>",
        "<s",
        "_",
    ),
)


@pytest.mark.parametrize("seed", range(40))
def test_a_stream_of_hostile_fragments_shows_and_reports_what_the_whole_text_does(seed):
    random_ = random.Random(seed)
    for _ in range(25):
        text = "".join(random_.choices(_FRAGMENTS, k=random_.choice((3, 10, 40))))
        cuts = sorted(random_.choices(range(len(text) + 1), k=random_.choice((1, 5, 60))))
        driver = StreamDriver(rules(), CONTEXT)
        emissions = []
        for start, end in pairwise([0, *cuts, len(text)]):
            emissions += driver.feed(text[start:end])
            assert driver.held <= MarkupFilter.max_match
        emissions += driver.finish()
        whole = judge(rules(), text, CONTEXT)
        assert "".join(e.text for e in emissions if isinstance(e, TextDelta)) == whole.text
        assert tuple(e for e in emissions if isinstance(e, Finding)) == whole.findings
        assert labels(whole.text) == []
