"""Reads the sets that ranking is measured on: BEIR folders and SQuAD files, in one shape."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Asked", "RankingSet", "load_sets", "ndcg"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the documents that answer it with their gains, and which half it belongs to."""

    text: str
    gains: Mapping[str, int]
    tuning: bool


@dataclass(frozen=True, slots=True)
class RankingSet:
    """Documents by id as (title, text), and the questions asked of them."""

    name: str
    documents: Mapping[str, tuple[str, str]]
    questions: tuple[Asked, ...]


def load_sets(folder: Path, names: Sequence[str]) -> list[RankingSet]:
    """The sets of a folder that has `scifact`, `xquad` and `heq`, by name (`xquad-de`, …)."""
    return [_load(folder, name) for name in names]


def ndcg(ranked: Sequence[str], gains: Mapping[str, int], depth: int = 10) -> float:
    """nDCG as trec_eval computes it."""
    best = sorted(gains.values(), reverse=True)[:depth]
    ideal = sum(gain / math.log2(rank + 2) for rank, gain in enumerate(best))
    found = sum(
        gains.get(name, 0) / math.log2(rank + 2) for rank, name in enumerate(ranked[:depth])
    )
    return found / ideal if ideal else 0.0


def _load(folder: Path, name: str) -> RankingSet:
    if name.startswith("xquad-"):
        return _squad(name, folder / "xquad" / f"xquad.{name.removeprefix('xquad-')}.json")
    if name == "heq":
        return _squad(name, folder / "heq" / "val_v1.1.json")
    return _beir(name, folder / name)


def _squad(name: str, file: Path) -> RankingSet:
    """Paragraphs are documents; the questions of the first half of them are for tuning."""
    articles = json.loads(file.read_text("utf-8"))["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    questions = tuple(
        Asked(entry["question"], {str(number): 1}, number < len(paragraphs) // 2)
        for number, paragraph in enumerate(paragraphs)
        for entry in paragraph["qas"]
        if not entry.get("is_impossible")
    )
    documents = {str(number): ("", p["context"]) for number, p in enumerate(paragraphs)}
    return RankingSet(name, documents, questions)


def _beir(name: str, folder: Path) -> RankingSet:
    """The questions of `qrels/train.tsv` are for tuning."""
    documents = {
        row["_id"]: (row.get("title", ""), row["text"]) for row in _rows(folder / "corpus.jsonl")
    }
    texts = {row["_id"]: row["text"] for row in _rows(folder / "queries.jsonl")}
    questions = []
    for split in ("train", "test"):
        gains: dict[str, dict[str, int]] = {}
        for line in (folder / "qrels" / f"{split}.tsv").read_text("utf-8").splitlines()[1:]:
            query, document, gain = line.split("\t")
            gains.setdefault(query, {})[document] = int(gain)
        questions += [Asked(texts[query], g, split == "train") for query, g in gains.items()]
    return RankingSet(name, documents, tuple(questions))


def _rows(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
