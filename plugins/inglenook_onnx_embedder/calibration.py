"""Tunes a graph in 8 bits on sample texts, and finds the graph that is right and fastest here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inglenook_onnx_embedder.bert_graph import build_bert_graph
from inglenook_onnx_embedder.quantised import QuantisationPlan
from inglenook_onnx_embedder.sample_texts import CHECKING, TUNING
from inglenook_onnx_embedder.sessions import feed_for, open_session

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Tensor = NDArray[numpy.float32]

__all__ = ["SMALLEST_COSINE", "Choice", "Encode", "choose_graph"]

Encode = Callable[[str], list[int]]
"""A text's token ids, begin and end tokens included."""

SMALLEST_COSINE = 0.99
"""A graph in 8 bits is right if every checked text's mean state is at least this near float32's."""

_SPEED_UP = 1.15
"""How many times faster than float32 it must be to be taken."""

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """The graph that was chosen, and why.

    Args:
        graph: Serialised.
        variant: `int8`, `int7` (weights of 7 bits) or `fp32`.
        cosine: The smallest cosine with float32 over the checked texts.
        speed_up: How many times faster than float32 it was here.
        reason: In words.
    """

    graph: bytes
    variant: str
    cosine: float
    speed_up: float
    reason: str


def choose_graph(
    config: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    name: str,
    encode: Encode,
    precision: str,
) -> Choice:
    """Build what `precision` (`auto`, `int8`, `fp32`) asks for.

    `auto` takes the first of int8 and int7 that is right, if it is faster than float32 on this
    processor; `int8` takes it however fast it is, and float32 where none is right.
    """
    exact = build_bert_graph(config, weights, name)
    if precision == "fp32":
        return Choice(exact, "fp32", 1.0, 1.0, "asked for")
    peaks = _peaks(build_bert_graph(config, weights, name, peaks=True), _ids(TUNING, encode))
    checked = _ids(CHECKING, encode)
    reference = open_session(exact)
    expected = _states(reference, checked)
    worst = 1.0
    for bits in (8, 7):
        graph = build_bert_graph(
            config, weights, name, plan=QuantisationPlan(peaks, weight_bits=bits)
        )
        session = open_session(graph)
        cosine = min(map(_cosine, expected, _states(session, checked)))
        worst = min(worst, cosine)
        if cosine < SMALLEST_COSINE:
            continue
        speed_up = _speed_up(reference, session, checked)
        if precision == "auto" and speed_up < _SPEED_UP:
            return Choice(exact, "fp32", 1.0, 1.0, f"8 bits are {speed_up:.2f} times as fast here")
        return Choice(graph, f"int{bits}", cosine, speed_up, f"{speed_up:.2f} times as fast")
    return Choice(exact, "fp32", 1.0, 1.0, f"8 bits are not right here (cosine {worst:.3f})")


def _ids(texts: Sequence[str], encode: Encode) -> list[list[int]]:
    return [encode(text) for text in texts]


def _peaks(graph: bytes, texts: Sequence[Sequence[int]]) -> dict[str, NDArray[Any]]:
    import numpy

    session = open_session(graph)
    names = [output.name for output in session.get_outputs()][1:]
    found: dict[str, NDArray[Any]] = {}
    for ids in texts:
        for name, peak in zip(names, session.run(names, feed_for(session, ids)), strict=True):
            found[name] = numpy.maximum(found[name], peak) if name in found else peak
    return found


def _states(session: Any, texts: Sequence[Sequence[int]]) -> list[NDArray[Any]]:
    """The mean of each text's last hidden states, and the first token's after it."""
    import numpy

    states = [session.run(None, feed_for(session, ids))[0][0] for ids in texts]
    return [numpy.stack([found.mean(axis=0), found[0]]) for found in states]


def _cosine(expected: NDArray[Any], found: NDArray[Any]) -> float:
    """The smaller cosine of the two ways to pool; 0 where anything is not a number."""
    import numpy

    lengths = numpy.linalg.norm(expected, axis=1) * numpy.linalg.norm(found, axis=1)
    cosines = (expected * found).sum(axis=1) / numpy.maximum(lengths, 1e-12)
    return float(numpy.nan_to_num(cosines).min())


def _speed_up(slow: Any, fast: Any, texts: Sequence[Sequence[int]]) -> float:
    longest = max(texts, key=len)
    best = {id(slow): float("inf"), id(fast): float("inf")}
    for _ in range(_ROUNDS):
        for session in (slow, fast):
            feed = feed_for(session, longest)
            started = time.perf_counter()
            session.run(None, feed)
            best[id(session)] = min(best[id(session)], time.perf_counter() - started)
    return best[id(slow)] / best[id(fast)]
