"""The chat: transcript, passages, question and status on one screen."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual import getters, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Footer

from inglenook.tui.screens.chat_keys import CHAT_KEYS
from inglenook.tui.screens.engine import EngineScreen
from inglenook.tui.session import Choice, Opened, Session, SessionEvent
from inglenook.tui.welcome import NOBODY_CHOSEN, no_model_yet, welcome_of
from inglenook.tui.widgets.composer import Composer
from inglenook.tui.widgets.conversation import Conversation
from inglenook.tui.widgets.line import Line, failure_line
from inglenook.tui.widgets.passages import PassagesPane
from inglenook.tui.widgets.question import Question
from inglenook.tui.widgets.status_bar import StatusBar
from inglenook.tui.widgets.transcript import Transcript
from inglenook.types import Failed

__all__ = ["ChatScreen"]

QUIT_WITHIN_S = 2.0


class ChatScreen(EngineScreen):
    """One conversation. One job of the engine runs at a time; one more may wait for it.

    Args:
        session: The engine.
        assistant: Whom to open at once; None offers the list.
    """

    CSS_PATH = "chat.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as the base says
    BINDINGS: ClassVar[list[BindingType]] = [*CHAT_KEYS]

    transcript = getters.query_one(Transcript)
    passages = getters.query_one(PassagesPane)
    composer = getters.query_one(Composer)
    status = getters.query_one(StatusBar)

    class Listed(Message):
        """What can be asked was looked up. `offer`: let the user choose."""

        def __init__(self, choices: tuple[Choice, ...] | Failed, offer: bool) -> None:
            super().__init__()
            self.choices = choices
            self.offer = offer

    def __init__(self, session: Session, assistant: str | None = None) -> None:
        super().__init__(session)
        self._first = assistant
        self._waiting: Question | None = None
        self._quit_armed = False

    def compose(self) -> ComposeResult:
        with Horizontal(id="panes"):
            with Vertical(id="talk"):
                yield Transcript()
                yield Composer()
            yield PassagesPane()
        yield StatusBar()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._conversation = Conversation(self.transcript, self.passages, self.status)
        self._new_transcript(NOBODY_CHOSEN)
        self.composer.focus()
        # The engine is imported and opened only once something is on the screen.
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        if self._first is None:
            self._list_choices(offer=False)
        else:
            self.run_job(self.session.start(self._first))

    def show_event(self, event: SessionEvent) -> None:
        if isinstance(event, Opened):
            self._new_transcript(welcome_of(event))
        self._conversation.show(event)

    def job_ended(self) -> None:
        self._waiting = None
        self._conversation.end_job()

    # --- asking -----------------------------------------------------------------------------

    def on_composer_sent(self, message: Composer.Sent) -> None:
        if self.busy and self.next_action is not None:
            self.notify("One question waits already. Esc takes it back.", markup=False)
            return
        self.composer.clear()
        question = Question(message.text)
        self.transcript.add(question)
        self.transcript.anchor()
        if self.busy:
            question.add_class("waiting")
            self._waiting = question
            self.next_action = partial(self._ask, question)
        else:
            self._ask(question)

    def _ask(self, question: Question) -> None:
        question.remove_class("waiting")
        self._conversation.begin_answer()
        self.run_job(self.session.ask(question.question))

    def action_stop(self) -> None:
        if self.busy:
            self.stop_job()
            return
        self.clear_selection()
        self.remove_class("passages-open")
        self.composer.focus()

    def stop_job(self) -> None:
        super().stop_job()
        self.status.activity = "stopping …"
        # The question that waits goes back to where it was written.
        if self._waiting is not None:
            drafts = (self._waiting.question, self.composer.text)
            self.composer.text = "\n".join(draft for draft in drafts if draft)
            self._waiting.remove()
            self._waiting = None

    def action_interrupt(self) -> None:
        selected = self.composer.selected_text or self.get_selected_text()
        if selected:
            self.app.copy_to_clipboard(selected)
            self.notify("Copied.", markup=False)
        elif self.busy:
            self.action_stop()
        elif self._quit_armed:
            self.app.exit()
        else:
            self._quit_armed = True
            self.set_timer(QUIT_WITHIN_S, self._disarm_quit)
            self.notify("Press Ctrl+C again to quit.", timeout=QUIT_WITHIN_S, markup=False)

    def _disarm_quit(self) -> None:
        self._quit_armed = False

    # --- conversations and assistants -------------------------------------------------------

    def action_new(self) -> None:
        self.when_free(self._new_conversation)

    def _new_conversation(self) -> None:
        self.session.forget()
        self._new_transcript(self._welcome)

    def _new_transcript(self, welcome: str) -> None:
        self._welcome = welcome
        self.passages.clear()
        self.transcript.clear()
        self.transcript.add(Line(welcome, "welcome"))

    def action_choose(self) -> None:
        self._list_choices(offer=True)

    @work(thread=True, exclusive=True, group="choices", exit_on_error=False)
    def _list_choices(self, *, offer: bool) -> None:
        self.post_message(self.Listed(self.session.choices(), offer))

    def on_chat_screen_listed(self, message: Listed) -> None:
        choices = message.choices
        if isinstance(choices, Failed):
            self.transcript.add(failure_line(choices))
            return
        missing = no_model_yet(choices)
        if missing and not message.offer:
            self._new_transcript(missing)
        elif choices and self.is_current:
            from inglenook.tui.screens.choose import ChooseScreen

            self.app.push_screen(ChooseScreen(choices), self._chosen)

    def _chosen(self, name: str | None) -> None:
        self.composer.focus()
        if name is not None:
            self.when_free(lambda: self.run_job(self.session.start(name)))

    # --- the screen -------------------------------------------------------------------------

    def action_passages(self) -> None:
        narrow = self.has_class("-narrow")
        self.toggle_class("passages-open" if narrow else "without-passages")
        (self.passages if narrow and self.has_class("passages-open") else self.composer).focus()

    def action_help(self) -> None:
        from inglenook.tui.screens.help import HelpScreen

        all_bindings = (*Composer.BINDINGS, *self.BINDINGS, *self.app.BINDINGS)
        self.app.push_screen(HelpScreen(Binding.make_bindings(all_bindings)))

    def action_scroll_back(self) -> None:
        self.transcript.scroll_page_up(animate=False)

    def action_scroll_on(self) -> None:
        self.transcript.scroll_page_down(animate=False)
