"""Follows the groups and control words of RTF and finds the text in them.

Source: Rich Text Format Specification 1.9.1. What a reader does not see (tables of fonts, hex of
pictures, instructions of fields) is left out; what stands beside the text (notes, comments, text
boxes, headers) is handed on as blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from inglenook.errors import LoadError
from inglenook_office.flow import Budget
from inglenook_office.headings import heading_level_of
from inglenook_office.pictures import alternative_text
from inglenook_office.rtf_fonts import Fonts, codec_of
from inglenook_office.rtf_tokens import CLOSE, OPEN, Token
from inglenook_office.visible_text import one_line, visible

__all__ = ["Paragraph", "ParagraphTaker", "RtfReader"]

_DEEPEST = 20_000
_SHOWN, _MUTE, _SKIPPED = "shown", "mute", "skipped"
_BODY_TEXT = 9
_CHARACTERS = {
    "tab": " ", "line": "\n", "softline": "\n", "emdash": "—", "endash": "–", "lquote": "‘",
    "rquote": "’", "ldblquote": "“", "rdblquote": "”", "bullet": "•", "~": " ", "_": "-",
    "emspace": " ", "enspace": " ", "qmspace": " ", "zwj": "\u200d", "zwnj": "\u200c",
    "page": "\n", "column": "\n", "softpage": "", "softcol": "",
}  # fmt: skip
_SKIPPED_GROUPS = frozenset(
    "colortbl info generator listtable listoverridetable revtbl rsidtbl filetbl latentstyles"
    " fldinst objdata objclass objname nonshppict shprslt xe tc tcn ftnsep ftnsepc ftncn aftnsep"
    " aftnsepc aftncn nonesttables pgptbl themedata colorschememapping datastore xmlnstbl template"
    " private1 keywords bkmkstart bkmkend formfield atnid atnref atnicn atndate atntime atnparent"
    " nesttableprops mmathPict pn pnseclvl fchars lchars leveltext levelnumbers listname".split()
)
_MUTE_GROUPS = frozenset(
    "pict shppict picprop shp shpinst sp do object upr moMath moMathPara mmath shpgrp"
    " background".split()
)
_SHOWN_GROUPS = frozenset("fldrslt result ud mr listtext pntext shptxt dptxbxtext".split())
_BLOCKS = {
    "footnote": "note", "annotation": "comment", "shptxt": "box", "dptxbxtext": "box",
    **dict.fromkeys(("header", "headerl", "headerr", "headerf"), "header"),
    **dict.fromkeys(("footer", "footerl", "footerr", "footerf"), "footer"),
}  # fmt: skip
_CAPTURES = frozenset(("listtext", "pntext", "atnauthor", "sn", "sv"))
_TABLE_WORDS = frozenset(
    "fcharset cpg s cs ds ts outlinelevel trowd cellx clvmgf clvmrg clmgf clmrg trhdr".split()
)
_ALL_WORDS = (
    _SKIPPED_GROUPS | _MUTE_GROUPS | _SHOWN_GROUPS | _CAPTURES | _TABLE_WORDS
    | frozenset((*_BLOCKS, *_CHARACTERS, "u", "fonttbl", "stylesheet"))
)  # fmt: skip


@dataclass(slots=True)
class Paragraph:
    """A paragraph that has ended.

    Args:
        text: Its text.
        level: The level of a heading, 0 for a title; None for plain text.
        mark: The mark of a list item, "" for none.
        depth: How deep its list is nested, from 0.
        in_table: Whether it is part of a cell.
        after: Blocks that belong behind it: notes, comments, text boxes.
    """

    text: str
    level: int | None = None
    mark: str = ""
    depth: int = 0
    in_table: bool = False
    after: list[str] = field(default_factory=list)


class ParagraphTaker:
    """What becomes of paragraphs and tables; the reader calls it in reading order."""

    def paragraph(self, paragraph: Paragraph) -> None:
        """A paragraph has ended."""

    def cell(self, paragraph: Paragraph, *, nested: bool) -> None:
        """A cell has ended, with its last paragraph."""

    def row(self, *, nested: bool) -> None:
        """A row has ended."""

    def row_definition(self, word: str, number: int) -> None:
        """A control word that says how the cells of rows are."""

    def margin(self, kind: str, text: str) -> None:
        """A `header` or `footer` of pages."""


@dataclass(slots=True)
class _Look:
    """What a group hands down to the groups in it."""

    mode: str = _SHOWN
    slot: str = ""
    font: int = 0
    associated: int = 0
    skip_after_unicode: int = 1
    hidden: bool = False
    deleted: bool = False


@dataclass(slots=True)
class _Level:
    """The paragraphs of the document, or of a note or box in it."""

    kind: str
    depth: int
    pieces: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    mark: str = ""


@dataclass(slots=True)
class _Capture:
    word: str
    depth: int
    pieces: list[str] = field(default_factory=list)


class RtfReader:
    """Takes tokens one by one.

    Args:
        taker: Gets what was read.
        budget: Counts it.
        name: The document, for messages.
    """

    def __init__(self, taker: ParagraphTaker, budget: Budget, name: str) -> None:
        self.hidden = 0
        self.deleted = 0
        self.replaced = 0
        self.pictures = 0
        self._taker = taker
        self._budget = budget
        self._name = name
        self._fonts = Fonts()
        self._look = _Look()
        self._looks: list[_Look] = []
        self._levels = [_Level("text", 0)]
        self._captures: list[_Capture] = []
        self._styles: dict[int, int | None] = {}
        self._table = ""
        self._table_depth = 0
        self._style_number = 0
        self._style_outline: int | None = None
        self._name_pieces: list[bytes] = []
        self._style: int | None = None
        self._outline: int | None = None
        self._list_depth = 0
        self._in_table = False
        self._starred = False
        self._bytes = bytearray()
        self._units: list[int] = []
        self._unread = 0
        self._notes = 0
        self._author = ""
        self._shape_property = ""
        self._words = self._known_words()

    @property
    def known_words(self) -> frozenset[str]:
        """The control words that mean something here."""
        return _ALL_WORDS | frozenset(self._words)

    @property
    def depth(self) -> int:
        """How many groups are open."""
        return len(self._looks)

    def take(self, token: Token) -> None:
        """Take the next token."""
        word = token.word
        if not word:
            self._take_text(token)
        elif word == OPEN:
            self._open()
        elif word == CLOSE:
            self._close()
        elif word == "*":
            self._starred = True
        else:
            self._take_word(word, token.number)

    def end(self) -> None:
        """Nothing follows: end what is open."""
        self._flush()
        while len(self._levels) > 1:
            self._end_level()
        self._end_paragraph()

    # --- groups ---

    def _open(self) -> None:
        self._flush()
        if len(self._looks) >= _DEEPEST:
            raise LoadError(
                f"{self._name} nests groups more than {_DEEPEST:,} deep.", reason="too large"
            )
        self._looks.append(self._look)
        self._look = replace(self._look)
        self._starred = False
        self._unread = 0

    def _close(self) -> None:
        self._flush()
        self._unread = 0
        if self._table and len(self._looks) <= self._table_depth + 1:
            self._end_table_entry()
        if self._captures and self._captures[-1].depth == len(self._looks):
            self._end_capture()
        if len(self._levels) > 1 and self._levels[-1].depth == len(self._looks):
            self._end_level()
        if self._looks:
            self._look = self._looks.pop()
        if self._table and len(self._looks) < self._table_depth:
            self._table = ""

    def _begin_destination(self, word: str) -> bool:
        """Whether this word says what the group that it begins is for."""
        starred, self._starred = self._starred, False
        if self._look.mode == _SKIPPED:
            return True
        if word in ("fonttbl", "stylesheet"):
            self._table, self._table_depth = word, len(self._looks)
            self._look.mode = _MUTE
        elif word in _SKIPPED_GROUPS:
            if word == "nesttableprops":  # it stands at the end of each row of an inner table
                self._end_row(nested=True)
            self._look.mode = _SKIPPED
        elif word in _BLOCKS:
            self._look.mode = _SHOWN
            self._look.hidden = self._look.deleted = False
            self._levels.append(_Level(_BLOCKS[word], len(self._looks)))
        elif word in _CAPTURES:
            self._captures.append(_Capture(word, len(self._looks)))
            self._look.mode = _SHOWN
        elif word in _MUTE_GROUPS:
            self.pictures += word == "pict"
            self._look.mode = _MUTE
        elif word in _SHOWN_GROUPS:
            self._look.mode = _SHOWN
        elif starred and not self._table:
            self._look.mode = _SKIPPED
        else:
            return False
        return True

    # --- text ---

    def _take_text(self, token: Token) -> None:
        data = token.data
        self._starred = False
        if self._unread:
            dropped = min(self._unread, len(data))
            self._unread -= dropped
            data = data[dropped:]
        if not data or self._look.mode == _SKIPPED:
            return
        if self._table:
            self._name_pieces.append(data)
            return
        if self._units:
            self._flush()
        self._bytes += data

    def _take_unicode(self, number: int) -> None:
        if self._bytes:
            self._flush()
        self._unread = self._look.skip_after_unicode
        if self._look.mode != _SKIPPED and not self._table:
            self._units.append(number & 0xFFFF)

    def _flush(self) -> None:
        """Decode the bytes or code units so far."""
        if self._bytes:
            data = bytes(self._bytes)
            self._bytes.clear()
            text = self._fonts.decoded(data, self._look.font, self._look.associated)
            self.replaced += text.count("\ufffd")
            self._write(text)
        if self._units:
            units, self._units = self._units, []
            data = b"".join(unit.to_bytes(2, "little") for unit in units)
            text = data.decode("utf-16-le", errors="replace")
            if any(0xF000 <= unit <= 0xF0FF for unit in units):
                text = "".join(self._symbol(character) for character in text)
            self._write(text)

    def _symbol(self, character: str) -> str:
        is_private = "\uf000" <= character <= "\uf0ff"
        return self._fonts.symbol(ord(character), self._look.font) if is_private else character

    def _write(self, text: str) -> None:
        if self._look.mode != _SHOWN or self._table:
            return
        self._budget.spend(len(text))
        if self._captures:
            self._captures[-1].pieces.append(text)
        elif self._look.deleted:
            self.deleted += bool(text.strip())
        elif self._look.hidden:
            self.hidden += len(text.strip())
        else:
            self._levels[-1].pieces.append(text)

    # --- control words ---

    def _take_word(self, word: str, number: int | None) -> None:
        if word == "u" and number is not None:
            self._take_unicode(number)
            return
        if self._unread and not word.isalpha():
            self._unread -= 1
            return
        if self._bytes or self._units:
            self._flush()
        if self._begin_destination(word) or self._look.mode == _SKIPPED:
            return
        if self._table:
            self._take_table_word(word, number)
            return
        if word in _CHARACTERS:
            self._write(_CHARACTERS[word])
            return
        handler = self._words.get(word)
        if handler is not None:
            handler(number)
        elif word in _TABLE_WORDS:
            self._taker.row_definition(word, number if number is not None else 1)

    def _known_words(self) -> dict[str, Callable[[int | None], None]]:
        return {
            "ansicpg": lambda number: self._fonts.set_code_page(number or 0),
            "mac": lambda _: self._fonts.set_code_page(10000),
            "pc": lambda _: self._fonts.set_code_page(437),
            "pca": lambda _: self._fonts.set_code_page(850),
            "deff": self._set_font,
            "f": self._set_font,
            "af": self._set_associated,
            "loch": lambda _: self._set_slot(""),
            "hich": lambda _: self._set_slot(""),
            "dbch": lambda _: self._set_slot("dbch"),
            "ltrch": lambda _: self._set_slot(""),
            "rtlch": lambda _: self._set_slot(""),
            "uc": self._set_skip,
            "plain": self._plain,
            "v": self._hide,
            "deleted": self._delete,
            "pard": self._reset_paragraph,
            "s": self._set_style,
            "outlinelevel": self._set_outline,
            "ilvl": self._set_list_depth,
            "intbl": lambda number: self._set_in_table(number != 0),
            "par": lambda _: self._end_paragraph(),
            "sect": lambda _: self._end_paragraph(),
            "\n": lambda _: self._end_paragraph(),
            "\r": lambda _: self._end_paragraph(),
            "cell": lambda _: self._end_cell(nested=False),
            "nestcell": lambda _: self._end_cell(nested=True),
            "row": lambda _: self._end_row(nested=False),
            "chftn": lambda _: self._note_mark(),
        }

    def _set_font(self, number: int | None) -> None:
        self._look.font = number or 0

    def _set_associated(self, number: int | None) -> None:
        if self._look.slot == "dbch":
            self._look.font = number or 0
        else:
            self._look.associated = number or 0

    def _set_slot(self, slot: str) -> None:
        self._look.slot = slot

    def _set_skip(self, number: int | None) -> None:
        self._look.skip_after_unicode = min(max(number if number is not None else 1, 0), 100)

    def _plain(self, _: int | None) -> None:
        self._look.hidden = self._look.deleted = False

    def _hide(self, number: int | None) -> None:
        self._look.hidden = number != 0

    def _delete(self, number: int | None) -> None:
        self._look.deleted = number != 0

    def _reset_paragraph(self, _: int | None) -> None:
        self._style = self._outline = None
        self._list_depth = 0
        self._in_table = False

    def _set_style(self, number: int | None) -> None:
        self._style = number or 0

    def _set_outline(self, number: int | None) -> None:
        self._outline = number if number is not None else 0

    def _set_list_depth(self, number: int | None) -> None:
        self._list_depth = min(max(number or 0, 0), 8)

    def _set_in_table(self, value: bool) -> None:
        self._in_table = value

    def _note_mark(self) -> None:
        if self._levels[-1].kind == "text":
            self._notes += 1
            self._write(f"[{self._notes}]")

    # --- tables of fonts and styles ---

    def _take_table_word(self, word: str, number: int | None) -> None:
        font = self._fonts.font(self._style_number)
        if self._table == "fonttbl":
            if word == "f":
                self._style_number = number or 0
            elif word == "fcharset":
                font.charset = number or 0
            elif word == "cpg":
                font.code_page = codec_of(number or 0)
        elif word in ("s", "cs", "ds", "ts"):
            self._style_number = number or 0 if word == "s" else -1
            self._style_outline = None
        elif word == "outlinelevel":
            self._style_outline = number or 0

    def _end_table_entry(self) -> None:
        name = b"".join(self._name_pieces).decode("latin-1").strip().rstrip(";").strip()
        self._name_pieces = []
        if self._table == "fonttbl":
            if name:
                self._fonts.font(self._style_number).name = name.split(";")[0]
        elif self._style_number >= 0:
            outline = self._style_outline
            level = heading_level_of(name)
            if level is None and outline is not None and outline < _BODY_TEXT:
                level = outline + 1
            self._styles[self._style_number] = level
            self._style_number, self._style_outline = 0, None

    # --- what ends ---

    def _ended_paragraph(self) -> Paragraph:
        level = self._levels[-1]
        text = visible("".join(level.pieces)).strip()
        paragraph = Paragraph(
            text, self._heading_level(), level.mark, self._list_depth, self._in_table, level.after
        )
        level.pieces, level.after, level.mark = [], [], ""
        return paragraph

    def _heading_level(self) -> int | None:
        if self._outline is not None:
            return self._outline + 1 if 0 <= self._outline < _BODY_TEXT else None
        return self._styles.get(self._style if self._style is not None else 0)

    def _end_paragraph(self) -> None:
        paragraph = self._ended_paragraph()
        level = self._levels[-1]
        if level.kind == "text":
            self._taker.paragraph(paragraph)
            return
        line = f"{paragraph.mark} {paragraph.text}" if paragraph.mark else paragraph.text
        level.lines += [text for text in (line, *paragraph.after) if text]

    def _end_cell(self, *, nested: bool) -> None:
        if self._levels[-1].kind == "text":
            self._taker.cell(self._ended_paragraph(), nested=nested)
        else:
            self._levels[-1].pieces.append(" | ")

    def _end_row(self, *, nested: bool) -> None:
        if self._levels[-1].kind == "text":
            self._taker.row(nested=nested)
        else:
            self._end_paragraph()

    def _end_level(self) -> None:
        self._end_paragraph()
        level = self._levels.pop()
        text = "\n".join(level.lines)
        if not text:
            return
        if level.kind in ("header", "footer"):
            self._taker.margin(level.kind, text)
            return
        if level.kind == "note":
            text = f"[{self._notes or 1}] {text}"
        elif level.kind == "comment":
            by = f"Comment by {self._author}" if self._author else "Comment"
            text = f"[{by}: {text}]"
            self._author = ""
        self._levels[-1].after.append(text)

    def _end_capture(self) -> None:
        capture = self._captures.pop()
        text = one_line("".join(capture.pieces))
        if capture.word in ("listtext", "pntext"):
            is_bullet = len(text) == 1 and not text.isalnum()
            self._levels[-1].mark = "-" if is_bullet else text
        elif capture.word == "atnauthor":
            self._author = text
        elif capture.word == "sn":
            self._shape_property = text
        elif self._shape_property == "wzDescription":
            text = alternative_text(text)
            self._levels[-1].after += [f"[Image: {text}]"] if text else []
        elif self._shape_property == "gtextUNICODE":
            self._levels[-1].after += [text] if text else []
