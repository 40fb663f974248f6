"""Counts the tokens of a text with a model's own tokenizer, and says which they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inglenook.assistants.composition import model_of
from inglenook.assistants.embedder_choice import with_cache_folder
from inglenook.assistants.first_opening import require_opens
from inglenook.errors import InglenookError, UserError

if TYPE_CHECKING:
    from inglenook.assistants.installation import Installation
    from inglenook.types import ModelFiles

__all__ = ["TokenCount", "count_tokens", "readable"]

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True, slots=True)
class TokenCount:
    """How many tokens a text has.

    Args:
        model: The model that counts.
        count: How many.
        exact: Whether the model's own tokenizer counted; else it is an estimate.
        ids: Which; None where the model does not say.
        pieces: The text of each; None where nobody knows. A character that is cut across tokens
            shows as U+FFFD in each of them.
    """

    model: str
    count: int
    exact: bool
    ids: tuple[int, ...] | None = None
    pieces: tuple[str, ...] | None = None


def count_tokens(
    installation: Installation, name: str, text: str, *, special: bool = False, ids: bool = False
) -> TokenCount:
    """Count the tokens of a text; no begin or end token and no template is added.

    Args:
        installation: Where the model is.
        name: A model, an embedder's too, or an assistant, whose FROM is asked.
        text: The text.
        special: Whether texts of control tokens become those tokens.
        ids: Whether to find out which tokens they are.

    Raises `UserError` where that cannot be said, and what opening a model raises.
    """
    embedder = _embedder_model(installation, name)
    if embedder is not None:
        if ids or special:
            raise UserError(
                f"{embedder.reference} is an embedder, which only counts tokens.",
                hint="Leave --ids and --special out.",
            )
        return _embedder_count(installation, embedder, text)
    with installation.assistant(name) as assistant:
        base = assistant.path.parent if assistant.path is not None else None
        files = model_of(assistant.profile, base, installation.library, installation.host)
        found = assistant.tokens(text, special=special)
    if ids and not found.exact:
        raise UserError(
            f"{files.reference} runs elsewhere; its tokens are only estimated.",
            hint="Leave --ids out.",
        )
    pieces = _pieces(files, found.ids) if ids else None
    told = found.ids if ids else None
    return TokenCount(files.reference, len(found.ids), found.exact, told, pieces)


def _embedder_model(installation: Installation, name: str) -> ModelFiles | None:
    """The model of that name if only an embedder opens it."""
    if installation.profile(name) is not None or not installation.library.has(name):
        return None
    files = installation.library.get(name)
    host = installation.host
    if host.able_to_open("runtime", files.format) or not host.able_to_open(
        "embedder", files.format
    ):
        return None
    return files


def _embedder_count(installation: Installation, files: ModelFiles, text: str) -> TokenCount:
    host = installation.host
    entry = host.able_to_open("embedder", files.format)[0]
    options = with_cache_folder(entry, files, {}, installation.paths.cache)
    made_with = host.options_for("embedder", entry.factory.name, options)
    require_opens(entry, files, made_with, installation.library.catalog, installation.paths)
    embedder = host.make_embedder(entry.factory.name, files, options)
    try:
        embedder.open()
        (count,) = embedder.count_tokens([text])
    finally:
        embedder.close()
    return TokenCount(files.reference, count, exact=True)


# --- pieces ---------------------------------------------------------------------------------------


def _pieces(files: ModelFiles, ids: Sequence[int]) -> tuple[str, ...] | None:
    """The texts of tokens, from the vocabulary in the file; None if it has none to be read."""
    from inglenook.models.gguf import read_gguf, read_gguf_tokens

    path = files.files.get("model")
    if files.format != "gguf" or path is None:
        return None
    try:
        tokenizer = read_gguf(path).tokenizer
        texts = read_gguf_tokens(path, ids)
    except InglenookError:
        return None  # The runtime could open it, so the count holds.
    if not all(id in texts for id in ids):
        return None
    return tuple(readable(texts[id], tokenizer) for id in ids)


def readable(spelling: str, tokenizer: str) -> str:
    """A token as text.

    Args:
        spelling: As the vocabulary has it.
        tokenizer: `gpt2` spells each byte as one printable character (byte-level BPE); `llama`
            writes a blank as U+2581 and single bytes as `<0x0A>` (SentencePiece).
    """
    if tokenizer == "gpt2":
        table = _bytes_by_character()
        if all(character in table for character in spelling):
            return bytes(table[character] for character in spelling).decode("utf-8", "replace")
        return spelling  # A control token, which is spelt as it is.
    if single := _BYTE.fullmatch(spelling):
        return bytes([int(single[1], 16)]).decode("utf-8", "replace")
    return spelling.replace("\u2581", " ")


def _bytes_by_character() -> dict[str, int]:
    """Printable bytes of Latin-1 stand for themselves, the others follow from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in set(printable)]
    table = {chr(byte): byte for byte in printable}
    table.update({chr(0x100 + number): byte for number, byte in enumerate(others)})
    return table
