"""Assistants whose model a server runs, as people use them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from inglenook import Assistant
from inglenook.assistants.installation import Installation
from inglenook.errors import RuntimeFailure, UserError
from inglenook.tui.session import Opened, Session


@pytest.fixture
def write(tmp_path: Path):
    """Writes an Assistantfile with one document; the folder."""

    def write(runtime: str, model: str = "smol", name: str = "office") -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "rules.txt").write_text("A password must be at least 14 characters long.\n")
        (folder / "Assistantfile").write_text(
            f"FROM {model}\nRUNTIME openai {runtime}\nPARAMETER temperature 0\n"
            "PARAMETER num_predict 30\nFILE ./rules.txt\nRETRIEVE mode=lexical\n"
        )
        return folder

    return write


@pytest.fixture
def nook(tmp_path: Path):
    """Runs `nook` in an empty home: no model is there."""

    def run(*arguments: str, **environment: str):
        ran = subprocess.run(
            [sys.executable, "-m", "inglenook", *arguments],
            env={**os.environ, "INGLENOOK_HOME": str(tmp_path / "home"), **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in ran.stderr, ran.stderr
        return ran

    return run


def test_a_server_answers_from_the_documents_with_citations(nook, write, llama_server):
    folder = write(f"url={llama_server}/v1")
    ran = nook("ask", str(folder), "How long must a password be?")
    assert (0, "Reading the documents") == (ran.returncode, ran.stderr[:21])
    assert '[1] rules.txt, line 1: "A password must be at least 14' in ran.stdout
    assert "Remote" not in ran.stderr


def test_a_proxy_never_sees_what_goes_to_this_machine(nook, write, llama_server):
    folder = write(f"url={llama_server}/v1")
    nowhere = "http://127.0.0.1:9"
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), nowhere)
    ran = nook("ask", str(folder), "How long must a password be?", **proxies)
    assert 0 == ran.returncode, ran.stderr


def test_another_host_is_named_before_anything_leaves(nook, write):
    folder = write("url=https://model.invalid/v1")
    ran = nook("ask", str(folder), "How long must a password be?")
    assert 3 == ran.returncode
    said = ran.stderr.splitlines()
    assert "Remote: questions and the passages for them go to model.invalid." == said[0]
    assert "No server answers at https://model.invalid/v1" in said[-2]
    assert "RUNTIME" in said[-1]


def test_lists_and_forms_say_where_prompts_go(nook, write):
    folder = write("url=https://model.invalid/v1")
    assert 0 == nook("create", "far", "-f", str(folder / "Assistantfile")).returncode
    assert "smol (remote: model.invalid)" in nook("list").stdout
    (record,) = (
        r for r in json.loads(nook("list", "--json").stdout)["assistants"] if "far" == r["name"]
    )
    assert "model.invalid" == record["remote"]
    assert "https://model.invalid/v1" == record["server"]
    assert "go to model.invalid" in nook("doctor").stdout
    assert "model.invalid" == json.loads(nook("show", "far", "--json").stdout)["remote"]
    # Quoting asks nobody.
    quoted = nook("ask", "far", "--extractive", "--json", "How long must a password be?")
    assert ("", 0) == (json.loads(quoted.stdout)["remote"], quoted.returncode)


def test_the_terminal_ui_shows_the_host_before_the_first_question(write, tmp_path):
    folder = write("url=https://model.invalid/v1")
    with Installation.open(home=tmp_path / "home") as installation:
        session = Session(installation)
        job = session.start(str(folder))
        opened = next(event for event in job if isinstance(event, Opened))
        job.close()
        session.close()
    assert "model.invalid" == opened.remote


def test_a_model_at_a_server_is_not_missing(write, tmp_path, nook, llama_server):
    folder = write(f"url={llama_server}/v1")
    assert 0 == nook("create", "near", "-f", str(folder / "Assistantfile")).returncode
    assert f"smol (at {llama_server}/v1)" in nook("list").stdout
    with Installation.open(home=tmp_path / "home") as installation:
        session = Session(installation)
        (choice,) = (c for c in session.choices() if "near" == c.name)
        session.close()
    assert not choice.model_missing


def test_a_profile_that_allows_a_cloud_is_remote_before_anything_is_sent(
    nook, write, ollama_server
):
    folder = write(f"url={ollama_server}/v1 cloud=true", model="smol:cloud")
    ran = nook("ask", str(folder), "How long must a password be?")
    place = ollama_server.removeprefix("http://")
    assert ran.stderr.startswith(
        f"Remote: questions and the passages for them go to {place} and on from there."
    )
    assert 0 == nook("create", "high", "-f", str(folder / "Assistantfile")).returncode
    assert f"smol:cloud (remote: {place} and on from there)" in nook("list").stdout
    form = json.loads(nook("ask", "high", "--json", "How long must a password be?").stdout)
    assert "ollama.invalid:443" == form["remote"]


def test_a_template_is_refused_instead_of_ignored(nook, write, llama_server):
    folder = write(f"url={llama_server}/v1")
    with (folder / "Assistantfile").open("a") as file:
        file.write('TEMPLATE "{{ .Prompt }}"\n')
    ran = nook("ask", str(folder), "How long must a password be?")
    assert 2 == ran.returncode
    assert "TEMPLATE has no meaning for a model that a server runs" in ran.stderr


def test_an_option_that_the_runtime_lacks_is_refused_by_name(nook, write):
    ran = nook("ask", str(write("ulr=http://127.0.0.1:1/v1")), "Hello?")
    assert 2 == ran.returncode
    assert "'openai' has no option 'ulr'.\nDid you mean 'url'?" in ran.stderr


def test_an_address_with_a_password_is_refused_without_showing_it(nook, write):
    ran = nook("ask", str(write("url=http://me:sesame@127.0.0.1/v1")), "Hello?")
    assert 2 == ran.returncode
    assert "sesame" not in ran.stderr + ran.stdout


def test_a_server_that_points_elsewhere_is_not_followed(write, tmp_path):
    asked: list[str] = []

    class Pointing(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(307 if "models" not in self.path else 404)
            self.send_header("Location", f"http://127.0.0.1:{other.server_port}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            raise AssertionError("it was followed")

        do_POST = do_GET

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Pointing) as server,
        ThreadingHTTPServer(("127.0.0.1", 0), Other) as other,
    ):
        Thread(target=server.serve_forever, daemon=True).start()
        other.timeout = 0.2
        folder = write(f"url=http://127.0.0.1:{server.server_port}/v1")
        with (
            Assistant.from_file(folder / "Assistantfile", home=tmp_path / "home") as assistant,
            pytest.raises(RuntimeFailure, match="another place, which was not followed"),
        ):
            assistant.ask("How long must a password be?")
        other.handle_request()
        server.shutdown()
    assert asked[-1] == "/v1/chat/completions"


def test_what_cannot_be_an_address_is_found_when_the_assistant_is_made(write, tmp_path):
    folder = write("url=localhost:11434")
    with pytest.raises(UserError, match="must begin with http:// or https://"):
        Assistant.from_file(folder / "Assistantfile", home=tmp_path / "home")
