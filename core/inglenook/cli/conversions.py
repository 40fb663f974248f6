"""How a conversion looks in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inglenook.cli.columns import columns, megabytes
from inglenook.cli.terminal import visible

if TYPE_CHECKING:
    from inglenook.models.fidelity import Fidelity

__all__ = ["conversion_text"]


def conversion_text(
    name: str, size_bytes: int, seconds: float, fidelity: Fidelity | None, *, elsewhere: bool
) -> str:
    """What was made, how to use it and, if it was compared, what was lost.

    Args:
        name: What the new model is called, or where it lies.
        size_bytes: What it takes.
        seconds: How long it took.
        fidelity: The comparison, if there was one.
        elsewhere: Whether it lies outside the library.
    """
    from inglenook.models.conversion_report import loss_lines, report_rows

    lines = [f"Made {visible(name)}: {megabytes(size_bytes)} in {seconds:.1f} s."]
    if fidelity is not None:
        heads = ("", visible(fidelity.source.name).upper(), visible(fidelity.result.name).upper())
        lines += ["", columns(heads, list(report_rows(fidelity))), "", *loss_lines(fidelity)]
    use = f"an Assistantfile that says FROM {name}" if elsewhere else f"nook run {name}"
    return "\n".join([*lines, "", f"Use it with: {visible(use)}"])
