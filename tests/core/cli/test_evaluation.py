"""`nook eval` from a data set or a file of questions to figures, runs and reports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inglenook.evaluation.datasets import read_dataset
from inglenook.evaluation.question_file import find_question_file, read_question_file
from inglenook.evaluation.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "tests" / "data" / "evaluation"
PAGE = (ROOT / "docs" / "evaluation.md").read_text("utf-8")
BIRDS = ("eval", "--dataset", str(DATA / "birds"), "--mode", "lexical")
PLACES = ("eval", "--dataset", str(DATA / "places.json"), "--mode", "lexical")


def runs_of(home: Path) -> list[Path]:
    return sorted((home / "data" / "evaluation").glob("*.json"))


def catalogs(home: Path) -> dict[Path, int]:
    """Every catalog of a data set, and when it was last written."""
    found = (home / "cache" / "evaluation").rglob("catalog-*.sqlite")
    return {path: path.stat().st_ino for path in found}


# --- a data set -----------------------------------------------------------------------------------


def test_a_beir_set_is_measured_and_the_run_is_kept(nook, home):
    ran = nook(*BIRDS)

    assert ran.code == 0, ran.err
    assert "birds (test): 8 questions; 8 documents, 8 chunks" in ran.out
    assert "mode lexical, embedder none" in ran.out
    lines = {line.split()[0]: line.split()[1:] for line in ran.out.splitlines() if line}
    assert lines["nDCG@10"][-1] == "8"
    assert float(lines["Recall@5"][0]) == 1.0
    assert len(runs_of(home)) == 1
    assert f"The run is kept as {runs_of(home)[0].stem}." in ran.err


def test_a_squad_set_asks_for_paragraphs_but_not_for_what_they_do_not_answer(nook):
    form = json.loads(nook(*PLACES, "--json").out)

    assert form["subject"]["questions"] == 8
    assert form["subject"]["sources"] == 3
    assert form["measures"]["recall@1"] == {
        "value": 1.0,
        "low": pytest.approx(0.61, abs=0.01),
        "high": 1.0,
        "n": 6,
    }
    unanswerable = [r for r in form["results"] if r["unanswerable"]]
    assert [r["scores"] for r in unanswerable] == [{}, {}]


def test_the_form_has_what_was_used_and_every_question(nook):
    form = json.loads(nook(*BIRDS, "--json", "--recall-at", "3,1").out)

    assert form["version"] == 1
    assert set(form["measures"]) == {"ndcg@10", "recall@1", "recall@3", "mrr@10"}
    assert form["settings"] == {
        "mode": "lexical",
        "embedder": "none",
        "splitter": "default",
        "model": None,
        "top_k": 6,
        "recall_at": [1, 3],
        "limit": None,
        "seed": None,
    }
    assert form["versions"]["inglenook"]
    assert form["versions"]["index"]["embedder"] == "none"
    second = {r["id"]: r for r in form["results"]}["q2"]
    assert second["ranking"][0] == "kingfisher"
    assert second["first_right"] == 1


def test_documents_are_read_once_and_anew_with_fresh(nook, home):
    nook(*BIRDS)
    first = catalogs(home)
    nook(*BIRDS)
    second = catalogs(home)
    nook(*BIRDS, "--fresh")

    assert len(first) == 1
    assert first == second != catalogs(home)


def test_nothing_of_a_data_set_lands_among_ones_own_knowledge(nook, home):
    nook(*BIRDS)

    assert not (home / "data" / "knowledge").exists()
    assert not (home / "data" / "embeddings.sqlite").exists()


def test_a_half_written_workspace_is_written_anew(nook, home):
    nook(*BIRDS)
    workspace = Workspace(home / "cache", read_dataset(DATA / "birds"))
    (workspace.folder / "documents.json").unlink()
    shutil.rmtree(workspace.folder / "documents" / "00000")

    ran = nook(*BIRDS)

    assert ran.code == 0, ran.err
    assert "8 documents" in ran.out


def test_a_document_without_text_is_told(nook, tmp_path):
    folder = Path(shutil.copytree(DATA / "birds", tmp_path / "birds"))
    with (folder / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "ghost", "title": "", "text": " "}\n')

    ran = nook("eval", "--dataset", str(folder), "--mode", "lexical")

    assert "1 document of corpus.jsonl without text cannot be found" in ran.err
    assert "8 questions" in ran.out


def test_drawn_questions_say_so(nook):
    ran = nook(*BIRDS, "--limit", "3", "--seed", "5")

    assert "3 questions drawn from 8 by seed 5" in ran.out


# --- the page of the manual -----------------------------------------------------------------------


def keys_of(form: Any, free: tuple[str, ...]) -> Any:
    """The keys of a form on every level; a list has those of its first item."""
    if isinstance(form, dict):
        return {key: None if key in free else keys_of(form[key], free) for key in form}
    return [keys_of(form[0], free)] if isinstance(form, list) and form else None


def test_the_form_in_the_manual_has_the_keys_of_the_real_one(nook):
    shown = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[-1]
    nook(*BIRDS)

    real = json.loads(nook(*BIRDS, "--json", "--against", "last").out)

    free = ("plugins", "index", "measures", "scores", "found", "right", "ranking", "recall_at")
    free += ("changes", "better", "worse", "expected", "citations")
    assert keys_of(json.loads(shown), free) == keys_of(real, free)


def test_the_questions_in_the_manual_can_be_read(tmp_path):
    lines = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0]
    toml = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0]
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "b.toml").write_text(toml)

    assert len(read_question_file(tmp_path / "a.jsonl", "mine").questions) == 4
    assert len(read_question_file(tmp_path / "b.toml", "mine").questions) == 1


def test_the_python_in_the_manual_runs(home, environment):
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"path = __import__('pathlib').Path({str(DATA / 'birds')!r})\n{code}",
        ],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )

    assert done.returncode == 0, done.stderr
    assert 0.9 < float(done.stdout) <= 1


# --- runs -----------------------------------------------------------------------------------------


def test_a_run_is_held_against_the_last_one(nook):
    nook(*BIRDS)
    ran = nook(*BIRDS, "--against", "last", "--recall-at", "1,2")

    assert ran.code == 0, ran.err
    assert "Against 20" in ran.out
    assert "+0.0000" in ran.out
    assert "may be chance" in ran.out
    assert "recall_at: [1, 5, 10, 100] → [1, 2]" in ran.out


def test_a_worse_run_names_the_questions_that_got_worse(nook, home):
    nook(*BIRDS)
    better = runs_of(home)[0]
    form = json.loads(better.read_text())
    for result in form["results"][:5]:
        result["scores"]["ndcg@10"] = 0.1
    worse = better.with_name("20200101-000000-worse.json")
    worse.write_text(json.dumps({**form, "id": worse.stem}))

    ran = nook("eval", "--show", worse.stem, "--against", better.stem)

    assert "nDCG@10, worse: 5 questions" in ran.out
    assert "→ 0.10  Which bird nests in colonies" in ran.out
    compared = ran.out.partition("Against")[2]
    line = next(line for line in compared.splitlines() if line.startswith("nDCG@10  "))
    assert line.endswith("worse")


def test_runs_are_listed_and_shown_again(nook, home):
    first = nook(*BIRDS)
    nook(*PLACES)
    id = runs_of(home)[0].stem

    listed = nook("eval", "--list")
    shown = nook("eval", "--show", id)

    assert [line.split()[1] for line in listed.out.splitlines()[1:]] == ["birds", "places"]
    assert shown.out == first.out
    assert len(json.loads(nook("eval", "--list", "--json").out)["runs"]) == 2


def test_a_file_that_is_no_run_does_not_hide_the_others(nook, home):
    nook(*BIRDS)
    (home / "data" / "evaluation" / "0-broken.json").write_text('{"id": 5}')

    ran = nook("eval", "--list")

    assert "birds" in ran.out
    assert "0-broken.json is not a run" in ran.err


def test_runs_of_other_questions_cannot_be_compared(nook, home):
    nook(*BIRDS)
    ran = nook(*PLACES, "--against", runs_of(home)[0].stem)

    assert ran.code == 2
    assert "asked other questions" in ran.err


@pytest.mark.parametrize("run", ["last", "nothing"])
def test_a_run_that_is_not_there_is_told_before_anything_is_read(nook, home, run):
    ran = nook(*BIRDS, "--against", run)

    assert ran.code == 2
    assert "nook eval" in ran.err
    assert not (home / "cache" / "evaluation").exists()


# --- the report -----------------------------------------------------------------------------------


def test_a_report_is_written(nook, tmp_path):
    ran = nook(*BIRDS, "--html", "report.html")

    text = (tmp_path / "report.html").read_text("utf-8")
    assert "The report is in report.html." in ran.err
    assert "nDCG@10" in text
    assert "<svg" in text


@pytest.mark.parametrize("path", ["nowhere/report.html", "."])
def test_a_report_that_cannot_be_written_is_told_first(nook, home, path):
    ran = nook(*BIRDS, "--html", path)

    assert ran.code == 2
    assert "folder" in ran.err
    assert not (home / "cache" / "evaluation").exists()


# --- an assistant of one's own --------------------------------------------------------------------


@pytest.fixture
def asked(papers) -> Callable[..., None]:
    """Writes questions beside the Assistantfile of the papers."""

    def write(*questions: dict[str, object]) -> None:
        text = "\n".join(map(json.dumps, questions))
        (papers.folder / "questions.jsonl").write_text(text)

    return write


def test_ones_own_questions_are_asked_of_ones_own_documents(nook, asked, home):
    asked(
        {"question": "Which paper is about herons?", "source": "one.txt"},
        {"question": "Where are otters?", "source": "documents/two.txt"},
        {"question": "Which paper is about otters?", "passage": "second paper is  about otters"},
        {"question": "Who won the World Cup?", "answer": "none"},
    )

    form = json.loads(nook("eval", "./papers", "--no-answers", "--json").out)

    assert form["subject"]["name"] == "papers"
    assert form["measures"]["recall@1"]["n"] == 3
    assert form["measures"]["recall@1"]["value"] == 1.0
    assert form["results"][0]["ranking"][0] == "documents/one.txt"


def test_questions_may_lie_elsewhere(nook, papers, tmp_path):
    (tmp_path / "mine.toml").write_text(
        '[[questions]]\nquestion = "Which paper is about herons?"\nsource = "one.txt"\n'
    )

    ran = nook("eval", "./papers", "--no-answers", "--questions", "mine.toml")

    assert ran.code == 0, ran.err
    assert "papers: 1 question; 2 documents" in ran.out


def test_a_source_that_is_not_there_is_told(nook, asked):
    asked({"question": "Which paper is about herons?", "source": "ome.txt"})

    ran = nook("eval", "./papers", "--no-answers")

    assert ran.code == 2
    assert "expects the source 'ome.txt', which is not among the 2 sources" in ran.err
    assert "Did you mean 'one.txt'?" in ran.err


def test_questions_among_the_documents_are_refused(nook, papers):
    path = papers.write("questions.jsonl", '{"question": "What is about herons?", "answer": "one"}')

    ran = nook("eval", "./papers", "--no-answers", "--questions", str(path))

    assert ran.code == 2
    assert "is one of the documents of papers" in ran.err
    assert "--questions" in ran.err


@pytest.mark.parametrize("name", ["contoso", "hebrew"])
def test_the_questions_of_a_shipped_assistant_name_its_documents(name):
    folder = ROOT / "assistants" / name
    asked = read_question_file(find_question_file(folder), name).questions

    sources = {source for question in asked for source in question.relevant}
    assert sources
    assert [s for s in sources if not list(folder.rglob(s))] == []
    assert any(question.unanswerable for question in asked)


def test_changed_documents_are_told(nook, asked, papers):
    asked({"question": "Which paper is about herons?", "source": "one.txt"})
    nook("ingest", "./papers")
    papers.write("three.txt", "The third paper is about newts.\n")

    ran = nook("eval", "./papers", "--no-answers")

    assert ran.code == 1
    assert "1 document changed since they were read" in ran.err


def test_without_questions_it_says_what_to_write(nook, papers):
    ran = nook("eval", "./papers")

    assert ran.code == 2
    assert "neither questions.jsonl nor questions.toml" in ran.err
    assert '{"question": ' in ran.err


def test_the_model_that_answers_must_be_there(nook, asked):
    asked({"question": "Which paper is about herons?", "source": "one.txt"})

    ran = nook("eval", "./papers", "--model", "smollm2:135m")

    assert ran.code == 3
    assert "nook pull smollm2:135m" in ran.err


# --- misuse ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Name either an assistant or --dataset"),
        (("contoso", "--dataset", "x"), "and not both"),
        (("--dataset", "nowhere"), "There is nothing at nowhere"),
        (("--dataset", str(DATA / "birds"), "--split", "dev"), "--split test, --split train"),
        (("--dataset", str(DATA / "birds"), "--questions", "x"), "has its own questions"),
        (("contoso", "--split", "test"), "--split is for a --dataset"),
        (("contoso", "--fresh"), "nook ingest"),
        (("contoso", "--model", "x", "--no-answers"), "leave one out"),
        (("contso",), "Did you mean 'contoso'?"),
        (("contoso", "--questions", "nowhere.jsonl"), "There is no file nowhere.jsonl"),
        ((*BIRDS[1:], "--recall-at", "0"), "not numbers from 1 to 1000"),
        ((*BIRDS[1:], "--recall-at", "ten"), "not numbers from 1 to 1000"),
        ((*BIRDS[1:], "--limit", "0"), "--limit"),
        (("--show", "nothing"), "'nothing' is no run"),
    ],
)
def test_misuse_is_told_in_a_line_or_two(nook, arguments, told):
    ran = nook("eval", *arguments)

    assert ran.code == 2
    assert told in ran.err
    assert ran.out == ""


def test_an_unknown_model_is_told_before_anything_is_read(nook, home):
    for option in ("--model", "--embedder"):
        ran = nook(*BIRDS, option, "no-such-model")

        assert ran.code in (2, 3)
        assert "no-such-model" in ran.err
        assert not (home / "cache" / "evaluation").exists()


def test_an_error_for_machines_is_a_form(nook):
    ran = nook("eval", "--dataset", "nowhere", "--json")

    assert json.loads(ran.out)["error"]["type"] == "UserError"


# --- stopping -------------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path) -> Path:
    """A set with so many questions that it takes a while."""
    folder = Path(shutil.copytree(DATA / "birds", tmp_path / "many"))
    numbers = range(20_000)
    (folder / "queries.jsonl").write_text(
        "".join(f'{{"_id": "{n}", "text": "which bird is number {n}"}}\n' for n in numbers)
    )
    (folder / "qrels" / "test.tsv").write_text("".join(f"{n}\towl\t1\n" for n in numbers))
    return folder


def test_ctrl_c_ends_without_a_run_and_says_so(nook, running, many, home, live_catalog):
    going = running("eval", "--dataset", str(many), "--mode", "lexical")
    going.until(lambda: live_catalog() == 8)

    code = going.stop()

    assert code == 130
    assert "No run was kept" in "".join(going.err)
    assert runs_of(home) == []


@pytest.fixture
def live_catalog(home) -> Callable[[], int]:
    """Counts the documents of the data set that were read."""
    import sqlite3
    from contextlib import closing

    def count() -> int:
        for path in catalogs(home):
            with closing(sqlite3.connect(path)) as connection:
                try:
                    return int(
                        connection.execute(
                            "SELECT count(*) FROM sources WHERE generation > 0"
                        ).fetchone()[0]
                    )
                except sqlite3.Error:
                    return 0
        return 0

    return count


def test_a_terminal_sees_how_far_it_is(screen, many):
    seen = screen("eval", "--dataset", str(many), "--mode", "lexical")
    seen.wait_for("/20000")
    seen.process.send_signal(2)

    assert seen.end() == 130
    assert "Traceback" not in seen.text
