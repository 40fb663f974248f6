"""The chat as a user lives through it, with assistants that follow a script."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from inglenook.errors import ModelNotFoundError, StoreError
from inglenook.tui.widgets.answer import AnswerView
from inglenook.tui.widgets.passages import PassageCard
from inglenook.tui.widgets.question import Question
from inglenook.types import (
    Action,
    Answer,
    Answered,
    Failed,
    Finding,
    Notice,
    Retrieved,
    Sentence,
    Stage,
    TextDelta,
)

pytestmark = pytest.mark.timeout(60)


def test_an_answer_comes_with_sources_quotes_and_marks(scripted: SimpleNamespace) -> None:
    answer = scripted.cited_answer()
    script = scripted.playing(
        Retrieved(answer.passages), TextDelta(answer.text[:20]), TextDelta(answer.text[20:]),
        Answered(answer),
    )  # fmt: skip

    async def story(chat: Any) -> None:
        await chat.ask("How long must a password be?")
        assert chat.text("Question") == "How long must a password be?"
        assert chat.text("GrowingText") == (
            "A password has at least 14 characters. [1] It is blue. (no source) Anything else?"
        )
        assert chat.text(".citation") == (f"[1] security_protocols.pdf page 10  “{scripted.QUOTE}”")
        assert chat.text(".usage") == "41 tokens · 41 tok/s · prompt 812 (600 reused) · 3.0 s"
        cited = [card for card in chat.screen.query(PassageCard) if card.has_class("cited")]
        assert [card.passage.chunk for card in cited] == ["c1"]

    scripted.play(scripted.Installation(scripted.Assistant("contoso", script)), story)


def test_passages_are_shown_before_the_answer_is_there(scripted: SimpleNamespace) -> None:
    script = scripted.saying("one ", "two", pause_s=5.0, passages=[scripted.passage(1)])

    async def story(chat: Any) -> None:
        await chat.type("a question")
        await chat.until(lambda: len(chat.screen.query(PassageCard)) == 1)
        shown = chat.text("PassageCard")
        for part in ("[1]", "security_protocols.pdf page 10", "score 1.00", "Access › Passwords"):
            assert part in shown
        assert scripted.QUOTE in shown
        assert chat.text("GrowingText") == ""
        await chat.press("escape")

    scripted.play(scripted.Installation(scripted.Assistant("contoso", script)), story)


def test_escape_stops_and_keeps_what_was_said(scripted: SimpleNamespace) -> None:
    script = scripted.saying(*(f"word{i} " for i in range(1000)), pause_s=0.01)

    async def story(chat: Any) -> None:
        await chat.type("tell me much")
        await chat.until(lambda: "word3 " in chat.text("GrowingText"))
        await chat.press("escape")
        await chat.idle()
        said = chat.text("GrowingText")
        assert said.startswith("word0 word1 word2 word3 ")
        assert "word999" not in said
        assert chat.text(".usage") == "stopped"

    scripted.play(scripted.Installation(scripted.Assistant("contoso", script)), story)


def test_the_next_question_knows_the_turns_before_it_until_a_new_conversation(
    scripted: SimpleNamespace,
) -> None:
    assistant = scripted.Assistant("contoso", scripted.saying("fine"))

    async def story(chat: Any) -> None:
        await chat.ask("first")
        await chat.ask("second")
        await chat.press("ctrl+n")
        assert not chat.screen.query(Question)
        await chat.ask("third")

    scripted.play(scripted.Installation(assistant), story)
    told = [(question, [m.text for m in history]) for question, history in assistant.asked]
    assert told == [("first", []), ("second", ["first", "fine"]), ("third", [])]


def test_a_stopped_answer_is_part_of_the_conversation(scripted: SimpleNamespace) -> None:
    assistant = scripted.Assistant(
        "contoso", scripted.saying("half", *(" more",) * 500, pause_s=0.02)
    )

    async def story(chat: Any) -> None:
        await chat.type("first")
        await chat.until(lambda: "half" in chat.text("GrowingText"))
        await chat.press("escape")
        await chat.idle()
        assistant.script = scripted.saying("ok")
        await chat.ask("second")

    scripted.play(scripted.Installation(assistant), story)
    history = assistant.asked[1][1]
    assert [message.role for message in history] == ["user", "assistant"]
    assert history[1].text.startswith("half")


@pytest.mark.parametrize(
    "error", [StoreError("The disk is full.", hint="Free space."), KeyError("x")]
)
def test_an_error_is_told_and_the_chat_goes_on(scripted: SimpleNamespace, error: Exception) -> None:
    assistant = scripted.Assistant("contoso", scripted.playing(TextDelta("The beg"), error))

    async def story(chat: Any) -> None:
        await chat.ask("first")
        assert "The beg" in chat.text("GrowingText")
        assert (
            "The disk is full." in chat.text(".error")
            if isinstance(error, StoreError)
            else "KeyError: 'x'" in chat.text(".error")
        )
        assert "Traceback" not in chat.text()
        assistant.script = scripted.saying("better")
        await chat.ask("second")
        assert "better" in chat.text("GrowingText")

    scripted.play(scripted.Installation(assistant), story)
    assert assistant.asked[1][1] == ()


def test_a_failed_stream_shows_what_to_do_next(scripted: SimpleNamespace) -> None:
    failed = Failed("RuntimeFailure", "The runtime ended unexpectedly.", "Ask again.")
    script = scripted.playing(Retrieved(()), TextDelta("Half"), failed)

    async def story(chat: Any) -> None:
        await chat.ask("first")
        assert chat.text(".error") == "✗ The runtime ended unexpectedly.\n  Ask again."
        assert chat.text("GrowingText") == "Half"

    scripted.play(scripted.Installation(scripted.Assistant("contoso", script)), story)


def test_an_abstention_is_called_one(scripted: SimpleNamespace) -> None:
    text = "I could not find that."
    answer = Answer(text, True, "stop", (Sentence(text, 0, len(text), None),))
    script = scripted.playing(Retrieved(()), TextDelta(text), Answered(answer))

    async def story(chat: Any) -> None:
        await chat.ask("first")
        assert chat.screen.query_one(AnswerView).has_class("abstained")
        assert "Nothing relevant was found" in chat.text("AnswerView")
        assert "No passage bears on this question." in chat.text("PassagesPane")

    scripted.play(scripted.Installation(scripted.Assistant("contoso", script)), story)


def test_findings_and_notices_are_shown_once_each(scripted: SimpleNamespace) -> None:
    finding = Finding("markup", Stage.CONTEXT, Action.REDACT, "terminal-escape", 0, 3, "desk.md")
    notice = Notice("sources-changed", "1 source changed [since] it was read.")
    script = scripted.playing(
        notice, notice, finding, finding, Retrieved(()), Answered(Answer("", False, "stop"))
    )

    async def story(chat: Any) -> None:
        await chat.ask("first")
        assert chat.text(".notice") == "• 1 source changed [since] it was read."
        assert chat.text(".finding") == "⚑ filter markup took out terminal-escape in desk.md"
        assert chat.text(".usage") == "the model said nothing"

    scripted.play(scripted.Installation(scripted.Assistant("contoso", script)), story)


def test_documents_that_were_never_read_are_read_while_a_question_waits(
    scripted: SimpleNamespace,
) -> None:
    assistant = scripted.Assistant(
        "contoso", scripted.saying("done"), unread_sources=4, ingest_pause_s=0.15
    )

    async def story(chat: Any) -> None:
        await chat.press("ctrl+l")
        await chat.until(lambda: len(chat.app.screen_stack) == 2)
        await chat.press("enter")
        await chat.until(lambda: "Reading documents ━" in chat.text("IngestionView"))
        await chat.type("a question")
        assert chat.screen.query_one(Question).has_class("waiting")
        await chat.until(lambda: "done" in chat.text("GrowingText"))
        assert "Read 4 sources, 40 chunks" in chat.text("IngestionView")
        assert not chat.screen.query_one(Question).has_class("waiting")

    scripted.play(scripted.Installation(assistant), story, assistant=None)


def test_escape_gives_a_waiting_question_back(scripted: SimpleNamespace) -> None:
    assistant = scripted.Assistant("contoso", scripted.saying(*"abcdefgh" * 50, pause_s=0.02))

    async def story(chat: Any) -> None:
        await chat.type("first")
        await chat.until(lambda: "a" in chat.text("GrowingText"))
        await chat.type("second")
        await chat.press("escape")
        await chat.idle()
        assert chat.screen.composer.text == "second"
        assert chat.text("Question") == "first"

    scripted.play(scripted.Installation(assistant), story)
    assert [question for question, _ in assistant.asked] == ["first"]


def test_a_missing_model_is_told_as_soon_as_the_assistant_is_chosen(
    scripted: SimpleNamespace,
) -> None:
    missing = ModelNotFoundError("There is no model tiny:1b.", hint="nook pull tiny:1b")
    assistant = scripted.Assistant("contoso", scripted.saying("x"), open_error=missing)

    async def story(chat: Any) -> None:
        assert "nook pull tiny:1b" in chat.text(".error")

    scripted.play(scripted.Installation(assistant), story)


def test_without_a_model_the_next_step_is_named(scripted: SimpleNamespace) -> None:
    installation = scripted.Installation(
        scripted.Assistant("contoso", scripted.saying("x")), models=()
    )

    async def story(chat: Any) -> None:
        await chat.until(lambda: "nook pull tiny:1b" in chat.text(".welcome"))
        await chat.ask("anybody there?")
        assert "No assistant is chosen." in chat.text(".error")

    scripted.play(installation, story, assistant=None)


def test_what_cannot_be_used_is_listed_with_its_problem(scripted: SimpleNamespace) -> None:
    problem = 'Assistantfile:3:8: Unknown filter "[bold]".'
    installation = scripted.Installation(
        scripted.Assistant("contoso", scripted.saying("x")), broken={"old": problem}
    )

    async def story(chat: Any) -> None:
        await chat.until(lambda: len(chat.app.screen_stack) == 2)
        options = chat.screen.query_one("OptionList").options
        assert [str(option.prompt).splitlines()[0] for option in options] == [
            "contoso  tiny:1b",
            "old",
            "tiny:1b  a model, without documents",
        ]
        assert problem in str(options[1].prompt)
        assert options[1].disabled
        await chat.press("escape")
        assert "no assistant" in str(chat.screen.status.render())

    scripted.play(installation, story, assistant=None)


def test_choosing_another_assistant_stops_the_answer_and_closes_the_first(
    scripted: SimpleNamespace,
) -> None:
    first = scripted.Assistant("contoso", scripted.saying(*"abc" * 900, pause_s=0.02))
    second = scripted.Assistant("manual", scripted.saying("hello"))

    async def story(chat: Any) -> None:
        await chat.type("first")
        await chat.until(lambda: "a" in chat.text("GrowingText"))
        await chat.press("ctrl+l")
        await chat.until(lambda: len(chat.app.screen_stack) == 2)
        await chat.press("down", "enter")
        await chat.until(lambda: "manual" in str(chat.screen.status.render()))
        await chat.ask("second")
        assert chat.text("GrowingText") == "hello"
        assert first.closed

    scripted.play(scripted.Installation(first, second), story)
    assert second.closed
    assert second.asked == [("second", ())]


def test_leaving_in_the_middle_of_an_answer_closes_the_assistant(scripted: SimpleNamespace) -> None:
    assistant = scripted.Assistant("contoso", scripted.saying(*"abc" * 900, pause_s=0.02))

    async def story(chat: Any) -> None:
        await chat.type("first")
        await chat.until(lambda: "a" in chat.text("GrowingText"))
        await chat.press("ctrl+q")

    scripted.play(scripted.Installation(assistant), story)
    assert assistant.closed


def test_a_crash_of_the_screen_closes_the_assistant(scripted: SimpleNamespace) -> None:
    assistant = scripted.Assistant("contoso", scripted.saying("x"))

    async def story(chat: Any) -> None:
        chat.screen.call_later(lambda: 1 / 0)
        await chat.pilot.pause(0.1)

    with pytest.raises(ZeroDivisionError):
        scripted.play(scripted.Installation(assistant), story)
    assert assistant.closed


def test_the_view_is_not_pulled_down_when_the_user_has_scrolled_up(
    scripted: SimpleNamespace,
) -> None:
    script = scripted.saying(*(f"line {i}\n" for i in range(300)), pause_s=0.01)

    async def story(chat: Any) -> None:
        await chat.type("first")
        await chat.until(lambda: "line 60\n" in chat.text("GrowingText"))
        assert chat.screen.transcript.is_vertical_scroll_end
        await chat.press("pageup")
        seen = chat.screen.transcript.scroll_y
        said = len(chat.text("GrowingText"))
        await chat.until(lambda: len(chat.text("GrowingText")) > said + 100)
        assert chat.screen.transcript.scroll_y == seen
        await chat.press("escape")

    scripted.play(
        scripted.Installation(scripted.Assistant("contoso", script)), story, size=(80, 24)
    )
