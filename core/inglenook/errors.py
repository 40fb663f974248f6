"""Every error that Inglenook raises on purpose. Catch `InglenookError` to catch them all.

    InglenookError                      exit code 3 unless a subclass says otherwise
    ├── UserError                       the request cannot be served as asked (2)
    │   ├── ProfileError                an Assistantfile has problems, each with line and column
    │   ├── UnknownNameError            no plugin, model, assistant or command has that name
    │   └── GrantError                  a FILE leads out of the profile's folder and was not allowed
    ├── PluginError                     a plugin is broken, refused or clashes with another
    │   └── MissingDependencyError      a plugin's library is not installed; names the extra
    ├── ModelError                      a model cannot be had or used
    │   ├── ModelNotFoundError          not in the library
    │   ├── ModelBrokenError            truncated, malformed or of another sha256 than promised
    │   └── PullError                   a source could not deliver; nothing was kept half
    ├── RuntimeFailure                  a runtime could not load a model or finish an answer
    │   ├── ContextOverflowError        prompt and context length do not fit; carries both numbers
    │   ├── MemoryTooSmallError         a model never fits into the memory that models may take
    │   ├── QueueFullError              too many requests wait already
    │   └── QueueTimeoutError           a request waited for its turn for longer than it may
    ├── LoadError                       one source could not be read; carries a reason
    ├── StoreError                      a catalog, store or library could not be written or read
    └── Cancelled                       the user stopped it (130)

`str(error)` is one or two lines for a person: what happened, to which thing, what to do next.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "Cancelled",
    "ContextOverflowError",
    "GrantError",
    "InglenookError",
    "LoadError",
    "MemoryTooSmallError",
    "MissingDependencyError",
    "ModelBrokenError",
    "ModelError",
    "ModelNotFoundError",
    "PluginError",
    "ProfileError",
    "PullError",
    "QueueFullError",
    "QueueTimeoutError",
    "RuntimeFailure",
    "StoreError",
    "UnknownNameError",
    "UserError",
]

LOAD_REASONS = (
    "broken",
    "empty",
    "encrypted",
    "no text: needs OCR",
    "too large",
    "unsupported",
    "timed out",
    "unreadable",
)


class InglenookError(Exception):
    """The one class to catch. `hint` says what to do next, on a line of its own."""

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders: rebuild without calling a subclass's own signature.
        return (_rebuild, (type(self), self.message, self.hint, self.__dict__.copy()))


def _rebuild(
    kind: type[InglenookError], message: str, hint: str, state: dict[str, object]
) -> InglenookError:
    error = kind.__new__(kind, message, hint)
    error.args = (message, hint)
    error.__dict__.update(state)
    return error


class UserError(InglenookError):
    """What was asked cannot be done as asked."""

    exit_code = 2


class ProfileError(UserError):
    """An Assistantfile has problems; `problems` holds them all, in the order of the file.

    Each problem has `line` and `column` (from 1), `severity` and `message`.
    """

    def __init__(self, message: str, *, hint: str = "", problems: tuple[object, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class UnknownNameError(UserError):
    """Nothing of this kind has that name; the message lists or suggests those that exist."""


class GrantError(UserError):
    """A FILE leads outside the profile's folder and the user has not allowed it."""


class PluginError(InglenookError):
    """A plugin is broken, refused by policy, or clashes with another."""


class MissingDependencyError(PluginError):
    """The plugin is there but a library that it needs is not."""


class ModelError(InglenookError):
    """A model cannot be had or used."""


class ModelNotFoundError(ModelError):
    """The library does not hold this model."""


class ModelBrokenError(ModelError):
    """The file is truncated, malformed or not the one that was promised."""


class PullError(ModelError):
    """A model source could not deliver. Nothing half stays visible."""


class RuntimeFailure(InglenookError):
    """A runtime could not load the model or could not finish an answer."""


class ContextOverflowError(RuntimeFailure):
    """The prompt does not fit the context. Both numbers are in tokens."""

    exit_code = 2

    def __init__(
        self, message: str, *, hint: str = "", needed: int = 0, available: int = 0
    ) -> None:
        super().__init__(message, hint=hint)
        self.needed = needed
        self.available = available


class MemoryTooSmallError(RuntimeFailure):
    """A model can never be loaded within the memory that models may take; both are in bytes."""

    exit_code = 2

    def __init__(
        self, message: str, *, hint: str = "", needed: int = 0, available: int = 0
    ) -> None:
        super().__init__(message, hint=hint)
        self.needed = needed
        self.available = available


class QueueFullError(RuntimeFailure):
    """As many requests wait for models as may wait."""


class QueueTimeoutError(RuntimeFailure):
    """A request waited for its turn for as long as it may."""


class LoadError(InglenookError):
    """One source could not be read. `reason` is one of `LOAD_REASONS`.

    `empty` is none to mend: the file is in order and there is nothing in it. It is taken in
    without text, which is told once.
    """

    exit_code = 1

    def __init__(self, message: str, *, reason: str = "broken", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class StoreError(InglenookError):
    """Something could not be written to or read from disk (full, read-only, damaged)."""


class Cancelled(InglenookError):
    """The user stopped the work."""

    exit_code = 130

    def __init__(self, message: str = "Stopped.", *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
