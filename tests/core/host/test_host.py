"""The host: discovery, isolation, clear errors, lazy loading."""

from __future__ import annotations

import sys
import textwrap
import uuid
from pathlib import Path

import pytest

from inglenook.errors import MissingDependencyError, PluginError, UnknownNameError, UserError
from inglenook.factories import Factory, Option
from inglenook.hookspecs import HOOK_KINDS
from inglenook.host import Host, PluginStatus
from inglenook.settings import PluginSettings
from inglenook.testing.host import host_with, plugin_of


def factory(name: str = "midi", **fields: object) -> Factory:
    values: dict[str, object] = {"summary": "Lyrics.", "load": "json:JSONDecoder", **fields}
    return Factory(name=name, **values)  # type: ignore[arg-type]


class Site:
    """A folder on sys.path with real (small) distributions in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, plugin: str, code: str, *, distribution: str = "", version: str = "1.0") -> None:
        name = distribution or f"nook-{plugin}"
        module = f"{plugin.replace('-', '_')}_{uuid.uuid4().hex}"
        (self.folder / f"{module}.py").write_text(textwrap.dedent(code), "utf-8")
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[inglenook]\n{plugin} = {module}\n")
        (info / "RECORD").write_text(f"{module}.py,,\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return Site(folder)


def status(host: Host, name: str) -> PluginStatus:
    return next(s for s in host.statuses if s.name == name)


GOOD = """
    from inglenook import Factory, hookimpl

    @hookimpl
    def register_loaders(register):
        register(Factory(name="midi", summary="Lyrics.", load="json:JSONDecoder",
                         capabilities={"extensions": (".mid",)}))
"""


def test_an_installed_plugin_is_on_and_says_what_it_brings(site: Site) -> None:
    site.add("midi", GOOD)

    found = status(Host(), "midi")

    assert ("on", "nook-midi", "1.0") == (found.state, found.distribution, found.version)
    assert ("register_loaders",) == found.hooks
    assert ("loader:midi",) == found.factories


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import not_there_at_all", "ModuleNotFoundError"),
        ("x = 1", "implements no hook"),
        (
            "from inglenook import hookimpl\n@hookimpl\ndef register_loader(register): pass",
            "Did you mean 'register_loaders'?",
        ),
        (
            "from inglenook import hookimpl\n@hookimpl\ndef register_loaders(register): 1 / 0",
            "ZeroDivisionError",
        ),
        (
            "from inglenook import hookimpl\n@hookimpl\nasync def register_loaders(register): ...",
            "async",
        ),
        (
            "from inglenook import hookimpl as h\n@h\ndef register_loaders(register): register(1)",
            "must register a Factory, not int",
        ),
        (
            "from inglenook import hookimpl\n@hookimpl\ndef register_loaders(reg, more): ...",
            "PluginValidationError",
        ),
    ],
)
def test_a_broken_plugin_costs_only_itself(site: Site, code: str, said: str) -> None:
    site.add("midi", GOOD)
    site.add("broken", code)

    host = Host()

    assert "broken" == status(host, "broken").state
    assert said in status(host, "broken").error
    assert "Traceback" in status(host, "broken").traceback
    assert "on" == status(host, "midi").state
    assert "midi" in host.names("loader")
    assert "text" in host.names("loader"), "the built-in plugins are there too"


def test_strict_plugins_raise(site: Site) -> None:
    site.add("broken", "raise RuntimeError('boom')")

    with pytest.raises(PluginError, match=r"broken.*boom"):
        _ = Host(PluginSettings(strict=True)).statuses


def test_two_plugins_of_one_name_are_an_error_that_names_both(site: Site) -> None:
    site.add("midi", GOOD, distribution="nook-midi-a")
    site.add("midi", GOOD, distribution="nook-midi-b")

    broken = [s for s in Host().statuses if s.state == "broken"]

    assert 1 == len(broken)
    assert "nook-midi-a" in broken[0].error
    assert "nook-midi-b" in broken[0].error


def test_a_factory_name_that_is_taken_is_an_error_that_names_both(site: Site) -> None:
    site.add("another", GOOD.replace('name="midi"', 'name="text"'))

    found = status(Host(), "another")

    assert "broken" == found.state
    assert "'text'" in found.error
    assert "inglenook" in found.error
    assert "nook-another" in found.error


def test_one_plugin_may_not_register_a_name_twice() -> None:
    host = host_with(strict=False, twice=plugin_of(register_loaders=(factory(), factory())))

    assert "already has" in host.statuses[0].error
    assert () == host.names("loader")


def test_a_disabled_plugin_is_not_imported(site: Site) -> None:
    site.add("midi", "raise RuntimeError('imported')")

    host = Host(PluginSettings(disabled=("midi",)))

    assert "off" == status(host, "midi").state


def test_only_the_named_plugins_are_on() -> None:
    host = Host(PluginSettings(only=("text",)))

    assert {"text"} == {s.name for s in host.statuses if s.state == "on"}


def test_without_plugins_everything_is_off_and_nothing_is_registered() -> None:
    host = Host(PluginSettings(enabled=False))

    assert {"off"} == {s.state for s in host.statuses}
    assert all(() == host.names(kind) for kind in HOOK_KINDS.values())


def test_the_pinned_policy_refuses_an_unknown_distribution_unimported(
    site: Site, tmp_path: Path
) -> None:
    witness = tmp_path / "imported"
    site.add("rogue", f"open({str(witness)!r}, 'w').close()")

    found = status(Host(PluginSettings(policy="pinned")), "rogue")

    assert "refused" == found.state
    assert "not pinned" in found.error
    assert not witness.exists()


def test_the_pinned_policy_lets_a_pinned_one_in_until_its_record_changes(site: Site) -> None:
    from importlib.metadata import distribution

    from inglenook.pins import pin

    site.add("midi", GOOD)
    pins = {"nook-midi": pin(distribution("nook-midi"))}
    settings = PluginSettings(policy="pinned", pins=pins)

    assert "on" == status(Host(settings), "midi").state

    record = site.folder / "nook_midi-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + "more.py,,\n")

    assert "RECORD" in status(Host(settings), "midi").error
    assert "refused" == status(Host(settings), "midi").state


def test_an_unknown_name_is_answered_with_a_suggestion() -> None:
    host = host_with(one=plugin_of(register_loaders=factory("midi")))

    with pytest.raises(UnknownNameError, match="Did you mean 'midi'"):
        host.find("loader", "mid")


def test_a_missing_library_is_named_with_the_command_that_adds_it() -> None:
    host = host_with(
        one=plugin_of(
            register_loaders=factory(requires=("library_that_is_not_there",), extra="midi")
        )
    )

    with pytest.raises(MissingDependencyError) as caught:
        host.make_loader("midi")

    assert "library_that_is_not_there" in str(caught.value)
    assert "pip install" in caught.value.hint


def test_a_class_that_fails_to_import_is_one_clear_error() -> None:
    host = host_with(one=plugin_of(register_loaders=factory(load="no_such_module:Thing")))

    with pytest.raises(PluginError, match="could not load no_such_module:Thing"):
        host.make_loader("midi")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"voice": "1"}, "Did you mean 'voices'?"),
        ({"voices": "many"}, "not a whole number"),
        ({"voices": "0"}, "smallest allowed"),
        ({"voices": "99"}, "largest allowed"),
        ({"mode": "loud"}, "not one of"),
        ({"echo": "perhaps"}, "not true or false"),
    ],
)
def test_a_wrong_option_is_refused_by_name(given: dict[str, str], said: str) -> None:
    options = (
        Option("voices", int, 1, minimum=1, maximum=16),
        Option("mode", str, "soft", choices=("soft", "hard")),
        Option("echo", bool, False),
    )
    host = host_with(one=plugin_of(register_loaders=factory(options=options)))

    with pytest.raises(UserError, match=said.replace("?", r"\?")):
        host.options_for("loader", "midi", given)


def test_options_come_in_their_types_with_defaults() -> None:
    options = (Option("voices", int, 1), Option("tags", list, ()), Option("echo", bool, False))
    host = host_with(one=plugin_of(register_loaders=factory(options=options)))

    checked = host.options_for("loader", "midi", {"tags": "a, b,", "echo": "on"})

    assert {"voices": 1, "tags": ["a", "b"], "echo": True} == checked


def test_listing_plugins_imports_no_heavy_library(run_python) -> None:
    code = """
        import sys
        from inglenook.host import Host
        host = Host()
        assert [s.error for s in host.statuses if s.state == "broken"] == [], host.statuses
        heavy = {"numpy", "onnxruntime", "chromadb", "tokenizers", "xllamacpp", "llama_cpp",
                 "pypdf", "pypdfium2", "docx", "pptx", "openpyxl", "lxml", "olefile",
                 "keyring", "watchfiles", "bs4", "textual", "rich", "jinja2", "torch", "sqlite3"}
        print(sorted(heavy & set(sys.modules)))
    """
    assert "[]" == run_python(code)


def test_every_built_in_factory_loads_or_says_what_is_missing() -> None:
    host = Host()
    entries = [e for kind in HOOK_KINDS.values() for e in host.registered(kind)]

    assert {
        "runtime",
        "embedder",
        "loader",
        "splitter",
        "vector_store",
        "reranker",
        "filter",
        "model_source",
        "command",
    } == {e.kind for e in entries}
    for entry in entries:
        if entry.missing:
            assert "pip install" in entry.install_hint
        else:
            assert isinstance(host.load_class(entry.kind, entry.factory.name), type)


def _order(log: list[str]) -> dict[str, object]:
    from inglenook.hookspecs import hookimpl

    def recorder(hook: str) -> object:
        def implementation(register: object) -> None:
            log.append(hook)

        return hookimpl(implementation)

    return {hook: recorder(hook) for hook in HOOK_KINDS}


def test_every_hook_is_called_once_and_only_when_plugins_are_asked_for() -> None:
    from types import SimpleNamespace

    log: list[str] = []
    host = host_with(one=SimpleNamespace(**_order(log)))

    assert [] == log
    host.names("loader")
    host.names("runtime")
    assert sorted(HOOK_KINDS) == log
    assert "one" not in sys.modules


def test_what_a_plugin_prints_while_it_is_loaded_stays_out_of_the_output(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.add("midi", "print('noise')\n" + textwrap.dedent(GOOD))

    assert "on" == status(Host(), "midi").state
    captured = capsys.readouterr()
    assert ("", "noise\n") == (captured.out, captured.err)
