"""Tables and wrapped lines: nothing is lost, no word is broken, no line is wider than it may be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from inglenook.cli.columns import table_with_remarks, wrapped

WORD = st.text(st.sampled_from("abcdefgשלום汉字é./"), min_size=1, max_size=25)
TEXT = st.lists(WORD, max_size=30).map(" ".join)


@given(TEXT, st.integers(20, 120), st.integers(0, 10))
def test_wrapped_text_has_all_words_and_lines_that_fit(text, width, indent):
    lines = wrapped(text, width, " " * indent, "").splitlines()
    assert " ".join(lines).split() == text.split()
    for line in lines:
        assert cell_len(line) <= width or len(line.split()) == 1


@given(st.lists(st.tuples(WORD, TEXT), min_size=1, max_size=8), st.integers(20, 200))
def test_a_table_with_remarks_loses_nothing_at_any_width(rows, width):
    given_rows = [(("failed", name, "3"), remark) for name, remark in rows]
    shown = table_with_remarks(("OUTCOME", "SOURCE", "CHUNKS"), given_rows, width)
    wanted = ["OUTCOME", "SOURCE", "CHUNKS"]
    for name, remark in rows:
        wanted += ["failed", name, "3", *remark.split()]
    assert shown.split() == wanted


@given(st.lists(st.tuples(WORD, TEXT), min_size=1, max_size=8))
def test_for_a_program_each_row_is_one_line(rows):
    given_rows = [(("failed", name), remark) for name, remark in rows]
    assert len(table_with_remarks(("OUTCOME", "SOURCE"), given_rows, None).splitlines()) == (
        len(rows) + 1
    )


def test_one_very_long_name_does_not_push_the_others_apart():
    rows = [(("added", "short.txt", "1"), ""), (("added", "x" * 300, "1"), "")]
    first = table_with_remarks(("OUTCOME", "SOURCE", "CHUNKS"), rows, 80).splitlines()[1]
    assert len(first) <= 80
