"""Keys and layout."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.binding import Binding

from inglenook.tui.app import InglenookApp
from inglenook.tui.screens.chat import ChatScreen
from inglenook.tui.screens.choose import ChooseScreen
from inglenook.tui.screens.help import HelpScreen
from inglenook.tui.widgets.composer import Composer

pytestmark = pytest.mark.timeout(60)

OWNERS = (InglenookApp, ChatScreen, ChooseScreen, HelpScreen, Composer)
BINDINGS = [binding for owner in OWNERS for binding in owner.BINDINGS]


@pytest.mark.parametrize("binding", BINDINGS, ids=lambda binding: str(binding.id))
def test_each_key_can_be_rebound_is_explained_and_can_be_sent_by_every_terminal(
    binding: Binding,
) -> None:
    assert binding.id
    assert binding.tooltip
    assert not {"ctrl+i", "ctrl+m", "ctrl+h"} & set(binding.key.split(","))


def test_ids_of_keys_are_unique() -> None:
    ids = [binding.id for binding in BINDINGS]
    assert len(ids) == len(set(ids))


def test_help_explains_every_key_of_the_chat(scripted: SimpleNamespace) -> None:
    async def story(chat: Any) -> None:
        await chat.press("f1")
        listed = chat.text("#help")
        for owner in (InglenookApp, ChatScreen, Composer):
            for binding in owner.BINDINGS:
                assert binding.tooltip in listed
        await chat.press("escape")
        assert isinstance(chat.screen, ChatScreen)

    scripted.play(scripted.Installation(scripted.Assistant("contoso", scripted.saying("x"))), story)


def test_enter_sends_and_ctrl_j_begins_a_line(scripted: SimpleNamespace) -> None:
    assistant = scripted.Assistant("contoso", scripted.saying("x"))

    async def story(chat: Any) -> None:
        await chat.press("enter")
        await chat.press("a", "ctrl+j", "b", "enter")
        await chat.idle()
        assert chat.screen.composer.text == ""

    scripted.play(scripted.Installation(assistant), story)
    assert [question for question, _ in assistant.asked] == ["a\nb"]


@pytest.mark.parametrize(
    ("columns", "beside"), [(140, True), (100, True), (80, False), (60, False)]
)
def test_passages_stand_beside_the_chat_where_there_is_room(
    scripted: SimpleNamespace, columns: int, beside: bool
) -> None:
    async def story(chat: Any) -> None:
        assert chat.screen.passages.display is beside
        await chat.press("f3")
        assert chat.screen.passages.display is not beside
        await chat.press("f3")
        assert chat.screen.passages.display is beside
        assert chat.screen.composer.has_focus

    scripted.play(
        scripted.Installation(scripted.Assistant("contoso", scripted.saying("x"))),
        story,
        size=(columns, 24),
    )


def test_ctrl_c_copies_then_stops_then_quits(scripted: SimpleNamespace) -> None:
    assistant = scripted.Assistant("contoso", scripted.saying(*"abc" * 900, pause_s=0.02))

    async def story(chat: Any) -> None:
        chat.screen.composer.text = "copied"
        chat.screen.composer.select_all()
        await chat.press("ctrl+c")
        assert chat.app.clipboard == "copied"
        await chat.type("first")
        await chat.until(lambda: "a" in chat.text("GrowingText"))
        await chat.press("ctrl+c")
        await chat.idle()
        assert "stopped" in chat.text(".usage")
        await chat.press("ctrl+c")
        assert chat.app.is_running
        await chat.press("ctrl+c")
        assert chat.app._exit

    scripted.play(scripted.Installation(assistant), story)


def test_the_bar_names_assistant_and_model_and_that_nothing_leaves_the_machine(
    scripted: SimpleNamespace,
) -> None:
    async def story(chat: Any) -> None:
        assert str(chat.screen.status.render()) == "● offline · contoso · tiny:1b"

    scripted.play(scripted.Installation(scripted.Assistant("contoso", scripted.saying("x"))), story)


def test_the_palette_runs_the_actions_by_name(scripted: SimpleNamespace) -> None:
    assistant = scripted.Assistant("contoso", scripted.saying("x"))

    async def story(chat: Any) -> None:
        await chat.ask("first")
        await chat.press("ctrl+p")
        await chat.press(*"New")
        await chat.pilot.pause(0.5)
        await chat.press("enter")
        await chat.until(lambda: isinstance(chat.screen, ChatScreen))
        await chat.until(lambda: chat.text("Question") == "")

    scripted.play(scripted.Installation(assistant), story)


def test_the_manual_lists_every_key_of_the_chat() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "terminal-ui.md").read_text("utf-8")
    listed = {
        key.strip().replace("page ", "page")
        for line in manual.split("## Keys")[1].splitlines()
        if line.startswith("| ")
        for key in line.split("|")[1].split(",")
    }
    keys = {
        {"escape": "esc"}.get(key, key)
        for owner in (InglenookApp, ChatScreen, Composer)
        for binding in owner.BINDINGS
        for key in binding.key.split(",")
    }
    assert keys - listed == set()
