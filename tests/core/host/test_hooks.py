"""Every hook is documented with its exact signature and used by a built-in plugin."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from inglenook import hookspecs
from inglenook.hookspecs import HOOK_KINDS
from inglenook.host import Host

MANUAL = Path(__file__).parents[3] / "docs" / "plugins.md"


def signature(hook: str) -> str:
    return f"{hook}({', '.join(inspect.signature(getattr(hookspecs, hook)).parameters)})"


def test_the_hooks_are_those_that_the_kinds_name() -> None:
    found = {name for name in dir(hookspecs) if name.startswith("register_")}

    assert set(HOOK_KINDS) == found


@pytest.mark.parametrize("hook", HOOK_KINDS)
def test_a_hook_has_a_heading_with_its_exact_signature(hook: str) -> None:
    assert f"### {signature(hook)}\n" in MANUAL.read_text("utf-8")


@pytest.mark.parametrize("hook", HOOK_KINDS)
def test_a_hook_says_since_when_it_exists(hook: str) -> None:
    assert "versionadded: " in (getattr(hookspecs, hook).__doc__ or "")


@pytest.mark.parametrize("hook", HOOK_KINDS)
def test_a_hook_is_used_by_a_built_in_plugin(hook: str) -> None:
    users = [s.name for s in Host().statuses if hook in s.hooks and s.distribution == "inglenook"]

    assert users
