"""The beginning of a prompt that was read once is not read again after a cold start.

One file for both runtimes of llama.cpp: the promise is the same.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from inglenook.types import (
    CancelToken,
    Done,
    GenerateRequest,
    ModelFiles,
    PromptProgress,
    RuntimeOptions,
    TextDelta,
    Usage,
)

RUNTIMES = (
    "inglenook_xllamacpp.runtime:XllamacppRuntime",
    "inglenook_llama_cpp.runtime:LlamaCppRuntime",
)
RULES = "".join(f"Rule {n}: cabinet {n * 7} is closed before {n} o'clock.\n" for n in range(18))


@pytest.fixture(params=RUNTIMES, ids=("xllamacpp", "llama-cpp"))
def cold(request, smollm2: ModelFiles, tmp_path: Path):
    """Starts the runtime anew; whatever was started before is closed."""
    module, _, name = request.param.partition(":")
    runtimes: list = []

    def start(files: ModelFiles = smollm2, **options: object):
        stop()
        given = {"state_folder": tmp_path / "prompts" / "m", "state_bytes": 10**9, **options}
        opened = RuntimeOptions(context_length=1024, threads=1, batch=64, **given)
        runtimes.append(getattr(import_module(module), name)(files, opened))
        runtimes[-1].open()
        return runtimes[-1]

    def stop() -> None:
        while runtimes:
            runtimes.pop().close()

    yield start
    stop()


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[], list[Path]]:
    return lambda: sorted((tmp_path / "prompts" / "m").glob("*"))


def asked(runtime, question: str = "What about rule 7?", **fields: object) -> GenerateRequest:
    fixed = tuple(runtime.tokenize(RULES, special=True))
    tokens = (*fixed, *runtime.tokenize(f"\n{question}\n", special=True))
    stated = {"max_tokens": 12, "parameters": {"temperature": 0.0}, "fixed": len(fixed)}
    return GenerateRequest(tokens=tokens, **{**stated, **fields})


def answer(runtime, request: GenerateRequest) -> tuple[str, Usage]:
    events = list(runtime.generate(request, CancelToken()))
    assert isinstance(events[-1], Done), events[-1]
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    return text, events[-2]


def test_the_second_start_reads_only_the_question_and_says_the_same(cold, kept):
    def said(question: str, **options: object) -> tuple[str, Usage]:
        runtime = cold(**options)
        return answer(runtime, asked(runtime, question))

    assert cold().open().state
    assert not cold(state_folder=None).open().state
    without, _ = said("What about rule 7?", state_folder=None)
    assert [] == kept()
    first, read = said("What about rule 7?")
    assert 0 == read.cached_tokens
    assert 1 == len(kept())
    second, restored = said("What about rule 7?")
    assert without == first == second
    assert restored.prompt_tokens == read.prompt_tokens
    assert 0 < restored.prompt_tokens - restored.cached_tokens < 64 + 15

    without, _ = said("And rule 11?", state_folder=None)
    assert without == said("And rule 11?")[0]


@pytest.mark.parametrize("seed", range(4))
def test_an_answer_hangs_on_nothing_that_was_kept(cold, seed):
    """Beginnings of any length: what is kept ends where a batch ends anyway."""
    rng = random.Random(seed)
    rules = " ".join(rng.choices(RULES.split(), k=rng.randrange(150, 330)))

    def said(state_folder: object) -> str:
        runtime = cold(**({} if state_folder else {"state_folder": None}))
        fixed = tuple(runtime.tokenize(rules, special=True))
        tokens = (*fixed, *runtime.tokenize("\nSo what is closed when?\n", special=True))
        request = GenerateRequest(
            tokens=tokens, max_tokens=24, parameters={"temperature": 0.0}, fixed=len(fixed)
        )
        return answer(runtime, request)[0]

    assert 1 == len({said(False), said(True), said(True)})


def test_after_a_cancel_the_next_question_keeps_it(cold, kept):
    runtime = cold()
    cancel = CancelToken()
    for event in runtime.generate(asked(runtime), cancel):
        if isinstance(event, PromptProgress):
            cancel.cancel()
    assert [] == kept()
    assert answer(runtime, asked(runtime))[0]
    assert 1 == len(kept())


def test_what_the_model_still_holds_is_not_fetched_from_disk(cold, kept):
    runtime = cold()
    request = asked(runtime)
    text, _ = answer(runtime, request)
    for path in kept():
        path.unlink()
    turn = (*request.tokens, *runtime.tokenize(f"{text}\nAnd rule 3?\n", special=True))
    _, usage = answer(runtime, replace(request, tokens=turn))
    assert usage.cached_tokens >= len(request.tokens) - 1
    assert [] == kept()


def test_a_damaged_file_is_made_anew(cold, kept):
    runtime = cold()
    request = asked(runtime)
    text, _ = answer(runtime, request)
    (path,) = kept()
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes((whole[middle] ^ 1,)) + whole[middle + 1 :])
    again, usage = answer(cold(), request)
    assert (text, 0) == (again, usage.cached_tokens)
    (path,) = kept()
    assert whole == path.read_bytes()


def test_a_request_for_an_exact_repeat_reads_everything(cold):
    runtime = cold()
    answer(runtime, asked(runtime))
    runtime = cold()
    _, usage = answer(runtime, asked(runtime, reuse_prefix=False))
    assert not usage.cached_tokens


def test_a_cancel_while_the_beginning_is_read_keeps_nothing(cold, kept):
    runtime = cold()
    cancel = CancelToken()
    events = []
    for event in runtime.generate(asked(runtime), cancel):
        events.append(event)
        if isinstance(event, PromptProgress):
            cancel.cancel()
    assert "cancelled" == events[-1].stop_reason
    assert [] == kept()
    assert answer(runtime, asked(runtime))[0]


def test_a_folder_that_cannot_be_written_costs_nobody_an_answer(cold, tmp_path):
    (tmp_path / "prompts").write_text("a file is in the way")
    runtime = cold()
    assert answer(runtime, asked(runtime))[0]


# --- as people use it -----------------------------------------------------------------------------


@pytest.fixture
def nook(tmp_path: Path, smollm2: ModelFiles):
    """Runs `nook` in a home with the small model."""
    home = tmp_path / "home"
    models = Path(os.environ["INGLENOOK_TEST_MODELS"]) / "data" / "models"
    (home / "data").mkdir(parents=True)
    (home / "data" / "models").symlink_to(models)

    def run(*arguments: str):
        ran = subprocess.run(
            [sys.executable, "-m", "inglenook", *arguments],
            env={**os.environ, "INGLENOOK_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert 0 == ran.returncode, ran.stderr
        return ran

    return run


def test_an_assistant_with_a_long_system_prompt_starts_sooner_the_second_time(nook, tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "Assistantfile").write_text(
        "FROM smollm2:135m\nPARAMETER temperature 0\nPARAMETER num_predict 8\n"
        f'SYSTEM """{RULES}"""\n'
    )

    def usage(question: str) -> dict:
        return json.loads(nook("ask", str(folder), "--json", question).stdout)["usage"]

    assert 0 == usage("What about rule 7?")["cached_tokens"]
    again = usage("And who closes cabinet 21?")
    assert 0 < again["prompt_tokens"] - again["cached_tokens"] < 256

    (tmp_path / "home" / "config").mkdir(exist_ok=True)
    (tmp_path / "home" / "config" / "config.toml").write_text("[models]\nprompt_cache_mb = 0\n")
    assert 0 == usage("What about rule 7?")["cached_tokens"]
