"""Spans are a set of bytes, and a journal survives what a disk can do to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from inglenook_http_sources.spans import Spans
from inglenook_http_sources.unfinished import Identity, Unfinished

SPAN = some.tuples(some.integers(0, 60), some.integers(0, 60)).map(lambda s: (min(s), max(s)))


@given(some.lists(SPAN, max_size=30), some.integers(0, 70))
def test_spans_are_the_set_of_their_bytes(spans: list[tuple[int, int]], size: int) -> None:
    there = {byte for begin, end in spans for byte in range(begin, end)}
    found = Spans(spans)
    assert {byte for begin, end in found.all for byte in range(begin, end)} == there
    assert found.total == len(there)
    gaps = {byte for begin, end in found.missing(size) for byte in range(begin, end)}
    assert gaps == set(range(size)) - there
    assert all(a[1] < b[0] for a, b in zip(found.all, found.all[1:], strict=False))


@pytest.mark.parametrize("span", [(-1, 2), (3, 2)])
def test_what_is_no_span_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no span"):
        Spans([span])


def unfinished(folder: Path) -> tuple[Unfinished, Identity]:
    identity = Identity("https://host/m", 100, '"tag"')
    file = Unfinished(folder / "resume-x")
    file.begin(identity)
    file.spans.add(0, 40)
    file.save(identity)
    return file, identity


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    _, identity = unfinished(tmp_path)
    again = Unfinished(tmp_path / "resume-x")
    assert again.read() == identity
    assert again.spans.all == ((0, 40),)


@pytest.mark.parametrize(
    "journal",
    ["", "{", "[]", "null", '{"of": 1}', '{"of": {}, "there": []}', "[" * 99_999]
    + [
        f'{{"of": {{"address": "a", "size_bytes": 100}}, "there": {there}}}'
        for there in ("[[0, 101]]", "[[5, 1]]", "[[1]]", '["ab"]', "[[-1, 4]]", "7")
    ],
)
def test_a_journal_that_is_not_one_is_not_believed(tmp_path: Path, journal: str) -> None:
    unfinished(tmp_path)
    (tmp_path / "resume-x.json").write_text(journal)
    again = Unfinished(tmp_path / "resume-x")
    assert again.read() is None
    assert again.spans.total == 0


def test_bytes_of_another_length_are_not_believed(tmp_path: Path) -> None:
    unfinished(tmp_path)
    (tmp_path / "resume-x.bytes").write_bytes(b"short")
    assert Unfinished(tmp_path / "resume-x").read() is None


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Identity("https://host/m", 100, '"tag"'), True),
        (Identity("https://host/m", 101, '"tag"'), False),
        (Identity("https://host/m", 100, '"gat"'), False),
        (Identity("https://host/m", 100, "", "yesterday"), False),
        (Identity("https://else/m", 100, '"tag"'), False),
    ],
)
def test_files_are_told_apart(other: Identity, same: bool) -> None:
    assert Identity("https://host/m", 100, '"tag"').is_same_as(other) is same


def test_two_files_without_any_mark_are_not_called_the_same() -> None:
    assert not Identity("https://host/m", 100).is_same_as(Identity("https://host/m", 100))
