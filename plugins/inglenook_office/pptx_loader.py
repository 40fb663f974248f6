"""The loader `pptx`: presentations, a section for each slide with its notes and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inglenook.errors import Cancelled
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, PartFile, Section
from inglenook_office.charts import PartTexts, chart_lines, diagram_lines
from inglenook_office.embedded import embedded_parts
from inglenook_office.flow import Budget
from inglenook_office.outcome import damaged_notice, misnamed, without_text
from inglenook_office.package import Package, opened_package
from inglenook_office.pptx_comments import Comments
from inglenook_office.pptx_shapes import Shape, ShapeReader
from inglenook_office.relations import Relations, main_part, relations_of
from inglenook_office.slide_order import Box, in_reading_order
from inglenook_office.visible_text import is_right_to_left, one_line
from inglenook_office.xml_events import Attributes, DamagedXmlError, Handlers

__all__ = ["PptxLoader"]

_AT_THE_END = ("dt", "ftr", "hdr")
_NOT_TEXT = ("sldNum", "sldImg")
_LONGEST_TITLE = 250
_MOST_ELEMENTS_OF_A_SLIDE = 2_000_000
_SLIDE_PART = re.compile(r"ppt/slides/slide(\d{1,6})\.xml\Z")


class PptxLoader:
    """Implements `protocols.Loader`. Each slide is a place; slides count from 1."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(
        self, request: LoadRequest, cancel: CancelToken
    ) -> Iterator[Section | PartFile | Notice]:
        """Yield a section for each slide with text, a notice for each other one.

        Raises `LoadError`: unreadable, broken, unsupported, encrypted, too large, no text.
        """
        with opened_package(request) as package:
            yield from _Presentation(package, request, cancel).read()


class _Presentation:
    def __init__(self, package: Package, request: LoadRequest, cancel: CancelToken) -> None:
        self._package = package
        self._request = request
        self._cancel = cancel
        self._budget = Budget(request)
        self._part = main_part(package, "ppt/presentation.xml", cancel)
        self._comments = Comments(package, self._budget, cancel)
        self._backgrounds: dict[str, list[Shape]] = {}
        self._texts = PartTexts(package, cancel)
        self._told: set[str] = set()
        self._notices: list[Notice] = []

    def read(self) -> Iterator[Section | PartFile | Notice]:
        slides = self._slides()
        if not slides:
            raise misnamed(self._package, "a PowerPoint presentation")
        if self._package.damage:
            self._notices.append(damaged_notice(self._package.damage))
        found, has_pictures = False, False
        for number, part in enumerate(slides, start=1):
            if self._cancel.cancelled:
                raise Cancelled
            slide = self._read_slide(part, number)
            has_pictures = has_pictures or slide.has_pictures
            if slide.text:
                found = True
                yield Section(slide.text, Locator("slide", number), slide.headings)
            else:
                yield Notice("slide-without-text", f"slide {number}: no text")
            yield from embedded_parts(self._package, slide.embedded)
        if not found:
            raise without_text(self._request.name, self._notices, has_pictures=has_pictures)
        yield from self._notices

    def _slides(self) -> list[str]:
        """The parts of the slides in the order of the show, or else as they are numbered."""
        relations = relations_of(self._package, self._part, self._cancel)
        slides: list[str] = []

        def add(attributes: Attributes) -> None:
            slides.append(relations.target(attributes.get("r:id", "")))

        try:
            self._package.read_whole(self._part, Handlers({"p:sldId": add}), self._cancel)
        except DamagedXmlError as error:
            self._notices.append(damaged_notice(str(error)))
        self._comments.read_authors(relations.of_kind("commentAuthors", "authors"))
        if any(slide in self._package for slide in slides):
            return list(dict.fromkeys(slides))
        matches = (_SLIDE_PART.match(name) for name in self._package)
        numbered = sorted((int(match[1]), match[0]) for match in matches if match)
        return [name for _, name in numbered]

    def _read_slide(self, part: str, number: int) -> _Slide:
        relations = relations_of(self._package, part, self._cancel)
        reader = self._shapes(part, relations, f"slide {number}")
        layout = next(relations.of_kind("slideLayout"), "")
        self._place(reader.shapes(), layout)
        if reader.is_hidden:
            self._notices.append(
                Notice("hidden-slide", f"slide {number} is hidden in the show; it was read")
            )
        if reader.hidden_shapes:
            self._notices.append(
                Notice(
                    "hidden-text",
                    f"slide {number}: {reader.hidden_shapes} hidden shape(s) were left out",
                )
            )
        shapes = [
            s for s in reader.shapes() if not s.placeholder or s.placeholder.kind not in _NOT_TEXT
        ]
        title = next((shape for shape in shapes if shape.is_title and shape.text), None)
        blocks = [title.text] if title else []
        blocks += _texts([shape for shape in shapes if shape is not title])
        blocks += self._background_texts(layout)
        blocks += self._notes(relations, number)
        blocks += self._comments.of(relations.of_kind("comments"))
        text = "\n\n".join(blocks)
        heading = one_line(title.text)[:_LONGEST_TITLE] if title else ""
        targets = [relations.target(id) for id in reader.embedded]
        return _Slide(text, (heading,) if heading else (), targets, reader.pictures > 0)

    def _shapes(self, part: str, relations: Relations, place: str) -> ShapeReader:
        reader = ShapeReader(
            self._budget,
            self._texts.behind(relations, chart_lines),
            self._texts.behind(relations, diagram_lines),
        )
        try:
            self._package.read_whole(
                part, reader.handlers, self._cancel, max_elements=_MOST_ELEMENTS_OF_A_SLIDE
            )
        except DamagedXmlError as error:
            self._notices.append(damaged_notice(f"{place}: {error}"))
        return reader

    def _place(self, shapes: Sequence[Shape], layout: str) -> None:
        """Give placeholders that say nothing about their place that of the layout or master."""
        for shape in shapes:
            if shape.box is None and shape.placeholder is not None:
                for background in self._background_parts(layout):
                    shape.box = _box_like(shape, self._backgrounds[background])
                    if shape.box is not None:
                        break

    def _background_parts(self, layout: str) -> list[str]:
        """The layout and its master, read."""
        parts: list[str] = []
        while layout and layout in self._package and layout not in parts and len(parts) < 2:
            parts.append(layout)
            relations = relations_of(self._package, layout, self._cancel)
            if layout not in self._backgrounds:
                self._backgrounds[layout] = self._shapes(layout, relations, "a layout").shapes()
            layout = next(relations.of_kind("slideMaster"), "")
        return parts

    def _background_texts(self, layout: str) -> list[str]:
        """What layout and master show on the slides, with the first slide that has it."""
        texts = []
        for part in self._background_parts(layout):
            if part not in self._told:
                self._told.add(part)
                shapes = [s for s in self._backgrounds[part] if s.placeholder is None]
                texts += _texts(shapes)
        return texts

    def _notes(self, relations: Relations, number: int) -> list[str]:
        texts: list[str] = []
        for part in relations.of_kind("notesSlide"):
            of_notes = relations_of(self._package, part, self._cancel)
            reader = self._shapes(part, of_notes, f"notes of slide {number}")
            texts.extend(
                shape.text.removeprefix("- ").replace("\n- ", "\n")
                for shape in reader.shapes()
                if shape.placeholder is None or shape.placeholder.kind == "body"
            )
        joined = "\n".join(text for text in texts if text)
        return [f"Notes: {joined}"] if joined else []


class _Slide:
    def __init__(
        self, text: str, headings: tuple[str, ...], embedded: list[str], has_pictures: bool
    ) -> None:
        self.text = text
        self.headings = headings
        self.embedded = embedded
        self.has_pictures = has_pictures


def _texts(shapes: Sequence[Shape]) -> list[str]:
    """The texts of shapes in reading order, dates and footers last."""
    sample = "".join(shape.text[:1000] for shape in shapes[:100])
    ordered = in_reading_order(shapes, from_right=is_right_to_left(sample))
    last = [s for s in ordered if s.placeholder and s.placeholder.kind in _AT_THE_END]
    return [shape.text for shape in [*(s for s in ordered if s not in last), *last] if shape.text]


def _box_like(shape: Shape, backgrounds: Sequence[Shape]) -> Box | None:
    """The place of the placeholder that a shape fills: of the same number, or the same kind."""
    wanted = shape.placeholder
    same = [s for s in backgrounds if s.placeholder and wanted and s.box is not None]
    for background in same:
        assert background.placeholder is not None
        assert wanted is not None
        if wanted.index and background.placeholder.index == wanted.index:
            return background.box
    for background in same:
        assert background.placeholder is not None
        assert wanted is not None
        if background.placeholder.kind == wanted.kind:
            return background.box
    return None
