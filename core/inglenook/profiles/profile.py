"""The profile: what an Assistantfile says, validated and immutable. The engine reads only this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from inglenook.profiles.frozen_mapping import FrozenMapping
from inglenook.profiles.parameters import ParameterValue
from inglenook.types import Narrowing

__all__ = ["FileRule", "PartChoice", "Profile", "RetrieveOptions"]

DEVICES = ("npu", "gpu", "cpu")
MODES = ("lexical", "vector", "hybrid")
KNOWLEDGE = ("auto", "retrieve", "inline")
ANSWERS = ("model", "extractive")
UNSUPPORTED = ("mark", "drop")


@dataclass(frozen=True, slots=True)
class FileRule:
    """One FILE line.

    Args:
        pattern: A path, folder or glob, relative to the profile's folder unless absolute or `~`.
        optional: Whether nothing needs to match.
        line, column: Where it stands.
        folder: The folder that an inherited rule is relative to; "" is the profile's own.
    """

    pattern: str
    optional: bool = False
    line: int = field(default=1, compare=False)
    column: int = field(default=1, compare=False)
    folder: str = ""


@dataclass(frozen=True, slots=True)
class PartChoice:
    """A part chosen by name, with its options as written (the host checks and converts them)."""

    name: str
    options: FrozenMapping[str] = field(default_factory=FrozenMapping)
    line: int = field(default=1, compare=False)
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class RetrieveOptions:
    """How passages are found.

    Args:
        top_k: How many, 1 to 50.
        mode: `lexical`, `vector` or `hybrid` (both, fused).
        knowledge: `retrieve` passages, `inline` everything, or `auto`.
        min_score: Passages below this score are left out; None keeps all. -1 to 1.
        path, type, section: What is searched, as written: several are parted by commas.
        since, until: The days between which a source was changed last; "" has no bound.
        answer: Who answers: the `model`, or code that quotes (`extractive`).
        unsupported: What becomes of a sentence that no passage carries: `mark` or `drop`.
        given: The names of those that the file states, sorted; they override inherited ones.
    """

    top_k: int = 6
    mode: str = "hybrid"
    knowledge: str = "auto"
    min_score: float | None = None
    path: str = ""
    type: str = ""
    since: str = ""
    until: str = ""
    section: str = ""
    answer: str = "model"
    unsupported: str = "mark"
    given: tuple[str, ...] = ()

    @property
    def narrowing(self) -> Narrowing:
        """The sources and sections that are searched."""
        return Narrowing.of(
            path=self.path.split(","),
            type=self.type.split(","),
            since=self.since,
            until=self.until,
            section=self.section.split(","),
        )

    def over(self, parent: RetrieveOptions) -> RetrieveOptions:
        """What `parent` says, with what is given here on top."""
        values = {name: getattr(self, name) for name in self.given}
        return replace(parent, **values, given=tuple(sorted({*self.given, *parent.given})))


@dataclass(frozen=True, slots=True)
class Profile:
    """A validated Assistantfile.

    Args:
        models: Every FROM, in order. The last name wins; several files belong together.
        runtime: What runs the model; None is the first that can open its format.
        devices: `npu`, `gpu`, `cpu` in order of preference; empty leaves it to the runtime.
        parameters: What the file states, by Ollama's names; defaults are not filled in.
        system: The system prompt; None if not stated, "" to clear an inherited one.
        template: The TEMPLATE, likewise.
        adapter: A LoRA file.
        draft: A draft model for speculative decoding.
        renderer, parser: Ollama's built-in renderer and parser, kept and passed on.
        requires: The least version, without `v`.
        licences: The licence texts.
        messages: (role, text) of the turns that come before every conversation.
        files: The FILE lines.
        clear_files: `FILE none`: what a parent names is not inherited.
        embedder, store, splitter, reranker: The parts chosen; None is the default.
        filters: The security filters, in order.
        retrieve: How passages are found.
    """

    models: tuple[str, ...]
    runtime: PartChoice | None = None
    devices: tuple[str, ...] = ()
    parameters: FrozenMapping[ParameterValue] = field(default_factory=FrozenMapping)
    system: str | None = None
    template: str | None = None
    adapter: str | None = None
    draft: str | None = None
    renderer: str | None = None
    parser: str | None = None
    requires: str | None = None
    licences: tuple[str, ...] = ()
    messages: tuple[tuple[str, str], ...] = ()
    files: tuple[FileRule, ...] = ()
    clear_files: bool = False
    embedder: PartChoice | None = None
    store: PartChoice | None = None
    splitter: PartChoice | None = None
    reranker: PartChoice | None = None
    filters: tuple[PartChoice, ...] = ()
    retrieve: RetrieveOptions = field(default_factory=RetrieveOptions)

    @property
    def model(self) -> str:
        """The model reference that counts: the last FROM."""
        return self.models[-1]

    def inherit(self, parent: Profile, folder: Path | None = None) -> Profile:
        """This profile on top of `parent`, which its FROM names.

        Parameters are merged name by name (`stop` as a whole), texts and parts replace those of
        the parent where this profile states them, messages replace all of the parent's where
        there are any, files, filters and licences are added. The models are the parent's.

        Args:
            parent: The profile to build on, itself already complete.
            folder: The parent's folder, which its FILE lines and the paths of its models stay
                relative to.
        """
        parent = parent._located(folder) if folder is not None else parent
        inherited = () if self.clear_files else tuple(_at(rule, folder) for rule in parent.files)
        return replace(
            self,
            models=parent.models,
            devices=self.devices or parent.devices,
            parameters=FrozenMapping(_merged(parent.parameters, self.parameters)),
            licences=parent.licences + self.licences,
            messages=self.messages or parent.messages,
            files=inherited + self.files,
            filters=_united(parent.filters, self.filters),
            retrieve=self.retrieve.over(parent.retrieve),
            **{
                name: getattr(parent, name) if getattr(self, name) is None else getattr(self, name)
                for name in _REPLACED
            },
        )

    def _located(self, folder: Path) -> Profile:
        """The same with the paths of models made absolute; they are relative to `folder`."""
        return replace(
            self,
            models=tuple(_path_at(model, folder) for model in self.models),
            adapter=_path_at(self.adapter, folder) if self.adapter else self.adapter,
            embedder=_part_at(self.embedder, folder),
            reranker=_part_at(self.reranker, folder, folders=True),
        )


_REPLACED = (
    "runtime",
    "system",
    "template",
    "adapter",
    "draft",
    "renderer",
    "parser",
    "requires",
    "embedder",
    "store",
    "splitter",
    "reranker",
)


def _at(rule: FileRule, folder: Path | None) -> FileRule:
    if rule.folder or folder is None:
        return rule
    return replace(rule, folder=str(folder))


def _path_at(text: str, folder: Path, *, folders: bool = False) -> str:
    """What names a model: the path if it is one that starts from `folder`, else the name it is."""
    path = Path(text).expanduser()
    if path.is_absolute():
        return text
    there = folder / path
    is_path = text.startswith(".") or path.suffix == ".gguf"
    is_path = is_path or ("/" in text and there.exists()) or (folders and there.is_dir())
    return str(there) if is_path else text


def _part_at(
    choice: PartChoice | None, folder: Path, *, folders: bool = False
) -> PartChoice | None:
    if choice is None:
        return None
    options = dict(choice.options)
    if "model" in options:
        options["model"] = _path_at(options["model"], folder, folders=folders)
        return replace(choice, options=FrozenMapping(options))
    return replace(choice, name=_path_at(choice.name, folder))


def _merged(
    parent: Mapping[str, ParameterValue], child: Mapping[str, ParameterValue]
) -> dict[str, ParameterValue]:
    return {**parent, **child}


def _united(
    parent: tuple[PartChoice, ...], child: tuple[PartChoice, ...]
) -> tuple[PartChoice, ...]:
    return parent + tuple(choice for choice in child if choice not in parent)
