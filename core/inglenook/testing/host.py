"""A host that discovers nothing: it knows only the plugins that a test hands to it."""

from __future__ import annotations

from types import SimpleNamespace

from inglenook.factories import Factory, Register
from inglenook.hookspecs import HOOK_KINDS, hookimpl
from inglenook.host import Host
from inglenook.settings import PluginSettings

__all__ = ["host_with", "plugin_of"]


def host_with(*, strict: bool = True, **plugins: object) -> Host:
    """A host with these plugins (name=module or object) and no other."""
    return Host(PluginSettings(strict=strict), plugins=plugins, discover=False)


def plugin_of(**hooks: Factory | tuple[Factory, ...]) -> object:
    """A plugin made of factories: `plugin_of(register_loaders=Factory(...))`."""
    plugin = SimpleNamespace()
    for hook, factories in hooks.items():
        if hook not in HOOK_KINDS:
            raise ValueError(f"there is no hook {hook!r}; there are {', '.join(HOOK_KINDS)}")
        several = factories if isinstance(factories, tuple) else (factories,)
        setattr(plugin, hook, _implementation(several))
    return plugin


def _implementation(factories: tuple[Factory, ...]) -> object:
    def implementation(register: Register) -> None:
        for factory in factories:
            register(factory)

    return hookimpl(implementation)
