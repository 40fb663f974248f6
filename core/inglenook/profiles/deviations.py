"""Where we part from Ollama's Modelfile parser on purpose, each with its reason.

The manual prints this table and the tests hold it: every other input gives Ollama's own outcome.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEVIATIONS", "Deviation"]


@dataclass(frozen=True, slots=True)
class Deviation:
    """One deliberate difference.

    Args:
        name: A stable word for tests and documentation.
        example: An input that shows it.
        ollama: What Ollama does with it.
        ours: What we do.
        reason: Why.
        syntax: Whether the commands (or the verdict of the parser) differ. Where False, the
            commands are Ollama's and only what we make of them differs.
    """

    name: str
    example: str
    ollama: str
    ours: str
    reason: str
    syntax: bool


DEVIATIONS = (
    Deviation(
        "extensions",
        "FROM m\nFILE a.txt",
        "unknown instruction",
        "nine more instructions: FILE, RUNTIME, DEVICE, EMBEDDER, STORE, SPLITTER, RERANKER, "
        "FILTER, RETRIEVE",
        "they are what makes a Modelfile an Assistantfile",
        syntax=True,
    ),
    Deviation(
        "quoted-word",
        'FROM m\nFILE "a b.txt" optional=true',
        "unknown instruction",
        "in our own instructions a quoted first word may be followed by options",
        "a path with blanks must be able to have options",
        syntax=True,
    ),
    Deviation(
        "blanks",
        "FROM m\nPARAMETER  temperature 1\nMESSAGE  user hi",
        "takes an empty name (and fails at create) or refuses the role",
        "any run of blanks may follow PARAMETER and MESSAGE",
        "people align their files",
        syntax=True,
    ),
    Deviation(
        "characters",
        "FROM m\nSYSTEM x\u200dy\u00a0z\u200f!",
        "drops every character that Go calls not printable: xyz!",
        "keeps them all, except NUL",
        "dropping joiners and direction marks breaks emoji, Persian, Hebrew and Arabic",
        syntax=True,
    ),
    Deviation(
        "invalid-text",
        "FROM m\nSYSTEM \\xff",
        "replaces what is not UTF-8 (or UTF-16 with a mark) by U+FFFD",
        "refuses the file and says where",
        "a prompt that is silently damaged is worse than an error",
        syntax=True,
    ),
    Deviation(
        "line-numbers",
        "FROM m\r\nSYSTEM\r\n",
        "counts a newline before the error, and CRLF twice",
        "every problem has the line and column where it stands",
        "people go where the message points",
        syntax=False,
    ),
    Deviation(
        "all-problems",
        "FROM m\nSYTEM x\nMESAGE user x",
        "stops at the first error",
        "reports all errors at once, with the nearest known word",
        "one round instead of many",
        syntax=False,
    ),
    Deviation(
        "empty-from",
        "FROM ",
        "accepts an empty model and fails later",
        "an error",
        "nothing can be made of it",
        syntax=False,
    ),
    Deviation(
        "clearing-system",
        'FROM m\nSYSTEM ""',
        'SYSTEM "" and TEMPLATE "" cannot undo what a parent says',
        "they clear it",
        "there is no other way to say it",
        syntax=False,
    ),
    Deviation(
        "parameter-is-no-instruction",
        "FROM m\nPARAMETER system x",
        "PARAMETER system x acts as SYSTEM x, and PARAMETER model x as FROM x",
        "unknown parameter",
        "it is an accident of Ollama's parser that nobody means",
        syntax=False,
    ),
    Deviation(
        "ranges",
        "FROM m\nPARAMETER top_p NaN",
        "checks types only; NaN and infinity pass",
        "checks ranges too",
        "a runtime would ignore, clamp or crash on them",
        syntax=False,
    ),
    Deviation(
        "outdated-parameters",
        "FROM m\nPARAMETER numa true\nPARAMETER context_length 4096",
        "refuses numa, num_gqa, tfs_z, embedding_only and context_length",
        "warns and ignores them; context_length is num_ctx",
        "older Modelfiles and clients still carry them",
        syntax=False,
    ),
    Deviation(
        "comments-behind-values",
        "FROM m # my model",
        'takes "m # my model" as the name',
        "refuses it in FROM, ADAPTER, DRAFT and our own instructions, and explains",
        "it is never what was meant",
        syntax=False,
    ),
    Deviation(
        "template-form",
        "FROM m\nTEMPLATE {{ range .Messages }}{{ .Content }}{{ end }}",
        "runs any Go template",
        "runs the old .System .Prompt .Response form and refuses the rest by name",
        "the model's own template is used without TEMPLATE; more of Go's language may follow",
        syntax=False,
    ),
)
