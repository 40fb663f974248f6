"""How a question becomes an answer: filters, retrieval, prompt, stream, citations.

Every step is visible as an event; the last one is the answer or the failure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property

from inglenook.assistants.chat_model import ChatModel
from inglenook.assistants.citations import Citer, citation_of
from inglenook.assistants.extractive import Extractor, Scored, quotation, trimmed
from inglenook.assistants.follow_ups import Query, query_for
from inglenook.assistants.gate import Gate
from inglenook.assistants.prompt import Prompt, PromptBuilder
from inglenook.assistants.quoting import quoted
from inglenook.assistants.refusals import is_refusal
from inglenook.assistants.relevance import (
    abstention,
    is_small_talk,
    relevance,
    speaks_of,
    worth_reading,
)
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
    Queued,
    Retrieved,
    Sentence,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
)

__all__ = ["Answering", "Asking", "Quoting", "WithoutModel", "failure"]

SURE = 2.0
"""From this relevance on the documents are quoted even where the model says they have nothing."""

Retrieve = Callable[[Query], tuple[Passage, ...]]


@dataclass(frozen=True, slots=True)
class _Ending:
    """How an answer that the engine gave or chose itself differs from a model's."""

    sentences: tuple[Sentence, ...]
    abstained: bool = False
    extracted: bool = False


@dataclass(frozen=True, slots=True)
class _Ground:
    """What an answer rests on: the passages, and their sentences with the best first."""

    question: str
    passages: tuple[Passage, ...]
    ranked: tuple[Scored, ...]
    relevance: float


@dataclass(frozen=True, slots=True)
class WithoutModel:
    """A question that the engine answers itself: what it says, and why."""

    text: str
    found: tuple[Passage, ...]
    reason: StopReason = "stop"


@dataclass(frozen=True, slots=True)
class Quoting:
    """A question that the documents answer, quoted by code."""

    ground: _Ground


@dataclass(frozen=True, slots=True)
class Asking:
    """A question that the model gets, with the prompt; `ground` is None without documents."""

    prompt: Prompt
    ground: _Ground | None


_Decided = Generator[Finding | Notice | Retrieved | Queued, None, WithoutModel | Quoting | Asking]
"""The events on the way to a decision, and the decision."""


@dataclass(slots=True)
class _Record:
    """What is gathered while an answer comes into being."""

    text: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    stop_reason: StopReason = "stop"
    failed: Failed | None = None
    ending: _Ending | None = None

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
        model: Gives the model, which is opened when it is first needed; never asked for where
            answers are extractive.
        retrieve: Finds passages; None for an assistant without knowledge.
        filters: The assistant's security filters.
        system: The system prompt, or "".
        opening: Messages of the profile that come before every conversation.
        notices: Makes notices that every answer should carry (such as changed sources).
        extractive: Whether the documents are quoted and no model is asked.
        drops: Whether sentences that no passage carries are left out, not marked.
    """

    def __init__(
        self,
        model: Callable[[], ChatModel],
        retrieve: Retrieve | None,
        filters: Filters,
        system: str,
        opening: Sequence[Message],
        notices: Callable[[], Sequence[Notice]],
        *,
        extractive: bool = False,
        drops: bool = False,
    ) -> None:
        self._make_model = model
        self._extractive = extractive and retrieve is not None
        self._drops = drops
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
        decided = yield from self.deciding(question, history, cancel)
        if isinstance(decided, WithoutModel):
            yield from self._without_model(decided.text, decided.found, record, decided.reason)
        elif isinstance(decided, Quoting):
            yield from self._quote(decided.ground, record)
            yield Answered(self._finished(decided.ground, record))
        else:
            yield from self._asked(decided.prompt, decided.ground, cancel, session, record)

    def deciding(
        self,
        question: str,
        history: Sequence[Message],
        cancel: CancelToken | None = None,
        *,
        passages: bool = True,
    ) -> _Decided:
        """Everything up to where the model would be asked: the events, and what is decided.

        Args:
            question: What the user asks.
            history: The earlier turns, oldest first.
            cancel: Stops the waiting for a model that cannot be loaded yet.
            passages: Whether documents are looked into.

        Raises `InglenookError`.
        """
        if not question.strip():
            raise UserError("The question is empty.", hint="Ask something.")
        judgement = self._filters.check_input(question)
        yield from judgement.findings
        yield from (*judgement.notices, *self._notices())
        if judgement.withheld:
            text = f"This question was stopped by a filter: {judgement.reason}."
            return WithoutModel(text, (), "content_filter")
        question = judgement.text
        history = list(self._checked_history(history))
        small_talk = is_small_talk(question)
        if self._extractive and small_talk:
            yield Retrieved(())
            return WithoutModel(abstention(question), ())
        if self._retrieve is None or small_talk or not passages:
            yield Retrieved(())
            yield from self._model.opening(cancel)
            return Asking(self._prompt(question, history, ()), None)
        found: list[Passage] = []
        query = query_for(question, history)
        yield from self._checked_context(self._retrieve(query), found)
        yield Retrieved(tuple(found))
        ground = _ground(question, query, found)
        if ground.relevance < 0:
            return WithoutModel(abstention(question), tuple(found))
        if self._extractive:
            return Quoting(ground)
        yield from self._model.opening(cancel)
        return (yield from self._prompting(ground, history))

    def _prompting(self, ground: _Ground, history: Sequence[Message]) -> _Decided:
        """Which of the passages the model is given."""
        near = worth_reading(ground.passages)
        if far := len(ground.passages) - len(near):
            yield Notice(
                "passages-far-behind",
                f"{far} of {len(ground.passages)} passages are far behind the best; the model was "
                f"not given {'them' if far > 1 else 'it'}.",
            )
        if self._trims(near):
            near = trimmed([e for e in ground.ranked if e.passage.chunk in {p.chunk for p in near}])
            yield Notice(
                "passages-trimmed",
                "The model is small and was given only the sentences that bear most on the "
                "question.",
            )
        prompt = self._prompt(ground.question, history, near)
        yield from prompt.notices
        if not prompt.passages:
            return WithoutModel(abstention(ground.question), ground.passages)
        return Asking(prompt, ground)

    def standing(self) -> tuple[Message, ...]:
        """What comes before every conversation: the system prompt and the profile's messages."""
        system = (Message.of("system", self._system),) if self._system else ()
        return (*system, *self._opening)

    def _trims(self, near: Sequence[Passage]) -> bool:
        """A small model is given the sentences that the question needs, not whole passages."""
        return self._model.small and bool(near) and not near[0].inline

    def _asked(
        self,
        prompt: Prompt,
        ground: _Ground | None,
        cancel: CancelToken,
        session: str,
        record: _Record,
    ) -> Iterator[AskEvent]:
        """What the model says, as far as it may be shown, and the end."""
        citer = None if ground is None else Citer(ground.question, ground.passages)
        gate = Gate(citer, drops=self._drops)
        yield from self._generate(prompt, cancel, session, record, gate)
        if record.failed is not None:
            return
        if ground is not None:
            yield from self._ending(ground, gate, record)
        yield Answered(self._finished(ground, record))

    def _ending(self, ground: _Ground, gate: Gate, record: _Record) -> Iterator[AskEvent]:
        """What comes after the model's last word: the held text, or a quote instead of it."""
        rest = gate.finish()
        if gate.opened:
            yield from _text(rest)
        elif record.stop_reason in ("cancelled", "content_filter"):
            yield from _text(gate.release())
        else:
            yield from self._instead(ground, gate, record)
        if gate.dropped and not (record.ending and record.ending.extracted):
            are = "sentences were" if gate.dropped > 1 else "sentence was"
            yield Notice(
                "sentences-dropped",
                f"{gate.dropped} {are} left out: the documents do not carry that.",
            )

    def _instead(self, ground: _Ground, gate: Gate, record: _Record) -> Iterator[AskEvent]:
        """Nothing that the model said is supported: decide what is said in its place."""
        said = gate.whole.strip()
        refused = is_refusal(said)
        if said and not refused and gate.claims_nothing:
            yield from _text(gate.release())
        elif refused and ground.relevance < SURE:
            # What it claims beside its refusal is not shown: nothing carries it.
            text = gate.release() if gate.claims_nothing else abstention(ground.question)
            yield from _text(text)
            record.ending = _Ending(_no_claim(text), abstained=True)
        else:
            yield Notice(
                "quoted-instead",
                "No sentence of the model's answer is carried by the documents; they are quoted "
                "instead.",
            )
            yield from self._quote(ground, record)

    def _quote(self, ground: _Ground, record: _Record) -> Iterator[AskEvent]:
        """The best sentence of the passages, said to be a quote, as the output filters leave it."""
        record.stop_reason = "stop"  # That the model was cut short says nothing of the quote.
        best = quotation(ground.ranked)
        if best is None:
            text = abstention(ground.question)
            yield from _text(text)
            record.ending = _Ending(_no_claim(text), abstained=True)
            return
        passage, start, end = best
        driver = self._filters.stream()
        emissions = (
            *driver.feed(quoted(ground.question, passage.text[start:end])),
            *driver.finish("end"),
        )
        yield from _shown(emissions)
        text = "".join(e.text for e in emissions if isinstance(e, TextDelta))
        if driver.blocked is not None:
            record.stop_reason = "content_filter"
            yield Notice("answer-stopped", f"A filter stopped the answer: {driver.blocked.reason}.")
        cited = (citation_of(passage, start, end),)
        sentences = (Sentence(text, 0, len(text), True, cited),) if text else ()
        record.ending = _Ending(sentences, extracted=True)

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

    @cached_property
    def _model(self) -> ChatModel:
        return self._make_model()

    def _prompt(
        self, question: str, history: Sequence[Message], passages: Sequence[Passage]
    ) -> Prompt:
        info = self._model.open()
        builder = PromptBuilder(
            self._model.tokenize,
            info.context_length,
            self._model.answer_tokens,
            renders_chat=info.renders_chat,
            small=self._model.small,
        )
        return builder.build(self._system, (*self._opening, *history), question, passages)

    def _generate(
        self, prompt: Prompt, cancel: CancelToken, session: str, record: _Record, gate: Gate
    ) -> Iterator[AskEvent]:
        driver = self._filters.stream()
        thinking = self._filters.stream()
        ended: FinishReason = "end"
        stream = self._model.generate(prompt.messages, prompt.tokens, prompt.room, cancel, session)
        with closing(stream) as events:  # type: ignore[type-var]
            for event in events:
                if isinstance(event, TextDelta):
                    yield from _gated(driver.feed(event.text), gate)
                elif isinstance(event, ThinkingDelta):
                    yield from _thought(thinking.feed(event.text))
                elif isinstance(event, Done):
                    record.stop_reason = event.stop_reason
                    ended = "cancelled" if event.stop_reason == "cancelled" else "end"
                elif isinstance(event, Failed):
                    yield from _gated(driver.finish("error"), gate)
                    yield from _text(gate.release())
                    yield event
                    return
                elif isinstance(event, (PromptProgress, Queued, Usage, Notice)):
                    yield event
                if driver.blocked is not None or thinking.blocked is not None:
                    break
        yield from _thought(thinking.finish(ended))
        yield from _gated(driver.finish(ended), gate)
        if blocked := driver.blocked or thinking.blocked:
            record.stop_reason = "content_filter"
            yield Notice("answer-stopped", f"A filter stopped the answer: {blocked.reason}.")

    def _finished(self, ground: _Ground | None, record: _Record) -> Answer:
        text = "".join(record.text)
        ending = record.ending
        if ending is None:
            passages = ground.passages if ground else ()
            citer = Citer(ground.question if ground else "", passages)
            ending = _Ending(citer.cite(text))
        return Answer(
            text=text,
            abstained=ending.abstained,
            stop_reason=record.stop_reason,
            sentences=ending.sentences,
            passages=ground.passages if ground else (),
            findings=tuple(record.findings),
            usage=record.usage,
            notices=tuple(record.notices),
            extracted=ending.extracted,
        )

    def _without_model(
        self, text: str, found: tuple[Passage, ...], record: _Record, reason: StopReason
    ) -> Iterator[AskEvent]:
        """An answer that the engine gives itself, without asking the model."""
        yield TextDelta(text)
        yield Answered(
            Answer(
                text=text,
                abstained=True,
                stop_reason=reason,
                sentences=_no_claim(text),
                passages=found,
                findings=tuple(record.findings),
                usage=record.usage,
                notices=tuple(record.notices),
            )
        )


def _ground(question: str, query: Query, found: Sequence[Passage]) -> _Ground:
    """The passages with their sentences, held against what the question leans on as well."""
    asked = query.whole if query.leans else question
    ranked = tuple(Extractor().rank(asked, found))
    bears = relevance(asked, found, ranked)
    if query.asks_of_another and not speaks_of(question, found):
        bears = -math.inf  # Or "and on the moon?" would be answered with what holds on earth.
    return _Ground(question, tuple(found), ranked, bears)


def _no_claim(text: str) -> tuple[Sentence, ...]:
    """The sentences of what the engine says itself, which needs no support."""
    return Citer("", ()).cite(text)


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


def _gated(emissions: Sequence[Emission], gate: Gate) -> Iterator[TextDelta | Finding | Notice]:
    for emission in _shown(emissions):
        if isinstance(emission, TextDelta):
            yield from _text(gate.feed(emission.text))
        else:
            yield emission


def _text(text: str) -> Iterator[TextDelta]:
    if text:
        yield TextDelta(text)


def _thought(emissions: Sequence[Emission]) -> Iterator[ThinkingDelta | Finding | Notice]:
    for emission in _shown(emissions):
        yield ThinkingDelta(emission.text) if isinstance(emission, TextDelta) else emission
