"""A grammar of llama.cpp allows the same texts when the library reads it."""

from __future__ import annotations

import itertools
import random
import re

import numpy
import onnxruntime_genai
import pytest

from inglenook_onnx_genai.gbnf import lark_of

END = 2
FAR = 1e4
# Else the library insists on its own way of cutting a text that can be no other into tokens.
ANY_TOKENS = '%llguidance {"no_forcing": true}\n'


@pytest.fixture(scope="module")
def accepts(genai_folder):
    """Whether a grammar allows a text, asked of the library character by character."""
    config = onnxruntime_genai.Config(str(genai_folder))
    config.clear_providers()
    model = onnxruntime_genai.Model(config)
    tokenizer = onnxruntime_genai.Tokenizer(model)

    def accepts(gbnf: str, text: str) -> bool:
        parameters = onnxruntime_genai.GeneratorParams(model)
        parameters.set_search_options(max_length=64, do_sample=False)
        parameters.set_guidance("lark_grammar", ANY_TOKENS + lark_of(gbnf))
        generator = onnxruntime_genai.Generator(model, parameters)
        generator.append_tokens(numpy.array([1], dtype=numpy.int32))
        for token in [*(int(tokenizer.encode(c)[0]) for c in text), END]:
            if generator.is_done():
                return False
            logits = generator.get_logits()
            logits[...] = -FAR
            logits[0, -1, token] = FAR
            generator.set_logits(logits)
            generator.generate_next_token()
            if int(generator.get_next_tokens()[0]) != token:
                return False
        return True

    return accepts


@pytest.mark.parametrize(
    ("gbnf", "letters", "pattern"),
    [
        ('root ::= [a-c]* "ab"', "abc", r"[a-c]*ab"),
        ('root ::= x "bd" | "ab" "c"\nx ::= [a-z]', "abcd", r"[a-z]bd|abc"),
        ('root ::= ("a" | "ab") ("c" | "bc")', "abc", r"(a|ab)(c|bc)"),
        ('root ::= ("ab"){1,2} "a"?', "ab", r"(ab){1,2}a?"),
        ('root ::= "a"{0} "b"+ | ', "ab", r"b*"),
        ('root ::= "a"{0,} "b"{0,0} "c"{0,2}', "abc", r"a*c{0,2}"),
        ('root ::= root "a" | "b"', "ab", r"ba*"),
        ('root ::= [^ab]+ "."', "abc.", r"[^ab]+\."),
        ('root ::= "\\"" [^"]* "\\""', 'ab"', r'"[^"]*"'),
        ('root ::= ( # one\n "a"\n | "b" )* "c"', "abc", r"[ab]*c"),
        ("root ::= [\\[\\]]{2,}", "[]a", r"[\[\]]{2,}"),
        ('root ::= .? "."', "a.", r".?\."),
        ('root ::= ("a"*)* "b"', "ab", r"a*b"),
    ],
)
def test_it_allows_what_the_same_regular_expression_allows(accepts, gbnf, letters, pattern):
    texts = ["".join(t) for n in range(6) for t in itertools.product(letters, repeat=n)]
    allowed = [text for text in texts if re.fullmatch(pattern, text)]
    random.Random(1).shuffle(texts)
    for text in {*allowed[:6], *texts[:8]}:
        assert accepts(gbnf, text) == (re.fullmatch(pattern, text) is not None), text


def test_it_allows_what_no_regular_expression_can_say(accepts):
    gbnf = 'root ::= pair\npair ::= "a" pair "b" | ""'
    for a, b in itertools.product(range(4), repeat=2):
        assert accepts(gbnf, "a" * a + "b" * b) == (a == b)
