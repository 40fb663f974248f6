"""A finished answer with its marks: the numbers of its sources, and what has none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from textual.content import Content

from inglenook.tui.foreign_text import shown
from inglenook.types import Answer, Sentence

__all__ = ["NO_SOURCE", "annotated"]

NO_SOURCE = " (no source)"


def annotated(answer: Answer, numbers: Mapping[str, int]) -> Content:
    """The answer's text, a mark behind each sentence that needs one; nothing is left out.

    Args:
        answer: The finished answer.
        numbers: Chunk -> the number of its passage.
    """
    return Content("").join(_parts(answer, numbers))


def _parts(answer: Answer, numbers: Mapping[str, int]) -> Iterator[Content]:
    position = 0
    for sentence in answer.sentences:
        if sentence.start < position or sentence.supported is None:
            continue
        yield shown(answer.text[position : sentence.start])
        said = answer.text[sentence.start : sentence.end]
        if sentence.supported:
            yield shown(said)
            yield shown(_marks(sentence, numbers), "bold $text-accent")
        else:
            yield shown(said, "underline dim")
            yield shown(NO_SOURCE, "$text-warning")
        position = sentence.end
    yield shown(answer.text[position:])


def _marks(sentence: Sentence, numbers: Mapping[str, int]) -> str:
    cited = dict.fromkeys(numbers.get(citation.chunk) for citation in sentence.citations)
    return "".join(f" [{number}]" for number in cited if number is not None)
