"""How well answers are held against the documents: refusals, quotes, swaps, and a model's answers.

    python tests/quality/answer_study.py FOLDER --out FOLDER PART …

PART is refusals, quotes, swaps, answers or gold. FOLDER holds `xquad/xquad.LANG.json` and
`heq/val_v1.1.json` in the SQuAD layout. Knowledge bases and answers are kept under --out, so that
a study of the checks costs no second answer. A model and an embedder are taken from
INGLENOOK_TEST_MODELS.

Everything was fitted on the first half of each set; the second half (`--half 1`) is for reports.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inglenook.assistants.assistant import Assistant
from inglenook.assistants.citations import Citer
from inglenook.assistants.extractive import Extractor, quotation
from inglenook.assistants.installation import Installation
from inglenook.assistants.quantities import read_quantities
from inglenook.assistants.relevance import bears_on
from inglenook.assistants.sentences import sentence_spans
from inglenook.evaluation.answer_match import contains, exact_match, f1
from inglenook.evaluation.datasets import read_dataset
from inglenook.evaluation.intervals import estimate
from inglenook.knowledge.lexical import STOP_WORDS
from inglenook.types import Answered, CancelToken, Message, TextDelta

MODEL = "qwen2.5-coder:0.5b"
EMBEDDER = "minilm"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a set; `answers` is empty where its paragraph has none."""

    id: str
    text: str
    answers: tuple[str, ...]
    start: int
    paragraph: str
    article: int
    half: int


def read_set(data: Path, language: str) -> list[Asked]:
    """The questions of a language, in the order of the file."""
    name = "heq/val_v1.1.json" if language == "he" else f"xquad/xquad.{language}.json"
    articles = json.loads((data / name).read_text("utf-8"))["data"]
    total = sum(len(article["paragraphs"]) for article in articles)
    asked = []
    number = 0
    for at, article in enumerate(articles):
        for paragraph in article["paragraphs"]:
            for q in paragraph["qas"]:
                texts = tuple(answer["text"] for answer in q["answers"])
                start = q["answers"][0]["answer_start"] if texts else -1
                half = 0 if number < total // 2 else 1
                asked.append(
                    Asked(q["id"], q["question"], texts, start, paragraph["context"], at, half)
                )
            number += 1
    return asked


class Study:
    """Makes knowledge bases of paragraphs under one folder."""

    def __init__(self, data: Path, out: Path, model: str = MODEL, embedder: str = EMBEDDER) -> None:
        self.data = data
        self.out = out
        self.embedder = embedder
        self._model = model
        models = out / "home" / "data" / "models"
        if not models.exists():
            models.parent.mkdir(parents=True)
            models.symlink_to(Path(os.environ["INGLENOOK_TEST_MODELS"]) / "data" / "models")
        self._installation = Installation.open(home=out / "home")

    def assistant(self, name: str, paragraphs: Sequence[str], mode: str) -> Assistant:
        """An assistant that knows these paragraphs, each a file."""
        if mode == "hybrid" and self.embedder != EMBEDDER:
            name = f"{name}-{self.embedder}"
        folder = self.out / "knowledge" / name
        (folder / "docs").mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(dict.fromkeys(paragraphs)):
            (folder / "docs" / f"p{number:04}.txt").write_text(text, "utf-8")
        embedder = f"EMBEDDER {self.embedder}\n" if mode == "hybrid" else ""
        (folder / "Assistantfile").write_text(
            f"FROM {self._model}\nPARAMETER temperature 0\nPARAMETER num_predict 64\nFILE ./docs\n"
            f"{embedder}RETRIEVE top_k=6 mode={mode} knowledge=retrieve\n",
            "utf-8",
        )
        assistant = self._installation.assistant_from_file(folder / "Assistantfile")
        assistant.ingest()
        return assistant

    def close(self) -> None:
        self._installation.close()


def mode_of(study: Study, language: str) -> str:
    """The packaged embedder was trained for English; other languages are asked with words alone."""
    return "hybrid" if language == "en" or study.embedder != EMBEDDER else "lexical"


def sample(asked: Sequence[Asked], n: int) -> list[Asked]:
    chosen = list(asked)
    random.Random(1).shuffle(chosen)
    return chosen[:n]


def share(values: Sequence[bool]) -> str:
    return f"{sum(values) / max(1, len(values)):.3f} (n={len(values)})"


# --- refusals ---------------------------------------------------------------------------------


def refusals(study: Study, language: str, half: int, n: int) -> None:
    """Questions of articles that are not in the knowledge base, and of those that are."""
    asked = [q for q in read_set(study.data, language) if q.half == half]
    middle = sorted({q.article for q in asked})[len({q.article for q in asked}) // 2]
    known = [q for q in asked if q.article < middle]
    unknown = [q for q in asked if q.article >= middle]
    name = f"{language}-{half}-half"
    with study.assistant(name, [q.paragraph for q in known], mode_of(study, language)) as assistant:

        def refused(questions: Sequence[Asked]) -> list[bool]:
            return [not bears_on(q.text, assistant.search(q.text)) for q in questions]

        answerable = sample([q for q in known if q.answers], n)
        print(f"{language} half {half}: wrong refusals {share(refused(answerable))}")
        print(f"{language} half {half}: off-corpus refused {share(refused(sample(unknown, n)))}")
        if impossible := [q for q in known if not q.answers]:
            print(f"{language} half {half}: unanswerable refused {share(refused(impossible[:n]))}")


# --- quotes -----------------------------------------------------------------------------------


def quotes(study: Study, language: str, half: int, n: int) -> None:
    """How often the best sentence, the quote and the first five sentences hold the answer."""
    asked = read_set(study.data, language)
    first, quoted, five = [], [], []
    paragraphs = [q.paragraph for q in asked]
    with study.assistant(f"{language}-all", paragraphs, mode_of(study, language)) as assistant:
        for q in sample([q for q in asked if q.half == half and q.answers], n):
            ranked = Extractor().rank(q.text, assistant.search(q.text))
            best = quotation(ranked)
            quote = best[0].text[best[1] : best[2]] if best else ""
            first.append(bool(ranked) and contains(ranked[0].text, q.answers))
            quoted.append(contains(quote, q.answers))
            five.append(any(contains(entry.text, q.answers) for entry in ranked[:5]))
    print(f"{language} half {half}: sentence@1 {share(first)} quote {share(quoted)}", end=" ")
    print(f"sentence@5 {share(five)}")


# --- swaps ------------------------------------------------------------------------------------


def kind_of(answer: str) -> str:
    found = read_quantities(answer)
    years = [n for n in found.numbers if len(n.value) == 4 and n.value[0] in "12"]
    if found.dates or years:
        return "date"
    if found:
        return "number"
    words = [word for word in re.findall(r"\w+", answer) if len(word) > 3]
    return "name" if words and all(word[0].isupper() for word in words) else "other"


def swaps(study: Study, language: str, half: int, n: int, *, examples: bool = False) -> None:
    """True sentences, and the same with the answer exchanged for one of another paragraph.

    In languages without capitals names are among "other".
    """
    asked = [q for q in read_set(study.data, language) if q.half == half and q.answers]
    true: dict[str, list[bool]] = defaultdict(list)
    caught: dict[str, list[bool]] = defaultdict(list)
    rng = random.Random(3)
    paragraphs = [q.paragraph for q in read_set(study.data, language)]
    with study.assistant(f"{language}-all", paragraphs, mode_of(study, language)) as assistant:
        for q in sample(asked, n):
            sentence = _sentence_of(q)
            if not sentence:
                continue
            answer, kind = q.answers[0], kind_of(q.answers[0])
            passages = assistant.search(q.text)
            citer = Citer(q.text, passages)
            # A true sentence of a paragraph that was not found is rightly told to lack support.
            found = any(
                _plain_spaces(sentence) in _plain_spaces(passage.text) for passage in passages
            )
            for form, text in _forms(sentence, answer, q.paragraph):
                true[form].append(_flagged(citer, text))
                if found:
                    true[f"{form}, paragraph found"].append(true[form][-1])
                    if true[form][-1] and examples:
                        print(f"  flagged: {text!r}")
                for where, other in _others(q, asked, kind, sentence, rng):
                    caught[f"{kind} of {where}, {form}"].append(
                        _flagged(citer, text.replace(answer, other))
                    )
    for form, flags in sorted(true.items()):
        print(f"{language} half {half}: true, {form}: flagged {share(flags)}")
    for form, flags in sorted(caught.items()):
        print(f"{language} half {half}: swapped, {form}: flagged {share(flags)}")


def _plain_spaces(text: str) -> str:
    return " ".join(text.split())


def _sentence_of(q: Asked) -> str:
    for start, end in sentence_spans(q.paragraph):
        text = q.paragraph[start:end]
        if start <= q.start < end and text.count(q.answers[0]) == 1 and len(q.answers[0]) <= 40:
            return text
    return ""


def _forms(sentence: str, answer: str, paragraph: str) -> Iterator[tuple[str, str]]:
    """Ways to say it. A model also puts two sentences together."""
    sentences = [paragraph[start:end] for start, end in sentence_spans(paragraph)]
    at = sentences.index(sentence)
    if at + 1 < len(sentences) and answer not in sentences[at + 1]:
        following = sentences[at + 1]
        word = following.split()[0]
        if word.lower() in STOP_WORDS or f" {word.lower()} " in paragraph:
            following = following[0].lower() + following[1:]
        yield "merged", f"{sentence.rstrip('.')}, and {following}"
    yield "verbatim", sentence
    yield "answer alone", f"{answer}."
    parts = [part.strip() for part in re.split(r"[,;:()–—]", sentence) if answer in part]
    if parts and len(parts[0].split()) >= 5:
        yield "clause", parts[0]


def _others(
    q: Asked, asked: Sequence[Asked], kind: str, sentence: str, rng: random.Random
) -> Iterator[tuple[str, str]]:
    """An answer of the same kind of another paragraph, and of the same one."""
    fitting = [
        (other.answers[0], other.paragraph == q.paragraph)
        for other in asked
        if kind_of(other.answers[0]) == kind
        and other.answers[0] not in sentence
        and q.answers[0] not in other.answers[0]
        and len(other.answers[0]) <= 40
    ]
    for where, same in (("another paragraph", False), ("the same paragraph", True)):
        pool = [text for text, is_same in fitting if is_same is same]
        if pool:
            yield where, rng.choice(pool)


def _flagged(citer: Citer, text: str) -> bool:
    return any(sentence.supported is False for sentence in citer.cite(text))


# --- answers ----------------------------------------------------------------------------------


def answers(study: Study, language: str, half: int, n: int) -> None:
    """The assistant's answers over all paragraphs, and the model's own with the right paragraph."""
    asked = read_set(study.data, language)
    kept = study.out / f"answers-{language}-{half}.json"
    got = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    paragraphs = [q.paragraph for q in asked]
    questions = sample([q for q in asked if q.half == half and q.answers], n)
    with study.assistant(f"{language}-all", paragraphs, mode_of(study, language)) as assistant:
        for q in questions:
            if q.id not in got:
                got[q.id] = {**_answer(assistant, q), "gold": _plain(assistant, q)}
                kept.write_text(json.dumps(got, ensure_ascii=False), "utf-8")
    for what in ("text", "gold"):
        rows = [(got[q.id][what], q.answers) for q in questions]
        em, overlap = (sum(m(t, a) for t, a in rows) / len(rows) for m in (exact_match, f1))
        held = share([contains(t, a) for t, a in rows])
        print(f"{language} half {half} {what}: EM {em:.3f} F1 {overlap:.3f} contains {held}")
    cited = [(quote, q) for q in questions for quote in got[q.id]["quotes"]]
    print(f"citation precision {share([quote in q.paragraph for quote, q in cited])}")
    right = [any(quote in q.paragraph for quote in got[q.id]["quotes"]) for q in questions]
    print(f"citation recall {share(right)}")
    for key in ("abstained", "extracted"):
        print(f"{key} {share([got[q.id][key] for q in questions])}")


def _answer(assistant: Assistant, q: Asked) -> dict[str, object]:
    *_, last = assistant.ask_events(q.text)
    assert isinstance(last, Answered), last
    answer = last.answer
    return {
        "text": answer.text,
        "abstained": answer.abstained,
        "extracted": answer.extracted,
        "quotes": [c.quote for s in answer.sentences for c in s.citations],
    }


def gold(study: Study, language: str, half: int, n: int) -> None:
    """What the bare model makes of the right paragraph, for the questions `nook eval` draws.

    Those of `--limit n` and its seed 0; both halves.
    """
    asked = {q.id: q for q in read_set(study.data, language)}
    path = study.data / (
        "heq/val_v1.1.json" if language == "he" else f"xquad/xquad.{language}.json"
    )
    drawn = read_dataset(path).drawn(n, 0).questions
    questions = [asked[q.id] for q in drawn if asked[q.id].answers]
    texts = []
    with study.assistant(f"{language}-one", [questions[0].paragraph], "lexical") as assistant:
        texts = [_plain(assistant, q) for q in questions]
    pairs = list(zip(texts, [q.answers for q in questions], strict=True))
    for name, measure in (("EM", exact_match), ("F1", f1)):
        values = [measure(text, answers) for text, answers in pairs]
        got = estimate(values)
        print(f"{language} gold {name} {got.value:.3f} [{got.low:.3f}, {got.high:.3f}] n {got.n}")
    print(f"{language} gold contains {share([contains(t, a) for t, a in pairs])}")


_PLAIN_LIMIT = 96
"""Tokens; a small model without instructions may go on and on."""


def _plain(assistant: Assistant, q: Asked) -> str:
    """What the same model says to the right paragraph and the question, and nothing else."""
    model = assistant._model  # The study compares with the bare model.
    info = model.open()
    messages = [Message.of("user", f"{q.paragraph}\n\n{q.text}")]
    ids = model.tokenize(messages)
    limit = min(_PLAIN_LIMIT, info.context_length - len(ids))
    events = model.generate(messages, ids, limit, CancelToken(), q.id)
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def flagged(study: Study, language: str, half: int, n: int) -> None:
    """Like swaps, with the true sentences that are flagged, to read through."""
    swaps(study, language, half, n, examples=True)


PARTS = {
    "flagged": flagged,
    "refusals": refusals,
    "quotes": quotes,
    "swaps": swaps,
    "answers": answers,
    "gold": gold,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--languages", default="en,he,ar")
    parser.add_argument("--embedder", default=EMBEDDER)
    parser.add_argument("--half", type=int, choices=(0, 1), default=1)
    parser.add_argument("-n", type=int, default=150)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    study = Study(given.data, given.out, embedder=given.embedder)
    try:
        for part in given.parts:
            for language in given.languages.split(","):
                PARTS[part](study, language, given.half, given.n)
    finally:
        study.close()


if __name__ == "__main__":
    main()
