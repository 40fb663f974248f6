"""Cuts sections into chunks at paragraphs and sentences."""

from __future__ import annotations

from inglenook.factories import Factory, Option, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_splitters(register: Register) -> None:
    register(
        Factory(
            name="sentences",
            summary="Chunks of whole sentences and paragraphs, bounded by tokens.",
            load="inglenook_sentences.splitter:SentenceSplitter",
            options=(
                Option(
                    "max_tokens",
                    int,
                    180,
                    "The most tokens of a chunk; the embedder's own limit holds too.",
                    minimum=8,
                ),
                Option(
                    "overlap_tokens",
                    int,
                    0,
                    "How much of a chunk's end the next one repeats, in whole sentences.",
                    minimum=0,
                ),
            ),
        )
    )
