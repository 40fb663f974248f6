"""What `nook import` does with a bundle that is damaged, cut off, or made to do harm."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import resource
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest


@pytest.fixture
def other(environment, tmp_path):
    """The environment of the other machine."""
    return {**environment, "INGLENOOK_HOME": str(tmp_path / "other")}


@pytest.fixture
def whole(nook, papers, tmp_path) -> bytes:
    """A bundle that is in order: an assistant and its two documents."""
    assert nook("export", "./papers", "whole.nook", "--no-models").code == 0
    return (tmp_path / "whole.nook").read_bytes()


def parts(bundle: bytes) -> tuple[dict, dict[str, bytes]]:
    """`bundle.json` and the other members."""
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        members = {m.name: archive.extractfile(m).read() for m in archive}
    return json.loads(members.pop("bundle.json")), members


def packed(form: dict, members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A bundle with any contents, whose own checksum is right."""
    form = {key: value for key, value in form.items() if key != "check"}
    form["check"] = hashlib.sha256(as_text(form)).hexdigest()
    data = as_text(form)
    out = b""
    for entry, content in [(named("bundle.json", len(data)), data), *members]:
        out += entry.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)
    return out + bytes(1024)


def as_text(form: dict) -> bytes:
    return (json.dumps(form, indent=1, sort_keys=True) + "\n").encode()


def named(name: str, size: int, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname = size, kind, link
    return entry


def usual(members: dict[str, bytes]) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(named(name, len(data)), data) for name, data in members.items()]


def nothing_there(home: Path) -> bool:
    """Whether an import has left no file but locks, and no folder for assistants."""
    files = [p for p in home.rglob("*") if p.is_file() and p.suffix != ".lock"]
    return not files and not (home / "data" / "imported").exists()


@pytest.fixture
def refused(nook, other, tmp_path):
    """Import these bytes, see them refused without a trace; what was said."""

    def check(data: bytes, code: int = 3) -> str:
        (tmp_path / "evil.nook").write_bytes(data)
        before = {path.name for path in tmp_path.iterdir()} - {"other"}
        ran = nook("import", "evil.nook", env=other)
        assert (ran.code, ran.out) == (code, "")
        assert len(ran.err.splitlines()) == 2, ran.err
        assert nothing_there(tmp_path / "other")
        assert {path.name for path in tmp_path.iterdir()} - {"other"} == before
        return ran.err

    return check


def test_a_bundle_that_ends_early_names_the_member(refused, whole):
    names = [member["name"] for member in parts(whole)[0]["members"]]
    assert "is not a bundle" in refused(whole[:300], code=2)
    assert "cut off in bundle.json" in refused(whole[:700])
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        places = {member.name: member.offset_data for member in archive}
    for name in names:
        begin = places[name]
        assert f"cut off in {name}, after 7 of" in refused(whole[: begin + 7])
        assert f"cut off in {name}" in refused(whole[: begin - 512])
    assert "cut off in its end" in refused(whole[:-1024])
    assert "cut off in its end" in refused(whole[:-1])


def test_a_flipped_bit_anywhere_names_what_is_wrong(refused, whole):
    members = parts(whole)[1]
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        places = {member.name: member for member in archive}
    for name in members:
        data = bytearray(whole)
        data[places[name].offset_data + 3] ^= 1
        assert f"{name} has the sha256" in refused(bytes(data))
        data = bytearray(whole)
        data[places[name].offset + 3] ^= 1
        assert f"no member begins where {name} should" in refused(bytes(data))
    data = bytearray(whole)
    data[whole.index(b'"name": "papers"') + 10] ^= 1
    assert "bundle.json has another checksum" in refused(bytes(data))
    data = bytearray(whole)
    data[-1] ^= 1
    assert "something stands behind its end" in refused(bytes(data))
    padding = bytearray(whole)
    last = places[list(members)[-1]]
    padding[last.offset_data + last.size] ^= 1
    assert f"something stands between {last.name}" in refused(bytes(padding))


@pytest.mark.parametrize(
    "path",
    [
        "/etc/cron.d/evil",
        "../evil.txt",
        "documents/../../evil.txt",
        "./evil.txt",
        "documents//evil.txt",
        "..\\evil.txt",
        "evil\x1b[31m.txt",
        "evil\u0000.txt",
        "\ud800.txt",
        "e" * 300,
        "",
    ],
)
def test_a_path_that_leads_out_or_deceives_is_refused(refused, whole, path):
    form, members = parts(whole)
    form["assistants"][0]["files"][1]["path"] = path
    said = refused(packed(form, usual(members)))
    assert "bundle.json is not in order: the path" in said
    assert "\x1b" not in said


def test_a_file_that_is_a_folder_too_is_refused(refused, whole):
    form, members = parts(whole)
    form["assistants"][0]["files"][1]["path"] = "Assistantfile/x"
    assert "lies in what is a file" in refused(packed(form, usual(members)))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.SYMTYPE, "which is a link"),
        (tarfile.LNKTYPE, "which is a link"),
        (tarfile.DIRTYPE, "which is a folder"),
        (tarfile.CHRTYPE, "which is a device"),
        (tarfile.BLKTYPE, "which is a device"),
        (tarfile.FIFOTYPE, "which is a pipe"),
        (tarfile.XHDTYPE, "which is of the kind b'x'"),
        (tarfile.GNUTYPE_LONGNAME, "which is of the kind b'L'"),
        (tarfile.GNUTYPE_SPARSE, "which is of the kind b'S'"),
    ],
)
def test_only_plain_files_are_taken(refused, whole, kind, said):
    form, members = parts(whole)
    first = next(iter(members))
    evil = named(first, 0, kind, "/etc/passwd")
    for contents in ([(evil, b"")], [(evil, b""), *usual(members)], [*usual(members), (evil, b"")]):
        assert said in refused(packed(form, contents))


def test_a_member_that_comes_twice_or_is_not_listed_is_refused(refused, whole):
    form, members = parts(whole)
    entries = usual(members)
    twice = [entries[0], entries[0], *entries[1:]]
    assert f'"{entries[0][0].name}" twice' in refused(packed(form, twice))
    assert "twice" in refused(packed(form, [*entries, entries[-1]]))
    for name in ("../../evil", "/etc/cron.d/evil", "documents/one.txt", "bundle.json"):
        for stranger in (
            [(named(name, 4), b"evil"), *entries],
            [*entries, (named(name, 4), b"x" * 4)],
        ):
            said = refused(packed(form, stranger))
            assert "does not list" in said or "twice" in said
    swapped = [entries[1], entries[0], *entries[2:]]
    assert "stands where" in refused(packed(form, swapped))
    assert "ends where" in refused(packed(form, entries[:-1]))


def test_a_size_that_is_not_the_listed_one_is_refused_before_it_is_read(refused, whole):
    form, members = parts(whole)
    entries = usual(members)
    entries[0][0].size = 1 << 45
    assert f"is said to have {1 << 45:,} bytes" in refused(packed(form, entries))


@pytest.mark.parametrize("size", [-1, 1 << 60, True, 1.5, "9", None])
def test_a_size_that_is_none_is_refused(refused, whole, size):
    form, members = parts(whole)
    form["members"][0]["size_bytes"] = size
    assert "has the size" in refused(packed(form, usual(members)))


def test_more_than_the_disk_holds_is_refused_before_anything_is_read(refused, whole):
    form, members = parts(whole)
    form["members"][0]["size_bytes"] = 1 << 49
    assert "not enough space" in refused(packed(form, usual(members)))


def test_a_first_member_that_is_huge_is_not_read(refused):
    head = named("bundle.json", 1 << 40).tobuf(tarfile.GNU_FORMAT)
    assert "bundle.json is said to have" in refused(head + b"{}")


def edits():
    """What a stranger may write into bundle.json."""
    sha = "0" * 64

    def change(name, how):
        return pytest.param(how, id=name)

    yield change("no members", lambda f: f.pop("members"))
    yield change("members no list", lambda f: f.update(members={}))
    yield change("a member that is a text", lambda f: f["members"].append("x"))
    yield change("a member twice", lambda f: f["members"].append(f["members"][0]))
    yield change("another name", lambda f: f["members"][0].update(name="../../evil"))
    yield change("no sha256", lambda f: f["members"][0].update(sha256="ABC"))
    yield change(
        "more than is used",
        lambda f: f["members"].append(
            {"name": f"blobs/sha256-{sha}", "sha256": sha, "size_bytes": 1}
        ),
    )
    yield change(
        "a file that did not come", lambda f: f["assistants"][0]["files"][0].update(sha256=sha)
    )
    yield change("no Assistantfile", lambda f: f["assistants"][0].update(profile="other"))
    yield change("an Assistantfile elsewhere", lambda f: f["assistants"][0].update(profile="../x"))
    yield change(
        "a file twice", lambda f: f["assistants"][0]["files"].append(f["assistants"][0]["files"][0])
    )
    yield change(
        "an assistant twice", lambda f: f["assistants"].append(copy.deepcopy(f["assistants"][0]))
    )
    yield change(
        "a time that is none", lambda f: f["assistants"][0]["files"][0].update(modified="x")
    )
    yield change("a text that is huge", lambda f: f["assistants"][0].update(name=["x" * 100_000]))
    yield change("nothing at all", lambda f: f.update(models=[], assistants=[], members=[]))
    yield change(
        "a model by two names",
        lambda f: f["models"].extend(
            {"name": name, "manifest": f["members"][0]["sha256"], "blobs": []}
            for name in ("m", "library/M:latest")
        ),
    )
    yield change(
        "a model without blobs", lambda f: f["models"].append({"name": "m", "manifest": sha})
    )


@pytest.mark.parametrize("edit", list(edits()))
def test_a_list_that_is_not_in_order_is_refused(refused, whole, edit):
    form, members = parts(whole)
    edit(form)
    said = refused(packed(form, usual(members)))
    assert "bundle.json is not in order" in said
    assert len(said) < 500


@pytest.mark.parametrize("name", ["../evil", "a/b", "..", "", "Ünï", ".hidden"])
def test_a_name_that_no_assistant_can_have_is_refused(refused, whole, name):
    form, members = parts(whole)
    form["assistants"][0]["name"] = name
    assert "cannot be the name" in refused(packed(form, usual(members)), code=2)


@pytest.mark.parametrize("name", ["../../evil", "a b", "", "x" * 200, "host/../x:y"])
def test_a_name_that_no_model_can_have_is_refused(refused, name):
    assert "not a model reference" in refused(with_model(name=name), code=2)


ONNX = b'{"model_format":"sentence-onnx"}'


def with_model(
    name="evil:v1", manifest=None, layer=b"weights", config=ONNX, layer_name="", **changed
) -> bytes:
    """A bundle of a model made by hand."""
    config_sha, layer_sha = (hashlib.sha256(data).hexdigest() for data in (config, layer))
    form = {
        "config": {"mediaType": "c", "digest": f"sha256:{config_sha}", "size": len(config)},
        "layers": [
            {
                "mediaType": "application/vnd.ollama.image.model",
                "digest": f"sha256:{layer_sha}",
                "size": len(layer),
                **({"name": layer_name} if layer_name else {}),
                **changed,
            }
        ],
    }
    data = json.dumps(form).encode() if manifest is None else manifest
    blobs = {hashlib.sha256(content).hexdigest(): content for content in (config, layer, data)}
    members = [
        {"name": f"blobs/sha256-{sha}", "sha256": sha, "size_bytes": len(content)}
        for sha, content in blobs.items()
    ]
    model = {
        "name": name,
        "manifest": hashlib.sha256(data).hexdigest(),
        "blobs": [config_sha, layer_sha],
    }
    contents = {"version": 1, "models": [model], "assistants": [], "members": members}
    return packed(contents, usual({m["name"]: blobs[m["sha256"]] for m in members}))


def test_a_model_made_by_hand_is_taken(nook, other, tmp_path):
    (tmp_path / "own.nook").write_bytes(with_model())
    assert nook("import", "own.nook", env=other).code == 0
    assert nook("verify", "evil:v1", env=other).code == 0


def test_a_manifest_that_deceives_is_refused(refused):
    other = "sha256:" + "0" * 64
    assert "names other blobs" in refused(with_model(digest=other))
    assert "names other blobs" in refused(with_model(size=3))
    assert 'calls a file "../../x"' in refused(with_model(layer_name="../../x"))
    assert "is damaged" in refused(with_model(manifest=b"[]"))
    assert "is damaged" in refused(with_model(config=b"no json"))


def test_weights_that_are_none_never_show(refused):
    assert "The model evil:v1 is not a usable GGUF file" in refused(with_model(config=b"{}"))


def test_a_later_version_says_so(refused, whole):
    form, members = parts(whole)
    form["version"] = 2
    said = refused(packed(form, usual(members)), code=2)
    assert "has the version 2; this nook reads version 1" in said


# --- disks ----------------------------------------------------------------------------------------


def small_files():
    """Let this process write no file of more than 100 kB, which is how a disk says no."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def run(arguments, environment, cwd):
    done = subprocess.run(
        [sys.executable, "-m", "inglenook", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=cwd,
        preexec_fn=small_files,
    )
    assert "Traceback" not in done.stderr
    return done


def test_an_export_that_the_disk_refuses_leaves_nothing(papers, environment, tmp_path):
    papers.write("large.txt", "Many words. " * 20_000)
    done = run(["export", "./papers", "x.nook", "--no-models"], environment, tmp_path)
    assert done.returncode == 3
    assert "the file would be too large" in done.stderr
    assert list(tmp_path.glob("*nook*")) + list(tmp_path.glob(".*nook*")) == []


def test_an_import_that_the_disk_refuses_shows_nothing(nook, papers, other, tmp_path):
    papers.write("large.txt", "Many words. " * 20_000)
    nook("export", "./papers", "x.nook", "--no-models")
    done = run(["import", "x.nook"], other, tmp_path)
    assert done.returncode == 3
    assert "the file would be too large" in done.stderr
    assert nothing_there(tmp_path / "other")
    assert nook("import", "x.nook", env=other).code == 0


@pytest.fixture
def disk(tmp_path):
    """Mount a disk of 2 MB, as root can."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"a tmpfs could not be mounted: {done.stderr}"
        return place

    yield mount
    subprocess.run(["umount", str(place)], check=True)


def test_more_than_the_disk_has_free_is_told_before_anything_is_written(nook, papers, disk, other):
    place = disk("size=2m")
    papers.write("large.txt", "Many words. " * 300_000)
    ran = nook("export", "./papers", str(place / "x.nook"), "--no-models")
    assert (ran.code, list(place.iterdir())) == (3, [])
    assert "not enough space" in ran.err
    nook("export", "./papers", "x.nook", "--no-models")
    for options in (["--to", str(place / "deep")], []):
        home = other if options else {**other, "INGLENOOK_HOME": str(place)}
        came = nook("import", "x.nook", *options, env=home)
        assert came.code == 3
        assert "not enough space" in came.err
        assert [
            path for path in place.rglob("*") if path.is_file() and path.suffix != ".lock"
        ] == []


def test_a_folder_that_cannot_be_written_is_named(nook, papers, disk, other):
    place = disk("size=2m,ro")
    ran = nook("export", "./papers", str(place / "x.nook"), "--no-models")
    assert ran.code == 3
    assert f"{place / 'x.nook'} cannot be written: it is read-only." in ran.err
    nook("export", "./papers", "x.nook", "--no-models")
    to = nook("import", "x.nook", "--to", str(place / "in"), env=other)
    at_home = nook("import", "x.nook", env={**other, "INGLENOOK_HOME": str(place / "home")})
    for came in (to, at_home):
        assert came.code == 3
        assert "read-only" in came.err
