"""Loaded by pytest where Inglenook is installed: makes the kits' assertions tell what they saw."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(
        f"inglenook.testing.{kit}"
        for kit in (
            "embedder",
            "filter",
            "loader",
            "model_source",
            "reranker",
            "runtime",
            "splitter",
            "vector_store",
        )
    )
)
