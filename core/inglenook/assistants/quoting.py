"""Says that what follows is a quote from the documents, in the language of the question."""

from __future__ import annotations

import re

__all__ = ["quoted"]

_LEADS = (
    (re.compile(r"[\u05d0-\u05ea]"), "במסמכים כתוב: "),
    (re.compile(r"[\u0621-\u064a]"), "جاء في المستندات: "),
)
_LEAD = "From the documents: "


def quoted(question: str, quote: str) -> str:
    """The quote with what tells that it is one."""
    lead = next((lead for script, lead in _LEADS if script.search(question)), _LEAD)
    return f"{lead}“{' '.join(quote.split())}”"
