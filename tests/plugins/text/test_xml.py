"""The loader `xml` on data, documents, feeds, drawings and hostile files."""

from __future__ import annotations

import pytest

from inglenook.errors import LoadError
from inglenook_text.xml import XmlLoader


@pytest.fixture
def sections_of(load):
    """Loads XML; its sections as pairs of headings and text."""

    def sections_of(content, name="a.xml"):
        sections, notices = load(XmlLoader, name, content)
        assert notices == []
        return [(section.headings, section.text) for section in sections]

    return sections_of


def test_records_are_sections_of_names_and_values(sections_of):
    content = (
        "<books><book id='1'><title>Go</title><price currency='USD'>5</price></book>"
        "<book id='2'><title>C</title><price>6</price></book></books>"
    )
    assert sections_of(content) == [
        (("Go",), "book.id: 1\nGo\nprice.currency: USD\nprice: 5"),
        (("C",), "book.id: 2\nC\nprice: 6"),
    ]


def test_records_without_a_title_are_named_by_their_path(sections_of):
    content = "<r><a><x>1</x><y>2</y></a><a><x>3</x><y>4</y></a><b on='yes' class='z'/></r>"
    assert sections_of(content) == [
        (("a[1]",), "x: 1\ny: 2"),
        (("a[2]",), "x: 3\ny: 4"),
        (("b[1]",), "b.on: yes"),
    ]


def test_short_values_of_a_flat_file_stay_together(sections_of):
    assert sections_of("<c><host>a</host><port>80</port></c>") == [
        (("host[1]",), "host: a\nport: 80")
    ]


def test_titles_of_chapters_make_a_path_of_headings(sections_of):
    content = (
        "<book><title>Guide</title><chapter><title>Leave <emphasis>rules</emphasis></title>"
        "<para>You get <b>20</b> days, <i>really</i>.</para><section><title>Sick</title>"
        "<para><b>Bold</b> start.</para><screen>a\n  b</screen></section></chapter></book>"
    )
    assert sections_of(content, "a.docbook") == [
        (("Guide",), "Guide"),
        (("Guide", "Leave rules"), "Leave rules\nYou get 20 days, really."),
        (("Guide", "Leave rules", "Sick"), "Sick\nBold start.\na\n  b"),
    ]


def test_entries_of_a_feed_are_sections_and_their_html_is_read(sections_of):
    content = (
        "<rss version='2.0'><channel><title>News</title><link>http://x</link><item><title>One</title>"
        "<description>&lt;p&gt;Hello &lt;b&gt;world&lt;/b&gt;&lt;script&gt;x&lt;/script&gt;"
        "</description></item><item><title>Two</title><c:e><![CDATA[<ul><li>a<li>b</ul>]]></c:e>"
        "</item></channel></rss>"
    )
    assert sections_of(content, "a.rss") == [
        (("News",), "News\nlink: http://x"),
        (("News", "One"), "One\ndescription: Hello world"),
        (("News", "Two"), "Two\n- a\n- b"),
    ]


def test_an_outline_has_its_text_in_attributes(sections_of):
    content = "<opml><body><outline text='Tech'><outline text='A' xmlUrl='http://a'/></outline></body></opml>"
    assert sections_of(content, "a.opml") == [
        (("Tech",), "outline.text: Tech"),
        (("Tech", "A"), "outline.text: A\noutline.xmlUrl: http://a"),
    ]


def test_a_drawing_is_its_words_and_no_coordinates(sections_of):
    content = (
        "<svg width='5'><title>Sales</title><g transform='x'><text x='1'>Year <tspan>2024</tspan>"
        "</text><path d='M0'/></g></svg>"
    )
    assert [text for _, text in sections_of(content, "a.svg")] == ["Sales\nYear 2024"]


def test_a_drawing_without_words_says_so(load):
    with pytest.raises(LoadError, match="drawing without words") as caught:
        load(XmlLoader, "a.svg", "<svg><path d='M0'/></svg>")
    assert caught.value.reason == "no text: needs OCR"


def test_embedded_files_are_left_out_and_told(load):
    content = f"<f><p>text</p><binary>{'QUJD' * 1000}</binary><p>{'word ' * 400}</p></f>"
    sections, notices = load(XmlLoader, "a.fb2", content)
    assert "QUJD" not in "".join(section.text for section in sections)
    assert sum(section.text.count("word") for section in sections) == 400
    assert [notice.code for notice in notices] == ["binary-content"]


@pytest.mark.parametrize("encoding", ["windows-1255", "utf-16", "shift_jis", "iso-8859-8"])
def test_declared_encodings_are_used(load, encoding):
    text = "パスワード" if encoding == "shift_jis" else "שלום"
    content = f"<?xml version='1.0' encoding='{encoding}'?><r><p>{text}</p></r>"
    sections, notices = load(XmlLoader, "a.xml", content.encode(encoding))
    assert ([section.text for section in sections], notices) == ([text], [])


def test_language_entities_of_html_and_bidi_controls(load):
    content = "<r xml:lang='he'><p>a&nbsp;b &ndash; &amp;lt; &#x202B;שלום&#x202C;</p></r>"
    sections, _ = load(XmlLoader, "a.xml", content)
    assert (sections[0].text, sections[0].language) == ("a b – &lt; שלום", "he")


@pytest.mark.parametrize(
    "content", ["<a><b>text</a>", "<a>text", "text", "<a>&what;</a>", "<a b=c>"]
)
def test_what_is_not_well_formed_is_read_as_text_and_told(load, content):
    sections, notices = load(XmlLoader, "a.xml", content)
    assert [section.text for section in sections] == [content]
    assert notices[0].code == "not-xml"
    assert notices[0].message.startswith("line 1, column ")


def test_a_file_without_text_is_broken(load):
    with pytest.raises(LoadError, match="holds no text") as caught:
        load(XmlLoader, "a.xml", "<a><b/></a>")
    assert caught.value.reason == "broken"


# --- hostile -------------------------------------------------------------------------------------

LAUGHS = "<!ENTITY a0 'ha'>" + "".join(
    f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12)
)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "declared",
    [
        LAUGHS,
        "<!ENTITY a11 SYSTEM 'file:///etc/passwd'>",
        "<!ENTITY a11 SYSTEM 'http://127.0.0.1:9/'>",
        "<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;",
        f"<!ENTITY a11 '{'x' * 100_000}'>",
    ],
)
def test_declared_entities_are_refused(load, declared):
    content = f"<!DOCTYPE r [{declared}]><r>{'&a11;' * 1000}</r>"
    with pytest.raises(LoadError, match="declares entities") as caught:
        load(XmlLoader, "a.xml", content)
    assert caught.value.reason == "unsupported"


def test_a_document_type_without_entities_is_read_and_not_fetched(load):
    content = "<!DOCTYPE r SYSTEM 'file:///etc/passwd'><r><p>text</p></r>"
    sections, _ = load(XmlLoader, "a.xml", content)
    assert [section.text for section in sections] == ["text"]


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "content",
    [
        "<a>" * 300_000 + "text" + "</a>" * 300_000,
        "<a>x " * 200_000 + "</a>" * 200_000,
        "<a><t>x</t>" * 50_000 + "</a>" * 50_000,
        "<r>" + "<a>text</a>" * 200_000 + "</r>",
        "<r " + " ".join(f"a{n}='text'" for n in range(50_000)) + "/>",
        "<r>text" + "<b>" * 200_000 + "</b>" * 200_000 + "</r>",
    ],
)
def test_hostile_files_take_little_time(load, content):
    sections, _ = load(XmlLoader, "a.xml", content)
    assert "x" in sections[0].text
