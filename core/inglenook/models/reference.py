"""Model references, `[host/][namespace/]model[:tag]`, by the rules that Ollama follows.

The rules are those of `types/model/name.go` in Ollama: each part begins with a letter, a digit or
`_`, goes on with those, `-` and `.` (no `.` in a namespace, `:` only in a host), and has at most
80 characters, a host 350. Look-up ignores case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from inglenook.errors import UserError

__all__ = ["DEFAULT_HOST", "DEFAULT_NAMESPACE", "DEFAULT_TAG", "Reference", "parse_reference"]

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")


@dataclass(frozen=True, slots=True)
class Reference:
    """The four parts of a model's name, defaults filled in.

    Args:
        tag_given: Whether the text named a tag; a reference without one may mean another tag
            than `latest`, if the catalog of known models says so.
    """

    host: str
    namespace: str
    model: str
    tag: str
    tag_given: bool = True

    @property
    def parts(self) -> tuple[str, str, str, str]:
        return (self.host, self.namespace, self.model, self.tag)

    @property
    def key(self) -> tuple[str, ...]:
        """What two references are compared by: the parts without regard to case."""
        return tuple(part.casefold() for part in self.parts)

    @property
    def full(self) -> str:
        """All four parts."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    def __str__(self) -> str:
        """The shortest text that means the same; the tag is always shown, as Ollama does."""
        name = f"{self.model}:{self.tag}"
        if self.host.casefold() != DEFAULT_HOST:
            return f"{self.host}/{self.namespace}/{name}"
        if self.namespace.casefold() != DEFAULT_NAMESPACE:
            return f"{self.namespace}/{name}"
        return name


def parse_reference(text: str) -> Reference:
    """Read a model reference. Raises `UserError` that names the part that is wrong."""
    rest, tag = text.strip(), None
    if rest.rfind(":") > rest.rfind("/"):
        rest, _, tag = rest.rpartition(":")
    *above, model = rest.split("/")
    host = "/".join(above[:-1]) if len(above) > 1 else DEFAULT_HOST
    host = host.partition("://")[2] or host
    namespace = above[-1] if above else DEFAULT_NAMESPACE
    _check(text, "host", host, _HOST, 350)
    _check(text, "namespace", namespace, _NAMESPACE, 80)
    _check(text, "model", model, _NAME, 80)
    _check(text, "tag", DEFAULT_TAG if tag is None else tag, _NAME, 80)
    return Reference(host, namespace, model, tag or DEFAULT_TAG, tag_given=tag is not None)


def _check(text: str, part: str, value: str, allowed: re.Pattern[str], longest: int) -> None:
    if allowed.fullmatch(value):
        return
    shown = text if len(text) <= 100 else f"{text[:100]}…"
    if not value:
        wrong = f"its {part} is empty"
    elif len(value) > longest:
        wrong = f"its {part} has {len(value)} characters; {longest} are allowed"
    elif not re.match(r"[A-Za-z0-9_]", value):
        wrong = f"its {part} begins with {value[0]!r}; a letter, a digit or '_' is allowed there"
    else:
        bad = next(c for n, c in enumerate(value) if not allowed.fullmatch(value[: n + 1]))
        wrong = f"its {part} contains {bad!r}"
    raise UserError(
        f"'{shown}' is not a model reference: {wrong}.",
        hint="A reference is [host/][namespace/]model[:tag], such as qwen2.5-coder:0.5b.",
    )
