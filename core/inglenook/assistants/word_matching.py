"""Knows a word again in another form: inflected, with a Hebrew or Arabic prefix, without marks.

The lexical index must not match too much, so it is careful; here two texts are compared word by
word, and a form that is missed calls a true sentence unsupported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from inglenook.assistants.quantities import folded_digits
from inglenook.knowledge.lexical import STOP_WORDS, Analyser

__all__ = ["Token", "WordMatching", "akin"]

_WORD = re.compile(
    r"[^\W_](?:[\w\u0300-\u036f\u0591-\u05c7\u064b-\u065f]|['’״׳\"](?=\w)|[.,:](?=\d))*"
)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0eff\u1780-\u17ff]")
_HEBREW = re.compile(r"[\u05d0-\u05ea]+$")
_ARABIC = re.compile(r"[\u0621-\u064a\u0671-\u06d3]+$")
_FINALS = str.maketrans("ךםןףץ", "כמנפצ")
_HEBREW_SUFFIXES = ("ותיה", "ותיו", "יהמ", "ותמ", "ימ", "ות", "ית", "ית", "יו", "יה", "ה", "ת", "י")
_ARABIC_LETTERS = str.maketrans({"ة": "ه", "ى": "ي", "ئ": "ي", "ؤ": "و", "ٱ": "ا", "ی": "ي"})
_ARABIC_PREFIXES = ("وال", "بال", "كال", "فال", "ولل", "لل", "ال", "و", "ف", "ب", "ل", "ك", "س")
_ARABIC_SUFFIXES = (
    "هما",
    "تها",
    "يه",
    "ات",
    "ون",
    "ين",
    "ان",
    "ها",
    "هم",
    "وا",
    "ه",
    "ا",
    "ي",
    "ت",
)
_LANGUAGE_STOPS = frozenset(
    """der die das den dem des ein eine einer eines einem einen und oder in im ist sind war waren
    wurde wurden wird werden von vom zu zum zur mit auf fur bei nach aus als auch an am dass sich
    es er sie ihre sein seine hat haben hatte nicht uber durch um wie was wer wann wo welche
    welcher welches
    el la los las un una unos unas y o de del al en es son era eran fue fueron ser por para con
    que se su sus lo como mas pero sin sobre entre ha han habia este esta ese esa cual cuales
    quien cuando donde cuanto cuantos cuantas
    le les des du et ou est sont etait ete dans par pour avec que qui il elle ils ne pas au aux
    sur ce cette son sa ses plus
    של את על אל עם זה זו היה היו הייתה היתה הוא היא הם הן גם או כי אם אשר לא יש אין כל אך ידי
    بين عند مع قد كل بعد قبل كما حيث اي ان او ثم لقد وقد وهو وهي""".split()
)
_STOPS = STOP_WORDS | _LANGUAGE_STOPS


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a text.

    Args:
        word: Folded, digits as 0 to 9.
        keys: What it may be known by; two words with a key in common are one.
        content: Whether it says something, unlike "the".
        capital: Whether it is written with a capital letter first.
        opens: Whether a sentence begins with it.
        start, end: Offsets in the text.
    """

    word: str
    keys: frozenset[str]
    content: bool
    capital: bool
    opens: bool
    start: int
    end: int


class WordMatching:
    """Cuts texts into tokens. Keeps what it worked out about words; not for several threads."""

    def __init__(self) -> None:
        self._analyser = Analyser()
        self._keys: dict[str, frozenset[str]] = {}

    def tokens(self, text: str) -> list[Token]:
        """The words of a text in order; pairs of characters where words are not set apart."""
        return list(self._tokens(text))

    def _tokens(self, text: str) -> Iterator[Token]:
        for match in _WORD.finditer(text):
            raw = match.group()
            opens = not text[: match.start()].strip() or bool(
                re.search(r"[.!?…:\n][\"'”’)\]]*\s*[\"'“‘(\[]*$", text[: match.start()][-4:])
            )
            if _CJK.search(raw):
                yield from self._pairs(raw, match.start())
                continue
            word = folded_digits(raw).strip("'’\"")
            if word:
                stop = word in _STOPS or (len(word) == 1 and not word.isdigit())
                yield Token(
                    word,
                    self.keys(word),
                    not stop,
                    raw[0].isupper(),
                    opens,
                    match.start(),
                    match.end(),
                )

    def _pairs(self, raw: str, start: int) -> Iterator[Token]:
        for place, letter in enumerate(raw):
            if _CJK.match(letter):
                both = raw[place : place + 2]
                word = both if len(both) == 2 and _CJK.match(both[1]) else letter
                yield Token(
                    word,
                    frozenset((word,)),
                    len(word) == 2,
                    False,
                    False,
                    start + place,
                    start + place + 1,
                )
            elif place == 0 or _CJK.match(raw[place - 1]):
                run = re.match(r"[^\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+", raw[place:])
                word = folded_digits(run.group() if run else letter)
                yield Token(
                    word,
                    self.keys(word),
                    True,
                    False,
                    False,
                    start + place,
                    start + place + len(word),
                )

    def keys(self, word: str) -> frozenset[str]:
        """What a folded word may be known by."""
        if word not in self._keys:
            self._keys[word] = frozenset(self._forms(word))
        return self._keys[word]

    def _forms(self, word: str) -> Iterator[str]:
        yield word
        if word.isascii() or not (_HEBREW.match(word) or _ARABIC.match(word)):
            yield from self._analyser.terms(word)[-1:]
            return
        if _HEBREW.match(word):
            yield from _semitic(word.translate(_FINALS), "ובהלמשכ", _HEBREW_SUFFIXES, 3)
        else:
            yield from _semitic(
                word.translate(_ARABIC_LETTERS), _ARABIC_PREFIXES, _ARABIC_SUFFIXES, 3
            )


def _semitic(
    word: str, prefixes: Iterable[str], suffixes: tuple[str, ...], least: int
) -> Iterator[str]:
    """The word without up to three prefixes and without one suffix, at least `least` letters."""
    heads = [word]
    for _ in range(3):
        longest = heads[-1]
        cut = next(
            (p for p in prefixes if longest.startswith(p) and len(longest) - len(p) >= least), ""
        )
        if not cut:
            break
        heads.append(longest[len(cut) :])
    for head in heads:
        yield head
        for suffix in suffixes:
            if head.endswith(suffix) and len(head) - len(suffix) >= least:
                yield head[: -len(suffix)]
                break


def akin(one: str, other: str) -> bool:
    """Whether two folded words look like forms of one: a long common beginning, short ends."""
    shorter, longer = sorted((len(one), len(other)))
    if shorter < 4 or any(c.isdigit() for c in one + other):
        return False
    common = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        common += 1
    return common >= max(4, round(0.6 * longer)) and longer - common <= 4
