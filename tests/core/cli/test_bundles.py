"""`nook export` and `nook import` carry models and assistants to a machine without a network."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture
def other(environment, tmp_path):
    """The environment of the other machine."""
    return {**environment, "INGLENOOK_HOME": str(tmp_path / "other")}


def everything(folder: Path) -> list[str]:
    """Every file in a folder but locks."""
    found = (p for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock")
    return sorted(p.relative_to(folder).as_posix() for p in found)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class TestWithModels:
    @pytest.fixture
    def home(self, assistant_home):
        return assistant_home

    def test_an_assistant_answers_on_another_machine(self, nook, folder, other, tmp_path):
        file = folder / "Assistantfile"
        file.write_text(file.read_text() + "EMBEDDER minilm:int8\n")
        nook("create", "office", "-f", str(folder))

        exported = nook("export", "office", "office.nook", "--json")
        shutil.rmtree(folder)
        imported = nook("import", "office.nook", "--json", env=other)
        answer = nook("ask", "office", "How long must a password be?", env=other)

        form = json.loads(exported.out)
        assert ["minilm:int8", "smollm2:135m"] == form["models"]
        assert hashlib.sha256((tmp_path / "office.nook").read_bytes()).hexdigest() == form["sha256"]
        came = json.loads(imported.out)
        assert [(m["name"], m["already_there"]) for m in came["models"]] == [
            ("minilm:int8", False),
            ("smollm2:135m", False),
        ]
        assert "14" in answer.out
        assert "passwords.txt" in answer.out
        assert nook("verify", env=other).code == 0

    def test_what_is_here_is_not_copied_again_and_the_default_embedder_comes_along(
        self, nook, folder, other
    ):
        nook("create", "office", "-f", str(folder))
        assert ["minilm:fp32", "smollm2:135m"] == json.loads(
            nook("export", "office", "one.nook", "--json").out
        )["models"]

        nook("import", "one.nook", env=other)
        again = nook("import", "one.nook", env=other)

        assert again.code == 0
        assert again.out.splitlines()[:2] == [
            "minilm:fp32 is already here.",
            "smollm2:135m is already here.",
        ]
        assert "The assistant office is already here" in again.out

    def test_the_same_contents_give_the_same_bytes(self, nook, folder, tmp_path, other):
        nook("export", "./office", "smollm2", "one.nook")
        nook("export", "smollm2:135m", "./office", "two.nook")
        assert (tmp_path / "one.nook").read_bytes() == (tmp_path / "two.nook").read_bytes()

        nook("import", "one.nook", env=other)
        nook("export", "office", "three.nook", env=other)
        assert (tmp_path / "one.nook").read_bytes() == (tmp_path / "three.nook").read_bytes()

    def test_another_model_of_the_same_name_is_kept_unless_force(self, nook, other):
        nook("export", "smollm2", "one.nook")
        nook("cp", "minilm:int8", "smollm2:135m", "--force")
        refused = nook("import", "one.nook")
        kept = json.loads(nook("show", "smollm2:135m", "--json").out)["format"]
        forced = nook("import", "one.nook", "--force")

        assert (refused.code, kept) == (2, "sentence-onnx")
        assert "There is another model named smollm2:135m here" in refused.err
        assert "--force" in refused.err
        assert forced.code == 0
        assert json.loads(nook("show", "smollm2:135m", "--json").out)["format"] == "gguf"

    def test_a_damaged_model_is_mended_by_an_import(self, nook, home):
        nook("export", "smollm2", "one.nook")
        blobs = home / "data" / "models" / "blobs"
        largest = next(blobs.glob("sha256-b179c952*"))
        data = largest.read_bytes()
        largest.unlink()
        largest.write_bytes(data[:-1])
        assert nook("verify", "smollm2").code == 1
        assert nook("import", "one.nook").code == 0
        assert nook("verify", "smollm2").code == 0

    def test_a_model_that_a_failing_disk_has_changed_is_not_exported(self, nook, home, tmp_path):
        largest = next((home / "data" / "models" / "blobs").glob("sha256-b179c952*"))
        data = bytearray(largest.read_bytes())
        largest.unlink()
        data[len(data) // 2] ^= 1
        largest.write_bytes(data)
        ran = nook("export", "smollm2", "one.nook")
        assert (ran.code, (tmp_path / "one.nook").exists()) == (3, False)
        assert "nook verify" in ran.err

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_an_export_that_is_stopped_leaves_nothing(self, environment, tmp_path, number):
        before = names_in(tmp_path)
        process = start(
            ["export", "qwen2.5-coder:0.5b", "e5:q4", "big.nook"], environment, tmp_path
        )
        until_open(process, str(tmp_path))
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == (-9 if number == signal.SIGKILL else 130), err
        assert names_in(tmp_path) == before
        assert "Traceback" not in err

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_an_import_that_is_stopped_shows_nothing_and_leaves_nothing_for_long(
        self, nook, environment, other, tmp_path, number
    ):
        nook("export", "qwen2.5-coder:0.5b", "big.nook")
        home = tmp_path / "other"
        process = start(["import", "big.nook"], other, tmp_path)
        until_open(process, str(home / "data" / "models" / "partial" / "import-"))
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == (-9 if number == signal.SIGKILL else 130), err
        assert json.loads(nook("list", "--json", env=other).out)["models"] == []
        if number == signal.SIGKILL:
            found = json.loads(nook("du", "--json", env=other).out)
            (left,) = (r for r in found["rooms"] if r["kind"] == "unfinished import")
            assert (left["command"], found["unused_bytes"]) == ("nook prune", left["size_bytes"])
            nook("prune", env=other)
        assert everything(home) == []
        assert nook("import", "big.nook", env=other).code == 0


def start(arguments, environment, cwd):
    return subprocess.Popen(
        [sys.executable, "-m", "inglenook", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=cwd,
    )


def until_open(process, prefix, most_s=60):
    """Until the process has a large file open that lies there; files without a name too."""
    end = time.monotonic() + most_s
    while time.monotonic() < end:
        assert process.poll() is None, process.communicate()
        for handle in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                target, size = str(handle.readlink()), handle.stat().st_size
                info = Path(f"/proc/{process.pid}/fdinfo/{handle.name}").read_text()
            except OSError:
                continue
            writes = int(info.split("flags:")[1].split()[0], 8) & (os.O_WRONLY | os.O_RDWR)
            if writes and target.startswith(prefix) and size > 20_000_000:
                return
        time.sleep(0.002)
    raise AssertionError("it never got that far")


def until(true, most_s=60):
    end = time.monotonic() + most_s
    while not true():
        assert time.monotonic() < end, "it never got that far"
        time.sleep(0.005)


# --- without models -------------------------------------------------------------------------------


@pytest.fixture
def bundle(nook, papers, tmp_path):
    """A bundle of the assistant `papers` with two documents and no model."""
    ran = nook("export", "./papers", "papers.nook", "--no-models")
    assert ran.code == 0, ran.err
    return tmp_path / "papers.nook"


def test_an_assistant_without_models_comes_with_its_documents(nook, bundle, other, tmp_path):
    ran = nook("import", "papers.nook", env=other)

    assert ran.code == 0
    (made,) = (tmp_path / "other" / "data" / "imported").iterdir()
    assert str(made) in ran.out
    assert everything(made) == ["Assistantfile", "documents/one.txt", "documents/two.txt"]
    assert "otters" in nook("search", "papers", "otters", env=other).out
    listed = json.loads(nook("list", "--json", env=other).out)["assistants"]
    assert "papers" in [assistant["name"] for assistant in listed]


def test_the_times_of_documents_come_along(nook, papers, other, tmp_path):
    os.utime(papers.documents / "one.txt", (1_000_000_000, 1_000_000_000))
    nook("export", "./papers", "papers.nook", "--no-models")
    nook("import", "papers.nook", env=other)
    found = nook("search", "papers", "paper", "--until", "2001-12", env=other).out
    assert "herons" in found
    assert "otters" not in found


def test_what_a_killed_import_laid_out_goes_with_the_next_one_or_a_prune(
    nook, papers, other, tmp_path
):
    for number in range(400):
        papers.write(f"more-{number}.txt", f"Document {number}.")
    nook("export", "./papers", "many.nook", "--no-models")
    own = tmp_path / "other" / "data" / "imported"
    for clean_up in (["prune"], ["import", "many.nook"]):
        process = start(["import", "many.nook"], other, tmp_path)
        until(lambda: any(own.glob(".import-*/papers/documents/more-1*")))
        process.kill()
        process.communicate()
        (left,) = own.iterdir()
        found = json.loads(nook("du", "--json", env=other).out)["rooms"]
        told = [room["path"] for room in found if room["kind"] == "unfinished import"]
        assert str(left) in told
        assert nook(*clean_up, env=other).code == 0
        assert not left.exists()
    assert "herons" in nook("search", "papers", "herons", env=other).out


def test_documents_may_stay(nook, papers, other, tmp_path):
    ran = nook("export", "./papers", "papers.nook", "--no-models", "--no-documents")
    assert "Not in the bundle, of papers: FILE ./documents" in ran.err
    nook("import", "papers.nook", env=other)
    (made,) = (tmp_path / "other" / "data" / "imported").iterdir()
    assert everything(made) == ["Assistantfile"]


def test_documents_elsewhere_stay_and_are_named_on_both_machines(nook, papers, other, tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("Elsewhere.\n")
    (papers.documents / "link.txt").symlink_to(outside)
    file = papers.folder / "Assistantfile"
    file.write_text(file.read_text() + f"FILE {outside}\nFILE ../outside.txt optional=true\n")
    nook("allow", "./papers", str(outside))

    ran = nook("export", "./papers", "papers.nook", "--no-models")

    assert f"Not in the bundle, of papers: FILE {outside}" in ran.err
    came = nook("import", "papers.nook", env=other)
    assert f"Not in the bundle, of papers: FILE {outside}" in came.err
    assert "nook allow papers" in came.err
    (made,) = (tmp_path / "other" / "data" / "imported").iterdir()
    assert "documents/link.txt" not in everything(made)


def test_a_strangers_assistant_reads_nothing_outside_its_folder(nook, papers, other, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("The code is 4711.\n")
    file = papers.folder / "Assistantfile"
    file.write_text(file.read_text() + f"FILE {secret}\n")
    nook("export", "./papers", "papers.nook", "--no-models")

    nook("import", "papers.nook", env=other)
    ran = nook("search", "papers", "code", env=other)

    assert ran.code == 2
    assert "4711" not in ran.out + ran.err
    assert "nook allow" in ran.err


def test_a_grant_of_an_earlier_assistant_is_not_inherited(nook, papers, other, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("The code is 4711.\n")
    nook("export", "./papers", "papers.nook", "--no-models")
    nook("import", "papers.nook", "--to", "in", env=other)
    nook("allow", "papers", str(secret), env=other)
    nook("rm", "papers", env=other)
    shutil.rmtree(tmp_path / "in" / "papers")
    file = papers.folder / "Assistantfile"
    file.write_text(file.read_text() + f"FILE {secret}\n")
    nook("export", "./papers", "papers.nook", "--no-models", "--force")

    nook("import", "papers.nook", "--to", "in", env=other)

    assert nook("search", "papers", "code", env=other).code == 2


def test_a_name_that_is_taken_is_refused_and_as_or_force_help(nook, bundle, home):
    nook("import", "papers.nook")
    same = nook("import", "papers.nook")
    (changed,) = (home / "data" / "imported").glob("*/documents/one.txt")
    changed.write_text("Changed.\n")
    refused = nook("import", "papers.nook")
    renamed = nook("import", "papers.nook", "--as", "old-papers")
    forced = nook("import", "papers.nook", "--force")

    assert "The assistant papers is already here" in same.out
    assert refused.code == 2
    assert "There is another assistant named 'papers' here" in refused.err
    assert "--as NEWNAME" in refused.err
    assert "The assistant old-papers is here" in renamed.out
    assert "The assistant papers is here" in forced.out
    assert "herons" in nook("search", "papers", "herons").out
    assert changed.read_text() == "Changed.\n"


def test_a_folder_of_ones_own_holds_the_assistant(nook, bundle, other, tmp_path):
    ran = nook("import", "papers.nook", "--to", "shelf/deep", env=other)
    assert ran.code == 0
    assert (tmp_path / "shelf" / "deep" / "papers" / "documents" / "two.txt").is_file()
    assert names_in(tmp_path / "shelf" / "deep") == {"papers"}
    nook("rm", "papers", env=other)
    again = nook("import", "papers.nook", "--to", "shelf/deep", env=other)
    assert (again.code, "exists already" in again.err) == (2, True)


def test_an_assistant_comes_with_the_one_that_it_is_made_from(nook, bundle, other, tmp_path):
    nook("import", "papers.nook")
    child = tmp_path / "child"
    child.mkdir()
    (child / "Assistantfile").write_text("FROM papers\nSYSTEM Be short.\nFILE ./more.txt\n")
    (child / "more.txt").write_text("More about voles.\n")

    ran = nook("export", "./child", "child.nook", "--no-models")
    assert ran.code == 0, ran.err
    came = nook("import", "child.nook", "--as", "kid", env=other)

    assert "The assistant papers is here" in came.out
    assert "The assistant kid is here" in came.out
    found = nook("search", "kid", "herons voles", env=other).out
    assert "herons" in found
    assert "voles" in found


def test_a_bundle_may_come_through_a_pipe(nook, bundle, other):
    ran = nook("import", "-", stdin=bundle.read_bytes(), env=other)
    assert ran.code == 0
    assert "The assistant papers is here" in ran.out


class TestThroughAPipe:
    """An import that has read all but the end, so that the rest of the world can go on."""

    @pytest.fixture
    def waiting(self, bundle, other, tmp_path):
        started = []

        def begin():
            process = subprocess.Popen(
                [sys.executable, "-m", "inglenook", "import", "-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=other,
                cwd=tmp_path,
            )
            started.append(process)
            process.stdin.write(bundle.read_bytes()[:-700])
            process.stdin.flush()
            number = len(started)
            scratch = tmp_path / "other" / "data" / "models" / "partial"
            until(lambda: len(list(scratch.glob("import-*/*"))) >= 2 * number)
            return process

        yield begin
        for process in started:
            process.kill()
            process.communicate()

    def test_two_at_the_same_time_both_end_well(self, nook, bundle, other, waiting):
        rest = bundle.read_bytes()[-700:]
        both = [waiting(), waiting()]
        ends = [(*process.communicate(rest, timeout=60), process.returncode) for process in both]
        assert [code for _, _, code in ends] == [0, 0], ends
        assert b"is already here" in ends[1][0]
        assert "herons" in nook("search", "papers", "herons", env=other).out

    def test_a_name_that_is_given_away_meanwhile_stays_given(
        self, nook, papers, bundle, other, waiting
    ):
        process = waiting()
        papers.write("one.txt", "All about badgers.")
        nook("export", "./papers", "changed.nook", "--no-models")
        assert nook("import", "changed.nook", env=other).code == 0
        _, err = process.communicate(bundle.read_bytes()[-700:], timeout=60)
        assert process.returncode == 2
        assert b"There is another assistant named 'papers' here" in err
        assert "badgers" in nook("search", "papers", "badgers", env=other).out

    def test_a_stop_that_cuts_the_pipe_too_is_told_as_a_stop(self, other, tmp_path, waiting):
        process = waiting()
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err.strip()) == (130, b"Error: Stopped; nothing was imported.")
        assert everything(tmp_path / "other") == []


def test_a_file_in_the_way_is_replaced_only_with_force(nook, papers, tmp_path):
    (tmp_path / "x.nook").write_text("mine")
    refused = nook("export", "./papers", "x.nook", "--no-models")
    assert (refused.code, (tmp_path / "x.nook").read_text()) == (2, "mine")
    assert nook("export", "./papers", "x.nook", "--no-models", "--force").code == 0
    assert (tmp_path / "x.nook").stat().st_size > 1000


def test_a_pipe_in_the_way_stays_one(nook, papers, tmp_path):
    os.mkfifo(tmp_path / "x.nook")
    ran = nook("export", "./papers", "x.nook", "--no-models", "--force")
    assert (ran.code, (tmp_path / "x.nook").is_fifo()) == (2, True)


def test_a_link_stays_and_the_file_behind_it_is_written(nook, papers, tmp_path):
    (tmp_path / "x.nook").symlink_to(tmp_path / "stick" / "y.nook")
    (tmp_path / "stick").mkdir()
    for more in ([], ["--force"]):
        assert nook("export", "./papers", "x.nook", "--no-models", *more).code == 0
        assert (tmp_path / "x.nook").is_symlink()
        assert (tmp_path / "stick" / "y.nook").stat().st_size > 1000


def test_a_file_may_have_a_name_that_no_model_can_have(nook, papers, tmp_path):
    assert nook("export", "./papers", "my papers", "--no-models").code == 0
    assert (tmp_path / "my papers").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "papers"], "Missing argument"),
        (["export", "nothing", "x.nook"], "There is no assistant and no model named 'nothing'"),
        (["export", "smollm2", "x.nook"], "There is no assistant and no model named 'smollm2'"),
        (["export", "./papers", "contoso"], "The last argument is the file to write"),
        (["export", "./papers", "no/x.nook"], "There is no folder no"),
        (["export", "./papers", "papers"], "papers is a folder"),
        (["export", "./papers", "x.nook"], "any"),
        (["import", "nothing.nook"], "There is no file nothing.nook"),
        (["import", "papers"], "papers is a folder"),
        (["import", "papers/Assistantfile"], "is not a bundle"),
        (["import", "empty"], "is not a bundle"),
        (["import", "papers.nook", "--as", "Bad Name"], "cannot be the name of an assistant"),
        (["export", "./papers", "-"], "written to a file, not to standard output"),
        (["export", "./papers", "n" * 300], "File name too long"),
        (["export", "./papers", "empty/x.nook"], "Not a directory"),
        (["export", "./papers", "/dev/null", "--force"], "is a device or a pipe"),
        (["import", "n" * 300], "File name too long"),
        (["import", "empty/x.nook"], "Not a directory"),
        (["import", "/proc/self/mem"], "/proc/self/mem cannot be read: Input/output error"),
    ],
)
def test_misuse_is_told_in_a_line_or_two(nook, papers, tmp_path, arguments, said):
    (tmp_path / "empty").write_bytes(b"")
    nook("export", "./papers", "papers.nook", "--no-models")
    ran = nook(*arguments)
    assert ran.code in (2, 3)
    assert said in ran.err
    assert not (tmp_path / "x.nook").exists()
    assert len(ran.err.splitlines()) <= 3


def test_a_document_that_is_missing_stops_an_export(nook, papers, tmp_path):
    file = papers.folder / "Assistantfile"
    file.write_text(file.read_text() + "FILE ./nothing.txt\n")
    ran = nook("export", "./papers", "x.nook", "--no-models")
    assert ran.code == 2
    assert "nothing.txt" in ran.err
    assert not (tmp_path / "x.nook").exists()


def test_help_of_the_other_program_is_not_needed_to_look_inside(bundle, tmp_path):
    listed = subprocess.run(
        ["tar", "tf", str(bundle)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert listed[0] == "bundle.json"
    assert all(name.startswith("blobs/sha256-") for name in listed[1:])
    assert len(listed) == 4


def test_an_assistant_of_a_server_says_where_questions_go_and_brings_no_model(nook, papers, other):
    file = papers.folder / "Assistantfile"
    file.write_text(
        "FROM some-model\nRUNTIME openai url=https://models.example/v1\n"
        "RETRIEVE mode=lexical\nFILE ./documents\n"
    )
    ran = nook("export", "./papers", "papers.nook", "--json")
    assert json.loads(ran.out)["models"] == []
    assert "FROM some-model, which a server runs" in ran.err
    came = nook("import", "papers.nook", env=other)
    assert "go to models.example" in came.out


def test_models_inside_the_folder_come_along_and_others_are_named(nook, papers, other, tmp_path):
    inside = papers.folder / "models" / "mine"
    (inside / "1_Pooling").mkdir(parents=True)
    (inside / "model.onnx").write_bytes(b"onnx")
    (inside / "1_Pooling" / "config.json").write_text("{}")
    (inside / "link").symlink_to(tmp_path)
    elsewhere = tmp_path / "elsewhere.gguf"
    elsewhere.write_bytes(b"GGUF")
    file = papers.folder / "Assistantfile"
    file.write_text(
        f"FROM {elsewhere}\nEMBEDDER ./models/mine\nFILE ./documents\nRETRIEVE mode=hybrid\n"
    )
    ran = nook("export", "./papers", "papers.nook", "--json")
    form = json.loads(ran.out)
    assert form["assistants"][0]["files"] == [
        "Assistantfile",
        "documents/one.txt",
        "documents/two.txt",
        "models/mine/1_Pooling/config.json",
        "models/mine/model.onnx",
    ]
    assert f"FROM {elsewhere}, outside its folder" in ran.err
    link = f"EMBEDDER ./models/mine, a link that leads out: {inside / 'link'}"
    assert f"Not in the bundle, of papers: {link}" in ran.err
    assert nook("import", "papers.nook", env=other).code == 0


def test_a_model_inside_the_folder_of_the_one_above_comes_along(
    nook, bundle, other, tmp_path, smollm2
):
    nook("import", "papers.nook")
    registered = json.loads(nook("list", "--json").out)["assistants"]
    (path,) = (Path(entry["path"]) for entry in registered if entry["name"] == "papers")
    path.write_text("FROM ./small.gguf\nSYSTEM Be kind.\n")
    os.link(smollm2.files["model"], path.parent / "small.gguf")
    child = tmp_path / "child"
    child.mkdir()
    (child / "Assistantfile").write_text("FROM papers\nSYSTEM Be short.\n")
    here = nook("tokens", "./child", "How are you?")
    assert here.code == 0, here.err

    ran = nook("export", "./child", "child.nook")
    assert (ran.code, ran.err) == (0, "")
    assert nook("import", "child.nook", env=other).code == 0
    shutil.rmtree(path.parent)
    assert nook("tokens", "child", "How are you?", env=other).out == here.out


def test_a_model_that_is_not_here_stops_an_export_unless_models_stay(nook, papers, tmp_path):
    ran = nook("export", "./papers", "x.nook")
    assert ran.code == 3
    assert "There is no model any" in ran.err
    assert not (tmp_path / "x.nook").exists()


def test_an_assistant_that_only_quotes_needs_no_model(nook, papers, other):
    file = papers.folder / "Assistantfile"
    file.write_text("FROM any\nFILE ./documents\nRETRIEVE mode=lexical answer=extractive\n")
    assert nook("export", "./papers", "x.nook").code == 0
    nook("import", "x.nook", env=other)
    assert "herons" in nook("ask", "papers", "What is the first paper about?", env=other).out
