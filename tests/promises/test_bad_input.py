"""Whatever is wrong, a person gets one clear error, an exit code, and loses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def nook(tmp_path: Path) -> Run:
    """Runs `nook` as a process of its own, in the home of the environment."""

    def run(*arguments: object, home: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = dict(os.environ)
        if home is not None:
            environment["INGLENOOK_HOME"] = str(home)
        return subprocess.run(
            [sys.executable, "-m", "inglenook", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=240,
        )

    return run


def assert_clear(
    done: subprocess.CompletedProcess[str], *said: str, code: int | None = None
) -> None:
    """One or two lines on stderr, no traceback, an exit code that is not 0."""
    assert done.returncode not in (0, None), done.stdout
    if code is not None:
        assert code == done.returncode, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    for text in said:
        assert text in done.stderr + done.stdout, done.stderr
    assert 1 <= len(done.stderr.strip().splitlines()) <= 12, done.stderr


def profile(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "Assistantfile"
    path.write_text(text, "utf-8")
    return path


def test_a_missing_model_names_the_command_that_fetches_it(nook: Run, tmp_path: Path) -> None:
    path = profile(tmp_path / "a", "FROM smollm2:135m\n")

    assert_clear(nook("ask", path, "hello"), "smollm2:135m", "nook pull")


def test_an_unknown_name_is_answered_with_a_suggestion(nook: Run) -> None:
    assert_clear(nook("ask", "contosso", "hello"), "contosso", "contoso", code=2)


def test_a_truncated_model_is_refused_before_native_code_sees_it(
    nook: Run, tmp_path: Path, smollm2
) -> None:
    whole = smollm2.files["model"].read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    path = profile(tmp_path, "FROM ./cut.gguf\n")

    assert_clear(nook("ask", path, "hello"), "cut.gguf", "truncated", code=3)


def test_a_wrong_sha256_leaves_nothing_visible(nook: Run, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + b"\0" * 4096)

    done = nook("pull", "smollm2:135m", "--source", f"file:{tmp_path / 'model.gguf'}")

    assert_clear(done, code=3)
    assert "smollm2" not in nook("list").stdout


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("encrypted.pdf", "encrypted"),
        ("broken.pdf", "broken"),
        ("empty.pdf", "empty"),
        ("picture.pdf", "OCR"),
    ],
)
def test_a_bad_document_is_listed_and_the_good_one_is_answered_from(
    nook: Run, tmp_path: Path, assistant_home: Path, name: str, reason: str
) -> None:
    folder = tmp_path / "kb"
    path = profile(folder, "FROM smollm2:135m\nFILE ./*.txt\nFILE ./*.pdf\n")
    (folder / "good.txt").write_text("The kettle is green.")
    (folder / "another.pdf").write_bytes(make_pdf("Tea is served at four."))
    (folder / name).write_bytes(bad_document(name))

    done = nook("ingest", path)
    found = nook("search", path, "kettle tea")

    assert 1 == done.returncode, done.stderr
    assert name in done.stdout + done.stderr
    assert reason in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert 0 == found.returncode
    assert "kettle is green" in found.stdout
    assert "served at four" in found.stdout


def bad_document(name: str) -> bytes:
    if name == "encrypted.pdf":
        return make_pdf("secret", password="let me in")
    if name == "broken.pdf":
        return b"%PDF-1.7\nthis is not one at all\n"
    if name == "picture.pdf":
        return make_pdf("")
    return b""


def make_pdf(text: str, password: str = "") -> bytes:
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    if text:
        pdf.multi_cell(0, 8, text)
    else:
        pdf.rect(20, 20, 100, 100, style="F")
    if password:
        pdf.set_encryption(owner_password=password, user_password=password)
    return bytes(pdf.output())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("FROM smollm2:135m\nSYTSEM hello\n", ":2:"),
        ("FROM smollm2:135m\nPARAMETER temprature 1\n", "temperature"),
        ("FROM smollm2:135m\nPARAMETER temperature hot\n", ":2:"),
        ("FROM smollm2:135m\nRUNTIME nonesuch\n", "nonesuch"),
        ("FROM smollm2:135m\nFILTER nonesuch\n", "nonesuch"),
        ("FROM smollm2:135m\nFILE ./not-there.txt\n", "not-there.txt"),
        ("FROM smollm2:135m\nFILE /etc/hostname\n", "nook allow"),
        ("SYSTEM hello\n", "FROM"),
        ('FROM smollm2:135m\nSYSTEM """to the end\n', "never closed"),
    ],
)
def test_a_wrong_profile_says_where_and_what(
    nook: Run, tmp_path: Path, assistant_home: Path, text: str, said: str
) -> None:
    path = profile(tmp_path / "kb", text)

    assert_clear(nook("create", "wrong", "-f", path), said, code=2)
    assert "wrong" not in nook("list").stdout


def test_a_home_that_cannot_be_written_is_one_clear_error(nook: Run, tmp_path: Path) -> None:
    blocker = tmp_path / "home"
    blocker.write_text("a file where the folder should be")
    path = profile(tmp_path / "kb", "FROM smollm2:135m\nRETRIEVE mode=lexical\nFILE ./*.txt\n")
    (path.parent / "a.txt").write_text("The kettle is green.")

    assert_clear(nook("ingest", path, home=blocker), code=3)
    assert_clear(nook("create", "kettle", "-f", path, home=blocker), code=3)


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="a small file system is mounted by root"
)
def test_a_full_disk_is_one_clear_error_and_nothing_is_lost(
    nook: Run, tmp_path: Path, minilm
) -> None:
    home = tmp_path / "small"
    home.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", str(home)], check=False
    )
    assert 0 == mounted.returncode, "a tmpfs could not be mounted"
    try:
        folder = tmp_path / "kb"
        path = profile(folder, "FROM smollm2:135m\nRETRIEVE mode=lexical\nFILE ./*.txt\n")
        (folder / "a.txt").write_text("The kettle is green.")
        assert 0 == nook("ingest", path, home=home).returncode
        (folder / "big.txt").write_text(
            "\n\n".join(f"Paragraph {n} about topic {n * 7}." * 9 for n in range(9000))
        )

        done = nook("ingest", path, home=home)

        assert_clear(done, code=3)
        assert "full" in done.stderr.lower() or "space" in done.stderr.lower()
        (folder / "big.txt").unlink()
        assert "kettle is green" in nook("search", path, "kettle", home=home).stdout
        assert 0 == nook("ingest", path, home=home).returncode
    finally:
        subprocess.run(["umount", str(home)], check=True)


def test_a_damaged_registration_says_which_file(nook: Run, assistant_home: Path) -> None:
    folder = assistant_home / "data" / "assistants"
    folder.mkdir(parents=True)
    (folder / "mine.json").write_text("{")

    assert_clear(nook("ask", "mine", "hello"), "mine.json")
