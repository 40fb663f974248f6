"""The loader `msg` on made Outlook messages, damaged and hostile ones."""

from __future__ import annotations

import struct
import sys

import pytest

from inglenook.errors import LoadError, MissingDependencyError
from inglenook.testing.loader import LoaderKit
from inglenook.types import CancelToken, LoadRequest
from inglenook_mail.compressed_rtf import decompress_rtf
from inglenook_mail.mail_loader import MailLoader
from inglenook_mail.msg_loader import MsgLoader

HEBREW = "הסיסמה חייבת להכיל לפחות ארבעה עשר תווים."
SUBJECT, BODY, BODY_8, HTML, RTF = 0x0037001F, 0x1000001F, 0x1000001E, 0x10130102, 0x10090102
SENDER, SENDER_SMTP, SENT = 0x0C1A001F, 0x5D01001F, 0x00390040
NAME, SMTP, KIND = 0x3001001F, 0x39FE001F, 0x0C150003
FILE_NAME, SHORT_NAME, DATA, METHOD = 0x3707001F, 0x3704001F, 0x37010102, 0x37050003
MIME_TYPE, CONTENT_ID, MESSAGE = 0x370E001F, 0x3712001F, 0x3701000D
HEADERS, BODY_CODE_PAGE, CODE_PAGE = 0x007D001F, 0x3FDE0003, 0x3FFD0003
# MS-OXRTFCP, section 4.1.1: the example of the specification.
COMPRESSED = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)
PLAIN_RTF = b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"


class TestMsgLoader(LoaderKit):
    @pytest.fixture
    def loader(self):
        return MsgLoader({})

    @pytest.fixture
    def sample(self, tmp_path, write_msg):
        properties = {SENDER: "דנה לוי", SUBJECT: "Rules", BODY: f"Be kind.\r\n{HEBREW}\r\n"}
        return write_msg(tmp_path / "rules.msg", properties=properties)

    @pytest.fixture
    def expected(self):
        return ("From: דנה לוי", "Subject: Rules", "Be kind.", HEBREW)


@pytest.fixture
def load(load_mail, write_msg, tmp_path):
    def load(properties=(), recipients=(), attachments=(), **limits):
        path = write_msg(
            tmp_path / "a.msg",
            properties={SUBJECT: "S", **dict(properties)},
            recipients=recipients,
            attachments=attachments,
        )
        return load_mail(MsgLoader({}), path, **limits)

    return load


# --- headers -------------------------------------------------------------------------------------


def test_sender_recipients_and_date_are_shown_as_people_read_them(load):
    mail = load(
        {SENDER: "Dana Levi", SENDER_SMTP: "dana@x.com", SENT: 133_000_000_000_000_000, BODY: "B"},
        recipients=[
            {NAME: "Ada", SMTP: "ada@x.com", KIND: 1},
            {NAME: "grace@x.com", SMTP: "grace@x.com", KIND: 1},
            {NAME: "Alan", KIND: 2},
        ],
    )
    assert mail.text == (
        "From: Dana Levi <dana@x.com>\nTo: Ada <ada@x.com>; grace@x.com\nCc: Alan\n"
        "Date: Sat, 18 Jun 2022 04:26:40 +0000\nSubject: S\n\nB"
    )


def test_the_headers_that_it_travelled_with_win(load):
    travelled = "Received: x\r\nFrom: =?utf-8?q?Ada?= <ada@x.com>\r\nDate: Mon, 1 Jan 2024\r\n"
    mail = load({SENDER: "/O=EXCHANGE/CN=ADA", HEADERS: travelled, BODY: "B"})
    assert mail.text == "From: Ada <ada@x.com>\nDate: Mon, 1 Jan 2024\nSubject: S\n\nB"


@pytest.mark.parametrize(
    ("page", "encoding"),
    [(38598, "iso-8859-8"), (1255, "cp1255"), (28598, "iso-8859-8"), (65001, "utf-8")],
)
def test_hebrew_in_old_code_pages_is_read(load, page, encoding):
    mail = load({BODY_8: HEBREW.encode(encoding), BODY_CODE_PAGE: page})
    assert mail.text.endswith(f"\n\n{HEBREW}")
    mail = load({0x0037001E: HEBREW.encode(encoding), CODE_PAGE: page, SUBJECT: "", BODY: "B"})
    assert mail.sections[0].text.endswith("B")


# --- text ----------------------------------------------------------------------------------------


def test_a_text_in_html_alone_is_a_part(load):
    page = f"<p>{HEBREW}</p>".encode("cp1255")
    mail = load({HTML: page, BODY_CODE_PAGE: 1255})
    assert mail.parts["body.html"].decode("utf-8-sig") == f"<title>S</title>\n<p>{HEBREW}</p>"
    assert mail.text == "Subject: S"


def test_a_plain_text_hides_the_html_and_the_rtf(load):
    mail = load({BODY: "plain", HTML: b"<p>page", RTF: COMPRESSED})
    assert (mail.text, mail.parts) == ("Subject: S\n\nplain", {})


def test_a_text_in_rtf_alone_is_a_part(load):
    assert load({RTF: COMPRESSED}).parts == {"body.rtf": PLAIN_RTF}


def test_damaged_rtf_is_told(load):
    mail = load({RTF: b"nonsense that is long enough"})
    assert mail.notices == ["part-failed: body.rtf: broken: its bytes are damaged"]


# --- attachments ---------------------------------------------------------------------------------


def test_attachments_are_parts_with_their_names_and_bytes(load):
    mail = load(
        {BODY: "B"},
        attachments=[
            {FILE_NAME: "דוח שנתי.pdf", SHORT_NAME: "REPORT~1.PDF", DATA: b"p" * 10_000, METHOD: 1},
            {SHORT_NAME: "notes.txt", DATA: b"short", METHOD: 1},
            {NAME: "photo", MIME_TYPE: "image/png", DATA: b"x", METHOD: 1},
        ],
    )
    assert mail.parts == {"דוח שנתי.pdf": b"p" * 10_000, "notes.txt": b"short", "photo.png": b"x"}
    assert "Attachments: דוח שנתי.pdf, notes.txt, photo.png\n" in mail.text


def test_small_pictures_in_the_text_are_left_out_and_told(load):
    picture = {MIME_TYPE: "image/png", CONTENT_ID: "a@b", METHOD: 1}
    mail = load(
        {BODY: "B"}, attachments=[{**picture, DATA: b"s"}, {**picture, DATA: b"b" * 20_000}]
    )
    assert [len(data) for data in mail.parts.values()] == [20_000]
    assert mail.notices == ["inline-images: 1 small image(s) in the text were left out"]
    assert "Attachments" not in mail.text


def test_a_link_to_a_file_and_a_sealed_file_are_told(load):
    mail = load(
        {BODY: "B"},
        attachments=[
            {FILE_NAME: "a.txt", METHOD: 4},
            {FILE_NAME: "smime.p7m", DATA: b"x", METHOD: 1},
        ],
    )
    assert [notice.split(": ")[:3] for notice in mail.notices] == [
        ["part-failed", "a.txt", "unsupported"],
        ["part-failed", "smime.p7m", "encrypted"],
    ]


def test_a_message_in_the_message_is_a_part_that_the_mail_loader_reads(load, load_mail, tmp_path):
    inner = {
        "properties": {SUBJECT: "Inner – פנימי", SENDER: "Ada", BODY: f"Inside.\r\n{HEBREW}"},
        "attachments": [{FILE_NAME: 'a "b".bin', DATA: bytes(range(256)), METHOD: 1}],
    }
    mail = load({BODY: "Outside."}, attachments=[{METHOD: 5, MESSAGE: inner}])
    assert list(mail.parts) == ["Inner – פנימי.eml"]
    path = tmp_path / "inner.eml"
    path.write_bytes(mail.parts["Inner – פנימי.eml"])
    read = load_mail(MailLoader({}), path)
    assert read.text == (
        f"From: Ada\nSubject: Inner – פנימי\nAttachments: a _b_.bin\n\nInside.\n{HEBREW}"
    )
    assert read.parts == {"a _b_.bin": bytes(range(256))}


def test_messages_nested_without_end_are_limited(load):
    inner = {"properties": {SUBJECT: "the end", BODY: "end"}}
    for level in range(15):
        properties = {SUBJECT: f"{level}", BODY: "x"}
        inner = {"properties": properties, "attachments": [{METHOD: 5, MESSAGE: inner}]}
    mail = load({BODY: "B"}, attachments=[{METHOD: 5, MESSAGE: inner}])
    assert "messages are nested more than 8 deep" in mail.notices[0]


def test_too_many_attachments_are_refused(load):
    with pytest.raises(LoadError, match="more than 10 parts") as caught:
        load({BODY: "B"}, attachments=[{NAME: "a", DATA: b"x", METHOD: 1}] * 11, max_members=10)
    assert caught.value.reason == "too large"


# --- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [600, 1500, 3000, 5000])
def test_a_truncated_file_is_broken_or_read(write_msg, tmp_path, load_mail, cut):
    path = write_msg(tmp_path / "a.msg", properties={SUBJECT: "S", BODY: "B" * 9000})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(LoadError) as caught:
        load_mail(MsgLoader({}), path)
    assert caught.value.reason == "broken"


@pytest.mark.timeout(60)
def test_a_file_with_changed_bytes_is_refused_or_read_and_never_worse(
    write_msg, tmp_path, load_mail
):
    path = write_msg(
        tmp_path / "a.msg",
        properties={SUBJECT: "S", BODY: "B" * 9000, BODY_CODE_PAGE: 1255},
        attachments=[{FILE_NAME: "a.txt", DATA: b"x" * 5000, METHOD: 1}],
    )
    whole = path.read_bytes()
    outcomes = set()
    for place in range(0, len(whole), 23):
        path.write_bytes(whole[:place] + b"\xff\x00\x7f\x01" + whole[place + 4 :])
        try:
            load_mail(MsgLoader({}), path)
            outcomes.add("read")
        except LoadError as error:
            outcomes.add(error.reason)
    assert outcomes == {"read", "broken"}


def test_another_compound_file_is_no_message(tmp_path, write_msg, load_mail):
    path = write_msg(tmp_path / "a.msg", properties={SUBJECT: "S"})
    path.write_bytes(
        path.read_bytes().replace(
            "__properties_version1.0".encode("utf-16-le"),
            "__somethingelse_rsion1.0"[:23].encode("utf-16-le"),
        )
    )
    with pytest.raises(LoadError, match="no message of Outlook"):
        load_mail(MsgLoader({}), path)


def test_a_missing_library_names_the_extra(write_msg, tmp_path, monkeypatch):
    path = write_msg(tmp_path / "a.msg", properties={SUBJECT: "S"})
    monkeypatch.setitem(sys.modules, "olefile", None)
    with pytest.raises(MissingDependencyError, match=r"inglenook\[mail\]"):
        list(MsgLoader({}).load(LoadRequest(path, path.name), CancelToken()))


# --- compressed RTF ------------------------------------------------------------------------------


def test_the_examples_of_the_specification_unpack():
    assert decompress_rtf(COMPRESSED, 10**6) == PLAIN_RTF
    overlapping = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert decompress_rtf(overlapping, 10**6) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
    plain = struct.pack("<LLLL", 14, 2, 0x414C454D, 0) + b"{}"
    assert decompress_rtf(plain, 10**6) == b"{}"


@pytest.mark.parametrize("data", [b"", b"x" * 20, struct.pack("<LLLL", 1, 2**31, 0x75465A4C, 0)])
def test_rtf_that_makes_no_sense_is_refused(data):
    with pytest.raises(ValueError):
        decompress_rtf(data, 10**6)
