"""The loader `mail` on real, odd and hostile messages."""

from __future__ import annotations

import base64
import email.policy
import quopri
import time
import tracemalloc
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inglenook.errors import Cancelled, LoadError
from inglenook.testing.loader import LoaderKit
from inglenook.types import CancelToken, LoadRequest, Locator, PartFile, Section
from inglenook_mail.mail_loader import MailLoader

CORPUS = Path(__file__).parents[2] / "data" / "corpus"
HEBREW = "הסיסמה חייבת להכיל לפחות ארבעה עשר תווים."
NAME = "דנה לוי"
HEADERS = b"From: a@example.com\nTo: b@example.com\nSubject: S\nMIME-Version: 1.0\n"


class TestMailLoader(LoaderKit):
    @pytest.fixture
    def loader(self):
        return MailLoader({})

    @pytest.fixture
    def sample(self, tmp_path):
        path = tmp_path / "rules.eml"
        message = EmailMessage()
        message["From"], message["To"] = f"{NAME} <dana@example.com>", "team@example.com"
        message["Subject"] = "הודעה: rules"
        message.set_content(f"Be kind.\n{HEBREW}\n")
        path.write_bytes(message.as_bytes())
        return path

    @pytest.fixture
    def expected(self):
        return (f"From: {NAME} <dana@example.com>", "To: team", "הודעה: rules", "Be kind.", HEBREW)


@pytest.fixture
def load(load_mail, tmp_path):
    def load(content, name="a.eml", **limits):
        path = tmp_path / "message"
        path.write_bytes(content.as_bytes() if isinstance(content, EmailMessage) else content)
        path = path.rename(tmp_path / name)
        return load_mail(MailLoader({}), path, **limits)

    return load


@pytest.fixture
def message():
    message = EmailMessage()
    message["From"] = "Ada <ada@example.com>"
    message["Subject"] = "Figures"
    message.set_content("See the file.")
    return message


# --- real messages -------------------------------------------------------------------------------


def test_a_real_message_with_two_forms_of_its_text_is_read_once(load_mail):
    mail = load_mail(MailLoader({}), CORPUS / "unstructured/eml/fake-email-header.eml")
    assert mail.text == (
        "From: Matthew Robinson <mrobinson@unstructured.io>\n"
        "To: Matthew Robinson <mrobinson@unstructured.io>\n"
        "Cc: Fake Email <fake-email@unstructured.io>, test@unstructured.io\n"
        "Bcc: Hello <hello@unstructured.io>\n"
        "Date: Fri, 16 Dec 2022 17:04:16 -0500\n"
        "Subject: Test Email\n\n"
        "This is a test email to use for unit tests.\n\n"
        "Important points:\n\n   - Roses are red\n   - Violets are blue"
    )
    assert (mail.parts, mail.notices) == ({}, [])
    assert (mail.sections[0].headings, mail.sections[0].locator) == (
        ("Test Email",),
        Locator("whole", ""),
    )


def test_a_real_message_in_html_alone_has_its_text_in_a_part(load_mail):
    mail = load_mail(
        MailLoader({}), CORPUS / "unstructured/eml/email-replace-mime-encodings-error-1.eml"
    )
    assert "Subject: Someone has joined your meeting - Someone: 45 Minute Meeting" in mail.text
    page = mail.parts["body.html"].decode("utf-8-sig")
    assert page.startswith("<title>Someone has joined your meeting")
    assert "Oct 28, 2022 11:00 AM Stockholm" in page


def test_a_real_message_without_a_text_is_its_headers_and_its_picture(load_mail):
    mail = load_mail(MailLoader({}), CORPUS / "unstructured/eml/mime-no-body.eml")
    assert mail.text.endswith("Subject: Image Only Email\nAttachments: image.jpg")
    assert mail.parts["image.jpg"].startswith(b"\xff\xd8\xff\xe0")


def test_a_real_attachment_is_a_part_with_its_bytes(load_mail):
    mail = load_mail(MailLoader({}), CORPUS / "docling/email/eml_with_attachment.eml")
    assert "Attachments: test.txt\n\nHello Bob," in mail.text
    assert mail.parts == {
        "test.txt": b"This is a test attachment file.\nIt contains some dummy content.\n"
    }


# --- headers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"=?utf-8?B?" + base64.b64encode(NAME.encode()) + b"?= <d@x.com>", f"{NAME} <d@x.com>"),
        (b"=?windows-1255?Q?=E3=F0=E4_=EC=E5=E9?= <d@x.com>", f"{NAME} <d@x.com>"),
        (b"=?iso-8859-8-i?b?4/Dk?= =?iso-8859-8-i?b?IOzl6Q==?=", NAME),
        (NAME.encode(), NAME),
        (NAME.encode("cp1255"), NAME),
        (b"=?utf-8?B?15M=?=\n =?utf-8?B?16DX?=\n\t=?utf-8?B?lA==?=", "דנה"),
        (b"=?utf-8*he?Q?=D7=93?=", "ד"),
        (b"=?x-unknown?Q?abc?= x", "abc x"),
        (b"=?utf-8?B?!!!?= =?utf-8?Q?=ZZ?=", "=ZZ"),
        (b"a  =?utf-8?Q?b?=  c", "a b c"),
        (b"one\n two\n\tthree", "one two three"),
        ("\u202bדנה\u202c".encode(), "דנה"),
    ],
)
def test_headers_are_shown_as_people_read_them(load, raw, shown):
    assert load(b"Subject: S\nFrom: " + raw + b"\n\ntext").text == (
        f"From: {shown}\nSubject: S\n\ntext"
    )


@pytest.mark.parametrize(
    "head",
    [
        b"From: a@b.c\nthis line is broken\nSubject: S\n\n",
        b"\xef\xbb\xbfFrom: a@b.c\nSubject: S\n\n",
        b"\r\n\r\nFrom: a@b.c\r\nSubject: S\r\n\r\n",
        b"From a@b.c Fri Jul  8 12:08:34 2011\nFrom: a@b.c\nSubject: S\n\n",
        b"from : a@b.c\nSUBJECT:S\n\n",
        b"From: a@b.c\nSubject: S\n",
    ],
)
def test_broken_heads_are_read(load, head):
    assert load(head + b"The text.").text == "From: a@b.c\nSubject: S\n\nThe text."


def test_several_headers_of_one_name_are_all_shown(load):
    assert load(b"To: a@b.c\nTo: d@e.f\nSubject: S\n\nx").text.startswith("To: a@b.c, d@e.f\n")


def test_a_message_without_a_body_is_its_headers(load):
    assert load(HEADERS).text == "From: a@example.com\nTo: b@example.com\nSubject: S"


def test_a_message_of_macos_is_read_without_the_notes_behind_it(load):
    content = HEADERS + b"\nThe text.\n"
    plist = b"<?xml version='1.0'?><plist><dict><key>flags</key></dict></plist>"
    mail = load(b"%d\n" % len(content) + content + plist, "1.emlx")
    assert mail.text.endswith("\n\nThe text.")


# --- encodings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("charset", ["iso-8859-8-i", "windows-1255", "iso-8859-8", "utf-8"])
@pytest.mark.parametrize("transfer", ["base64", "quoted-printable", "8bit"])
def test_hebrew_is_decoded_to_logical_order(load, charset, transfer):
    data = HEBREW.encode(charset.removesuffix("-i"))
    sent = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}
    body = sent.get(transfer, bytes)(data)
    head = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {transfer}\n\n"
    mail = load(HEADERS + head.encode() + body)
    assert mail.text.endswith(f"\n\n{HEBREW}")
    assert mail.notices == []


def test_a_real_hebrew_body_is_decoded(load):
    body = (CORPUS / "unstructured/hebrew-text-base64-iso88598i.txt").read_bytes()
    head = b"Content-Type: text/plain; charset=iso-8859-8-i\nContent-Transfer-Encoding: base64\n\n"
    mail = load(HEADERS + head + body)
    assert mail.text.endswith("עדכון Tesla - נדרשת חתימה על הבקשה לרישום")


@pytest.mark.parametrize(
    ("declared", "text", "encoding"),
    [
        ("iso-8859-1", "“L’été”", "cp1252"),
        ("iso-8859-8-i", "“שלום”", "cp1255"),
        ("gb2312", "密码必须至少十四个字符镕", "gb18030"),
        ("us-ascii", "ünïcode", "utf-8"),
        ("utf-8", "ünïcode", "utf-8-sig"),
        ("no-such-set", "ünïcode", "utf-8"),
        ("rot13", "plain", "ascii"),
    ],
)
def test_what_mail_programs_declare_wrongly_is_read_rightly(load, declared, text, encoding):
    head = f"Content-Type: text/plain; charset={declared}\n\n".encode()
    assert load(HEADERS + head + text.encode(encoding)).text.endswith(f"\n\n{text}")


def test_hebrew_in_visual_order_is_turned_around_and_told(load):
    logical = "שלום לכולם, ראו example.com (עמוד 12) עד 31.12.2024\nplain line\nבברכה, מרים אלון"
    visual = "example.com ואר ,םלוכל םולש\nplain line\nןולא םירמ ,הכרבב"
    head = b"Content-Type: text/plain; charset=iso-8859-8\n\n"
    mail = load(HEADERS + head + visual.encode("iso-8859-8"))
    assert mail.text.endswith("\n\nשלום לכולם, ראו example.com\nplain line\nבברכה, מרים אלון")
    assert mail.notices == ["visual-order: Hebrew in visual order was turned around"]
    assert load(HEADERS + head + logical.encode("iso-8859-8")).text.endswith(f"\n\n{logical}")


def test_text_without_a_declaration_is_guessed_and_told(load):
    mail = load(HEADERS + b"\n" + HEBREW.encode("cp1255"))
    assert mail.text.endswith(HEBREW)
    assert mail.notices == ["encoding-guessed: read as cp1255, which is a guess"]


def test_bytes_that_make_no_sense_are_replaced_and_told(load):
    mail = load(HEADERS + b"Content-Type: text/plain; charset=iso-2022-jp\n\nab\xff\xfecd")
    assert "ab" in mail.text
    assert mail.notices == ["invalid-bytes: 2 invalid iso-2022-jp sequence(s) replaced by �"]


@pytest.mark.parametrize(
    "data", [b"SGVsbG8", b"SGVsbG8===", b"SGVs\n!!bG8=\n--\nlist footer", b"SGVsbG8=a"]
)
def test_damaged_base64_gives_what_is_there(load, data):
    mail = load(HEADERS + b"Content-Transfer-Encoding: base64\n\n" + data)
    assert mail.text.endswith("\n\nHello")


def test_bidi_controls_and_line_ends_are_cleaned(load):
    mail = load(HEADERS + "\n\u202bשלום\u202c \u2067עולם\u2069  \r\nsecond\rthird".encode())
    assert mail.text.endswith("\n\nשלום עולם\nsecond\nthird")


# --- which part is the text ----------------------------------------------------------------------


def test_a_blank_plain_form_does_not_hide_the_html(load, message):
    message.set_content(" \n")
    message.add_alternative("<p>The <b>text</b></p>", subtype="html")
    mail = load(message)
    assert (
        mail.parts["body.html"]
        .decode("utf-8-sig")
        .startswith("<title>Figures</title>\n<p>The <b>text</b></p>")
    )


def test_html_is_handed_on_in_utf_8_whatever_it_was(load):
    page = f"<meta charset='windows-1255'><p>{HEBREW}</p>".encode("cp1255")
    for declared in (b"; charset=windows-1255", b""):
        mail = load(HEADERS + b"Content-Type: text/html" + declared + b"\n\n" + page)
        assert HEBREW in mail.parts["body.html"].decode("utf-8-sig")


def test_several_texts_of_a_mixed_message_are_all_read(load):
    content = (
        b"Content-Type: multipart/mixed; boundary=X\n\npreamble\n--X\n\nfirst\n--X\n"
        b"Content-Type: text/plain\n\nfooter of the list\n--X\nContent-Type: text/html\n\n<p>h"
        b"\n--X--\nepilogue"
    )
    mail = load(HEADERS + content)
    assert mail.text.endswith("\n\nfirst\n\nfooter of the list")
    assert list(mail.parts) == ["body.html"]


def test_a_boundary_must_be_a_whole_line(load):
    content = (
        b"Content-Type: multipart/mixed; boundary=X\n\n--X\n\none\n--XY\ntwo --X\n--X trailing\n"
        b"three\n--X  \n\nfour\n--X--\n"
    )
    assert load(HEADERS + content).text.endswith(
        "\n\none\n--XY\ntwo --X\n--X trailing\nthree\n\nfour"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Type: multipart/mixed\n\nthe text",
        b"Content-Type: multipart/mixed; boundary=X\n\nthe text",
        b"Content-Type: multipart/mixed; boundary=X\n\n--X\n\nthe text",
        b"Content-Type: multipart/mixed; boundary=X\n\n--X\nContent-Type: x\n\nthe text\n--X",
        b"Content-Type: ;;;\n\nthe text",
        b"Content-Transfer-Encoding: nonsense\n\nthe text",
    ],
)
def test_messages_of_broken_structure_keep_their_text(load, content):
    assert load(HEADERS + content).text.endswith("\n\nthe text")


# --- files ---------------------------------------------------------------------------------------


def test_attachments_are_parts_with_safe_names_of_their_own(load, message):
    for name in ("report.pdf", "../../report.pdf", "C:\\x\\report.pdf", "a\tb<c>.txt", "דוח.txt"):
        message.add_attachment(b"x", maintype="application", subtype="octet-stream", filename=name)
    mail = load(message)
    assert list(mail.parts) == [
        "report.pdf", "report (2).pdf", "report (3).pdf", "a b_c_.txt", "דוח.txt"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"Content-Type: application/pdf", "part.pdf"),
        (b"Content-Type: application/pdf; name=report", "report.pdf"),
        (b"Content-Type: application/pdf; name=\"report v1.2\"", "report v1.2.pdf"),
        (b"Content-Type: text/calendar", "part.ics"),
        (b"Content-Type: application/x-unknown", "part"),
        (b"Content-Disposition: attachment; filename=\"=?utf-8?B?15PXldeX?=.txt\"", "דוח.txt"),
        (b"Content-Disposition: attachment; filename*=utf-8''%D7%93%D7%95%D7%97.txt", "דוח.txt"),
        (b"Content-Disposition: attachment; filename*0=lo; filename*1=ng.txt", "long.txt"),
    ],
)  # fmt: skip
def test_names_are_decoded_and_made_up_where_they_are_missing(load, head, name):
    content = (
        b"Content-Type: multipart/mixed; boundary=X\n\n--X\n\ntext\n--X\n" + head + b"\n\nx\n--X--"
    )
    assert list(load(HEADERS + content).parts) == [name]


def test_an_attached_text_keeps_its_declared_encoding(load, message):
    message.add_attachment(
        HEBREW.encode("cp1255"), maintype="text", subtype="plain", filename="a.txt"
    )
    part = message.get_payload()[1]
    part.set_param("charset", "windows-1255")
    assert load(message).parts["a.txt"].decode("utf-8-sig") == HEBREW


def test_a_forwarded_message_is_a_part_with_its_own_bytes(load, message):
    inner = EmailMessage()
    inner["Subject"] = "Inner/outer: v1.2"
    inner.set_content("Inside.")
    message.add_attachment(inner)
    mail = load(message)
    assert list(mail.parts) == ["Inner_outer_ v1.2.eml"]
    assert load(mail.parts["Inner_outer_ v1.2.eml"]).text == "Subject: Inner/outer: v1.2\n\nInside."


def test_a_digest_is_a_part_for_each_message(load):
    content = (
        b"Content-Type: multipart/digest; boundary=X\n\n--X\n\nSubject: One\n\n1\n--X\n\n"
        b"Subject: Two\n\n2\n--X--"
    )
    mail = load(HEADERS + content)
    assert mail.parts == {"One.eml": b"Subject: One\n\n1", "Two.eml": b"Subject: Two\n\n2"}


def test_pictures_in_the_text_are_parts_if_they_are_more_than_a_logo(load, message):
    message.set_content("<img src=cid:a>", subtype="html")
    for data in (b"big" * 5000, b"small"):
        message.add_related(data, maintype="image", subtype="png", cid=f"<{len(data)}@x>")
    mail = load(message)
    assert [(name, len(data)) for name, data in mail.parts.items() if name != "body.html"] == [
        ("part.png", 15000)
    ]
    assert mail.notices == ["inline-images: 1 small image(s) in the text were left out"]


def test_a_uuencoded_part_is_decoded(load):
    content = (
        b"Content-Type: application/octet-stream; name=a.txt\n"
        b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 a.txt\n%2&5L;&\\`\n`\nend\n"
    )
    assert load(HEADERS + content).parts == {"a.txt": b"Hello"}


# --- encrypted, signed, proprietary --------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "notice"),
    [
        (b"application/pkcs7-mime; name=smime.p7m", "part-failed: smime.p7m: encrypted"),
        (b"application/octet-stream; name=smime.p7m", "part-failed: smime.p7m: encrypted"),
        (b"application/ms-tnef; name=winmail.dat", "part-failed: winmail.dat: unsupported"),
        (b"application/x-any; name=WINMAIL.DAT", "part-failed: WINMAIL.DAT: unsupported"),
        (b"multipart/encrypted; boundary=Y", "part-failed: message: encrypted"),
        (b"application/pgp-signature", "signed: the message's signature"),
        (b"application/octet-stream; name=smime.p7s", "signed: the message's signature"),
        (b"message/external-body; access-type=URL", "part-failed: message/external-body"),
    ],
)
def test_what_cannot_be_read_is_a_notice_and_the_rest_is_read(load, head, notice):
    content = b"Content-Type: multipart/mixed; boundary=X\n\n--X\n\ntext\n--X\nContent-Type: "
    mail = load(HEADERS + content + head + b"\n\n--Y\nsecret\n--Y--\n--X--")
    assert mail.text.endswith("\n\ntext")
    assert mail.parts == {}
    assert [found.startswith(notice) for found in mail.notices] == [True]


def test_an_encrypted_text_is_taken_out_and_told(load):
    body = b"Hi.\n-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\nBye."
    mail = load(HEADERS + b"\n" + body)
    assert mail.text.endswith("\n\nHi.\n\nBye.")
    assert mail.notices == ["part-failed: text: encrypted: it is encrypted with PGP"]


# --- refusals ------------------------------------------------------------------------------------


def test_what_is_no_mail_is_broken(load):
    with pytest.raises(LoadError, match="no header of a mail message") as caught:
        load(b"Just some text.\n\nNothing more.")
    assert caught.value.reason == "broken"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("depth", [100, 10_000])
def test_multiparts_nested_without_end_are_limited(load, depth):
    content = b"".join(
        b"Content-Type: multipart/mixed; boundary=B%d\n\n--B%d\n" % (n, n) for n in range(depth)
    )
    mail = load(HEADERS + content + b"\nthe end")
    assert mail.text.startswith("From: a@example.com")
    assert mail.notices == [
        "part-failed: multipart/mixed: too large: its parts are nested too deeply"
    ]


@pytest.mark.timeout(20)
def test_nested_long_messages_take_little_time(load):
    content = b"".join(
        b"Content-Type: multipart/mixed; boundary=B%d\n\n--B%d\n" % (n, n) for n in range(39)
    )
    begin = time.monotonic()
    mail = load(HEADERS + content + b"\n" + b"a line of text\n" * 1_000_000)
    assert len(mail.text) > 10_000_000
    assert time.monotonic() - begin < 10


@pytest.mark.timeout(20)
def test_a_hundred_thousand_parts_are_refused(load):
    content = b"Content-Type: multipart/mixed; boundary=X\n" + b"\n--X\n\nx" * 100_000
    with pytest.raises(LoadError, match="more than 10,000 parts") as caught:
        load(HEADERS + content)
    assert caught.value.reason == "too large"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "head",
    [
        b"Subject: " + b"=?utf-8?q?a?= " * 300_000,
        b"Subject: " + b"=?utf-8?q?" * 400_000,
        b"To: " + b"a@b.c,\n " * 500_000,
        b"To: " + b"((((((((" * 500_000,
        b"Content-Type: text/plain" + b'; a="' * 500_000,
        b"X: y\n" * 900_000 + b"Subject: S",
        b"no colon\n" * 500_000 + b"Subject: S",
        b"Content-Type: multipart/mixed; boundary=X\n\n" + b"--X" * 1_000_000,
        b"Subject: S\n\n" + b"-----BEGIN PGP MESSAGE-----" * 100_000,
    ],
)
def test_hostile_headers_take_little_time(load, head):
    begin = time.monotonic()
    load(b"From: a@b.c\n" + head + b"\n\ntext")
    assert time.monotonic() - begin < 5


def test_headers_of_megabytes_are_refused(load):
    with pytest.raises(LoadError, match="headers of several megabytes") as caught:
        load(b"Subject: " + b"x" * 6_000_000)
    assert caught.value.reason == "too large"


@pytest.mark.timeout(20)
def test_forwards_inside_forwards_are_opened_one_level_only(load):
    inner = b"Subject: end\n\nthe end"
    for _ in range(3000):
        inner = b"Subject: s\nContent-Type: message/rfc822\n\n" + inner
    mail = load(inner)
    assert mail.text == "Subject: s\nAttachments: s.eml"
    assert len(mail.parts["s.eml"]) < len(inner)


@pytest.mark.timeout(60)
def test_one_line_of_base64_of_40_mb_is_read_in_bounded_memory(load):
    head = (
        b"Content-Type: application/octet-stream; name=a.bin\nContent-Transfer-Encoding: base64\n\n"
    )
    content = HEADERS + head + base64.b64encode(bytes(30_000_000))
    tracemalloc.start()
    assert len(load(content).parts["a.bin"]) == 30_000_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 250_000_000


def test_a_file_past_the_limit_of_bytes_is_refused_unread(load):
    with pytest.raises(LoadError, match="at most 100 are read") as caught:
        load(HEADERS + b"\n" + b"x" * 200, max_inflated_bytes=100)
    assert caught.value.reason == "too large"


def test_a_cancel_between_parts_stops_it(message, tmp_path):
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="a.pdf")
    path = tmp_path / "a.eml"
    path.write_bytes(message.as_bytes())
    cancel = CancelToken()
    items = MailLoader({}).load(LoadRequest(path, path.name), cancel)
    next(items)
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(items)


# --- properties ----------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [b"From: a@b.c\n", b"Subject: =?utf-8?q?a?=\n", b"Content-Type: multipart/mixed; boundary=X\n",
     b"Content-Type: multipart/alternative; boundary=Y\n", b"Content-Type: text/html\n",
     b"Content-Transfer-Encoding: base64\n", b"Content-Type: message/rfc822\n", b"\n", b"\r\n",
     b"--X\n", b"--X--\n", b"--Y\n", b"--Y--\n", b"text\n", b"SGVsbG8=\n", b"\xff\xfe\x00", b": \n",
     b"Content-Disposition: attachment; filename=a.txt\n", b"begin 644 a\n", b"\t folded\n"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=30))
def test_whatever_arrives_is_read_or_refused(tmp_path_factory, pieces):
    path = tmp_path_factory.mktemp("mail") / "a.eml"
    path.write_bytes(b"From: a@b.c\n" + b"".join(pieces))
    items = list(MailLoader({}).load(LoadRequest(path, path.name), CancelToken()))
    names = [item.name for item in items if isinstance(item, PartFile)]
    assert isinstance(items[0], Section)
    assert len(set(names)) == len(names)


@settings(max_examples=100, deadline=None)
@given(
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Cf", "Zs", "Zl", "Zp")), min_size=1),
    st.sampled_from(["base64", "quoted-printable", "8bit"]),
)
def test_what_the_standard_library_writes_is_read_back(tmp_path_factory, text, transfer):
    message = EmailMessage(policy=email.policy.default)
    message["Subject"] = text[:60]
    message.set_content(text, cte=transfer)
    path = tmp_path_factory.mktemp("mail") / "a.eml"
    path.write_bytes(message.as_bytes())
    [section] = MailLoader({}).load(LoadRequest(path, path.name), CancelToken())
    assert section.text == f"Subject: {text[:60]}\n\n{text}"
