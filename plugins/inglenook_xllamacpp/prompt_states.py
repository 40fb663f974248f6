"""Brings the beginning of a prompt into the server's slot from disk, or keeps it there.

It is llama.cpp's own saving of slots, asked for over the private endpoint. A slot is saved right
after it has read the fixed tokens and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inglenook.errors import RuntimeFailure
from inglenook.models.adapter_files import adapter_digests
from inglenook.models.kept_states import KeptStates
from inglenook.types import GenerateRequest, ModelFiles, RuntimeOptions
from inglenook_xllamacpp.endpoint import Endpoint

__all__ = ["PromptStates"]


class PromptStates:
    """The states of one open model with one slot.

    Args:
        files: The model.
        options: How it is open; `state_folder` is stated.
        device: Where it runs.
        batch: How many tokens it reads at once.
        endpoint: The door to the server.
    """

    def __init__(
        self,
        files: ModelFiles,
        options: RuntimeOptions,
        device: str,
        batch: int,
        endpoint: Endpoint,
    ) -> None:
        made_with = {
            "runtime": "xllamacpp",
            "device": device,
            "context": options.context_length,
            "batch": batch,
            "layers": (options.gpu_layers, options.main_gpu),
            "settings": sorted(options.settings.items()),
            "adapters": adapter_digests(options.adapters),
        }
        assert options.state_folder is not None
        self._kept = KeptStates(
            options.state_folder, options.state_bytes, files, "xllamacpp", made_with
        )
        self._endpoint = endpoint
        self._batch = batch
        self._held: tuple[int, ...] = ()

    def wanted(self, request: GenerateRequest) -> tuple[int, ...]:
        """The tokens that the slot should begin with and does not; () if there is nothing to do."""
        prompt = request.tokens or ()
        fixed = prompt[: self._kept.whole_batches(request.fixed, self._batch)]
        if not request.reuse_prefix or self._held[: len(fixed)] == fixed:
            return ()
        return fixed if self._kept.worth_it(fixed, prompt) else ()

    def restore(self, tokens: Sequence[int]) -> bool:
        """Put what was kept of these tokens into the slot; whether there was any."""
        path = self._kept.find(tokens)
        if path is None:
            return False
        try:
            told = self._slot("restore", path)
        except RuntimeFailure:
            return False
        return bool(told.get("n_restored") == len(tokens))

    def save(self, tokens: Sequence[int]) -> None:
        """Keep the slot, which has just read these tokens."""

        def write(path: Path) -> None:
            try:
                told = self._slot("save", path)
            except RuntimeFailure as error:
                raise OSError(str(error)) from error
            if told.get("n_saved") != len(tokens):
                raise OSError("The slot holds something else.")

        self._kept.keep(tokens, write)

    def holds(self, prompt: tuple[int, ...]) -> None:
        """Note what the slot has read to the end; () if that is not known."""
        self._held = prompt

    def _slot(self, action: str, path: Path) -> dict[str, Any]:
        told = self._endpoint.ask(f"/slots/0?action={action}", {"filename": path.name})
        return dict(told) if isinstance(told, dict) else {}
