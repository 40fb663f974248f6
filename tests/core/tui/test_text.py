"""No character of a model, a document or a user is lost, and none is obeyed."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.tui.feed import EventFeed, JobEnded
from inglenook.tui.foreign_text import plain_text
from inglenook.tui.widgets.annotation import NO_SOURCE, annotated
from inglenook.tui.widgets.growing_text import GrowingText
from inglenook.types import Answer, Answered, Retrieved, Sentence, TextDelta, ThinkingDelta

pytestmark = pytest.mark.timeout(60)

NASTY = (
    "vector<int> v; <div>text</div> <think>no</think>",
    "[/b] [bold]not bold[/bold] [red [@click=app.quit]quit[/] \\[x] [1] [",
    "👩‍👩‍👧‍👦 e\u0301 नमस्ते ไทย 日本語 ﷺ \u200bzero\u200dwidth",
    "שלום עולם, مرحبا بالعالم \u202btext\u202c",
    "tab\there  two  blanks   three\n\n\n  indented\n\nend\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "```python\nprint('[x]')\n```\n* **bold** _it_ ~~no~~ &amp; \\n",
    "x" * 3_000 + "\n" + "y\n" * 1_500,
)


def _visible(text: str) -> str:
    return "".join(c for c in text if not c.isspace() and unicodedata.category(c) != "Cf")


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_what_is_shown_is_what_was_streamed(scripted: SimpleNamespace, text: str) -> None:
    pieces = [text[i : i + 7] for i in range(0, len(text), 7)]
    passage = scripted.passage(1, text, source="[b]<odd> name.txt")
    answer = Answer(text, False, "stop", passages=(passage,))

    def script(question: str, cancel: Any) -> Any:
        yield Retrieved((passage,))
        for piece in pieces:
            yield TextDelta(piece)
        if question.startswith("slow"):
            cancel.wait(30)
        yield Answered(answer)

    async def story(chat: Any) -> None:
        await chat.type(f"slow {text}")
        body = chat.screen.query_one(GrowingText)
        await chat.until(lambda: body.text == text)
        assert chat.text("GrowingText") == text
        await chat.press("escape")
        await chat.idle()
        assert body.text == text
        assert chat.text("GrowingText") == text
        assert chat.text("Question") == f"slow {text}"
        assert "[b]<odd> name.txt" in chat.text("PassageCard")
        assert text in chat.text("PassageCard")
        drawn = "".join(chat.rendered(piece) for piece in body.children)
        assert _visible(drawn) == _visible(text)

    scripted.play(scripted.Installation(scripted.Assistant("contoso", script)), story)


def test_control_characters_and_broken_file_names_never_reach_the_terminal() -> None:
    text = "a\x1b[31mb\x07c\x9bd\re\x00f\x7fg\udcff\n\th"
    assert plain_text(text) == "a[31mbcdefg\ufffd\n\th"


@given(st.text())
def test_plain_text_drops_nothing_but_control_characters(text: str) -> None:
    kept = [c for c in text if unicodedata.category(c) != "Cc" or c in "\n\t"]
    assert plain_text(text) == "".join(kept)
    assert plain_text(plain_text(text)) == plain_text(text)


@given(st.lists(st.tuples(st.text(max_size=20), st.sampled_from([True, False, None]))))
def test_marks_are_added_and_no_text_is_changed(parts: list[tuple[str, bool | None]]) -> None:
    sentences = []
    text = ""
    for said, supported in parts:
        sentences.append(Sentence(said, len(text), len(text) + len(said), supported))
        text += said + " "
    shown = annotated(Answer(text, False, "stop", tuple(sentences)), {})
    expected = "".join(
        plain_text(said) + (NO_SOURCE if supported is False else "") + " "
        for said, supported in parts
    )
    assert shown.plain == expected


@given(
    st.lists(st.sampled_from([TextDelta("a"), TextDelta("b"), ThinkingDelta("t"), Retrieved(())]))
)
def test_the_feed_joins_neighbours_and_keeps_the_order(events: list[Any]) -> None:
    feed = EventFeed()
    for event in events:
        feed.put(event)
    feed.put(JobEnded())
    drained = feed.drain()
    assert isinstance(drained[-1], JobEnded)
    for kind in (TextDelta, ThinkingDelta):
        said = "".join(e.text for e in events if isinstance(e, kind))
        assert "".join(e.text for e in drained if isinstance(e, kind)) == said
    neighbours = list(pairwise(drained))
    assert not any(isinstance(a, TextDelta) and isinstance(b, TextDelta) for a, b in neighbours)
    assert feed.drain() == []
