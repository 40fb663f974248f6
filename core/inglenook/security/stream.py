"""Filters over text that is still being written: what is shown has its final verdict.

Text whose verdict a longer text could still change is held back, so that the streamed output
equals the filtered whole text however the text was cut into pieces.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from inglenook.security.merge import (
    Clock,
    FilterRule,
    Opinion,
    consult,
    patches,
    redact,
    withholds,
)
from inglenook.types import Action, FilterContext, Finding, Notice, Span, TextDelta

__all__ = ["Blocked", "Emission", "FinishReason", "StreamDriver"]

FinishReason = Literal["end", "cancelled", "error", "tool_call"]


@dataclass(frozen=True, slots=True)
class Blocked:
    """The end of a stream that a filter stopped; nothing follows. Its stop is `content_filter`."""

    filter: str
    reason: str
    action: Action = Action.BLOCK


Emission = TextDelta | Finding | Notice | Blocked
"""What a driver gives out, in order. A finding precedes the text that it changed."""


@dataclass(frozen=True, slots=True)
class _View:
    """One look at the stream: offsets of `window` plus `base` are offsets in the stream.

    `edge` is where the text begins that was not shown yet; before it stands context.
    """

    window: str
    base: int
    edge: int
    opinions: tuple[Opinion, ...]

    def occupied(self) -> Iterator[Span]:
        for opinion in self.opinions:
            yield from opinion.occupied

    def crossed(self, offset: int) -> bool:
        return any(span.start < offset < span.end for span in self.occupied())


class StreamDriver:
    """Feeds a stream to filters and gives out what they let through.

    One driver serves one stream of text: the answer, the reasoning, or one argument of a tool
    call. A text that goes on after a tool call is a new stream.

    The filters see what was shown before too, as far back as `max_match` of the longest, so that
    a rule may look behind that far. If one of them has no `max_match`, everything is held back
    until the end.
    """

    def __init__(
        self,
        rules: Sequence[FilterRule],
        context: FilterContext,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._rules = tuple(rule for rule in rules if context.stage in rule.stages)
        self._growing = replace(context, final=False)
        self._final = replace(context, final=True)
        self._clock = clock
        matches = [rule.filter.max_match for rule in self._rules]
        self._unbounded = None in matches
        self._reach = max((match for match in matches if match is not None), default=0)
        self._keep = max(4 * self._reach, 4096)
        self._text = ""  # the end of the stream: some text that was shown, all that was not
        self._start = 0  # where `_text` begins in the stream
        self._shown = 0  # up to where the stream was shown
        self._anchor = 0  # an earlier `_shown`, so never inside a finding
        self._told: set[tuple[str, str]] = set()
        self._findings: list[Finding] = []
        self._blocked: Blocked | None = None
        self._finished_by: FinishReason | None = None

    @property
    def held(self) -> int:
        """How many characters wait for their verdict."""
        return self._start + len(self._text) - self._shown

    @property
    def blocked(self) -> Blocked | None:
        """What stopped the stream, if a filter did."""
        return self._blocked

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings so far, with offsets in the original stream."""
        return tuple(self._findings)

    def feed(self, text: str) -> tuple[Emission, ...]:
        """Take the next piece; give out what is settled. Nothing after a block.

        Raises:
            ValueError: The stream was finished before.
        """
        if self._blocked is not None or not text:
            return ()
        if self._finished_by is not None:
            raise ValueError(f"the stream was finished before ({self._finished_by})")
        self._text += text
        return () if self._unbounded else self._advance(self._growing)

    def finish(self, reason: FinishReason = "end") -> tuple[Emission, ...]:
        """Judge what is held back as final and give it out, whatever ended the stream."""
        if self._blocked is not None or self._finished_by is not None:
            return ()
        self._finished_by = reason
        return self._advance(self._final)

    def _advance(self, context: FilterContext) -> tuple[Emission, ...]:
        view = self._look(context)
        if all(opinion.quiet for opinion in view.opinions):
            return self._pass_on(view)
        cut = self._cut(view, final=context.final)
        blocking = _first_withheld(view, cut)
        if blocking is not None:
            cut = _before_patch(view, blocking[1])
        emissions: list[Emission] = [*self._news(view), *self._passed(view, cut)]
        if text := self._cleared(view, cut):
            emissions.append(TextDelta(text))
        if blocking is not None:
            emissions += self._block(view, *blocking, cut)
        self._findings += [event for event in emissions if isinstance(event, Finding)]
        self._move_on(view, cut)
        return tuple(emissions)

    def _pass_on(self, view: _View) -> tuple[Emission, ...]:
        """The common case: nobody found anything."""
        cut = min((opinion.settled for opinion in view.opinions), default=len(view.window))
        text = view.window[view.edge : cut]
        if not text:
            return ()
        self._move_on(view, cut)
        return (TextDelta(text),)

    def _look(self, context: FilterContext) -> _View:
        """Ask all rules about what is held back and the context before it.

        A finding that reaches from the context into the new text contradicts what was shown: the
        window began inside an earlier finding or after what a rule looks behind for, and a larger
        one is tried.
        """
        reach = self._reach
        while True:
            base = max(self._start, self._shown - reach)
            window = self._text[base - self._start :]
            opinions = tuple(consult(rule, window, context, self._clock) for rule in self._rules)
            view = _View(window, base, self._shown - base, opinions)
            if base == self._start or not view.crossed(view.edge):
                return view
            reach = 4 * reach + 64

    def _cut(self, view: _View, *, final: bool) -> int:
        """Up to where the window may be shown: never inside a finding, nor what may grow."""
        length = len(view.window)
        if final:
            return length
        cut = min((opinion.settled for opinion in view.opinions), default=length)
        spans = sorted(view.occupied(), key=lambda span: span.end, reverse=True)
        for span in spans:
            # From the last end backwards: a span that ends before the cut cannot cross it.
            if span.end <= cut < length:
                break
            if span.start < cut and (span.end > cut or span.end == length):
                cut = span.start
        return max(cut, view.edge)

    def _news(self, view: _View) -> Iterator[Finding | Notice]:
        """What concerns no place in the text: failures, overruns, whole-text findings; once."""
        for opinion in view.opinions:
            name = opinion.rule.name
            if opinion.slow and self._first_time(name, "slow"):
                yield Notice("filter-slow", opinion.slow)
            if opinion.spans or withholds(opinion.action):
                continue
            for finding in opinion.findings(self._final, len(view.window)):
                if self._first_time(name, finding.reason):
                    yield replace(finding, start=self._shown, end=view.base + finding.end)

    def _first_time(self, name: str, what: str) -> bool:
        new = (name, what) not in self._told
        self._told.add((name, what))
        return new

    def _passed(self, view: _View, cut: int) -> Iterator[Finding]:
        for opinion in view.opinions:
            if not opinion.spans:
                continue
            for finding in opinion.findings(self._final, len(view.window)):
                if view.edge < finding.end and finding.start < cut:
                    yield _shift(finding, view.base)

    def _cleared(self, view: _View, cut: int) -> str:
        spans = [
            replace(span, start=max(span.start - view.edge, 0), end=span.end - view.edge)
            for opinion in view.opinions
            for span in opinion.replaced
            if view.edge < span.end and span.start < cut
        ]
        return redact(view.window[view.edge : cut], spans)

    def _block(
        self, view: _View, opinion: Opinion, offset: int, cut: int
    ) -> Iterator[Finding | Blocked]:
        findings = list(opinion.findings(self._final, len(view.window)))
        finding = next((f for f in findings if f.start <= offset < f.end), findings[0])
        start = max(finding.start, cut)
        finding = replace(finding, start=view.base + start, end=view.base + finding.end)
        self._blocked = Blocked(
            opinion.rule.name, finding.reason or f"found {finding.label}", opinion.action
        )
        yield finding
        yield self._blocked

    def _move_on(self, view: _View, cut: int) -> None:
        self._shown = view.base + cut
        if self._blocked is not None:
            self._forget(self._shown)
            self._text = ""
        elif self._shown - self._anchor > self._keep:
            self._forget(self._anchor)

    def _forget(self, offset: int) -> None:
        self._text = self._text[offset - self._start :]
        self._start, self._anchor = offset, self._shown


def _first_withheld(view: _View, cut: int) -> tuple[Opinion, int] | None:
    """The first settled place that ends the stream, and whose verdict that is."""
    places: list[tuple[int, int]] = []
    for index, opinion in enumerate(view.opinions):
        if not withholds(opinion.action):
            continue
        if not opinion.spans:
            places.append((view.edge, index))
        starts = (s.start for s in opinion.spans if view.edge < s.end and s.start < cut)
        places += [(max(start, view.edge), index) for start in starts]
    if not places:
        return None
    place, index = min(places)
    return view.opinions[index], place


def _before_patch(view: _View, offset: int) -> int:
    """The offset, or the start of the redaction that it would fall into."""
    spans = (span for opinion in view.opinions for span in opinion.replaced)
    for patch in patches(spans):
        if patch.start < offset < patch.end:
            return max(patch.start, view.edge)
    return offset


def _shift(finding: Finding, by: int) -> Finding:
    return replace(finding, start=finding.start + by, end=finding.end + by)
