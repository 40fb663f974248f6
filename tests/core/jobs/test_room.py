"""The room of jobs: order, limits, steering, and what every observer gets."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inglenook.errors import Cancelled, StoreError, UnknownNameError, UserError
from inglenook.jobs import JobRoom
from inglenook.types import CancelToken

SOON_S = 20.0


class Steps:
    """Work that yields numbers when it is let, and knows how far it is."""

    def __init__(self, count: int = 3) -> None:
        self.count = count
        self.go = threading.Semaphore(0)
        self.begun = threading.Event()
        self.done = 0

    def __call__(self, cancel: CancelToken) -> Iterator[int]:
        self.begun.set()
        for number in range(self.count):
            while not self.go.acquire(timeout=0.01):
                if cancel.cancelled:
                    return
            self.done += 1
            yield number

    def release(self, count: int = 1000) -> None:
        self.go.release(count)


def until(condition, what: str = "it") -> None:
    end = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.005)


@pytest.fixture
def room():
    with JobRoom(at_once=2) as made:
        yield made


def test_a_job_runs_at_once_and_says_when_and_how_it_ended(room):
    before = time.time()
    job = room.start("count", lambda _cancel: iter([1, 2, 3]))
    assert job.wait(SOON_S)
    assert (job.state, job.latest, job.error) == ("done", 3, None)
    assert before <= job.queued_at <= job.started_at <= job.ended_at <= time.time()
    assert room.jobs() == (job,)
    assert room.job(job.id) is job
    job.check()


def test_only_so_many_run_at_once_and_the_others_begin_in_order(room):
    works = [Steps(1) for _ in range(5)]
    jobs = [room.start(str(n), work) for n, work in enumerate(works)]
    for index in range(2):
        assert works[index].begun.wait(SOON_S)
    time.sleep(0.05)
    assert ["running", "running", "queued", "queued", "queued"] == [job.state for job in jobs]
    for index in range(3):
        works[index].release()
        assert jobs[index].wait(SOON_S)
        assert works[index + 2].begun.wait(SOON_S)
        assert [w.begun.is_set() for w in works] == [n <= index + 2 for n in range(5)]
    for work in works:
        work.release()
    assert all(job.wait(SOON_S) for job in jobs)


def test_of_one_key_only_one_job_is_under_way(room):
    work = Steps(1)
    first = room.start("Reading the documents of office", work, key="office")
    with pytest.raises(UserError, match="Reading the documents of office is under way already"):
        room.start("Reading the documents of office", work, key="office")
    assert room.under_way("office") is first
    other = room.start("another", lambda _cancel: iter(()), key="garden")
    assert other.wait(SOON_S)
    work.release()
    assert first.wait(SOON_S)
    assert room.under_way("office") is None
    assert room.start("again", lambda _cancel: iter(()), key="office").wait(SOON_S)


def test_what_the_work_raised_is_kept_and_raised_to_who_asks(room):
    error = StoreError("The disk is full.", hint="Free some space.")

    def work(_cancel):
        yield "a"
        raise error

    job = room.start("write", work)
    assert ["a"] == list(job.observe())
    assert (job.state, job.error) == ("failed", error)
    with pytest.raises(StoreError, match="The disk is full") as raised:
        job.check()
    assert raised.value is error


@pytest.mark.parametrize("error", [ZeroDivisionError(), SystemExit(3), KeyboardInterrupt()])
def test_a_bug_or_an_exit_in_the_work_ends_that_job_only(room, error):
    def work(_cancel):
        raise error

    job = room.start("break", work)
    assert job.wait(SOON_S)
    assert (job.state, job.error) == ("failed", error)
    assert room.start("next", lambda _cancel: iter("x")).wait(SOON_S)


def test_a_pause_holds_the_work_between_two_events_until_it_is_resumed(room):
    work = Steps(3)
    work.release()
    seen = []

    def pausing(cancel):
        for number in work(cancel):
            seen.append(number)
            if number == 0:
                job_ready.wait(SOON_S)
                room.pause(started[0].id)
            yield number

    job_ready, started = threading.Event(), []
    started.append(room.start("count", pausing))
    job_ready.set()
    job = started[0]
    until(lambda: job.state == "paused", "the pause")
    time.sleep(0.1)
    assert seen == [0]
    assert not room.wait(job.id, 0.01)
    room.resume(job.id)
    assert room.wait(job.id, SOON_S)
    assert (job.state, seen) == ("done", [0, 1, 2])


def test_a_paused_job_that_has_not_begun_lets_others_pass_and_keeps_its_place():
    with JobRoom(at_once=1) as room:
        blocker, order = Steps(1), []
        first = room.start("first", blocker)

        def noting(name):
            def work(_cancel):
                order.append(name)
                yield name

            return work

        held = room.start("held", noting("held"))
        held.pause()
        other = room.start("other", noting("other"))
        last = room.start("last", noting("last"))
        blocker.release()
        assert first.wait(SOON_S)
        assert other.wait(SOON_S)
        assert last.wait(SOON_S)
        assert (held.state, order) == ("paused", ["other", "last"])
        held.resume()
        assert held.wait(SOON_S)
        assert order == ["other", "last", "held"]


def test_a_cancelled_job_winds_down_and_one_that_waits_never_begins():
    with JobRoom(at_once=1) as room:
        running, waiting = Steps(), Steps()
        first, second = room.start("a", running), room.start("b", waiting)
        assert running.begun.wait(SOON_S)
        room.cancel(second.id)
        assert (second.state, second.started_at) == ("cancelled", None)
        assert list(second.observe()) == []
        room.cancel(first.id)
        assert first.wait(SOON_S)
        assert (first.state, first.error) == ("cancelled", None)
    assert not waiting.begun.is_set()


def test_a_cancel_wakes_a_paused_job(room):
    work = Steps(5)
    job = room.start("count", work)
    job.pause()
    work.release()
    job.cancel()
    assert job.wait(SOON_S)
    assert job.state == "cancelled"


def test_work_that_raises_cancelled_is_cancelled(room):
    def work(_cancel):
        yield 1
        raise Cancelled

    job = room.start("stop", work)
    assert job.wait(SOON_S)
    assert (job.state, job.error) == ("cancelled", None)


def test_closing_the_room_cancels_all_and_waits_for_them():
    room = JobRoom(at_once=2)
    works = [Steps() for _ in range(4)]
    jobs = [room.start(str(n), work) for n, work in enumerate(works)]
    jobs[1].pause()
    assert works[0].begun.wait(SOON_S)
    assert room.close(SOON_S)
    assert {job.state for job in jobs} == {"cancelled"}
    assert not any(t.name.startswith("inglenook-job-") for t in threading.enumerate())
    with pytest.raises(UserError, match="the program is ending"):
        room.start("late", Steps())


def test_closing_does_not_wait_longer_than_it_may_for_work_that_does_not_stop():
    stubborn, room = threading.Event(), JobRoom()

    def work(_cancel):
        stubborn.wait(SOON_S)
        yield 1

    job = room.start("stubborn", work)
    until(lambda: job.state == "running")
    assert not room.close(0.1)
    stubborn.set()
    assert job.wait(SOON_S)


def test_the_generator_of_the_work_is_closed_when_it_ends_early(room):
    closed = threading.Event()

    class Broken:
        def __iter__(self):
            return self

        def __next__(self):
            raise ValueError

        def close(self):
            closed.set()

    assert room.start("broken", lambda _cancel: Broken()).wait(SOON_S)
    assert closed.is_set()


def test_an_unknown_id_is_an_error(room):
    for act in (room.job, room.cancel, room.pause, room.resume, room.wait):
        with pytest.raises(UnknownNameError, match="There is no job 'x'"):
            act("x")


def test_jobs_that_ended_long_ago_are_forgotten():
    with JobRoom(at_once=1, remembered=3) as room:
        jobs = [room.start(str(n), lambda _cancel: iter(())) for n in range(10)]
        assert all(job.wait(SOON_S) for job in jobs)
        until(lambda: len(room.jobs()) == 3, "the room to forget")
        assert room.jobs() == tuple(jobs[-3:])


# --- observers ------------------------------------------------------------------------------------


class Progress(int):
    """An event of which only the newest matters."""


def test_an_observer_from_now_gets_only_what_comes(room):
    work = Steps(4)
    work.release(2)
    job = room.start("count", work)
    until(lambda: job.latest == 1)
    late, early = job.observe(from_start=False), job.observe()
    work.release()
    assert list(late) == [2, 3]
    assert list(early) == [0, 1, 2, 3]


def test_an_observer_that_comes_after_the_end_gets_every_result_and_the_newest_progress(room):
    def work(_cancel):
        for number in range(5000):
            yield Progress(number)
            if number % 50 == 0:
                yield f"result {number}"
        yield "report"

    job = room.start("long", work, passing=(Progress,))
    assert job.wait(SOON_S)
    seen = list(job.observe())
    results = [event for event in seen if isinstance(event, str)]
    assert results == [*(f"result {n}" for n in range(0, 5000, 50)), "report"]
    progress = [event for event in seen if isinstance(event, Progress)]
    assert progress == list(range(4936, 5000))
    assert seen[-2:] == [4999, "report"]


def test_a_slow_observer_does_not_hold_the_work_up_and_loses_no_result(room):
    def work(_cancel):
        for number in range(20_000):
            yield Progress(number)
        yield "result"
        for number in range(20_000):
            yield Progress(number)
        yield "report"

    job = room.start("long", work, passing=(Progress,))
    slow = job.observe()
    first = next(slow)
    assert job.wait(SOON_S), "the work waited for its observer"
    rest = list(slow)
    assert isinstance(first, Progress)
    assert [event for event in rest if isinstance(event, str)] == ["result", "report"]
    assert len(rest) < 600


def test_memory_of_progress_is_bounded(room):
    import tracemalloc

    def work(_cancel):
        for number in range(200_000):
            yield Progress(number + 10**9)

    tracemalloc.start()
    job = room.start("long", work, passing=(Progress,))
    assert job.wait(60)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000, f"{kept} bytes kept, {peak} at most"


events = st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=600)


@settings(deadline=None, max_examples=25)
@given(events=events, observers=st.integers(1, 6), seed=st.integers())
def test_every_observer_gets_every_result_in_order_whatever_its_pace(events, observers, seed):
    made = [
        Progress(1000 * number + value) if passing else 1000 * number + value
        for number, (passing, value) in enumerate(events)
    ]
    kept = [event for event in made if not isinstance(event, Progress)]

    def work(_cancel):
        chance = random.Random(seed)
        for event in made:
            if chance.random() < 0.02:
                time.sleep(0.0005)
            yield event

    def observe(number: int) -> None:
        chance = random.Random(seed + number)
        for event in job.observe():
            seen[number].append(event)
            if chance.random() < 0.02:
                time.sleep(0.0005)

    seen: list[list[int]] = [[] for _ in range(observers)]
    with JobRoom() as room:
        job = room.start("mixed", work, passing=(Progress,))
        threads = [threading.Thread(target=observe, args=(n,)) for n in range(observers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SOON_S)
    for one in seen:
        assert [event for event in one if not isinstance(event, Progress)] == kept
        assert one == sorted(one), "out of order or twice"
        assert set(one) <= set(made)
        # The newest progress is never lost: whoever looks last sees how far it came.
        assert one[-1:] == made[-1:]


class Counted:
    """Work of a few steps that counts how often it runs at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.running = self.most = 0

    def __call__(self, cancel: CancelToken) -> Iterator[int]:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            for number in range(5):
                if cancel.wait(0.0005):
                    return
                yield number
        finally:
            with self._lock:
                self.running -= 1


def steer(room: JobRoom, chance: random.Random) -> None:
    """Pause, resume and cancel at random."""
    for _ in range(30):
        jobs = room.jobs()
        if jobs:
            job = chance.choice(jobs)
            chance.choice((job.pause, job.resume, job.resume, job.cancel))()
        time.sleep(chance.random() * 0.001)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(), count=st.integers(1, 25), at_once=st.integers(1, 4))
def test_any_storm_of_starts_pauses_and_cancels_ends_with_every_job_ended(seed, count, at_once):
    work, room = Counted(), JobRoom(at_once=at_once, remembered=count)
    storm = [threading.Thread(target=steer, args=(room, random.Random(seed + n))) for n in range(3)]
    for thread in storm:
        thread.start()
    jobs = [room.start(str(number), work) for number in range(count)]
    for thread in storm:
        thread.join(SOON_S)
    for job in jobs:
        job.resume()
    assert all(job.wait(SOON_S) for job in jobs), [job.state for job in jobs]
    assert room.close(SOON_S)
    assert {job.state for job in jobs} <= {"done", "cancelled"}
    assert all(list(job.observe()) == [0, 1, 2, 3, 4] for job in jobs if job.state == "done")
    assert (work.most <= at_once, work.running) == (True, 0)


def test_the_same_key_from_many_threads_at_once_gives_one_job(room):
    gate, refused, started = threading.Barrier(8), [], []
    work = Steps(1)

    def begin() -> None:
        gate.wait(SOON_S)
        try:
            started.append(room.start("same", work, key="same"))
        except UserError as error:
            refused.append(error)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON_S)
    work.release()
    assert (len(started), len(refused)) == (1, 7)
