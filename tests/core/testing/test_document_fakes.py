"""The fakes for embedders, stores, loaders and splitters pass the kits that real parts pass."""

from __future__ import annotations

import pytest

from inglenook.testing.embedder import EmbedderKit
from inglenook.testing.fake_embedder import FakeEmbedder
from inglenook.testing.fake_loader import FakeLoader
from inglenook.testing.fake_reranker import FakeReranker
from inglenook.testing.fake_splitter import FakeSplitter
from inglenook.testing.fake_vector_store import ExactStore
from inglenook.testing.guard import Kit
from inglenook.testing.loader import LoaderKit
from inglenook.testing.reranker import RerankerKit
from inglenook.testing.splitter import SplitterKit
from inglenook.testing.vector_store import DIMENSION, VectorStoreKit


class TestFakeEmbedder(EmbedderKit):
    is_semantic = False

    @pytest.fixture
    def embedder(self):
        return FakeEmbedder()


class TestExactStore(VectorStoreKit):
    least_recall = 1.0
    is_persistent = False
    has_one_owner = False

    @pytest.fixture
    def make_store(self):
        return lambda folder: ExactStore(folder, DIMENSION)


class TestFakeReranker(RerankerKit):
    @pytest.fixture
    def reranker(self):
        return FakeReranker()


class TestFakeSplitter(SplitterKit):
    @pytest.fixture
    def splitter(self):
        return FakeSplitter()


class TestFakeLoader(LoaderKit):
    @pytest.fixture
    def loader(self):
        return FakeLoader()

    @pytest.fixture
    def sample(self, tmp_path):
        path = tmp_path / "sample.fake"
        path.write_text("first\nsecond line\n!notice odd\nthird\n")
        return path

    @pytest.fixture
    def expected(self):
        return ("first", "second line", "third")


def test_a_kit_s_test_cannot_be_replaced_unseen():
    class OwnKit(Kit):
        def test_something(self):
            raise AssertionError

    with pytest.raises(TypeError, match="overrides test_something"):

        class Sly(OwnKit):
            def test_something(self):
                pass


def test_a_kit_s_test_may_be_marked_as_one_that_the_part_cannot_pass():
    class OwnKit(Kit):
        def test_something(self):
            raise AssertionError

    class Honest(OwnKit):
        @pytest.mark.xfail(reason="the part has no such thing")
        def test_something(self):
            raise AssertionError

    assert issubclass(Honest, OwnKit)
