"""Says which parts of an Office Open XML package belong to which (ECMA-376-2, section 9.3)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from inglenook.types import CancelToken
from inglenook_office.package import Package
from inglenook_office.xml_events import Attributes, DamagedXmlError, Handlers

__all__ = ["Relation", "Relations", "main_part", "relations_of"]


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation: its kind (the last word of its type), and the part that it leads to."""

    kind: str
    target: str


class Relations:
    """What a part refers to, by id and by kind; links out of the document are left out."""

    def __init__(self, by_id: dict[str, Relation]) -> None:
        self._by_id = by_id

    def target(self, id: str) -> str:
        """The part behind an id; "" if there is none."""
        relation = self._by_id.get(id)
        return relation.target if relation else ""

    def kind(self, id: str) -> str:
        relation = self._by_id.get(id)
        return relation.kind if relation else ""

    def of_kind(self, *kinds: str) -> Iterator[str]:
        """The parts of these kinds, each once, in the order in which they are listed."""
        wanted = (relation for relation in self._by_id.values() if relation.kind in kinds)
        return iter(dict.fromkeys(relation.target for relation in wanted))


def relations_of(package: Package, part: str, cancel: CancelToken) -> Relations:
    """The relations of a part, "" being the package itself; none if they cannot be read."""
    folder, name = posixpath.split(part)
    by_id: dict[str, Relation] = {}

    def add(attributes: Attributes) -> None:
        target = attributes.get("Target", "").replace("\\", "/")
        if attributes.get("TargetMode") == "External" or not target:
            return
        resolved = posixpath.normpath(posixpath.join("/" + folder, target)).lstrip("/")
        kind = attributes.get("Type", "").rpartition("/")[2]
        by_id.setdefault(attributes.get("Id", ""), Relation(kind, resolved))

    # What is missing here is told where it is looked for.
    with suppress(DamagedXmlError):
        package.read_whole(
            posixpath.join(folder, "_rels", f"{name}.rels"),
            Handlers({"rel:Relationship": add}),
            cancel,
        )
    return Relations(by_id)


def main_part(package: Package, default: str, cancel: CancelToken) -> str:
    """The part that the document begins with, as the package says, or as is usual."""
    stated = next(relations_of(package, "", cancel).of_kind("officeDocument"), "")
    return stated if stated in package else default
