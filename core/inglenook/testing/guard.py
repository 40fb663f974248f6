"""Keeps a conformance kit whole: a subclass may not replace one of its tests unseen."""

from __future__ import annotations

from typing import Any

__all__ = ["Kit"]


class Kit:
    """The base of every kit. A subclass fills in fixtures and capability flags, not tests.

    A test that a part cannot pass is overridden with `pytest.mark.xfail(reason="…")`, so that
    the gap is visible; an override without it is refused when the class is made.
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for name, test in vars(cls).items():
            if name.startswith("test_") and _stands_in_a_kit(cls, name) and not _is_xfail(test):
                raise TypeError(
                    f"{cls.__name__} overrides {name} of its kit. Name the new test otherwise, or"
                    " mark it with pytest.mark.xfail(reason=...) if the part cannot pass."
                )


def _stands_in_a_kit(cls: type, name: str) -> bool:
    return any(name in vars(ancestor) for ancestor in cls.__mro__[1:])


def _is_xfail(test: object) -> bool:
    marks = getattr(test, "pytestmark", [])
    return any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks)
