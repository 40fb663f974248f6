"""What the loader `pptx` makes of presentations: slides in order, each from top to bottom."""

from __future__ import annotations

import base64
import io
import re
import zipfile

import pptx
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Cm

from inglenook.errors import LoadError
from inglenook_office.pptx_loader import PptxLoader
from inglenook_office.slide_order import in_reading_order

HEBREW = "אורחים נרשמים בעמדת הקבלה, מקבלים תג ומחזירים אותו בצאתם."


@pytest.fixture
def read(load):
    return lambda path, **request: load(PptxLoader, path, **request)


@pytest.fixture
def show():
    return pptx.Presentation()


@pytest.fixture
def saved(show, tmp_path):
    def saved(change=None):
        """Save the show; `change` may rewrite members by name."""
        data = io.BytesIO()
        show.save(data)
        path = tmp_path / "show.pptx"
        with zipfile.ZipFile(data) as before, zipfile.ZipFile(path, "w") as after:
            for name in before.namelist():
                content = before.read(name)
                after.writestr(name, change(name, content) if change else content)
        return path

    return saved


def blank(show):
    return show.slides.add_slide(show.slide_layouts[6])


def box(slide, text, left, top, width=4, height=1):
    shape = slide.shapes.add_textbox(Cm(left), Cm(top), Cm(width), Cm(height))
    shape.text_frame.text = text
    return shape


def test_each_slide_is_a_place_under_its_title(read, show, saved):
    for title in ("Wind", "Sun"):
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = f"About {title}."
    sections = read(saved()).sections
    assert [(str(s.locator), s.headings, s.start) for s in sections] == [
        ("slide 1", ("Wind",), 0),
        ("slide 2", ("Sun",), 0),
    ]
    assert sections[0].text == "Wind\n\n- About Wind."


def test_shapes_are_read_from_top_to_bottom_whatever_their_order_in_the_file(read, show, saved):
    slide = blank(show)
    for text, left, top in (("last", 1, 9), ("left", 1, 4), ("right", 12, 4), ("first", 1, 1)):
        box(slide, text, left, top)
    assert read(saved()).lines == ["first", "left", "right", "last"]


def test_columns_are_read_one_after_the_other(read, show, saved):
    slide = blank(show)
    box(slide, "tall on the left", 1, 1, height=9)
    for number in range(3):
        box(slide, f"right {number}", 12 + number / 10, 1 + 3 * number)
    assert read(saved()).lines == ["tall on the left", "right 0", "right 1", "right 2"]


def test_hebrew_slides_are_read_from_right_to_left(read, show, saved):
    slide = blank(show)
    box(slide, "שמאל", 1, 1)
    box(slide, f"\u200f{HEBREW}\u202c", 12, 1)
    assert read(saved()).lines == [HEBREW, "שמאל"]


def test_placeholders_without_a_place_stand_where_their_layout_puts_them(read, show, saved):
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.shapes.title.text = "Title"
    slide.placeholders[1].text = "Body"
    below = box(slide, "below", 2, 18)
    slide.shapes._spTree.remove(below._element)
    slide.shapes._spTree.insert(2, below._element)
    assert read(saved()).lines == ["Title", "- Body", "below"]


def test_groups_are_read_as_one_in_their_own_order(read, show, saved):
    slide = blank(show)
    group = slide.shapes.add_group_shape()
    for text, top in (("below", 6), ("above", 2)):
        shape = group.shapes.add_textbox(Cm(10), Cm(top), Cm(3), Cm(1))
        shape.text_frame.text = text
    inner = group.shapes.add_group_shape()
    inner.shapes.add_textbox(Cm(10), Cm(4), Cm(3), Cm(1)).text_frame.text = "inside"
    assert read(saved()).lines == ["above", "inside", "below"]


def test_tables_tie_cells_to_their_headers(read, show, saved):
    table = blank(show).shapes.add_table(3, 2, Cm(1), Cm(1), Cm(9), Cm(3)).table
    for cell, text in zip(table.iter_cells(), ("Site", "Year", "A", "1986", "", ""), strict=True):
        cell.text = text
    assert read(saved()).lines == ["Site | Year", "Site: A | Year: 1986"]


def test_charts_are_read_with_titles_and_values(read, show, saved):
    data = CategoryChartData()
    data.categories = ["North", "South"]
    data.add_series("Sales", (8.25, 3.0))
    kind = XL_CHART_TYPE.COLUMN_CLUSTERED
    chart = blank(show).shapes.add_chart(kind, Cm(1), Cm(1), Cm(9), Cm(9), data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "By region"
    chart.value_axis.has_title = True
    chart.value_axis.axis_title.text_frame.text = "Millions"
    assert read(saved()).lines == [
        "By region", "Millions", "North | Sales: 8.25", "South | Sales: 3",
    ]  # fmt: skip


def test_notes_are_marked_and_read(read, show, saved):
    slide = blank(show)
    box(slide, "On the slide", 1, 1)
    slide.notes_slide.notes_text_frame.text = "Say hello.\nThen go on."
    assert read(saved()).text == "On the slide\n\nNotes: Say hello.\nThen go on."


def test_lists_have_marks_levels_and_numbers(read, show, saved):
    slide = show.slides.add_slide(show.slide_layouts[1])
    frame = slide.placeholders[1].text_frame
    frame.text = "one"
    for text, level in (("deeper", 1), ("two", 0)):
        paragraph = frame.add_paragraph()
        paragraph.text = text
        if level:
            paragraph.level = level

    def number(name, content):
        if name != "ppt/slides/slide1.xml":
            return content
        return re.sub(
            rb"<a:p>(?=<a:r><a:t>(?:one|two))",
            b'<a:p><a:pPr><a:buAutoNum type="romanUcPeriod"/></a:pPr>',
            content,
        )

    assert read(saved()).lines == ["- one", "  - deeper", "- two"]
    assert read(saved(number)).lines == ["I. one", "  - deeper", "II. two"]


def test_smart_art_is_read_in_the_order_of_its_outline(read, show, saved):
    dgm = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
    box(blank(show), "anchor", 1, 1)
    point = (
        '<dgm:pt modelId="{0}" type="{1}"><dgm:t><a:p><a:r><a:t>{2}</a:t></a:r></a:p></dgm:t>'
        "</dgm:pt>"
    )
    link = '<dgm:cxn modelId="c{0}{1}" srcId="{0}" destId="{1}" srcOrd="{2}"/>'
    data = (
        f'<dgm:dataModel xmlns:dgm="{dgm}" xmlns:a="http://schemas.openxmlformats.org/drawingml/'
        '2006/main"><dgm:ptLst>'
        + point.format(3, "node", "second") + point.format(2, "node", "first")
        + point.format(4, "node", "child of first") + point.format(1, "doc", "")
        + point.format(9, "pres", "never")
        + "</dgm:ptLst><dgm:cxnLst>"
        + link.format(1, 3, 1) + link.format(1, 2, 0) + link.format(2, 4, 0) + link.format(4, 1, 0)
        + "</dgm:cxnLst></dgm:dataModel>"
    )  # fmt: skip
    frame = (
        '<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="9" name="D"/></p:nvGraphicFramePr>'
        '<p:xfrm><a:off x="0" y="9999999"/><a:ext cx="1" cy="1"/></p:xfrm>'
        f'<dgm:relIds xmlns:dgm="{dgm}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/'
        '2006/relationships" r:dm="rId77"/></p:graphicFrame></p:spTree>'
    )

    def add(name, content):
        if name == "ppt/slides/slide1.xml":
            return content.replace(b"</p:spTree>", frame.encode())
        if name == "ppt/slides/_rels/slide1.xml.rels":
            relation = (
                '<Relationship Id="rId77" Type="http://x/diagramData" Target="../diagrams/d.xml"/>'
            )
            return content.replace(b"</Relationships>", f"{relation}</Relationships>".encode())
        return content

    path = saved(add)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("ppt/diagrams/d.xml", data)
    assert read(path).lines == ["anchor", "- first", "  - child of first", "- second"]


def test_hidden_slides_are_read_and_told_and_hidden_shapes_left_out(read, show, saved):
    slide = blank(show)
    box(slide, "on a hidden slide", 1, 1)
    box(slide, "hidden shape", 1, 5)._element.nvSpPr.cNvPr.set("hidden", "1")
    slide._element.set("show", "0")
    found = read(saved())
    assert found.text == "on a hidden slide"
    assert sorted(found.codes) == ["hidden-slide", "hidden-text"]


def test_a_slide_without_text_is_told_and_the_others_keep_their_numbers(read, show, saved):
    blank(show)
    box(blank(show), "second", 1, 1)
    found = read(saved())
    assert [str(section.locator) for section in found.sections] == ["slide 2"]
    assert found.notices == ["slide-without-text: slide 1: no text"]


def test_slides_keep_the_order_of_the_show_and_not_of_the_file(read, show, saved):
    for text in ("made first", "made second"):
        box(blank(show), text, 1, 1)
    ids = show.slides._sldIdLst
    ids.insert(0, ids[1])
    assert read(saved()).lines == ["made second", "made first"]


def test_what_every_slide_shows_is_read_once(read, show, saved):
    layout = show.slide_layouts[6]
    stamp = box(blank(show), "Company secret", 1, 17)._element
    layout.shapes._spTree.append(stamp)
    blank(show)
    box(show.slides[1], "second", 1, 1)
    assert read(saved()).lines == ["Company secret", "second"]


def test_slide_numbers_are_no_text_and_footers_stand_last(read, show, saved):
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.shapes.title.text = "Title"
    slide.placeholders[1].text = "Body"
    shape = (
        '<p:sp><p:nvSpPr><p:cNvPr id="{0}" name="x"/><p:cNvSpPr/><p:nvPr>'
        '<p:ph type="{1}" idx="{0}"/></p:nvPr></p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/>'
        "<a:p><a:r><a:t>{2}</a:t>"
        "</a:r></a:p></p:txBody></p:sp>"
    )
    extra = shape.format(90, "ftr", "Footer") + shape.format(91, "sldNum", "17")

    def add(name, content):
        if name != "ppt/slides/slide1.xml":
            return content
        return content.replace(b"<p:sp>", extra.encode() + b"<p:sp>", 1)

    assert read(saved(add)).lines == ["Title", "- Body", "Footer"]


def test_comments_of_both_formats_are_read_with_their_authors(read, show, saved):
    box(blank(show), "text", 1, 1)
    p = "http://schemas.openxmlformats.org/presentationml/2006/main"
    new = "http://schemas.microsoft.com/office/powerpoint/2018/8/main"
    members = {
        "ppt/commentAuthors.xml": f'<p:cmAuthorLst xmlns:p="{p}"><p:cmAuthor id="0" name="Ada"/>'
        "</p:cmAuthorLst>",
        "ppt/authors.xml": f'<x:authorLst xmlns:x="{new}"><x:author id="{{7}}" name="Grace"/>'
        "</x:authorLst>",
        "ppt/comments/c1.xml": f'<p:cmLst xmlns:p="{p}"><p:cm authorId="0"><p:text>Old style'
        "</p:text></p:cm></p:cmLst>",
        "ppt/comments/c2.xml": f'<x:cmLst xmlns:x="{new}" xmlns:a="http://schemas.openxmlformats.'
        'org/drawingml/2006/main"><x:cm authorId="{7}"><x:txBody><a:p><a:r><a:t>New style</a:t>'
        "</a:r></a:p></x:txBody></x:cm></x:cmLst>",
    }  # fmt: skip
    relation = '<Relationship Id="{0}" Type="http://x/{1}" Target="{2}"/></Relationships>'

    def add(name, content):
        text = content
        if name == "ppt/_rels/presentation.xml.rels":
            for id, kind in (("rA", "commentAuthors"), ("rB", "authors")):
                entry = relation.format(id, kind, f"{kind}.xml").encode()
                text = text.replace(b"</Relationships>", entry)
        if name == "ppt/slides/_rels/slide1.xml.rels":
            for id in ("c1", "c2"):
                entry = relation.format(id, "comments", f"../comments/{id}.xml").encode()
                text = text.replace(b"</Relationships>", entry)
        return text

    path = saved(add)
    with zipfile.ZipFile(path, "a") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert read(path).lines == [
        "text", "[Comment by Ada: Old style]", "[Comment by Grace: New style]",
    ]  # fmt: skip


def test_a_damaged_slide_is_told_and_the_others_are_read(read, show, saved):
    for text in ("one", "two", "three"):
        box(blank(show), text, 1, 1)

    def cut(name, content):
        return content[: len(content) // 3] if name == "ppt/slides/slide2.xml" else content

    found = read(saved(cut))
    assert found.lines == ["one", "three"]
    assert "partly-damaged" in found.codes
    assert any("slide 2" in notice for notice in found.notices)


def test_a_show_whose_list_of_slides_is_lost_is_read_by_the_numbers_of_its_parts(read, show, saved):
    for number in range(11):
        box(blank(show), f"slide {number + 1}", 1, 1)

    def cut(name, content):
        return b"<p:presentation" if name == "ppt/presentation.xml" else content

    assert read(saved(cut)).lines == [f"slide {number + 1}" for number in range(11)]


def test_a_show_of_pictures_needs_ocr(read, show, saved):
    dot = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
        "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    picture = io.BytesIO(base64.b64decode(dot))
    blank(show).shapes.add_picture(picture, 0, 0)
    with pytest.raises(LoadError) as caught:
        read(saved())
    assert caught.value.reason == "no text: needs OCR"


def test_thousands_of_shapes_are_put_in_order_quickly():
    class Shape:
        def __init__(self, number):
            self.box = (number % 50 * 10, number * 7919 % 5_000, 9, 9)

    shapes = [Shape(number) for number in range(5_000)]
    ordered = in_reading_order(shapes)
    assert sorted(map(id, ordered)) == sorted(map(id, shapes))
