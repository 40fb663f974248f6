"""Reads archives (zip, tar) and compressed files as the folders that they are."""

from __future__ import annotations

from inglenook.factories import Factory, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_loaders(register: Register) -> None:
    register(
        Factory(
            name="zip",
            summary="Zip archives; each file in them is read with its own loader.",
            load="inglenook_archive.zip_loader:ZipLoader",
            capabilities={"extensions": (".zip",), "media_types": ("application/zip",)},
            extra="archive",
        )
    )
    register(
        Factory(
            name="tar",
            summary="Tar archives, compressed or not, and single files in gzip, bzip2 or xz.",
            load="inglenook_archive.tar_loader:TarLoader",
            capabilities={
                "extensions": (".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".gz", ".bz2", ".xz"),
                "media_types": (
                    "application/x-tar",
                    "application/gzip",
                    "application/x-bzip2",
                    "application/x-xz",
                ),
            },
            extra="archive",
        )
    )
