"""Finds what `nook bench` is to measure: a model by its name or path, or that of an assistant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from inglenook.assistants import composition
from inglenook.errors import ModelNotFoundError, UserError
from inglenook.models.bench_report import BenchSubject
from inglenook.models.library_versions import library_versions
from inglenook.profiles.profile import PartChoice, Profile

if TYPE_CHECKING:
    from inglenook.assistants.installation import Installation
    from inglenook.types import ModelFiles

__all__ = ["BARE", "bare_of", "bench_subject", "bench_subjects"]

BARE = "bare"
"""What `--against` calls the library of the runtime alone."""

_PROFILE_NAMES = ("Assistantfile", "Modelfile")


def bench_subjects(
    installation: Installation,
    reference: str,
    runtime: str | None = None,
    against: str | None = None,
    against_runtime: str | None = None,
) -> tuple[BenchSubject, ...]:
    """What is measured, and what it is compared with, if anything. Raises as `bench_subject`."""
    first = bench_subject(installation, reference, runtime)
    if against == BARE:
        return first, bare_of(first)
    if against is None and against_runtime is None:
        return (first,)
    return first, bench_subject(installation, against or reference, against_runtime or runtime)


def bench_subject(
    installation: Installation, reference: str, runtime: str | None = None
) -> BenchSubject:
    """The model that a reference stands for, and how it would be opened.

    Of an assistant that is its FROM, RUNTIME, DEVICE and those PARAMETERs that say how a model is
    opened. `runtime` stands in for the RUNTIME line. Raises `UserError`, `ModelError`,
    `RuntimeFailure` if no runtime opens it, and `MissingDependencyError`.
    """
    settings, host = installation.settings, installation.host
    if not settings.plugins.enabled:
        why, fix = settings.plugins.why_off
        raise UserError(
            f"'{reference}' cannot be measured: plugins are off ({why}), and models need them.",
            hint=fix,
        )
    found = None if _is_model_path(reference) else installation.profile(reference)
    profile, file = found or (Profile(models=(reference,)), None)
    if runtime is not None:
        profile = replace(profile, runtime=PartChoice(runtime))
        host.find("runtime", runtime)
    base = file.parent if file is not None else None
    files = _files(installation, profile, base, reference)
    _refuse_embedder(installation, files)
    entry = composition.pick_runtime(host, profile.runtime, files)
    if entry.missing:
        host.load_class("runtime", entry.factory.name)  # Raises what is missing.
    stated = profile.runtime.options if profile.runtime else {}
    options = replace(
        composition.runtime_options(
            profile,
            base,
            {**dict(files.details.get("parameters", {})), **profile.parameters},
            files,
        ),
        settings=host.options_for("runtime", entry.factory.name, stated),
    )
    return BenchSubject(
        name=reference,
        runtime=entry.factory.name,
        load=entry.factory.load,
        files=files,
        options=options,
        versions=library_versions(entry.factory.requires),
    )


def bare_of(subject: BenchSubject) -> BenchSubject:
    """The same model, run by the runtime's library alone."""
    return replace(subject, name=f"{subject.name} ({BARE})", bare=True)


def _files(
    installation: Installation, profile: Profile, base: Path | None, reference: str
) -> ModelFiles:
    try:
        return composition.model_of(profile, base, installation.library, installation.host)
    except ModelNotFoundError:
        if base is None:
            # It may have been meant as an assistant: the error for those suggests both.
            installation.assistant(reference).close()
        raise


def _refuse_embedder(installation: Installation, files: ModelFiles) -> None:
    host = installation.host
    if host.able_to_open("embedder", files.format) and not host.able_to_open(
        "runtime", files.format
    ):
        raise UserError(
            f"{files.reference} is a model for embedding: it writes no text to be measured.",
            hint="Name a model that answers; `nook list` shows those that are here.",
        )


def _is_model_path(reference: str) -> bool:
    """Whether a path names a model itself, not an Assistantfile or the folder of one."""
    path = Path(reference).expanduser()
    if path.suffix.lower() == ".gguf":
        return True
    try:
        if path.is_dir():
            is_path = reference.startswith((".", "~", "/")) or "/" in reference
            return is_path and not any((path / name).is_file() for name in _PROFILE_NAMES)
        if path.is_file():
            with path.open("rb") as file:
                return file.read(4) == b"GGUF"
    except OSError:
        return False  # Opening it as a profile will say what is wrong.
    return False
