"""`nook du`: what takes room on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inglenook.cli.session import Session

if TYPE_CHECKING:
    from inglenook.assistants.disk_usage import DiskUsage, Room


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the sizes as JSON.")
@click.pass_obj
def du(session: Session, as_json: bool) -> int:
    """Say what takes room on the disk, and which command would free it.

    Files that models share count once. What is of no use and can go without loss is told apart.
    Nothing is changed.
    """
    from inglenook.assistants.disk_usage import disk_usage

    session.terminal.status("Measuring…")
    found = disk_usage(session.installation)
    session.terminal.status("")
    if as_json:
        from inglenook.assistants.forms import VERSION, plain

        session.terminal.json({"version": VERSION, **plain(found)})
    else:
        session.terminal.out(_text(found, session.terminal.out_columns))
    return 0


def _text(found: DiskUsage, width: int | None) -> str:
    from inglenook.cli.columns import megabytes, table_with_remarks
    from inglenook.cli.terminal import visible

    rows = [
        ((room.kind, visible(room.name), megabytes(room.size_bytes)), visible(_remark(room)))
        for room in found.rooms
    ]
    table = table_with_remarks(("WHAT", "WHICH", "SIZE"), rows, width) if rows else ""
    end = f"{megabytes(found.total_bytes)} in all."
    if found.unused_bytes:
        commands = dict.fromkeys(
            room.command for room in found.rooms if room.unused_bytes and room.command
        )
        some = "".join(f"\n  {command}" for command in commands)
        end += f" {megabytes(found.unused_bytes)} of it is of no use and can be freed with:{some}"
    return f"{table}\n\n{end}".strip()


def _remark(room: Room) -> str:
    from inglenook.cli.columns import megabytes

    parts = []
    if room.shared_with:
        some = ", ".join(room.shared_with[:3]) + (", …" if len(room.shared_with) > 3 else "")
        parts.append(f"shares {megabytes(room.shared_bytes)} with {some}")
    if room.unused_bytes and room.unused_bytes < room.size_bytes:
        parts.append(f"{megabytes(room.unused_bytes)} unused")
    if room.note:
        parts.append(room.note)
    if room.command:
        parts.append(f"free it with: {room.command}")
    return "; ".join(parts)
