"""What is evaluated: an assistant over its own documents, or one made for a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inglenook import __version__
from inglenook.assistants.assistant import Assistant
from inglenook.assistants.composition import DEFAULT_EMBEDDER, model_files, model_of
from inglenook.assistants.installation import Installation
from inglenook.errors import UserError
from inglenook.evaluation.questions import EvaluationSet, Question, SetDocument
from inglenook.evaluation.workspace import Workspace, workspace_settings
from inglenook.host import suggestion
from inglenook.profiles.frozen_mapping import FrozenMapping
from inglenook.profiles.profile import PartChoice, Profile
from inglenook.profiles.writer import write

__all__ = [
    "Choices",
    "Subject",
    "embedder_name",
    "named_sources",
    "own_subject",
    "set_subject",
    "versions_of",
]

DEFAULT_MODE = "hybrid"
SET_SYSTEM = "Answer the question from the passages, in as few words as possible."
"""The system prompt over a data set, which has no Assistantfile of its own."""
SET_PARAMETERS = {"temperature": 0.0, "seed": 0, "num_predict": 128}
"""A small model may go on for ever; what was asked for is short."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What is chosen for one evaluation; None leaves it to the Assistantfile or the default."""

    embedder: str | None = None
    mode: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """An assistant that can be evaluated; its documents may not have been read yet.

    Args:
        assistant: To be closed by the caller.
        installation: What made the assistant.
        own_index: Its knowledge base is the assistant's own, not one of the cache.
        document_id: The id of the document of a source, by name.
        document: The document of that id; None where only its name is known.
    """

    assistant: Assistant
    installation: Installation
    own_index: bool
    document_id: Callable[[str], str]
    document: Callable[[str], SetDocument | None]

    @property
    def mode(self) -> str:
        return self.assistant.profile.retrieve.mode


# --- a data set -----------------------------------------------------------------------------------


def set_subject(
    installation: Installation, dataset: EvaluationSet, choices: Choices, *, fresh: bool = False
) -> Subject:
    """An assistant over the documents of a data set, in a workspace of the cache.

    Raises `ModelNotFoundError` for a model or embedder that is not here, before anything is
    written, and `StoreError` if the disk refuses.
    """
    if choices.model is not None:
        model_files(choices.model, None, installation.library)
    mode = choices.mode or DEFAULT_MODE
    if mode != "lexical" or choices.embedder is not None:
        model_files(choices.embedder or DEFAULT_EMBEDDER, None, installation.library)
    workspace = Workspace(installation.paths.cache, dataset)
    workspace.prepare(fresh=fresh)
    made_of = choices.embedder or (None if mode == "lexical" else DEFAULT_EMBEDDER)
    own = Installation(
        workspace_settings(installation.settings, workspace.folder), installation.host
    )
    assistant = own.assistant_from_file(
        workspace.profile_file(made_of),
        name=dataset.name,
        change=lambda profile: _for_set(profile, choices, mode),
    )

    def document_id(source: str) -> str:
        document = workspace.document(source)
        return document.id if document is not None else source

    by_id = {document.id: document for document in dataset.documents or ()}
    return Subject(assistant, own, False, document_id, by_id.get)


def _for_set(profile: Profile, choices: Choices, mode: str) -> Profile:
    return replace(
        profile,
        models=(choices.model,) if choices.model is not None else profile.models,
        system=SET_SYSTEM,
        parameters=FrozenMapping(SET_PARAMETERS),
        embedder=PartChoice(choices.embedder) if choices.embedder is not None else None,
        retrieve=replace(profile.retrieve, mode=mode, given=("mode",)),
    )


# --- an assistant of one's own --------------------------------------------------------------------


def own_subject(installation: Installation, reference: str, choices: Choices) -> Subject:
    """The assistant of that name or path, with what was chosen instead of what its file says.

    Its own index is used, unless the choice needs another; that one is made in the cache.
    Raises `UnknownNameError`, `ProfileError`, and `UserError` if it has no documents.
    """
    found = installation.profile(reference)
    if found is None:
        installation.assistant(reference).close()  # Raises for a name that nothing has.
        raise UserError(
            f"'{reference}' is a model: it has no documents to be asked about.",
            hint="Name an assistant, or measure the model over a data set: "
            f"nook eval --dataset DIR --model {reference}",
        )
    profile, path = found
    if not profile.files:
        raise UserError(
            f"'{reference}' has no documents.", hint="Add a FILE line to its Assistantfile."
        )
    another = _needs_another_index(profile, choices)
    maker = installation
    if another:
        key = hashlib.sha256(f"{path}\0{choices.embedder}".encode()).hexdigest()[:12]
        folder = installation.paths.cache / "evaluation" / f"{path.parent.name}-{key}"
        maker = Installation(workspace_settings(installation.settings, folder), installation.host)
    assistant = maker.assistant_from_file(
        path, name=reference, change=lambda profile: _with_choices(profile, choices)
    )
    return Subject(assistant, maker, not another, lambda source: source, lambda _id: None)


def _needs_another_index(profile: Profile, choices: Choices) -> bool:
    if choices.embedder is not None:
        return profile.embedder is None or profile.embedder.name != choices.embedder
    without_vectors = profile.retrieve.mode == "lexical" and profile.embedder is None
    return without_vectors and choices.mode not in (None, "lexical")


def _with_choices(profile: Profile, choices: Choices) -> Profile:
    embedder = profile.embedder
    if choices.embedder is not None:
        if embedder is None or embedder.name != choices.embedder:
            embedder = PartChoice(choices.embedder)
    elif embedder is None and choices.mode == "lexical" and profile.retrieve.mode != "lexical":
        # Searched by words alone, but in the index that the assistant has.
        embedder = PartChoice(DEFAULT_EMBEDDER)
    retrieve = profile.retrieve
    if choices.mode is not None:
        given = tuple(sorted({*retrieve.given, "mode"}))
        retrieve = replace(retrieve, mode=choices.mode, given=given)
    models = (choices.model,) if choices.model is not None else profile.models
    return replace(profile, models=models, embedder=embedder, retrieve=retrieve)


def named_sources(dataset: EvaluationSet, assistant: Assistant) -> EvaluationSet:
    """The same questions with each expected source by the whole name that the assistant knows.

    A source may be named by the end of its path. Raises `UserError` for one that does not exist
    or fits several, and if the file with the questions is a source itself.
    """
    rows = assistant.knowledge.sources() if assistant.knowledge is not None else ()
    known = tuple(row.name for row in rows)
    file = dataset.file
    if file is not None and file.resolve() in {Path(row.path).resolve() for row in rows}:
        raise UserError(
            f"{file} is one of the documents of {assistant.name}, so the answers would be found "
            "in it.",
            hint="Move it out of what the FILE lines name, run `nook ingest "
            f"{assistant.name}`, and name it with --questions.",
        )

    def named(question: Question) -> Question:
        relevant = {_source(question, s, known): g for s, g in question.relevant.items()}
        return replace(question, relevant=relevant)

    return replace(dataset, questions=tuple(map(named, dataset.questions)))


def _source(question: Question, wanted: str, known: tuple[str, ...]) -> str:
    wanted = wanted.replace("\\", "/").removeprefix("./")
    if wanted in known:
        return wanted
    fitting = [name for name in known if name.endswith(f"/{wanted}")]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UserError(
            f"Question '{question.id}' expects the source '{wanted}', which fits "
            f"{len(fitting)} sources.",
            hint=f"Name one of them: {', '.join(fitting[:5])}",
        )
    ends = {Path(name).name: name for name in known}
    raise UserError(
        f"Question '{question.id}' expects the source '{wanted}', which is not among the "
        f"{len(known)} sources that were read.",
        hint=suggestion(Path(wanted).name, tuple(ends)) if len(ends) < 50 else "Check the name.",
    )


# --- what it is made of ---------------------------------------------------------------------------


def versions_of(subject: Subject, *, answers: bool) -> dict[str, Any]:
    """Whatever may change a result without anybody choosing it: versions, digests, recipes."""
    profile, assistant = subject.assistant.profile, subject.assistant
    base = assistant.path.parent if assistant.path is not None else None
    knowledge = assistant.knowledge
    versions: dict[str, Any] = {
        "inglenook": __version__,
        "plugins": {
            status.name: f"{status.distribution} {status.version}"
            for status in subject.installation.host.statuses
            if status.state == "on"
        },
        "profile": hashlib.sha256(write(profile).encode()).hexdigest(),
        "index": dict(knowledge.recipe_identity) if knowledge is not None else {},
    }
    if answers:
        files = model_of(profile, base, subject.installation.library, subject.installation.host)
        template = profile.template or str(files.details.get("template", ""))
        versions["model"] = {
            "reference": files.reference,
            "digest": files.digest,
            "template": hashlib.sha256(template.encode()).hexdigest() if template else "its own",
        }
    return versions


def embedder_name(profile: Profile) -> str:
    """What the profile embeds with; "none" where words alone are searched."""
    if profile.embedder is not None:
        return profile.embedder.name
    return "none" if profile.retrieve.mode == "lexical" else DEFAULT_EMBEDDER
