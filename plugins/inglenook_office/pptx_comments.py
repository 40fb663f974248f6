"""Reads the comments on slides, in the format of 2007 and in the one of 2018."""

from __future__ import annotations

from collections.abc import Iterable

from inglenook.types import CancelToken
from inglenook_office.flow import Budget
from inglenook_office.package import Package
from inglenook_office.visible_text import one_line
from inglenook_office.xml_events import Attributes, DamagedXmlError, Handlers

__all__ = ["Comments"]


class Comments:
    """Source: ECMA-376-1, 19.4, and [MS-PPTX] 2.16."""

    def __init__(self, package: Package, budget: Budget, cancel: CancelToken) -> None:
        self._package = package
        self._budget = budget
        self._cancel = cancel
        self._authors: dict[str, str] = {}

    def read_authors(self, parts: Iterable[str]) -> None:
        def add(attributes: Attributes) -> None:
            self._authors[attributes.get("id", "")] = one_line(attributes.get("name", ""))

        for part in parts:
            self._read(part, Handlers({"p:cmAuthor": add, "p188:author": add}))

    def of(self, parts: Iterable[str]) -> list[str]:
        """The comments in these parts, each with its author."""
        found: list[tuple[str, list[str]]] = []
        in_text: list[bool] = []

        def begin(attributes: Attributes) -> None:
            found.append((self._authors.get(attributes.get("authorId", ""), ""), []))

        def write(text: str) -> None:
            if in_text and found:
                self._budget.spend(len(text))
                found[-1][1].append(text)

        handlers = Handlers(
            {
                **dict.fromkeys(("p:cm", "p188:cm", "p188:reply"), begin),
                **dict.fromkeys(("p:text", "a:t"), lambda _: in_text.append(True)),
            },
            {**dict.fromkeys(("p:text", "a:t"), in_text.clear), "a:p": lambda: write("\n")},
            write,
        )
        for part in parts:
            self._read(part, handlers)
        texts = ((author, one_line("".join(pieces))) for author, pieces in found)
        return [
            f"[Comment by {author}: {text}]" if author else f"[Comment: {text}]"
            for author, text in texts
            if text
        ]

    def _read(self, part: str, handlers: Handlers) -> None:
        try:
            self._package.read_whole(part, handlers, self._cancel)
        except DamagedXmlError:
            return  # the comments before the damage are kept
