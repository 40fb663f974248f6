"""Commands beside an open chat: they use its model, and show and end it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from inglenook.models.local_socket import sockets

pytestmark = pytest.mark.timeout(280)

PROFILE = """FROM smollm2:135m
PARAMETER temperature 0
PARAMETER num_thread 1
PARAMETER num_predict {most}
"""


@pytest.fixture
def home(assistant_home: Path) -> Path:
    """A home with models in it."""
    return assistant_home


@pytest.fixture
def talker(tmp_path):
    """Writes assistants that talk, without documents."""

    def write(name="talker", most=8, more=""):
        path = tmp_path / name / "Assistantfile"
        path.parent.mkdir(exist_ok=True)
        path.write_text(PROFILE.format(most=most) + more)
        return str(path)

    return write


@pytest.fixture
def chat(screen, talker):
    """The open chat of `nook run`, its model loaded."""

    def start(**more):
        opened = screen("run", talker(**more))
        opened.wait_for(">>>")
        return opened

    return start


def children(pid):
    """The processes below this one that run a model."""
    found = set()
    for child in psutil.Process(pid).children():
        with suppress(psutil.Error):
            if "inglenook.processes.worker_main" in child.cmdline():
                found.add(child.pid)
    return found


class Watched:
    """A run of `nook`, and the processes that it started."""

    def __init__(self, arguments, environment, cwd, **options):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "inglenook", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=cwd,
        )
        self.children = set()
        while self.process.poll() is None:
            try:
                self.children |= children(self.process.pid)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.01)
        self.out, self.err = self.process.communicate()


@pytest.fixture
def watched(environment, tmp_path):
    return lambda *arguments, **extra: Watched(arguments, {**environment, **extra}, tmp_path)


def models_of(nook):
    return json.loads(nook("ps", "--json").out)["models"]


def test_commands_beside_a_chat_load_no_model(chat, watched, talker, nook):
    opened = chat()
    (before,) = models_of(nook)
    page = Path(__file__).resolve().parents[3] / "docs" / "machine-forms.md"
    shown = page.read_text("utf-8").partition("## nook ps --json")[2].partition("```json")[2]
    assert before.keys() == json.loads(shown.partition("```")[0])["models"][0].keys()
    one = talker("other", most=4)
    for arguments in (
        ("ask", one, "Hello?"),
        ("run", one, "Hello?"),
        ("render", one, "Hello?"),
        ("tokens", one, "Hello?"),
    ):
        ran = watched(*arguments)
        assert 0 == ran.process.returncode, ran.err
        assert ran.out
        assert set() == ran.children, arguments
    (after,) = models_of(nook)
    assert before["worker_pid"] == after["worker_pid"]
    assert opened.process.pid == after["pid"]
    assert {after["worker_pid"]} == children(opened.process.pid)


def test_the_terminal_ui_lends_its_model_too(screen, watched, nook):
    opened = screen()
    opened.wait_for("contoso")
    opened.type("contoso")
    opened.wait_for_more(1)
    opened.type("\r")
    until = time.monotonic() + 120
    while not [m for m in models_of(nook) if m["state"] == "ready"]:
        assert time.monotonic() < until, opened.text
        opened.wait_until(lambda: True)
    ran = watched("tokens", "contoso", "Hello?")
    assert 0 == ran.process.returncode, ran.err
    assert (set(), "nook") == (ran.children, models_of(nook)[0]["process"])


def test_without_a_chat_a_command_loads_the_model_itself_and_leaves_nothing(watched, talker):
    ran = watched("ask", talker(), "Hello?")
    assert 0 == ran.process.returncode, ran.err
    assert 1 == len(ran.children)
    assert not [pid for pid in ran.children if psutil.pid_exists(pid)]


def test_a_larger_context_than_the_chats_is_loaded_for_itself(chat, watched, talker):
    chat(more="PARAMETER num_ctx 512\n")
    ran = watched("ask", talker("large", more="PARAMETER num_ctx 1024\n"), "Hello?")
    assert (0, 1) == (ran.process.returncode, len(ran.children)), ran.err
    ran = watched("ask", talker("small", more="PARAMETER num_ctx 256\n"), "Hello?")
    assert (0, 0) == (ran.process.returncode, len(ran.children)), ran.err


def test_a_question_through_the_chat_reads_only_what_is_new(chat, nook, talker):
    chat(more="PARAMETER num_ctx 1024\n")
    system = f"SYSTEM {'You know the sea and its ships. ' * 20}\n"
    one = talker("sailor", most=4, more=f"PARAMETER num_ctx 1024\n{system}")
    nook("ask", one, "What is a mast?")
    usage = json.loads(nook("ask", one, "What is a sail?", "--json").out)["usage"]
    assert usage["cached_tokens"] > 100
    assert usage["prompt_tokens"] - usage["cached_tokens"] < 20


def test_a_lender_that_is_killed_in_mid_answer_is_told_and_the_next_question_works(
    chat, running, watched, talker
):
    opened = chat(most=2000)
    asking = running("ask", talker("long", most=2000), "Tell a story.", "--json", "--stream")
    asking.wait_for('"type": "text"')
    opened.process.kill()
    began = time.monotonic()
    assert 3 == asking.end(10)
    assert time.monotonic() - began < 1.5  # The start of the process's end counts.
    end = json.loads(asking.out[-1])
    assert ("failed", "RuntimeFailure") == (end["type"], end["error"])
    assert "ended or hangs, in mid-answer" in end["message"]
    ran = watched("ask", talker(), "Hello?")
    assert 0 == ran.process.returncode, ran.err


def test_a_killed_lender_leaves_neither_a_child_nor_a_socket(chat, nook, home):
    opened = chat()
    left = children(opened.process.pid)
    opened.process.kill()
    opened.process.wait()
    _, alive = psutil.wait_procs([psutil.Process(p) for p in left if psutil.pid_exists(p)], 5)
    assert [] == alive
    assert "No model is loaded.\n" == nook("ps").out
    assert [] == list(sockets(home / "cache"))


def test_a_lender_that_hangs_does_not_keep_others_from_asking(chat, nook, watched, talker):
    opened = chat()
    os.kill(opened.process.pid, signal.SIGSTOP)
    try:
        ran = watched("ask", talker("other"), "Hello?")
        assert (0, 1) == (ran.process.returncode, len(ran.children)), ran.err
        shown = nook("ps")
        assert 1 == shown.code
        assert f"the process {opened.process.pid} holds models and does not answer" in shown.err
        stopped = nook("stop", "--all")
        assert (2, True) == (stopped.code, "does not answer" in stopped.err)
    finally:
        os.kill(opened.process.pid, signal.SIGCONT)


def test_the_runtime_of_a_lender_that_is_killed_is_told_to_the_borrower(
    chat, running, nook, talker
):
    chat(most=2000)
    asking = running("ask", talker("long", most=2000), "Tell a story.", "--json", "--stream")
    asking.wait_for('"type": "text"')
    os.kill(models_of(nook)[0]["worker_pid"], signal.SIGKILL)
    began = time.monotonic()
    assert 3 == asking.end(10)
    assert time.monotonic() - began < 1.5
    assert "SIGKILL" in json.loads(asking.out[-1])["message"]
    again = nook("ask", talker("short", most=4), "Hello?")
    assert 0 == again.code, again.err


def test_who_asks_while_the_model_answers_stands_in_line(chat, running, nook, talker):
    chat()
    first = running("ask", talker("long", most=600), "Tell a story.", "--json", "--stream")
    first.wait_for('"type": "text"')
    second = nook("ask", talker("short", most=4), "Hello?", "--json", "--stream")
    assert 0 == second.code, second.err
    events = [json.loads(line) for line in second.out.splitlines()]
    queued = [e for e in events if e["type"] == "queued"]
    assert [{"version": 1, "type": "queued", "position": 1, "reason": "slot"}] == queued
    assert 0 == first.end(60)


def test_ctrl_c_in_line_leaves_it_at_once(chat, running, nook, talker):
    chat()
    first = running("ask", talker("long", most=2000), "Tell a story.", "--json", "--stream")
    first.wait_for('"type": "text"')
    second = running("ask", talker("short"), "Hello?", "--json", "--stream")
    second.wait_for('"queued"')
    began = time.monotonic()
    assert 130 == second.stop()
    assert time.monotonic() - began < 2
    assert 0 == models_of(nook)[0]["waiting"]


def test_ps_shows_what_is_loaded(chat, nook):
    assert "No model is loaded.\n" == nook("ps").out
    opened = chat()
    head, row = nook("ps").out.splitlines()
    assert "MODEL RUNTIME DEVICE MEMORY CONTEXT BUSY WAITING KEPT PROCESS".split() == head.split()
    said = r"smollm2:135m +xllamacpp +cpu +\d+ MB +4096 +0/1 +0 +5 min +nook run \((\d+)\)"
    assert str(opened.process.pid) == re.fullmatch(said.replace("4096", r"\d+"), row)[1]


@pytest.mark.parametrize("name", ["smollm2:135m", "--all", "talker"])
def test_stop_unloads_an_idle_model_and_the_chat_loads_it_again(chat, nook, name, tmp_path):
    opened = chat()
    given = str(tmp_path / "talker") if name == "talker" else name
    ran = nook("stop", given)
    assert (0, "") == (ran.code, ran.err)
    assert f"Stopped smollm2:135m (nook run, process {opened.process.pid}).\n" == ran.out
    assert set() == children(opened.process.pid)
    assert "No model is loaded.\n" == nook("ps").out
    opened.type("Hello?\r")
    opened.wait_until(lambda: opened.text.count(">>>") > 1)
    assert "Error" not in opened.text


def test_stop_waits_for_an_answer_unless_it_is_forced(chat, running, nook, talker):
    chat()
    asking = running("ask", talker("long", most=3000), "Tell a story.", "--json", "--stream")
    asking.wait_for('"type": "text"')
    assert "answers 1 question and goes then" in nook("stop", "smollm2").out
    assert "leaving" in nook("ps").out
    assert "Stopped smollm2:135m" in nook("stop", "smollm2", "--force").out
    assert 3 == asking.end(10)
    assert "was stopped by `nook stop`" in asking.out[-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["stop"], "Say which models to stop, or --all."),
        (["stop", "x", "--all"], "Say which models to stop, or --all."),
        (["stop", "x"], "No model is loaded that could be stopped."),
    ],
)
def test_stop_says_what_is_wrong(nook, arguments, said):
    ran = nook(*arguments)
    assert (2, True) == (ran.code, said in ran.err)


def test_stop_names_what_is_loaded_if_the_name_is_not(chat, nook):
    chat()
    ran = nook("stop", "qwen")
    assert (2, "Error: 'qwen' is not loaded.\nLoaded are: smollm2:135m.\n") == (ran.code, ran.err)


def test_no_other_user_can_use_a_model(chat, home):
    """Only root can try to be somebody else; anybody can look at the permissions."""
    chat()
    ((_, path),) = sockets(home / "cache")
    assert (0o700, 0o600) == (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777)
    if os.getuid() == 0 and shutil.which("setpriv"):
        code = (
            "import socket, sys\n"
            "try:\n"
            "    made = socket.socket(socket.AF_UNIX)\n"
            "    made.connect(sys.argv[1])\n"
            '    made.sendall(b\'\\0\\0\\0\\x1e\' + b\'{"protocol": 1, "do": "list"}\')\n'
            "    print(len(made.recv(10)))\n"
            "except OSError as error:\n"
            "    print(type(error).__name__)\n"
        )
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        command = [*as_nobody, "/usr/bin/env", "python3", "-c", code, str(path)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout
        assert "PermissionError\n" == told
        for parent in (path, *path.parents):
            if parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o777)
        told = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout
        assert told in ("0\n", "ConnectionResetError\n", "BrokenPipeError\n")


def test_a_path_that_is_too_long_for_a_socket_is_no_hindrance(
    environment, screen, watched, talker, tmp_path, home
):
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    home.rename(deep / "home")
    environment["INGLENOOK_HOME"] = str(deep / "home")
    opened = screen("run", talker())
    opened.wait_for(">>>")
    ran = watched("ask", talker("other"), "Hello?")
    assert (0, 0) == (ran.process.returncode, len(ran.children)), ran.err
    opened.type("/bye\r")
    opened.end()
