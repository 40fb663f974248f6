"""The conformance kit for runtimes: what the engine and the server rely on.

    @pytest.fixture(scope="module")
    def loaded():
        runtime = MyRuntime(my_model_files, RuntimeOptions(context_length=512))
        yield runtime
        runtime.close()

    class TestMyRuntime(RuntimeKit):
        @pytest.fixture
        def runtime(self, loaded):
            return loaded

The runtime is constructed, not opened: the kit opens it. So it is loaded once for all tests.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from inglenook.errors import ContextOverflowError, UserError
from inglenook.protocols import Runtime
from inglenook.types import (
    CancelToken,
    Done,
    Failed,
    GenerateRequest,
    Message,
    RuntimeEvent,
    RuntimeInfo,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolSpec,
    Usage,
)

__all__ = ["RuntimeKit"]

MakeRequest = Callable[..., GenerateRequest]

_QUESTION = "Write a long story about a house by the sea."
_GREEDY = {"temperature": 0.0}
_PARAMETERS = {
    "temperature": 0.7,
    "top_k": 20,
    "top_p": 0.8,
    "min_p": 0.05,
    "typical_p": 0.9,
    "repeat_last_n": 32,
    "repeat_penalty": 1.1,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.1,
    "num_keep": 4,
}
_CANCEL_S = 1.0
_TOOL = ToolSpec("clock", "Tells the time.", {"type": "object", "properties": {}})
_BAD_GRAMMARS = (
    "",
    "root ::= (",
    'rule ::= "a"',
    "root ::= missing",
    'root ::= "a"{100000}',
    'root ::= "a\x00b"',
    "root ::= " + "(" * 90 + '"a"' + ")" * 90,
    "root ::= " + " | ".join(f'"{n}"' for n in range(5000)),
)
_BAD_SCHEMAS: tuple[dict[str, Any], ...] = (
    {"type": "nonsense"},
    {"$ref": "#/nowhere"},
    {"$ref": "https://example.com/schema.json"},
    {"const": float("nan")},
    {"type": "array", "minItems": 10**9},
    functools.reduce(lambda inner, _: {"properties": {"a": inner}}, range(500), {}),
)
_ODD_FORMS: tuple[dict[str, Any], ...] = (
    {"grammar": 'root ::= root "a" | "a"'},
    {"json_schema": {"enum": []}},
)
"""Some libraries can do something with these."""


class RuntimeKit:
    """Subclass it, give the fixture `runtime`, and run pytest.

    A test that your runtime cannot pass may be replaced by one marked `xfail` with a reason;
    anything else that replaces a test is refused.

    Attributes:
        reuses_prefix: Whether a second prompt with the same beginning is partly cached.
    """

    reuses_prefix = True

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        for name, member in vars(cls).items():
            if name in _TESTS and not _expected_to_fail(member):
                raise TypeError(
                    f"{cls.__name__} replaces {name} of the kit: mark it "
                    "pytest.mark.xfail(reason=...) and say why, or give it another name"
                )

    @pytest.fixture
    def runtime(self) -> Runtime:
        """The runtime under test, constructed."""
        raise NotImplementedError("give a fixture `runtime` that returns your runtime")

    @pytest.fixture
    def info(self, runtime: Runtime) -> RuntimeInfo:
        """What the opened runtime says of itself."""
        return runtime.open()

    @pytest.fixture
    def make(self, runtime: Runtime, info: RuntimeInfo) -> MakeRequest:
        """Makes a request for a text in the form that the runtime takes."""

        def make(text: str = _QUESTION, **fields: Any) -> GenerateRequest:
            if info.renders_chat:
                return GenerateRequest(messages=(Message.of("user", text),), **fields)
            prompt = _chat_prompt(text, info)
            return GenerateRequest(tokens=tuple(runtime.tokenize(prompt, special=True)), **fields)

        return make

    # --- life ---------------------------------------------------------------------------------

    def test_it_has_the_shape_of_a_runtime(self, runtime: Runtime) -> None:
        """If it fails: `open`, `tokenize`, `generate` or `close` is missing."""
        assert isinstance(runtime, Runtime)

    def test_what_it_says_of_itself_survives_a_process_border(self, info: RuntimeInfo) -> None:
        """If it fails: `RuntimeInfo` holds a native object, or no context length."""
        assert pickle.loads(pickle.dumps(info)) == info  # noqa: S301 - our own bytes
        assert info.context_length > 0 or info.renders_chat
        assert info.slots >= 1

    def test_opening_it_again_changes_nothing(self, runtime: Runtime, info: RuntimeInfo) -> None:
        """If it fails: `open` loads a second time or forgets what it said."""
        assert runtime.open() == info

    # --- tokens -------------------------------------------------------------------------------

    def test_no_text_has_no_tokens(self, runtime: Runtime, info: RuntimeInfo) -> None:
        """If it fails: `tokenize` adds a begin or end token of its own."""
        assert runtime.tokenize("", special=False) == []
        assert runtime.tokenize("", special=True) == []

    def test_any_text_can_be_tokenised(self, runtime: Runtime, info: RuntimeInfo) -> None:
        """If it fails: characters outside ASCII, a NUL or half a surrogate pair break it."""
        for text in ("naïve 🙂 שלום 漢字", "a\x00b", "broken \ud83d half", " " * 300):
            assert len(runtime.tokenize(text, special=False)) > 0

    def test_a_control_token_in_plain_text_stays_text(
        self, runtime: Runtime, info: RuntimeInfo
    ) -> None:
        """If it fails: without `special` the tokenizer must not parse control tokens.

        Otherwise a document could end the user's turn.
        """
        if info.token_count == "estimate":
            return
        for text in info.control_tokens:
            control = runtime.tokenize(text, special=True)
            plain = runtime.tokenize(text, special=False)
            assert len(control) == 1
            assert control[0] not in plain

    # --- a stream -----------------------------------------------------------------------------

    def test_a_stream_ends_in_usage_and_done(self, runtime: Runtime, make: MakeRequest) -> None:
        """If it fails: yield one `Usage` right before the one `Done`, and nothing after it."""
        request = make(max_tokens=8, parameters=_GREEDY)
        events = _events(runtime, request)
        assert [type(event) for event in events[-2:]] == [Usage, Done]
        assert sum(isinstance(event, Done | Failed | Usage) for event in events) == 2
        assert _usage(events).prompt_tokens in (None, len(request.tokens or ())) or request.messages
        assert _text(events)

    def test_it_stops_after_max_tokens(self, runtime: Runtime, make: MakeRequest) -> None:
        """If it fails: honour `max_tokens`, and end with the reason `length`."""
        for most in (1, 5):
            events = _events(runtime, make(max_tokens=most, parameters=_GREEDY))
            assert _done(events).stop_reason == "length"
            assert not _done(events).context_full
            assert _usage(events).completion_tokens in (None, most)

    def test_without_tokens_to_make_it_says_nothing(
        self, runtime: Runtime, make: MakeRequest
    ) -> None:
        """If it fails: `max_tokens=0` reads the prompt and gives no text."""
        events = _events(runtime, make(max_tokens=0))
        assert _text(events) == ""
        assert _done(events).stop_reason == "length"

    def test_pieces_are_whole_characters(self, runtime: Runtime, make: MakeRequest) -> None:
        """If it fails: hold bytes back until the character that they begin is complete."""
        for seed in range(3):
            request = make("Answer in emoji: 🙂🎉🐉 漢字 שלום", max_tokens=24, seed=seed)
            pieces = [e.text for e in _events(runtime, request) if isinstance(e, TextDelta)]
            assert [piece for piece in pieces if not piece] == []
            assert "\ufffd" not in "".join(pieces)

    def test_a_stop_string_ends_the_answer_and_is_not_shown(
        self, runtime: Runtime, make: MakeRequest
    ) -> None:
        """If it fails: hold back what may become a stop string, also across tokens."""
        whole = _answer(runtime, make(max_tokens=24, parameters=_GREEDY, reuse_prefix=False))
        middle = len(whole) // 2
        for stop in (whole[middle : middle + 1], whole[middle - 3 : middle + 4], whole[-4:]):
            request = make(
                max_tokens=24, parameters=_GREEDY, stop=("\x00", stop), reuse_prefix=False
            )
            events = _events(runtime, request)
            assert _text(events) == whole[: whole.find(stop)]
            assert _done(events).stop_reason == "stop"
            assert _done(events).stop_string in ("", stop)

    def test_a_stop_string_that_never_completes_loses_no_text(
        self, runtime: Runtime, make: MakeRequest
    ) -> None:
        """If it fails: give out what was held back when the answer ends."""
        whole = _answer(runtime, make(max_tokens=12, parameters=_GREEDY, reuse_prefix=False))
        stop = whole[-3:] + "\x00 never"
        request = make(max_tokens=12, parameters=_GREEDY, stop=(stop,), reuse_prefix=False)
        assert _answer(runtime, request) == whole

    # --- parameters ---------------------------------------------------------------------------

    def test_the_same_seed_gives_the_same_text(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: pass the seed on; if it cannot be, say `reproducible="never"`."""
        if info.reproducible == "never":
            return
        parameters = {"temperature": 1.0}

        def answer(seed: int) -> str:
            request = make(max_tokens=16, seed=seed, parameters=parameters, reuse_prefix=False)
            return _answer(runtime, request)

        assert answer(7) == answer(7)
        assert len({answer(seed) for seed in range(1, 5)}) > 1

    def test_without_choice_it_is_greedy(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: `temperature` 0 and `top_k` 1 both mean the likeliest token."""
        ways = [_GREEDY, {"top_k": 1, "temperature": 1.5}]
        answers = {
            _answer(runtime, make(max_tokens=12, parameters=parameters, reuse_prefix=False))
            for parameters in ways
            if parameters.keys() <= set(info.parameters)
        }
        assert len(answers) == 1

    def test_every_parameter_that_it_names_is_honoured(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: `RuntimeInfo.parameters` names one that `generate` refuses."""
        parameters = {n: value for n, value in _PARAMETERS.items() if n in info.parameters}
        events = _events(runtime, make(max_tokens=4, parameters=parameters, seed=3))
        assert _done(events).stop_reason in ("stop", "length")

    def test_a_parameter_that_it_cannot_honour_is_refused_by_name(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: raise `UserError` with the parameter's name before the first event."""
        unknown = [name for name in _PARAMETERS if name not in info.parameters]
        for name in (*unknown, "draft_num_predict", "no_such_parameter"):
            with pytest.raises(UserError, match=name):
                _events(runtime, make(max_tokens=4, parameters={name: 1}))

    def test_what_it_has_no_capability_for_is_refused(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: raise `UserError` instead of ignoring it."""
        if not info.logprobs:
            with pytest.raises(UserError, match="logprobs"):
                _events(runtime, make(max_tokens=4, logprobs=2))
        if not info.tools:
            with pytest.raises(UserError, match="tools"):
                _events(runtime, make(max_tokens=4, tools=(_TOOL,)))
        if not info.grammar:
            with pytest.raises(UserError, match="grammar"):
                _events(runtime, make(max_tokens=4, grammar='root ::= "yes"'))

    def test_a_grammar_is_followed(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: do not state the capability `grammar`."""
        if not info.grammar:
            return
        text = "naïve 🙂 שלום"
        assert _answer(runtime, make(grammar=f'root ::= "{text}"', max_tokens=64)) == text
        request = make(json_schema={"enum": ["yes", "no"]}, max_tokens=16)
        assert json.loads(_answer(runtime, request)) in ("yes", "no")

    def test_a_grammar_that_cannot_be_followed_is_refused_and_harms_nobody(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: call `models.grammar_checks`, and raise `UserError` for what is left."""
        if not info.grammar or info.renders_chat:
            return
        for grammar in _BAD_GRAMMARS:
            with pytest.raises(UserError, match="grammar"):
                _events(runtime, make(max_tokens=4, grammar=grammar))
        for schema in _BAD_SCHEMAS:
            with pytest.raises(UserError, match="schema"):
                _events(runtime, make(max_tokens=4, json_schema=schema))
        for form in _ODD_FORMS:
            try:
                assert _done(_events(runtime, make(max_tokens=4, **form)))
            except UserError:
                continue
        assert _done(_events(runtime, make(max_tokens=2, parameters=_GREEDY))).stop_reason

    # --- more than text -----------------------------------------------------------------------

    def test_logprobs_belong_to_the_text_that_they_come_with(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: give each token's figures with the text in which the token begins."""
        if not info.logprobs:
            return
        plain = make(max_tokens=12, parameters=_GREEDY, reuse_prefix=False)
        events = _events(runtime, dataclasses.replace(plain, logprobs=3))
        assert _text(events) == _answer(runtime, plain)
        for event in events:
            if isinstance(event, TextDelta):
                assert "".join(one.token for one in event.logprobs) == event.text
        for one in _logprobs(events):
            figures = [figure for _, figure in one.top]
            assert len(one.top) == 3
            assert figures == sorted(figures, reverse=True)
            assert one.logprob is not None
            assert one.logprob <= 0
            # The likeliest token is taken, so it is the first of them.
            assert one.logprob == pytest.approx(figures[0], abs=1e-4)
            assert sum(map(math.exp, figures)) <= 1.0001
        assert all(not one.logprobs for one in _deltas(_events(runtime, plain)))

    def test_logprobs_of_a_stop_string_are_not_shown(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: hold the figures back with the text; drop those of the stop string."""
        if not info.logprobs:
            return
        request = make(max_tokens=16, parameters=_GREEDY, reuse_prefix=False)
        whole = _answer(runtime, request)
        for stop in (whole[-5:], whole[len(whole) // 2 :][:3], whole[-2:] + "\x00 never"):
            stopped = dataclasses.replace(request, stop=(stop,), logprobs=1)
            events = _events(runtime, stopped)
            tokens = [one.token for one in _logprobs(events)]
            assert "".join(tokens).startswith(_text(events))
            assert len("".join(tokens[:-1])) < max(1, len(_text(events)))

    def test_logprobs_of_pieces_of_characters_come_with_the_whole_one(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: a token that only begins a character has no text, and comes with it."""
        if not info.logprobs or not info.grammar:
            return
        text = "naïve 🙂 שלום"
        request = make(grammar=f'root ::= "{text}"', max_tokens=64, logprobs=2)
        events = _events(runtime, request)
        assert "".join(one.token for one in _logprobs(events)) == text
        known = [one for one in _logprobs(events) if one.logprob is not None]
        assert all(one.token for one in known if not one.top)

    def test_more_alternatives_than_anybody_needs_are_refused(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: refuse `logprobs` below 0 and above 100 with `UserError`."""
        for count in (-1, 101):
            with pytest.raises(UserError, match="logprobs"):
                _events(runtime, make(max_tokens=2, logprobs=count))

    def test_a_tool_that_must_be_called_is_called(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: do not state `tools`, or honour `tool_choice` with the name of a tool."""
        if not info.tools:
            return
        request = make("What is the time?", tools=(_TOOL,), tool_choice=_TOOL.name, max_tokens=200)
        events = _events(runtime, request)
        calls = [event.call for event in events if isinstance(event, ToolCallDelta)]
        assert [call.name for call in calls] == [_TOOL.name]
        assert _done(events).stop_reason == "tool_calls"

    # --- context ------------------------------------------------------------------------------

    def test_a_prompt_that_does_not_fit_is_refused_with_both_numbers(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: compare the prompt with the context before anything is evaluated."""
        if info.renders_chat:
            return
        tokens = (make().tokens or ()) * info.context_length
        with pytest.raises(ContextOverflowError) as caught:
            next(iter(runtime.generate(GenerateRequest(tokens=tokens), CancelToken())))
        assert caught.value.needed == len(tokens)
        assert caught.value.available == info.context_length

    def test_an_answer_ends_where_the_context_ends(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: end with `length` and `context_full`; do not shift or crash."""
        if info.renders_chat:
            return
        tokens = _filled(make().tokens or (), info.context_length - 3)
        request = GenerateRequest(tokens=tokens, parameters=_GREEDY)
        events = _events(runtime, request)
        usage = _usage(events)
        assert len(tokens) + (usage.completion_tokens or 0) <= info.context_length + 1
        done = _done(events)
        assert done.stop_reason == "stop" or done.context_full

    def test_the_same_beginning_is_not_evaluated_again(
        self, runtime: Runtime, make: MakeRequest
    ) -> None:
        """If it fails: keep the prefix, or set `reuses_prefix = False` on the test class."""
        if not self.reuses_prefix:
            return
        _events(runtime, make(max_tokens=2))
        again = make(_QUESTION + " Make it short.", max_tokens=2)
        assert (_usage(_events(runtime, again)).cached_tokens or 0) > 0

    def test_a_prefix_is_evaluated_again_on_demand(
        self, runtime: Runtime, make: MakeRequest
    ) -> None:
        """If it fails: honour `reuse_prefix=False`."""
        for _ in range(2):
            events = _events(runtime, make(max_tokens=2, reuse_prefix=False))
        assert _usage(events).cached_tokens in (None, 0)

    # --- cancelling ---------------------------------------------------------------------------

    def test_a_cancel_in_mid_answer_ends_it_within_a_second(
        self, runtime: Runtime, make: MakeRequest
    ) -> None:
        """If it fails: look at the token once per generated token."""
        cancel = CancelToken()
        events: list[RuntimeEvent] = []
        asked = time.monotonic()
        for event in runtime.generate(make(max_tokens=400), cancel):
            events.append(event)
            if isinstance(event, TextDelta) and not cancel.cancelled:
                cancel.cancel()
                asked = time.monotonic()
        assert time.monotonic() - asked < _CANCEL_S
        assert _done(events).stop_reason == "cancelled"
        assert [type(event) for event in events[-2:]] == [Usage, Done]

    def test_a_cancel_while_the_prompt_is_read_ends_it_within_a_second(
        self, runtime: Runtime, info: RuntimeInfo, make: MakeRequest
    ) -> None:
        """If it fails: read the prompt in batches and look at the token between them."""
        tokens = _filled(make().tokens or (), info.context_length - 64)
        request = make() if info.renders_chat else GenerateRequest(tokens=tokens)
        cancel = CancelToken()
        cancelled_at: list[float] = []

        def cancel_now() -> None:
            cancelled_at.append(time.monotonic())
            cancel.cancel()

        timer = threading.Timer(0.02, cancel_now)
        timer.start()
        events = _events(runtime, request, cancel)
        timer.join()
        assert time.monotonic() - cancelled_at[0] < _CANCEL_S
        assert isinstance(events[-1], Done)

    def test_a_request_that_is_cancelled_already_says_nothing(
        self, runtime: Runtime, make: MakeRequest
    ) -> None:
        """If it fails: look at the token before the first event."""
        cancel = CancelToken()
        cancel.cancel()
        events = _events(runtime, make(max_tokens=50), cancel)
        assert _text(events) == ""
        assert _done(events).stop_reason == "cancelled"

    def test_after_a_cancel_or_a_closed_iterator_it_answers_as_before(
        self, runtime: Runtime, make: MakeRequest
    ) -> None:
        """If it fails: a stopped generation left its state behind."""
        request = make(max_tokens=10, parameters=_GREEDY, reuse_prefix=False)
        before = _answer(runtime, request)
        stream = runtime.generate(make(max_tokens=200), CancelToken())
        for _ in itertools.islice(stream, 3):
            pass
        stream.close()  # type: ignore[attr-defined]
        assert _answer(runtime, request) == before

    # --- manners ------------------------------------------------------------------------------

    def test_two_requests_at_the_same_time_both_end(
        self, runtime: Runtime, make: MakeRequest
    ) -> None:
        """If it fails: let requests beyond the `slots` wait."""
        ends: list[Done] = []
        request = make(max_tokens=6, parameters=_GREEDY)
        threads = [
            threading.Thread(target=lambda: ends.append(_done(_events(runtime, request))))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert [end.stop_reason for end in ends] == ["length", "length"]

    def test_it_writes_nothing_to_the_terminal(
        self, runtime: Runtime, make: MakeRequest, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """If it fails: silence the library's own log."""
        _events(runtime, make(max_tokens=4))
        assert capfd.readouterr() == ("", "")

    def test_it_can_be_closed_twice(self, runtime: Runtime, info: RuntimeInfo) -> None:
        """If it fails: make `close` do nothing the second time."""
        runtime.close()
        runtime.close()
        assert runtime.open() == info


_TESTS = frozenset(name for name in vars(RuntimeKit) if name.startswith("test_"))


def _expected_to_fail(test: object) -> bool:
    marks = getattr(test, "pytestmark", ())
    return any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks)


def _chat_prompt(text: str, info: RuntimeInfo) -> str:
    """A prompt in ChatML where the model has it, else the plain text."""
    if {"<|im_start|>", "<|im_end|>"} <= set(info.control_tokens):
        return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    return (info.bos if info.add_bos else "") + text


def _filled(tokens: tuple[int, ...], length: int) -> tuple[int, ...]:
    """The tokens over and over, cut at `length`."""
    return tuple(itertools.islice(itertools.cycle(tokens), length)) if tokens else ()


def _events(
    runtime: Runtime, request: GenerateRequest, cancel: CancelToken | None = None
) -> list[RuntimeEvent]:
    return list(runtime.generate(request, cancel or CancelToken()))


def _deltas(events: list[RuntimeEvent]) -> list[TextDelta]:
    return [event for event in events if isinstance(event, TextDelta)]


def _logprobs(events: list[RuntimeEvent]) -> list[TokenLogprob]:
    return [one for event in _deltas(events) for one in event.logprobs]


def _text(events: list[RuntimeEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def _answer(runtime: Runtime, request: GenerateRequest) -> str:
    return _text(_events(runtime, request))


def _done(events: list[RuntimeEvent]) -> Done:
    assert isinstance(events[-1], Done), f"the stream ended in {events[-1]}"
    return events[-1]


def _usage(events: list[RuntimeEvent]) -> Usage:
    (usage,) = (event for event in events if isinstance(event, Usage))
    return usage
