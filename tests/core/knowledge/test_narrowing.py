"""Only the sources and sections that were asked for are searched; nothing is narrowed silently."""

from __future__ import annotations

import io
import os
import zipfile
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.errors import UserError
from inglenook.knowledge.narrowing import fits_path
from inglenook.knowledge.search import Wanted
from inglenook.types import Narrowing


@pytest.fixture
def library(desk):
    """Five sources that all speak of herons."""
    desk.write("policies/leave.md", "# Annual Leave\n\nHerons have leave.\n\n# Sick\n\nIll herons.")
    desk.write("policies/old/leave.md", "# Annual leave\n\nHerons once had leave.")
    desk.write("notes.txt", "Notes about herons.")
    desk.write("page.html", "<h1>Page</h1><p>A page about herons.</p>")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inner/heron.csv", "bird,legs\nheron,2\n")
        archive.writestr("inner/heron.txt", "The heron inside.\n")
    desk.write("bundle.zip", packed.getvalue())
    for number, path in enumerate(sorted(desk.documents.rglob("*.*"))):
        day = datetime(2024, 1 + number, 10).astimezone().timestamp()
        os.utime(path, (day, day))
    desk.ingest()
    return desk


def sources(desk, **narrowing) -> list[str]:
    wanted = Wanted("herons", 20, "lexical", within=(Narrowing.of(**narrowing),))
    return sorted({f"{p.source} {p.locator.member}".strip() for p in desk.base.search(wanted)})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("policies/**", ["policies/leave.md", "policies/old/leave.md"]),
        ("policies/*", ["policies/leave.md"]),
        ("policies", ["policies/leave.md", "policies/old/leave.md"]),
        ("./policies/old/", ["policies/old/leave.md"]),
        ("old", ["policies/old/leave.md"]),
        ("*.txt", ["bundle.zip inner/heron.txt", "notes.txt"]),
        ("**/old/*.md", ["policies/old/leave.md"]),
        ("notes.txt", ["notes.txt"]),
        ("bundle.zip/inner/*.csv", ["bundle.zip inner/heron.csv"]),
    ],
)
def test_a_path_is_a_file_a_folder_or_a_glob(library, path: str, expected: list[str]) -> None:
    assert expected == sources(library, path=path)


def test_a_whole_path_on_disk_works_too(library) -> None:
    assert ["notes.txt"] == sources(library, path=str(library.documents / "n*.txt"))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("md", ["policies/leave.md", "policies/old/leave.md"]),
        (".HTML", ["page.html"]),
        ("text/html", ["page.html"]),
        ("text/csv", ["bundle.zip inner/heron.csv"]),
        ("zip", ["bundle.zip inner/heron.csv", "bundle.zip inner/heron.txt"]),
    ],
)
def test_a_type_is_an_extension_or_a_media_type_and_counts_inside_archives(
    library, kind: str, expected: list[str]
) -> None:
    assert expected == sources(library, type=kind)


def test_dates_are_those_of_the_files_and_both_ends_are_included(library) -> None:
    assert ["bundle.zip inner/heron.csv", "bundle.zip inner/heron.txt", "notes.txt"] == sources(
        library, until="2024-02-10"
    )
    assert ["policies/leave.md", "policies/old/leave.md"] == sources(library, since="2024-04-10")
    assert ["page.html"] == sources(library, since="2024-03", until="2024-03")


def test_a_section_is_found_by_words_of_its_heading(library) -> None:
    assert ["policies/leave.md", "policies/old/leave.md"] == sources(
        library, section="annual LEAVE"
    )
    assert ["policies/leave.md"] == sources(library, section="sick")


def test_all_conditions_hold_together(library) -> None:
    assert ["policies/old/leave.md"] == sources(
        library, path="policies", type="md", since="2024-05"
    )


def test_several_values_of_one_condition_are_alternatives(library) -> None:
    assert ["notes.txt", "page.html"] == sources(library, path=["notes.txt", "*.html"])


@pytest.mark.parametrize(
    ("narrowing", "words"),
    [
        ({"path": "polices/**"}, r"No source is at 'polices/\*\*'. Did you mean 'policies'\?"),
        ({"path": "zebra"}, "No source is at 'zebra'"),
        ({"type": "pfd"}, "'pfd' is no type of file that is read here. Did you mean 'pdf'"),
        ({"type": "pdf"}, "No source is of type 'pdf'"),
        ({"type": "image/png"}, "'image/png' is no|No source is of type 'image/png'"),
        ({"since": "2030"}, "No source was changed within since=2030. They are of 2024-01-10 to"),
        ({"section": "zebra"}, "No section's heading contains 'zebra'"),
        ({"path": "notes.txt", "type": "md"}, "Nothing in the documents fits 'path=notes.txt"),
    ],
)
def test_what_nothing_fits_is_said_and_not_answered_with_silence(
    library, narrowing: dict[str, str], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        sources(library, **narrowing)


@pytest.mark.parametrize(
    "text", ["soon", "2024-13", "2024-02-30", "31.12.2024", "0", "20240301", "2024-W10"]
)
def test_a_date_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no date; write it as"):
        Narrowing.of(since=text)


def test_dates_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match="lies before since"):
        Narrowing.of(since="2025-02", until="2025-01")


def test_vectors_are_narrowed_as_well(library) -> None:
    wanted = Wanted("legs", 20, "vector", within=(Narrowing.of(path="notes.txt"),))

    assert ["notes.txt"] == [p.source for p in library.base.search(wanted)]


@pytest.mark.parametrize("pattern", ["plans [2024]", "plans [2024]/final [v2].md", "final [v2].md"])
def test_brackets_in_a_name_may_be_written_as_they_stand(pattern: str) -> None:
    assert fits_path(pattern, "plans [2024]/final [v2].md", "/x/plans [2024]/final [v2].md")
    assert fits_path("plans [[]2024]/f*.md", "plans [2024]/final.md", "/x/plans [2024]/final.md")
    assert not fits_path(pattern, "plans 2024/final v2.md", "/x/plans 2024/final v2.md")


NAMES = st.text("abc.*?[]", min_size=1, max_size=4).filter(lambda name: name not in {".", ".."})


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_everything_lies_under_two_stars_and_under_its_own_folders(parts: list[str]) -> None:
    name = "/".join(parts)

    assert fits_path("**", name, f"/x/{name}")
    assert fits_path("**/*", name, f"/x/{name}")
    assert fits_path("/**", name, f"/x/{name}")
    if "**" not in parts:
        for end in range(1, len(parts) + 1):
            assert fits_path("/".join(parts[:end]), name, f"/x/{name}")
