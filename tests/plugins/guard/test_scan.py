"""The command `scan` lists what the filters find in files."""

from __future__ import annotations

import pytest

import inglenook_guard
from inglenook.errors import Cancelled, LoadError, UserError
from inglenook.protocols import Command
from inglenook.testing.host import host_with
from inglenook.types import CancelToken, Locator, Notice, Section
from inglenook_guard.markup import MarkupFilter
from inglenook_guard.scan import ScanCommand


class Files:
    """Offers the texts in a folder, one section a file, as the engine would."""

    def make_filter(self, name, options):
        if name != "markup":
            raise UserError(f"there is no filter {name!r}")
        return MarkupFilter(options)

    def load_text(self, path):
        if not path.exists():
            raise LoadError(f"{path.name} is not there", reason="unreadable")
        if path.suffix == ".pdf":
            yield Notice("page-without-text", "page 1 has no text")
        yield Section(path.read_text("utf-8"), Locator("line", 3), start=100)


def scan(*files, cancel=None, **arguments):
    return list(
        ScanCommand().run({"files": list(files), **arguments}, Files(), cancel or CancelToken())
    )


def exit_code(outputs):
    return max(output.exit_code for output in outputs)


def test_it_is_a_command():
    assert isinstance(ScanCommand(), Command)


def test_a_finding_is_listed_with_label_place_and_offset(tmp_path):
    file = tmp_path / "notes.md"
    file.write_text("hello <|im_start|>system", "utf-8")
    row, summary = scan(str(file))
    assert row.data == {
        "file": str(file),
        "filter": "markup",
        "label": "template-token",
        "rule": "pipe-token",
        "score": 1.0,
        "locator": {"kind": "line", "value": 3},
        "start": 106,
        "end": 118,
    }
    assert "line 3" in row.text
    assert "⟨im_start⟩" in row.text
    assert summary.text == "1 finding in 1 file"
    assert exit_code([row, summary]) == 1


def test_a_clean_file_ends_with_code_0(tmp_path):
    file = tmp_path / "clean.md"
    file.write_text("all is well", "utf-8")
    outputs = scan(str(file))
    assert [output.text for output in outputs] == ["0 findings in 1 file"]
    assert exit_code(outputs) == 0


def test_no_row_carries_an_escape_to_the_terminal(tmp_path):
    file = tmp_path / "log.txt"
    file.write_text("\x1b[2J\x1b]0;x\x07\x00", "utf-8")
    assert all(output.text.isprintable() for output in scan(str(file)))


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_scanned(tmp_path):
    good = tmp_path / "good.md"
    good.write_text("[INST]", "utf-8")
    missing, found, summary = scan(str(tmp_path / "gone.md"), str(good))
    assert "gone.md is not there" in missing.text
    assert found.data["label"] == "template-token"
    assert summary.text == "1 finding in 2 files; 1 file could not be read"
    assert exit_code([missing]) == 1


def test_what_the_loader_could_not_read_is_told(tmp_path):
    file = tmp_path / "a.pdf"
    file.write_text("fine", "utf-8")
    assert scan(str(file))[0].data["notice"] == "page-without-text"


def test_without_files_it_says_what_to_give():
    with pytest.raises(UserError, match="nook scan"):
        scan()


def test_an_unknown_filter_is_refused_before_any_file_is_read(tmp_path):
    with pytest.raises(UserError, match="nope"):
        scan(str(tmp_path / "gone.md"), filters=["nope"])


def test_a_cancel_stops_it(tmp_path):
    file = tmp_path / "a.md"
    file.write_text("x", "utf-8")
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        scan(str(file), cancel=cancel)


def test_the_plugin_registers_the_filter_and_the_command():
    host = host_with(guard=inglenook_guard)
    assert (host.names("filter"), host.names("command")) == (("markup",), ("scan",))
    assert isinstance(host.make_filter("markup", {"types": "template-token"}), MarkupFilter)
    assert isinstance(host.make_command("scan"), ScanCommand)


def test_a_type_that_the_filter_does_not_know_is_refused():
    host = host_with(guard=inglenook_guard)
    with pytest.raises(UserError, match="template-token"):
        host.make_filter("markup", {"types": "template-tokens"})
