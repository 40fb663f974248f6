"""The filters of one assistant, by the places that text passes through.

`input` is what the user writes, `ingest` what a document says when it is read, `context` what of
it is put before the model, `output` what the model answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from inglenook.security.merge import FilterRule, Judgement, judge
from inglenook.security.stream import StreamDriver
from inglenook.types import Action, FilterContext, Stage

__all__ = ["DEFAULT_FILTERS", "Filters", "with_defaults"]

DEFAULT_FILTERS: tuple[tuple[str, frozenset[Stage]], ...] = (
    ("markup", frozenset({Stage.CONTEXT, Stage.OUTPUT})),
)
"""The filters that every assistant has, and where they look."""


def with_defaults(
    asked: Sequence[FilterRule], defaults: Iterable[FilterRule]
) -> tuple[FilterRule, ...]:
    """The rules asked for, and the defaults at the stages where their filter was not mentioned."""
    rules = list(asked)
    for default in defaults:
        mentioned = {stage for rule in asked if rule.name == default.name for stage in rule.stages}
        if stages := default.stages - mentioned:
            rules.append(replace(default, stages=stages))
    return tuple(rules)


@dataclass(frozen=True, slots=True)
class Filters:
    """The rules of an assistant, in order.

    A judgement that is `withheld` means: refuse the question (input), set the source aside
    (ingest), leave the passage out (context), end the answer (output).
    """

    rules: tuple[FilterRule, ...] = ()
    assistant: str = ""

    def at(self, stage: Stage) -> tuple[FilterRule, ...]:
        """The rules that look there; one with action `allow` is off."""
        return tuple(
            rule for rule in self.rules if stage in rule.stages and rule.action is not Action.ALLOW
        )

    def check_input(self, text: str) -> Judgement:
        """Judge what the user wrote."""
        return self._judge(Stage.INPUT, text, "")

    def check_ingest(self, text: str, source: str) -> Judgement:
        """Judge a section of a document as it is read."""
        return self._judge(Stage.INGEST, text, source)

    def check_context(self, text: str, source: str) -> Judgement:
        """Judge a passage before the model sees it."""
        return self._judge(Stage.CONTEXT, text, source)

    def check_output(self, text: str) -> Judgement:
        """Judge an answer that is there as a whole."""
        return self._judge(Stage.OUTPUT, text, "")

    def stream(self, stage: Stage = Stage.OUTPUT) -> StreamDriver:
        """A driver for one answer that is still being written."""
        return StreamDriver(self.at(stage), FilterContext(stage, self.assistant))

    def _judge(self, stage: Stage, text: str, source: str) -> Judgement:
        context = FilterContext(stage, self.assistant, source)
        return judge(self.at(stage), text, context)
