"""Writes a profile as a canonical Assistantfile: reading it again gives the same profile."""

from __future__ import annotations

import re
from collections.abc import Iterator

from inglenook.errors import ProfileError
from inglenook.profiles.lexer import Statement, scan
from inglenook.profiles.parameters import ParameterValue
from inglenook.profiles.problems import Problem, shown
from inglenook.profiles.profile import FileRule, PartChoice, Profile
from inglenook.profiles.words import quote_word, split_words, starts_with_quoted_word

__all__ = ["write"]

_COMMENT = re.compile(r"(^|[ \t])#")


def write(profile: Profile, *, ollama: bool = False) -> str:
    """The text of `profile`, in a fixed order, one instruction after the other.

    Args:
        profile: Anything that `validate` gave is expressible. A file rule that was inherited is
            written with its folder.
        ollama: Write our own instructions as comments, so that Ollama accepts the file.

    Raises:
        ProfileError: A value cannot be written, because the grammar has no escapes: a text with a
            line that ends in three quotes, or one with NUL.
    """
    ours = [f"# {line}" for line in _extensions(profile)] if ollama else _extensions(profile)
    return "".join(f"{line}\n" for line in (*_standard(profile), *ours, *_texts(profile)))


def _standard(profile: Profile) -> Iterator[str]:
    for model in profile.models:
        yield f"FROM {_value('FROM', model)}"
    for name in ("requires", "adapter", "draft", "renderer", "parser"):
        text = getattr(profile, name)
        if text is not None:
            yield f"{name.upper()} {_value(name.upper(), text)}"
    for name in sorted(profile.parameters):
        for text in _parameter_texts(profile.parameters[name]):
            yield f"PARAMETER {name} {_value(f'PARAMETER {name}', text)}"
    if profile.template is not None:
        yield f"TEMPLATE {_value('TEMPLATE', profile.template)}"
    if profile.system is not None:
        yield f"SYSTEM {_value('SYSTEM', profile.system)}"


def _texts(profile: Profile) -> Iterator[str]:
    for role, text in profile.messages:
        yield f"MESSAGE {role} {_value(f'MESSAGE {role}', text)}"
    for text in profile.licences:
        yield f"LICENSE {_value('LICENSE', text)}"


def _extensions(profile: Profile) -> list[str]:
    lines = []
    if profile.runtime is not None:
        lines.append(_part("RUNTIME", profile.runtime))
    if profile.devices:
        lines.append(f"DEVICE {','.join(profile.devices)}")
    if profile.clear_files:
        lines.append("FILE none")
    lines.extend(_file(rule) for rule in profile.files)
    for name in ("embedder", "store", "splitter", "reranker"):
        choice = getattr(profile, name)
        if choice is not None:
            lines.append(_part(name.upper(), choice))
    lines.extend(_part("FILTER", choice) for choice in profile.filters)
    if profile.retrieve.given:
        options = (
            f"{name}={quote_word(_number(getattr(profile.retrieve, name)))}"
            for name in profile.retrieve.given
        )
        lines.append(f"RETRIEVE {' '.join(options)}")
    return lines


def _number(value: object) -> str:
    return repr(value) if isinstance(value, (int, float)) else str(value)


def _parameter_texts(value: ParameterValue) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    if isinstance(value, bool):
        return ("true" if value else "false",)
    return (_number(value),)


def _value(instruction: str, text: str) -> str:
    """`text` bare or in quotes, whichever reads back as the same."""
    for candidate in (text, f'"{text}"', f'"""{text}"""'):
        if candidate == text and (text == "" or _looks_commented(instruction, text)):
            continue
        statement = _read_back(f"{instruction} {candidate}\n")
        if statement is not None and statement.value == text:
            return candidate
    raise ProfileError(
        f"{instruction} {shown(text)} cannot be written in an Assistantfile.",
        hint='A line that ends in """ and a NUL character have no spelling there.',
    )


def _looks_commented(instruction: str, text: str) -> bool:
    return instruction in {"FROM", "ADAPTER", "DRAFT"} and _COMMENT.search(text) is not None


def _read_back(text: str) -> Statement | None:
    items = list(scan(text))
    if len(items) != 1 or isinstance(items[0], Problem):
        return None
    return items[0]


def _part(instruction: str, choice: PartChoice) -> str:
    words = [choice.name, *(f"{key}={quote_word(choice.options[key])}" for key in choice.options)]
    line = f"{instruction} {' '.join(words)}"
    wanted = (choice.name, tuple(choice.options.items()))
    statement = _read_back(f"{line}\n")
    if statement is None or statement.quoted or split_words(statement.value) != wanted:
        raise ProfileError(
            f"{shown(line)} cannot be written in an Assistantfile.",
            hint="An option may hold a quote, but not one with a blank behind it.",
        )
    return line


def _file(rule: FileRule) -> str:
    pattern = rule.pattern
    if rule.folder and not pattern.startswith(("/", "~", "\\")) and pattern[1:2] != ":":
        pattern = f"{rule.folder.replace(chr(92), '/').rstrip('/')}/{pattern}"
    options = (("optional", "true"),) if rule.optional else ()
    tail = " optional=true" if rule.optional else ""
    for candidate in (f"{pattern}{tail}", f'"{pattern}"{tail}', f'"""{pattern}"""{tail}'):
        statement = _read_back(f"FILE {candidate}\n")
        if statement is None or _hides_meaning(statement):
            continue
        words = (statement.value, ()) if statement.quoted else split_words(statement.value)
        if words == (pattern, options):
            return f"FILE {candidate}"
    raise ProfileError(
        f"FILE {shown(pattern)} cannot be written in an Assistantfile.",
        hint="A path with a quote and a blank behind it has no spelling there with options.",
    )


def _hides_meaning(statement: Statement) -> bool:
    """Whether a bare value would be read as a comment or as `none`."""
    if statement.quoted or starts_with_quoted_word(statement.value):
        return False
    return statement.value == "none" or _COMMENT.search(statement.value) is not None
