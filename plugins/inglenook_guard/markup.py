"""Finds text that a terminal or a chat template would obey instead of show.

Terminal control follows ECMA-48 (control sequences, control strings, C0 and C1 sets); chat
tokens are those of the published templates of Llama, ChatML, Gemma, Mistral, DeepSeek and others.
Replacements keep all of the text readable: `␛[31m` for an escape, `⟨im_start⟩` for a token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.types import Action, FilterContext, Span, Verdict

__all__ = ["MAX_MATCH", "MarkupFilter"]

MAX_MATCH = 256
"""The longest finding, in characters, and the farthest that any rule looks back."""

# Every repetition is bounded and no two alternatives can share a long prefix, so that the time
# grows with the length of the text and with nothing else. Every part after an introducer is
# optional: half a sequence is a finding too, which grows as text is added.
_STRING = r"[^\x00-\x08\x0a-\x1f\x7f-\x9f]{0,240}(?:\x07|\x9c|\x1b(?:\\|\Z))?"
_INTRODUCER = r"[\x1b\x90\x98\x9b\x9d-\x9f]"
_ESCAPES = (
    ("introducers", rf"{_INTRODUCER}{{1,12}}(?={_INTRODUCER})"),
    ("control-sequence", r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]?"),
    ("control-string", rf"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]){_STRING}"),
    ("escape", r"\x1b[ -/]{0,16}[0-~]?"),
)
# A form feed is a page break in plain text, and to a terminal no more than a new line.
_CONTROLS = (
    ("control", r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f]{1,64}"),
    ("carriage-return", r"\r{1,64}(?!\n)"),
)
_NAMED = (
    "<start_of_turn>",
    "<end_of_turn>",
    "<bos>",
    "<eos>",
    "<<SYS>>",
    "<</SYS>>",
    "[INST]",
    "[/INST]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
)
_TOKENS = (
    ("pipe-token", r"<\|[\w.▁-]{1,64}\|>"),
    ("fullwidth-token", r"<｜[\w.▁ -]{1,64}｜>"),
    ("named-token", "|".join(re.escape(token) for token in _NAMED)),
    # The marks of Llama's sequences are HTML's strike-through too: they count where HTML would
    # not have them (before a turn; closing what was not opened).
    ("sequence-begin", r"<s>(?=[ \r\n]{0,2}(?:\[INST|<<SYS|<\|))"),
    ("sequence-end", r"</s>"),
)


def _compiled(rules: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<{name.replace('-', '_')}>{rule})" for name, rule in rules))


_LABELS = {"terminal-escape": _ESCAPES, "control-character": _CONTROLS, "template-token": _TOKENS}
_GROUPS: dict[str | None, tuple[str, str]] = {
    name.replace("-", "_"): (name, label) for label, rules in _LABELS.items() for name, _ in rules
}
_TOKEN_RULES = _compiled(_TOKENS)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0d-\x1f\x7f-\x9f]")
_TRIGGER = re.compile(r"[\x00-\x08\x0b\x0d-\x1f\x7f-\x9f<\[]")
_HALF_TOKEN = re.compile(
    r"<(?:\|(?:[\w.▁-]{1,64}\|?)?|｜(?:[\w.▁ -]{1,64}｜?)?)?\Z"
    r"|<s>[ \r\n]{0,2}(?:[<\[][A-Z<]{0,4})?\Z"
)
_LONGEST_TOKEN = 68
_SEQUENCE_SPAN = 200
_JOIN = 12


class MarkupFilter:
    """Terminal escapes, control characters and chat-template tokens.

    Options: `types`, the labels that count (all of them by default).
    """

    max_match = MAX_MATCH

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        types = (options or {}).get("types") or _LABELS
        # Compiled for the types asked for, so that what lies inside of another type counts too.
        self._rules = _compiled(
            tuple(rule for label, rules in _LABELS.items() if label in types for rule in rules)
        )

    def check(self, text: str, context: FilterContext) -> Verdict:  # noqa: ARG002 - the protocol's
        """Redact what was found; `context` makes no difference."""
        spans = tuple(_find(text, self._rules))
        if not spans:
            return Verdict()
        # The same words whatever was found, so that a stream says what the whole text would.
        return Verdict(Action.REDACT, spans, "a terminal or a chat template would obey this text")

    def unstable_from(self, text: str) -> int:
        """Where a sequence begins that reaches the end, or a token that may yet become one."""
        end = len(text)
        start = max(0, end - MAX_MATCH)
        if _CONTROL.search(text, start):
            for span in _find(text, self._rules):
                if span.end == end:
                    end = span.start
        return min(end, _half_token(text))


def _find(text: str, rules: re.Pattern[str]) -> Iterator[Span]:
    """The findings in order; escapes and controls that touch are joined, to keep them few.

    What starts within `_JOIN` characters joins. Not the length decides, because the last one may
    still grow, and that must not change where the one before it ends.
    """
    shown: dict[str, str] = {}
    start = end = 0
    label = rule = ""
    for found, found_end, found_label, found_rule in _matches(text, rules):
        joins = found == end and found - start < _JOIN and found_label == label
        if joins and label != "template-token":
            end = found_end
            continue
        if label:
            yield _span(text, start, end, label, rule, shown)
        start, end, label, rule = found, found_end, found_label, found_rule
    if label:
        yield _span(text, start, end, label, rule, shown)


def _span(text: str, start: int, end: int, label: str, rule: str, shown: dict[str, str]) -> Span:
    """`shown` remembers replacements: a hostile text repeats itself."""
    found = text[start:end]
    if found not in shown:
        shown[found] = _visible(found)
    return Span(start, end, label, 1.0, rule, shown[found])


def _matches(text: str, rules: re.Pattern[str]) -> Iterator[tuple[int, int, str, str]]:
    if not _TRIGGER.search(text):
        return
    previous = 0
    for match in rules.finditer(text):
        rule, label = _GROUPS[match.lastgroup]
        start, end = match.span()
        if rule != "sequence-end" or not _closes_html(text, start, previous):
            previous = end
            yield start, end, label, rule


def _closes_html(text: str, start: int, previous: int) -> bool:
    """Whether a strike-through is open at `start`; `previous` is where the last finding ended."""
    opened = text.rfind("<s>", max(previous, start - _SEQUENCE_SPAN), start)
    return opened >= 0 and text.find("</s>", opened, start) < 0


def _half_token(text: str) -> int:
    """Where a chat token begins that is cut off by the end of the text; else the end."""
    tail = text[-_LONGEST_TOKEN:]
    if "<" not in tail and "[" not in tail:
        return len(text)
    shift = len(text) - len(tail)
    for offset, character in enumerate(tail):
        if character not in "<[":
            continue
        rest = tail[offset:]
        if _HALF_TOKEN.match(rest) or any(
            token.startswith(rest) and token != rest for token in (*_NAMED, "</s>", "<s>")
        ):
            return shift + offset
    return len(text)


def _visible(text: str) -> str:
    if not _CONTROL.search(text):
        return _bracket(text)
    # The text of a control string may hold a chat token, or the first half of one.
    half = _half_token(text)
    shown = _TOKEN_RULES.sub(lambda match: _bracket(match[0]), text[:half])
    if half < len(text):
        shown += ("⟨" if text[half] == "<" else "⟦") + text[half + 1 :]
    return _CONTROL.sub(_picture, shown)


def _bracket(token: str) -> str:
    return f"⟨{token.strip('<>[]|｜')}⟩"


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 0x0D:
        return "\n"
    if code == 0x7F:
        return "␡"
    return chr(0x2400 + code) if code < 0x20 else f"\\x{code:02x}"
