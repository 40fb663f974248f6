"""Runs the program `tesseract`: pictures through its standard input, words from its output."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from inglenook.errors import Cancelled
from inglenook.types import CancelToken
from inglenook_ocr.words import Word, parsed

__all__ = ["Layout", "Page", "PictureUnreadable", "Tesseract", "TookTooLong", "find"]

_ORIENTATION = "osd"
_LIST_TIMEOUT_S = 20
_LONGEST_REASON = 120


class PictureUnreadable(Exception):
    """Tesseract cannot decode the picture."""


class TookTooLong(Exception):
    """Tesseract was stopped after the seconds allowed for a page."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a page lies and what it is written in: "" where Tesseract cannot tell."""

    script: str = ""
    is_turned: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A picture to read: the bytes of a file, and which of its pages from 0 if it has several."""

    data: bytes
    place: int | None = None
    dots_per_inch: int = 0


def find() -> Tesseract | None:
    """The installed program with its languages; None if there is none."""
    program = shutil.which("tesseract")
    if program is None:
        return None
    try:
        listed = subprocess.run(
            [program, "--list-langs"],
            capture_output=True,
            check=False,
            timeout=_LIST_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            env=_environment(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    names = listed.stdout.decode("utf-8", "replace").splitlines()[1:]
    return Tesseract(program, frozenset(name.strip() for name in names if name.strip()))


def _environment() -> dict[str, str]:
    """One thread a page, as pages are what may run side by side."""
    return {**os.environ, "OMP_THREAD_LIMIT": "1", "LC_ALL": "C"}


class Tesseract:
    """One installation. Each call is a process of its own."""

    def __init__(self, program: str, languages: frozenset[str]) -> None:
        self._program = program
        self.languages = languages - {_ORIENTATION}
        self._can_orient = _ORIENTATION in languages

    def layout(self, page: Page, timeout_s: float, cancel: CancelToken) -> Layout:
        """What the page is written in and whether it is turned, as far as enough letters say."""
        if not self._can_orient:
            return Layout()
        try:
            found = self._run(page, ("--psm", "0", "-l", _ORIENTATION), timeout_s, cancel)
        except PictureUnreadable:
            return Layout()  # it says the same of too few letters
        facts = dict(line.split(": ", 1) for line in found.splitlines() if ": " in line)
        return Layout(facts.get("Script", ""), is_turned=facts.get("Rotate", "0") != "0")

    def words(
        self,
        page: Page,
        languages: Sequence[str],
        timeout_s: float,
        cancel: CancelToken,
        *,
        turned: bool,
    ) -> list[Word]:
        """The words on a page. Raises `PictureUnreadable`, `TookTooLong`, `Cancelled`."""
        mode = "1" if turned and self._can_orient else "3"
        arguments = ("--psm", mode, "-l", "+".join(languages))
        return parsed(self._run(page, arguments, timeout_s, cancel, "tsv"))

    def _run(
        self,
        page: Page,
        arguments: Sequence[str],
        timeout_s: float,
        cancel: CancelToken,
        output: str = "",
    ) -> str:
        more = ["--dpi", str(page.dots_per_inch)] if page.dots_per_inch else []
        if page.place is not None:
            more += ["-c", f"tessedit_page_number={page.place}"]
        command = [
            self._program,
            "stdin",
            "stdout",
            *arguments,
            *more,
            *([output] if output else []),
        ]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
        ) as process:
            forget = cancel.on_cancel(process.kill)
            try:
                told, complaints = process.communicate(page.data, timeout=timeout_s)
            except subprocess.TimeoutExpired as error:
                raise TookTooLong from error
            finally:
                forget()
                process.kill()
        if cancel.cancelled:
            raise Cancelled
        if process.returncode:
            raise PictureUnreadable(_reason(complaints))
        return told.decode("utf-8", "replace")


def _reason(complaints: bytes) -> str:
    lines = complaints.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:_LONGEST_REASON] if lines else "it said nothing"
