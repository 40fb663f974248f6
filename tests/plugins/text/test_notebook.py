"""The loader `notebook` on made and odd notebooks."""

from __future__ import annotations

import json

import pytest

from inglenook.errors import LoadError
from inglenook_text.notebook import NotebookLoader


def notebook(*cells):
    return json.dumps({"cells": cells, "nbformat": 4, "metadata": {}})


def markdown(text):
    return {"cell_type": "markdown", "source": text.splitlines(keepends=True)}


def code(source, *outputs):
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def test_cells_are_places_under_the_headings_above_them(load):
    content = notebook(
        markdown("intro"),
        code("x = 1"),
        markdown("# A\ntext\n## B\nmore"),
        code("y"),
        markdown("# C"),
    )
    sections, _ = load(NotebookLoader, "a.ipynb", content)
    assert [(str(s.locator), s.headings, s.text, s.start) for s in sections] == [
        ("cell 1", (), "intro", 0),
        ("cell 2", (), "x = 1", 0),
        ("cell 3", ("A",), "# A\ntext", 0),
        ("cell 3", ("A", "B"), "## B\nmore", 9),
        ("cell 4", ("A", "B"), "y", 0),
        ("cell 5", ("C",), "# C", 0),
    ]


def test_what_the_code_printed_is_read_and_pictures_are_told(load):
    cell = code(
        "plot()",
        {"output_type": "stream", "text": ["one\n", "\x1b[31mtwo\x1b[0m\n"]},
        {"output_type": "display_data", "data": {"image/png": "iVBOR", "text/plain": ["<Figure>"]}},
        {"output_type": "execute_result", "data": {"text/html": "<p>", "text/plain": "   a\n0  1"}},
        {"output_type": "error", "ename": "KeyError", "evalue": "'x'", "traceback": ["\x1b[0;31m"]},
    )
    sections, notices = load(NotebookLoader, "a.ipynb", notebook(cell))
    assert sections[0].text == "plot()\n\none\ntwo\n<Figure>\n   a\n0  1\nKeyError: 'x'"
    assert [notice.message for notice in notices] == ["1 picture(s) in outputs were not read"]


def test_comments_in_code_are_no_headings(load):
    sections, _ = load(NotebookLoader, "a.ipynb", notebook(code("# not a heading\nx"), code("y")))
    assert [section.headings for section in sections] == [(), ()]


def test_a_notebook_of_version_3_is_read(load):
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Old"]},
        {"cell_type": "code", "input": ["x"], "outputs": [{"output_type": "pyout", "text": ["2"]}]},
    ]
    content = json.dumps({"worksheets": [{"cells": cells}], "nbformat": 3})
    sections, _ = load(NotebookLoader, "a.ipynb", content)
    assert [(section.headings, section.text) for section in sections] == [
        (("Old",), "Old"),
        (("Old",), "x\n\n2"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "{", "[]", "{}", '{"cells": 5}', '{"cells": [1, null]}', '{"worksheets": [5]}',
        '{"cells": [{"cell_type": "code", "source": 5, "outputs": 7}]}', "[" * 100_000,
        '{"cells": [{"cell_type": "code", "source": [1], "outputs": [{"data": 3}]}]}',
    ],
)  # fmt: skip
def test_what_is_no_notebook_is_broken(load, content):
    with pytest.raises(LoadError, match=r"a\.ipynb") as caught:
        load(NotebookLoader, "a.ipynb", content)
    assert caught.value.reason == "broken"
