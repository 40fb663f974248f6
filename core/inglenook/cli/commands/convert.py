"""`nook convert`: write a model anew in another format or precision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.models.conversion import Conversion, Converted
    from inglenook.models.fidelity import Fidelity
    from inglenook.types import CancelToken


@click.command()
@click.argument("reference")
@click.option("--to", type=click.Choice(["onnx", "gguf"]), help="The format. [default: onnx]")
@click.option("--precision", metavar="NAME", help="int4, int8 or fp32 for onnx. [default: int8]")
@click.option(
    "-q", "--quantize", metavar="NAME", help="Q4_K_M, Q8_0, … for gguf. [default: Q4_K_M]"
)
@click.option("--name", metavar="NAME", help="What to call it. [default: from REFERENCE]")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write it there, and not into the library.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write how the two compare into this .json or .html file.",
)
@click.option("--no-compare", is_flag=True, help="Do not compare the two models.")
@click.option("--requantize", is_flag=True, help="Round weights that were rounded before.")
@click.option("--force", is_flag=True, help="Replace a model of that name.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_obj
def convert(
    session: Session,
    reference: str,
    to: str | None,
    precision: str | None,
    quantize: str | None,
    name: str | None,
    output: Path | None,
    report: Path | None,
    no_compare: bool,
    requantize: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Write the model REFERENCE anew in another format or precision.

    REFERENCE is a model of the library, a .gguf file, or the folder of a model as Hugging Face's
    transformers saves it. Afterwards both models are opened, and the report says how much was
    lost. Nothing half-written stays, whatever interrupts it.
    """
    import time

    from inglenook.cli.interrupts import stopped_by_interrupt
    from inglenook.models.conversion import plan_conversion
    from inglenook.types import CancelToken

    to, wanted = _target(to, precision, quantize)
    if report is not None:
        from inglenook.models.conversion_report import check_report_path

        report = report.expanduser()
        check_report_path(report)
    if name is not None and output is not None:
        raise click.UsageError("--name is for the library and --output for elsewhere: choose one.")
    installation = session.installation
    if name is not None and installation.registration(name) is not None:
        from inglenook.errors import UserError

        raise UserError(f"There is an assistant named '{name}'.", hint="Choose another name.")
    plan = plan_conversion(
        reference,
        to,
        wanted,
        installation.library,
        installation.host,
        name=name or "",
        output=output,
        replaces=force,
        requantise=requantize,
    )
    cancel, began = CancelToken(), time.monotonic()
    with stopped_by_interrupt(cancel, terminate=True):
        done = _converted(session, plan, cancel)
        seconds = time.monotonic() - began
        fidelity = None if no_compare else _compared(session, plan, done, cancel)
    form = _form(plan, done, seconds, fidelity)
    if report is not None:
        from inglenook.models.conversion_report import write_report

        write_report(report, form, fidelity)
    if as_json:
        session.terminal.json(form)
    else:
        from inglenook.cli.conversions import conversion_text

        text = conversion_text(
            done.name, done.size_bytes, seconds, fidelity, elsewhere=output is not None
        )
        session.terminal.out(text)
        if report is not None:
            session.terminal.note(f"The report is in {report}.")
    return 0


def _target(to: str | None, precision: str | None, quantize: str | None) -> tuple[str, str]:
    """The format and the precision; "" for its usual one. Raises `click.UsageError`."""
    if precision and quantize:
        raise click.UsageError("--precision is for onnx and --quantize for gguf: choose one.")
    if to is None:
        to = "gguf" if quantize else "onnx"
    if to == "onnx" and quantize:
        raise click.UsageError("--quantize is for gguf; onnx models take --precision.")
    if to == "gguf" and precision:
        raise click.UsageError("--precision is for onnx; gguf models take --quantize.")
    return to, precision or quantize or ""


def _converted(session: Session, plan: Conversion, cancel: CancelToken) -> Converted:
    from inglenook.cli.progress import Progress
    from inglenook.errors import Cancelled
    from inglenook.models.conversion import Converted, convert_model

    installation, done = session.installation, None
    log = installation.paths.logs / "convert.log"
    with Progress(session.terminal, unit="bytes") as progress:
        for event in convert_model(plan, installation.library, log, cancel):
            if isinstance(event, Converted):
                done = event
            else:
                progress.show(event.what or "reading", event.done_bytes, event.total_bytes)
    if done is None:
        raise Cancelled
    return done


def _compared(
    session: Session, plan: Conversion, done: Converted, cancel: CancelToken
) -> Fidelity | None:
    """How the two compare; None, with a note, where that cannot be found out."""
    from inglenook.assistants.composition import pick_runtime
    from inglenook.cli.progress import Progress
    from inglenook.errors import Cancelled, InglenookError
    from inglenook.models.fidelity import ComparedModel, Fidelity, compare_models

    installation = session.installation
    log = installation.paths.logs / "convert.log"
    try:
        sides = []
        for name, files in ((plan.source.reference, plan.source), (done.name, done.files)):
            entry = pick_runtime(installation.host, None, files)
            sides.append(ComparedModel(name, entry.factory.name, entry.factory.load, files))
        with Progress(session.terminal) as progress:
            for event in compare_models(sides[0], sides[1], log, cancel):
                if isinstance(event, Fidelity):
                    return event
                progress.show(*event)
    except Cancelled:
        session.terminal.note("Note: The comparison was stopped; the new model is whole.")
    except InglenookError as error:
        session.terminal.note(f"Note: The two were not compared: {error.message}")
    return None


def _form(
    plan: Conversion, done: Converted, seconds: float, fidelity: Fidelity | None
) -> dict[str, Any]:
    from inglenook.assistants.forms import VERSION

    return {
        "version": VERSION,
        "source": plan.source.reference,
        "name": done.name,
        "output": str(plan.output) if plan.output else None,
        "to": plan.to,
        "precision": plan.precision,
        "size_bytes": done.size_bytes,
        "seconds": round(seconds, 3),
        "comparison": fidelity.form() if fidelity else None,
    }
