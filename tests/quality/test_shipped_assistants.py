"""The shipped assistants answer the shipped questions, with the default model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inglenook.assistants.assistant import Assistant
from inglenook.assistants.installation import Installation
from inglenook.assistants.relevance import bears_on
from inglenook.types import Answer, Citation, Notice, Passage

HERE = Path(__file__).parent
QUESTIONS: list[dict[str, Any]] = json.loads((HERE / "questions.json").read_text("utf-8"))
OFF_TOPIC: list[dict[str, Any]] = json.loads((HERE / "off_topic.json").read_text("utf-8"))
NAMES = ("contoso", "hebrew", "manual")
LEAST_RIGHT = 18


@pytest.fixture(scope="module")
def shipped(
    tmp_path_factory: pytest.TempPathFactory, model_library: Any
) -> Iterator[dict[str, Assistant]]:
    """Every shipped assistant, its documents read, in a home of its own."""
    home = tmp_path_factory.mktemp("shipped")
    (home / "data").mkdir()
    (home / "data" / "models").symlink_to(model_library.root, target_is_directory=True)
    with Installation.open(home=home) as installation:
        assistants = {name: installation.assistant(name) for name in NAMES}
        for assistant in assistants.values():
            assert 0 == assistant.ingest().exit_code
        yield assistants
        for assistant in assistants.values():
            assistant.close()


def normal(text: str) -> str:
    return " ".join(text.split())


def is_right_place(passage: Passage, question: dict[str, Any]) -> bool:
    locator = question["locator"]
    at_page = not locator or locator["value"] == passage.locator.value
    return passage.source == question["source"].removeprefix("./") and at_page


def states(text: str, fact: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(fact.lower())}(?!\w)", text.lower()))


def text_of_place(citation: Citation) -> str:
    """What a loader reads at the cited place, afresh from the file."""
    from inglenook.host import Host
    from inglenook.knowledge.loaders import LoaderTable
    from inglenook.knowledge.reader_process import ReaderProcess, ReadingLimits

    path = Path(citation.path)
    if citation.locator.kind == "line":
        return path.read_text("utf-8-sig")
    reader = ReaderProcess(LoaderTable.of(Host()), ReadingLimits())
    try:
        batches = list(reader.read(path, path.name))
    finally:
        reader.close()
    sections = [item for batch in batches for item in batch if not isinstance(item, Notice)]
    if citation.locator.kind in ("page", "row"):
        return next(s.text for s in sections if s.locator == citation.locator)
    return "\n\n".join(s.text for s in sections)


def test_together_they_know_at_least_200_chunks(shipped: dict[str, Assistant]) -> None:
    bases = [a.knowledge for a in shipped.values()]

    assert sum(base.count_chunks() for base in bases if base) >= 200


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q["question"][:40])
def test_the_right_page_is_within_the_first_three_passages(
    shipped: dict[str, Assistant], question: dict[str, Any]
) -> None:
    found = shipped[question["assistant"]].search(question["question"], limit=3)

    assert any(is_right_place(passage, question) for passage in found)


@pytest.mark.parametrize("question", OFF_TOPIC, ids=lambda q: q["question"][:40])
def test_what_the_documents_do_not_say_is_not_answered(
    shipped: dict[str, Assistant], question: dict[str, Any]
) -> None:
    answer = shipped[question["assistant"]].ask(question["question"])

    assert answer.abstained
    assert not bears_on(question["question"], answer.passages)


@pytest.mark.timeout(1500)
def test_the_default_model_states_the_right_fact_in_most_answers(
    shipped: dict[str, Assistant],
) -> None:
    answers: list[tuple[dict[str, Any], Answer]] = [
        (question, shipped[question["assistant"]].ask(question["question"]))
        for question in QUESTIONS
    ]
    right = [q["question"] for q, a in answers if any(states(a.text, f) for f in q["fact"])]
    cited = [c for _, a in answers for s in a.sentences for c in s.citations]

    for citation in cited:
        assert citation.quote == text_of_place(citation)[citation.start : citation.end]
    assert len(cited) >= len(right) / 2
    wrong = [(q["question"], a.text) for q, a in answers if q["question"] not in right]
    assert len(right) >= LEAST_RIGHT, wrong
    print(f"\n{len(right)} of {len(QUESTIONS)} right")


def test_the_password_rule_is_cited_at_its_page(shipped: dict[str, Assistant]) -> None:
    answer = shipped["contoso"].ask("How long must a password be?")

    assert states(answer.text, "14")
    citations = [c for s in answer.sentences for c in s.citations]
    assert any((c.source, c.locator.value) == ("security_protocols.pdf", 10) for c in citations)
