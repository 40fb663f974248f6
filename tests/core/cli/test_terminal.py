"""What a person at a terminal sees and can do, through a real pseudo-terminal."""

from __future__ import annotations

import os
import signal
import time

import pytest

from inglenook.cli.columns import columns
from inglenook.cli.terminal import safe_text, visible


@pytest.fixture
def home(assistant_home):
    """A home with models."""
    return assistant_home


def test_escapes_never_reach_a_terminal():
    assert safe_text("a\x1b[31mb\x07\x9b1mc\x7f\u202ed\n\te\u200f") == "a[31mb1mcd\n\te\u200f"


def test_columns_count_what_a_terminal_shows():
    table = columns(("A", "B"), [("日本", "x"), ("שָׁלוֹם", "y"), ("abcd", "z")])
    assert table.splitlines() == ["A     B", "日本  x", "שָׁלוֹם  y", "abcd  z"]


def test_escapes_in_an_assistantfile_are_not_shown_on_a_terminal(screen, folder):
    file = folder / "Assistantfile"
    file.write_text(file.read_text().replace("SYSTEM Answer", "SYSTEM \x1b[31mAnswer"))
    shown = screen("show", "./office", "--system")
    assert shown.end() == 0
    assert "Answer from the passages." in shown.text
    assert "\x1b[31m" not in shown.raw


def test_the_chat_answers_shows_sources_and_leaves(screen, nook, folder):
    nook("create", "office", "-f", str(folder))
    chat = screen("run", "office")
    chat.wait_for("/bye leaves.")
    chat.type("How long must a password be?\n")
    chat.wait_for("[1] passwords.txt, line 1:")
    chat.type("/sources\n")
    # The documents are few, so the model saw all of them, in their own order.
    chat.wait_for("2. passwords.txt, line 1")
    chat.type("/nonsense\n")
    chat.wait_for("There is no /nonsense")
    chat.type("/help\n")
    chat.wait_for("forget the earlier turns")
    chat.type("/clear\n")
    chat.wait_for("are forgotten")
    chat.type("/bye\n")
    assert chat.end() == 0


def test_ctrl_c_stops_an_answer_keeps_it_and_the_chat_goes_on(screen, tmp_path):
    (tmp_path / "Assistantfile").write_text(
        "FROM smollm2:135m\nPARAMETER seed 1\nPARAMETER num_ctx 2048\n"
    )
    chat = screen("run", "./Assistantfile")
    chat.wait_for("/bye leaves.")
    chat.type("Write a very long story about the sea, in a hundred sentences.\n")
    chat.wait_for("sea", 60)
    chat.wait_for_more(150)
    os.kill(chat.process.pid, signal.SIGINT)
    chat.type("/sources\n")
    chat.wait_for("The last answer rests on no passages.", 30)
    chat.type("/bye\n")
    assert chat.end() == 0
    assert "longest length" not in chat.text


def test_ctrl_c_at_the_prompt_says_how_to_leave(screen):
    chat = screen("run", "smollm2:135m")
    chat.wait_for(">>> ")
    time.sleep(1)  # the prompt stands a moment before the line is waited for; no person is faster
    os.kill(chat.process.pid, signal.SIGINT)
    chat.wait_for("Ctrl-D or /bye leaves.\n>>> ")
    chat.type("\x04")
    assert chat.end() == 0


def test_a_grant_is_asked_for_and_kept(screen, nook, folder, tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("The garden gate is green.\n")
    profile = folder / "Assistantfile"
    profile.write_text(profile.read_text() + "FILE ../outside.txt\n")
    refused = screen("ingest", "./office")
    refused.wait_for("May it read that? [y/N]")
    refused.type("n\n")
    assert refused.end() == 2
    assert "nook allow ./office" in refused.text
    allowed = screen("ingest", "./office")
    allowed.wait_for("May it read that? [y/N]")
    allowed.type("y\n")
    assert allowed.end() == 0
    assert nook("ingest", "./office").code == 0


def test_a_missing_model_is_offered_and_fetched_only_after_a_yes(screen, nook, folder):
    nook("rm", "smollm2:135m")
    offered = screen("ask", "./office", "How long must a password be?")
    offered.wait_for("Run `nook pull smollm2:135m` now? [y/N]")
    offered.type("\n")
    assert offered.end() == 3
    assert "Get it with: nook pull smollm2:135m" in offered.text


def test_control_characters_of_a_name_become_visible():
    assert visible("a\x1b[0m\n\t\x7f\x9b\u202e\u05d0.txt") == (
        "a\u241b[0m\u240a\u2409\u2421\ufffd\ufffd\u05d0.txt"
    )
