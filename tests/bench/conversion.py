"""How long a conversion takes, what memory it needs, and how much of the model is left.

    python tests/bench/conversion.py [--model NAME …] [--precision NAME …] [--questions] [--json]

Each precision is made of each model in a home of its own that borrows the models of
INGLENOOK_TEST_MODELS, and is compared with its source. With --questions the shipped assistants
answer the shipped questions with the source and with each result, which takes minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from inglenook.assistants.composition import pick_runtime
from inglenook.assistants.installation import Installation
from inglenook.models.conversion import Converted, convert_model, plan_conversion
from inglenook.models.fidelity import ComparedModel, Fidelity, compare_models
from inglenook.types import CancelToken

ROOT = Path(__file__).parents[2]
MODELS = Path(os.environ.get("INGLENOOK_TEST_MODELS", ROOT / ".local/test"))
PRECISIONS = ("int4", "int8", "fp32")


def converted(home: Installation, model: str, precision: str) -> tuple[Converted, float]:
    """The new model, and how long it took in seconds."""
    began = time.monotonic()
    plan = plan_conversion(model, "onnx", precision, home.library, home.host, replaces=True)
    events = list(convert_model(plan, home.library, home.paths.logs / "convert.log", CancelToken()))
    done = events[-1]
    assert isinstance(done, Converted)
    return done, time.monotonic() - began


def compared(home: Installation, model: str, done: Converted) -> Fidelity:
    sides = []
    for name, files in ((model, home.library.get(model)), (done.name, done.files)):
        entry = pick_runtime(home.host, None, files)
        sides.append(ComparedModel(name, entry.factory.name, entry.factory.load, files))
    log = home.paths.logs / "convert.log"
    *_, fidelity = compare_models(sides[0], sides[1], log, CancelToken())
    assert isinstance(fidelity, Fidelity)
    return fidelity


def right_answers(home: Installation, model: str, threads: int, most: int) -> tuple[int, int]:
    """How many of the shipped questions are answered with the right fact, and of how many."""
    questions = json.loads((ROOT / "tests/quality/questions.json").read_text("utf-8"))
    questions = questions[:most] if most else questions
    right = 0
    for name in sorted({question["assistant"] for question in questions}):
        assistant = home.assistant_from_file(
            ROOT / "assistants" / name,
            change=lambda profile: replace(
                profile,
                models=(model,),
                parameters={**profile.parameters, **({"num_thread": threads} if threads else {})},
            ),
        )
        assistant.ingest()
        for question in (q for q in questions if q["assistant"] == name):
            text = assistant.ask(question["question"]).text
            right += any(_states(text, fact) for fact in question["fact"])
        assistant.close()
    return right, len(questions)


def _states(text: str, fact: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(fact.lower())}(?!\w)", text.lower()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", nargs="+", default=["smollm2:135m"])
    parser.add_argument("--precision", nargs="+", default=list(PRECISIONS), choices=PRECISIONS)
    parser.add_argument("--questions", action="store_true")
    parser.add_argument("--most", type=int, default=0, help="only so many of the questions")
    parser.add_argument("--threads", type=int, default=0, help="for answers, on a busy machine")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="nook-bench-") as scratch:
        home = Path(scratch, "home")
        shutil.copytree(MODELS / "data" / "models", home / "data" / "models")
        with Installation.open(home=home) as installation:
            for model in options.model:
                rows += _rows(installation, model, options)
    if options.json:
        print(json.dumps(rows, indent=1))
    return 0


def _rows(home: Installation, model: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    if options.questions:
        right, of = right_answers(home, model, options.threads, options.most)
        rows.append({"model": model, "right": right, "of": of})
        print(f"{model}: {right} of {of} questions answered rightly", flush=True)
    for precision in options.precision:
        done, seconds = converted(home, model, precision)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        row = {"model": done.name, "seconds": round(seconds, 2), "size_bytes": done.size_bytes}
        row |= {"peak_bytes_so_far": peak, **compared(home, model, done).form()}
        print(
            f"{done.name}: {seconds:.1f} s, {done.size_bytes / 1e6:.0f} MB; the same likeliest"
            f" token in {row['text_agreement']:.1%} of {row['text_places']} places of text and"
            f" {row['answer_agreement']:.1%} of {row['answer_places']} of answers, perplexity"
            f" {row['perplexity_growth']:+.1%}",
            flush=True,
        )
        if options.questions:
            row["right"], row["of"] = right_answers(home, done.name, options.threads, options.most)
            print(f"{done.name}: {row['right']} of {row['of']} answered rightly", flush=True)
        rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main())
