"""An assistant is told when its embedder does not know its documents' language, and what helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from inglenook.assistants.assistant import Assistant
from inglenook.assistants.installation import Installation
from inglenook.types import IngestReport

HEBREW = (
    "הסיסמה חייבת להכיל לפחות ארבעה עשר תווים, ויש להחליף אותה פעם בשנה.\n",
    "הברווזים שוחים באגם שבפארק ואוכלים את הצמחים שגדלים על גדותיו.\n",
    "המזנון נפתח בכל יום בשעה שתים עשרה ונסגר אחרי שעתיים.\n",
)
ENGLISH = "The canteen opens at noon. The ducks swim on the lake, and nobody feeds them.\n" * 3

MakeAssistant = Callable[..., Path]


@pytest.fixture
def make_profile(tmp_path: Path, assistant_home: Path) -> MakeAssistant:
    """Writes an assistant with these documents and lines."""

    def make(documents: tuple[str, ...], *lines: str) -> Path:
        folder = tmp_path / "office"
        (folder / "documents").mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(documents):
            (folder / "documents" / f"{number}.txt").write_text(text, "utf-8")
        profile = folder / "Assistantfile"
        profile.write_text("\n".join(("FROM smollm2:135m", "FILE ./documents", *lines, "")))
        return profile

    return make


def codes_after_reading(assistant: Assistant) -> list[str]:
    (*_, report) = assistant.ingest_events()
    assert isinstance(report, IngestReport)
    assert report.exit_code == 0
    return [notice.code for notice in report.notices]


def test_an_english_embedder_over_hebrew_is_told_of_everywhere(
    make_profile: MakeAssistant,
) -> None:
    profile = make_profile(HEBREW)
    with Assistant.from_file(profile) as assistant:
        assert codes_after_reading(assistant) == ["embedder-language"]
        assert codes_after_reading(assistant) == []  # Nothing changed: once is enough.
        (notice,) = assistant.knowledge_status().notices
        assert "Hebrew" in notice.message
    with Installation.open() as installation:
        installation.create("office", profile).close()
        told = [c for c in installation.doctor() if c.name == "assistant office"]
    assert [(check.ok, "EMBEDDER e5" in check.fix) for check in told] == [(None, True)]


@pytest.mark.parametrize(
    ("documents", "lines"),
    [((ENGLISH,), ()), (HEBREW, ("RETRIEVE mode=lexical",)), ((ENGLISH * 3, HEBREW[0]), ())],
)
def test_nothing_is_told_where_all_is_well(
    make_profile: MakeAssistant, documents: tuple[str, ...], lines: tuple[str, ...]
) -> None:
    with Assistant.from_file(make_profile(documents, *lines)) as assistant:
        assert codes_after_reading(assistant) == []
        assert assistant.knowledge_status().notices == ()


def test_the_embedder_that_was_advised_finds_hebrew_for_an_english_question(
    make_profile: MakeAssistant,
) -> None:
    profile = make_profile(HEBREW, "EMBEDDER e5", "RETRIEVE mode=vector top_k=1")
    with Assistant.from_file(profile) as assistant:
        assert codes_after_reading(assistant) == []
        (passage,) = assistant.search("How long must a password be?", limit=1)
        assert passage.source.endswith("0.txt")
