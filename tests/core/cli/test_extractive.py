"""Quotes from the documents at the command line, on a machine without any model."""

from __future__ import annotations

import json

import pytest

RULE = "Staff accounts must use a password of at least 14 characters."
QUESTION = "How many characters must a password have?"


@pytest.fixture
def rules(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "rules.txt").write_text(f"{RULE} Doors are green.\n", "utf-8")
    (folder / "Assistantfile").write_text(
        "FROM not-installed:1b\nFILE ./rules.txt\nRETRIEVE mode=lexical\n", "utf-8"
    )
    return folder


def test_the_documents_are_quoted_with_their_place(nook, rules):
    ran = nook("ask", "--extractive", str(rules), QUESTION)

    assert ran.code == 0
    assert ran.out.startswith(f"From the documents: “{RULE}” [1]")
    assert "[1] rules.txt, line 1" in ran.out


def test_a_stream_for_machines_says_that_it_is_a_quote(nook, rules):
    ran = nook("ask", "--extractive", "--json", "--stream", str(rules), QUESTION)
    events = [json.loads(line) for line in ran.out.splitlines()]

    text = "".join(event["text"] for event in events if event["type"] == "text")
    assert events[-1]["type"] == "answered"
    assert events[-1]["extracted"] is True
    assert events[-1]["answer"] == text


def test_what_the_documents_do_not_have_is_not_quoted(nook, rules):
    ran = nook("ask", "--extractive", str(rules), "Who won the football cup?")

    assert ran.out.strip() == "I found nothing about this in the documents."


def test_without_the_option_the_missing_model_is_named(nook, rules):
    ran = nook("ask", str(rules), QUESTION)

    assert ran.code == 3
    assert "There is no model not-installed:1b." in ran.err


def test_an_assistantfile_may_ask_for_quotes_only(nook, rules):
    file = rules / "Assistantfile"
    file.write_text(file.read_text("utf-8").replace("lexical", "lexical answer=extractive"))

    assert RULE in nook("ask", str(rules), QUESTION).out


def test_quotes_need_documents(nook, tmp_path):
    (tmp_path / "Assistantfile").write_text("FROM not-installed:1b\n", "utf-8")

    ran = nook("ask", "--extractive", str(tmp_path), QUESTION)

    assert ran.code != 0
    assert "has no documents" in ran.err
