"""What the styles of a Word document say that text depends on: headings, lists, hidden text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inglenook.types import CancelToken
from inglenook_office.headings import heading_level_of
from inglenook_office.package import Package
from inglenook_office.xml_events import Attributes, Handlers, whole_number

__all__ = ["Style", "Styles", "is_on"]

_LONGEST_CHAIN = 30
_BODY_TEXT = 9


def is_on(attributes: Attributes) -> bool:
    """Whether a switch such as `w:vanish` is on: it is, unless its value says no."""
    return attributes.get("w:val", "1") not in ("0", "false", "off", "none")


@dataclass(slots=True)
class Style:
    """One style; None where it leaves a thing to the style that it is based on."""

    name: str = ""
    based_on: str = ""
    outline: int | None = None
    list_id: str | None = None
    list_level: int | None = None
    hidden: bool | None = None


class Styles:
    """The styles of a document, by id; what is not there says nothing."""

    def __init__(self) -> None:
        self._styles: dict[str, Style] = {}
        self._levels: dict[str, int | None] = {}
        self._lists: dict[str, tuple[str, int | None]] = {}
        self._default = ""

    def read(self, package: Package, part: str, cancel: CancelToken) -> None:
        """Read the styles. Raises `DamagedXmlError`; those before the damage are kept."""
        package.read_whole(part, _StyleReader(self._styles, self._set_default).handlers, cancel)

    def heading_level(self, id: str) -> int | None:
        """The level of the headings of this style: 0 for a title, 1 to 9; None for plain text."""
        if id not in self._levels:
            self._levels[id] = self._find_heading_level(id or self._default)
        return self._levels[id]

    def list_of(self, id: str) -> tuple[str, int | None]:
        """The list that paragraphs of this style are in, "" for none, and their level in it."""
        if id not in self._lists:
            self._lists[id] = self._find_list_of(id or self._default)
        return self._lists[id]

    def is_hidden(self, id: str) -> bool:
        return next((s.hidden for s in self._chain(id) if s.hidden is not None), False)

    def _find_list_of(self, id: str) -> tuple[str, int | None]:
        list_id, level = None, None
        for style in self._chain(id):
            level = style.list_level if level is None else level
            if style.list_id is not None:
                list_id = style.list_id
                break
        return list_id or "", level

    def _find_heading_level(self, id: str) -> int | None:
        chain = self._chain(id)
        for style in chain:
            if style.outline is not None:
                return style.outline + 1 if style.outline < _BODY_TEXT else None
            level = heading_level_of(style.name)
            if level is not None:
                return level
        return None if chain else heading_level_of(id)

    def _chain(self, id: str) -> list[Style]:
        """The style and those that it is based on, nearest first."""
        chain: list[Style] = []
        while id in self._styles and len(chain) < _LONGEST_CHAIN:
            chain.append(self._styles[id])
            id = chain[-1].based_on
        return chain

    def _set_default(self, id: str) -> None:
        self._default = id


class _StyleReader:
    """Fills a mapping of styles from `word/styles.xml` (ECMA-376-1, 17.7)."""

    def __init__(self, styles: dict[str, Style], set_default: Callable[[str], None]) -> None:
        self._styles = styles
        self._set_default = set_default
        self._style = Style()
        self.handlers = Handlers({
            "w:style": self._start_style,
            "w:name": self._name,
            "w:basedOn": self._based_on,
            "w:outlineLvl": self._outline,
            "w:numId": self._list_id,
            "w:ilvl": self._list_level,
            "w:vanish": self._vanish,
            "w:docDefaults": lambda _: True,
            "w:tblStylePr": lambda _: True,
        })  # fmt: skip

    def _start_style(self, attributes: Attributes) -> None:
        self._style = Style()
        id = attributes.get("w:styleId", "")
        self._styles[id] = self._style
        is_paragraph = attributes.get("w:type", "paragraph") == "paragraph"
        if is_paragraph and attributes.get("w:default", "0") in ("1", "true", "on"):
            self._set_default(id)

    def _name(self, attributes: Attributes) -> None:
        self._style.name = attributes.get("w:val", "")

    def _based_on(self, attributes: Attributes) -> None:
        self._style.based_on = attributes.get("w:val", "")

    def _outline(self, attributes: Attributes) -> None:
        self._style.outline = whole_number(attributes.get("w:val"), _BODY_TEXT)

    def _list_id(self, attributes: Attributes) -> None:
        self._style.list_id = attributes.get("w:val", "")

    def _list_level(self, attributes: Attributes) -> None:
        self._style.list_level = whole_number(attributes.get("w:val"), 0)

    def _vanish(self, attributes: Attributes) -> None:
        self._style.hidden = is_on(attributes)
