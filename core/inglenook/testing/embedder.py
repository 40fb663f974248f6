"""The conformance kit for embedders: subclass `EmbedderKit` and fill in `embedder`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy
import pytest

from inglenook.errors import Cancelled
from inglenook.protocols import Embedder
from inglenook.testing.guard import Kit
from inglenook.types import CancelToken

__all__ = ["EmbedderKit"]

_TEXTS = (
    "The password must have at least fourteen characters.",
    "Ducks live near ponds and lakes.",
    "a",
    "שלום עולם",
    "The password must have at least fourteen characters. " * 4,
)


class EmbedderKit(Kit):
    """What every embedder must do. `embedder` is a fixture that yields a closed one.

    Set `is_semantic` to False for an embedder whose vectors do not follow meaning.
    """

    is_semantic = True

    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        raise NotImplementedError("yield an embedder that is not open yet")

    @pytest.fixture
    def opened(self, embedder: Embedder) -> Iterator[Embedder]:
        embedder.open()
        yield embedder
        embedder.close()

    def test_satisfies_the_protocol(self, opened: Embedder) -> None:
        """Fix: give the class every method and property of `protocols.Embedder`."""
        assert isinstance(opened, Embedder)

    def test_properties_hold_once_it_is_open(self, opened: Embedder) -> None:
        """Fix: set dimension, max_tokens and fingerprint in `open`."""
        assert opened.dimension > 0
        assert opened.max_tokens > 0
        assert opened.fingerprint

    def test_vectors_have_the_promised_shape_and_type(self, opened: Embedder) -> None:
        """Fix: return float32 of shape (len(texts), dimension)."""
        vectors = opened.embed_documents(_TEXTS, CancelToken())
        assert vectors.shape == (len(_TEXTS), opened.dimension)
        assert vectors.dtype == numpy.float32

    def test_vectors_have_length_one(self, opened: Embedder) -> None:
        """Fix: divide each vector by its norm."""
        vectors = opened.embed_documents(_TEXTS, CancelToken())
        assert numpy.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-4)
        assert numpy.linalg.norm(opened.embed_query("a duck")) == pytest.approx(1.0, abs=1e-4)

    def test_no_texts_give_no_vectors(self, opened: Embedder) -> None:
        """Fix: return an array of shape (0, dimension)."""
        assert opened.embed_documents([], CancelToken()).shape == (0, opened.dimension)

    def test_a_query_gives_one_vector(self, opened: Embedder) -> None:
        """Fix: return shape (dimension,), not (1, dimension)."""
        assert opened.embed_query("a duck").shape == (opened.dimension,)

    def test_a_text_has_the_same_vector_alone_and_among_others(self, opened: Embedder) -> None:
        """Fix: mask padding, and keep the order of the texts."""
        together = opened.embed_documents(_TEXTS, CancelToken())
        for text, vector in zip(_TEXTS, together, strict=True):
            alone = opened.embed_documents([text], CancelToken())[0]
            assert float(alone @ vector) == pytest.approx(1.0, abs=5e-3)

    def test_the_same_text_gives_the_same_vector_again(self, opened: Embedder) -> None:
        """Fix: leave out dropout, random projections and other chance."""
        first = opened.embed_documents(_TEXTS, CancelToken())
        second = opened.embed_documents(_TEXTS, CancelToken())
        assert numpy.allclose(first, second, atol=1e-5)

    def test_tokens_are_counted_for_each_text(self, opened: Embedder) -> None:
        """Fix: count without begin and end tokens and without any cut."""
        short, long = opened.count_tokens(["duck", "duck " * (opened.max_tokens + 10)])
        assert 0 < short <= opened.max_tokens < long
        assert opened.count_tokens([]) == []

    def test_a_text_of_the_largest_size_is_embedded(self, opened: Embedder) -> None:
        """Fix: `max_tokens` must leave room for begin and end tokens and prefixes."""
        text = _text_of(opened, opened.max_tokens)
        assert opened.embed_documents([text], CancelToken()).shape == (1, opened.dimension)

    def test_an_overlong_document_is_refused(self, opened: Embedder) -> None:
        """Fix: raise ValueError; the splitter keeps to the limit, and nothing is cut silently."""
        text = _text_of(opened, opened.max_tokens) + " duck duck"
        with pytest.raises(ValueError, match=r"\d"):
            opened.embed_documents([text], CancelToken())

    def test_an_overlong_query_is_cut(self, opened: Embedder) -> None:
        """Fix: cut a question at its end."""
        question = "duck " * (3 * opened.max_tokens)
        assert opened.embed_query(question).shape == (opened.dimension,)

    def test_a_cancelled_token_stops_the_work(self, opened: Embedder) -> None:
        """Fix: look at the token between batches and raise `Cancelled`."""
        cancel = CancelToken()
        cancel.cancel()
        with pytest.raises(Cancelled):
            opened.embed_documents(_TEXTS * 50, cancel)

    def test_related_texts_are_nearer_than_unrelated_ones(self, opened: Embedder) -> None:
        """Fix: check pooling and tokenizer; set `is_semantic = False` only for a fake."""
        query = opened.embed_query("How long must a password be?")
        password, ducks = opened.embed_documents(_TEXTS[:2], CancelToken())
        margin = 0.1 if self.is_semantic else 0.0
        assert float(query @ password) > float(query @ ducks) + margin

    def test_closing_twice_is_harmless(self, embedder: Embedder) -> None:
        """Fix: let `close` free what is there and nothing else."""
        embedder.open()
        embedder.close()
        embedder.close()

    def test_it_can_be_opened_again(self, embedder: Embedder) -> None:
        """Fix: let `open` build everything that `close` freed; the fingerprint stays."""
        embedder.open()
        first = embedder.fingerprint
        embedder.close()
        embedder.open()
        assert embedder.fingerprint == first
        embedder.close()


def _text_of(embedder: Embedder, tokens: int) -> str:
    """A text of exactly or just under so many tokens."""
    words = tokens
    while embedder.count_tokens(["duck " * words])[0] > tokens:
        words -= 1
    return "duck " * words
