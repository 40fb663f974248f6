"""`nook bench`: measure how fast a model runs on this machine, and what memory it takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.models.bench_report import BenchReport, BenchSubject
    from inglenook.models.benchmark import Benchmark
    from inglenook.models.machine import Machine

_LONGEST_CONTEXT = 10_000_000
_MOST_PARALLEL = 64


def _numbers(least: int, most: int) -> Callable[..., tuple[int, ...]]:
    """Reads whole numbers with commas: sorted, each once."""

    def read(_ctx: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, ...]:
        try:
            numbers = sorted({int(part) for part in value.split(",")})
        except ValueError:
            numbers = [least - 1]
        if not least <= numbers[0] <= numbers[-1] <= most:
            raise click.BadParameter(
                f"'{value}' is not numbers from {least} to {most} with commas."
            )
        return tuple(numbers)

    return read


@click.command()
@click.argument("reference")
@click.option("--runtime", metavar="NAME", help="Run it with this runtime.")
@click.option(
    "--context",
    "contexts",
    callback=_numbers(16, _LONGEST_CONTEXT),
    metavar="NUMBERS",
    default="512,2048",
    help="The context lengths, in tokens. [default: 512,2048]",
)
@click.option(
    "--parallel",
    callback=_numbers(1, _MOST_PARALLEL),
    metavar="NUMBERS",
    default="1",
    help="How many requests run at the same time. [default: 1]",
)
@click.option(
    "--prompt-tokens",
    type=click.IntRange(1),
    metavar="N",
    help="Tokens of each prompt. [default: fills the context]",
)
@click.option(
    "--tokens",
    type=click.IntRange(2),
    metavar="N",
    default=64,
    help="Tokens of each answer. [default: 64]",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    metavar="N",
    default=3,
    help="Measure so often. [default: 3]",
)
@click.option(
    "--against",
    metavar="REF",
    help="Compare with another model or assistant, or with `bare`: the runtime's library alone.",
)
@click.option("--against-runtime", metavar="NAME", help="Compare with this runtime.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw them in this .svg file, too.",
)
@click.pass_obj
def bench(
    session: Session,
    reference: str,
    runtime: str | None,
    contexts: tuple[int, ...],
    parallel: tuple[int, ...],
    prompt_tokens: int | None,
    tokens: int,
    rounds: int,
    against: str | None,
    against_runtime: str | None,
    as_json: bool,
    plot: Path | None,
) -> int:
    """Measure a model on this machine: how soon and how fast it reads and writes, in what memory.

    REFERENCE is a model, the path of one, or an assistant, whose model is opened as its
    Assistantfile says. Each round starts a fresh process, reads a prompt of plain text and writes
    an answer, always the likeliest token; a figure is the median of the rounds, with the lowest
    and the highest below it.
    """
    from inglenook.assistants.bench_subjects import BARE, bench_subjects
    from inglenook.models.bench_report import BenchPlan
    from inglenook.models.benchmark import Benchmark
    from inglenook.models.machine import read_machine

    if against == BARE and against_runtime is not None:
        raise click.UsageError("--against bare is the same runtime: leave --against-runtime out.")
    if plot is not None:
        from inglenook.models.bench_plot import check_plot_path

        check_plot_path(plot)
    plan = BenchPlan(contexts, parallel, prompt_tokens, tokens, rounds)
    installation = session.installation
    subjects = bench_subjects(installation, reference, runtime, against, against_runtime)
    machine = read_machine()
    _tell_before(session, machine, subjects)
    logs = installation.paths.logs
    benchmark = Benchmark(subjects, plan, machine, lambda subject: logs / f"{subject.runtime}.log")
    report, code = _measured(session, benchmark)
    return _tell(session, report, code, plot, as_json=as_json)


def _tell_before(session: Session, machine: Machine, subjects: tuple[BenchSubject, ...]) -> None:
    if machine.is_busy:
        session.terminal.note(
            f"Note: The machine is busy (a load of {machine.load:g} on {machine.usable} usable "
            "processors): the figures will be worse than it can do."
        )
    for subject in subjects:
        if subject.is_remote and not subject.bare:
            session.terminal.note(
                f"Note: {subject.name} is run by a server: the figures are those of its machine "
                "and of the way to it."
            )


def _measured(session: Session, benchmark: Benchmark) -> tuple[BenchReport, int]:
    """What could be measured, and the exit code. Raises what went wrong before anything was."""
    from datetime import UTC, datetime

    from inglenook import __version__
    from inglenook.cli.interrupts import INTERRUPTED, stopped_by_interrupt
    from inglenook.cli.progress import Progress
    from inglenook.errors import Cancelled, InglenookError
    from inglenook.types import CancelToken

    made = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
    cancel = CancelToken()
    with stopped_by_interrupt(cancel), Progress(session.terminal) as progress:
        try:
            for step in benchmark.steps(cancel):
                what = (
                    f"{step.subject.name}, context {step.context_length}, {step.parallel} at once"
                )
                progress.show(what, step.done, step.total)
        except Cancelled:
            return benchmark.report(made, __version__, cancelled=True), INTERRUPTED
        except InglenookError as error:
            report = benchmark.report(made, __version__, error=error)
            if report.is_empty:
                raise
            return report, error.exit_code
    return benchmark.report(made, __version__), 0


def _tell(
    session: Session, report: BenchReport, code: int, plot: Path | None, *, as_json: bool
) -> int:
    from inglenook.cli.benchmarks import bench_text

    terminal = session.terminal
    if as_json:
        terminal.json(report.form())
    elif not report.is_empty:
        terminal.out(bench_text(report, terminal.out_columns))
    for notice in () if report.is_empty else report.notices:
        if notice.code != "busy-before":  # That was told when it could still be changed.
            terminal.note(f"Note: {notice.message}")
    if report.cancelled:
        kept = "Nothing was measured." if report.is_empty else "That is what was measured so far."
        terminal.error(f"Stopped. {kept}")
    elif report.error is not None and not as_json:
        hint = report.error["hint"]
        terminal.error(f"Error: {report.error['message']}" + (f"\n{hint}" if hint else ""))
    if plot is not None and not report.is_empty:
        from inglenook.models.bench_plot import write_plot

        write_plot(plot, report)
        terminal.note(f"The plot is in {plot}.")
    return code
