"""Each loader of `inglenook_text` passes the conformance kit."""

from __future__ import annotations

import pytest

from inglenook.testing.loader import LoaderKit
from inglenook_text.code import CodeLoader
from inglenook_text.epub import EpubLoader
from inglenook_text.html import HtmlLoader
from inglenook_text.markdown import MarkdownLoader
from inglenook_text.notebook import NotebookLoader
from inglenook_text.plain import TextLoader
from inglenook_text.rst import RstLoader
from inglenook_text.subtitles import SubtitleLoader
from inglenook_text.table import TableLoader
from inglenook_text.tree import JsonLoader
from inglenook_text.xml import XmlLoader


class _TextKit(LoaderKit):
    name = ""
    content = ""
    parts: tuple[str, ...] = ()

    @pytest.fixture
    def sample(self, tmp_path):
        path = tmp_path / self.name
        path.write_text(self.content, "utf-8")
        return path

    @pytest.fixture
    def expected(self):
        return self.parts


class TestTextLoader(_TextKit):
    is_one_place = keeps_file_text = True
    name = "rules.txt"
    content = "RULES\n\nBe kind.\n\n1. PASSWORDS\n\nFourteen characters.\n\n2. VISITORS\n\nשלום.\n"
    parts = ("RULES", "Be kind.", "Fourteen", "VISITORS", "שלום")

    @pytest.fixture
    def loader(self):
        return TextLoader({})


class TestMarkdownLoader(_TextKit):
    is_one_place = keeps_file_text = True
    name = "rules.md"
    content = "# Rules\n\nBe kind.\n\n## Passwords\n\nFourteen.\n\nVisitors\n--------\n\nSign in.\n"
    parts = ("Rules", "Be kind.", "Fourteen", "Visitors", "Sign in.")

    @pytest.fixture
    def loader(self):
        return MarkdownLoader({})


class TestHtmlLoader(_TextKit):
    is_one_place = True
    name = "rules.html"
    content = "<h1>Rules</h1><p>Be kind.<h2>Passwords</h2><p>Fourteen &amp; more.</p>"
    parts = ("Rules", "Be kind.", "Passwords", "Fourteen & more.")

    @pytest.fixture
    def loader(self):
        return HtmlLoader({})


class TestTableLoader(_TextKit):
    name = "people.csv"
    content = "name,age\nAda,36\nGrace,85\n"
    parts = ("name: Ada", "age: 36", "name: Grace", "age: 85")

    @pytest.fixture
    def loader(self):
        return TableLoader({})


class TestJsonLoader(_TextKit):
    is_one_place = True
    name = "settings.json"
    content = '{"password": {"length": 14, "years": 1}, "people": [{"n": "Ada", "a": 36}]}'
    parts = ("password.length: 14", "password.years: 1", "people[0].n: Ada", "people[0].a: 36")

    @pytest.fixture
    def loader(self):
        return JsonLoader({})


class TestJsonLinesLoader(_TextKit):
    name = "people.jsonl"
    content = '{"name": "Ada"}\n{"name": "Grace"}\n'
    parts = ("name: Ada", "name: Grace")

    @pytest.fixture
    def loader(self):
        return JsonLoader({})


class TestCodeLoader(_TextKit):
    is_one_place = keeps_file_text = True
    name = "tool.py"
    content = "import os\n\n\n@cached\ndef first(a):\n    return a\n\n\nclass Second:\n    x = 1\n"
    parts = ("import os", "@cached", "def first", "class Second")

    @pytest.fixture
    def loader(self):
        return CodeLoader({})


class TestRstLoader(_TextKit):
    is_one_place = keeps_file_text = True
    name = "rules.rst"
    content = "=====\nRules\n=====\n\nBe kind.\n\nשלום\n----\n\nFourteen.\n\nB\n-\n\nEnd.\n"
    parts = ("Rules", "Be kind.", "שלום", "Fourteen.", "B", "End.")

    @pytest.fixture
    def loader(self):
        return RstLoader({})


class TestXmlLoader(_TextKit):
    is_one_place = True
    name = "books.xml"
    content = (
        "<books><book><title>Go</title><price>5</price></book><book><title>C</title></book></books>"
    )
    parts = ("Go", "price: 5", "C")

    @pytest.fixture
    def loader(self):
        return XmlLoader({})


class TestSubtitleLoader(_TextKit):
    is_one_place = True
    name = "talk.srt"
    content = (
        "1\n00:00:01,000 --> 00:00:02,000\nBe kind.\n\n2\n00:00:03,000 --> 00:00:04,000\nשלום!\n"
    )
    parts = ("Be kind.", "שלום!")

    @pytest.fixture
    def loader(self):
        return SubtitleLoader({})


class TestNotebookLoader(_TextKit):
    name = "work.ipynb"
    content = (
        '{"cells": [{"cell_type": "markdown", "source": ["# Rules\\n", "Be kind."]},'
        ' {"cell_type": "code", "source": "1 + 1", "outputs": [{"output_type": "execute_result",'
        ' "data": {"text/plain": ["2"]}}]}], "nbformat": 4}'
    )
    parts = ("# Rules\nBe kind.", "1 + 1\n\n2")

    @pytest.fixture
    def loader(self):
        return NotebookLoader({})


class TestEpubLoader(LoaderKit):
    """Of one section, because the kit reads a file of one place as text; see also `test_epub`."""

    @pytest.fixture
    def loader(self):
        return EpubLoader({})

    @pytest.fixture
    def sample(self, write_epub, tmp_path):
        return write_epub(tmp_path / "rules.epub", {"a.xhtml": "<h1>Rules</h1>Be kind.<p>שלום"})

    @pytest.fixture
    def expected(self):
        return ("Rules", "Be kind.", "שלום")
