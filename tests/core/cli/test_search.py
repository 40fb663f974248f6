"""`nook search` and the options that narrow it: what a person sees, and what a program reads."""

from __future__ import annotations

import json

import pytest

RULES = "Passwords for contractors have 16 characters.\n"


@pytest.fixture
def office(papers):
    """Documents in folders, one of them twice, one with what could steer a terminal."""
    papers.write("policies/passwords.md", f"# Passwords\n\n{RULES}")
    papers.write("policies/copy.txt", RULES)
    papers.write(
        "notes.txt", "A contractor \x1b]0;owned\x07 wrote\u202e this \x1b[31mnote\x1b[0m.\r\n"
    )
    return papers


def found(ran) -> list[str]:
    return [passage["source"] for passage in json.loads(ran.out)["passages"]]


def search(nook, *arguments: str):
    return nook("search", "./papers", *arguments, "--json")


def test_a_person_sees_place_scores_reason_and_copies(nook, office) -> None:
    ran = nook("search", "./papers", "password of a contractor")

    assert 0 == ran.code
    first = ran.out.split("\n\n")[0]
    assert "passwords.md, line 1 › Passwords" in first
    assert "score 1.00 (words 1.00)" in first
    assert "password (as passwords), contractor (as contractors)" in first
    assert "nearly the same: documents/policies/copy.txt" in first
    assert "Passwords for contractors have 16 characters." in first


def test_piped_output_has_no_styles_and_no_control_characters_of_a_document(nook, office) -> None:
    ran = nook("search", "./papers", "contractor note")

    assert "wrote" in ran.out
    assert not [c for c in ran.out if ord(c) < 32 and c != "\n"]
    assert "\u202e" not in ran.out
    assert "\u241b[31mnote" in ran.out, "it is shown as a symbol"


def test_matches_are_marked_on_a_terminal_and_nothing_else_steers_it(screen, nook, office) -> None:
    nook("ingest", "./papers")
    running = screen("search", "./papers", "contractor note")

    assert 0 == running.end()
    assert "\x1b[1;33mcontractor\x1b[0m" in running.raw
    assert "\x1b]0;" not in running.raw
    assert "\x1b[31m" not in running.raw


def test_no_color_is_honoured(environment, screen, nook, office) -> None:
    nook("ingest", "./papers")
    environment["NO_COLOR"] = "1"
    running = screen("search", "./papers", "contractor note")

    assert 0 == running.end()
    assert "\x1b[1;33m" not in running.raw
    assert "contractor" in running.text


def test_json_carries_scores_copies_and_the_explanation(nook, office) -> None:
    ran = search(nook, "password of a contractor", "--limit", "1")

    (passage,) = json.loads(ran.out)["passages"]
    explanation = passage["explanation"]
    assert ["documents/policies/copy.txt"] == passage["also"]
    assert (1.0, None, None) == (passage["lexical"], passage["vector"], passage["rerank"])
    assert [
        {"word": "password", "found": ["Passwords"]},
        {"word": "contractor", "found": ["contractors"]},
    ] == explanation["matches"]
    marked = [passage["text"][start:end] for start, end in explanation["highlights"]]
    assert "contractors" in marked
    assert (1.0, 0.0) == (explanation["lexical_weight"], explanation["vector_weight"])
    assert "words count alone" in explanation["why"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--path", "documents/policies/**", "--type", "md"), ["documents/policies/passwords.md"]),
        (("--path", "policies", "--type", "txt"), ["documents/policies/copy.txt"]),
        (("--section", "passwords"), ["documents/policies/passwords.md"]),
        (("--since", "2020", "--path", "notes.txt"), ["documents/notes.txt"]),
    ],
)
def test_options_narrow_the_search(nook, office, options, expected: list[str]) -> None:
    assert expected == found(search(nook, "contractor password", *options))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--path", "polcies"), "No source is at 'polcies'"),
        (("--type", "pfd"), "Did you mean 'pdf'?"),
        (("--since", "2099"), "No source was changed within since=2099"),
        (("--section", "zebra"), "No section's heading contains 'zebra'"),
        (("--since", "yesterday"), "'yesterday' is no date; write it as 2025"),
        (("--until", "2020", "--since", "2021"), "until=2020 lies before since=2021"),
        (("--path", ""), "--path needs a value"),
        (("--mode", "psychic"), "'psychic' is not one of"),
        (("--limit", "0"), "0 is not in the range"),
    ],
)
def test_what_cannot_be_fitted_is_an_error_that_says_why(
    nook, office, options: tuple[str, ...], words: str
) -> None:
    ran = nook("search", "./papers", "contractor", *options)

    assert (2, "") == (ran.code, ran.out)
    assert words in ran.err


def test_an_assistantfile_can_narrow_for_good_and_a_question_further(nook, office) -> None:
    file = office.folder / "Assistantfile"
    file.write_text(file.read_text() + "RETRIEVE path=policies,notes.txt since=2020\n")

    assert ["documents/policies/copy.txt"] == found(
        search(nook, "contractor otters", "--type", "txt", "--path", "copy.txt")
    )
    assert "documents/two.txt" not in found(search(nook, "otters contractor paper"))


def test_nothing_found_is_said(nook, papers) -> None:
    assert "Nothing was found.\n" == nook("search", "./papers", "zebra").out


def test_what_has_to_be_known_of_the_knowledge_is_said_beside_the_result(nook, office) -> None:
    nook("ingest", "./papers")
    file = office.folder / "documents" / "notes.txt"
    file.write_text("A contractor wrote another note.\n", encoding="utf-8")
    ran = nook("search", "./papers", "contractor")
    assert "1 source changed since they were read (documents/notes.txt)" in ran.err
    assert "changed since" not in ran.out
