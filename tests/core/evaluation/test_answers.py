"""Whole evaluations with a real embedder and a real model, as the command makes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inglenook.assistants.installation import Installation
from inglenook.errors import Cancelled, ModelNotFoundError, UserError
from inglenook.evaluation import (
    Choices,
    Evaluation,
    Run,
    Subject,
    named_sources,
    own_subject,
    read_dataset,
    read_question_file,
    run_folder,
    set_subject,
)
from inglenook.types import CancelToken

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def with_models(assistant_home: Path) -> Iterator[Installation]:
    """An installation with the models of the tests."""
    with Installation.open(home=assistant_home) as made:
        yield made


def run_of(subject: Subject, evaluation: Evaluation) -> Run:
    """Read the documents, ask everything, and make the record."""
    runs = run_folder(subject.installation.paths.data)
    return evaluation.run(list(evaluation.results(CancelToken())), runs, NOW, {"asking": 1.0})


def test_a_model_answers_a_squad_set_with_every_measure(with_models, places):
    whole = read_dataset(places)
    dataset = replace(whole, questions=whole.questions[:3])
    choices = Choices(embedder="minilm:int8", model="smollm2:135m")
    subject = set_subject(with_models, dataset, choices)
    with subject.assistant as assistant:
        assert assistant.ingest().exit_code == 0
        run = run_of(subject, Evaluation(subject, dataset, answers=True))

    counts = {name: e.n for name, e in run.measures.items() if not name.startswith("citation")}
    retrieval = ("ndcg@10", "recall@1", "recall@5", "recall@10", "recall@100", "mrr@10")
    answers = ("answer_em", "answer_f1", "answer_contains", "wrong_refusals")
    assert counts == {**dict.fromkeys((*retrieval, *answers), 2), "refusals": 1}
    assert run.measures["recall@1"].value == 1.0
    assert all(result.answer for result in run.results)
    assert all(c.right for r in run.results[:2] for c in r.citations if c.source == "p1")
    assert run.settings["embedder"] == "minilm:int8"
    assert run.versions["model"]["digest"]
    assert run.failures == 0


def test_an_index_is_kept_for_each_embedder(with_models, places):
    dataset = read_dataset(places)
    for _ in range(2):
        for embedder in ("minilm:int8", "minilm:fp32"):
            subject = set_subject(with_models, dataset, Choices(embedder=embedder))
            with subject.assistant as assistant:
                assistant.ingest()

    workspaces = with_models.paths.cache / "evaluation"
    assert len(list(workspaces.rglob("catalog-*.sqlite"))) == 2


@pytest.mark.parametrize("choices", [Choices(embedder="nothing"), Choices(model="nothing")])
def test_what_is_not_there_is_told_before_anything_is_written(with_models, places, choices):
    with pytest.raises(ModelNotFoundError):
        set_subject(with_models, read_dataset(places), choices)
    assert not (with_models.paths.cache / "evaluation").exists()


def test_a_cancel_ends_between_two_questions(with_models, places):
    dataset = read_dataset(places)
    subject = set_subject(with_models, dataset, Choices(mode="lexical"))
    cancel = CancelToken()
    with subject.assistant as assistant:
        assistant.ingest()
        results = Evaluation(subject, dataset, answers=False).results(cancel)
        next(results)
        cancel.cancel()
        with pytest.raises(Cancelled):
            next(results)


# --- an assistant of one's own --------------------------------------------------------------------


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """An assistant with two documents and three questions."""
    folder = tmp_path / "office"
    folder.mkdir()
    (folder / "Assistantfile").write_text(
        "FROM smollm2:135m\nPARAMETER temperature 0\nPARAMETER num_predict 30\n"
        "EMBEDDER minilm:int8\nFILE ./*.txt\n"
    )
    (folder / "passwords.txt").write_text("A password must be at least 14 characters long.\n")
    (folder / "hours.txt").write_text("The office in Utrecht opens at nine in the morning.\n")
    lines = (
        {"question": "How long must a password be?", "answer": "14", "source": "passwords.txt"},
        {"question": "When does the office in Utrecht open?", "passage": "opens at nine"},
        {"question": "How many moons does Jupiter have?", "answer": "none"},
    )
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


def test_an_assistant_is_asked_with_its_own_model(with_models, office):
    subject = own_subject(with_models, str(office), Choices())
    with subject.assistant as assistant:
        assistant.ingest()
        questions = read_question_file(office / "questions.jsonl", "office")
        dataset = named_sources(questions, assistant)
        run = run_of(subject, Evaluation(subject, dataset, answers=True))

    assert run.measures["recall@1"].value == 1.0
    assert run.measures["refusals"].n == 1
    assert run.settings["model"] == "smollm2:135m"
    assert run.versions["profile"]
    assert subject.own_index


def test_another_mode_uses_the_index_that_is_there(with_models, office):
    with own_subject(with_models, str(office), Choices()).assistant as assistant:
        assistant.ingest()

    for mode in ("lexical", "vector"):
        subject = own_subject(with_models, str(office), Choices(mode=mode))
        with subject.assistant as assistant:
            assert subject.own_index
            assert assistant.knowledge.matches_recipe
            assert subject.mode == mode


def test_another_embedder_leaves_the_index_of_the_assistant_alone(with_models, office):
    with own_subject(with_models, str(office), Choices()).assistant as assistant:
        assistant.ingest()
    before = list(with_models.paths.knowledge.rglob("catalog-*.sqlite"))

    subject = own_subject(with_models, str(office), Choices(embedder="minilm:fp32"))
    with subject.assistant as assistant:
        assert not subject.own_index
        assert assistant.ingest().sources == 2

    assert list(with_models.paths.knowledge.rglob("catalog-*.sqlite")) == before
    with own_subject(with_models, str(office), Choices()).assistant as assistant:
        assert assistant.knowledge.matches_recipe


def test_vectors_for_an_assistant_of_words_alone_get_an_index_of_their_own(with_models, office):
    path = office / "Assistantfile"
    path.write_text("FROM smollm2:135m\nFILE ./*.txt\nRETRIEVE mode=lexical\n")

    assert own_subject(with_models, str(office), Choices()).own_index
    assert not own_subject(
        with_models, str(office), Choices(mode="hybrid", embedder="minilm:int8")
    ).own_index


def test_a_model_and_an_assistant_without_documents_have_nothing_to_be_asked_about(
    with_models, office
):
    (office / "Assistantfile").write_text("FROM smollm2:135m\n")

    with pytest.raises(UserError, match="is a model"):
        own_subject(with_models, "smollm2:135m", Choices())
    with pytest.raises(UserError, match="has no documents"):
        own_subject(with_models, str(office), Choices())
