"""What the tests of both loaders share."""

from __future__ import annotations

import pytest

from inglenook.errors import LoadError
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, PartFile, Section


class WithTexts:
    """An archive loader whose parts are read as UTF-8 text, as the engine reads them with others.

    Without it the conformance kit, which looks at sections, would see nothing.
    """

    def __init__(self, loader):
        self._loader = loader

    def load(self, request, cancel):
        for item in self._loader.load(request, cancel):
            if not isinstance(item, PartFile):
                yield item
                continue
            if len(item.data) > request.max_characters:
                raise LoadError(f"{request.name} is too much", reason="too large")
            yield Section(item.data.decode(), Locator("whole", "", member=item.name))


@pytest.fixture
def with_texts():
    return WithTexts


@pytest.fixture
def parts_of():
    """Loads an archive: its parts as a dict, its notices as `code: message` strings."""

    def parts_of(loader, path, **limits):
        found = list(loader.load(LoadRequest(path, path.name, **limits), CancelToken()))
        parts = {part.name: part.data for part in found if isinstance(part, PartFile)}
        assert len(parts) == sum(isinstance(part, PartFile) for part in found)
        notices = [f"{item.code}: {item.message}" for item in found if isinstance(item, Notice)]
        return parts, notices

    return parts_of
