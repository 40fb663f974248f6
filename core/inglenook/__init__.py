"""Private assistants over your own documents, on your own machine.

    from inglenook import Assistant

    with Assistant.from_file("Assistantfile") as assistant:
        assistant.ingest()
        print(assistant.ask("How long must a password be?").text)

Importing this package costs next to nothing; each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inglenook.assistants.assistant import Assistant
    from inglenook.assistants.installation import Installation
    from inglenook.errors import InglenookError, UserError
    from inglenook.factories import API_VERSION, Factory, Option
    from inglenook.hookspecs import hookimpl
    from inglenook.types import Answer, CancelToken, Citation, Narrowing, Passage

__version__ = "0.1.0"

__all__ = [
    "API_VERSION",
    "Answer",
    "Assistant",
    "CancelToken",
    "Citation",
    "Factory",
    "InglenookError",
    "Installation",
    "Narrowing",
    "Option",
    "Passage",
    "UserError",
    "__version__",
    "hookimpl",
]

_WHERE = {
    "API_VERSION": "factories",
    "Answer": "types",
    "Assistant": "assistants.assistant",
    "CancelToken": "types",
    "Citation": "types",
    "Factory": "factories",
    "InglenookError": "errors",
    "Installation": "assistants.installation",
    "Narrowing": "types",
    "Option": "factories",
    "Passage": "types",
    "UserError": "errors",
    "hookimpl": "hookspecs",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'inglenook' has no attribute {name!r}")
    return getattr(import_module(f"inglenook.{_WHERE[name]}"), name)
