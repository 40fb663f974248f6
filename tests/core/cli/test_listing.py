"""`nook list`, `show`, `doctor` and `allow` where nothing but the program is installed."""

from __future__ import annotations

import json

import pytest


def test_list_has_the_shipped_assistants_and_says_how_to_get_a_model(nook):
    out = nook("list").out
    for name in ("contoso", "hebrew", "manual"):
        assert f"\n{name} " in out
    assert "nook pull qwen2.5-coder:0.5b" in out


def test_list_as_json_has_assistants_and_models(nook):
    form = json.loads(nook("list", "--json").out)
    assert (form["version"], form["models"]) == (1, [])
    contoso = next(a for a in form["assistants"] if a["name"] == "contoso")
    assert contoso["shipped"] is True
    assert contoso["model"] == "qwen2.5-coder:0.5b"
    assert contoso["problem"] == ""


def test_an_assistant_whose_file_broke_is_listed_with_its_problem(nook, home, tmp_path):
    (home / "data" / "assistants").mkdir(parents=True)
    (home / "data" / "assistants" / "lost.json").write_text(
        json.dumps({"version": 1, "path": str(tmp_path / "gone" / "Assistantfile")})
    )
    records = json.loads(nook("list", "--json").out)["assistants"]
    assert "gone" in next(r for r in records if r["name"] == "lost")["problem"]
    ran = nook("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(ran.out)["checks"]}
    assert checks["assistant lost"]["ok"] is False


def test_show_needs_no_model_for_an_assistant(nook):
    form = json.loads(nook("show", "contoso", "--json").out)
    assert form["kind"] == "assistant"
    assert form["model"] == "qwen2.5-coder:0.5b"
    assert "./security_protocols.pdf" in form["files"]
    assert nook("show", "contoso", "--modelfile").out == form["modelfile"]
    assert nook("show", "contoso", "--system").out.startswith("You are the assistant")
    temperature = form["parameters"]["temperature"]
    assert f"temperature {temperature}\n" in nook("show", "contoso", "--parameters").out


def test_show_tells_how_an_assistant_answers_and_what_it_searches(nook, tmp_path):
    (tmp_path / "Assistantfile").write_text(
        "FROM any\nRETRIEVE answer=extractive unsupported=drop type=pdf,md\n"
    )
    shown = json.loads(nook("show", str(tmp_path), "--json").out)
    assert ("extractive", "drop") == tuple(shown["retrieve"][k] for k in ("answer", "unsupported"))
    assert shown["reranker"] is None
    lines = nook("show", str(tmp_path)).out
    assert "answer extractive, unsupported drop, types pdf md" in lines
    assert "{" not in lines


def test_the_doctor_names_the_commands_that_add_the_models(nook):
    ran = nook("doctor")
    assert ran.code == 1
    assert "nook pull qwen2.5-coder:0.5b" in ran.out
    assert "nook pull minilm" in ran.out


def test_the_doctor_looks_at_everything_that_an_answer_needs(nook):
    checks = {c["name"]: c for c in json.loads(nook("doctor", "--json").out)["checks"]}
    fine = ("python", "config folder", "data folder", "cache folder", "free space", "sqlite")
    for name in (*fine, "plugin guard", "loaders", "assistants", "pip", "telemetry"):
        assert checks[name]["ok"] is True, checks[name]
    assert set(checks["python"]) == {"name", "ok", "message", "fix"}


def test_the_doctor_changes_nothing(nook, home):
    nook("doctor")
    assert not home.exists()


def test_the_doctor_sees_a_folder_that_cannot_be_written(nook, home):
    home.write_text("not a folder")
    checks = {c["name"]: c for c in json.loads(nook("doctor", "--json").out)["checks"]}
    assert checks["data folder"]["ok"] is False
    assert "INGLENOOK_HOME" in checks["data folder"]["fix"]


@pytest.mark.parametrize("where", ["contoso", "./office", "./office/Assistantfile"])
def test_allow_takes_a_name_or_a_path(nook, folder, tmp_path, where):
    (tmp_path / "more").mkdir()
    ran = nook("allow", where, "more")
    assert (ran.code, ran.out) == (0, f"{where} may read {tmp_path / 'more'}.\n")


@pytest.fixture
def damaged(home):
    """A registration that cannot be read, named `broken`."""
    file = home / "data" / "assistants" / "broken.json"
    file.parent.mkdir(parents=True)
    file.write_text("{")
    return file


def test_a_damaged_registration_costs_only_its_own_name(nook, damaged, folder):
    records = {r["name"]: r for r in json.loads(nook("list", "--json").out)["assistants"]}
    assert str(damaged) in records["broken"]["problem"]
    assert records["contoso"]["problem"] == ""
    assert "problem: " in nook("list").out
    for reference in ("contoso", "./office"):
        assert nook("show", reference).code == 0
    ran = nook("show", "broken")
    assert (ran.code, ran.out) == (3, "")
    assert str(damaged) in ran.err
    assert "nook rm broken" in ran.err


def test_a_damaged_registration_can_be_removed(nook, damaged):
    ran = nook("rm", "broken")
    assert (ran.code, ran.out) == (0, "Removed the assistant broken; its own files stay.\n")
    assert not damaged.exists()


def test_rm_never_follows_a_name_out_of_its_folder(nook, home, tmp_path):
    (home / "data" / "assistants").mkdir(parents=True)
    (home / "data" / "mine.json").write_text("{}")
    assert nook("rm", "../mine").code == 2
    assert (home / "data" / "mine.json").exists()
