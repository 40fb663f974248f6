"""How long models stay loaded, as the configuration and Ollama's variables say it."""

from __future__ import annotations

import pytest

from inglenook.configuration import load_settings
from inglenook.configuration_warm import duration_s
from inglenook.errors import UserError
from inglenook.settings import WarmSettings


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("5m", 300),
        ("1h30m", 5400),
        ("90s", 90),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("300", 300),
        (300, 300),
        (0, 0),
        ("0", 0),
        (-1, -1),
        ("-5m", -1),
        (" 10s ", 10),
    ],
)
def test_a_duration_is_what_ollama_takes_it_for(said, seconds):
    assert seconds == duration_s(said)


@pytest.mark.parametrize("said", ["", "soon", "5 m", "5x", "m", True, None, [], float("inf")])
def test_what_is_no_duration_is_refused(said):
    with pytest.raises(ValueError, match="no duration"):
        duration_s(said)


def settings(tmp_path, text="", **environment):
    (tmp_path / "config").mkdir(exist_ok=True)
    (tmp_path / "config" / "config.toml").write_text(f"[models]\n{text}")
    return load_settings(environment, home=tmp_path).warm


def test_nothing_said_is_the_usual(tmp_path):
    assert WarmSettings() == settings(tmp_path)


def test_the_file_is_read(tmp_path):
    said = 'keep_alive = "1h"\nmemory_mb = 600\nmax_loaded = 2\nparallel = 4\n'
    more = 'max_queue = 8\nqueue_timeout_s = "2m"\n'
    assert WarmSettings(3600, 600_000_000, 2, 4, 8, 120) == settings(tmp_path, said + more)


def test_ollamas_variables_hold_where_the_file_is_silent(tmp_path):
    theirs = {
        "OLLAMA_KEEP_ALIVE": "-1",
        "OLLAMA_MAX_LOADED_MODELS": "7",
        "OLLAMA_NUM_PARALLEL": "3",
        "OLLAMA_MAX_QUEUE": "9",
    }
    assert WarmSettings(-1, 0, 7, 2, 9) == settings(tmp_path, "parallel = 2\n", **theirs)


def test_a_variable_that_means_nothing_is_passed_over_as_by_ollama(tmp_path):
    assert WarmSettings() == settings(tmp_path, OLLAMA_KEEP_ALIVE="soon", OLLAMA_MAX_QUEUE="-1")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('keep_alive = "soon"', "'models.keep_alive' is no duration: 'soon'"),
        ("keep_alive = true", "'models.keep_alive' is no duration: True"),
        ("memory_mb = -1", "'models.memory_mb' must be a whole number, 0 or more"),
        ('parallel = "many"', "'models.parallel' must be a whole number, 0 or more"),
        ("keep_alife = 5", "'models' has no key 'keep_alife'"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path, line, said):
    with pytest.raises(UserError) as caught:
        settings(tmp_path, line)
    assert said in caught.value.message
    assert "config.toml" in caught.value.message
    assert caught.value.hint
