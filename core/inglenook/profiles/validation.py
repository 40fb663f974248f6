"""Makes a `Profile` of parsed commands: types, ranges, names, repeats, all problems at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from inglenook.profiles.frozen_mapping import FrozenMapping
from inglenook.profiles.go_template import GoTemplateError, parse_go_template
from inglenook.profiles.lexer import Statement
from inglenook.profiles.parameters import (
    ALIASES,
    DEPRECATED,
    IGNORED,
    ParameterValue,
    read_parameter,
)
from inglenook.profiles.parser import Parsed
from inglenook.profiles.problems import Problem, Severity, did_you_mean, shown
from inglenook.profiles.profile import (
    ANSWERS,
    DEVICES,
    KNOWLEDGE,
    MODES,
    UNSUPPORTED,
    FileRule,
    PartChoice,
    Profile,
    RetrieveOptions,
)
from inglenook.profiles.words import split_words, starts_with_quoted_word
from inglenook.types import Action, Narrowing, Stage
from inglenook.types.narrowing import point_in_time

__all__ = ["validate"]

Names = Mapping[str, Collection[str]]

KIND_OF = {
    "runtime": "runtime",
    "embedder": "embedder",
    "store": "vector_store",
    "splitter": "splitter",
    "reranker": "reranker",
    "filter": "filter",
}
_PLUGIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
# An embedder or reranker may be named by its model, which may have a tag (minilm:fp32) or be a
# folder (./models/my-e5).
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*|(?:~?/|\.{1,2}/)\S+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_COMMENT = re.compile(r"(^|[ \t])#")
_NUMBER = r"(0|[1-9][0-9]*)"
_PRE = r"(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER = re.compile(
    rf"v?(?P<core>{_NUMBER}(\.{_NUMBER}(\.{_NUMBER}"
    rf"(-{_PRE}(\.{_PRE})*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?)?)?)"
)


def validate(
    parsed: Parsed, names: Names | None = None
) -> tuple[Profile | None, tuple[Problem, ...]]:
    """Check every command and build the profile.

    Args:
        parsed: What `parse` gave.
        names: Kind (`runtime`, `embedder`, `vector_store`, `splitter`, `reranker`, `filter`) ->
            the names that exist; a kind that is missing is not checked.

    Returns:
        The profile, None if there is any error, and all problems in the order of the file, those
        of the syntax included.
    """
    builder = _Builder(names or {})
    for command in parsed.commands:
        builder.apply(command.statement)
    if not parsed.failed and not builder.models and not builder.failed:
        builder.report(1, 1, "error", "There is no FROM instruction. It must name a model.")
    problems = sorted((*parsed.problems, *builder.problems), key=lambda p: (p.line, p.column))
    failed = any(problem.severity == "error" for problem in problems)
    return (None if failed else builder.profile()), tuple(problems)


class _Builder:
    """Collects the fields of a profile, one statement after the other."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.problems: list[Problem] = []
        self.models: list[str] = []
        self.parameters: dict[str, ParameterValue] = {}
        self.licences: list[str] = []
        self.messages: list[tuple[str, str]] = []
        self.files: list[FileRule] = []
        self.filters: list[PartChoice] = []
        self.retrieve: dict[str, Any] = {}
        self.fields: dict[str, Any] = {}
        self.last_from: Statement | None = None

    @property
    def failed(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    def report(self, line: int, column: int, severity: Severity, message: str) -> None:
        self.problems.append(Problem(line, column, severity, message))

    def error(self, at: Statement, message: str) -> None:
        self.report(at.value_line, at.value_column, "error", message)

    def warn(self, at: Statement, message: str) -> None:
        self.report(at.line, at.column, "warning", message)

    def apply(self, statement: Statement) -> None:
        handler: Callable[[Statement], None] = getattr(self, f"on_{statement.instruction}")
        handler(statement)

    def profile(self) -> Profile:
        return Profile(
            models=tuple(self.models),
            parameters=FrozenMapping(self.parameters),
            licences=tuple(self.licences),
            messages=tuple(self.messages),
            files=tuple(self.files),
            filters=tuple(self.filters),
            retrieve=replace(
                RetrieveOptions(), **self.retrieve, given=tuple(sorted(self.retrieve))
            ),
            **self.fields,
        )

    # --- Ollama's instructions ----------------------------------------------------------------

    def on_from(self, at: Statement) -> None:
        value = self.path_like(at, "FROM", "a model: FROM NAME or FROM ./file.gguf")
        if value is not None:
            self.models.append(value)

    def on_adapter(self, at: Statement) -> None:
        self.set_path(at, "adapter", "a LoRA file: ADAPTER ./file.gguf")

    def on_draft(self, at: Statement) -> None:
        self.set_path(at, "draft", "a draft model: DRAFT ./file.gguf")
        if at.value and at.value in self.models:
            self.error(at, "DRAFT must not be the same model as FROM.")
        else:
            self.warn(at, "DRAFT is kept; no runtime of this version uses it.")

    def set_path(self, at: Statement, name: str, what: str) -> None:
        value = self.path_like(at, at.instruction.upper(), what)
        if value is not None:
            self.fields[name] = value

    def path_like(self, at: Statement, instruction: str, what: str) -> str | None:
        if not at.value.strip():
            self.error(at, f"{instruction} needs {what}")
        elif _CONTROL.search(at.value):
            self.error(at, f"{instruction} must be one line without control characters.")
        elif not at.quoted and _COMMENT.search(at.value):
            self.error(at, "A comment needs a line of its own. (Or put the value in quotes.)")
        else:
            return at.value
        return None

    def on_system(self, at: Statement) -> None:
        self.fields["system"] = at.value

    def on_template(self, at: Statement) -> None:
        try:
            parse_go_template(at.value)
        except GoTemplateError as error:
            column = at.value_column if error.line == 1 else 1
            self.report(at.value_line + error.line - 1, column, "error", error.message)
        self.fields["template"] = at.value

    def on_renderer(self, at: Statement) -> None:
        self.fields["renderer"] = at.value
        self.warn(at, "RENDERER is kept for Ollama; it has no effect here.")

    def on_parser(self, at: Statement) -> None:
        self.fields["parser"] = at.value
        self.warn(at, "PARSER is kept for Ollama; it has no effect here.")

    def on_license(self, at: Statement) -> None:
        self.licences.append(at.value)

    def on_requires(self, at: Statement) -> None:
        match = _SEMVER.fullmatch(at.value)
        if match is None:
            self.error(at, f"REQUIRES must be a version such as 0.14.0, not {shown(at.value)}.")
        else:
            self.fields["requires"] = match["core"]

    def on_message(self, at: Statement) -> None:
        self.messages.append((at.subname, at.value))

    def on_parameter(self, at: Statement) -> None:
        name = at.subname
        if name in DEPRECATED or name in IGNORED:
            self.warn(at, f"PARAMETER {name} is outdated and has no effect.")
            return
        if name in ALIASES:
            self.warn(at, f"PARAMETER {name} is understood as {ALIASES[name]}; write that.")
            name = ALIASES[name]
        try:
            value = read_parameter(name, at.value)
        except ValueError as error:
            self.error(at, str(error))
            return
        if value == ("",):
            self.warn(at, f"An empty {name} has no effect.")
        elif isinstance(value, tuple):
            before = self.parameters.get(name, ())
            assert isinstance(before, tuple)
            self.parameters[name] = before + value
        else:
            self.parameters[name] = value

    # --- ours ---------------------------------------------------------------------------------

    def words(self, at: Statement) -> tuple[str, dict[str, str]] | None:
        """The name and the options of a statement; None after reporting what is wrong."""
        if _CONTROL.search(at.value):
            self.error(at, f"{at.instruction.upper()} must be one line without control characters.")
            return None
        first, pairs = (at.value, ()) if at.quoted else split_words(at.value)
        bare = not at.quoted and not starts_with_quoted_word(at.value)
        if bare and _COMMENT.search(first):
            self.error(at, "A comment needs a line of its own. (Or put the value in quotes.)")
            return None
        options = dict(pairs)
        if len(options) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            self.error(at, f"The option {twice} stands there twice.")
            return None
        return first, options

    def on_file(self, at: Statement) -> None:
        words = self.words(at)
        if words is None:
            return
        pattern, options = words
        clears = pattern == "none" and not at.quoted and not options
        optional = options.pop("optional", "false")
        if options:
            self.error(at, _unknown_option("FILE", next(iter(options)), ("optional",)))
        elif optional not in {"true", "false"}:
            self.error(at, f"optional must be true or false, not {shown(optional)}.")
        elif not pattern.strip():
            self.error(at, "FILE needs a path, a folder or a glob: FILE ./docs/**/*.pdf")
        elif clears:
            self.files.clear()
            self.fields["clear_files"] = True
        else:
            self.files.append(FileRule(pattern, optional == "true", at.line, at.column))

    def on_device(self, at: Statement) -> None:
        devices = [word for word in re.split(r"[,\s]+", at.value.strip()) if word]
        unknown = [word for word in devices if word not in DEVICES]
        if not devices:
            self.error(at, f"DEVICE needs any of {', '.join(DEVICES)}: DEVICE gpu,cpu")
        elif unknown:
            self.error(
                at,
                f"Unknown device {shown(unknown[0])}.{did_you_mean(unknown[0], DEVICES)} "
                f"Allowed are {', '.join(DEVICES)}.",
            )
        else:
            self.fields["devices"] = tuple(dict.fromkeys(devices))

    def on_runtime(self, at: Statement) -> None:
        self.set_part(at)

    def on_embedder(self, at: Statement) -> None:
        self.set_part(at)

    def on_store(self, at: Statement) -> None:
        self.set_part(at)

    def on_splitter(self, at: Statement) -> None:
        self.set_part(at)

    def on_reranker(self, at: Statement) -> None:
        self.set_part(at)

    def on_filter(self, at: Statement) -> None:
        choice = self.part(at)
        if choice is None:
            return
        wrong = _filter_problem(choice.options)
        if wrong:
            self.error(at, f"FILTER {choice.name}: {wrong}")
        else:
            self.filters.append(choice)

    def set_part(self, at: Statement) -> None:
        choice = self.part(at)
        if choice is not None:
            self.fields[at.instruction] = choice

    def part(self, at: Statement) -> PartChoice | None:
        words = self.words(at)
        if words is None:
            return None
        name, options = words
        kind = KIND_OF[at.instruction]
        pattern = _MODEL_NAME if kind in {"embedder", "reranker"} else _PLUGIN_NAME
        what = at.instruction.upper()
        known = self.names.get(kind)
        if not name:
            self.error(at, f"{what} needs a name: {what} NAME key=value …")
        elif not pattern.fullmatch(name):
            self.error(
                at,
                f"{what} takes the name of an installed part and key=value options, "
                f"not {shown(name)}.",
            )
        elif known is not None and name not in known:
            allowed = ", ".join(sorted(known)) or "none is installed"
            self.error(
                at,
                f"Unknown {at.instruction} {shown(name)}.{did_you_mean(name, known)} "
                f"Allowed are: {allowed}.",
            )
        else:
            return PartChoice(name, FrozenMapping(options), at.line, at.column)
        return None

    def on_retrieve(self, at: Statement) -> None:
        words = self.words(at)
        if words is None:
            return
        first, options = words
        if first or not options:
            allowed = "top_k=6 mode=hybrid knowledge=auto min_score=0.2"
            self.error(at, f"RETRIEVE takes key=value options: RETRIEVE {allowed}")
            return
        for key, text in options.items():
            try:
                self.retrieve[key] = _read_retrieve(key, text)
            except ValueError as error:
                self.error(at, str(error))
        if wrong := _wrong_dates(self.retrieve):
            self.error(at, wrong)


_NARROWING = {
    "path": "path=policies/**",
    "type": "type=pdf,md",
    "since": "since=2025-01-01",
    "until": "until=2025-12",
    "section": 'section="annual leave"',
}


def _unknown_option(instruction: str, key: str, known: tuple[str, ...]) -> str:
    return (
        f"{instruction} has no option {shown(key)}.{did_you_mean(key, known)} "
        f"Allowed: {', '.join(known)}."
    )


def _filter_problem(options: Mapping[str, str]) -> str:
    """What is wrong with the options that every filter has, or ""."""
    choices: dict[str, tuple[str, ...]] = {
        "stage": tuple(Stage),
        "action": tuple(action.name.lower() for action in Action),
        "fail": ("closed", "open"),
    }
    for key, allowed in choices.items():
        if key not in options:
            continue
        text = options[key]
        for word in text.split(",") if key == "stage" else (text,):
            if word.strip() not in allowed:
                return (
                    f"there is no {key} '{shown(word.strip())[1:-1]}'."
                    f"{did_you_mean(word.strip(), allowed)} Allowed are: {', '.join(allowed)}."
                )
    return ""


def _wrong_dates(options: Mapping[str, Any]) -> str:
    """What is wrong with both dates together, or ""."""
    try:
        Narrowing(since=options.get("since", ""), until=options.get("until", ""))
    except ValueError as error:
        return str(error)
    return ""


def _read_narrowing(key: str, text: str) -> str:
    if not text.strip():
        raise ValueError(f"{key} needs a value: {_NARROWING[key]}")
    if key in ("since", "until"):
        point_in_time(text)
    return text


def _read_retrieve(key: str, text: str) -> int | float | str:
    choices = {
        "mode": MODES,
        "knowledge": KNOWLEDGE,
        "answer": ANSWERS,
        "unsupported": UNSUPPORTED,
    }
    if key in choices:
        if text not in choices[key]:
            raise ValueError(
                f"{key} must be one of {', '.join(choices[key])}, not {shown(text)}."
                f"{did_you_mean(text, choices[key])}"
            )
        return text
    if key == "top_k":
        if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= 50:
            raise ValueError(f"top_k must be a whole number from 1 to 50, not {shown(text)}.")
        return int(text)
    if key == "min_score":
        if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
            raise ValueError(f"min_score must be a number from -1 to 1, not {shown(text)}.")
        if not -1 <= float(text) <= 1:
            raise ValueError(f"min_score must be a number from -1 to 1, not {shown(text)}.")
        return float(text) + 0.0
    if key in _NARROWING:
        return _read_narrowing(key, text)
    allowed = ("top_k", "min_score", *choices, *_NARROWING)
    raise ValueError(_unknown_option("RETRIEVE", key, allowed))
