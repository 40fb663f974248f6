"""Assistants of one installation share the models that are loaded."""

from __future__ import annotations

import gc
import time

import psutil
import pytest

from inglenook.assistants.installation import Installation
from inglenook.types import Answered, Failed

PROFILE = """FROM smollm2:135m
PARAMETER temperature 0
PARAMETER num_predict 4
PARAMETER num_thread 1
PARAMETER num_ctx {context}
{more}
"""


@pytest.fixture
def write(tmp_path):
    def write(name, context=512, more=""):
        path = tmp_path / name / "Assistantfile"
        path.parent.mkdir()
        path.write_text(PROFILE.format(context=context, more=more))
        return path

    return write


def workers():
    """The processes below this one that run a model."""
    return {
        child.pid
        for child in psutil.Process().children()
        if "inglenook.processes.worker_main" in child.cmdline()
    }


def end_of(assistant):
    *_, end = assistant.ask_events("Say hello.")
    return end


def test_assistants_on_one_model_load_it_once(assistant_home, write):
    before = workers()
    with Installation.open() as installation:
        names = (write("one"), write("two", more="SYSTEM Be kind."), write("three", context=256))
        opened = [installation.assistant_from_file(path) for path in names]
        for assistant in opened:
            assert isinstance(end_of(assistant), Answered)
        assert 1 == len(workers() - before)
        for assistant in opened:
            assistant.close()
        assert 1 == len(workers() - before)
        with installation.assistant_from_file(names[0]) as again:
            assert isinstance(end_of(again), Answered)
        assert 1 == len(workers() - before)
    assert set() == workers() - before


def test_slots_are_a_matter_of_the_profile_or_the_configuration(assistant_home, write):
    config = assistant_home / "config" / "config.toml"
    config.parent.mkdir()
    config.write_text("[models]\nparallel = 2\n")
    with Installation.open() as installation:
        for path in (write("usual"), write("own", more="RUNTIME xllamacpp slots=3")):
            with installation.assistant_from_file(path) as assistant:
                assistant.open()
        assert [2, 3] == sorted(row.slots for row in installation.models.rows())


def test_a_model_that_never_fits_fails_the_question_with_both_numbers(assistant_home, write):
    config = assistant_home / "config" / "config.toml"
    config.parent.mkdir()
    config.write_text("[models]\nmemory_mb = 50\n")
    with Installation.open() as installation:
        end = end_of(installation.assistant_from_file(write("one")))
    assert isinstance(end, Failed)
    assert "MemoryTooSmallError" == end.error
    assert 50_000_000 == end.details["available"]
    assert end.details["needed"] > 50_000_000


def test_an_installation_that_nobody_closes_leaves_no_process_behind(assistant_home, write):
    before = workers()
    assistant = Installation.open().assistant_from_file(write("one"))
    assert isinstance(end_of(assistant), Answered)
    assert 1 == len(workers() - before)
    assistant.close()
    del assistant
    gc.collect()
    until = time.monotonic() + 5
    while workers() - before:
        assert time.monotonic() < until
        time.sleep(0.05)
