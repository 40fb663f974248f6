"""`nook eval`: measure how well passages are found and questions answered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.evaluation import Comparison, EvaluationSet, Run, RunFolder, Subject

_PATH = click.Path(path_type=Path)


def _depths(_ctx: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, ...]:
    """The k of recall@k, sorted, each once."""
    try:
        depths = sorted({int(part) for part in value.split(",")})
    except ValueError:
        depths = [0]
    if not 1 <= depths[0] <= depths[-1] <= 1000:
        raise click.BadParameter(f"'{value}' is not numbers from 1 to 1000 with commas.")
    return tuple(depths)


@dataclass(frozen=True, slots=True)
class _Request:
    """What the command line asked for."""

    name: str | None
    dataset: Path | None
    split: str | None
    questions: Path | None
    embedder: str | None
    mode: str | None
    model: str | None
    no_answers: bool
    limit: int | None
    seed: int
    recall_at: tuple[int, ...]
    against: str | None
    html: Path | None
    as_json: bool
    fresh: bool


@click.command("eval")
@click.argument("name", required=False)
@click.option("--dataset", type=_PATH, help="A BEIR folder, or a SQuAD file or its folder.")
@click.option("--split", metavar="NAME", help="The part of a BEIR data set. [default: test]")
@click.option("--questions", type=_PATH, help="A file of questions for NAME, .jsonl or .toml.")
@click.option("--embedder", metavar="MODEL", help="Embed with this model instead.")
@click.option(
    "--mode",
    type=click.Choice(("lexical", "vector", "hybrid")),
    help="How to search. [default: what the Assistantfile says; hybrid for a data set]",
)
@click.option(
    "--model", metavar="MODEL", help="Answer with this model; for a data set there is no default."
)
@click.option("--no-answers", is_flag=True, help="Search only; ask no model.")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Ask so many of the questions, at random."
)
@click.option(
    "--seed", type=int, metavar="N", default=0, help="Draws the questions of --limit. [default: 0]"
)
@click.option(
    "--recall-at",
    metavar="NUMBERS",
    callback=_depths,
    default="1,5,10,100",
    help="The depths of recall. [default: 1,5,10,100]",
)
@click.option("--against", metavar="RUN", help="Compare with an earlier run, or with `last`.")
@click.option("--html", type=_PATH, metavar="FILE", help="Write a report to this file, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON.")
@click.option("--fresh", is_flag=True, help="Read the documents of the data set anew.")
@click.option("--list", "list_", is_flag=True, help="List the runs so far, and do nothing else.")
@click.option("--show", metavar="RUN", help="Show an earlier run instead of making one.")
@click.pass_obj
def eval_(session: Session, /, list_: bool, show: str | None, **options: Any) -> int:
    """Measure how well passages are found and questions are answered.

    NAME is asked the questions of a file beside its Assistantfile (questions.jsonl or
    questions.toml) or of --questions; its own model answers. With --dataset the documents and
    questions of a data set are used instead. Every measure comes with a 95% interval, and every
    run is kept, so that later ones can be held against it.
    """
    request = _Request(**options)
    if list_:
        return _list(session, request)
    if show is not None:
        return _show(session, show, request)
    _check(request)
    from inglenook.cli.consent import with_consent

    return with_consent(session, request.name or "", lambda: _evaluate(session, request))


def _check(request: _Request) -> None:
    """Raise for what does not go together, and for a report that could not be written."""
    if (request.name is None) == (request.dataset is None):
        raise click.UsageError("Name either an assistant or --dataset, and not both.")
    if request.dataset is not None and request.questions is not None:
        raise click.UsageError("A data set has its own questions; --questions is for an assistant.")
    if request.dataset is None and request.split is not None:
        raise click.UsageError("--split is for a --dataset.")
    if request.dataset is None and request.fresh:
        raise click.UsageError("--fresh is for a --dataset. For an assistant run: nook ingest")
    if request.no_answers and request.model is not None:
        raise click.UsageError("--model answers and --no-answers does not: leave one out.")
    if request.html is not None:
        from inglenook.evaluation.report import check_report_path

        check_report_path(request.html)


# --- earlier runs ---------------------------------------------------------------------------------


def _runs(session: Session) -> RunFolder:
    from inglenook.evaluation import run_folder

    return run_folder(session.settings.paths.data)


def _list(session: Session, request: _Request) -> int:
    runs, problems = _runs(session).all()
    for problem in problems:
        session.terminal.error(f"Warning: {problem}")
    if request.as_json:
        forms = [{k: v for k, v in run.form().items() if k != "results"} for run in runs]
        session.terminal.json({"version": 1, "runs": forms, "problems": list(problems)})
    else:
        from inglenook.cli.evaluations import list_text

        session.terminal.out(list_text(runs))
    return 0


def _show(session: Session, id: str, request: _Request) -> int:
    if request.html is not None:
        from inglenook.evaluation.report import check_report_path

        check_report_path(request.html)
    runs = _runs(session)
    run = runs.load(id)
    _tell(session, run, _compared(runs, run, request.against), request)
    return 0


def _compared(runs: RunFolder, run: Run, against: str | None) -> Comparison | None:
    from inglenook.evaluation import compare

    return compare(runs.load(against), run) if against is not None else None


def _tell(session: Session, run: Run, comparison: Comparison | None, request: _Request) -> None:
    if request.html is not None:
        from inglenook.evaluation.report import write_report

        write_report(request.html, run, comparison)
        session.terminal.note(f"The report is in {request.html}.")
    if request.as_json:
        form = {**run.form(), "comparison": comparison.form() if comparison is not None else None}
        session.terminal.json(form)
        return
    from inglenook.cli.evaluations import comparison_text, run_text

    session.terminal.out(run_text(run))
    if comparison is not None:
        session.terminal.out()
        session.terminal.out(comparison_text(comparison))


# --- a new run ------------------------------------------------------------------------------------


def _evaluate(session: Session, request: _Request) -> int:
    from inglenook.cli.interrupts import INTERRUPTED
    from inglenook.errors import Cancelled
    from inglenook.evaluation import LAST

    runs = _runs(session)
    dataset = _dataset(session, request)
    against = request.against
    if against == LAST:
        # Now, not after an hour; and before this run is the newest itself.
        against = runs.newest_of(dataset.name, dataset.layout, dataset.split).id
    elif against is not None:
        against = runs.load(against).id
    subject = _subject(session, dataset, request)
    with subject.assistant:
        try:
            run, code = _measured(session, subject, dataset, request)
        except Cancelled:
            message = "Stopped. No run was kept; what was read of the documents was."
            if request.as_json:
                raise Cancelled(message) from None
            session.terminal.error(message)
            return INTERRUPTED
    comparison = _compared(runs, run, against)
    runs.keep(run)
    for notice in run.notices:
        session.terminal.note(f"Note: {notice}")
    _tell(session, run, comparison, request)
    session.terminal.note(f"The run is kept as {run.id}.")
    return code


def _dataset(session: Session, request: _Request) -> EvaluationSet:
    """The questions to ask; those of a data set come with documents."""
    from inglenook.evaluation import find_question_file, read_dataset, read_question_file

    if request.dataset is not None:
        session.terminal.status("Reading the data set…")
        return read_dataset(request.dataset, request.split).drawn(request.limit, request.seed)
    name = request.name or ""
    found = session.installation.profile(name)
    if found is None:
        from inglenook.errors import UserError

        session.installation.assistant(name).close()  # Raises for a name that nothing has.
        raise UserError(
            f"'{name}' is a model: it has no documents to be asked about.",
            hint=f"Measure it over a data set: nook eval --dataset DIR --model {name}",
        )
    path = request.questions or find_question_file(found[1].parent)
    label = Path(name).resolve().name if name.startswith((".", "/", "~")) else name
    return read_question_file(path, label).drawn(request.limit, request.seed)


def _subject(session: Session, dataset: EvaluationSet, request: _Request) -> Subject:
    from inglenook.evaluation import Choices, own_subject, set_subject

    choices = Choices(request.embedder, request.mode, request.model)
    if request.name is not None:
        return own_subject(session.installation, request.name, choices)
    session.terminal.status("Writing the documents of the data set…")
    return set_subject(session.installation, dataset, choices, fresh=request.fresh)


def _measured(
    session: Session, subject: Subject, dataset: EvaluationSet, request: _Request
) -> tuple[Run, int]:
    """The run, and the exit code so far: 1 if something is not as whole as it should be."""
    import time
    from datetime import UTC, datetime

    from inglenook.cli.ingestion import require_model, tell_remote
    from inglenook.cli.interrupts import stopped_by_interrupt
    from inglenook.cli.progress import Progress
    from inglenook.evaluation import Evaluation, named_sources
    from inglenook.types import CancelToken

    answers = not request.no_answers and (request.name is not None or request.model is not None)
    if answers:
        require_model(session, subject.assistant)
        tell_remote(session, subject.assistant)
    started = time.monotonic()
    notices = _read(session, subject)
    ready = time.monotonic()
    if request.name is not None:
        dataset = named_sources(dataset, subject.assistant)
    evaluation = Evaluation(
        subject,
        dataset,
        answers,
        depths=request.recall_at,
        seed=request.seed,
        limit=request.limit,
        notices=notices,
    )
    cancel, results = CancelToken(), []
    total = len(dataset.questions)
    with stopped_by_interrupt(cancel), Progress(session.terminal) as progress:
        progress.show("asking", 0, total)
        for result in evaluation.results(cancel):
            results.append(result)
            progress.show("asking", len(results), total)
    seconds = {"reading": ready - started, "asking": time.monotonic() - ready}
    run = evaluation.run(results, _runs(session), datetime.now(UTC).astimezone(), seconds)
    return run, 1 if run.failures or notices else 0


def _read(session: Session, subject: Subject) -> tuple[str, ...]:
    """Read the documents that are to be asked about; a line for what is missing of them.

    An assistant's own index is made if there is none, and else taken as it is. Raises
    `Cancelled`, and `UserError` for an index that does not fit the Assistantfile any more.
    """
    from inglenook.cli.columns import count
    from inglenook.cli.ingestion import read_documents
    from inglenook.errors import Cancelled, UserError

    assistant = subject.assistant
    knowledge = assistant.knowledge
    assert knowledge is not None, "a subject has documents"
    if subject.own_index and not assistant.needs_ingest:
        if not knowledge.matches_recipe:
            raise UserError(
                f"The documents of {assistant.name} were read with other settings than now.",
                hint=f"Run `nook ingest {assistant.name}` first.",
            )
        changed = assistant.plan().to_read
        if changed:
            run = f"run `nook ingest {assistant.name}`"
            return (f"{count(changed, 'document')} changed since they were read; {run}.",)
        return ()
    report = read_documents(session, assistant, notes=False).report
    if report.cancelled:
        raise Cancelled
    failed = [r for r in report.results if not r.is_whole]
    if not failed:
        return ()
    first = f"{subject.document_id(failed[0].name)}: {failed[0].message or failed[0].reason}"
    return (f"{count(len(failed), 'document')} could not be read whole, such as {first}",)
