"""An assistant: a profile made runnable. This is what the faces and the Python API talk to."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook import errors
from inglenook.assistants.answering import Answering, failure
from inglenook.assistants.follow_ups import Query
from inglenook.errors import InglenookError, UserError
from inglenook.knowledge.neighbours import pointing_at_chunks
from inglenook.knowledge.reader_process import Passwords, no_password
from inglenook.types import (
    Answer,
    Answered,
    AskEvent,
    CancelToken,
    Failed,
    IngestEvent,
    IngestPlan,
    IngestReport,
    KnowledgeStatus,
    Message,
    Narrowing,
    Notice,
    Passage,
    RuntimeEvent,
    ToolSpec,
)

if TYPE_CHECKING:
    from types import TracebackType

    from inglenook.assistants.chat_model import ChatModel
    from inglenook.assistants.rendering import PromptView, TextTokens
    from inglenook.knowledge.knowledge_base import KnowledgeBase
    from inglenook.knowledge.search import Wanted
    from inglenook.profiles.files import FileSet
    from inglenook.profiles.profile import Profile
    from inglenook.security.pipeline import Filters

__all__ = ["Assistant"]


class Assistant:
    """Answers questions from its own documents. Close it, or use it in a `with` block.

    Made by `Assistant.from_file` or `Installation.assistant`; the arguments below are the parts
    that they put together.

    Args:
        name: What it is called.
        profile: Its profile, with everything inherited.
        path: Its Assistantfile; None for a bare model.
        make_model: Makes its model, not open, when that is first needed.
        filters: Its security filters.
        knowledge: Its knowledge base; None if it has no documents.
        find_files: Resolves its FILE lines.
        remote: The host that its profile sends prompts to; "" for none.
        on_close: Called last when it is closed.
    """

    def __init__(
        self,
        name: str,
        profile: Profile,
        path: Path | None,
        *,
        make_model: Callable[[], ChatModel],
        filters: Filters,
        knowledge: KnowledgeBase | None,
        find_files: Callable[[], FileSet],
        remote: str = "",
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.profile = profile
        self.path = path
        self.knowledge = knowledge
        self._make_model = make_model
        self._filters = filters
        self._find_files = find_files
        self._remote = remote
        self._on_close = on_close
        self._model_opened = False
        self._session = uuid.uuid4().hex

    @classmethod
    def from_file(cls, path: str | Path, *, home: str | Path | None = None) -> Assistant:
        """The assistant of an Assistantfile (or of the folder that holds one).

        Raises `ProfileError` with every problem of the file, `ModelNotFoundError` with the
        command that fetches the model, and the other errors of `inglenook.errors`.
        """
        from inglenook.assistants.installation import Installation

        installation = Installation.open(home=Path(home) if home is not None else None)
        try:
            return installation.assistant_from_file(Path(path), on_close=installation.close)
        except BaseException:
            installation.close()
            raise

    # --- knowledge --------------------------------------------------------------------------

    @property
    def needs_ingest(self) -> bool:
        """Whether it has documents and none of them was ever read."""
        return self.knowledge is not None and not self.knowledge.exists

    def check_files(self) -> None:
        """Raise `ProfileError` if a FILE line names what is not there or not allowed."""
        if self.knowledge is not None:
            self._find_files()

    def ingest_events(
        self,
        cancel: CancelToken | None = None,
        *,
        retry_failed: bool | Collection[str] = False,
        passwords: Passwords = no_password,
    ) -> Iterator[IngestEvent]:
        """Read what is new or changed, event by event; ends in an `IngestReport`.

        Args:
            cancel: Finishes the sources in hand, then stops; it can also pause.
            retry_failed: Read again what failed before and has not changed since: all of it, or
                the sources at these paths.
            passwords: Asked, from any thread, for the password of a source that is encrypted.
        """
        knowledge, files = self._documents()
        yield from knowledge.ingest(
            [(file.name, file.path) for file in files.files],
            cancel or CancelToken(),
            retry_failed=retry_failed,
            notices=files.notices,
            passwords=passwords,
            unseen=files.unseen,
        )

    def plan(self, *, retry_failed: bool = False) -> IngestPlan:
        """What `ingest` would do now; nothing is written."""
        knowledge, files = self._documents()
        plan = knowledge.plan(
            [(file.name, file.path) for file in files.files],
            retry_failed=retry_failed,
            unseen=files.unseen,
        )
        return replace(plan, notices=files.notices)

    def knowledge_status(self) -> KnowledgeStatus:
        """What the knowledge base holds and whether it is in order."""
        knowledge, files = self._documents()
        return knowledge.status([(file.name, file.path) for file in files.files])

    def rebuild_store(self, cancel: CancelToken | None = None) -> tuple[int, float]:
        """Build the vector store anew from the catalog; how many vectors, in how many seconds.

        Nothing is embedded again. Raises `UserError` if there is no vector store.
        """
        return self._known().rebuild_store(cancel or CancelToken())

    def vacuum_knowledge(self) -> int:
        """Free the space of what is gone, of cached embeddings too; the bytes that were freed."""
        return self._known().vacuum()

    def _documents(self) -> tuple[KnowledgeBase, FileSet]:
        return self._known(), self._find_files()

    def _known(self) -> KnowledgeBase:
        if self.knowledge is None:
            raise self._no_documents()
        return self.knowledge

    def _no_documents(self) -> UserError:
        return UserError(
            f"'{self.name}' has no documents.", hint="Add a FILE line to its Assistantfile."
        )

    def ingest(self, *, retry_failed: bool = False) -> IngestReport:
        """Read what is new or changed."""
        report: IngestReport | None = None
        for event in self.ingest_events(retry_failed=retry_failed):
            if isinstance(event, IngestReport):
                report = event
        assert report is not None, "an ingestion ends in a report or an exception"
        return report

    def search(
        self,
        query: str,
        *,
        limit: int | None = None,
        mode: str | None = None,
        within: Narrowing | None = None,
        explain: bool = False,
        cancel: CancelToken | None = None,
    ) -> tuple[Passage, ...]:
        """The best passages for a query, best first, without asking the model.

        Args:
            query: What to look for.
            limit: How many at most; None is what the profile says.
            mode: `lexical`, `vector` or `hybrid`; None is what the profile says.
            within: The sources and sections to search, beside what the profile says.
            explain: Let each passage say why it ranks where it does.
            cancel: Stops a reranker.
        """
        knowledge = self._known()
        if not query.strip():
            raise UserError("The query is empty.", hint="Name what to search for.")
        wanted = self._wanted(query, within, limit=limit, mode=mode, explain=explain)
        return self._good_enough(knowledge.search(wanted, cancel))

    def _wanted(
        self,
        text: str,
        within: Narrowing | None,
        *,
        limit: int | None = None,
        mode: str | None = None,
        explain: bool = False,
    ) -> Wanted:
        from inglenook.knowledge.search import Wanted

        options = self.profile.retrieve
        return Wanted(
            text,
            limit or options.top_k,
            mode or options.mode,
            within=(options.narrowing, within or Narrowing()),
            explain=explain,
        )

    def _good_enough(self, found: Sequence[Passage]) -> tuple[Passage, ...]:
        least = self.profile.retrieve.min_score
        return tuple(passage for passage in found if least is None or passage.score >= least)

    def _passages(
        self, within: Narrowing | None, cancel: CancelToken, query: Query, *, inline: bool
    ) -> tuple[Passage, ...]:
        """What the answer to a question of a conversation will rest on.

        With `inline` it may be the whole knowledge, as far as the model's context goes.
        """
        from inglenook.assistants import inlining

        wanted = self._wanted(query.text, within)
        with self._known().searching() as search:
            if query.leans or not search.knows_a_word_of(query.text):
                wanted = replace(wanted, earlier="\n".join(query.earlier))
            if inline and self.profile.retrieve.knowledge == "inline":
                return inlining.whole_knowledge(search, wanted, self._model)
            if self.profile.retrieve.knowledge == "auto":
                standing = (self.profile.system or "", *(t for _, t in self.profile.messages))
                context = int(str(self.profile.parameters.get("num_ctx", 0)))
                if found := inlining.fits_comfortably(search, wanted, standing, context):
                    return found
            return self._good_enough(search.passages(wanted, cancel))

    # --- asking -----------------------------------------------------------------------------

    def ask_events(
        self,
        question: str,
        history: Sequence[Message] = (),
        cancel: CancelToken | None = None,
        *,
        within: Narrowing | None = None,
        extractive: bool = False,
    ) -> Iterator[AskEvent]:
        """Stream an answer; ends in exactly one `Answered` or `Failed`.

        Args:
            question: What the user asks.
            history: The earlier turns, oldest first.
            cancel: Stops the answer; what was said so far is kept.
            within: The sources and sections to answer from, beside what the profile says.
            extractive: Quote the documents and ask no model, whatever the profile says.
        """
        if (within or extractive) and self.knowledge is None:
            yield failure(self._no_documents())
            return
        cancel = cancel or CancelToken()
        answering = self._answering(within, cancel, extractive=extractive)
        for event in answering.events(question, history, cancel, self._session):
            if isinstance(event, Answered):
                answer = pointing_at_chunks(event.answer)
                asked = self.needs_model and not extractive
                yield Answered(replace(answer, remote=self.remote if asked else ""))
            else:
                yield event

    def ask(
        self,
        question: str,
        history: Sequence[Message] = (),
        *,
        within: Narrowing | None = None,
        extractive: bool = False,
    ) -> Answer:
        """An answer, with its sentences tied to passages (see `ask_events`).

        Documents that were never read are read first. Raises `InglenookError`.
        """
        if self.needs_ingest:
            self.ingest()
        for event in self.ask_events(question, history, within=within, extractive=extractive):
            if isinstance(event, Failed):
                raise _error_of(event)
            if isinstance(event, Answered):
                return event.answer
        raise AssertionError("a stream of an answer ends in Answered or Failed")

    def prompt_for(
        self,
        question: str | None,
        *,
        within: Narrowing | None = None,
        passages: bool = True,
        cancel: CancelToken | None = None,
    ) -> PromptView:
        """The prompt that the model would get for a question; for None, what all begin with.

        Args:
            question: The question, the first of a conversation.
            within: The sources and sections to answer from, beside what the profile says.
            passages: Whether documents are looked into.
            cancel: Stops the search.

        Raises `InglenookError`. The model is loaded and generates nothing.
        """
        from inglenook.assistants.rendering import QUOTED, fixed_prompt, prompt_of

        if within and self.knowledge is None:
            raise self._no_documents()
        if not self.needs_model and (question is None or not passages):
            return QUOTED
        answering = self._answering(within, cancel or CancelToken(), extractive=False)
        if question is None:
            return fixed_prompt(answering, lambda: self._model)
        return prompt_of(answering, lambda: self._model, question, passages=passages)

    def tokens(self, text: str, *, special: bool = False) -> TextTokens:
        """The tokens of a text, as the model's own tokenizer cuts it (see `rendering`)."""
        from inglenook.assistants.rendering import tokens_of

        return tokens_of(self._model, text, special=special)

    def converse(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[ToolSpec] = (),
        tool_choice: str = "auto",
        form: Mapping[str, Any] | str | None = None,
        cancel: CancelToken | None = None,
    ) -> Iterator[RuntimeEvent]:
        """What the model alone says next: no documents, no filters, no system prompt.

        Args:
            messages: The conversation, with tool calls and their results.
            tools: What the model may call. No tool is run: a call is a `ToolCallDelta`, and the
                stream ends in `Done("tool_calls")`.
            tool_choice: `auto`, `required`, or the name of a tool that must be called.
            form: A JSON schema, or a grammar (GBNF), that the answer must follow.
            cancel: Stops it.

        Raises `InglenookError` before the first event.
        """
        if not messages:
            raise UserError("The conversation is empty.", hint="Give at least one message.")
        stop = cancel or CancelToken()
        yield from self._model.converse(
            messages, stop, tools=tools, tool_choice=tool_choice, form=form
        )

    def open(self) -> None:
        """Load the model now instead of with the first question, if questions need one."""
        if self.needs_model:
            self._model.open()

    @property
    def needs_model(self) -> bool:
        """Whether its questions go to a model; not if its profile has the documents quoted."""
        return self.knowledge is None or self.profile.retrieve.answer != "extractive"

    @property
    def remote(self) -> str:
        """The host that prompts are sent to; "" if they stay on this machine.

        Whether a server sends them on is known once the model is open.
        """
        return self._model.remote if self._model_opened else self._remote

    @cached_property
    def _model(self) -> ChatModel:
        model = self._make_model()
        self._model_opened = True
        return model

    def _answering(
        self, within: Narrowing | None, cancel: CancelToken, *, extractive: bool
    ) -> Answering:
        options = self.profile.retrieve
        extractive = extractive or options.answer == "extractive"
        retrieve = partial(self._passages, within, cancel, inline=not extractive)
        return Answering(
            lambda: self._model,
            None if self.knowledge is None else retrieve,
            self._filters,
            self.profile.system or "",
            [Message.of(_role(role), text) for role, text in self.profile.messages],
            self.standing_notices,
            extractive=extractive,
            drops=options.unsupported == "drop",
        )

    def standing_notices(self) -> Sequence[Notice]:
        """What is to be said with every answer, and every search, while it is so."""
        if self.knowledge is None or not self.knowledge.exists:
            return ()
        if not self.knowledge.matches_recipe:
            return (
                Notice(
                    "knowledge-outdated",
                    "The documents were read with other settings; "
                    f"run `nook ingest {self.name}`. Until then words alone are searched.",
                ),
            )
        files = [(file.name, file.path) for file in self._find_files().files]
        changed = self.knowledge.changed(files)
        if not changed:
            return ()
        some = ", ".join(changed[:3]) + (", …" if len(changed) > 3 else "")
        return (
            Notice(
                "sources-changed",
                f"{len(changed)} source{'s' if len(changed) > 1 else ''} changed since they were "
                f"read ({some}); run `nook ingest {self.name}`.",
            ),
        )

    # --- life -------------------------------------------------------------------------------

    def close(self) -> None:
        """Free the model and close the catalog."""
        if self._model_opened:
            self._model.close()
            self._model_opened = False
        if self.knowledge is not None:
            self.knowledge.close()
        self._on_close()

    def __enter__(self) -> Assistant:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _role(role: str) -> Any:
    return role


def _error_of(event: Failed) -> InglenookError:
    """The exception that a `Failed` stands for."""
    kind = getattr(errors, event.error, InglenookError)
    error: InglenookError = kind(event.message, hint=event.hint)
    for name in ("needed", "available"):
        if name in event.details:
            setattr(error, name, event.details[name])
    return error
