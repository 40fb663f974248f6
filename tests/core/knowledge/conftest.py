"""A knowledge base over real files, with the real loaders and splitter and a small embedder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inglenook.host import Host
from inglenook.knowledge.drafting import Drafter
from inglenook.knowledge.knowledge_base import KnowledgeBase, Recipe
from inglenook.knowledge.loaders import LoaderTable
from inglenook.protocols import Embedder
from inglenook.security.pipeline import Filters
from inglenook.testing.fake_embedder import FakeEmbedder
from inglenook.types import CancelToken, IngestReport


class Desk:
    """A folder of documents and the knowledge base that reads it."""

    def __init__(self, folder: Path, *, recipe: Recipe | None = None) -> None:
        self.documents = folder / "documents"
        self.documents.mkdir(parents=True, exist_ok=True)
        self.folder = folder / "kb"
        self.embedders: list[FakeEmbedder] = []
        self.host = Host()
        self.recipe = recipe or self.make_recipe()
        self.base = KnowledgeBase(self.folder, folder / "embeddings.sqlite", self.recipe)

    def make_recipe(self, **changes: object) -> Recipe:
        values: dict[str, object] = {
            "loaders": lambda: LoaderTable.of(self.host),
            "make_drafter": self.make_drafter,
            "make_embedder": self.make_embedder,
            "identity": {"splitter": "sentences/1", "embedder": "fake"},
            **changes,
        }
        return Recipe(**values)  # type: ignore[arg-type]

    def make_drafter(self, embedder: Embedder) -> Drafter:
        splitter = self.host.make_splitter("sentences", {"max_tokens": "60"})
        return Drafter(splitter, Filters(), embedder.max_tokens, embedder.count_tokens)

    def make_embedder(self) -> FakeEmbedder:
        made = FakeEmbedder()
        self.embedders.append(made)
        return made

    def reopened(self, recipe: Recipe | None = None) -> KnowledgeBase:
        self.base.close()
        self.recipe = recipe or self.recipe
        self.base = KnowledgeBase(
            self.folder, self.folder.parent / "embeddings.sqlite", self.recipe
        )
        return self.base

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.documents / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def files(self) -> list[tuple[str, Path]]:
        found = sorted(p for p in self.documents.rglob("*") if p.is_file())
        return [(p.relative_to(self.documents).as_posix(), p) for p in found]

    def ingest(self, **options: bool) -> IngestReport:
        *_, report = self.base.ingest(self.files(), CancelToken(), **options)
        assert isinstance(report, IngestReport)
        return report

    def outcomes(self, **options: bool) -> dict[str, str]:
        return {r.name: r.outcome for r in self.ingest(**options).results}

    def found(self, question: str, mode: str = "lexical") -> list[str]:
        return [p.text for p in self.base.retrieve(question, 10, mode)]


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[Callable[[], Desk]]:
    desks: list[Desk] = []

    def make() -> Desk:
        desks.append(Desk(tmp_path / f"desk-{len(desks)}"))
        return desks[-1]

    yield make
    for desk in desks:
        desk.base.close()


@pytest.fixture
def desk(make_desk: Callable[[], Desk]) -> Desk:
    return make_desk()
