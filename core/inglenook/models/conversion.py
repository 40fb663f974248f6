"""Writes a model anew in another format or precision, whole or not at all.

The runtime that opens the wanted format writes it (see `protocols.ConvertsModels`), in a process
of its own. What comes of it lies in a folder for half-done work until it has been opened and
checked; then it becomes a model of the library, or moves to where the user wants it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from inglenook.errors import (
    Cancelled,
    ModelNotFoundError,
    RuntimeFailure,
    UserError,
)
from inglenook.host import Host, Registered
from inglenook.models.genai_folder import FORMAT as ONNX
from inglenook.models.gguf import read_gguf
from inglenook.models.library import Library, NewFile
from inglenook.models.local import files_from_path, local_facts, with_tokenizer_files
from inglenook.models.record import ModelFacts, size_label
from inglenook.models.reference import parse_reference
from inglenook.models.staging import staging_folder
from inglenook.models.storage import disk_errors, file_sha256, make_durable
from inglenook.models.transformers_folder import (
    is_transformers_folder,
    transformers_from_folder,
)
from inglenook.processes.limits import ProcessLimits
from inglenook.processes.worker_process import WorkerGoneError, WorkerProcess
from inglenook.protocols import ConvertsModels
from inglenook.types import (
    CancelToken,
    ConversionProgress,
    ConversionRequest,
    ModelFiles,
)

__all__ = [
    "TARGETS",
    "Conversion",
    "Converted",
    "Converter",
    "conversion_source",
    "convert_model",
    "plan_conversion",
]

TARGETS = {"onnx": ONNX, "gguf": "gguf"}
"""What `--to` calls a format."""

_DEFAULTS = {"onnx": "int8", "gguf": "Q4_K_M"}
_GGUF_FILE = "model.gguf"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is to be done, everything checked that can be checked without opening weights.

    Args:
        source: The model.
        to: One of `TARGETS`.
        precision: In the runtime's own spelling.
        writer: The runtime that writes it.
        name: The model's name in the library; "" where it goes to `output`.
        output: The folder or file that is made; None for a model of the library.
        replaces: Whether a model of that name gives way.
        requantise: Whether weights that were rounded once may be rounded again.
    """

    source: ModelFiles
    to: str
    precision: str
    writer: Registered
    name: str = ""
    output: Path | None = None
    replaces: bool = False
    requantise: bool = False


@dataclass(frozen=True, slots=True)
class Converted:
    """The end of a conversion: the new model, and what it takes on the disk."""

    name: str
    files: ModelFiles
    size_bytes: int


def conversion_source(reference: str, library: Library) -> ModelFiles:
    """The model that a name or path stands for. Raises `UserError`, `ModelError`."""
    path = Path(reference).expanduser()
    if path.is_dir() and is_transformers_folder(path):
        return transformers_from_folder(path)
    looks_like_path = path.suffix.lower() == ".gguf" or reference.startswith((".", "/", "~"))
    if path.is_file() or looks_like_path:
        return files_from_path(path)
    try:
        return library.get(reference)
    except ModelNotFoundError:
        if path.exists():
            return files_from_path(path)
        raise


def plan_conversion(
    reference: str,
    to: str,
    precision: str,
    library: Library,
    host: Host,
    *,
    name: str = "",
    output: Path | None = None,
    replaces: bool = False,
    requantise: bool = False,
) -> Conversion:
    """Check a wish. Raises `UserError` for what cannot be, `ModelError`, `RuntimeFailure`."""
    source = conversion_source(reference, library)
    writer = _writer(source, to, host)
    chosen = _spelt(precision or _DEFAULTS[to], to, writer)
    if output is not None:
        output = output.expanduser()
        _require_free(output)
        name = ""
    else:
        name = parse_reference(name or _default_name(source, to, chosen)).full
        _require_new(name, library, replaces=replaces)
    return Conversion(source, to, chosen, writer, name, output, replaces, requantise)


def convert_model(
    plan: Conversion, library: Library, log: Path, cancel: CancelToken
) -> Iterator[ConversionProgress | Converted]:
    """Do it, whole or not at all; ends in a `Converted`.

    Raises `UserError`, `ModelBrokenError`, `StoreError` for a full or read-only disk,
    `RuntimeFailure` if the process that does it dies, and `Cancelled`.
    """
    with _work_folder(plan, library) as folder:
        request = ConversionRequest(plan.source, folder, plan.precision, plan.requantise)
        yield from _written(plan.writer, request, log, cancel)
        _stop_if(cancel)
        made = files_from_path(folder / _GGUF_FILE if plan.to == "gguf" else folder)
        if plan.output is not None:
            yield _moved(folder, plan)
            return
        new = []
        for key, path in with_tokenizer_files(made).items():
            with disk_errors(folder):
                make_durable(path)
            new.append(NewFile(key, path, file_sha256(path, lambda: _stop_if(cancel))))
        facts = _facts(plan, made)
        record = library.add(plan.name, tuple(new), format=made.format, facts=facts)
    yield Converted(record.name, library.get(record.name), record.size_bytes)


class Converter:
    """Runs in the child: calls the runtime's class.

    Args:
        load: The class, `package.module:Class`.
    """

    def __init__(self, load: str) -> None:
        module, _, name = load.partition(":")
        self._runtime = getattr(import_module(module), name)
        if not isinstance(self._runtime, ConvertsModels):
            raise UserError(f"The runtime {load} writes no models.")

    def convert(
        self, request: ConversionRequest, cancel: CancelToken
    ) -> Iterator[ConversionProgress]:
        """See `protocols.ConvertsModels`."""
        yield from self._runtime.convert(request, cancel)

    def close(self) -> None:
        """Nothing is open between calls."""


def _written(
    writer: Registered, request: ConversionRequest, log: Path, cancel: CancelToken
) -> Iterator[ConversionProgress]:
    child = WorkerProcess(
        f"{__name__}:{Converter.__name__}",
        (writer.factory.load,),
        log,
        limits=ProcessLimits(network=False, outlives_parent=False),
    )
    try:
        yield from child.stream("convert", request, cancel=cancel)
    except WorkerGoneError as error:
        raise RuntimeFailure(
            f"Converting {request.source.reference} ended unexpectedly: {error.reason}.",
            hint=f"Its last words are in {log}. Nothing was kept.",
        ) from error
    finally:
        child.close()
    _stop_if(cancel)


# --- checks ---------------------------------------------------------------------------------------


def _writer(source: ModelFiles, to: str, host: Host) -> Registered:
    """The runtime that can write the format from such a source."""
    able = [
        entry
        for entry in host.able_to_open("runtime", TARGETS[to])
        if source.format in entry.factory.capabilities.get("converts", ())
    ]
    usable = [entry for entry in able if not entry.missing]
    if usable:
        return usable[0]
    if able:
        host.load_class("runtime", able[0].factory.name)  # Raises what is missing.
    if source.format == TARGETS[to]:
        raise UserError(
            f"{source.reference} is a model of that format already, and none of the installed"
            " runtimes writes it in another precision.",
            hint="See `nook plugins`; GGUF is quantised by: pip install 'inglenook[llama-cpp]'",
        )
    raise UserError(
        f"No plugin here converts {source.reference} ({source.format}) to {to}.",
        hint="GGUF files and folders of transformers are converted to onnx:"
        " pip install 'inglenook[convert]'",
    )


def _spelt(precision: str, to: str, writer: Registered) -> str:
    known = writer.factory.capabilities.get("writes", ())
    for name in known:
        if name.casefold() == precision.casefold():
            return name
    raise UserError(
        f"'{precision}' is no precision of {to} models.", hint=f"Use one of {', '.join(known)}."
    )


def _default_name(source: ModelFiles, to: str, precision: str) -> str:
    path = Path(source.reference)
    if path.is_absolute() or path.exists():
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem if path.is_file() else path.name)
        return f"{name.strip('-.')[:60] or 'model'}:{_tail(to, precision)}"
    parsed = parse_reference(source.reference)
    return f"{parsed.full.rpartition(':')[0]}:{parsed.tag}-{_tail(to, precision)}"


def _tail(to: str, precision: str) -> str:
    return f"onnx-{precision}" if to == "onnx" else precision.lower()


def _require_new(name: str, library: Library, *, replaces: bool) -> None:
    there = library.stored_exactly(name)
    if there is not None and not replaces:
        raise UserError(
            f"There is a model named {there.name} already.",
            hint="Choose another --name, or replace it with --force.",
        )


def _require_free(output: Path) -> None:
    if not output.absolute().parent.is_dir():
        raise UserError(f"There is no folder {output.parent}.", hint="Make it first.")
    if output.is_dir() and not any(output.iterdir()):
        return
    if output.exists():
        raise UserError(
            f"{output} exists already.", hint="Name a folder that is empty or not there yet."
        )


def _facts(plan: Conversion, made: ModelFiles) -> ModelFacts:
    """What is told of the new model: what its files say, and what came with the source."""
    source = plan.source
    known = ModelFacts()
    if source.format == "gguf":
        info = read_gguf(source.files["model"])
        known = ModelFacts(parameter_size=size_label(info.parameters), licence=info.licence)
    return replace(
        local_facts(made),
        quantisation=plan.precision.upper(),
        parameter_size=known.parameter_size,
        licence=str(source.details.get("licence") or known.licence),
        template=str(source.details.get("template") or ""),
        parameters=dict(source.details.get("parameters") or {}),
        details={"converted_from": source.reference},
    )


# --- folders --------------------------------------------------------------------------------------


@contextmanager
def _work_folder(plan: Conversion, library: Library) -> Iterator[Path]:
    """Where it is written: on the disk where it will stay, and gone after the block."""
    if plan.output is None:
        with staging_folder(library.scratch) as folder:
            yield folder
        return
    scratch = plan.output.absolute().parent / f".{plan.output.name}.converting"
    with disk_errors(scratch.parent):
        scratch.mkdir(exist_ok=True)
    try:
        with staging_folder(scratch) as folder:
            yield folder
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _moved(folder: Path, plan: Conversion) -> Converted:
    """The result at its place: a folder, or for GGUF a file."""
    output = plan.output
    assert output is not None
    with disk_errors(output):
        for path in folder.iterdir():
            make_durable(path)
        if plan.to == "gguf" and output.suffix.lower() == ".gguf":
            (folder / _GGUF_FILE).rename(output)
        else:
            if output.is_dir():
                output.rmdir()
            folder.rename(output)
            output = output / _GGUF_FILE if plan.to == "gguf" else output
        make_durable(output.parent)
    made = files_from_path(output)
    size = sum(path.stat().st_size for path in with_tokenizer_files(made).values())
    return Converted(str(output.absolute()), made, size)


def _stop_if(cancel: CancelToken) -> None:
    if cancel.cancelled:
        raise Cancelled("Stopped; nothing was converted.")
