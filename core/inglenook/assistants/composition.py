"""Puts the parts of an assistant together: what its profile names, made by the host."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from inglenook.assistants.chat_model import ChatModel
from inglenook.assistants.embedder_choice import chosen_embedder, with_cache_folder
from inglenook.assistants.first_opening import require_opens
from inglenook.assistants.reading_settings import reading_limits
from inglenook.assistants.remote_models import REMOTE, remote_model, remote_of
from inglenook.assistants.reranking import reranker_maker
from inglenook.assistants.templates import ChatTemplate
from inglenook.errors import RuntimeFailure, UserError
from inglenook.knowledge.knowledge_base import KnowledgeBase, Recipe
from inglenook.knowledge.lexical import ANALYSIS_VERSION
from inglenook.models.wanted_model import WantedModel
from inglenook.models.worker import RuntimeWorker
from inglenook.ollama_variables import OllamaVariables, read_ollama_variables
from inglenook.profiles.profile import PartChoice, Profile
from inglenook.security.merge import FilterRule
from inglenook.security.pipeline import DEFAULT_FILTERS, Filters, with_defaults
from inglenook.types import Action, Message, ModelFiles, Role, RuntimeInfo, RuntimeOptions, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from inglenook.host import Host, Registered
    from inglenook.knowledge.drafting import Drafter
    from inglenook.knowledge.loaders import LoaderTable
    from inglenook.models.library import Library
    from inglenook.models.warm_models import WarmModels
    from inglenook.protocols import Embedder, Runtime
    from inglenook.settings import Paths, Settings

__all__ = [
    "make_chat_model",
    "make_filters",
    "make_knowledge",
    "model_files",
    "model_of",
    "pick_runtime",
    "states_of",
]

DEFAULT_CONTEXT = 4096
"""Tokens of context where the profile states none and the model was trained for at least these."""
SMALL_MODEL_BYTES = 1_600_000_000
"""Two billion parameters in the usual 4 to 6 bits; such models need plainer prompts."""
DEFAULT_EMBEDDER = "minilm"
DEFAULT_SPLITTER = "sentences"
DEFAULT_STORE = "chroma"
_FILTER_KEYS = ("action", "stage", "fail", "types")


# --- the model ------------------------------------------------------------------------------------


def model_files(reference: str, base: Path | None, library: Library) -> ModelFiles:
    """The model that a FROM or EMBEDDER names: a path if there is one, else from the library."""
    from inglenook.models.local import files_from_path

    path = Path(reference).expanduser()
    if not path.is_absolute() and base is not None:
        path = base / path
    looks_like_path = reference.startswith((".", "/", "~")) or reference.endswith(".gguf")
    if looks_like_path or (base is not None and "/" in reference and path.exists()):
        return files_from_path(path)
    return library.get(reference)


def model_of(profile: Profile, base: Path | None, library: Library, host: Host) -> ModelFiles:
    """The model that a profile names: a server's, or one that is on this disk."""
    return remote_model(profile, host) or model_files(profile.model, base, library)


def pick_runtime(host: Host, choice: PartChoice | None, files: ModelFiles) -> Registered:
    """The runtime that the profile names, else the preferred one that opens the format."""
    if choice is not None:
        entry = host.find("runtime", choice.name)
        if files.format not in entry.factory.capabilities.get("formats", ()):
            raise UserError(
                f"The runtime '{choice.name}' cannot open {files.reference} ({files.format}).",
                hint="Remove the RUNTIME line, or choose a model of another format.",
            )
        return entry
    able = host.able_to_open("runtime", files.format)
    if not able:
        raise RuntimeFailure(
            f"No runtime is installed that opens {files.reference} (format {files.format}).",
            hint="Run `nook doctor`; the usual one comes with: pip install 'inglenook[standard]'",
        )
    return able[0]


def make_chat_model(
    profile: Profile,
    base: Path | None,
    library: Library,
    host: Host,
    settings: Settings,
    models: Callable[[], WarmModels],
) -> ChatModel:
    """The assistant's model, not open. Raises for a model or runtime that is not there.

    What this machine runs is shared through `models`; a server looks after its own.
    """
    files = model_of(profile, base, library, host)
    entry = pick_runtime(host, profile.runtime, files)
    if files.format == REMOTE and profile.template:
        raise UserError(
            "TEMPLATE has no meaning for a model that a server runs: the server renders.",
            hint="Remove TEMPLATE from the Assistantfile.",
        )
    if entry.missing:
        host.load_class("runtime", entry.factory.name)
    theirs = OllamaVariables() if files.format == REMOTE else read_ollama_variables(os.environ)
    known = {option.name for option in entry.factory.options}
    usual = {name: value for name, value in theirs.runtime_options.items() if name in known}
    stated = {**usual, **(profile.runtime.options if profile.runtime else {})}
    paths, kept = settings.paths, settings.prompt_cache_bytes
    if not kept:
        # Whoever wants nothing kept wants what is there gone too.
        shutil.rmtree(paths.cache / "prompts", ignore_errors=True)
    parameters = {**dict(files.details.get("parameters", {})), **profile.parameters}
    log = paths.logs / f"{entry.factory.name}.log"
    checked = host.options_for("runtime", entry.factory.name, stated)
    options = replace(
        runtime_options(profile, base, parameters, files, theirs),
        # Only a runtime with that option runs several requests at a time.
        slots=(int(checked.pop("slots")) or settings.warm.parallel) if "slots" in checked else 1,
        settings=checked,
        state_folder=states_of(files, paths.cache) if kept else None,
        state_bytes=kept,
    )
    name = entry.factory.name
    runtime: Runtime
    if files.format == REMOTE:
        runtime = RuntimeWorker(entry.factory.load, files, options, log)
    else:
        wanted = WantedModel(entry.factory.load, files, options, log, name)
        runtime = models().runtime(wanted)
    template = partial(_chat_template, profile, files)
    return ChatModel(
        runtime,
        template,
        parameters,
        small=_is_small(files),
        remote=remote_of(profile, host),
        fixed=_fixed_messages(profile),
    )


def states_of(files: ModelFiles, cache: Path) -> Path:
    """The folder of what runtimes keep of a model's prompts; another model has another one."""
    name = files.digest or hashlib.sha256(files.reference.encode()).hexdigest()
    return cache / "prompts" / name.removeprefix("sha256:")[:32]


def _fixed_messages(profile: Profile) -> list[Message]:
    """What every conversation begins with."""
    system = [Message.of("system", profile.system)] if profile.system else []
    return [*system, *(Message.of(cast("Role", role), text) for role, text in profile.messages)]


def _is_small(files: ModelFiles) -> bool:
    """Whether a model on this disk has about two billion parameters or less."""
    size_bytes = sum(path.stat().st_size for path in files.files.values() if path.is_file())
    return 0 < size_bytes <= SMALL_MODEL_BYTES


def runtime_options(
    profile: Profile,
    base: Path | None,
    parameters: Mapping[str, Any],
    files: ModelFiles,
    theirs: OllamaVariables = OllamaVariables(),  # noqa: B008 - it cannot be changed
) -> RuntimeOptions:
    """How to open the model: what the parameters say, else Ollama's variables, else what suits."""
    trained = int(files.details.get("context_length", 0))
    stated = int(parameters.get("num_ctx", 0)) or theirs.context_length
    adapters: tuple[Path, ...] = ()
    if profile.adapter:
        adapter = Path(profile.adapter).expanduser()
        adapters = (adapter if adapter.is_absolute() or base is None else base / adapter,)
    usual = min(DEFAULT_CONTEXT, trained) if trained else DEFAULT_CONTEXT
    return RuntimeOptions(
        # A server was opened by somebody else, who chose its context.
        context_length=stated or (0 if files.format == REMOTE else usual),
        batch=int(parameters.get("num_batch", 0)),
        gpu_layers=int(
            parameters.get("num_gpu", -1 if theirs.gpu_layers is None else theirs.gpu_layers)
        ),
        main_gpu=parameters.get("main_gpu"),
        threads=int(parameters.get("num_thread", 0)) or theirs.threads,
        mmap=parameters.get("use_mmap"),
        devices=profile.devices,
        adapters=adapters,
    )


def _chat_template(profile: Profile, files: ModelFiles, info: RuntimeInfo) -> ChatTemplate:
    return ChatTemplate.choose(
        profile_template=profile.template or "",
        library_template=str(files.details.get("template", "")),
        model_template=info.chat_template,
        bos=info.bos,
        eos=info.eos,
    )


# --- filters --------------------------------------------------------------------------------------


def make_filters(profile: Profile, host: Host, assistant: str) -> Filters:
    """The filters that the profile names, and the defaults where it names none."""
    asked = [_rule(host, choice) for choice in profile.filters]
    defaults = [
        FilterRule(name, host.make_filter(name), stages)
        for name, stages in DEFAULT_FILTERS
        if name in host.names("filter")
    ]
    return Filters(with_defaults(asked, defaults), assistant)


def _rule(host: Host, choice: PartChoice) -> FilterRule:
    entry = host.find("filter", choice.name)
    known = {option.name for option in entry.factory.options}
    options = {k: v for k, v in choice.options.items() if k not in _FILTER_KEYS or k in known}
    stages = choice.options.get("stage")
    own = entry.factory.capabilities.get("stages", tuple(Stage))
    return FilterRule(
        name=choice.name,
        filter=host.make_filter(choice.name, options),
        stages=frozenset(_stage(choice, s) for s in (stages.split(",") if stages else own)),
        action=_action(choice),
        fail="open" if choice.options.get("fail") == "open" else "closed",
        types=tuple(t.strip() for t in choice.options.get("types", "").split(",") if t.strip()),
    )


def _stage(choice: PartChoice, text: str) -> Stage:
    try:
        return Stage(text.strip())
    except ValueError as error:
        raise UserError(
            f"FILTER {choice.name}: there is no stage '{text}'.",
            hint=f"Stages are: {', '.join(Stage)}.",
        ) from error


def _action(choice: PartChoice) -> Action | None:
    text = choice.options.get("action")
    if text is None:
        return None
    try:
        return Action[text.upper()]
    except KeyError as error:
        raise UserError(
            f"FILTER {choice.name}: there is no action '{text}'.",
            hint=f"Actions are: {', '.join(a.name.lower() for a in Action)}.",
        ) from error


# --- knowledge ------------------------------------------------------------------------------------

_CHANGES_VECTORS = ("pooling", "max_tokens", "query_prefix", "passage_prefix")
"""What a model's details say of its use; it may change while the weights stay."""


def make_knowledge(
    profile: Profile,
    base: Path,
    folder: Path,
    library: Library,
    host: Host,
    settings: Settings,
    filters: Filters,
) -> KnowledgeBase:
    """The knowledge base of a profile with FILE lines; nothing heavy is loaded.

    Raises `UserError` for what the profile asks for and no part can do.
    """
    paths = settings.paths
    limits, readers = reading_limits(settings)
    splitter = profile.splitter or PartChoice(DEFAULT_SPLITTER)
    splitter_options = host.options_for("splitter", splitter.name, splitter.options)
    embedder, embedder_identity, languages = _embedder(profile, base, library, host, paths)
    ingest_rules = filters.at(Stage.INGEST)
    recipe = Recipe(
        loaders=partial(_loaders, host),
        make_drafter=partial(_drafter, host, splitter, filters),
        make_embedder=embedder,
        identity={
            "analysis": ANALYSIS_VERSION,
            "embedder": embedder_identity,
            "splitter": [
                splitter.name,
                host.find("splitter", splitter.name).factory.version,
                splitter_options,
            ],
            "filters": [
                [r.name, host.find("filter", r.name).factory.version, str(r.action), r.types]
                for r in ingest_rules
            ],
            "filter options": [
                [choice.name, dict(choice.options)] for choice in profile.filters if ingest_rules
            ],
        },
        make_store=_store(profile, host),
        store_wanted=profile.store is not None,
        make_reranker=reranker_maker(profile.reranker, base, library, host, paths),
        embedder=profile.embedder.name if profile.embedder else DEFAULT_EMBEDDER,
        languages=languages,
        has_vectors=embedder_identity != "none",
        limits=limits,
        readers=readers,
    )
    return KnowledgeBase(folder, paths.embeddings_file, recipe)


def _loaders(host: Host) -> LoaderTable:
    from inglenook.knowledge.loaders import LoaderTable

    return LoaderTable.of(host)


def _drafter(host: Host, splitter: PartChoice, filters: Filters, embedder: Embedder) -> Drafter:
    from inglenook.knowledge.drafting import Drafter

    made = host.make_splitter(splitter.name, splitter.options)
    return Drafter(made, filters, embedder.max_tokens, embedder.count_tokens)


def _embedder(
    profile: Profile, base: Path, library: Library, host: Host, paths: Paths
) -> tuple[Callable[[], Embedder], Any, tuple[str, ...]]:
    """What makes the embedder, what identifies it, and the languages that it knows."""
    if profile.retrieve.mode == "lexical" and profile.embedder is None:
        from inglenook.knowledge.no_embedder import NoEmbedder

        return NoEmbedder, "none", ()
    choice = profile.embedder or PartChoice(DEFAULT_EMBEDDER)
    entry, files, options = chosen_embedder(
        choice, base, host, lambda reference: model_files(reference, base, library)
    )
    with_cache_folder(entry, files, options, paths.cache)
    use = [files.details.get(name, "") for name in _CHANGES_VECTORS]
    identity = [entry.factory.name, entry.factory.version, files.digest, use, dict(choice.options)]
    languages = tuple(files.details.get("languages", ()))

    def make() -> Embedder:
        made_with = host.options_for("embedder", entry.factory.name, options)
        require_opens(entry, files, made_with, library.catalog, paths)
        return host.make_embedder(entry.factory.name, files, options)

    return make, identity, languages


def _store(profile: Profile, host: Host) -> Any:
    """What makes the vector store; None where none is installed and none is asked for."""
    choice = profile.store or PartChoice(DEFAULT_STORE)
    if profile.store is None:
        known = [e for e in host.registered("vector_store") if e.factory.name == choice.name]
        if not known or known[0].missing:
            return None
    else:
        host.load_class("vector_store", choice.name)
        host.options_for("vector_store", choice.name, choice.options)

    def make(folder: Path, dimension: int) -> Any:
        return host.make_vector_store(choice.name, folder, dimension, choice.options)

    return make
