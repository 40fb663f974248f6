"""The loader `rst` on made, odd and hostile files."""

from __future__ import annotations

import pytest

from inglenook_text.rst import RstLoader


def test_titles_have_the_levels_that_the_file_gives_them_first(load):
    content = (
        "====\nMain\n====\n\ntext\n\nA ``b`` :ref:`c <d>`\n=====================\n\none\n\n"
        "B\n-\n\ntwo\n\nC\n=\n\nthree\n\n=====\nOther\n=====\nend\n"
    )
    sections, _ = load(RstLoader, "a.rst", content)
    assert [(section.headings, section.locator.value) for section in sections] == [
        (("Main",), 1),
        (("Main", "A b c"), 7),
        (("Main", "A b c", "B"), 12),
        (("Main", "C"), 17),
        (("Other",), 22),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "text\n\n----\n\ntext",
        "text\nmore\n====\n",
        "long title line\n==\n",
        "::\n\n    Title\n    =====\n",
        "====  ====\na     b\n====  ====\n1     2\n====  ====\n",
        "- item\n\n.. note::\n\n   text",
    ],
)
def test_what_only_looks_like_a_title_is_none(load, content):
    sections, _ = load(RstLoader, "a.rst", content)
    assert [section.headings for section in sections] == [()]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["=\n", "a\n=\n\n", "=" * 1000 + "\n", ":" * 100, "`<"])
def test_hostile_rst_takes_little_time(load, piece):
    sections, _ = load(RstLoader, "a.rst", "text\n\n" + piece * 20_000)
    assert sections[0].text.startswith("text")
