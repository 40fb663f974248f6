"""Follow-up questions to the shipped assistants find the passage that answers them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from inglenook.assistants.assistant import Assistant
from inglenook.assistants.installation import Installation
from inglenook.types import Message, Passage, Retrieved

CONVERSATIONS = json.loads(Path(__file__).with_name("conversations.json").read_text("utf-8"))
AMONG_THE_FIRST = 3


@pytest.fixture(scope="module", params=sorted(CONVERSATIONS))
def assistant(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_library
) -> Iterator[Assistant]:
    """A shipped assistant that has read its documents."""
    home = tmp_path_factory.mktemp("home")
    (home / "data").mkdir(parents=True)
    (home / "data" / "models").symlink_to(model_library.root)
    with Installation.open(home) as installation, installation.assistant(request.param) as made:
        made.ingest()
        yield made


def retrieved(assistant: Assistant, turns: list[str]) -> tuple[Passage, ...]:
    """What the answer to the last turn would rest on; the model is not asked."""
    history = [
        Message.of("assistant" if number % 2 else "user", text)
        for number, text in enumerate(turns[:-1])
    ]
    with closing(assistant.ask_events(turns[-1], history)) as events:  # type: ignore[type-var]
        return next(event.passages for event in events if isinstance(event, Retrieved))


def test_follow_ups_find_what_answers_them_among_the_first(assistant: Assistant) -> None:
    missed = [
        conversation["turns"][-1]
        for conversation in CONVERSATIONS[assistant.name]
        if not any(
            conversation["finds"] in passage.text
            for passage in retrieved(assistant, conversation["turns"])[:AMONG_THE_FIRST]
        )
    ]

    assert [] == missed
