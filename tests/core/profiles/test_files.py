"""FILE lines become real files inside what the user allowed, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inglenook.profiles import FileRule, Profile
from inglenook.profiles.files import FileSet, resolve_files


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "profile"
    for name in ("a.txt", "b.pdf", "docs/c.txt", "docs/deep/d.txt", "docs/e.png", "docs/.h.txt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / "Assistantfile").write_text("FROM m\n")
    (tmp_path / "outside.txt").write_text("secret")
    return folder


def accepts(path: Path) -> bool:
    return path.suffix in {".txt", ".pdf"} or path.name == "Assistantfile"


def find(base: Path, *patterns: str, grants=(), optional=False, max_bytes=None) -> FileSet:
    rules = tuple(FileRule(pattern, optional, line) for line, pattern in enumerate(patterns, 2))
    profile = Profile(models=("m",), files=rules)
    return resolve_files(profile, base, grants, accepts, assistant="helper", max_bytes=max_bytes)


def names(found: FileSet) -> list[str]:
    assert found.problems == ()
    return [file.name for file in found.files]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.txt", ["a.txt"]),
        ("./docs/../a.txt", ["a.txt"]),
        ("*.txt", ["a.txt"]),
        ("docs", ["docs/c.txt", "docs/deep/d.txt"]),
        ("docs/", ["docs/c.txt", "docs/deep/d.txt"]),
        ("docs/*", ["docs/c.txt"]),
        ("**/*.txt", ["a.txt", "docs/c.txt", "docs/deep/d.txt"]),
        ("docs/**", ["docs/c.txt", "docs/deep/d.txt"]),
        ("**/**/d.txt", ["docs/deep/d.txt"]),
        ("d*/[b-d].t?t", ["docs/c.txt"]),
        ("docs/.*", ["docs/.h.txt"]),
        ("docs/.h.txt", ["docs/.h.txt"]),
        (".", ["a.txt", "b.pdf", "docs/c.txt", "docs/deep/d.txt"]),
    ],
)
def test_finds_paths_folders_and_globs(base, pattern, expected):
    assert names(find(base, pattern)) == expected


def test_files_are_sorted_and_each_is_there_once_under_its_first_rule(base):
    (base / "link.txt").symlink_to(base / "a.txt")
    found = find(base, "b.pdf", "*.txt", "a.txt", "docs/../a.txt")
    assert names(found) == ["a.txt", "b.pdf"]
    assert [file.rule.line for file in found.files] == [3, 2]
    assert all(file.path == file.path.resolve() for file in found.files)


def test_a_file_whose_name_looks_like_a_glob_is_found_by_its_name(base):
    (base / "report [1].txt").write_text("x")
    assert names(find(base, "report [1].txt")) == ["report [1].txt"]


def test_what_a_folder_holds_besides_is_skipped_and_listed(base):
    found = find(base, "docs")
    messages = {notice.code: notice.message for notice in found.notices}
    assert "docs/e.png" in messages["file-skipped"]
    assert "docs/.h.txt" in messages["file-hidden"]


def test_too_large_files_are_listed_or_refused_when_named(base):
    (base / "big.txt").write_bytes(b"x" * 2_000_000)
    found = find(base, "*.txt", max_bytes=1_000_000)
    assert names(found) == ["a.txt"]
    assert "big.txt" in found.notices[0].message
    (problem,) = find(base, "big.txt", max_bytes=1_000_000).problems
    assert "2 MB" in problem.message


@pytest.mark.parametrize("pattern", ["nothing.txt", "*.doc", "nowhere/**", "docs/*.png"])
def test_nothing_found_is_a_problem_with_line_and_resolved_path(base, pattern):
    (problem,) = find(base, "a.txt", pattern).problems
    assert (problem.line, problem.severity, problem.code) == (3, "error", "missing")
    assert str(base.resolve()) in problem.message
    found = find(base, pattern, optional=True)
    assert found.problems == ()
    assert "file-missing" in [notice.code for notice in found.notices]


def test_a_named_file_that_no_loader_reads_is_a_problem(base):
    (problem,) = find(base, "docs/e.png").problems
    assert "No installed loader reads" in problem.message


OUTSIDE = ["../outside.txt", "../*.txt", "..", "docs/../../outside.txt", "~/x.txt", "/etc/passwd"]


@pytest.mark.parametrize(
    "pattern", [*OUTSIDE, "/etc/*", "/proc/self/environ", "C:\\x.txt", "c:/x", "\\\\host\\share"]
)
def test_whatever_leads_out_of_the_folder_needs_a_grant(base, pattern):
    found = find(base, pattern)
    assert found.files == ()
    assert [problem.code for problem in found.problems] == ["grant"]


def test_the_problem_names_the_command_that_allows_it(base):
    (problem,) = find(base, "../outside.txt").problems
    assert problem.path == str((base.parent / "outside.txt").resolve())
    assert f'nook allow helper "{problem.path}"' in problem.message


def test_a_missing_file_outside_looks_like_one_that_is_there(base):
    there, gone = find(base, "../outside.txt"), find(base, "../outside2.txt")
    assert [p.code for p in there.problems] == [p.code for p in gone.problems] == ["grant"]


def test_a_grant_of_a_file_or_folder_opens_just_that(base):
    outside = base.parent / "outside.txt"
    (base.parent / "other.txt").write_text("x")
    found = find(base, "../outside.txt", str(outside), grants=[outside])
    assert names(found) == ["../outside.txt"]
    assert find(base, "../other.txt", grants=[outside]).files == ()
    assert names(find(base, str(base.parent / "o*.txt"), grants=[base.parent])) == [
        str(base.parent / "other.txt"),
        str(base.parent / "outside.txt"),
    ]


def test_a_home_path_keeps_its_tilde_in_the_name(base, monkeypatch):
    monkeypatch.setenv("HOME", str(base.parent))
    monkeypatch.setenv("USERPROFILE", str(base.parent))
    assert names(find(base, "~/outside.txt", grants=[base.parent])) == ["~/outside.txt"]


@pytest.mark.parametrize("pattern", ["link.txt", "way/outside.txt", "way/*", "way/**/*.txt"])
def test_a_named_link_that_leads_out_needs_a_grant_at_every_level(base, pattern):
    (base / "link.txt").symlink_to(base.parent / "outside.txt")
    (base / "way").symlink_to(base.parent)
    found = find(base, pattern)
    assert "grant" in [problem.code for problem in found.problems]
    assert all(file.path.is_relative_to(base.resolve()) for file in found.files)


@pytest.mark.parametrize("pattern", [".", "*", "**/*.txt"])
def test_links_met_on_the_way_that_lead_out_are_skipped_with_a_notice(base, pattern):
    outside = (base.parent / "outside.txt").resolve()
    (base / "link.txt").symlink_to(outside)
    (base / "docs" / "gone.txt").symlink_to(base.parent / "nothing.txt")
    found = find(base, pattern)
    assert "a.txt" in names(found)
    assert "link.txt" not in names(found)
    (notice,) = [n for n in found.notices if "link.txt" in n.message]
    assert notice.code == "file-skipped"
    assert f'nook allow helper "{outside}"' in notice.message
    assert "link.txt" in names(find(base, pattern, grants=[outside]))


@pytest.mark.parametrize("pattern", [".", "*", "docs/*.txt"])
def test_a_link_to_nothing_is_told_as_that_wherever_it_points(base, pattern):
    for name, target in (("out", base.parent / "gone.txt"), ("in", base / "docs" / "no.txt")):
        (base / "docs" / f"{name}.txt").symlink_to(target)
        (base / f"{name}.txt").symlink_to(target)
    (base / "docs" / "circle.txt").symlink_to("circle.txt")
    found = find(base, pattern)
    said = [notice.message for notice in found.notices if "points to nothing" in notice.message]
    folder = "" if pattern == "*" else "docs/"
    for name, target in (("out", base.parent / "gone.txt"), ("in", base / "docs" / "no.txt")):
        link = f'the link "{folder}{name}.txt" points to nothing: "{target.resolve()}" is not'
        assert any(link in one for one in said), said
    assert not any("leads out" in notice.message for notice in found.notices)
    assert found.problems == ()
    assert found.unseen == ()


def test_a_named_link_to_nothing_says_so_instead_of_asking_for_consent(base):
    (base / "link.txt").symlink_to(base.parent / "gone.txt")
    (base / "inner.txt").symlink_to(base / "gone.txt")
    for name in ("link.txt", "inner.txt"):
        (problem,) = find(base, name).problems
        assert problem.code == "missing"
        assert f'The link "{name}" points to nothing' in problem.message
    (problem,) = find(base, "l*.txt").problems
    assert 'Skipped: the link "link.txt" points to nothing' in problem.message


def test_only_some_of_many_links_to_nothing_are_named(base):
    for number in range(9):
        (base / f"link{number}.txt").symlink_to(base.parent / "gone.txt")
    said = [notice.message for notice in find(base, "*.txt").notices]
    assert len(said) == 6
    assert "4 more links that point to nothing" in said[-1]


def test_what_leads_out_is_said_of_the_assistantfile_that_the_user_knows(base):
    (base / "link.txt").symlink_to(base.parent / "outside.txt")
    for pattern in ("../outside.txt", "link.txt"):
        (problem,) = find(base, pattern).problems
        assert "leads out of the Assistantfile's folder" in problem.message
    (notice,) = find(base, "*.txt").notices
    assert "leads out of the Assistantfile's folder" in notice.message


def test_a_link_to_a_root_or_the_home_folder_is_not_offered(base, monkeypatch):
    home = base.parent / "home"
    (home / "sub").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    for name, target in (("r", "/"), ("h", home), ("s", home / "sub")):
        (base / "docs" / name).symlink_to(target)
    found = find(base, "docs/**/*.txt")
    assert "docs/c.txt" in names(found)
    said = {n.message.split('"')[1]: n.message for n in found.notices if "leads out" in n.message}
    assert set(said) == {"docs/h", "docs/r", "docs/s"}
    assert [name for name in said if "nook allow" in said[name]] == ["docs/s"]


def test_a_glob_that_only_finds_links_that_lead_out_says_so(base):
    (base / "link.txt").symlink_to(base.parent / "outside.txt")
    (problem,) = find(base, "l*.txt").problems
    assert problem.code == "missing"
    assert "nook allow helper" in problem.message


def test_only_some_of_many_links_that_lead_out_are_named(base):
    for number in range(9):
        (base / f"link{number}.txt").symlink_to(base.parent / "outside.txt")
    said = [notice.message for notice in find(base, "*.txt").notices]
    assert len(said) == 6
    assert "4 more links" in said[-1]


def test_a_name_that_is_no_text_is_skipped_in_a_folder_and_refused_when_named(base):
    name = os.fsdecode(b"caf\xe9.txt")
    (base / "docs" / name).write_text("x")
    (base / "docs" / os.fsdecode(b"d\xe9")).mkdir()
    (base / "docs" / os.fsdecode(b"d\xe9") / "f.txt").write_text("x")
    found = find(base, "docs")
    assert names(found) == ["docs/c.txt", "docs/deep/d.txt"]
    (said,) = [n.message for n in found.notices if "not valid UTF-8" in n.message]
    assert "docs/caf\\udce9.txt" in said
    assert "docs/d\\udce9/f.txt" in said
    for pattern in (f"docs/{name}", "docs/caf?.txt"):
        said = find(base, pattern)
        assert said.files == ()
        assert all(p.message.encode() for p in said.problems)
    (problem,) = find(base, f"docs/{name}").problems
    assert "rename it" in problem.message
    (base / "alias.txt").symlink_to(base / "docs" / name)
    (problem,) = find(base, "alias.txt").problems
    assert "rename it" in problem.message


def test_links_inside_the_folder_are_followed_and_may_run_in_circles(base):
    (base / "docs" / "up").symlink_to(base)
    (base / "inside.txt").symlink_to(base / "docs" / "c.txt")
    found = find(base, "**/*.txt")
    assert len(names(found)) == 3


def test_a_very_deep_folder_is_searched_to_its_end(base):
    deep = base.joinpath(*["n"] * 300)
    deep.mkdir(parents=True)
    (deep / "end.txt").write_text("x")
    assert names(find(base, "n/**")) == ["n/" * 300 + "end.txt"]


@pytest.mark.parametrize("pattern", ["a\0.txt", "a\n.txt", "*\0"])
def test_control_characters_in_a_path_are_refused(base, pattern):
    (problem,) = find(base, pattern).problems
    assert "control characters" in problem.message


def test_dots_behind_a_glob_are_refused(base):
    (problem,) = find(base, "*/../../outside.txt").problems
    assert '".."' in problem.message


def test_a_fifo_is_refused_or_listed_without_opening_it(base):
    os.mkfifo(base / "pipe.txt")
    (problem,) = find(base, "pipe.txt").problems
    assert "not a regular file" in problem.message
    found = find(base, "*.txt")
    assert names(found) == ["a.txt"]
    assert "pipe.txt" in found.notices[0].message


def test_an_inherited_rule_stays_in_its_own_folder(base, tmp_path):
    parent = tmp_path / "parent"
    parent.mkdir()
    (parent / "p.txt").write_text("x")
    rules = (
        FileRule("p.txt", folder=str(parent)),
        FileRule("../profile/a.txt", folder=str(parent)),
    )
    found = resolve_files(Profile(models=("m",), files=rules), base, (), accepts)
    assert [file.name for file in found.files] == ["p.txt"]
    assert [problem.code for problem in found.problems] == ["grant"]
