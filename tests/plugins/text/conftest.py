"""What the tests of the text loaders share."""

from __future__ import annotations

import zipfile

import pytest

from inglenook.testing.loader import read

CONTAINER = (
    "<?xml version='1.0'?><container><rootfiles><rootfile full-path='OEBPS/book.opf'/></rootfiles>"
    "</container>"
)


@pytest.fixture
def load(tmp_path):
    """Writes a file and reads it: its sections and its notices."""

    def load(loader, name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read(loader({}), path)

    return load


@pytest.fixture
def write_epub():
    """Writes an e-book of pages, in the order given.

    `metadata`, `manifest`, `spine` and `extra` (more members by full name) change what stands
    around them.
    """

    def write_epub(path, pages, *, metadata="", manifest="", spine="", extra=(), package=None):
        items = "".join(
            f"<item id='p{number}' href='{name}' media-type='application/xhtml+xml'/>"
            for number, name in enumerate(pages)
        )
        order = spine or "".join(f"<itemref idref='p{number}'/>" for number in range(len(pages)))
        if package is None:
            package = (
                f"<package><metadata>{metadata}</metadata><manifest>{items}{manifest}</manifest>"
                f"<spine toc='ncx'>{order}</spine></package>"
            )
        members = {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": CONTAINER,
            "OEBPS/book.opf": package,
            **{f"OEBPS/{name}": page for name, page in pages.items()},
            **dict(extra),
        }
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                if content is not None:
                    archive.writestr(name, content)
        return path

    return write_epub
