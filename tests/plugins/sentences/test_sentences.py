"""The splitter `sentences`, through its protocol."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inglenook.testing.splitter import SplitterKit, count_words, uncovered
from inglenook.types import Locator, Section
from inglenook_sentences.splitter import SentenceSplitter

PAGE = Locator("page", 1)
TEXTS = st.text(
    alphabet=st.sampled_from("ab .!?\n\t-#|1,。שלום\u0301\u200d👩\u00a0\u2028`:=\x1c"), max_size=400
)


def count_characters(texts):
    return [len(text) for text in texts]


def chunks_of(text, limit=20, count=count_words, **options):
    section = Section(text, PAGE)
    return [chunk.text for chunk in SentenceSplitter(options).split(section, limit, count)]


class TestSentenceSplitterKit(SplitterKit):
    @pytest.fixture
    def splitter(self):
        return SentenceSplitter({})


class TestSentenceSplitterWithOverlapKit(SplitterKit):
    @pytest.fixture
    def splitter(self):
        return SentenceSplitter({"overlap_tokens": 15})


@settings(max_examples=400, deadline=None)
@example(text="111111 1。1", limit=5, overlap=2, count=count_characters)
@given(
    text=TEXTS,
    limit=st.integers(1, 60),
    overlap=st.integers(0, 30),
    count=st.sampled_from([count_words, count_characters]),
)
def test_every_text_is_covered_in_order_within_the_limit(text, limit, overlap, count):
    section = Section(text, Locator("line", 5), start=7)
    splitter = SentenceSplitter({"overlap_tokens": overlap})
    chunks = list(splitter.split(section, limit, count))
    assert uncovered(section, chunks) == ""
    assert [chunk.start for chunk in chunks] == sorted({chunk.start for chunk in chunks})
    for chunk in chunks:
        assert text[chunk.start - 7 : chunk.end - 7] == chunk.text
        assert chunk.text == chunk.text.strip() != ""
        assert count([chunk.text])[0] <= limit or len(chunk.text) == 1
        assert chunk.locator.value == 5 + text.count("\n", 0, chunk.start - 7)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It is long. It is short.", ["It is long.", "It is short."]),
        ("Ask Dr. Smith now. He knows.", ["Ask Dr. Smith now.", "He knows."]),
        ("Pi is 3.14 here. Use v1.2.3 now.", ["Pi is 3.14 here.", "Use v1.2.3 now."]),
        ("See Fig. 3 of it. Read no. 7 too.", ["See Fig. 3 of it.", "Read no. 7 too."]),
        ('He said "No." Then he went.', ['He said "No."', "Then he went."]),
        ("Wait... what is it? Nothing!", ["Wait... what is it?", "Nothing!"]),
        ("At 5 p.m. Boston time it ends. Go.", ["At 5 p.m. Boston time it ends.", "Go."]),
        ("הסיסמה ארוכה. יש להחליף אותה!", ["הסיסמה ארוכה.", "יש להחליף אותה!"]),
        ("هل هذا واضح؟ نعم.", ["هل هذا واضح؟", "نعم."]),
        ("密码必须很长。每年更换。", ["密码必须很长。", "每年更换。"]),
        ("यह लंबा है। यह छोटा है।", ["यह लंबा है।", "यह छोटा है।"]),
    ],
)
def test_sentences_end_where_readers_see_them_end(text, sentences):
    longest = max(map(len, sentences))
    assert chunks_of(text, longest, count_characters) == sentences


def test_a_chunk_ends_at_a_paragraph_rather_than_later_at_a_sentence():
    text = "a a a a a a. b b b b b b.\n\nc c c. d d d d d d d d d. e e e e e e. f f f f f f f f."
    assert chunks_of(text, 20)[0] == "a a a a a a. b b b b b b."


def test_a_heading_stays_with_what_follows():
    text = "x " * 12 + "end.\n\n## Passwords\n\n" + "They are long and secret. " * 3
    first, second = chunks_of(text, 24)
    assert first.endswith("end.")
    assert second.startswith("## Passwords")


def test_list_items_stay_whole():
    items = [f"- item {number} with some words more" for number in range(12)]
    for chunk in chunks_of("\n".join(items), 20):
        assert all(line in items for line in chunk.split("\n"))


def test_table_lines_stay_whole():
    rows = [f"| row {number} | value {number} | note |" for number in range(12)]
    for chunk in chunks_of("\n".join(rows), 24):
        assert all(line in rows for line in chunk.split("\n"))


def test_the_last_chunk_is_no_scrap():
    text = " ".join(f"Sentence {number} is here." for number in range(11))
    sizes = count_words(chunks_of(text, 40))
    assert min(sizes) >= 15


def test_the_embedder_s_limit_holds_below_the_option():
    assert max(count_words(chunks_of("word " * 500, 30, max_tokens=100))) <= 30


def test_the_option_holds_below_the_embedder_s_limit():
    assert max(count_words(chunks_of("Some words. " * 100, 100, max_tokens=12))) <= 12


def test_overlap_repeats_whole_sentences_of_the_paragraph():
    text = " ".join(f"Sentence {number} is here." for number in range(40))
    chunks = chunks_of(text, 40, overlap_tokens=12)
    for earlier, later in itertools.pairwise(chunks):
        repeated = later.split(". ")[0]
        assert repeated in earlier


def test_a_word_that_a_tokenizer_takes_for_one_token_is_cut_all_the_same():
    chunks = chunks_of("x" * 100_000, 20, lambda texts: [1 for _ in texts])
    assert max(map(len, chunks)) <= 20 * 12


def test_each_sentence_is_counted_about_once():
    counted = []

    def count(texts):
        counted.extend(texts)
        return count_words(texts)

    text = " ".join(f"Sentence {number} is here." for number in range(400))
    chunks = chunks_of(text, 40, count)
    assert len(counted) == 400 + len(chunks)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", ["." * 500_000, "\n- " * 200_000, "a\n" * 200_000, "(" * 500_000])
def test_hostile_texts_take_linear_time(text):
    assert chunks_of(text, 100)
