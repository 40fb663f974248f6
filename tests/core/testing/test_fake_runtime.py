"""The fake runtime keeps the contract of the real ones."""

from __future__ import annotations

import pytest

from inglenook.testing.fake_runtime import FakeRuntime, fake_model
from inglenook.testing.runtime import RuntimeKit
from inglenook.types import CancelToken, Done, Failed, GenerateRequest, RuntimeOptions, TextDelta


class TestFakeRuntime(RuntimeKit):
    @pytest.fixture
    def runtime(self):
        return FakeRuntime(fake_model(delay_s=0.001), RuntimeOptions(context_length=512))


def answer(runtime):
    request = GenerateRequest(tokens=(4, 5, 6))
    return list(runtime.generate(request, CancelToken()))


def test_it_says_its_texts_in_turn_and_the_last_one_for_ever():
    runtime = FakeRuntime(fake_model(texts=("One two.", "Three.")), RuntimeOptions())
    runtime.open()
    texts = ["".join(e.text for e in answer(runtime) if isinstance(e, TextDelta)) for _ in "123"]
    assert texts == ["One two.", "Three.", "Three."]


def test_it_fails_where_it_was_told_to():
    runtime = FakeRuntime(fake_model(texts=("One two three.",), fail_after=2), RuntimeOptions())
    runtime.open()
    first, last = answer(runtime)
    assert first == TextDelta("One ")
    assert isinstance(last, Failed)


def test_it_remembers_what_it_was_asked():
    runtime = FakeRuntime(fake_model(texts=("Yes.",)), RuntimeOptions())
    runtime.open()
    assert isinstance(answer(runtime)[-1], Done)
    assert [request.tokens for request in runtime.requests] == [(4, 5, 6)]


def test_a_kit_whose_test_is_replaced_without_a_reason_is_refused():
    def weaker(self):
        return None

    with pytest.raises(TypeError, match="test_no_text_has_no_tokens"):
        type("TestCheating", (RuntimeKit,), {"test_no_text_has_no_tokens": weaker})


def test_a_kit_whose_test_is_expected_to_fail_for_a_reason_is_accepted():
    @pytest.mark.xfail(reason="counts a begin token")
    def known(self):
        return None

    kit = type("Honest", (RuntimeKit,), {"test_no_text_has_no_tokens": known})
    assert issubclass(kit, RuntimeKit)
