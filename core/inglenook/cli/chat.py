"""The line chat: questions with their earlier turns, answered as they are typed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from inglenook.cli.answers import print_answer
from inglenook.cli.columns import shortened
from inglenook.cli.terminal import visible
from inglenook.errors import InglenookError
from inglenook.types import Answer, Message

if TYPE_CHECKING:
    from inglenook.assistants.assistant import Assistant
    from inglenook.cli.terminal import Terminal

__all__ = ["Chat"]

_HELP = """/bye       leave (also Ctrl-D)
/clear     forget the earlier turns
/sources   show the passages of the last answer
/help      show this
\"\"\"        begin and end a question of several lines
Ctrl-C     stop an answer; what was said is kept"""
_PASSAGE = 400


class Chat:
    """A conversation on a terminal.

    Args:
        terminal: Where it takes place.
        assistant: Who answers.
    """

    def __init__(self, terminal: Terminal, assistant: Assistant) -> None:
        self._terminal = terminal
        self._assistant = assistant
        self._history: list[Message] = []
        self._last: Answer | None = None

    def run(self) -> None:
        """Until the user leaves. Errors of single answers are told and do not end it."""
        if find_spec("readline"):
            import readline  # noqa: F401  (gives `input` editing and a history)
        self._terminal.status("Loading the model…")
        self._assistant.open()
        self._terminal.status("")
        name, model = self._assistant.name, self._assistant.profile.model
        title = name if name == model else f"{name} ({model})"
        if self._assistant.remote:
            self._terminal.note(f"Remote: what you type goes to {self._assistant.remote}.")
        self._terminal.note(f"{title}. /help says what can be typed, /bye leaves.")
        while (text := self._read()) is not None:
            if not text.strip():
                continue
            if text.startswith("/"):
                if not self._command(text.strip()):
                    return
            else:
                self._ask(text)

    def _read(self) -> str | None:
        """The next question; None at the end."""
        try:
            line = input(">>> ")
            if not line.startswith('"""'):
                return line
            lines = [line[3:]]
            while not lines[-1].rstrip().endswith('"""'):
                lines.append(input("... "))
            lines[-1] = lines[-1].rstrip().removesuffix('"""')
            return "\n".join(lines).strip()
        except EOFError:
            self._terminal.out()
            return None
        except KeyboardInterrupt:
            self._terminal.out()
            self._terminal.note("Ctrl-D or /bye leaves.")
            return ""

    def _command(self, text: str) -> bool:
        """Do what `/…` says; whether the chat goes on."""
        if text in ("/bye", "/exit", "/quit"):
            return False
        if text == "/clear":
            self._history.clear()
            self._last = None
            self._terminal.note("The earlier turns are forgotten.")
        elif text == "/sources":
            self._terminal.out(self._sources())
        elif text in ("/help", "/?"):
            self._terminal.out(_HELP)
        else:
            self._terminal.note(
                f"There is no {text.split(maxsplit=1)[0]}; /help lists what there is."
            )
        return True

    def _sources(self) -> str:
        passages = self._last.passages if self._last else ()
        if not passages:
            return "The last answer rests on no passages." if self._last else "Ask something first."
        return "\n\n".join(
            visible(f"{number}. {passage.source}, {passage.locator}".rstrip(", "))
            + f"\n   {shortened(passage.text, _PASSAGE)}"
            for number, passage in enumerate(passages, 1)
        )

    def _ask(self, question: str) -> None:
        try:
            answer = print_answer(self._terminal, self._assistant, question, tuple(self._history))
        except InglenookError as error:
            self._terminal.error(f"Error: {error}")
            return
        except KeyboardInterrupt:
            self._terminal.out()
            return
        self._last = answer
        self._history += [Message.of("user", question), Message.of("assistant", answer.text)]
        self._terminal.out()
