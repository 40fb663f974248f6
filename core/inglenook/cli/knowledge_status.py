"""Tells people the state of a knowledge base: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from inglenook.cli.columns import count, megabytes, table_with_remarks, wrapped
from inglenook.cli.terminal import visible
from inglenook.types import KnowledgeStatus, without_name

__all__ = ["status_text"]

CHANGED_SHOWN = 20


def status_text(assistant: str, found: KnowledgeStatus, name: str, width: int | None) -> str:
    """The state, as `nook kb status` prints it.

    Args:
        assistant: What the assistant is called.
        found: The state.
        name: What the user calls it, for the commands.
        width: Of the terminal; None for a file or a program.
    """
    numbers = f"{count(found.sources, 'source')}, {count(found.chunks, 'chunk')}"
    verdict = [f"{assistant}: {numbers}", *_verdict(found, name)]
    verdict += [visible(notice.message) for notice in found.notices]
    parts = ["\n".join(line if width is None else wrapped(line, width) for line in verdict)]
    parts.append(_sizes(found))
    if found.failed:
        rows = [
            ((visible(source), reason), visible(without_name(source, message)))
            for source, reason, message in found.failed
        ]
        parts.append(table_with_remarks(("NOT READ", "REASON"), rows, width))
    if found.changed:
        parts.append("\n".join(_changed(found)))
    return "\n\n".join(parts)


def _verdict(found: KnowledgeStatus, name: str) -> Iterator[str]:
    for problem in found.problems:
        yield f"Problem: {problem}"
    changed = f"{count(len(found.changed), 'source')} changed since they were read"
    if found.begun:
        yield (
            "Reading the documents has begun and not ended, so nothing can be asked yet. "
            f"{count(found.kept, 'source')} that are read are kept. To go on: nook ingest {name}"
        )
    elif not (found.sources or found.failed or found.catalog_bytes):
        changed = f"{count(len(found.changed), 'source')} to read"
        yield f"No documents have been read yet, {changed}. To read them: nook ingest {name}"
    elif found.outdated:
        yield (
            "It was made with other settings than the Assistantfile has now. "
            f"To bring it up to date: nook ingest {name}"
        )
    elif found.changed and not found.problems:
        yield f"In order, but {changed}. To bring it up to date: nook ingest {name}"
    elif found.changed:
        yield f"{changed}. To bring it up to date: nook ingest {name}"
    elif not found.problems:
        yield "Everything is in order."
    if found.failed:
        lost = count(len(found.failed), "document")
        yield (
            f"{lost}, or parts of them, could not be read. "
            f"To try again: nook ingest {name} --retry-failed"
        )


def _sizes(found: KnowledgeStatus) -> str:
    store = "none" if not found.store_bytes else megabytes(found.store_bytes)
    if found.store_bytes:
        in_use = "in use by another process"
        store += f", {count(found.store_vectors, 'vector') if found.store_vectors >= 0 else in_use}"
    return "\n".join(
        (
            f"catalog        {megabytes(found.catalog_bytes)}",
            f"vector store   {store}",
            f"embeddings     {megabytes(found.embeddings_bytes)}, shared by all assistants",
        )
    )


def _changed(found: KnowledgeStatus) -> Iterator[str]:
    old_names = dict(found.renamed)
    yield f"CHANGED ({len(found.changed):,})"
    for name in found.changed[:CHANGED_SHOWN]:
        was = f"  (was {visible(old_names[name])})" if name in old_names else ""
        yield f"{visible(name)}{was}"
    more = len(found.changed) - CHANGED_SHOWN
    if more > 0:
        yield f"… and {more:,} more; --json lists all"
