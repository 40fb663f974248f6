"""Tells a sentence that says "I do not know" from one that claims something."""

from __future__ import annotations

import re

__all__ = ["is_refusal"]

_REFUSALS = (
    re.compile(
        r"^\W*(?:(?:i'm |i am )?sorry,? (?:but )?)?(?:i|we|(?:the |these |this |your )?"
        r"(?:provided |given )?"
        r"(?:documents?|passages?|texts?|context|manual|sources?|information)"
        r"|there (?:is|are))\b"
        r"[^.,;]{0,40}?(?:\bnot\b|n['’]t\b|\bno\b|\bcannot\b|\bunable\b)[^.,;]{0,60}"
        r"(?:mention\w*|stat\w*|specif\w*|provid\w*|find|found|contain\w*|know|information|answer|"
        r"say|documents?|passages?|manual)\b",
        re.IGNORECASE,
    ),
    re.compile(r"^\W*(?:אני |אנחנו )?(?:לא מצאתי|לא נמצא\w*|אין (?:לי )?מידע|איני יודע|לא יודע)"),
    re.compile(r"^\W*(?:לא )?(?:ה?(?:קטעים|מסמכים|טקסט)) (?:לא|אינם|אינו|אין)\b"),
    re.compile(r"^\W*(?:لم أجد|لم اجد|لا أعرف|لا توجد معلومات|لا يوجد|لا أعلم)"),
    re.compile(
        r"^\W*(?:ich (?:habe|konnte|weiß|weiss|kann)|"
        r"(?:die|der|das) (?:dokumente?|text|abschnitte?))"
        r"\b[^.;]{0,60}(?:nicht|keine?)\b",
        re.IGNORECASE,
    ),
    re.compile(
        r"^\W*(?:no (?:he )?(?:encontr\w+|sé|puedo)|"
        r"(?:los |el )?(?:documentos?|texto|pasajes?) no)\b",
        re.IGNORECASE,
    ),
    re.compile(r"^\W*(?:我不知道|没有找到|文中没有|文档中没有|未提及|我没有找到)"),
)


def is_refusal(sentence: str) -> bool:
    """Whether the sentence says that the documents, or the speaker, have no answer."""
    return any(pattern.search(sentence) for pattern in _REFUSALS)
