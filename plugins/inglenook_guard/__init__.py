"""Guards against text that is not what it looks like: the filter `markup`, the command `scan`."""

from inglenook.factories import Factory, Option, Register
from inglenook.hookspecs import hookimpl

LABELS = ("terminal-escape", "control-character", "template-token")


@hookimpl
def register_filters(register: Register) -> None:
    register(
        Factory(
            name="markup",
            summary="Makes terminal escapes and chat-template tokens in text harmless and visible.",
            load="inglenook_guard.markup:MarkupFilter",
            options=(Option("types", list, LABELS, "Which findings count.", choices=LABELS),),
            capabilities={"stages": ("input", "ingest", "context", "output")},
        )
    )


@hookimpl
def register_commands(register: Register) -> None:
    register(
        Factory(
            name="scan",
            summary="Shows what the security filters find in files.",
            load="inglenook_guard.scan:ScanCommand",
            options=(
                Option("files", list, (), "The files to read.", required=True),
                Option("filters", list, ("markup",), "The filters to ask."),
                Option(
                    "stage",
                    str,
                    "context",
                    "The stage to judge the text as.",
                    choices=("input", "ingest", "context", "output"),
                ),
            ),
        )
    )
