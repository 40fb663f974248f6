"""The assistants that come with the program, and the manual that one of them knows."""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped_profiles", "shipped_root"]


def shipped_root() -> Path:
    """The folder that holds `assistants/` and `docs/`: inside the wheel, or the source tree."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "shipped"
    return inside if inside.is_dir() else package.parent.parent


def shipped_profiles() -> dict[str, Path]:
    """Name -> Assistantfile of each shipped assistant."""
    folder = shipped_root() / "assistants"
    return {path.parent.name: path for path in sorted(folder.glob("*/Assistantfile"))}
