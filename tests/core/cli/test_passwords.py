"""Passwords of encrypted documents: typed on a terminal, or from a keyring, and nowhere else."""

from __future__ import annotations

import json
import threading
import time
import zipfile

import pytest
from fpdf import FPDF

from inglenook.assistants.passwords import Passwords
from inglenook.system_keyring import SystemKeyring

BACKEND = """
import json, os, pathlib, time
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = 1
    file = pathlib.Path(os.environ["TEST_KEYRING"])

    def _all(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def get_password(self, service, username):
        if os.environ.get("TEST_KEYRING_HANGS"):
            time.sleep(3600)
        self.file.with_suffix(".asked").open("a").write(username + "\\n")
        return self._all().get(f"{service} {username}")

    def set_password(self, service, username, password):
        self.file.write_text(json.dumps({**self._all(), f"{service} {username}": password}))
"""


def encrypted(papers, name: str, password: str, text: str):
    pdf = FPDF()
    pdf.set_encryption(owner_password="owner", user_password=password)
    pdf.add_page()
    pdf.set_font("helvetica", size=12)
    pdf.multi_cell(0, text=text)
    path = papers.documents / name
    pdf.output(str(path))
    return path


@pytest.fixture
def keyring_file(tmp_path, site, environment):
    """A keyring that is a file, where a keyring is wanted."""
    (site.folder / "test_keyring_backend.py").write_text(BACKEND)
    file = tmp_path / "keyring.json"
    environment["PYTHON_KEYRING_BACKEND"] = "test_keyring_backend.Keyring"
    environment["TEST_KEYRING"] = str(file)
    return file


@pytest.fixture
def no_keyring(environment):
    environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"


def asked(file) -> list[str]:
    record = file.with_suffix(".asked")
    return record.read_text().splitlines() if record.exists() else []


# --- on a terminal --------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_keyring")
def test_an_encrypted_document_is_asked_for_and_read(screen, nook, papers):
    encrypted(papers, "will.pdf", "open sesame", "The parrot goes to Barbara.")
    shown = screen("ingest", "./papers")
    shown.wait_for("Password for documents/will.pdf (Enter to skip):")
    shown.type("open sesame\n")
    assert shown.end() == 0
    assert "3 added; 3 sources" in shown.text
    assert "open sesame" not in shown.raw
    assert "keyring" not in shown.text
    assert "Barbara" in nook("search", "./papers", "parrot").out


@pytest.mark.usefixtures("no_keyring")
def test_a_wrong_password_is_asked_for_again_three_times(screen, nook, papers):
    encrypted(papers, "will.pdf", "open sesame", "The parrot goes to Barbara.")
    shown = screen("ingest", "./papers")
    for number in range(1, 4):
        shown.wait_until(lambda n=number: shown.text.count("Password for") == n)
        shown.type(f"wrong {number}\n")
    assert shown.end() == 1
    assert shown.text.count("That is not the password of documents/will.pdf.") == 3
    assert "encrypted: it is encrypted and needs another" in shown.text
    # It was asked for: only --retry-failed asks again.
    assert "Password" not in _ended(screen("ingest", "./papers"), 1)
    again = screen("ingest", "./papers", "--retry-failed")
    again.wait_for("Password for documents/will.pdf")
    again.type("open sesame\n")
    assert again.end() == 0
    assert "3 added" not in again.text
    assert "Barbara" in nook("search", "./papers", "parrot").out


def _ended(shown, code: int) -> str:
    assert shown.end() == code
    return shown.text


@pytest.mark.usefixtures("no_keyring")
def test_one_password_opens_every_document_that_it_fits(screen, papers):
    for name in ("a.pdf", "b.pdf", "c.pdf"):
        encrypted(papers, name, "shared", f"Document {name}.")
    encrypted(papers, "d.pdf", "another", "Document d.")
    shown = screen("ingest", "./papers")
    shown.wait_for("Password for documents/a.pdf")
    shown.type("shared\n")
    shown.wait_for("Password for documents/d.pdf")
    shown.type("\n")
    assert shown.end() == 1
    assert shown.text.count("Password for") == 2
    assert "5 added, 1 failed" in shown.text


@pytest.mark.usefixtures("no_keyring")
def test_ctrl_d_ends_the_questions_and_keeps_the_report(screen, papers):
    for name in ("a.pdf", "b.pdf"):
        encrypted(papers, name, "secret", "Text.")
    shown = screen("ingest", "./papers")
    shown.wait_for("Password for documents/a.pdf (Enter to skip, Ctrl-D all 2):")
    shown.type("\x04")
    assert shown.end() == 1
    assert shown.text.count("Password for") == 1
    assert "2 added, 2 failed" in shown.text


def zipped(papers, name: str, passwords: dict[str, str], **texts: str):
    """An archive of encrypted documents and plain ones."""
    with zipfile.ZipFile(papers.documents / name, "w") as archive:
        for part, password in passwords.items():
            file = encrypted(papers, part, password, f"The text of {part}.")
            archive.write(file, part)
            file.unlink()
        for part, text in texts.items():
            archive.writestr(f"{part}.txt", text)


@pytest.mark.usefixtures("no_keyring")
@pytest.mark.parametrize("texts", [{}, {"notes": "Notes that anybody may read."}])
def test_a_document_in_an_archive_is_asked_for_by_its_own_name(screen, nook, papers, texts):
    zipped(papers, "old.zip", {"will.pdf": "open sesame"}, **texts)
    shown = screen("ingest", "./papers")
    shown.wait_for("Password for will.pdf in documents/old.zip (Enter to skip):")
    shown.type("wrong\n")
    shown.wait_for("That is not the password of will.pdf in documents/old.zip.")
    shown.wait_until(lambda: shown.text.count("Password for will.pdf in documents/old.zip") == 2)
    shown.type("open sesame\n")
    assert shown.end() == 0
    assert "part failed" not in shown.text
    assert "old.zip" in nook("search", "./papers", "text of will").out


@pytest.mark.usefixtures("no_keyring")
def test_several_documents_in_an_archive_are_counted_in_the_question(screen, papers):
    zipped(papers, "old.zip", {"a.pdf": "one", "b.pdf": "one", "c.pdf": "one"})
    shown = screen("ingest", "./papers")
    shown.wait_for("Password for a.pdf and 2 others in documents/old.zip (Enter to skip):")
    shown.type("one\n")
    assert shown.end() == 0


@pytest.mark.usefixtures("no_keyring")
def test_a_password_typed_for_another_document_is_not_told_as_its_own(screen, nook, papers):
    encrypted(papers, "a.pdf", "one", "Document a.")
    encrypted(papers, "b.pdf", "two", "Document b.")
    zipped(papers, "c.zip", {"c.pdf": "three"}, notes="Notes.")
    shown = screen("ingest", "./papers")
    shown.wait_for("Password for documents/a.pdf")
    for number in range(1, 4):
        shown.wait_until(lambda n=number: shown.text.count("Password for documents/a.pdf") == n)
        shown.type(f"wrong {number}\n")
    shown.wait_for("Password for documents/b.pdf")
    shown.type("\x04")
    assert shown.end() == 1
    told = {name: message for name, _, message in failed_of(nook)}
    assert "another password than the one given" in told["documents/a.pdf"]
    for name in ("documents/b.pdf", "documents/c.zip"):
        assert "another password" not in told[name]
        assert "encrypted" in told[name]
        assert "needs a password" in told[name]


def failed_of(nook) -> list[tuple[str, str, str]]:
    form = json.loads(nook("kb", "status", "./papers", "--json").out)
    return [(entry["name"], entry["reason"], entry["message"]) for entry in form["failed"]]


def test_a_password_is_kept_in_the_keyring_only_after_a_yes(screen, nook, papers, keyring_file):
    will = encrypted(papers, "will.pdf", "open sesame", "The parrot goes to Barbara.")
    for answer, kept in (("\n", False), ("y\n", True)):
        shown = screen("ingest", "./papers", "--retry-failed")
        shown.wait_for("Password for documents/will.pdf")
        shown.type("open sesame\n")
        shown.wait_for("Keep it in the system keyring? [y/N]")
        shown.type(answer)
        assert shown.end() == 0
        assert keyring_file.exists() is kept
        encrypted(papers, "will.pdf", "open sesame", f"The parrot goes to Carl, {answer!r}.")
    assert json.loads(keyring_file.read_text()) == {f"inglenook {will}": "open sesame"}
    assert nook("ingest", "./papers").code == 0
    assert "Carl" in nook("search", "./papers", "parrot").out


# --- without a terminal ---------------------------------------------------------------------------


@pytest.mark.usefixtures("no_keyring")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_nothing_is_asked_where_nobody_can_answer(nook, papers, options):
    encrypted(papers, "will.pdf", "open sesame", "The parrot goes to Barbara.")
    ran = nook("ingest", "./papers", *options, stdin="open sesame\n")
    assert ran.code == 1
    assert "Password" not in ran.err + ran.out
    assert "encrypted" in ran.out


@pytest.mark.usefixtures("no_keyring")
def test_json_asks_nothing_on_a_terminal_either(screen, papers):
    encrypted(papers, "will.pdf", "open sesame", "The parrot goes to Barbara.")
    shown = screen("ingest", "./papers", "--json")
    assert shown.end() == 1
    assert "Password" not in shown.text


def test_a_password_from_the_keyring_opens_a_document_everywhere(nook, papers, keyring_file):
    will = encrypted(papers, "will.pdf", "open sesame", "The parrot goes to Barbara.")
    keyring_file.write_text(json.dumps({f"inglenook {will}": "open sesame"}))
    assert "Barbara" in nook("search", "./papers", "parrot").out
    assert asked(keyring_file) == [str(will)]


def test_the_keyring_is_not_asked_for_documents_without_a_password(nook, papers, keyring_file):
    assert nook("ingest", "./papers").code == 0
    assert asked(keyring_file) == []


def test_a_wrong_password_in_the_keyring_is_no_worse_than_none(nook, papers, keyring_file):
    will = encrypted(papers, "will.pdf", "open sesame", "The parrot goes to Barbara.")
    keyring_file.write_text(json.dumps({f"inglenook {will}": "old"}))
    ran = nook("ingest", "./papers")
    assert ran.code == 1
    assert "encrypted" in ran.out


def test_no_password_is_in_what_a_run_leaves_on_disk(screen, papers, home, keyring_file):
    secret = "correcthorsebattery"
    encrypted(papers, "will.pdf", secret, "The parrot goes to Barbara.")
    shown = screen("ingest", "./papers", "--verbose")
    shown.wait_for("Password for")
    shown.type(f"{secret}\n")
    shown.wait_for("keyring?")
    shown.type("n\n")
    assert shown.end() == 0
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    for path in (*files, *papers.folder.glob("Assistantfile")):
        assert secret.encode() not in path.read_bytes(), path


# --- the parts ------------------------------------------------------------------------------------


class Kept:
    """A keyring of the test."""

    is_there = True

    def __init__(self, kept=()) -> None:
        self.kept = dict(kept)

    def get(self, user):
        return self.kept.get(user)

    def set(self, user, password):
        self.kept[user] = password
        return True


def test_what_was_typed_for_a_document_goes_before_the_keyring_and_others_after(tmp_path):
    a, b, c = (tmp_path / name for name in "abc")
    passwords = Passwords(Kept({str(a): "kept a", str(b): "kept b"}))
    assert [passwords("", path) for path in (a, b, c)] == ["kept a", "kept b", None]
    passwords.typed(a, "typed")
    assert [passwords("", path) for path in (a, b, c)] == ["typed", "kept b", "typed"]


def test_passwords_are_not_shown_by_accident(tmp_path):
    passwords = Passwords(Kept())
    passwords.typed(tmp_path, "open sesame")
    assert "sesame" not in repr(passwords) + str(passwords)


def test_a_keyring_that_hangs_costs_one_wait_and_is_left_alone(
    monkeypatch, tmp_path, keyring_file, site
):
    monkeypatch.syspath_prepend(str(site.folder))
    monkeypatch.setenv("TEST_KEYRING", str(keyring_file))
    monkeypatch.setenv("TEST_KEYRING_HANGS", "1")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "test_keyring_backend.Keyring")
    import keyring.core

    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    ring = SystemKeyring(patience_s=0.3)
    before = time.monotonic()
    threads = [threading.Thread(target=ring.get, args=(str(n),)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ring.get("again") is None
    assert not ring.is_there
    assert time.monotonic() - before < 2


def test_a_keyring_that_is_none_is_not_there(run_python):
    code = """
        import os, sys
        os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
        from inglenook.assistants.passwords import Passwords
        from inglenook.system_keyring import SystemKeyring
        assert "keyring" not in sys.modules
        print(SystemKeyring().is_there, SystemKeyring().get("x"), Passwords().can_keep)
    """
    assert run_python(code) == "False None False"


def test_without_the_library_there_is_no_keyring(run_python):
    code = """
        import sys
        sys.modules["keyring"] = None
        from inglenook.system_keyring import SystemKeyring
        print(SystemKeyring().is_there, SystemKeyring().get("x"), SystemKeyring().set("x", "y"))
    """
    assert run_python(code) == "False None False"


def test_a_machine_without_any_keyring_is_found_out_quickly(run_python):
    code = """
        import os, time
        for name in ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "PYTHON_KEYRING_BACKEND"):
            os.environ.pop(name, None)
        os.environ["XDG_RUNTIME_DIR"] = "/nowhere"
        from inglenook.system_keyring import SystemKeyring
        before = time.monotonic()
        print(SystemKeyring().get("x"), time.monotonic() - before < 5)
    """
    assert run_python(code) == "None True"
