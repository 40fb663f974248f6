"""Plugins from the outside: broken ones cost only themselves, new ones are announced once."""

from __future__ import annotations

import json

import pytest

GOOD = """
from inglenook import Factory, Option, hookimpl

@hookimpl
def register_commands(register):
    register(Factory(
        name="greet", summary="Greets.", load="greeting:Greet",
        options=(Option("names", list, required=True, help="Whom."),
                 Option("times", int, 1, "How often.", minimum=1, maximum=3),
                 Option("loud", bool, False, "Whether to shout.")),
    ))
"""
GREETING = """
from inglenook.types import Output

class Greet:
    def run(self, arguments, context, cancel):
        for name in arguments["names"] * arguments["times"]:
            if name == "exit":
                raise SystemExit(0)
            if name == "crash":
                raise RuntimeError("boom")
            text = f"hello {name}"
            yield Output(text.upper() if arguments["loud"] else text, {"name": name},
                         exit_code=1 if name == "nobody" else 0)
"""
BROKEN = {
    "raises-at-import": ("raise RuntimeError('no good')", "no good"),
    "misspelt-hook": (
        "from inglenook import hookimpl\n@hookimpl\ndef register_loader(register): pass\n",
        "Did you mean 'register_loaders'?",
    ),
    "exits": ("import sys\nsys.exit(7)", "SystemExit"),
    "no-hook": ("x = 1", "implements no hook"),
    "syntax": ("def (", "SyntaxError"),
}
EVERY_COMMAND = (["--help"], ["list"], ["plugins"], ["profile", "check", "-"], ["ls", "--json"])


@pytest.fixture
def greeter(site):
    site.install("nook-greeter", GOOD, plugin="greeter", files={"greeting.py": GREETING})


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_costs_only_itself_and_is_named(nook, site, kind):
    source, said = BROKEN[kind]
    site.install(kind, source)
    for arguments in EVERY_COMMAND:
        ran = nook(*arguments, stdin="FROM x\n")
        assert ran.code == 0, (arguments, ran)
        assert f"Warning: the plugin '{kind}' is broken" in ran.err
    listed = nook("plugins")
    assert said in listed.out
    states = {p["name"]: p for p in json.loads(nook("plugins", "--json").out)["plugins"]}
    assert states[kind]["state"] == "broken"
    assert said in states[kind]["error"]
    assert states["guard"]["state"] == "on"


@pytest.mark.parametrize("kind", BROKEN)
def test_the_doctor_sees_a_broken_plugin_and_says_where_to_look(nook, site, kind):
    site.install(kind, BROKEN[kind][0])
    ran = nook("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(ran.out)["checks"]}
    assert ran.code == 1
    assert checks[f"plugin {kind}"]["ok"] is False
    assert checks[f"plugin {kind}"]["fix"] == f"nook plugins --traceback '{kind}'"
    assert checks["plugin guard"]["ok"] is True


def test_the_traceback_of_a_broken_plugin_can_be_asked_for(nook, site):
    site.install("raises", BROKEN["raises-at-import"][0])
    ran = nook("plugins", "--traceback", "raises")
    assert "RuntimeError: no good" in ran.out
    assert "Traceback" in ran.out


def test_a_strict_home_refuses_to_run_with_a_broken_plugin(nook, site, environment):
    site.install("raises", BROKEN["raises-at-import"][0])
    environment["INGLENOOK_STRICT_PLUGINS"] = "1"
    ran = nook("list")
    assert (ran.code, ran.out) == (3, "")
    assert "raises" in ran.err
    assert "no good" in ran.err


def test_two_distributions_with_one_plugin_name_are_both_named(nook, site):
    site.install("one-greeter", GOOD, plugin="greeter", files={"greeting.py": GREETING})
    site.install("other-greeter", GOOD, plugin="greeter")
    out = nook("plugins").out
    assert "one-greeter" in out
    assert "other-greeter" in out
    assert "has the same name as a plugin of one-greeter" in out


def test_without_plugins_every_command_still_answers(nook, environment):
    for arguments in EVERY_COMMAND:
        assert nook("--no-plugins", *arguments, stdin="FROM x\n").code == 0
    environment["INGLENOOK_PLUGINS"] = ""
    assert nook("list").code == 0


def test_without_plugins_the_doctor_says_what_cannot_be_done(nook):
    ran = nook("--no-plugins", "doctor", "--json")
    checks = {check["name"]: check for check in json.loads(ran.out)["checks"]}
    assert ran.code == 1
    assert checks["runtimes"]["ok"] is False
    for name in ("runtimes", "embedders", "loaders", "plugin guard", "plugins"):
        assert checks[name]["fix"] == "Run it without --no-plugins.", name
    assert "--no-plugins" in checks["plugins"]["message"]
    assert checks["plugin guard"]["ok"] is None
    for name in ("contoso", "hebrew", "manual"):
        assert f"assistant {name}" not in checks


def test_without_plugins_assistants_are_listed_shown_and_checked_as_they_are(nook, tmp_path):
    records = json.loads(nook("--no-plugins", "list", "--json").out)["assistants"]
    assert {r["name"]: r["problem"] for r in records} == {"contoso": "", "hebrew": "", "manual": ""}
    assert nook("--no-plugins", "show", "contoso").code == 0
    (tmp_path / "Assistantfile").write_text("FROM x\nFILTER markup\n")
    assert nook("--no-plugins", "profile", "check", "Assistantfile").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask", "contoso", "hello"],
        ["run", "contoso", "hello"],
        ["search", "contoso", "hello"],
        ["ingest", "contoso"],
    ],
)
def test_what_needs_plugins_says_that_they_are_off(nook, arguments):
    ran = nook("--no-plugins", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "plugins are off (--no-plugins)" in ran.err
    assert "Run it without --no-plugins." in ran.err


@pytest.mark.parametrize("given", ["", " , "])
def test_an_empty_list_of_plugins_is_told_like_plugins_that_are_off(nook, environment, given):
    environment["INGLENOOK_PLUGINS"] = given
    ran = nook("ask", "contoso", "hello")
    assert (ran.code, ran.out) == (2, "")
    assert "plugins are off (INGLENOOK_PLUGINS is empty)" in ran.err
    assert "Unset INGLENOOK_PLUGINS, and run it again." in ran.err
    checks = {check["name"]: check for check in json.loads(nook("doctor", "--json").out)["checks"]}
    assert checks["plugins"]["message"] == "plugins are off (INGLENOOK_PLUGINS is empty)"
    assert checks["loaders"]["fix"] == "Unset INGLENOOK_PLUGINS, and run it again."


def test_of_many_broken_plugins_three_are_named_and_the_others_counted(nook, site):
    for number in range(5):
        site.install(f"bad-{number}", "raise RuntimeError('first\\nsecond')")
    lines = nook("list").err.splitlines()
    assert len(lines) == 5
    assert [line.split("'")[1] for line in lines[:3]] == ["bad-0", "bad-1", "bad-2"]
    assert all("first" in line and "second" not in line for line in lines[:3])
    assert "2 more plugins" in lines[3]
    assert lines[4] == "See `nook plugins`."


# --- switching --------------------------------------------------------------------------------


def test_a_plugin_is_switched_off_and_on_again(nook):
    assert nook("plugins", "disable", "guard").code == 0
    assert "scan" not in nook("--help").out
    states = {p["name"]: p["state"] for p in json.loads(nook("plugins", "--json").out)["plugins"]}
    assert states["guard"] == "off"
    assert nook("plugins", "enable", "guard").code == 0
    assert "scan" in nook("--help").out


def test_switching_keeps_what_else_the_configuration_says(nook, home):
    (home / "config").mkdir(parents=True)
    file = home / "config" / "config.toml"
    file.write_text('# mine\n[models]\nsources = ["pip"]\n')
    nook("plugins", "disable", "guard")
    assert file.read_text().startswith('# mine\n[models]\nsources = ["pip"]\n')


def test_an_unknown_plugin_cannot_be_switched(nook):
    for verb in ("enable", "disable"):
        ran = nook("plugins", verb, "gard")
        assert ran.code == 2
        assert "Did you mean 'guard'?" in ran.err


def test_the_pinned_policy_lets_only_pinned_plugins_run(nook, site, home, greeter):
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text('[plugins]\npolicy = "pinned"\n')
    refused = nook("greet", "ann")
    assert refused.code == 2
    assert "nook plugins pin nook-greeter" in refused.err
    pinned = nook("plugins", "pin", "nook-greeter")
    assert (pinned.code, pinned.out) == (0, "Pinned nook-greeter 1.2.3.\n")
    assert nook("greet", "ann").out == "hello ann\n"


def test_what_is_not_installed_cannot_be_pinned(nook):
    ran = nook("plugins", "pin", "no-such-distribution")
    assert ran.code == 2
    assert "no-such-distribution" in ran.err


# --- news -------------------------------------------------------------------------------------


def test_a_new_plugin_is_announced_once(nook, greeter):
    first, second = nook("list"), nook("list")
    assert "New plugin: 'greeter' from nook-greeter 1.2.3." in first.err
    assert "nook plugins disable greeter" in first.err
    assert second.err == ""
    assert first.out == second.out


def test_a_home_that_cannot_be_written_stops_no_announcement(nook, home, greeter):
    home.write_text("not a folder")
    ran = nook("--help")
    assert ran.code == 0
    assert "New plugin: 'greeter'" in ran.err


def test_built_in_plugins_are_no_news(nook):
    assert nook("list").err == ""


def test_quiet_hides_news_and_warnings(nook, site, greeter):
    site.install("raises", BROKEN["raises-at-import"][0])
    assert nook("-q", "list").err == ""


# --- commands of plugins ----------------------------------------------------------------------


def test_a_plugin_brings_a_command_with_arguments_options_and_help(nook, greeter):
    ran = nook("greet", "ann", "bob", "--times", "2", "--loud")
    assert (ran.code, ran.out) == (0, "HELLO ANN\nHELLO BOB\nHELLO ANN\nHELLO BOB\n")
    shown = nook("greet", "--help").out
    assert "From the plugin 'greeter' of nook-greeter." in shown
    assert "How often. [default: 1]" in shown


def test_a_plugin_command_prints_its_data_as_json_lines(nook, greeter):
    ran = nook("greet", "ann", "bob", "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert lines == [{"version": 1, "name": "ann"}, {"version": 1, "name": "bob"}]


def test_the_largest_exit_code_of_a_plugin_command_counts(nook, greeter):
    assert nook("greet", "nobody", "ann").code == 1


def test_an_option_out_of_range_is_misuse(nook, greeter):
    ran = nook("greet", "ann", "--times", "9")
    assert ran.code == 2
    assert "above the largest allowed, 3" in ran.err


def test_a_plugin_command_that_exits_is_an_error_that_names_it(nook, greeter):
    ran = nook("greet", "exit")
    assert ran.code == 3
    assert "'greet'" in ran.err


def test_a_plugin_command_that_crashes_leaves_a_report_and_no_traceback(nook, home, greeter):
    ran = nook("greet", "crash")
    assert ran.code == 3
    report = next((home / "cache" / "logs").glob("bug-*.txt"))
    assert str(report) in ran.err
    assert "RuntimeError: boom" in report.read_text()


def test_scan_shows_what_the_filters_find_and_never_the_escape_itself(nook, tmp_path):
    (tmp_path / "evil.txt").write_text("harmless \x1b[31mred\x1b[0m text")
    ran = nook("scan", "evil.txt")
    assert ran.code == 1
    assert "terminal-escape" in ran.out
    assert "\x1b" not in ran.out
