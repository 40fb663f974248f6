"""The loader `mbox` on made mailboxes of each dialect and on hostile ones."""

from __future__ import annotations

import mailbox
import time
import tracemalloc
from email.message import EmailMessage

import pytest

from inglenook.errors import Cancelled, LoadError
from inglenook.testing.loader import LoaderKit
from inglenook.types import CancelToken, LoadRequest
from inglenook_mail.mbox_loader import MboxLoader

FROM = b"From a@example.com Fri Jul  8 12:08:34 2011\n"


def write_mailbox(path, texts):
    """Write a mailbox with the standard library."""
    box = mailbox.mbox(str(path))
    for number, text in enumerate(texts, start=1):
        message = EmailMessage()
        message["From"], message["Subject"] = "Ada <ada@example.com>", f"Letter {number}"
        message.set_content(text)
        box.add(message)
    box.close()
    return path


class TestMboxLoader(LoaderKit):
    @pytest.fixture
    def loader(self):
        return MboxLoader({})

    @pytest.fixture
    def sample(self, tmp_path):
        return write_mailbox(tmp_path / "box.mbox", ["Be kind.", "שלום לכולם", "The end."])

    @pytest.fixture
    def expected(self):
        return ("Letter 1", "Be kind.", "Letter 2", "שלום לכולם", "Letter 3", "The end.")


@pytest.fixture
def load(load_mail, tmp_path):
    def load(content, **limits):
        path = tmp_path / "a.mbox"
        path.write_bytes(content)
        return load_mail(MboxLoader({}), path, **limits)

    return load


def test_each_message_is_a_place_with_its_subject_and_number(load_mail, tmp_path):
    mail = load_mail(MboxLoader({}), write_mailbox(tmp_path / "a.mbox", ["one", "two"]))
    assert [(str(section.locator), section.headings) for section in mail.sections] == [
        ("message 1", ("Letter 1",)),
        ("message 2", ("Letter 2",)),
    ]


def test_parts_stand_in_a_folder_of_their_message(load):
    part = b"Content-Type: application/pdf; name=a.pdf\n\nx"
    mail = load(FROM + b"Subject: 1\n" + part + b"\n\n" + FROM + b"Subject: 2\n" + part)
    assert list(mail.parts) == ["message-1/a.pdf", "message-2/a.pdf"]


def test_lines_of_the_text_that_look_like_a_beginning_are_text(load):
    body = (
        b"\nFrom here on it is text.\n\nFrom 10:30 until 2024 too\n>From quoted\n>>From twice\n\n"
        b"From: me\nFrom x Fri Jul  8 12:08:34 2011 has no blank line before it\n\n"
    )
    mail = load(FROM + b"Subject: 1\n" + body + FROM + b"Subject: 2\n\nsecond\n")
    assert [section.text.split("\n")[0] for section in mail.sections] == [
        "Subject: 1",
        "Subject: 2",
    ]
    assert "\nFrom quoted\n>From twice\n" in mail.sections[0].text


@pytest.mark.parametrize(
    "separator",
    [
        b"From - Tue Jan 01 00:00:00 2019",
        b"From 1748109@xxx Fri Oct 28 08:59:14 +0000 2022",
        b"From MAILER-DAEMON Fri Jul  8 12:08:34 2011",
        b"From ???@??? Wed Jan 05 10:00:00 2005",
        b"From someone",
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_beginnings_of_each_dialect_are_found(load, separator, line_end):
    one = line_end.join([separator, b"Subject: 1", b"", b"first", b"", b""])
    two = line_end.join([separator, b"Subject: 2", b"", b"second", b""])
    assert [section.text for section in load(one + two).sections] == [
        "Subject: 1\n\nfirst",
        "Subject: 2\n\nsecond",
    ]


def test_a_single_message_with_the_wrong_extension_is_read(load):
    assert (
        load(b"From: a@b.c\nSubject: S\n\nthe text").text == "From: a@b.c\nSubject: S\n\nthe text"
    )


def test_a_broken_message_is_told_and_the_others_are_read(load):
    mail = load(
        FROM + b"Subject: 1\n\none\n\n" + FROM + b"\xff\xfe\n\n" + FROM + b"Subject: 3\n\n3\n"
    )
    assert [str(section.locator) for section in mail.sections] == ["message 1", "message 3"]
    assert mail.notices == ["part-failed: message-2: broken: it has no header of a mail message"]


def test_a_message_of_too_many_parts_is_told_and_the_others_are_read(load):
    bomb = b"Subject: 1\nContent-Type: multipart/mixed; boundary=X\n" + b"\n--X\n\nx" * 50
    mail = load(FROM + bomb + b"\n\n" + FROM + b"Subject: 2\n\n2", max_members=20)
    assert [str(section.locator) for section in mail.sections] == ["message 2"]
    assert mail.notices[0].startswith("part-failed: message-1: too large: ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no mailbox at all\n", "broken"),
        (b"*mbx*\r\n0000", "unsupported"),
        (b"\n\n\n", "empty"),
        (FROM + b"\n\n", "broken"),
    ],
)
def test_what_is_no_mailbox_is_refused(load, content, reason):
    with pytest.raises(LoadError) as caught:
        load(content)
    assert caught.value.reason == reason


def test_text_past_the_limit_in_all_messages_together_is_refused(load):
    message = FROM + b"Subject: S\n\n" + b"x" * 400 + b"\n\n"
    with pytest.raises(LoadError, match="more than 1,000 characters") as caught:
        load(message * 3, max_characters=1000)
    assert caught.value.reason == "too large"


def test_files_past_the_limit_in_all_messages_together_are_refused(load):
    message = FROM + b"Content-Type: application/pdf\nSubject: S\n\n" + b"x" * 400 + b"\n\n"
    with pytest.raises(LoadError, match="1,000 bytes of attached files") as caught:
        load(message * 3, max_inflated_bytes=1000)
    assert caught.value.reason == "too large"


@pytest.mark.timeout(60)
def test_a_mailbox_is_read_in_little_memory(tmp_path):
    path = tmp_path / "a.mbox"
    message = FROM + b"Subject: S\nContent-Type: application/pdf\n\n" + b"x" * 79 * 10_000 + b"\n\n"
    with path.open("wb") as file:
        for _ in range(100):
            file.write(message)
    tracemalloc.start()
    count = sum(1 for _ in MboxLoader({}).load(LoadRequest(path, "a.mbox"), CancelToken()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 200
    assert peak < 10_000_000


@pytest.mark.timeout(60)
def test_a_message_too_large_for_memory_is_told_and_the_others_are_read(tmp_path, load_mail):
    path = tmp_path / "a.mbox"
    with path.open("wb") as file:
        file.write(FROM + b"Subject: 1\n\n")
        for _ in range(210):
            file.write(b"x" * 1_000_000)
        file.write(b"\n\n" + FROM + b"Subject: 2\n\n2")
    begin = time.monotonic()
    mail = load_mail(MboxLoader({}), path)
    assert [str(section.locator) for section in mail.sections] == ["message 2"]
    assert mail.notices == ["part-failed: message-1: too large: more than 200,000,000 bytes"]
    assert time.monotonic() - begin < 10


def test_a_cancel_between_messages_stops_it(tmp_path):
    path = write_mailbox(tmp_path / "a.mbox", ["one", "two"])
    cancel = CancelToken()
    items = MboxLoader({}).load(LoadRequest(path, path.name), cancel)
    next(items)
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(items)
