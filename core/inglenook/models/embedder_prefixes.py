"""What well-known families of embedders want before a question and before a passage.

Only for folders that do not say so themselves; what is here is what the models' own cards say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["FamilyHabits", "habits_of"]


@dataclass(frozen=True, slots=True)
class FamilyHabits:
    """How the models of a family are used.

    Args:
        query_prefix: Put before a question.
        passage_prefix: Put before a document's text.
        pooling: `mean` or `cls`.
        languages: ISO 639-1 codes of what it was trained for; empty for any, or where not known.
    """

    query_prefix: str = ""
    passage_prefix: str = ""
    pooling: str = "mean"
    languages: tuple[str, ...] = ()


_SEARCH = "Represent this sentence for searching relevant passages: "
_INSTRUCT = (
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "
)
_CHINESE = "为这个句子生成表示以用于检索相关文章："
_ENGLISH = ("en",)
_FAMILIES = (
    # The first that fits; `(?<![a-z])` keeps "e5" from being found inside another word.
    (r"(?<![a-z])e5-.*instruct|e5-mistral", FamilyHabits(_INSTRUCT)),
    (r"multilingual-e5", FamilyHabits("query: ", "passage: ")),
    (r"(?<![a-z0-9])e5-(small|base|large)", FamilyHabits("query: ", "passage: ", "mean", _ENGLISH)),
    (r"(?<![a-z0-9])e5(?![a-z0-9])", FamilyHabits("query: ", "passage: ")),
    (r"bge-(micro|small|base|large)-en", FamilyHabits(_SEARCH, "", "cls", _ENGLISH)),
    (r"bge-(small|base|large)-zh", FamilyHabits(_CHINESE, "", "cls", ("zh",))),
    (r"(?<![a-z])bge-m3", FamilyHabits("", "", "cls")),
    (r"mxbai-embed", FamilyHabits(_SEARCH, "", "cls", _ENGLISH)),
    (r"arctic-embed-.*v2", FamilyHabits("query: ", "", "cls")),
    (r"arctic-embed", FamilyHabits(_SEARCH, "", "cls", _ENGLISH)),
    (r"nomic-embed", FamilyHabits("search_query: ", "search_document: ")),
    (r"all-(minilm|mpnet|distilroberta)|multi-qa", FamilyHabits(languages=_ENGLISH)),
)


def habits_of(*names: str) -> FamilyHabits:
    """The habits of the family that one of the names (of a folder, of a model) tells of."""
    for name in names:
        for pattern, habits in _FAMILIES:
            if re.search(pattern, name.lower().replace("_", "-")):
                return habits
    return FamilyHabits()
