"""Models that stay loaded: who shares them, who waits, and which of them go."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psutil
import pytest

from inglenook.errors import (
    Cancelled,
    ContextOverflowError,
    MemoryTooSmallError,
    QueueFullError,
    QueueTimeoutError,
    RuntimeFailure,
)
from inglenook.models.machine import read_machine
from inglenook.models.memory_room import MemoryRoom
from inglenook.models.wanted_model import WantedModel
from inglenook.models.warm_models import WarmModels
from inglenook.settings import WarmSettings
from inglenook.testing.fake_runtime import FAKE_RUNTIME, fake_model
from inglenook.testing.runtime import RuntimeKit
from inglenook.types import (
    CancelToken,
    Done,
    Failed,
    GenerateRequest,
    Queued,
    RuntimeOptions,
    TextDelta,
    Usage,
)

XLLAMACPP = "inglenook_xllamacpp.runtime:XllamacppRuntime"
QUESTION = GenerateRequest(tokens=(4, 5, 6))
MB = 1_000_000


@pytest.fixture
def pool(tmp_path):
    """Makes pools of warm models, and closes them."""
    made = []

    def make(room=None, **settings):
        made.append(WarmModels(WarmSettings(**settings), room=room))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def fake(tmp_path):
    """A model that only pretends, of a name and a size in megabytes."""

    def make(name="fake:1b", context=512, megabytes=0, **script):
        path = tmp_path / name.replace(":", "-")
        path.touch()
        os.truncate(path, megabytes * MB)
        known = fake_model(name, **script)
        files = type(known)(name, "fake", {"model": path}, name, known.details)
        options = RuntimeOptions(context_length=context)
        return WantedModel(FAKE_RUNTIME, files, options, tmp_path / "log", "fake")

    return make


@pytest.fixture
def real(tmp_path):
    """A real model to open with xllamacpp."""

    def make(files, context=512, slots=1, **options):
        chosen = RuntimeOptions(context_length=context, slots=slots, **options)
        return WantedModel(XLLAMACPP, files, chosen, tmp_path / "log", "xllamacpp")

    return make


def answer(runtime, request=QUESTION, cancel=None):
    return list(runtime.generate(request, cancel or CancelToken()))


def text_of(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def in_background(runtime, request=QUESTION, cancel=None):
    """Answers beside the test; the events grow in the list."""
    events = []

    def run():
        try:
            for event in runtime.generate(request, cancel or CancelToken()):
                events.append(event)
        except Exception as error:
            events.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return events, thread


def until(condition, timeout_s=10.0):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.01)


def pids(models):
    return {row.worker_pid for row in models.rows()}


class TestASharedModelIsARuntime(RuntimeKit):
    @pytest.fixture
    def runtime(self, pool, fake):
        return pool().runtime(fake(delay_s=0.001))


# --- sharing ----------------------------------------------------------------------------------


def test_many_assistants_on_one_model_load_it_once(pool, fake):
    models = pool()
    with ThreadPoolExecutor(8) as threads:
        users = [models.runtime(fake(texts=("Yes.",))) for _ in range(8)]
        ends = list(threads.map(lambda user: answer(user)[-1], users))

    assert [Done("stop")] * 8 == ends
    assert 1 == len(models.rows())


def test_another_model_is_another_process(pool, fake):
    models = pool()
    for name in ("one:1b", "two:1b"):
        models.runtime(fake(name)).open()

    assert 2 == len(pids(models))


def test_a_smaller_context_uses_the_open_model_and_keeps_to_its_own_bound(pool, fake):
    models = pool()
    models.runtime(fake(context=512)).open()
    small = models.runtime(fake(context=100))

    assert 100 == small.open().context_length
    assert [512] == [row.context_length for row in models.rows()]
    with pytest.raises(ContextOverflowError) as caught:
        answer(small, GenerateRequest(tokens=(5,) * 100))
    assert (100, 100) == (caught.value.needed, caught.value.available)
    *_, usage, end = answer(small, GenerateRequest(tokens=(5,) * 60))
    assert 40 == usage.completion_tokens
    assert Done("length", context_full=True) == end


def test_a_larger_context_loads_anew_and_the_idle_smaller_one_goes(pool, fake):
    models = pool()
    models.runtime(fake(context=100)).open()
    (before,) = pids(models)

    assert 512 == models.runtime(fake(context=512)).open().context_length
    assert [512] == [row.context_length for row in models.rows()]
    until(lambda: not psutil.pid_exists(before))


def test_a_larger_context_leaves_a_busy_smaller_one_its_answer(pool, fake):
    models = pool()
    events, thread = in_background(models.runtime(fake(texts=("word " * 20,), delay_s=0.05)))
    until(lambda: events)
    models.runtime(fake(texts=("word " * 20,), delay_s=0.05, context=1024)).open()
    assert {"leaving", "ready"} == {row.state for row in models.rows()}
    thread.join(10)
    assert Done("stop") == events[-1]
    assert [1024] == [row.context_length for row in models.rows()]


# --- staying and going ------------------------------------------------------------------------


def test_a_model_goes_when_its_time_is_over_and_comes_again(pool, fake):
    models = pool(keep_alive_s=0.6)
    runtime = models.runtime(fake(texts=("Yes.",)))
    answer(runtime)
    (first,) = pids(models)
    until(lambda: not models.rows(), 3)
    until(lambda: not psutil.pid_exists(first), 3)

    assert Done("stop") == answer(runtime)[-1]
    assert {first} != pids(models)


def test_zero_lets_it_go_at_once_but_not_within_a_question(pool, fake):
    models = pool(keep_alive_s=0.0)
    runtime = models.runtime(fake(texts=("Yes.",)))
    runtime.open()
    (first,) = pids(models)
    runtime.tokenize("How?", special=False)
    answer(runtime)
    assert {first} == pids(models)
    until(lambda: not models.rows(), 2)


def test_below_zero_keeps_it_for_ever(pool, fake):
    models = pool(keep_alive_s=-1.0)
    answer(models.runtime(fake()))
    (row,) = models.rows()
    assert row.kept_s is None


def test_a_model_in_use_does_not_go(pool, fake):
    models = pool(keep_alive_s=0.1)
    events = answer(models.runtime(fake(texts=("word " * 20,), delay_s=0.1)))
    assert Done("stop") == events[-1]


def test_the_model_that_was_used_least_recently_makes_room(pool, fake):
    models = pool(memory_bytes=300 * MB)
    one, two = fake("one:1b", megabytes=120), fake("two:1b", megabytes=120)
    answer(models.runtime(one))
    answer(models.runtime(two))
    answer(models.runtime(one))
    answer(models.runtime(fake("three:1b", megabytes=120)))

    assert ["one:1b", "three:1b"] == [row.model for row in models.rows()]


def test_no_more_models_are_loaded_than_may_be(pool, fake):
    models = pool(max_loaded=2)
    for name in ("one:1b", "two:1b", "three:1b"):
        models.runtime(fake(name)).open()
    assert ["two:1b", "three:1b"] == [row.model for row in models.rows()]


def test_a_request_waits_visibly_until_a_busy_model_can_go(pool, fake):
    models = pool(memory_bytes=150 * MB)
    slow = models.runtime(fake("slow:1b", megabytes=120, texts=("word " * 10,), delay_s=0.05))
    events, thread = in_background(slow)
    until(lambda: events)
    other = answer(models.runtime(fake("other:1b", megabytes=120, texts=("Yes.",))))

    assert Queued(1, "memory") == other[0]
    assert Done("stop") == other[-1]
    thread.join(10)
    assert Done("stop") == events[-1]
    assert ["other:1b"] == [row.model for row in models.rows()]


def test_requests_for_a_busy_model_do_not_starve_who_waits_for_its_memory(pool, fake):
    models = pool(memory_bytes=150 * MB)
    slow = fake("slow:1b", megabytes=120, texts=("word " * 5,), delay_s=0.05)
    answer(models.runtime(slow))
    stop = threading.Event()

    def ask_for_ever():
        while not stop.is_set():
            answer(models.runtime(slow))

    busy = [threading.Thread(target=ask_for_ever, daemon=True) for _ in range(3)]
    for thread in busy:
        thread.start()
    began = time.monotonic()
    end = answer(models.runtime(fake("other:1b", megabytes=120, texts=("Yes.",))))[-1]
    took_s = time.monotonic() - began
    stop.set()
    for thread in busy:
        thread.join(20)

    assert Done("stop") == end
    assert took_s < 5


def test_a_model_that_never_fits_is_refused_with_both_numbers(pool, fake):
    models = pool(memory_bytes=100 * MB)
    with pytest.raises(MemoryTooSmallError, match="needs 120 MB of memory; models may take 100 MB"):
        models.runtime(fake(megabytes=120)).open()
    assert [] == models.rows()


def test_without_a_stated_bound_the_machines_own_memory_counts(pool, fake):
    small = dataclasses.replace(read_machine(), memory_bytes=100 * MB)
    models = pool(MemoryRoom(0, lambda: small))
    with pytest.raises(MemoryTooSmallError, match="this machine has 100 MB"):
        models.runtime(fake(megabytes=120)).open()


# --- the line ---------------------------------------------------------------------------------


def test_requests_beyond_the_slots_stand_in_line_and_hear_their_place(pool, fake):
    models = pool()
    wanted = fake(texts=("word " * 8,), delay_s=0.03)
    models.runtime(wanted).open()
    running = []

    def there_are(how_many):
        (row,) = models.rows()
        return row.busy + row.waiting == how_many

    for number in range(4):
        running.append(in_background(models.runtime(wanted)))
        until(partial(there_are, number + 1))
    places = []
    for events, thread in running:
        thread.join(20)
        assert Done("stop") == events[-1]
        places.append([event.position for event in events if isinstance(event, Queued)])

    assert [[], [1], [2, 1], [3, 2, 1]] == places


def test_who_gives_up_leaves_the_line_at_once(pool, fake):
    models = pool()
    wanted = fake(texts=("word " * 40,), delay_s=0.05)
    first, _ = in_background(models.runtime(wanted))
    until(lambda: first)
    cancel = CancelToken()
    waiting, thread = in_background(models.runtime(wanted), cancel=cancel)
    until(lambda: waiting)
    began = time.monotonic()
    cancel.cancel()
    thread.join(5)

    assert [Queued(1), Usage(), Done("cancelled")] == waiting
    assert time.monotonic() - began < 0.5
    assert 0 == models.rows()[0].waiting


def test_a_line_that_is_full_refuses(pool, fake):
    models = pool(max_queue=1)
    wanted = fake(texts=("word " * 40,), delay_s=0.05)
    first, _ = in_background(models.runtime(wanted))
    until(lambda: first)
    second, _ = in_background(models.runtime(wanted))
    until(lambda: second)
    with pytest.raises(QueueFullError, match="1 requests wait already"):
        answer(models.runtime(wanted))


def test_nobody_waits_for_longer_than_is_allowed(pool, fake):
    models = pool(queue_timeout_s=0.3)
    wanted = fake(texts=("word " * 40,), delay_s=0.05)
    first, _ = in_background(models.runtime(wanted))
    until(lambda: first)
    with pytest.raises(QueueTimeoutError, match=r"busy for 0\.3 s"):
        answer(models.runtime(wanted))


# --- what goes wrong --------------------------------------------------------------------------


def test_everyone_hears_why_a_model_cannot_be_loaded(pool, fake):
    models = pool()
    wanted = fake(open_error="ModelBrokenError", open_delay_s=0.1)
    ended = [in_background(models.runtime(wanted)) for _ in range(3)]
    for events, thread in ended:
        thread.join(20)
        assert "fake:1b cannot be opened." == events[-1].message
    assert [] == models.rows()


def test_closing_a_user_ends_its_answer_and_leaves_the_model_to_the_others(pool, fake):
    models = pool()
    wanted = fake(texts=("word " * 200,), delay_s=0.02)
    leaving, staying = models.runtime(wanted), models.runtime(wanted)
    events, thread = in_background(leaving)
    until(lambda: events)
    leaving.close()
    thread.join(5)

    assert Done("cancelled") == events[-1]
    assert 512 == staying.open().context_length
    assert 1 == len(models.rows())


def test_a_cancel_ends_the_loading_that_nobody_else_waits_for(pool, fake):
    models = pool()
    runtime = models.runtime(fake(open_delay_s=30.0))
    cancel = CancelToken()
    threading.Timer(0.5, cancel.cancel).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        list(runtime.opening(cancel))
    assert time.monotonic() - began < 3
    assert [] == models.rows()


def test_closing_ends_every_process(pool, fake):
    models = pool()
    for name in ("one:1b", "two:1b"):
        models.runtime(fake(name)).open()
    running = pids(models)
    models.close()
    assert not [pid for pid in running if psutil.pid_exists(pid)]
    with pytest.raises(RuntimeFailure, match="was closed"):
        models.runtime(fake("one:1b")).open()


def test_a_model_that_is_stopped_by_force_says_so_to_who_was_answered(pool, fake):
    models = pool()
    runtime = models.runtime(fake(texts=("word " * 100,), delay_s=0.05))
    events, thread = in_background(runtime)
    until(lambda: events)
    (row,) = models.stop("fake:1b", force=True)
    thread.join(5)

    assert 1 == row.busy
    assert isinstance(events[-1], Failed)
    assert "fake:1b was stopped by `nook stop`." == events[-1].message
    assert [] == models.rows()


def test_a_model_that_is_stopped_finishes_its_answers_first(pool, fake):
    models = pool()
    runtime = models.runtime(fake(texts=("word " * 10,), delay_s=0.05))
    events, thread = in_background(runtime)
    until(lambda: events)
    (row,) = models.stop(None)
    assert ("leaving", 1) == (row.state, row.busy)
    thread.join(5)
    assert Done("stop") == events[-1]
    until(lambda: not models.rows())


# --- real models ------------------------------------------------------------------------------


def prompt(runtime, text):
    said = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    return tuple(runtime.tokenize(said, special=True))


def greedy(tokens, most=16, **more):
    return GenerateRequest(tokens=tokens, parameters={"temperature": 0.0}, max_tokens=most, **more)


def test_a_smaller_model_makes_room_for_another_real_one(pool, real, smollm2, qwen):
    models = pool(memory_bytes=600 * MB)
    small, large = models.runtime(real(smollm2)), models.runtime(real(qwen))
    answer(small, greedy(prompt(small, "Hello."), 2))
    (before,) = pids(models)
    answer(large, greedy(prompt(large, "Hello."), 2))

    assert [qwen.reference] == [row.model for row in models.rows()]
    assert not psutil.pid_exists(before)


def test_a_second_turn_reads_only_what_is_new(pool, real, smollm2):
    runtime = pool().runtime(real(smollm2, context=1024))
    first = prompt(runtime, "Tell me about the sea and the ships that sail on it. " * 8)
    answer(runtime, greedy(first, 4))
    second = (*first, *prompt(runtime, "And the wind?"))
    usage = next(e for e in answer(runtime, greedy(second, 4)) if isinstance(e, Usage))

    assert usage.cached_tokens >= len(first) - 1
    assert usage.prompt_tokens - usage.cached_tokens <= len(second) - len(first) + 4


def test_a_process_that_is_killed_fails_each_answer_by_itself_and_the_next_works(
    pool, real, smollm2
):
    models = pool()
    runtime = models.runtime(real(smollm2, slots=3))
    asked = greedy(prompt(runtime, "Write a long story about a house by the sea."), 400)
    running = [in_background(runtime, asked) for _ in range(3)]
    until(lambda: all(events for events, _ in running), 60)
    (pid,) = pids(models)
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    for events, thread in running:
        thread.join(5)
        assert isinstance(events[-1], Failed)
        assert "SIGKILL" in events[-1].message
    assert time.monotonic() - began < 1
    assert isinstance(answer(runtime, greedy(asked.tokens, 4))[-1], Done)


def requests_with_marks(runtime, how_many):
    """Prompts to repeat a number: the answer carries the mark of its own prompt."""
    draw = random.Random(7)
    for number in range(how_many):
        mark = str(1000 + number)
        text = f"{mark} {mark} {mark} {mark} {mark} {mark}"
        tokens = tuple(runtime.tokenize(text, special=False))
        yield mark, greedy(tokens, draw.choice((6, 12, 18))), draw.random()


def mixed_load(runtime, how_many):
    """Ask in parallel, cancel some at random; what was said, with the marks, and the ends."""
    asked = list(requests_with_marks(runtime, how_many))

    def ask(one):
        mark, request, luck = one
        cancel = CancelToken()
        timer = threading.Timer(luck * 2, cancel.cancel)
        if luck < 0.3:
            timer.start()
        events = answer(runtime, request, cancel)
        timer.cancel()
        return mark, text_of(events), events[-1]

    with ThreadPoolExecutor(64) as threads:
        return list(threads.map(ask, asked))


def check_mixed(runtime, outcome):
    """Every request ended well, and says its own number, or what it says when it is alone."""
    how_many = len(outcome)
    alone = {mark: request for mark, request, _ in requests_with_marks(runtime, how_many)}
    for mark, said, end in outcome:
        assert isinstance(end, Done), end
        # The text goes on with the number, however its tokens are cut and the floats rounded.
        digits = said.replace(" ", "")[: len(mark)]
        if not mark.startswith(digits):
            said_alone = text_of(answer(runtime, alone[mark]))
            assert said_alone.startswith(said), (mark, said)
        assert len(digits) == len(mark) or end.stop_reason == "cancelled", (mark, said)
    assert sum(end.stop_reason != "cancelled" for _, _, end in outcome) > how_many // 2


def test_mixed_requests_on_four_slots_are_not_mixed_up(pool, real, smollm2):
    runtime = pool().runtime(real(smollm2, context=256, slots=4, threads=1))
    runtime.open()
    check_mixed(runtime, mixed_load(runtime, 60))


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_five_hundred_mixed_requests_on_four_slots_are_not_mixed_up(pool, real, smollm2):
    runtime = pool().runtime(real(smollm2, context=256, slots=4, threads=1))
    runtime.open()
    check_mixed(runtime, mixed_load(runtime, 500))
