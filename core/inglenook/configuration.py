"""Reads and writes the installation's configuration: folders, `config.toml` and environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from inglenook.configuration_keys import check_keys
from inglenook.configuration_warm import warm_settings
from inglenook.errors import StoreError, UserError
from inglenook.settings import PROMPT_CACHE_BYTES, Paths, PluginSettings, Settings

__all__ = ["change_configuration", "find_paths", "load_settings"]


def find_paths(environment: Mapping[str, str], home: Path | None = None) -> Paths:
    """The folders: `home`, else `INGLENOOK_HOME`, else where the platform keeps such things."""
    chosen = home or environment.get("INGLENOOK_HOME")
    if chosen:
        root = Path(chosen).expanduser().absolute()
        return Paths(config=root / "config", data=root / "data", cache=root / "cache")
    import platformdirs

    return Paths(
        config=Path(platformdirs.user_config_dir("inglenook", appauthor=False)),
        data=Path(platformdirs.user_data_dir("inglenook", appauthor=False)),
        cache=Path(platformdirs.user_cache_dir("inglenook", appauthor=False)),
    )


def load_settings(
    environment: Mapping[str, str] | None = None,
    *,
    home: Path | None = None,
    plugins_enabled: bool = True,
) -> Settings:
    """The settings from the file and the environment, which wins. Raises `UserError`."""
    environment = os.environ if environment is None else environment
    paths = find_paths(environment, home)
    table = _read(paths.config_file)
    plugins, models = _table(table, "plugins", paths), _table(table, "models", paths)
    return Settings(
        paths=paths,
        plugins=_plugin_settings(plugins, environment, plugins_enabled, paths),
        grants={
            name: _strings(value, f"grants.{name}", paths)
            for name, value in _table(table, "grants", paths).items()
        },
        sources=_strings(models.get("sources", []), "models.sources", paths),
        warm=warm_settings(models, environment, paths.config_file),
        prompt_cache_bytes=_megabytes(models, "prompt_cache_mb", "models", paths),
        extra={k: v for k, v in table.items() if k not in ("plugins", "grants")},
    )


def _plugin_settings(
    table: Mapping[str, Any], environment: Mapping[str, str], enabled: bool, paths: Paths
) -> PluginSettings:
    policy = table.get("policy", "open")
    if policy not in ("open", "pinned"):
        raise UserError(
            f"{paths.config_file}: plugins.policy is '{policy}'.", hint="It is `open` or `pinned`."
        )
    said = environment.get("INGLENOOK_PLUGINS")
    only = None if said is None else tuple(n.strip() for n in said.split(",") if n.strip())
    return PluginSettings(
        enabled=enabled and only != (),
        only=only,
        disabled=_strings(table.get("disabled", []), "plugins.disabled", paths),
        policy=policy,
        pins=_table(table, "pins", paths),
        strict=environment.get("INGLENOOK_STRICT_PLUGINS", "") not in ("", "0"),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    import tomllib

    try:
        text = data.decode("utf-8-sig")
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}.", hint="Mend or remove it.") from error
    check_keys(path, text, table)
    return table


def _table(parent: Mapping[str, Any], name: str, paths: Paths) -> dict[str, Any]:
    value = parent.get(name, {})
    if not isinstance(value, dict):
        raise UserError(f"{paths.config_file}: '{name}' must be a table.")
    return value


def _megabytes(table: Mapping[str, Any], key: str, name: str, paths: Paths) -> int:
    """A whole number of megabytes, in bytes; the default where none is stated."""
    value = table.get(key, PROMPT_CACHE_BYTES // 1_000_000)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UserError(
            f"{paths.config_file}: '{name}.{key}' must be a whole number of megabytes, 0 or more."
        )
    return value * 1_000_000


def _strings(value: object, name: str, paths: Paths) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UserError(f"{paths.config_file}: '{name}' must be a list of texts.")
    return tuple(value)


def change_configuration(paths: Paths, change: Callable[[Any], None]) -> None:
    """Apply `change` to the parsed file and write it back whole; comments stay.

    Raises `StoreError` if it cannot be written; the old file then stands as it was.
    """
    import tomlkit
    from filelock import FileLock

    path = paths.config_file
    try:
        paths.config.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            _read(path)  # the clear error for a file that is not TOML
            document = tomlkit.parse(path.read_text("utf-8-sig") if path.exists() else "")
            change(document)
            temporary = path.with_suffix(".new")
            temporary.write_text(tomlkit.dumps(document), "utf-8")
            temporary.replace(path)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror}.",
            hint="Check the folder's permissions and free space, or set INGLENOOK_HOME.",
        ) from error
