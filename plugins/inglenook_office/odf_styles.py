"""What the styles of OpenDocument files say that text depends on: headings, lists, what is hidden.

Source: OASIS OpenDocument 1.3, part 3, sections 16 and 17.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from inglenook_office.ordinals import ordinal
from inglenook_office.visible_text import visible
from inglenook_office.xml_events import Attributes, whole_number

__all__ = ["ListStyle", "OdfStyles"]

_LONGEST_CHAIN = 30
_LEVELS = 10
_BULLET = "-"
_NUMBER_STYLES = {
    "1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman",
    "א, ב, ג, ...": "hebrew1", "أ, ب, ت, ...": "arabicAlpha",
}  # fmt: skip


@dataclass(slots=True)
class _Style:
    parent: str = ""
    name: str = ""
    outline: int | None = None
    hidden: bool | None = None
    is_shown: bool = True


@dataclass(slots=True)
class _Level:
    is_bullet: bool = False
    style: str = ""
    prefix: str = ""
    suffix: str = ""
    start: int = 1
    shown_levels: int = 1


@dataclass(slots=True)
class ListStyle:
    """How the items of lists are marked, by level, from 1; counts go on where a list says so."""

    levels: dict[int, _Level] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)

    def restart(self, level: int, before: int | None = None) -> None:
        """The next item of this level is the first one, or the one after `before`."""
        self.counts.pop(level, None)
        if before is not None:
            self.counts[level] = before

    def next_mark(self, level: int) -> str:
        """Count on, and return the mark of the item; "" for none."""
        look = self.levels.get(level)
        if look is None:
            return _BULLET
        self.counts[level] = self.counts.get(level, look.start - 1) + 1
        for deeper in [number for number in self.counts if number > level]:
            del self.counts[deeper]
        if look.is_bullet:
            return _BULLET
        if not look.style:
            return visible(f"{look.prefix}{look.suffix}").strip()
        first = max(1, level - look.shown_levels + 1)
        numbers = [self._number(place) for place in range(first, level + 1)]
        return visible(f"{look.prefix}{'.'.join(filter(None, numbers))}{look.suffix}").strip()

    def _number(self, level: int) -> str:
        look = self.levels.get(level, _Level(style="1"))
        count = self.counts.get(level, look.start)
        return ordinal(count, _NUMBER_STYLES.get(look.style, "decimal")) if look.style else ""


class OdfStyles:
    """The styles of a document; `starts` and `ends` read them from wherever they stand."""

    def __init__(self) -> None:
        self.outline = ListStyle()
        self._styles: dict[tuple[str, str], _Style] = {}
        self._lists: dict[str, ListStyle] = {}
        self._style = _Style()
        self._list = ListStyle()
        self.starts: dict[str, Callable[[Attributes], bool | None]] = {
            "style:style": self._start_style,
            "style:text-properties": self._text_properties,
            "style:table-properties": self._table_properties,
            "style:drawing-page-properties": self._page_properties,
            "text:list-style": self._start_list,
            "text:outline-style": self._start_outline,
            "text:list-level-style-number": self._number_level,
            "text:outline-level-style": self._number_level,
            "text:list-level-style-bullet": self._bullet_level,
            "text:list-level-style-image": self._bullet_level,
        }

    def list_style(self, name: str) -> ListStyle | None:
        return self._lists.get(name)

    def heading_level(self, style: str) -> int | None:
        """The level of headings of this style: 0 for a title; None for plain text."""
        name = style
        for found in self._chain("paragraph", style):
            if found.outline is not None:
                return found.outline or None
            name = found.name
            if name == "Title":
                return 0
        return 0 if name == "Title" else None

    def is_hidden(self, family: str, style: str) -> bool:
        """Whether text of this style is not shown."""
        chain = self._chain(family, style)
        return next((s.hidden for s in chain if s.hidden is not None), False)

    def is_shown(self, family: str, style: str) -> bool:
        """Whether a table or slide of this style is shown."""
        found = self._styles.get((family, style))
        return found is None or found.is_shown

    def _chain(self, family: str, name: str) -> list[_Style]:
        chain: list[_Style] = []
        while (family, name) in self._styles and len(chain) < _LONGEST_CHAIN:
            chain.append(self._styles[family, name])
            name = chain[-1].parent
        if chain and chain[-1].parent:
            chain.append(_Style(name=chain[-1].parent))
        return chain

    def _start_style(self, attributes: Attributes) -> None:
        name = attributes.get("style:name", "")
        level = attributes.get("style:default-outline-level")
        self._style = _Style(
            parent=attributes.get("style:parent-style-name", ""),
            name=name,
            outline=None if level is None else whole_number(level, 0),
        )
        self._styles[attributes.get("style:family", ""), name] = self._style

    def _text_properties(self, attributes: Attributes) -> None:
        display = attributes.get("text:display")
        if display is not None:
            self._style.hidden = display == "none"

    def _table_properties(self, attributes: Attributes) -> None:
        self._style.is_shown = attributes.get("table:display", "true") != "false"

    def _page_properties(self, attributes: Attributes) -> None:
        self._style.is_shown = attributes.get("presentation:visibility", "visible") != "hidden"

    def _start_list(self, attributes: Attributes) -> None:
        self._list = ListStyle()
        self._lists[attributes.get("style:name", "")] = self._list

    def _start_outline(self, _: Attributes) -> None:
        self._list = self.outline

    def _number_level(self, attributes: Attributes) -> None:
        self._list.levels[self._level_of(attributes)] = _Level(
            style=attributes.get("style:num-format", ""),
            prefix=attributes.get("style:num-prefix", ""),
            suffix=attributes.get("style:num-suffix", ""),
            start=whole_number(attributes.get("text:start-value"), 1),
            shown_levels=whole_number(attributes.get("text:display-levels"), 1),
        )

    def _bullet_level(self, attributes: Attributes) -> None:
        self._list.levels[self._level_of(attributes)] = _Level(is_bullet=True)

    def _level_of(self, attributes: Attributes) -> int:
        return min(max(whole_number(attributes.get("text:level"), 1), 1), _LEVELS)
