"""The marks of lists in Word documents: `1.`, `2.3`, `a)`, `-`, counted as Word counts them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from inglenook.types import CancelToken
from inglenook_office.docx_styles import is_on
from inglenook_office.ordinals import ordinal
from inglenook_office.package import Package
from inglenook_office.visible_text import visible
from inglenook_office.xml_events import Attributes, Handlers, whole_number

__all__ = ["Lists"]

_LEVELS = 9
_BULLET = "-"
_PLACE = re.compile(r"%([1-9])")
_LONGEST_MARK = 40


@dataclass(slots=True)
class _Level:
    start: int = 1
    style: str = "decimal"
    pattern: str = ""
    paragraph_style: str = ""
    all_decimal: bool = False


@dataclass(slots=True)
class _Design:
    """An abstract list: how each level looks. Lists of one design count on together."""

    levels: dict[int, _Level] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    style_link: str = ""


@dataclass(slots=True)
class _List:
    design: str = ""
    restarts: dict[int, int] = field(default_factory=dict)


class Lists:
    """The lists of a document. Source: ECMA-376-1, 17.9.

    Args:
        list_of_style: The list of a style of lists, by its id.
    """

    def __init__(self, list_of_style: Callable[[str], str]) -> None:
        self._designs: dict[str, _Design] = {}
        self._lists: dict[str, _List] = {}
        self._list_of_style = list_of_style

    def read(self, package: Package, part: str, cancel: CancelToken) -> None:
        """Read the numbering. Raises `DamagedXmlError`; what stands before the damage is kept."""
        package.read_whole(part, _ListReader(self._designs, self._lists).handlers, cancel)

    def level_of(self, list_id: str, paragraph_style: str) -> int:
        """The level of a list that belongs to a style of paragraphs; 0 if none does."""
        design = self._design(list_id)
        if design and paragraph_style:
            for number, level in design.levels.items():
                if level.paragraph_style == paragraph_style:
                    return number
        return 0

    def next_mark(self, list_id: str, level: int) -> str:
        """Count on, and return the mark that stands before the item; "" for none."""
        design = self._design(list_id)
        if design is None:
            return ""
        level = min(max(level, 0), _LEVELS - 1)
        restarts = self._lists[list_id].restarts
        if level in restarts:
            design.counts[level] = restarts.pop(level) - 1
        look = design.levels.get(level, _Level(style="none"))
        design.counts[level] = design.counts.get(level, look.start - 1) + 1
        for deeper in [number for number in design.counts if number > level]:
            del design.counts[deeper]
        if look.style == "bullet":
            return _BULLET
        if look.style == "none" and not _PLACE.search(look.pattern):
            return visible(look.pattern).strip()[:_LONGEST_MARK]
        return self._numbered(design, look)

    def _numbered(self, design: _Design, look: _Level) -> str:
        def number(match: re.Match[str]) -> str:
            place = int(match[1]) - 1
            level = design.levels.get(place, _Level())
            style = "decimal" if look.all_decimal else level.style
            count = design.counts.get(place, level.start)
            return "" if style == "none" else ordinal(count, style)

        return visible(_PLACE.sub(number, look.pattern)).strip()[:_LONGEST_MARK]

    def _design(self, list_id: str) -> _Design | None:
        for _ in range(_LEVELS):
            found = self._lists.get(list_id)
            design = self._designs.get(found.design) if found else None
            if design is None or design.levels or not design.style_link:
                return design
            list_id = self._list_of_style(design.style_link)
        return None


class _ListReader:
    """Fills the designs and lists from `word/numbering.xml`."""

    def __init__(self, designs: dict[str, _Design], lists: dict[str, _List]) -> None:
        self._designs = designs
        self._lists = lists
        self._design = _Design()
        self._list = _List()
        self._level = _Level()
        self._in_list = False
        self._level_number = 0
        self.handlers = Handlers({
            "w:abstractNum": self._start_design,
            "w:numStyleLink": self._style_link,
            "w:num": self._start_list,
            "w:abstractNumId": self._design_of_list,
            "w:lvlOverride": self._start_override,
            "w:startOverride": self._restart,
            "w:lvl": self._start_level,
            "w:start": self._start_number,
            "w:numFmt": self._style,
            "w:lvlText": self._pattern,
            "w:pStyle": self._paragraph_style,
            "w:isLgl": self._all_decimal,
            "mc:Fallback": lambda _: True,
            "w:rPr": lambda _: True,
        })  # fmt: skip

    def _start_design(self, attributes: Attributes) -> None:
        self._in_list = False
        self._design = _Design()
        self._designs[attributes.get("w:abstractNumId", "")] = self._design

    def _style_link(self, attributes: Attributes) -> None:
        self._design.style_link = attributes.get("w:val", "")

    def _start_list(self, attributes: Attributes) -> None:
        self._in_list = True
        self._list = _List()
        self._lists[attributes.get("w:numId", "")] = self._list

    def _design_of_list(self, attributes: Attributes) -> None:
        self._list.design = attributes.get("w:val", "")

    def _start_override(self, attributes: Attributes) -> None:
        self._level_number = whole_number(attributes.get("w:ilvl"), 0)

    def _restart(self, attributes: Attributes) -> None:
        self._list.restarts[self._level_number] = whole_number(attributes.get("w:val"), 1)

    def _start_level(self, attributes: Attributes) -> None:
        self._level = _Level()
        if not self._in_list:
            self._design.levels[whole_number(attributes.get("w:ilvl"), 0)] = self._level

    def _start_number(self, attributes: Attributes) -> None:
        self._level.start = whole_number(attributes.get("w:val"), 1)

    def _style(self, attributes: Attributes) -> None:
        self._level.style = attributes.get("w:val", "decimal")

    def _pattern(self, attributes: Attributes) -> None:
        self._level.pattern = attributes.get("w:val", "")

    def _paragraph_style(self, attributes: Attributes) -> None:
        self._level.paragraph_style = attributes.get("w:val", "")

    def _all_decimal(self, attributes: Attributes) -> None:
        self._level.all_decimal = is_on(attributes)
