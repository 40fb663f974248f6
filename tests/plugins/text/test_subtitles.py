"""The loader `subtitles` on real, made, odd and hostile files."""

from __future__ import annotations

from pathlib import Path

import pytest

from inglenook.testing.loader import read
from inglenook_text.subtitles import SubtitleLoader

CORPUS = Path(__file__).parents[2] / "data" / "corpus"


def test_real_captions_are_a_paragraph_with_their_voices():
    sections, notices = read(SubtitleLoader({}), CORPUS / "docling/webvtt/webvtt_example_01.vtt")
    assert notices == []
    [section] = sections
    assert section.locator.value == 6
    assert section.text.startswith("Roger Bingham: We are in New York City We’re actually at")
    assert " Neil deGrasse Tyson: Laughs Roger Bingham: You know I’m so excited" in section.text
    assert "-->" not in section.text


def test_numbers_times_tags_and_comments_are_no_text(load):
    content = (
        "WEBVTT - talk\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nNOTE\nnot\nshown\n\n"
        "intro\n00:01.000 --> 00:02.000 align:start\n<c.yellow>One</c> &amp; <00:01.500>two\n\n"
        "2\n1:00:03.000 --> 1:00:04.000\n{\\an8}<i>three</i>\n4\n00:05,000 --> 00:06,000\nfive\n"
    )
    sections, _ = load(SubtitleLoader, "a.vtt", content)
    assert [section.text for section in sections] == ["One & two three five"]


def test_cues_that_no_blank_line_parts_keep_their_text(load):
    content = "WEBVTT\n\n00:01.000 --> 00:02.000\none\n00:02.000 --> 00:03.000\ntwo\n"
    sections, _ = load(SubtitleLoader, "a.vtt", content)
    assert [section.text for section in sections] == ["one two"]


def test_numbers_that_are_said_are_text(load):
    content = (
        "1\n00:00:01,000 --> 00:00:02,000\nThe year\n1984\n\n2\n00:00:03,000 --> 00:00:04,000\n42\n"
    )
    sections, _ = load(SubtitleLoader, "a.srt", content)
    assert [section.text for section in sections] == ["The year 1984 42"]


def test_paragraphs_end_at_sentences_and_say_their_line(load):
    cues = [
        f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},500\n{'word ' * 30}end {n}." for n in range(20)
    ]
    sections, _ = load(SubtitleLoader, "a.srt", "\n\n".join(cues))
    lines = "\n\n".join(cues).split("\n")
    assert len(sections) == 4
    for section in sections:
        assert section.text.endswith(".")
        assert "\n" not in section.text
        first = lines[section.locator.value - 1]
        assert section.text.startswith(first)


def test_several_voices_in_one_cue_are_told_apart(load):
    content = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ada>Hi <v.loud Alan T>Hello\n- again\n"
    sections, _ = load(SubtitleLoader, "a.vtt", content)
    assert sections[0].text == "Ada: Hi Alan T: Hello - again"


def test_lines_that_roll_are_read_once_and_words_said_twice_stay(load):
    rolling = ["one", "one\ntwo", "two\nthree", "three\nfour", "four"]
    twice = ["No!", "No!", "Go"]
    for cues, text in ((rolling, "one two three four"), (twice, "No! No! Go")):
        content = "\n\n".join(f"00:01.000 --> 00:02.000\n{cue}" for cue in cues)
        sections, _ = load(SubtitleLoader, "a.vtt", f"WEBVTT\n\n{content}")
        assert [section.text for section in sections] == [text]


def test_bidi_controls_of_hebrew_subtitles_are_taken_out(load):
    content = "1\n00:00:01,000 --> 00:00:02,000\n\u202bשלום.\u202c&rlm;\n".encode(
        "cp1255", "ignore"
    )
    sections, _ = load(SubtitleLoader, "a.srt", content)
    assert sections[0].text == "שלום."


def test_a_file_without_cues_is_read_as_text_and_told(load):
    sections, notices = load(SubtitleLoader, "a.srt", "Just some words.")
    assert [section.text for section in sections] == ["Just some words."]
    assert [notice.code for notice in notices] == ["no-cues"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["<v ", "<c", "{\\an", "&", "00:01.000 --> 00:02.000\n", "x\n\n"])
def test_hostile_subtitles_take_little_time(load, piece):
    content = "WEBVTT\n\n00:01.000 --> 00:02.000\nsaid\n" + piece * 300_000
    sections, _ = load(SubtitleLoader, "a.vtt", content)
    assert sections[0].text.startswith("said")
