"""GGUF headers are read without any library, and hostile ones do no harm."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
from pathlib import Path

import pytest

from inglenook.errors import ModelBrokenError
from inglenook.models.gguf import GgufInfo, read_gguf
from inglenook.types import ModelFiles


def test_the_header_tells_what_the_model_is(gguf_file: Path) -> None:
    info = read_gguf(gguf_file)
    assert (info.architecture, info.name, info.context_length) == ("llama", "Tiny", 512)
    assert (info.quantisation, info.parameters, info.licence) == ("Q4_K_M", 256, "apache-2.0")
    assert (info.tokenizer, info.vocabulary, info.chat_template) == ("gpt2", 300, "{{ messages }}")
    assert (info.bos_id, info.eos_id, info.add_bos) == (0, 1, True)
    assert info.metadata["some.short"] == [1, 2, 3]


def test_texts_of_tokens_are_read_only_when_asked_for(gguf_file: Path) -> None:
    assert read_gguf(gguf_file).control_tokens == ()
    info = read_gguf(gguf_file, tokens=True)
    assert info.control_tokens == ("<|begin|>", "<|end|>", "<tool>")
    assert (info.bos, info.eos) == ("<|begin|>", "<|end|>")


def test_a_real_model_with_150000_tokens_is_read_in_a_moment(qwen: ModelFiles) -> None:
    started = time.perf_counter()
    info = read_gguf(qwen.files["model"], tokens=True)
    elapsed = time.perf_counter() - started
    assert (info.architecture, info.vocabulary, info.quantisation) == ("qwen2", 151936, "Q4_K_M")
    assert {"<|im_start|>", "<|im_end|>", "<tool_call>"} <= set(info.control_tokens)
    assert elapsed < 1.0  # 0.05 s on an idle machine


def attempt(path: Path, data: bytes) -> GgufInfo | ModelBrokenError:
    path.write_bytes(data)
    try:
        return read_gguf(path, tokens=True)
    except ModelBrokenError as error:
        return error


@pytest.mark.parametrize("twentieth", range(20))
def test_a_truncated_file_is_broken_wherever_it_ends(
    tmp_path: Path, gguf_bytes: bytes, twentieth: int
) -> None:
    length = len(gguf_bytes) * twentieth // 20
    outcome = attempt(tmp_path / "cut.gguf", gguf_bytes[:length])
    assert isinstance(outcome, ModelBrokenError)
    assert "cut.gguf" in outcome.message
    assert outcome.hint


def test_the_message_says_how_many_bytes_are_missing(tmp_path: Path, gguf_bytes: bytes) -> None:
    size = len(gguf_bytes)
    outcome = attempt(tmp_path / "cut.gguf", gguf_bytes[:-1])
    assert f"truncated: needs {size:,} bytes, has {size - 1:,}" in str(outcome)


@pytest.mark.parametrize("seed", range(100))
def test_a_flipped_byte_in_the_header_gives_an_answer_or_a_clear_error(
    tmp_path: Path, gguf_bytes: bytes, seed: int
) -> None:
    chance = random.Random(seed)
    data = bytearray(gguf_bytes)
    data[chance.randrange(len(data) - 1024)] ^= 1 << chance.randrange(8)
    assert isinstance(attempt(tmp_path / "flipped.gguf", bytes(data)), GgufInfo | ModelBrokenError)


HUGE = 2**62


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<IQQ", 3, HUGE, 0),
        struct.pack("<IQQ", 3, 0, HUGE),
        struct.pack("<IQQQ", 3, 0, 1, HUGE),
        struct.pack("<IQQQ1sIQ", 3, 0, 1, 1, b"k", 8, HUGE),
        struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 8, HUGE),
        struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 0, HUGE),
        struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 9, HUGE),
        struct.pack("<IQQQI", 3, 1, 0, 0, HUGE & 0xFFFFFFFF | 99),
        struct.pack("<IQQQIQQIQ", 3, 1, 0, 0, 2, HUGE, HUGE, 0, 0),
        struct.pack("<IQQQIQIQ", 3, 1, 0, 0, 1, 1, 0, HUGE),
    ],
)
def test_a_hostile_number_is_refused_without_allocating(tmp_path: Path, data: bytes) -> None:
    tracemalloc.start()
    outcome = attempt(tmp_path / "hostile.gguf", b"GGUF" + data + bytes(64))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(outcome, ModelBrokenError)
    assert peak < 40_000_000


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"", "it is empty"),
        (b"PK\x03\x04", "does not begin with 'GGUF'"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "has the GGUF version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "is big-endian"),
        (b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"k", 77) + bytes(9), "value type 77"),
        (b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"\xff", 0) + b"\0", "not UTF-8"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, data: bytes, wrong: str) -> None:
    assert wrong in str(attempt(tmp_path / "wrong.gguf", data))


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelBrokenError, match="No such file"):
        read_gguf(tmp_path / "nowhere.gguf")
