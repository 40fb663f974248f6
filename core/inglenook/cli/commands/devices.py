"""`nook devices`: what this machine can compute on, and which runtime can use it."""

from __future__ import annotations

import click

from inglenook.cli.session import Session

_WANTED = ("npu", "gpu", "cpu")


@click.command()
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.1, 3600),
    metavar="SECONDS",
    default=30.0,
    help="How long each library may take to answer. [default: 30]",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@click.pass_obj
def devices(session: Session, timeout_s: float, as_json: bool) -> int:
    """Say what there is to compute on, and what of it each runtime and embedder can use.

    Every library is asked itself, in a process of its own that may crash or hang. DEVICE says
    what `DEVICE npu,gpu,cpu` in an Assistantfile would take. The exit code is 1 if a library could
    not be asked.
    """
    from inglenook.cli.interrupts import INTERRUPTED, stopped_by_interrupt
    from inglenook.errors import Cancelled
    from inglenook.models.device_probe import probe_parts
    from inglenook.models.machine import read_machine
    from inglenook.types import CancelToken

    machine = read_machine()
    cancel = CancelToken()
    log = session.settings.paths.logs / "devices.log"
    session.terminal.status("Asking the libraries…")
    try:
        with stopped_by_interrupt(cancel):
            parts = list(probe_parts(session.host, log, cancel, timeout_s))
    except Cancelled:
        if as_json:
            raise
        session.terminal.status("")
        session.terminal.error("Stopped.")
        return INTERRUPTED
    session.terminal.status("")
    if as_json:
        from inglenook.assistants.forms import VERSION
        from inglenook.models.device_probe import part_form
        from inglenook.models.machine import machine_form

        form = {
            "version": VERSION,
            "machine": machine_form(machine),
            "parts": [part_form(part, _WANTED) for part in parts],
        }
        session.terminal.json(form)
    else:
        from inglenook.cli.device_lists import devices_text

        width = session.terminal.out_columns
        session.terminal.out(devices_text(machine, parts, _WANTED, width))
        plugins = session.settings.plugins
        if not plugins.enabled:
            why, fix = plugins.why_off
            session.terminal.note(f"Note: plugins are off ({why}). {fix}")
    return 1 if any(part.failed for part in parts) else 0
