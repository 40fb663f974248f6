"""The rate and the time left that a pull shows."""

from __future__ import annotations

from inglenook.cli.transfer_rate import TransferRate


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def rate_with_clock() -> tuple[TransferRate, Clock]:
    clock = Clock()
    return TransferRate(clock), clock


def test_nothing_is_said_in_the_first_second() -> None:
    rate, clock = rate_with_clock()
    rate.at("a", 0, 100)
    clock.now += 0.5
    assert rate.at("a", 50, 100) == ""


def test_the_rate_and_the_time_left_are_said() -> None:
    rate, clock = rate_with_clock()
    rate.at("a", 0, 1_000_000_000)
    clock.now += 2
    assert rate.at("a", 20_000_000, 1_000_000_000) == "10.0 MB/s, 1:38 left"


def test_what_was_there_before_counts_for_nothing() -> None:
    rate, clock = rate_with_clock()
    rate.at("a", 900_000_000, 1_000_000_000)
    clock.now += 10
    assert rate.at("a", 910_000_000, 1_000_000_000) == "1.0 MB/s, 1:30 left"


def test_the_last_seconds_count() -> None:
    rate, clock = rate_with_clock()
    done = 0
    for step in [10_000_000] * 10 + [50_000] * 20:
        rate.at("a", done, 10**12)
        clock.now += 1
        done += step
    assert rate.at("a", done, 10**12).startswith("50.0 kB/s, ")
    assert ":00:" not in rate.at("a", done, done + 50_000)


def test_another_file_and_a_new_beginning_start_anew() -> None:
    rate, clock = rate_with_clock()
    rate.at("a", 0, 100)
    clock.now += 5
    assert rate.at("b", 50, 100) == ""
    clock.now += 5
    assert rate.at("b", 10, 100) == ""


def test_hours_are_shown_as_hours() -> None:
    rate, clock = rate_with_clock()
    rate.at("a", 0, 10_000_000_000)
    clock.now += 2
    assert rate.at("a", 2_000_000, 7_202_000_000) == "1.0 MB/s, 2:00:00 left"
