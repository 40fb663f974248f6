"""The whole way with a real model, a real embedder and real documents."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from inglenook.assistants.installation import Installation
from inglenook.tui.widgets.passages import PassageCard

pytestmark = pytest.mark.timeout(280)

PROFILE = """FROM smollm2:135m
PARAMETER temperature 0
PARAMETER num_predict 40
SYSTEM "You answer from the passages."
FILE ./rules.txt
EMBEDDER minilm:int8
"""
RULE = "A password must be at least 14 characters long."


def test_a_question_is_answered_from_a_document_that_was_never_read(
    scripted: SimpleNamespace, assistant_home: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "rules" / "Assistantfile"
    profile.parent.mkdir()
    profile.write_text(PROFILE)
    (profile.parent / "rules.txt").write_text(f"Rules\n\n{RULE}\n\nDesks are kept clean.\n")

    async def story(chat: Any) -> None:
        assert "Read 1 sources" in chat.text("IngestionView")
        assert chat.text(".error") == ""
        await chat.ask("How long must a password be?", 120)
        assert chat.text(".error") == ""
        assert RULE in chat.text("PassageCard")
        assert "rules.txt" in str(chat.screen.query(PassageCard).first().content)
        assert chat.text("GrowingText").strip()
        assert "tok/s" in chat.text(".usage")

    children = set(psutil.Process().children(recursive=True))
    with Installation.open(assistant_home) as installation:
        scripted.play(installation, story, assistant=str(profile), opening_s=120)
    assert set(psutil.Process().children(recursive=True)) <= children
