"""From an Assistantfile to a cited answer, with a real model and a real embedder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

QUESTION = "How long must a password be?"


@pytest.fixture
def home(assistant_home):
    """A home with models."""
    return assistant_home


@pytest.fixture
def office(nook, folder):
    """The assistant `office`, created."""
    assert nook("create", "office", "-f", str(folder / "Assistantfile")).code == 0
    return folder


def test_create_reads_the_documents_and_lists_how_each_ended(nook, folder):
    ran = nook("create", "office", "-f", str(folder / "Assistantfile"))
    assert ran.code == 0
    rows = [line.split() for line in ran.out.splitlines()]
    assert ["added", "office.txt", "1"] in rows
    assert ["added", "passwords.txt", "1"] in rows
    assert "2 added; 2 sources and 2 chunks in" in ran.out
    assert f"Created office: {folder / 'Assistantfile'}" in ran.err


def test_create_finds_the_assistantfile_of_the_folder_it_runs_in(nook, folder):
    assert nook("create", "office", cwd=folder).code == 0
    assert "office" in nook("list").out


def test_a_document_that_cannot_be_read_is_listed_and_sets_the_exit_code(nook, folder):
    (folder / "noise.txt").write_bytes(b"\x00\x01\x02" * 50)
    ran = nook("create", "office", "-f", str(folder))
    assert ran.code == 1
    assert "failed   noise.txt" in ran.out
    assert "2 added, 1 failed" in ran.out
    assert nook("ask", "office", QUESTION).code == 0


def test_a_first_question_that_lost_a_document_is_done_in_part(nook, folder):
    (folder / "noise.txt").write_bytes(b"\x00\x01\x02" * 50)
    ran = nook("ask", str(folder), QUESTION)
    assert ran.code == 1
    assert "noise.txt: failed" in ran.err
    assert "14" in ran.out


@pytest.mark.parametrize("stream", [[], ["--stream"]])
def test_the_json_of_such_a_question_says_why_the_exit_code_is_1(nook, folder, stream):
    (folder / "noise.txt").write_bytes(b"\x00\x01\x02" * 50)
    ran = nook("ask", "./office", QUESTION, "--json", *stream)
    last = json.loads(ran.out.splitlines()[-1] if stream else ran.out)
    assert ran.code == 1
    assert last["notices"][0]["code"] == "sources-failed"
    if stream:
        assert json.loads(ran.out.splitlines()[0])["code"] == "sources-failed"
    again = nook("ask", "./office", QUESTION, "--json")
    codes = [notice["code"] for notice in json.loads(again.out)["notices"]]
    assert (again.code, "sources-failed" in codes) == (0, False)


def test_ask_prints_the_answer_with_its_citations_and_nothing_else(nook, office):
    ran = nook("ask", "office", QUESTION)
    assert (ran.code, ran.err) == (0, "")
    answer, _, sources = ran.out.partition("\n\n")
    assert "14 characters" in answer
    assert "[1]" in answer
    assert sources.startswith("[1] ")
    assert 'passwords.txt, line 1: "' in sources


def test_ask_takes_the_question_from_standard_input_and_a_path_for_a_name(nook, folder):
    ran = nook("ask", str(folder / "Assistantfile"), stdin=f"{QUESTION}\n")
    assert ran.code == 0
    assert "14 characters" in ran.out
    assert "for the first time" in ran.err
    again = nook("ask", f"./{folder.name}", stdin=QUESTION)
    assert again.out == ran.out
    assert again.err == ""


def test_what_is_not_in_the_documents_is_not_invented(nook, office):
    ran = nook("ask", "office", "Which volcano erupted in Iceland?", "--json")
    form = json.loads(ran.out)
    assert ran.code == 0
    assert form["abstained"] is True


def test_no_ingest_reads_nothing(nook, folder):
    ran = nook("ask", str(folder), QUESTION, "--no-ingest")
    assert ran.code == 2
    assert "No documents have been read yet" in ran.err


def test_the_json_of_an_answer_can_be_checked_against_its_documents(nook, office):
    ran = nook("ask", "office", QUESTION, "--json")
    form = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert form["version"] == 1
    assert form["stop_reason"] in ("stop", "length")
    for sentence in form["sentences"]:
        assert form["answer"][sentence["start"] : sentence["end"]] == sentence["text"]
    citations = [c for sentence in form["sentences"] for c in sentence["citations"]]
    assert citations
    for citation in citations:
        text = (office / citation["source"]).read_text()
        assert text[citation["start"] : citation["end"]] == citation["quote"]
        assert citation["locator"] == {"kind": "line", "value": 1}


def test_the_stream_has_one_event_a_line_and_ends_in_the_answer(nook, office):
    ran = nook("ask", "office", QUESTION, "--json", "--stream")
    events = [json.loads(line) for line in ran.out.splitlines()]
    assert events[0]["type"] == "retrieved"
    assert events[-1]["type"] == "answered"
    assert [e["type"] for e in events].count("answered") == 1
    text = "".join(event["text"] for event in events if event["type"] == "text")
    assert text == events[-1]["answer"]


def test_search_lists_passages_best_first(nook, office):
    ran = nook("search", "office", "password", "characters", "--limit", "1")
    assert ran.out.startswith("1. passwords.txt, line 1\n   score ")
    form = json.loads(nook("search", "office", "password", "--mode", "lexical", "--json").out)
    assert (form["version"], form["query"]) == (1, "password")
    assert form["passages"][0]["source"] == "passwords.txt"


def test_search_takes_the_query_from_standard_input(nook, office):
    given = nook("search", "office", "password", "characters")
    assert given.out.startswith("1. passwords.txt")
    assert nook("search", "office", stdin="password characters\n").out == given.out
    empty = nook("search", "office")
    assert (empty.code, empty.out) == (2, "")
    assert "The query is empty." in empty.err


def test_control_characters_in_names_of_files_are_shown_as_symbols(nook, folder):
    (folder / "a\x1b[31m\nb.txt").write_text("The zeppelin is moored at the harbour.\n")
    (folder / "e\x07.txt").touch()
    made = nook("create", "office", "-f", "./office")
    found = nook("search", "office", "zeppelin")
    asked = nook("ask", "office", "Where is the zeppelin moored?")
    assert "a\u241b[31m\u240ab.txt" in made.out
    assert "e\u2407.txt" in made.out
    assert found.out.startswith("1. a\u241b[31m\u240ab.txt, line 1\n   score ")
    for ran in (made, found, asked):
        assert not {"\x1b", "\x07"} & set(ran.out + ran.err)
    form = json.loads(nook("search", "office", "zeppelin", "--json").out)
    assert form["passages"][0]["source"] == "a\x1b[31m\nb.txt"


def test_ingest_does_only_what_is_to_do(nook, office):
    first = json.loads(nook("ingest", "office", "--json").out)
    assert first["counts"] == {"unchanged": 2}
    (office / "passwords.txt").write_text("A password must be at least 16 characters long.\n")
    (office / "office.txt").unlink()
    second = json.loads(nook("ingest", "office", "--json").out)
    assert second["counts"] == {"updated": 1, "removed": 1}
    assert "16 characters" in nook("ask", "office", QUESTION).out


def test_a_file_outside_its_folder_needs_a_grant_that_the_error_spells_out(nook, folder, tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("The garden gate is green.\n")
    profile = folder / "Assistantfile"
    profile.write_text(profile.read_text() + "FILE ../outside.txt\n")
    ran = nook("ask", str(profile), "Which colour is the garden gate?")
    assert (ran.code, ran.out) == (2, "")
    assert f"nook allow {profile} {outside}" in ran.err
    assert nook("allow", str(profile), str(outside)).code == 0
    assert "green" in nook("ask", str(profile), "Which colour is the garden gate?").out


def test_a_grant_for_a_name_is_none_for_a_strangers_folder_of_that_name(
    nook, folder, home, tmp_path
):
    outside = tmp_path / "outside.txt"
    outside.write_text("The garden gate is green.\n")
    (folder / "Assistantfile").open("a").write("FILE ../outside.txt\n")
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text(f"[grants]\noffice = ['{outside}']\n")
    for arguments in (["ingest", "./office"], ["create", "office", "-f", "./office"]):
        ran = nook(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert "may not read" in ran.err


def test_without_documents_there_is_nothing_to_cite_and_nothing_marked(nook, tmp_path):
    (tmp_path / "Assistantfile").write_text(
        "FROM smollm2:135m\nPARAMETER seed 1\nPARAMETER num_predict 20\n"
    )
    ran = nook("run", "./Assistantfile", "Say hello.")
    assert ran.code == 0
    assert ran.out.strip()
    assert "[unsupported]" not in ran.out


def test_run_takes_the_prompt_from_standard_input(nook, office):
    assert "14 characters" in nook("run", "office", stdin=QUESTION).out


def test_show_prints_a_model_and_its_parts(nook):
    form = json.loads(nook("show", "smollm2:135m", "--json").out)
    assert (form["kind"], form["format"]) == ("model", "gguf")
    assert nook("show", "smollm2:135m", "--modelfile").out.startswith("FROM smollm2:135m\n")
    assert nook("show", "smollm2:135m", "--license").out.strip()


def test_list_has_models_with_sizes(nook):
    models = {m["name"]: m for m in json.loads(nook("list", "--json").out)["models"]}
    assert models["smollm2:135m"]["size_bytes"] > 50_000_000
    assert "smollm2:135m" in nook("list").out


def test_rm_takes_away_names_and_models_and_leaves_documents(nook, office):
    ran = nook("rm", "office", "smollm2:135m", "nothing")
    assert ran.code == 1
    assert "Removed the assistant office" in ran.out
    assert "Removed the model smollm2:135m" in ran.out
    assert "'nothing'" in ran.err
    assert (office / "passwords.txt").is_file()
    assert "Get it with: nook pull smollm2:135m" in nook("show", "smollm2:135m").err


def knowledge_of(home):
    return sorted((home / "data" / "knowledge").glob("office-*"))


def test_rm_deletes_the_knowledge_of_an_assistant_and_says_so(nook, office, home):
    [knowledge] = knowledge_of(home)
    before = {path: path.read_bytes() for path in office.iterdir()}
    ran = nook("rm", "office")
    assert ran.code == 0
    assert str(knowledge) in ran.out
    assert not knowledge.exists()
    assert {path: path.read_bytes() for path in office.iterdir()} == before


def test_rm_keeps_knowledge_that_is_wanted_or_that_another_name_uses(nook, office, home):
    kept = knowledge_of(home)
    assert nook("create", "other", "-f", "./office").code == 0
    assert "knowledge" not in nook("rm", "office").out
    assert knowledge_of(home) == kept
    assert "knowledge" not in nook("rm", "--keep-knowledge", "other").out
    assert knowledge_of(home) == kept


def test_a_pull_of_what_is_here_contacts_nobody(nook):
    ran = nook("pull", "smollm2:135m")
    assert (ran.code, ran.out) == (0, "smollm2:135m is already here.\n")


def test_a_model_can_be_pulled_from_a_file(nook, home, tmp_path):
    blobs = home / "data" / "models" / "blobs"
    copy = tmp_path / "blobs"
    shutil.copytree(blobs, copy)
    assert nook("rm", "smollm2:135m").code == 0
    ran = nook("pull", "smollm2:135m", "--source", f"file:{copy}")
    assert ran.code == 0
    assert ran.out.startswith("smollm2:135m is here (")
    assert "Fetching smollm2:135m by file:" in ran.err


def test_a_pulled_embedder_is_made_ready_and_leaves_nothing_when_it_goes(nook, home, tmp_path):
    copy = tmp_path / "blobs"
    shutil.copytree(home / "data" / "models" / "blobs", copy)
    made = home / "cache" / "embedders"
    assert nook("rm", "minilm:fp32").code == 0

    ran = nook("pull", "minilm:fp32", "--source", f"file:{copy}")

    assert ran.code == 0
    assert "Making minilm:fp32 ready for this processor" in ran.err
    assert [path.suffix for path in sorted(made.glob("*/*"))] == [".json", ".onnx"]
    shutil.rmtree(made)
    again = nook("pull", "minilm:fp32")
    assert (again.code, again.out) == (0, "minilm:fp32 is already here.\n")
    assert "Making minilm:fp32 ready" in again.err
    assert "Making" not in nook("pull", "minilm:fp32").err
    assert len(list(made.glob("*/*"))) == 2
    # Also of a model that has broken since.
    tokenizer = json.loads(nook("show", "minilm:fp32", "--json").out)["files"]["tokenizer.json"]
    Path(tokenizer).unlink()
    assert nook("rm", "minilm:fp32").code == 0
    assert not list(made.iterdir())


def test_a_pulled_model_that_cannot_be_made_ready_is_here_all_the_same(
    nook, home, tmp_path, environment
):
    copy = tmp_path / "blobs"
    shutil.copytree(home / "data" / "models" / "blobs", copy)
    assert nook("rm", "minilm:fp32").code == 0
    # As on a machine that fetches models for another one.
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "onnxruntime.py").write_text("raise ImportError('it is not here')\n")
    paths = os.pathsep.join((str(absent), environment["PYTHONPATH"]))

    ran = nook(
        "pull",
        "minilm:fp32",
        *("--source", f"file:{copy}"),
        env={**environment, "PYTHONPATH": paths},
    )

    assert (ran.code, ran.out[:19]) == (0, "minilm:fp32 is here")
    assert "cannot be used here yet" in ran.err
    assert "pip install" in ran.err


def test_a_healthy_installation_is_called_so(nook):
    ran = nook("doctor", "--json")
    report = json.loads(ran.out)
    assert [c for c in report["checks"] if c["ok"] is False] == []
    assert (ran.code, report["healthy"]) == (0, True)
