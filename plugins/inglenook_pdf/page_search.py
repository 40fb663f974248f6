"""Saves what pages are left of a PDF whose list of pages is damaged, by looking at every object."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

__all__ = ["saved_pages"]

_MOST_OBJECTS = 200_000
_MOST_BYTES = 200_000_000


def saved_pages(path: Path) -> bytes | None:
    """A new PDF of the pages in the order in which they stand in the file; None if there are none.

    Needs pypdf; without it nothing is found.
    """
    try:
        from pypdf import PdfReader, PdfWriter
    except ImportError:
        return None
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    target = io.BytesIO()
    # pypdf raises what a broken file happens to break; what can be copied is.
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        reader = PdfReader(path, strict=False)
        if reader.is_encrypted or _has_list(reader):
            return None
        writer = PdfWriter()
        for page in _pages(reader):
            try:
                writer.add_page(page)
            except Exception:  # noqa: BLE001, S112
                continue
        if not len(writer.pages):
            return None
        writer.write(target)
    except Exception:  # noqa: BLE001
        return None
    return target.getvalue()


def _has_list(reader: PdfReader) -> bool:
    try:
        return len(reader.pages) > 0
    except Exception:  # noqa: BLE001
        return False


def _pages(reader: PdfReader) -> Iterator[PageObject]:
    from pypdf import PageObject
    from pypdf.generic import DictionaryObject, IndirectObject

    places = sorted(
        (place, number, generation)
        for generation, numbers in reader.xref.items()
        for number, place in numbers.items()
    )
    for _, number, generation in islice(places, _MOST_OBJECTS):
        reference = IndirectObject(number, generation, reader)
        try:
            found = reader.get_object(reference)
        except Exception:  # noqa: BLE001, S112
            continue
        if isinstance(found, DictionaryObject) and found.get("/Type") == "/Page":
            page = PageObject(reader, reference)
            page.update({key: value for key, value in found.items() if key != "/Parent"})
            yield page
