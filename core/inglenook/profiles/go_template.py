"""TEMPLATE in Ollama's old form: `.System`, `.Prompt`, `.Response`, `if`, `else` and `end`.

It is rendered once for each pair of a user's and an assistant's message; the last time it is cut
behind `.Response`. Any other construct is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from inglenook.profiles.problems import shown

__all__ = ["GoTemplate", "GoTemplateError", "parse_go_template"]

FIELDS = ("System", "Prompt", "Response")
_SPACE = " \t\r\n"
_SPACES = tuple(_SPACE)
_FIELD = re.compile(r"\.(System|Prompt|Response)")
_IF = re.compile(r"(else\s+)?if\s+\.(System|Prompt|Response)")


class GoTemplateError(ValueError):
    """A construct that the old form does not have. `line` counts from 1 inside the template."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Field:
    name: str


@dataclass(frozen=True, slots=True)
class _If:
    name: str
    then: tuple[_Node, ...]
    otherwise: tuple[_Node, ...]


_Node = _Text | _Field | _If


@dataclass(frozen=True, slots=True)
class GoTemplate:
    """A parsed template of the old form."""

    nodes: tuple[_Node, ...]

    def render(self, messages: Sequence[tuple[str, str]]) -> str:
        """The prompt for `messages` of (role, text), up to where the answer begins."""
        out: list[str] = []
        values = dict.fromkeys(FIELDS, "")

        def execute() -> None:
            out.append(_execute(self.nodes, values))
            values.update(dict.fromkeys(FIELDS, ""))

        for role, text in _merge_neighbours(messages):
            if role == "system":
                if values["Prompt"] or values["Response"]:
                    execute()
                values["System"] = text
            elif role == "user":
                if values["Response"]:
                    execute()
                values["Prompt"] = text
            elif role == "assistant":
                values["Response"] = text
        out.append(_execute(_cut(self.nodes)[0], values))
        return "".join(out)


def parse_go_template(text: str) -> GoTemplate:
    """Parse a TEMPLATE.

    Raises:
        GoTemplateError: It uses something else than the old form.
    """
    return GoTemplate(_Parser(text).template())


@dataclass(frozen=True, slots=True)
class _Action:
    code: str
    line: int


class _Parser:
    def __init__(self, text: str) -> None:
        self.items = list(_lex(text))
        self.position = 0
        self.last_line = text.count("\n") + 1
        self.has_response = False

    def template(self) -> tuple[_Node, ...]:
        nodes, end = self.nodes(0)
        if end is not None:
            raise GoTemplateError(end.line, f"{{{{ {end.code} }}}} without {{{{ if }}}}.")
        return nodes if self.has_response else (*nodes, _Field("Response"))

    def nodes(self, depth: int) -> tuple[tuple[_Node, ...], _Action | None]:
        """The nodes up to `else`, `else if`, `end` or the end of the template."""
        nodes: list[_Node] = []
        while self.position < len(self.items):
            item = self.items[self.position]
            self.position += 1
            if isinstance(item, str):
                nodes.append(_Text(item))
            elif match := _FIELD.fullmatch(item.code):
                self.note(match[1])
                nodes.append(_Field(match[1]))
            elif item.code in {"end", "else"} or _is_else_if(item.code):
                return tuple(nodes), item
            elif match := _IF.fullmatch(item.code):
                nodes.append(self.branch(match[2], item, depth + 1))
            else:
                raise _refused(item)
        return tuple(nodes), None

    def branch(self, name: str, opened: _Action, depth: int) -> _If:
        if depth > 50:
            raise GoTemplateError(opened.line, "More than 50 {{ if }} stand inside each other.")
        self.note(name)
        then, stop = self.nodes(depth)
        otherwise: tuple[_Node, ...] = ()
        if stop is not None and (match := _IF.fullmatch(stop.code)):
            return _If(name, then, (self.branch(match[2], stop, depth + 1),))
        if stop is not None and stop.code == "else":
            otherwise, stop = self.nodes(depth)
            if stop is not None and stop.code != "end":
                raise GoTemplateError(stop.line, f"{{{{ {stop.code} }}}} behind {{{{ else }}}}.")
        if stop is None:
            raise GoTemplateError(opened.line, f"{{{{ {opened.code} }}}} has no {{{{ end }}}}.")
        return _If(name, then, otherwise)

    def note(self, name: str) -> None:
        self.has_response = self.has_response or name == "Response"


def _is_else_if(code: str) -> bool:
    match = _IF.fullmatch(code)
    return match is not None and match[1] is not None


def _lex(text: str) -> Iterator[str | _Action]:
    """Texts and actions, with `{{-` and `-}}` applied and comments left out."""
    position, trim = 0, False
    while (start := text.find("{{", position)) >= 0:
        inner = start + 2
        trims_left = text[inner : inner + 1] == "-" and text[inner + 1 : inner + 2] in _SPACES
        yield from _piece(text[position:start], trim, trims_left)
        line = text.count("\n", 0, start) + 1
        code, position = _action(text, inner + trims_left, line)
        trim = code.endswith("-") and code[-2:-1] in _SPACES
        code = (code[:-1] if trim else code).strip(_SPACE)
        if not code.startswith("/*"):
            yield _Action(code, line)
        elif not code.endswith("*/"):
            raise GoTemplateError(line, "A comment must end in */}}.")
    yield from _piece(text[position:], trim, False)


def _piece(text: str, trims_left: bool, trims_right: bool) -> Iterator[str]:
    text = text.lstrip(_SPACE) if trims_left else text
    text = text.rstrip(_SPACE) if trims_right else text
    if text:
        yield text


def _action(text: str, inner: int, line: int) -> tuple[str, int]:
    """The code of the action that begins at `inner`, and where its `}}` ends."""
    comment = text[inner : inner + 200].lstrip(_SPACE).startswith("/*")
    behind = text.find("*/", inner) if comment else inner
    end = text.find("}}", behind) if behind >= 0 else -1
    if end < 0:
        raise GoTemplateError(line, "{{ has no }}.")
    return text[inner:end], end + 2


def _refused(action: _Action) -> GoTemplateError:
    code = action.code
    word = code.split(None, 1)[0] if code else ""
    field = re.search(r"\.[A-Za-z][\w.]*", code)
    if not code:
        what = "An empty {{ }}"
    elif word in {"range", "with", "define", "block", "template", "break", "continue"}:
        what = f"{{{{ {word} }}}}"
    elif "|" in code:
        what = f"A pipe, as in {shown(code)},"
    elif ":=" in code or word.startswith("$"):
        what = f"A variable, as in {shown(code)},"
    elif field is not None and field[0][1:] not in FIELDS:
        what = f"The field {field[0]}"
    else:
        what = f"{{{{ {shown(code)[1:-1]} }}}}"
    return GoTemplateError(
        action.line,
        f"{what} is not supported in TEMPLATE: only .System, .Prompt and .Response, alone or "
        "in {{ if }}, {{ else }} and {{ end }}. Without TEMPLATE the model's own is used.",
    )


def _execute(nodes: tuple[_Node, ...], values: Mapping[str, str]) -> str:
    out = []
    for node in nodes:
        if isinstance(node, _Text):
            out.append(node.text)
        elif isinstance(node, _Field):
            out.append(values[node.name])
        else:
            out.append(_execute(node.then if values[node.name] else node.otherwise, values))
    return "".join(out)


def _cut(nodes: tuple[_Node, ...]) -> tuple[tuple[_Node, ...], bool]:
    """The nodes up to and including the first `.Response`, and whether there was one."""
    kept: list[_Node] = []
    for node in nodes:
        if isinstance(node, _Field) and node.name == "Response":
            return (*kept, node), True
        if isinstance(node, _If):
            then, found = _cut(node.then)
            otherwise: tuple[_Node, ...] = ()
            if not found:
                otherwise, found = _cut(node.otherwise)
            kept.append(_If(node.name, then, otherwise))
            if found:
                return tuple(kept), True
        else:
            kept.append(node)
    return tuple(kept), False


def _merge_neighbours(messages: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    merged: list[tuple[str, str]] = []
    for role, text in messages:
        if merged and merged[-1][0] == role and role != "tool":
            merged[-1] = (role, f"{merged[-1][1]}\n\n{text}")
        else:
            merged.append((role, text))
    return merged
