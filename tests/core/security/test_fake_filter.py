"""The fake filter passes the kit too, so that tests with it mean something."""

from __future__ import annotations

import pytest

from inglenook.testing.fake_filter import FakeFilter
from inglenook.testing.filter import FilterKit

_HARMFUL = ("a secret.", "secretsecret", "sec\nsecret secre", "a secret secrets")


class TestFakeFilterConformance(FilterKit):
    @pytest.fixture
    def filter(self):
        return FakeFilter()

    @pytest.fixture
    def harmful(self):
        return _HARMFUL


class TestFakeFilterOfWholeWordsConformance(TestFakeFilterConformance):
    @pytest.fixture
    def filter(self):
        return FakeFilter(whole_words=True)

    @pytest.fixture
    def harmful(self):
        return ("a secret.", "secret secrets secret", "xsecret secret")


class TestFakeFilterOfWholeTextsConformance(TestFakeFilterConformance):
    @pytest.fixture
    def filter(self):
        return FakeFilter(whole_text=True)


def test_a_kit_cannot_be_passed_by_replacing_its_tests():
    with pytest.raises(TypeError, match="test_it_has_the_shape_of_a_filter"):

        class Cheat(FilterKit):
            def test_it_has_the_shape_of_a_filter(self):
                pass
