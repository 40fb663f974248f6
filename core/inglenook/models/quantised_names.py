"""Tags that name the quantisation too, such as `0.5b-instruct-q4_K_M`, and names that are alike.

Ollama's library names each file so; here a model has one tag, and says its quantisation itself.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from inglenook.models.reference import DEFAULT_TAG, Reference

__all__ = ["nearest_names", "same_quantisation", "without_quantisation"]

_QUANTISED = re.compile(
    r"(?P<rest>.*?)-?(?P<kind>i?q\d[a-z0-9_]*|tq\d[a-z0-9_]*|b?f(p)?16|f(p)?32|int[48]|mxfp4)",
    re.IGNORECASE,
)
_TUNED = ("-instruct", "-chat", "-it")
"""What a tag says of a model that is trained to answer; here that goes without saying."""


def without_quantisation(reference: Reference) -> Iterator[tuple[Reference, str]]:
    """What a reference may mean if the end of its tag is a quantisation: reference, quantisation.

    The likeliest comes first; nothing for a tag without one.
    """
    found = _QUANTISED.fullmatch(reference.tag) if reference.tag_given else None
    if found is None:
        return
    rest = found["rest"]
    yield replace(reference, tag=rest or DEFAULT_TAG, tag_given=bool(rest)), found["kind"]
    for ending in _TUNED:
        shorter = rest.lower().removesuffix(ending)
        if shorter != rest.lower():
            yield replace(reference, tag=shorter or DEFAULT_TAG), found["kind"]


def same_quantisation(one: str, other: str) -> bool:
    """Whether two names mean the same: `q4_k_m` and `Q4_K_M`, `fp16` and `F16`."""
    return _plain(one) == _plain(other)


def _plain(kind: str) -> str:
    return kind.casefold().replace("fp", "f")


def nearest_names(name: str, known: Iterable[str]) -> list[str]:
    """The known name that is most like this one: the same but for its marks, else alike; or []."""
    names = list(known)
    letters = _letters(name)
    # `phi4:mini` and `phi4-mini` differ only in what stands between the words.
    same = [one for one in names if letters and _letters(one) == letters]
    return same[:1] or difflib.get_close_matches(name, names, n=1)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold().removesuffix(f":{DEFAULT_TAG}"))
