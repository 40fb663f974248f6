"""Several filters look at one text; their verdicts become one judgement.

The most restrictive action wins and all spans count. A filter that fails is never passed over in
silence: its rule says whether that blocks the text (`closed`) or lets it through with a finding.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from inglenook.protocols import Filter
from inglenook.types import Action, FilterContext, Finding, Notice, Span, Stage, Verdict

__all__ = [
    "Clock",
    "FilterRule",
    "Judgement",
    "Opinion",
    "Patch",
    "consult",
    "judge",
    "patches",
    "redact",
    "withholds",
]

Clock = Callable[[], float]
"""Seconds from any fixed moment on."""


@dataclass(frozen=True, slots=True)
class FilterRule:
    """One filter as it was asked for.

    Args:
        name: The filter's name, for findings and messages.
        filter: The filter itself.
        stages: Where it looks.
        action: What a finding leads to; None leaves that to the filter's own verdict.
        fail: What a failure of the filter leads to: `closed` blocks the text, `open` lets it
            through with a finding.
        types: The labels that count; empty counts all.
        budget_s_per_1000: Seconds that 1,000 characters may take before the user is told.
    """

    name: str
    filter: Filter
    stages: frozenset[Stage]
    action: Action | None = None
    fail: Literal["closed", "open"] = "closed"
    types: tuple[str, ...] = ()
    budget_s_per_1000: float = 0.02


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one rule makes of a text.

    Args:
        rule: The rule.
        action: The action that follows, after the rule's own settings.
        spans: The findings that count.
        occupied: All that the filter found, whether or not the rule lets it count.
        reason: The filter's reason, in words.
        error: Why the filter failed, or "".
        slow: How it overran its time, or "".
        settled: The offset up to which a longer text changes nothing.
    """

    rule: FilterRule
    action: Action
    spans: tuple[Span, ...] = ()
    occupied: tuple[Span, ...] = ()
    reason: str = ""
    error: str = ""
    slow: str = ""
    settled: int = 0

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to say or do."""
        return not (self.occupied or self.error or self.slow) and self.action is Action.ALLOW

    @property
    def replaced(self) -> tuple[Span, ...]:
        """The spans that may not be shown as they are."""
        return self.spans if self.action.value >= Action.REDACT.value else ()

    def findings(self, context: FilterContext, length: int) -> Iterator[Finding]:
        """A finding for each span, or one for the whole text of `length` characters."""
        if self.error:
            yield self._finding(context, "filter-error", 0, length)
        elif self.action is not Action.ALLOW:
            for span in self.spans:
                yield self._finding(context, span.label, span.start, span.end)
            if not self.spans:
                yield self._finding(context, "text", 0, length)

    def _finding(self, context: FilterContext, label: str, start: int, end: int) -> Finding:
        reason = self.error or self.reason
        return Finding(
            self.rule.name, context.stage, self.action, label, start, end, context.source, reason
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to happen with a text.

    Args:
        action: The most restrictive action of all rules.
        text: What may be used instead of the text: the same, redacted, or "" when withheld.
        spans: The spans that were replaced.
        findings: One for each decision, to be shown.
        errors: Why filters failed, if they did.
        notices: What else the user should know, such as a filter that took too long.
    """

    action: Action
    text: str
    spans: tuple[Span, ...] = ()
    findings: tuple[Finding, ...] = ()
    errors: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def withheld(self) -> bool:
        """Whether nothing of the text may be used."""
        return withholds(self.action)

    @property
    def reason(self) -> str:
        """Who asked for the action, and why; "" when nothing was found."""
        decisive = [finding for finding in self.findings if finding.action is self.action]
        return "; ".join(dict.fromkeys(_explain(finding) for finding in decisive))


def _explain(finding: Finding) -> str:
    return f"{finding.filter}: {finding.reason or finding.label}"


def withholds(action: Action) -> bool:
    """Whether the action keeps the whole text back."""
    return action.value >= Action.QUARANTINE.value


def judge(
    rules: Sequence[FilterRule],
    text: str,
    context: FilterContext,
    clock: Clock = time.perf_counter,
) -> Judgement:
    """Ask every rule of the context's stage and merge what they say."""
    opinions = [
        consult(rule, text, context, clock) for rule in rules if context.stage in rule.stages
    ]
    action = max((opinion.action for opinion in opinions), key=_severity, default=Action.ALLOW)
    spans = tuple(span for opinion in opinions for span in opinion.replaced)
    return Judgement(
        action=action,
        text="" if withholds(action) else redact(text, spans),
        spans=spans,
        findings=tuple(
            finding for opinion in opinions for finding in opinion.findings(context, len(text))
        ),
        errors=tuple(opinion.error for opinion in opinions if opinion.error),
        notices=tuple(Notice("filter-slow", opinion.slow) for opinion in opinions if opinion.slow),
    )


def _severity(action: Action) -> int:
    return action.value


def consult(rule: FilterRule, text: str, context: FilterContext, clock: Clock) -> Opinion:
    """Ask one rule; `settled` is looked up only for a text that is not final."""
    began = clock()
    try:
        verdict = rule.filter.check(text, context)
        _refuse_bad_spans(verdict.spans, len(text))
        settled = len(text) if context.final else _settled(rule.filter, text)
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything; the rule decides
        return _failed(rule, error, len(text))
    slow = _overrun(rule, clock() - began, len(text))
    action, spans = _decide(rule, verdict)
    return Opinion(rule, action, spans, verdict.spans, verdict.reason, "", slow, settled)


def _settled(filter: Filter, text: str) -> int:
    offset = filter.unstable_from(text)
    if not 0 <= offset <= len(text):
        raise ValueError(f"unstable_from gave {offset} for a text of {len(text)} characters")
    return offset


def _refuse_bad_spans(spans: Iterable[Span], length: int) -> None:
    for span in spans:
        if not 0 <= span.start < span.end <= length:
            raise ValueError(
                f"span {span.start} to {span.end} is not in a text of {length} characters"
            )


def _failed(rule: FilterRule, error: Exception, length: int) -> Opinion:
    closed = rule.fail == "closed"
    effect = "so the text is blocked" if closed else "and the text went through unchecked by it"
    message = f"filter {rule.name!r} failed ({type(error).__name__}: {error}), {effect}"
    return Opinion(rule, Action.BLOCK if closed else Action.ALLOW, error=message, settled=length)


def _overrun(rule: FilterRule, seconds: float, length: int) -> str:
    # Short texts get the time of 2,500 characters: a pause of the machine is not the filter's.
    allowed = rule.budget_s_per_1000 * max(2.5, length / 1000)
    if seconds <= allowed:
        return ""
    return (
        f"filter {rule.name!r} took {seconds * 1000:.0f} ms for {length} characters; "
        f"{allowed * 1000:.0f} ms are expected"
    )


def _decide(rule: FilterRule, verdict: Verdict) -> tuple[Action, tuple[Span, ...]]:
    spans = verdict.spans
    if rule.types:
        spans = tuple(span for span in spans if span.label in rule.types)
    found = bool(spans) or (verdict.action is not Action.ALLOW and not verdict.spans)
    if not found:
        return Action.ALLOW, ()
    action = verdict.action if rule.action is None else rule.action
    if action is Action.REDACT and not spans:
        # Something is to be taken out and nobody says where: the whole text is kept back.
        return Action.QUARANTINE, ()
    return action, spans


@dataclass(frozen=True, slots=True)
class Patch:
    """A stretch of text and what stands in its place; made of one or more overlapping spans."""

    start: int
    end: int
    replacement: str


def patches(spans: Iterable[Span]) -> Iterator[Patch]:
    """Unite overlapping spans, in the order of the text. Spans that only touch stay apart."""
    group: list[Span] = []
    end = 0
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if group and span.start >= end:
            yield _unite(group, end)
            group = []
        group.append(span)
        end = max(end, span.end) if len(group) > 1 else span.end
    if group:
        yield _unite(group, end)


def _unite(group: Sequence[Span], end: int) -> Patch:
    first = group[0]
    same = all(
        (a.start, a.end, a.replacement) == (b.start, b.end, b.replacement)
        for a, b in pairwise(group)
    )
    if same:
        return Patch(first.start, end, first.replacement)
    # One filter's replacement may quote what the other one hides, so only the labels are shown.
    labels = ", ".join(sorted({span.label for span in group}))
    return Patch(first.start, end, f"[{labels}]")


def redact(text: str, spans: Iterable[Span]) -> str:
    """The text with each span's replacement in its place.

    Where spans overlap, their union is replaced by their labels in brackets.
    """
    parts: list[str] = []
    done = 0
    for patch in patches(spans):
        parts += (text[done : patch.start], patch.replacement)
        done = patch.end
    parts.append(text[done:])
    return "".join(parts)
