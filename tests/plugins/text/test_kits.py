"""Each loader of `inglenook_text` passes the conformance kit."""

from __future__ import annotations

import pytest

from inglenook.testing.loader import LoaderKit
from inglenook_text.code import CodeLoader
from inglenook_text.html import HtmlLoader
from inglenook_text.markdown import MarkdownLoader
from inglenook_text.plain import TextLoader
from inglenook_text.table import TableLoader
from inglenook_text.tree import JsonLoader


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
