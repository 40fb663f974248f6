"""Data sets and question files are read whole, or refused with the place that is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from inglenook.errors import UserError
from inglenook.evaluation.datasets import read_dataset
from inglenook.evaluation.question_file import find_question_file, read_question_file


@pytest.fixture
def beir(birds: Path, tmp_path: Path) -> Path:
    """A copy of the birds that a test may spoil."""
    return Path(shutil.copytree(birds, tmp_path / "birds"))


# --- BEIR -----------------------------------------------------------------------------------------


def test_a_beir_folder_gives_documents_queries_and_grades(birds):
    read = read_dataset(birds)

    assert (read.name, read.layout, read.split) == ("birds", "beir", "test")
    assert len(read.documents) == 8
    assert [q.id for q in read.questions] == [f"q{n}" for n in range(1, 9)]
    assert read.questions[1].relevant == {"heron": 1, "kingfisher": 2}
    assert read.documents[0].whole.startswith("Grey heron\n\nThe grey heron stands")


def test_a_grade_of_zero_is_not_relevant(birds):
    assert read_dataset(birds).questions[5].relevant == {"dipper": 1}


def test_another_split_has_other_questions(birds):
    assert [q.id for q in read_dataset(birds, "train").questions] == ["t1"]


def test_judgements_need_no_header(beir):
    (beir / "qrels" / "test.tsv").write_text("q3\tswift\t1\n")

    assert [q.id for q in read_dataset(beir).questions] == ["q3"]


def test_a_judged_document_that_is_not_there_is_told(beir):
    with (beir / "qrels" / "test.tsv").open("a") as file:
        file.write("q1\tdodo\t1\n")

    read = read_dataset(beir)

    assert "dodo" in read.questions[0].relevant
    assert "1 document that qrels/test.tsv names, and corpus.jsonl does not have" in read.notices[0]


def spoil_line(path: Path, number: int, text: str) -> None:
    lines = path.read_text().splitlines()
    lines[number - 1] = text
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("name", "line", "text", "told"),
    [
        ("corpus.jsonl", 3, '{"_id": "swift", ', "corpus.jsonl, line 3: this is not JSON"),
        ("corpus.jsonl", 2, "[1]", "corpus.jsonl, line 2: this is not a JSON object"),
        ("corpus.jsonl", 2, '{"text": "x"}', 'corpus.jsonl, line 2: there is no "_id"'),
        (
            "corpus.jsonl",
            2,
            '{"_id": "heron", "text": "x"}',
            "line 2: the _id 'heron' is there twice",
        ),
        ("corpus.jsonl", 4, '{"_id": "o"}', 'line 4: "text" is missing or not a string'),
        ("queries.jsonl", 1, '{"_id": "q1", "text": 5}', 'queries.jsonl, line 1: "text"'),
        ("qrels/test.tsv", 4, "q2 kingfisher 1", "test.tsv, line 4: this is not query-id"),
        ("qrels/test.tsv", 4, "q2\tkingfisher\t0.5", "test.tsv, line 4: this is not query-id"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(beir, name, line, text, told):
    spoil_line(beir / name, line, text)

    with pytest.raises(UserError) as caught:
        read_dataset(beir)
    assert told in caught.value.message


def test_a_line_that_is_not_utf8_is_told(beir):
    path = beir / "queries.jsonl"
    path.write_bytes(path.read_bytes() + b'{"_id": "x", "text": "caf\xe9"}\n')

    with pytest.raises(UserError, match="line 10: this is not UTF-8"):
        read_dataset(beir)


def test_missing_judgements_name_those_that_there_are(beir):
    with pytest.raises(UserError, match=r"no judgements qrels/dev\.tsv") as caught:
        read_dataset(beir, "dev")
    assert "--split test, --split train" in caught.value.hint


def test_a_split_cannot_lead_out_of_the_folder(beir):
    (beir / "test.tsv").write_text("q3\tswift\t1\n")

    with pytest.raises(UserError, match="no judgements"):
        read_dataset(beir, "../test")


def test_a_split_that_judges_nothing_right_is_refused(beir):
    (beir / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq3\tswift\t0\n")

    with pytest.raises(UserError, match="asks nothing"):
        read_dataset(beir)


def test_a_folder_without_queries_is_no_beir_set(beir):
    (beir / "queries.jsonl").unlink()

    with pytest.raises(UserError, match=r"has no queries\.jsonl"):
        read_dataset(beir)


# --- SQuAD ----------------------------------------------------------------------------------------


def test_paragraphs_are_documents_and_the_same_one_is_there_once(places):
    read = read_dataset(places)

    assert (read.name, read.layout, len(read.documents)) == ("places", "squad", 3)
    by_id = {q.id: q for q in read.questions}
    assert by_id["s3"].relevant == by_id["s1"].relevant == {"p2": 1}
    assert by_id["n1"].answers == ("Ada Lorne", "the engineer Ada Lorne")


def test_an_impossible_question_has_no_document_and_no_answer(places):
    question = {q.id: q for q in read_dataset(places).questions}["n3"]

    assert question.unanswerable
    assert (question.relevant, question.answers) == ({}, ())


def test_a_folder_with_one_file_is_that_file(places, tmp_path):
    shutil.copy(places, tmp_path / "only.json")

    assert read_dataset(tmp_path).name == "only"


def test_a_folder_with_several_files_names_them(places, tmp_path):
    for name in ("a.json", "b.json"):
        shutil.copy(places, tmp_path / name)

    with pytest.raises(UserError, match=r"2 JSON files: a\.json, b\.json"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"data": [}', "line 1, column 11: this is not JSON"),
        ("[]", "not in SQuAD's layout"),
        ('{"data": [{}]}', "data[0].paragraphs is missing or not a list"),
        ('{"data": [{"paragraphs": [{"qas": []}]}]}', "data[0].paragraphs[0].context is missing"),
        ('{"data": [{"paragraphs": [{"context": "x", "qas": [5]}]}]}', "qas[0] is not an object"),
        ('{"data": [{"paragraphs": [{"context": "x", "qas": []}]}]}', "holds no question"),
    ],
)
def test_what_is_wrong_in_a_squad_file_is_told_with_its_place(tmp_path, text, told):
    path = tmp_path / "set.json"
    path.write_text(text)

    with pytest.raises(UserError) as caught:
        read_dataset(path)
    assert told in caught.value.message


def test_a_squad_file_has_no_splits(places):
    with pytest.raises(UserError, match="no splits"):
        read_dataset(places, "dev")


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(UserError, match="is no data set"):
        read_dataset(tmp_path)
    with pytest.raises(UserError, match="There is nothing at"):
        read_dataset(tmp_path / "nowhere")


# --- questions of one's own -----------------------------------------------------------------------

LINES = [
    {"question": "How long?", "answer": "14", "source": "rules.pdf"},
    {"id": "two", "question": "Which?", "answers": ["a", "b"], "sources": ["x.md", "y.md"]},
    {"question": "Where is it said?", "passage": "at least 14 characters"},
    {"question": "What is the capital of Peru?", "answer": "none"},
]
TOML = """
[[questions]]
question = "How long?"
answer = "14"
source = "rules.pdf"

[[questions]]
id = "two"
question = "Which?"
answers = ["a", "b"]
sources = ["x.md", "y.md"]

[[questions]]
question = "Where is it said?"
passage = "at least 14 characters"

[[questions]]
question = "What is the capital of Peru?"
answer = "none"
"""


def test_json_lines_and_toml_say_the_same(tmp_path):
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, LINES)))
    (tmp_path / "questions.toml").write_text(TOML)

    first = read_question_file(tmp_path / "questions.jsonl", "mine")
    second = read_question_file(tmp_path / "questions.toml", "mine")

    assert first.questions == second.questions
    assert [q.id for q in first.questions] == ["q1", "two", "q3", "q4"]
    assert first.questions[1].relevant == {"x.md": 1, "y.md": 1}
    assert [q.unanswerable for q in first.questions] == [False, False, False, True]


def test_the_word_none_can_be_an_answer(tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question": "How many?", "answers": ["none"]}')

    question = read_question_file(path, "mine").questions[0]

    assert (question.answers, question.unanswerable) == (("none",), False)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"question": "How long?"}', "line 1: nothing is expected"),
        ('{"answer": "14"}', "line 1: there is no question"),
        ('{"question": "How?", "answr": "14"}', "line 1: there is no key 'answr'"),
        ('{"question": "How?", "answer": 14}', "line 1: answer is neither a text nor a list"),
        ('{"question": "How?", "answer": "1", "answers": ["2"]}', "both answer and answers"),
        ('{"question": "How?", "answer": "none", "source": "x"}', "has no source"),
        ("{", "line 1: this is not JSON"),
        ("", "holds no question"),
        ('{"id": "a", "question": "x", "answer": "y"}\n' * 2, "line 2: the id 'a' is there twice"),
    ],
)
def test_a_wrong_question_is_told_with_its_line(tmp_path, line, told):
    path = tmp_path / "questions.jsonl"
    path.write_text(line)

    with pytest.raises(UserError) as caught:
        read_question_file(path, "mine")
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("questions = 5", "something else than [[questions]]"),
        ("[[question]]\nquestion = 'x'", "something else than [[questions]]"),
        ("[[questions]", "is not TOML"),
        ("[[questions]]\nquestion = 5\nanswer = 'x'", "question 1: question is not a text"),
    ],
)
def test_a_wrong_toml_file_is_told(tmp_path, text, told):
    path = tmp_path / "questions.toml"
    path.write_text(text)

    with pytest.raises(UserError) as caught:
        read_question_file(path, "mine")
    assert told in caught.value.message


def test_a_folder_without_questions_says_what_to_write(tmp_path):
    with pytest.raises(UserError, match=r"neither questions\.jsonl nor") as caught:
        find_question_file(tmp_path)
    assert '{"question": ' in caught.value.hint


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "questions.csv"
    path.write_text("question,answer\n")

    with pytest.raises(UserError, match=r"neither \.jsonl nor \.toml"):
        read_question_file(path, "mine")


# --- drawing --------------------------------------------------------------------------------------


def test_questions_are_drawn_by_seed_and_stay_in_order(birds):
    whole = read_dataset(birds)
    ids = [q.id for q in whole.questions]

    drawn = [q.id for q in whole.drawn(3, seed=1).questions]

    assert drawn == [q.id for q in whole.drawn(3, seed=1).questions] == sorted(drawn, key=ids.index)
    assert len({tuple(q.id for q in whole.drawn(3, seed=s).questions) for s in range(9)}) > 1
    assert whole.drawn(100, seed=1).questions == whole.questions


def test_a_fingerprint_is_of_everything_that_is_asked(birds):
    whole = read_dataset(birds)

    assert whole.questions_fingerprint == read_dataset(birds).questions_fingerprint
    assert whole.questions_fingerprint != whole.drawn(7, seed=0).questions_fingerprint
    assert whole.documents_fingerprint == whole.drawn(7, seed=0).documents_fingerprint
