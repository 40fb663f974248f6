"""What the text loaders make of real, odd and hostile files."""

from __future__ import annotations

from pathlib import Path

import pytest

from inglenook.errors import LoadError
from inglenook.testing.loader import read
from inglenook.types import CancelToken, LoadRequest
from inglenook_text.code import CodeLoader
from inglenook_text.html import HtmlLoader
from inglenook_text.markdown import MarkdownLoader
from inglenook_text.plain import TextLoader
from inglenook_text.table import TableLoader
from inglenook_text.tree import JsonLoader

CORPUS = Path(__file__).parents[2] / "data" / "corpus"
DOCUMENTS = Path(__file__).parents[2] / "data" / "documents"
HEBREW = "הסיסמה חייבת להכיל לפחות ארבעה עשר תווים, ויש להחליף אותה מדי שנה."


# --- encodings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8-sig", HEBREW),
        ("utf-16", HEBREW),
        ("utf-32", HEBREW),
    ],
)
def test_a_byte_order_mark_names_the_encoding_and_is_no_guess(load, encoding, text):
    sections, notices = load(TextLoader, "a.txt", text.encode(encoding))
    assert [section.text for section in sections] == [text]
    assert notices == []


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1255", HEBREW),
        ("iso-8859-8", HEBREW),
        ("utf-16-le", "A plain English sentence."),
        ("utf-16-be", "A plain English sentence."),
        ("cp1252", "L'été était très chaud. Das war köstlich! 15,50 €"),
        ("latin-1", "Señor Núñez vivía en España. Mañana será otro día."),
        ("cp1251", "Однажды, в студеную зимнюю пору, я из лесу вышел; был сильный мороз."),
        ("koi8-r", "Однажды, в студеную зимнюю пору, я из лесу вышел; был сильный мороз."),
        ("cp1256", "يجب أن تتكون كلمة المرور من أربعة عشر حرفا على الأقل وأن تتغير كل سنة."),
        ("shift_jis", "パスワードは14文字以上でなければなりません。毎年変更してください。"),
        ("gb18030", "密码必须至少包含十四个字符，并且每年更换一次。"),
    ],
)
def test_an_encoding_without_a_mark_is_guessed_and_told(load, encoding, text):
    sections, notices = load(TextLoader, "a.txt", text.encode(encoding))
    assert [section.text for section in sections] == [text]
    assert [notice.code for notice in notices] == ["encoding-guessed"]


def test_a_real_russian_dos_file_is_read():
    sections, notices = read(TextLoader({}), DOCUMENTS / "russian.cp866.txt")
    assert sections[0].text.startswith("Однажды, в студеную зимнюю пору")
    assert notices[0].code == "encoding-guessed"


def test_a_real_utf_32_file_is_read():
    sections, _ = read(TextLoader({}), DOCUMENTS / "fake-text-utf-32.txt")
    assert "Hamburgers are delicious" in sections[0].text


def test_a_stray_byte_in_utf_8_is_replaced_and_told(load):
    sections, notices = load(TextLoader, "a.txt", (HEBREW * 3).encode() + b"\xff")
    assert sections[0].text == HEBREW * 3 + "\ufffd"
    assert [notice.code for notice in notices] == ["invalid-bytes"]


def test_line_ends_of_every_system_count_as_one_character(load):
    sections, _ = load(TextLoader, "a.txt", b"one\r\ntwo\rthree\n")
    assert [section.text for section in sections] == ["one\ntwo\nthree"]


def test_characters_that_only_lay_text_out_are_taken_out_before_offsets_count(load):
    content = "\u202bשלום\u202c\n\nAB\u00ad\u2066C\n===\n\nx\ufeff\u2060y\u200f\u061c\n"
    sections, _ = load(TextLoader, "a.txt", content)
    assert [(section.text, section.start) for section in sections] == [
        ("שלום", 0),
        ("ABC\n===\n\nxy", 6),
    ]


def test_joiners_that_letters_need_stay(load):
    text = "می\u200cخواهم क\u094d\u200dष"
    sections, _ = load(TextLoader, "a.txt", text)
    assert sections[0].text == text


def test_a_real_file_that_is_base64_is_read_as_it_stands():
    """Nothing in it says that it is a message, or in which encoding."""
    sections, notices = read(
        TextLoader({}), CORPUS / "unstructured/hebrew-text-base64-iso88598i.txt"
    )
    assert sections[0].text == "8uPr5e8gVGVzbGEgLSDw4/j5+iDn+unu5CDy7CDk4ff55CDs+On55e0g"
    assert notices == []


def test_a_real_utf_16_file_without_a_mark_is_read():
    sections, _ = read(TextLoader({}), CORPUS / "unstructured/fake-text-utf-16-le.txt")
    assert sections[0].text.startswith("This is a test document to use for unit tests.")


def test_a_real_file_of_hundreds_of_languages_is_read_whole():
    path = CORPUS / "unstructured/language-docs/UDHR_first_article_all.txt"
    sections, notices = read(TextLoader({}), path)
    text = "".join(section.text for section in sections)
    assert "כל בני אדם נולדו בני חורין ושווים בערכם ובזכויותיהם." in text
    assert "是人都生而自由，在尊严和权利上一律平等。" in text
    assert notices == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b" \n\n ", "white space"),
    ],
)
def test_a_file_without_text_is_empty_and_says_why(load, content, message):
    with pytest.raises(LoadError, match=message) as caught:
        load(TextLoader, "a.txt", content)
    assert caught.value.reason == "empty"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"%PDF-1.7 ...", "a PDF"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"abc\x00def" * 20, "binary"),
        (b"\x1f\x8b\x08rest", "gzip archive"),
        (b"\xfd7zXZ\x00rest", "xz archive"),
        (b"ID3\x03rest", "recording"),
        (bytes(range(256)), "binary"),
    ],
)
def test_what_is_not_text_is_unsupported_and_named(load, content, message):
    with pytest.raises(LoadError, match=message) as caught:
        load(TextLoader, "a.txt", content)
    assert caught.value.reason == "unsupported"


# --- plain text and Markdown -------------------------------------------------------------------


def test_headings_of_plain_text_are_found(load):
    text = "GUIDE\n\nIntro.\n\n1. LEAVE\n\n1.1 Vacation\n\nTwenty days.\n\nTitle\n=====\nEnd.\n"
    sections, _ = load(TextLoader, "a.txt", text)
    assert [(section.headings, section.locator.value) for section in sections] == [
        (("GUIDE",), 1),
        (("1. LEAVE", "1.1 Vacation"), 5),
        (("Title",), 11),
    ]


def test_a_sentence_that_stands_alone_is_no_heading(load):
    sections, _ = load(TextLoader, "a.txt", "First.\n\nNot a heading\n\n3. buy some milk\n\nEnd.\n")
    assert len(sections) == 1


def test_markdown_headings_in_fences_and_front_matter_do_not_count(load):
    text = "---\ntitle: x\n---\n# A\n\n```sh\n# not one\n```\n\n- item\n---\n\n## B `c` ##\nEnd.\n"
    sections, _ = load(MarkdownLoader, "a.md", text)
    assert [section.headings for section in sections] == [(), ("A",), ("A", "B c")]


def test_a_heading_with_nothing_below_goes_on_into_the_next_section(load):
    sections, _ = load(MarkdownLoader, "a.md", "# A\n\n## B\n\nText.\n")
    assert [(section.headings, section.text) for section in sections] == [
        (("A", "B"), "# A\n\n## B\n\nText.")
    ]


def test_a_real_markdown_file_is_cut_at_its_headings():
    sections, _ = read(MarkdownLoader({}), DOCUMENTS / "wiki.md")
    assert [section.headings for section in sections] == [
        ("IBM",),
        ("IBM", "1910s–1950s"),
        ("IBM", "1960s–1980s"),
    ]


# --- HTML --------------------------------------------------------------------------------------


def test_scripts_styles_and_hidden_text_are_left_out_and_hidden_text_is_told(load):
    page = (
        "<title>T</title><style>p{}</style><script>if (a<b) alert('x')</script>"
        "<p>Seen <b>here</b>.</p><p hidden>Not seen<p>Seen again.<div style='display:none'>No</div>"
    )
    sections, notices = load(HtmlLoader, "a.html", page)
    assert [section.text for section in sections] == ["Seen here.\n\nSeen again."]
    assert sections[0].headings == ("T",)
    assert [notice.code for notice in notices] == ["hidden-text"]


def test_headings_make_sections_that_are_named_by_them(load):
    sections, _ = load(HtmlLoader, "a.html", "<p>0<h1>A</h1>1<h2>B</h2>2<h1>C</h1>3")
    assert [(str(section.locator), section.headings) for section in sections] == [
        ("", ()),
        ("section A", ("A",)),
        ("section B", ("A", "B")),
        ("section C", ("C",)),
    ]


def test_tables_lists_and_code_keep_their_lines(load):
    page = (
        "<table><tr><th>Name<th>Age</tr>\n <tr><td><p>Ada</p></td><td>36</td></tr></table>"
        "<ul><li><p>one</p><li>two</ul><pre>a\n  b</pre>x<br>y"
    )
    sections, _ = load(HtmlLoader, "a.html", page)
    assert sections[0].text == "Name | Age\nAda | 36\n\n- one\n- two\n\na\n  b\n\nx\ny"


def test_a_real_page_with_rich_tables_is_read():
    sections, _ = read(HtmlLoader({}), DOCUMENTS / "html_rich_table_cells.html")
    assert "Mallard | Ponds, lakes, rivers | Quack" in sections[0].text


def test_the_encoding_that_a_page_declares_is_used(load):
    page = f"<meta charset='windows-1255'><p>{HEBREW}</p>".encode("cp1255")
    sections, notices = load(HtmlLoader, "a.html", page)
    assert sections[0].text == HEBREW
    assert notices == []


def test_words_for_a_picture_are_read_and_file_names_are_not(load):
    page = "<p>A<img alt='a  duck'>B<img alt='duck_01.jpg'><img alt=''><img src='x'>."
    sections, _ = load(HtmlLoader, "a.html", page)
    assert sections[0].text == "A [a duck] B."


def test_formulas_are_read_and_their_source_is_not(load):
    page = "<p>x<math><mi>y</mi><mo>=</mo><mn>1</mn><annotation>\\y=1</annotation></math>"
    sections, _ = load(HtmlLoader, "a.html", page)
    assert sections[0].text == "xy=1"


def test_the_first_title_of_a_page_is_its_title(load):
    page = "<title>Mail</title><html><head><title>Junk</title></head><p>text"
    sections, _ = load(HtmlLoader, "a.html", page)
    assert (sections[0].headings, sections[0].text) == (("Mail",), "text")


def test_bidi_controls_written_as_entities_are_taken_out(load):
    sections, _ = load(HtmlLoader, "a.html", "<p>&rlm;שלום&#x202C; a&shy;b&zwnj;c")
    assert sections[0].text == "שלום ab\u200cc"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["<!--", "<a ", "<", "&", "<?", "<div>", '<a "', "<![CDATA[", "</"]
)
def test_hostile_pages_take_linear_time(load, piece):
    sections, _ = load(HtmlLoader, "a.html", "seen" + piece * 200_000)
    assert sections[0].text.startswith("seen")


# --- tables ------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(load, delimiter):
    rows = ["name{0}city", "Ada{0}London", '"Smith{0} Jr"{0}Paris']
    sections, _ = load(TableLoader, "a.csv", "\n".join(rows).format(delimiter))
    assert [section.text for section in sections] == [
        "name: Ada\ncity: London",
        f"name: Smith{delimiter} Jr\ncity: Paris",
    ]


def test_rows_are_numbered_as_in_a_spreadsheet(load):
    sections, _ = load(TableLoader, "a.csv", "name,age\nAda,36\n\nGrace,85\n")
    assert [str(section.locator) for section in sections] == ["row 2", "row 4"]


def test_a_table_without_a_header_loses_no_row(load):
    sections, _ = load(TableLoader, "a.csv", "1,2\n3,4\n")
    assert [section.text for section in sections] == [
        "column 1: 1\ncolumn 2: 2",
        "column 1: 3\ncolumn 2: 4",
    ]


def test_ragged_rows_are_kept_and_told(load):
    sections, notices = load(TableLoader, "a.csv", "a,b\n1,2,3\n4,5\n")
    assert sections[0].text == "a: 1\nb: 2\ncolumn 3: 3"
    assert [notice.code for notice in notices] == ["ragged-rows"]


def test_a_real_semicolon_table_is_read():
    sections, _ = read(TableLoader({}), DOCUMENTS / "csv-semicolon.csv")
    assert len(sections) == 5
    assert "First Name: Sheryl" in sections[0].text


def test_the_line_that_names_the_delimiter_is_no_row(load):
    sections, _ = load(TableLoader, "a.csv", "sep=;\na;b\n1,5;2,5\n")
    assert [(str(section.locator), section.text) for section in sections] == [
        ("row 3", "a: 1,5\nb: 2,5")
    ]


def test_a_title_above_the_table_is_no_header(load):
    content = "Report 2024\n\nname,age,city\nAda,36,London\n"
    sections, notices = load(TableLoader, "a.csv", content)
    assert [(str(section.locator), section.text) for section in sections] == [
        ("row 1", "Report 2024"),
        ("row 4", "name: Ada\nage: 36\ncity: London"),
    ]
    assert notices == []


def test_a_quote_that_never_ends_swallows_no_row_and_is_told(load):
    content = 'a,b\n1,"two\nlines"\n3,"open\n5,6\n'
    sections, notices = load(TableLoader, "a.csv", content)
    assert [(str(section.locator), section.text) for section in sections] == [
        ("row 2", "a: 1\nb: two\nlines"),
        ("row 3", "a: 3\nb: open"),
        ("row 4", "a: 5\nb: 6"),
    ]
    assert [notice.message for notice in notices] == ["line 4: a quote begins that never ends"]


def test_quotes_inside_cells_are_no_open_quotes(load):
    sections, notices = load(TableLoader, "a.csv", 'size,n\n5" pipe,2\n"he said ""x""",3\n')
    assert [section.text for section in sections] == [
        'size: 5" pipe\nn: 2',
        'size: he said "x"\nn: 3',
    ]
    assert notices == []


@pytest.mark.parametrize("name", ["csv-too-many-columns.csv", "csv-inconsistent-header.csv"])
def test_real_ragged_tables_lose_no_cell(name):
    path = CORPUS / "docling/csv" / name
    sections, notices = read(TableLoader({}), path)
    cells = [line.partition(": ")[2] for section in sections for line in section.text.split("\n")]
    assert cells == path.read_text().replace("\n", ",").strip(",").split(",")
    assert [notice.code for notice in notices] == ["ragged-rows"]


# --- JSON --------------------------------------------------------------------------------------


def test_numbers_and_repeated_keys_stay_as_written(load):
    sections, _ = load(JsonLoader, "a.json", '{"a": 1.10, "a": 2e5, "b": true, "c": null}')
    assert [section.text for section in sections] == ["a: 1.10\na: 2e5\nb: true"]


def test_records_of_a_list_are_sections(load):
    content = '{"people": [{"n": "Ada", "a": 1}, {"n": "Grace", "a": 2}]}'
    sections, _ = load(JsonLoader, "a.json", content)
    assert [str(section.locator) for section in sections] == [
        "section people[0]",
        "section people[1]",
    ]


def test_what_is_not_valid_json_is_read_as_text_and_told(load):
    sections, notices = load(JsonLoader, "a.json", '// note\n{"a": 1,}')
    assert sections[0].text == '// note\n{"a": 1,}'
    assert [notice.code for notice in notices] == ["not-json"]


def test_the_name_decides_and_not_the_place_where_the_bytes_are(tmp_path):
    place = tmp_path / "without-an-extension"
    place.write_text('{"a": 1}\n{"a": 2}\n')
    request = LoadRequest(place, "members/list.JSONL")
    assert [str(part.locator) for part in JsonLoader({}).load(request, CancelToken())] == [
        "row 1",
        "row 2",
    ]


def test_bidi_controls_written_as_escapes_are_taken_out(load):
    sections, _ = load(JsonLoader, "a.json", r'{"a": "\u200fשלום\u202c"}')
    assert sections[0].text == "a: שלום"


def test_broken_lines_of_json_lines_are_told_by_number(load):
    sections, notices = load(JsonLoader, "a.jsonl", '{"a": 1}\nnot json\n{"a": 3}\n')
    assert [str(section.locator) for section in sections] == ["row 1", "row 3"]
    assert notices[0].message == "1 line(s) are not JSON: 2"


@pytest.mark.parametrize("content", ["[" * 200_000 + "]" * 200_000, '{"a":' * 200_000])
def test_json_nested_200_000_deep_is_refused(load, content):
    with pytest.raises(LoadError, match="nested too deeply"):
        load(JsonLoader, "a.json", content)


# --- source code -------------------------------------------------------------------------------


def test_definitions_make_sections_with_their_comments_and_decorators(load):
    code = "import os\n\n# About foo.\n@cached\ndef foo(a):\n    pass\n\nclass Bar:\n    x = 1\n"
    sections, _ = load(CodeLoader, "a.py", code)
    assert [(section.headings, section.locator.value) for section in sections] == [
        ((), 1),
        (("def foo(a)",), 3),
        (("class Bar",), 8),
    ]


def test_c_functions_are_definitions_and_calls_are_not(load):
    code = "#include <x.h>\nint x;\nfoo(1);\n\nint main(int a)\n{\n  return f(a);\n}\n"
    sections, _ = load(CodeLoader, "a.c", code)
    assert [section.headings for section in sections] == [(), ("int main(int a)",)]


# --- size --------------------------------------------------------------------------------------


@pytest.mark.timeout(20)
@pytest.mark.parametrize("content", ["hello world " * 3_400_000, "a" * 40_000_000])
def test_a_line_of_40_mb_is_read(load, content):
    sections, _ = load(TextLoader, "a.txt", content)
    assert sum(len(section.text.replace(" ", "")) for section in sections) == len(
        content.replace(" ", "")
    )
