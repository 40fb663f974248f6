"""How a question becomes an answer: filters, retrieval, prompt, stream, citations.

Every step is visible as an event; the last one is the answer or the failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from inglenook.assistants.chat_model import ChatModel
from inglenook.assistants.citations import Citer
from inglenook.assistants.follow_ups import Query, query_for
from inglenook.assistants.prompt import Prompt, PromptBuilder
from inglenook.assistants.relevance import abstention, bears_on, is_small_talk, worth_reading
from inglenook.errors import InglenookError, UserError
from inglenook.security.pipeline import Filters
from inglenook.security.stream import Blocked, Emission, FinishReason
from inglenook.types import (
    Answer,
    Answered,
    AskEvent,
    CancelToken,
    Done,
    Failed,
    Finding,
    Message,
    Notice,
    Passage,
    PromptProgress,
    Retrieved,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
)

__all__ = ["Answering", "failure"]

Retrieve = Callable[[Query], tuple[Passage, ...]]


@dataclass(slots=True)
class _Record:
    """What is gathered while an answer comes into being."""

    text: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    stop_reason: StopReason = "stop"
    failed: Failed | None = None

    def note(self, event: object) -> None:
        if isinstance(event, TextDelta):
            self.text.append(event.text)
        elif isinstance(event, Finding):
            self.findings.append(event)
        elif isinstance(event, Notice):
            self.notices.append(event)
        elif isinstance(event, Usage):
            self.usage = event
        elif isinstance(event, Failed):
            self.failed = event


class Answering:
    """Answers questions for one assistant.

    Args:
        model: Opened when it is first needed.
        retrieve: Finds passages; None for an assistant without knowledge.
        filters: The assistant's security filters.
        system: The system prompt, or "".
        opening: Messages of the profile that come before every conversation.
        notices: Makes notices that every answer should carry (such as changed sources).
    """

    def __init__(
        self,
        model: ChatModel,
        retrieve: Retrieve | None,
        filters: Filters,
        system: str,
        opening: Sequence[Message],
        notices: Callable[[], Sequence[Notice]],
    ) -> None:
        self._model = model
        self._retrieve = retrieve
        self._filters = filters
        self._system = system
        self._opening = tuple(opening)
        self._notices = notices

    def events(
        self, question: str, history: Sequence[Message], cancel: CancelToken, session: str
    ) -> Iterator[AskEvent]:
        """Stream the answer. Ends in exactly one `Answered` or `Failed`; raises nothing of ours."""
        record = _Record()
        try:
            for event in self._run(question, history, cancel, session, record):
                record.note(event)
                yield event
                if isinstance(event, Failed):
                    return
        except InglenookError as error:
            yield failure(error)

    def _run(
        self,
        question: str,
        history: Sequence[Message],
        cancel: CancelToken,
        session: str,
        record: _Record,
    ) -> Iterator[AskEvent]:
        if not question.strip():
            raise UserError("The question is empty.", hint="Ask something.")
        judgement = self._filters.check_input(question)
        yield from judgement.findings
        yield from (*judgement.notices, *self._notices())
        if judgement.withheld:
            text = f"This question was stopped by a filter: {judgement.reason}."
            yield from self._without_model(text, (), record, "content_filter")
            return
        question = judgement.text
        history = list(self._checked_history(history))
        small_talk = is_small_talk(question)
        found: list[Passage] = []
        if self._retrieve is not None and not small_talk:
            yield from self._checked_context(self._retrieve(query_for(question, history)), found)
        yield Retrieved(tuple(found))
        if self._retrieve is not None and not small_talk and not bears_on(found):
            yield from self._without_model(abstention(question), tuple(found), record, "stop")
            return
        near = worth_reading(found)
        if far := len(found) - len(near):
            yield Notice(
                "passages-far-behind",
                f"{far} of {len(found)} passages are far behind the best; the model was not given "
                f"{'them' if far > 1 else 'it'}.",
            )
        prompt = self._prompt(question, history, near)
        yield from prompt.notices
        if found and not prompt.passages:
            yield from self._without_model(abstention(question), tuple(found), record, "stop")
            return
        yield from self._generate(prompt, cancel, session, record)
        if record.failed is None:
            yield Answered(self._finished(question, found, record))

    def _checked_history(self, history: Sequence[Message]) -> Iterator[Message]:
        """Earlier turns as the filters let them through; what was redacted then is redacted now."""
        for message in history:
            if message.role != "user":
                yield message
                continue
            judgement = self._filters.check_input(message.text)
            if judgement.text == message.text:
                yield message
            elif not judgement.withheld:
                yield Message.of("user", judgement.text)

    def _checked_context(
        self, found: Sequence[Passage], passages: list[Passage]
    ) -> Iterator[Finding | Notice]:
        """Put into `passages` what of the found ones may be used, as the filters leave it."""
        for passage in found:
            judgement = self._filters.check_context(passage.text, passage.source)
            yield from judgement.findings
            yield from judgement.notices
            if not judgement.withheld:
                passages.append(replace(passage, text=judgement.text))

    def _prompt(
        self, question: str, history: Sequence[Message], passages: Sequence[Passage]
    ) -> Prompt:
        info = self._model.open()
        builder = PromptBuilder(
            self._model.tokenize,
            info.context_length,
            self._model.answer_tokens,
            renders_chat=info.renders_chat,
        )
        return builder.build(self._system, (*self._opening, *history), question, passages)

    def _generate(
        self, prompt: Prompt, cancel: CancelToken, session: str, record: _Record
    ) -> Iterator[AskEvent]:
        driver = self._filters.stream()
        thinking = self._filters.stream()
        ended: FinishReason = "end"
        stream = self._model.generate(prompt.messages, prompt.tokens, prompt.room, cancel, session)
        with closing(stream) as events:  # type: ignore[type-var]
            for event in events:
                if isinstance(event, TextDelta):
                    yield from _shown(driver.feed(event.text))
                elif isinstance(event, ThinkingDelta):
                    yield from _thought(thinking.feed(event.text))
                elif isinstance(event, Done):
                    record.stop_reason = event.stop_reason
                    ended = "cancelled" if event.stop_reason == "cancelled" else "end"
                elif isinstance(event, Failed):
                    yield from _shown(driver.finish("error"))
                    yield event
                    return
                elif isinstance(event, (PromptProgress, Usage, Notice)):
                    yield event
                if driver.blocked is not None or thinking.blocked is not None:
                    break
        yield from _thought(thinking.finish(ended))
        yield from _shown(driver.finish(ended))
        if blocked := driver.blocked or thinking.blocked:
            record.stop_reason = "content_filter"
            yield Notice("answer-stopped", f"A filter stopped the answer: {blocked.reason}.")

    def _finished(self, question: str, found: Sequence[Passage], record: _Record) -> Answer:
        text = "".join(record.text)
        return Answer(
            text=text,
            abstained=False,
            stop_reason=record.stop_reason,
            sentences=Citer(question, found).cite(text),
            passages=tuple(found),
            findings=tuple(record.findings),
            usage=record.usage,
            notices=tuple(record.notices),
        )

    def _without_model(
        self, text: str, found: tuple[Passage, ...], record: _Record, reason: StopReason
    ) -> Iterator[AskEvent]:
        """An answer that the engine gives itself, without asking the model."""
        yield TextDelta(text)
        sentences = Citer("", ()).cite(text)
        yield Answered(
            Answer(
                text=text,
                abstained=True,
                stop_reason=reason,
                sentences=sentences,
                passages=found,
                findings=tuple(record.findings),
                usage=record.usage,
                notices=tuple(record.notices),
            )
        )


def failure(error: InglenookError) -> Failed:
    """An error as the last event of a stream."""
    details = {"exit_code": error.exit_code}
    for name in ("needed", "available"):
        if isinstance(value := getattr(error, name, None), int):
            details[name] = value
    return Failed(type(error).__name__, error.message, error.hint, details)


def _shown(emissions: Sequence[Emission]) -> Iterator[TextDelta | Finding | Notice]:
    for emission in emissions:
        if not isinstance(emission, Blocked):
            yield emission


def _thought(emissions: Sequence[Emission]) -> Iterator[ThinkingDelta | Finding | Notice]:
    for emission in _shown(emissions):
        yield ThinkingDelta(emission.text) if isinstance(emission, TextDelta) else emission
