"""Judges whether a place in a passage carries a sentence: its numbers, names, words and sense.

A small model copies and swaps. So what can be swapped is held against the place word by word:
every number with its unit, every date and name must stand there, most other words too, and no
number, name or word may stand in the slot of another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import product

from inglenook.assistants.quantities import Quantities, carries, is_numeric, read_quantities
from inglenook.assistants.word_matching import Token, WordMatching, akin

__all__ = ["ENOUGH", "Claim", "Evidence", "Judge", "Verdict"]

ENOUGH = 0.6
"""The share of a sentence's informative words that must stand in the place."""
LONG = 6
ENOUGH_OF_MANY = 0.7
"""The same for a sentence of more than `LONG` of them: by chance many stand anywhere."""
CAPITALS_SAY_LITTLE = 0.3
"""Above this share of capitals inside sentences they do not mark names, as in German."""
REACH = 3
"""How many words to each side tell the slot that a number or name stands in."""
FITS = 1.6
"""How many informative words must be alike around a slot before it is the same one."""
CLEARLY = 1.0
"""By how much another one's slot must fit better before it counts as swapped."""

ALIKE = 0.65
"""A claim with this share of its words in the order of the place is a copy of it."""
COPY = 0.85
MOST_EXCHANGED = 6

_NEGATIONS = frozenset(
    """not never no cannot none nobody nothing neither nor without hardly
    nicht kein keine keinen keiner keinem nie niemals ohne weder
    nunca sin ningun ninguna ninguno nadie tampoco jamais sans aucun aucune
    לא אין אינו אינה אינם אינן איני אסור ללא בלי מעולם לעולם איננו
    لا لم لن ليس ليست ليسوا بدون بلا غير دون 不是 没有 不能 不会 不得""".split()
)
_NEGATIONS |= {
    "".join(pair)
    for prefixes, letters in (("ו ש וש כש", "א-ת"), ("و", "ء-ي"))
    for pair in product(prefixes.split(), _NEGATIONS)
    if re.match(f"[{letters}]", pair[1])
}
_SOFT_NEGATIONS = (
    *"forbid forbad prohibit unable fail lack refus except unless only reject deni deny".split(),
    *"ban exclud prevent verbot prohib אסור נמנע ممنوع".split(),
)
"""Beginnings of words that deny without a "not"."""
_MODALS = frozenset(
    """allowed permitted required able possible erlaubt gestattet permitido autorise
    רשאי רשאית רשאים ניתן מותר אפשר יכול חייב يجوز يمكن يسمح يحق يجب""".split()
)
"""A denial of these is one of what follows."""
_WHO = re.compile(r"^\W*(?:\w+ )?(?:who|whose|whom|which|where)\b", re.IGNORECASE)
_CONTRACTED = ("n't", "n’t")


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence, taken apart."""

    tokens: tuple[Token, ...]
    quantities: Quantities
    content: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A place, taken apart, and what stands around it in its passage."""

    tokens: tuple[Token, ...]
    keys: frozenset[str]
    quantities: Quantities
    around: frozenset[str]
    around_quantities: Quantities


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: the `share` of the words that stand there, and what is `wrong`.

    That is "number", "name" or "words" for what is missing, "negation" or "swapped" for what
    the place says otherwise, and "" for nothing.
    """

    share: float
    wrong: str = ""


class Judge:
    """Holds claims against places, for one question.

    Args:
        words: How words are known again.
        question: What it names need not be named in the place again.
        capitals: Whether a capital letter marks a name in these documents.
    """

    def __init__(self, words: WordMatching, question: str, *, capitals: bool) -> None:
        self._words = words
        self._capitals = capitals
        asked = words.tokens(question)
        self._asked = frozenset(key for token in asked for key in token.keys)
        self._asked_quantities = read_quantities(question)
        self._asks_who = bool(_WHO.search(question))

    def claim(self, text: str) -> Claim:
        """Take a sentence apart."""
        tokens = tuple(self._words.tokens(text))
        content = tuple(t for t in tokens if t.content and not is_numeric(t.word))
        return Claim(tokens, read_quantities(text), content)

    def verdict(self, claim: Claim, place: Evidence) -> Verdict:
        """Whether the place carries the claim."""
        if not self._numbers_stand(claim, place):
            return self._without_number(claim, place)
        if any(not self._name_stands(token, place) for token in self._names(claim)):
            return Verdict(0.0, "name")
        share = self._share(claim, place)
        if share < _least(claim):
            return Verdict(share, "words")
        if _polarity_differs(claim.tokens, place.tokens):
            return Verdict(share, "negation")
        if self._is_swapped(claim, place):
            return Verdict(share, "swapped")
        return Verdict(share)

    def _without_number(self, claim: Claim, place: Evidence) -> Verdict:
        """What a place says that has another number than the claim: otherwise, or nothing."""
        share = self._share(claim, place)
        is_single = len(claim.quantities.numbers) == 1 and not claim.quantities.dates
        if is_single and claim.content and share >= _least(claim):
            ours = _slots(claim.tokens, _number_in(claim.quantities))
            if _in_another_slot(ours, _slots(place.tokens, _number_in(place.quantities))):
                return Verdict(share, "swapped")
        return Verdict(0.0, "number")

    # --- what must stand there ----------------------------------------------------------------

    def _numbers_stand(self, claim: Claim, place: Evidence) -> bool:
        # What the question has named need not be repeated in the passage.
        asked = {number.value for number in self._asked_quantities.numbers}
        numbers = tuple(n for n in claim.quantities.numbers if n.value not in asked)
        dates = tuple(d for d in claim.quantities.dates if d not in self._asked_quantities.dates)
        return carries(place.quantities, Quantities(numbers, dates))

    def _names(self, claim: Claim) -> Iterator[Token]:
        if not self._capitals:
            return
        tokens = claim.tokens
        for number, token in enumerate(tokens):
            if not token.capital or not token.content or read_quantities(token.word):
                continue
            follows = number + 1 < len(tokens) and tokens[number + 1].capital
            if not token.opens or self._asks_who or (follows and tokens[number + 1].content):
                yield token

    def _name_stands(self, token: Token, place: Evidence) -> bool:
        return bool(token.keys & (place.around | self._asked))

    def _share(self, claim: Claim, place: Evidence) -> float:
        """The share of the claim's words in the place.

        Those that stand only around it, or that the question has brought in, count half.
        """
        if not claim.content:
            return 1.0
        got = 0.0
        for token in claim.content:
            if token.keys & place.keys or any(akin(token.word, t.word) for t in place.tokens):
                got += 1
            elif token.keys & (place.around | self._asked):
                got += 0.5
        return got / len(claim.content)

    # --- what must not be exchanged -----------------------------------------------------------

    def _is_swapped(self, claim: Claim, place: Evidence) -> bool:
        if _in_another_slot(
            _slots(claim.tokens, _number_in(claim.quantities)),
            _slots(place.tokens, _number_in(place.quantities)),
        ):
            return True
        if self._capitals and _in_another_slot(
            _slots(claim.tokens, _name, runs=True), _slots(place.tokens, _name, runs=True)
        ):
            return True
        return _word_exchanged(claim, place, self._asked)


def _least(claim: Claim) -> float:
    """The share of its words that must stand in a place."""
    return ENOUGH if len(claim.content) <= LONG else ENOUGH_OF_MANY


# --- denial -----------------------------------------------------------------------------------


def _negates(token: Token) -> bool:
    return token.word in _NEGATIONS or token.word.endswith(_CONTRACTED)


def _polarity_differs(claim: Sequence[Token], place: Sequence[Token]) -> bool:
    """Whether one of the two denies what the other says.

    A denial is about the informative words after it, so "must not be shared, and must have 14
    characters" does not deny that it must have 14.
    """
    denied = _denied(place, 2)
    others = _beside_denied(place, denied)
    # What the place affirms elsewhere does not tell which of the two it denies.
    denied = [token for token in denied if not _meets(token, others)] or denied
    has_soft = any(token.word.startswith(_SOFT_NEGATIONS) for token in place)
    if any(_negates(token) for token in claim):
        near = any(_meets(token, denied) for token in claim if token.content)
        return not (has_soft or near)
    if any(token.word.startswith(_SOFT_NEGATIONS) for token in claim):
        return False
    first = _denied(place, 1)
    affirmed = [token for token in _beside_denied(place, first) if _meets(token, first)]
    return any(
        _meets(token, first) and not _meets(token, affirmed) for token in claim if token.content
    )


def _denied(tokens: Sequence[Token], reach: int) -> list[Token]:
    """The first `reach` informative words after each denial, and "allowed" before them."""
    found: list[Token] = []
    for number, token in enumerate(tokens):
        if not _negates(token):
            continue
        left = reach
        for following in tokens[number + 1 : number + 6]:
            if following.content and left:
                found.append(following)
                left -= not following.keys & _MODALS
    return found


def _beside_denied(tokens: Sequence[Token], denied: Sequence[Token]) -> list[Token]:
    """The informative words that no denial is about."""
    ids = {id(token) for token in denied}
    return [token for token in tokens if token.content and id(token) not in ids]


def _meets(token: Token, others: Sequence[Token]) -> bool:
    return any(token.keys & other.keys or akin(token.word, other.word) for other in others)


# --- slots ------------------------------------------------------------------------------------


_Kind = Callable[[Token], frozenset[str]]
"""What of one kind a token is; empty for a token of another kind."""


def _number_in(quantities: Quantities) -> _Kind:
    """Numbers of a text that are no part of a date, by the digits that tell them apart.

    So the 66 of "66 million" has a slot too, the same one as 66,000,000.
    """
    known = {_significant(number.value) for number in quantities.numbers}

    def kind(token: Token) -> frozenset[str]:
        found = read_quantities(token.word).numbers
        return frozenset(_significant(n.value) for n in found if not n.weak) & known

    return kind


def _significant(value: str) -> str:
    return value.replace(".", "").strip("0") or "0"


def _name(token: Token) -> frozenset[str]:
    is_name = token.capital and token.content and not is_numeric(token.word)
    return token.keys if is_name else frozenset()


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where a number or a name stands: what it is and the words to both sides."""

    what: frozenset[str]
    before: tuple[Token, ...]
    after: tuple[Token, ...]


def _slots(tokens: Sequence[Token], kind: _Kind, *, runs: bool = False) -> list[_Slot]:
    """The slots of a text that hold something of one kind; with `runs`, several words hold one."""
    slots = []
    first = 0
    while first < len(tokens):
        last = first
        if kind(tokens[first]):
            while runs and last + 1 < len(tokens) and kind(tokens[last + 1]):
                last += 1
            what = frozenset(key for token in tokens[first : last + 1] for key in kind(token))
            before, after = max(0, first - REACH), last + 1 + REACH
            slots.append(_Slot(what, tuple(tokens[before:first]), tuple(tokens[last + 1 : after])))
        first = last + 1
    return slots


def _in_another_slot(claimed: Sequence[_Slot], there: Sequence[_Slot]) -> bool:
    """Whether something of the claim stands where the place has another thing of its kind."""
    for slot in claimed:
        own = max((_fit(slot, s) for s in there if s.what & slot.what), default=0.0)
        others = [_fit(slot, s) for s in there if not s.what & slot.what]
        if others and max(others) - own >= CLEARLY and max(others) >= FITS:
            return True
    return False


def _fit(one: _Slot, other: _Slot) -> float:
    return _side(one.before[::-1], other.before[::-1]) + _side(one.after, other.after)


def _side(ours: Sequence[Token], theirs: Sequence[Token]) -> float:
    """How alike the words of one side are, counted outwards from the slot."""
    total = 0.0
    for distance, token in enumerate(ours):
        for other_distance, other in enumerate(theirs):
            if token.keys & other.keys:
                weight = 1.0 if token.content else 0.3
                total += weight * (1.0 if distance == other_distance else 0.6)
                break
    return total


# --- words ------------------------------------------------------------------------------------


def _word_exchanged(claim: Claim, place: Evidence, asked: frozenset[str]) -> bool:
    """Whether words of the claim stand where the place, else alike, has others.

    The more alike the two are, the less an exchange is a way to put it.
    """
    ours, theirs = _numbered(claim.tokens, place.tokens)
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    codes = matcher.get_opcodes()
    for number, code in enumerate(codes):
        if code[0] != "replace":
            continue
        exchange = _Exchange.of(claim, place, code)
        near = (
            _evidence(claim.tokens, codes[number - 1] if number else None, last=True),
            _evidence(claim.tokens, (*codes, None)[number + 1], last=False),
        )
        bounded = all(near) or (exchange.at_edge and sum(near) >= 2)
        if bounded and exchange.contradicts(_alike(claim, place, codes, code), asked):
            return True
    return False


_Code = tuple[str, int, int, int, int]


def _alike(claim: Claim, place: Evidence, codes: Sequence[_Code], exchanged: _Code) -> float:
    """How much of a copy the claim is beside the exchanged words, 0 to 1.

    Words that it has beside the place's, or leaves out between them, make it less of one.
    """
    matched = others = 0
    equal = [number for number, code in enumerate(codes) if code[0] == "equal"]
    for number, code in enumerate(codes):
        ours = sum(token.content for token in claim.tokens[code[1] : code[2]])
        theirs = sum(token.content for token in place.tokens[code[3] : code[4]])
        if code[0] == "equal":
            matched += ours
        elif code[0] == "insert" and equal and equal[0] < number < equal[-1]:
            others += theirs
        elif code != exchanged:
            others += ours
    return matched / max(1, matched + others)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """Words of a claim where the place has other ones."""

    ours: tuple[Token, ...]
    theirs: tuple[Token, ...]
    at_edge: bool

    @classmethod
    def of(cls, claim: Claim, place: Evidence, code: _Code) -> _Exchange:
        _, i1, i2, j1, j2 = code
        first, last = _beside(i1, i2, j1, j2, len(claim.tokens))
        return cls(
            claim.tokens[i1:i2], place.tokens[first:last], i1 == 0 or i2 == len(claim.tokens)
        )

    def contradicts(self, alike: float, asked: frozenset[str]) -> bool:
        """Whether it is another thing and not another word for the same."""
        # Numbers are held against each other by what they are worth, not by how they are written.
        said = [t for t in self.ours if t.content and not is_numeric(t.word)]
        stands = [t for t in self.theirs if t.content and not is_numeric(t.word)]
        sizes = (len(self.ours), len(self.theirs))
        longest = MOST_EXCHANGED if alike >= ALIKE else 2
        if not said or not stands or max(sizes) > longest:
            return False
        is_copy = alike >= COPY or any(token.capital for token in self.ours)
        if abs(sizes[0] - sizes[1]) > 1 and not is_copy:
            return False
        if any(_meets(token, stands) for token in said):
            return False
        # The question's own word for it is no invention.
        return not all(token.keys & asked for token in said)


def _beside(i1: int, i2: int, j1: int, j2: int, length: int) -> tuple[int, int]:
    """What of the place lies beside the exchanged words, where the claim begins or ends with them.

    The place goes on there; only as much of it counts as the claim has words, and a few more.
    """
    most = i2 - i1 + 2
    if i1 == 0:
        return max(j1, j2 - most), j2
    if i2 == length:
        return j1, min(j2, j1 + most)
    return j1, j2


def _evidence(tokens: Sequence[Token], code: _Code | None, *, last: bool) -> int:
    """How many informative words of an equal stretch lie next to the exchanged ones."""
    if code is None or code[0] != "equal":
        return 0
    stretch = tokens[code[1] : code[2]]
    near = stretch[-4:] if last else stretch[:4]
    return sum(token.content for token in near)


def _numbered(claim: Sequence[Token], place: Sequence[Token]) -> tuple[list[int], list[int]]:
    """The two texts as numbers, the same one for what is the same word."""
    known: dict[str, int] = {}
    theirs = []
    for token in place:
        number = next((known[key] for key in token.keys if key in known), len(known) + 1)
        for key in token.keys:
            known.setdefault(key, number)
        theirs.append(number)
    ours = []
    for number, token in enumerate(claim):
        found = next((known[key] for key in token.keys if key in known), 0)
        if not found and token.content:
            found = next((known[t.word] for t in place if akin(token.word, t.word)), 0)
        ours.append(found or -number - 1)
    return ours, theirs
