"""The small data sets of the tests, and an installation of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from inglenook.assistants.installation import Installation

DATA = Path(__file__).resolve().parents[2] / "data" / "evaluation"


@pytest.fixture
def birds() -> Path:
    """Eight documents and eight judged queries in BEIR's layout."""
    return DATA / "birds"


@pytest.fixture
def places() -> Path:
    """Three paragraphs, one of them twice, and eight questions in SQuAD's layout."""
    return DATA / "places.json"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation without models."""
    with Installation.open(home=tmp_path / "home") as made:
        yield made
