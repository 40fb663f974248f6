"""Every form in the manual has the keys that the commands really print."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "machine-forms.md"


def examples(heading: str) -> list[Any]:
    """The JSON examples under a heading, one for each document or line."""
    section = PAGE.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    assert blocks, f"no example under {heading!r}"
    texts = [t for b in blocks for t in (b.splitlines() if b.startswith('{"') else [b])]
    return [json.loads(text) for text in texts]


def shape(value: Any) -> Any:
    """The keys of a form; a list has those of its first item."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def same_keys(example: Any, real: Any, free: tuple[str, ...] = ()) -> None:
    """Compare the keys on every level where both have something."""
    if isinstance(example, dict) and isinstance(real, dict):
        assert example.keys() == real.keys()
        for key in example.keys() - set(free):
            same_keys(example[key], real[key], free)
    elif isinstance(example, list) and isinstance(real, list) and example and real:
        same_keys(example[0], real[0], free)


@pytest.mark.parametrize(
    ("heading", "arguments"),
    [
        ("Errors", ["show", "contso", "--json"]),
        ("nook list --json", ["list", "--json"]),
        ("nook plugins --json", ["plugins", "--json"]),
        ("nook doctor --json", ["doctor", "--json"]),
        ("nook devices --json", ["devices", "--json"]),
        ("nook show REFERENCE --json", ["show", "contoso", "--json"]),
        ("nook profile check FILE --json", ["profile", "check", "contoso-file", "--json"]),
    ],
)
def test_the_example_has_the_keys_of_the_real_form(nook, tmp_path, heading, arguments):
    (tmp_path / "contoso-file").write_text("FROM x\nPARAMETER temperature hot\n")
    real = json.loads(nook(*arguments).out)
    same_keys(shape(examples(heading)[0]), shape(real), free=("parameters", "libraries"))


def test_the_example_of_a_broken_profile_is_what_is_printed(nook):
    assert examples("nook profile check FILE --json")[1] == json.loads(
        nook("profile", "check", "-", "--json").out
    )


class TestWithModels:
    @pytest.fixture
    def home(self, assistant_home):
        return assistant_home

    def test_answers_streams_searches_and_reports_have_the_keys_of_their_examples(
        self, nook, folder
    ):
        (folder / "noise.txt").write_bytes(b"\x00\x01\x02" * 50)
        report = json.loads(nook("ingest", "./office", "--json").out)
        same_keys(shape(examples("nook ingest NAME --json")[0]), shape(report), free=("counts",))
        question = ("./office", "How long must a password be?", "--json")
        answer = json.loads(nook("ask", *question).out)
        expected = examples("nook ask NAME QUESTION --json")[0]
        same_keys(shape(expected), shape(answer))
        file = folder / "Assistantfile"
        file.write_text(file.read_text() + "STORE chroma\n")
        rebuilt = json.loads(nook("kb", "rebuild", "./office", "--json").out)
        same_keys(shape(examples("nook kb rebuild NAME --json")[0]), shape(rebuilt))
        found = json.loads(nook("search", "./office", "password", "--json").out)
        assert found.keys() == examples("nook search NAME QUERY --json")[0].keys()
        assert found["passages"][0].keys() == expected["passages"][0].keys()
        for command in ("verify", "prune"):
            real = json.loads(nook(command, "--json").out)
            same_keys(shape(examples(f"nook {command} --json")[0]), shape(real))
        events = [json.loads(x) for x in nook("ask", *question, "--stream").out.splitlines()]
        text, failed = examples("nook ask NAME QUESTION --json --stream")
        assert next(e for e in events if e["type"] == "text").keys() == text.keys()
        assert events[-1].keys() == {"type", *expected.keys()}
        (folder / "Assistantfile").write_text("FROM no-such-model\nFILE ./*.txt\n")
        last = json.loads(nook("ask", *question, "--stream").out)
        assert last.keys() == failed.keys()

    def test_a_benchmark_has_the_keys_of_its_example(self, nook):
        quick = ("--context", "64", "--prompt-tokens", "16", "--tokens", "2", "--rounds", "1")
        ran = nook("bench", "smollm2:135m", *quick, "--against", "bare", "--json")
        same_keys(shape(examples("nook bench REFERENCE --json")[0]), shape(json.loads(ran.out)))


class TestWithoutModels:
    def test_plans_watched_runs_and_the_states_of_knowledge_have_the_keys_of_their_examples(
        self, nook, papers, running
    ):
        papers.write("noise.txt", "\x00\x01\x02" * 50)
        plan = json.loads(nook("ingest", "./papers", "--dry-run", "--json").out)
        same_keys(shape(examples("nook ingest NAME --dry-run --json")[0]), shape(plan))
        watched = running("ingest", "./papers", "--watch", "--json")
        watched.until(lambda: watched.out)
        (papers.folder / "Assistantfile").write_text("FIEL ./documents\n")
        watched.until(lambda: len(watched.out) > 1)
        assert watched.stop() == 130
        report, error = (json.loads(watched.out[index]) for index in (0, -1))
        run, failed = examples("nook ingest NAME --watch --json")
        same_keys(shape(run), shape(report), free=("counts",))
        same_keys(shape(failed), shape(error))

    def test_upkeep_prints_the_keys_of_its_examples(self, nook, papers):
        papers.write("noise.txt", "\x00\x01\x02" * 50)
        nook("ingest", "./papers")
        papers.write("one.txt", "Something else.\n")
        for command in ("status", "vacuum"):
            real = json.loads(nook("kb", command, "./papers", "--json").out)
            same_keys(shape(examples(f"nook kb {command} NAME --json")[0]), shape(real))


class TestOfBundlesAndPrompts:
    @pytest.fixture
    def home(self, assistant_home):
        return assistant_home

    def test_copies_bundles_sizes_prompts_and_tokens_have_the_keys_of_their_examples(
        self, nook, folder, tmp_path
    ):
        (tmp_path / "outside.txt").write_text("Elsewhere.\n")
        file = folder / "Assistantfile"
        file.write_text(file.read_text() + "FILE ../outside.txt\n")
        for heading, arguments in (
            ("nook cp SOURCE DESTINATION --json", ["cp", "smollm2", "helper:v1"]),
            ("nook du --json", ["du"]),
            ("nook export NAME FILE --json", ["export", "./office", "x.nook"]),
            ("nook import FILE --json", ["import", "x.nook"]),
            ("nook render NAME QUESTION --json", ["render", "smollm2", "Hello"]),
            ("nook tokens NAME TEXT --json", ["tokens", "smollm2", "Hello world", "--ids"]),
        ):
            real = json.loads(nook(*arguments, "--json").out)
            same_keys(shape(examples(heading)[0]), shape(real))
        assert real == examples("nook tokens NAME TEXT --json")[0]
