"""What a chat template may cost: one budget of characters and steps, and one of time, per render.

Every operation that can make something large pays before it runs, so a hostile template ends in
an error within a moment instead of filling the memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2.utils import Namespace

__all__ = ["Budget", "LimitExceeded"]

_LARGEST_INT_BITS = 4096


class LimitExceeded(Exception):
    """The template asked for more than it may have."""


class Budget:
    """Counts down while a template renders.

    Args:
        work: How many characters and steps the render may use in all.
        seconds: How long it may take.
        clock: Monotonic seconds.
    """

    def __init__(self, work: int, seconds: float, clock: Callable[[], float]) -> None:
        self.limit = work
        self.left = work
        self.clock = clock
        self.deadline = clock() + seconds

    def spend(self, amount: int) -> None:
        """Pay for `amount` characters or steps.

        Raises:
            LimitExceeded: Too little is left, or the time is over.
        """
        self.left -= amount
        if self.left < 0:
            raise LimitExceeded("it would take too much memory or too many steps")
        if self.clock() > self.deadline:
            raise LimitExceeded("it takes too long")

    def counted(self, items: Iterable[Any], cost: int = 1) -> Iterator[Any]:
        """The items, each paid for as it is taken."""
        for item in items:
            self.spend(cost)
            yield item

    def measure(self, value: object) -> int:
        """The characters that `value` has if it is written out, what it shares counted each time.

        Raises:
            LimitExceeded: More than the budget, or a namespace inside a container (it could be
                filled after it was measured).
        """
        size = self._size(value, {})
        if size > self.limit:
            raise LimitExceeded("a list or mapping in it is too large")
        return size

    def _size(self, value: object, known: dict[int, int]) -> int:
        if isinstance(value, str):
            return len(value) + 2
        if isinstance(value, int):
            return value.bit_length() // 3 + 1
        if isinstance(value, Mapping):
            parts: Iterable[object] = (part for pair in value.items() for part in pair)
        elif isinstance(value, list | tuple | set):
            parts = value
        elif isinstance(value, range):
            return len(value) * 6
        elif isinstance(value, Namespace) and known:
            raise LimitExceeded("a namespace cannot be part of a list or mapping")
        else:
            return 20
        if id(value) not in known:
            known[id(value)] = 0
            self.spend(len(value))
            known[id(value)] = 2 + sum(self._size(part, known) for part in parts)
        return known[id(value)]

    # --- operations that multiply ---------------------------------------------------------

    def before_operator(self, operator: str, left: Any, right: Any) -> None:
        """Pay for `left operator right` before it is worked out."""
        numbers = isinstance(left, int) and isinstance(right, int)
        if operator == "*" and not numbers:
            self._repeat(left, right)
        elif operator == "*":
            self._bits(left.bit_length() + right.bit_length())
        elif operator == "**" and numbers:
            self._bits(left.bit_length() * abs(right))
        elif operator == "%" and isinstance(left, str):
            self.before_percent(left, right)
        elif operator == "+" and not numbers:
            self.spend(self.measure(left) + self.measure(right))
        else:
            self.spend(1)

    def _repeat(self, left: Any, right: Any) -> None:
        sequence, times = (right, left) if isinstance(left, int) else (left, right)
        if isinstance(times, int):
            self.spend(max(0, times) * self.measure(sequence) + 1)

    def _bits(self, bits: int) -> None:
        self.spend(1)
        if bits > _LARGEST_INT_BITS:
            raise LimitExceeded("a number in it is too large")

    def before_percent(self, text: str, values: object) -> None:
        """Pay for `text % values`."""
        if re.search(r"%[^a-zA-Z%]*\*|[0-9]{4}", text):
            raise LimitExceeded("a field width in it is too large")
        self.spend(len(text) + text.count("%") * (self.measure(values) + 1000))

    def before_format(self, text: str, values: object) -> None:
        """Pay for `text.format(...)`."""
        if re.search(r"\{[^{}]*\{|:[^{}]*[0-9]{4}", text):
            raise LimitExceeded("a field width in it is too large")
        self.spend(len(text) + text.count("{") * (self.measure(values) + 1000))

    def before_replace(self, text: str, old: str, new: str) -> None:
        """Pay for `text.replace(old, new)`."""
        self.spend(len(text) + text.count(old) * max(0, len(new) - len(old)))

    def before_join(self, separator: str, items: list[Any]) -> None:
        """Pay for `separator.join(items)`."""
        self.spend(self.measure(items) + len(separator) * len(items))

    def before_indent(self, text: str, width: object) -> None:
        """Pay for indenting each line of `text` by `width`, a number or a text."""
        each = len(width) if isinstance(width, str) else width if isinstance(width, int) else 0
        self.spend(len(text) + (text.count("\n") + 1) * max(0, each))
