"""``pgqueue queue``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from pgqueue.client.sync.client import SyncClient
from pgqueue.commands.address import address, data_dir_option
from pgqueue.commands.output import show
from pgqueue.errors import UsageError

Action = Literal["pause", "drain", "resume"]


@click.command("queue")
@click.argument("name")
@click.option("--pause", "action", flag_value="pause", help="start no more of its tasks")
@click.option("--drain", "action", flag_value="drain", help="pause it, and wait until no task runs")
@click.option("--resume", "action", flag_value="resume", help="start its tasks again")
@click.option("--reason", help="why it is paused, for everyone to read")
@click.option("--by", help="who pauses it  [default: the user of this shell]")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    help="how many seconds a drain waits  [default: until it is done]",
)
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@data_dir_option
def command(
    *,
    name: str,
    action: Action | None,
    reason: str | None,
    by: str | None,
    timeout: float | None,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Show the queue NAME; pause, drain or resume it first if asked to.

    A drain that exceeds its timeout leaves the queue paused, and the exit status is 1.
    """
    if action not in ("pause", "drain") and (reason or by):
        raise UsageError("--reason and --by need --pause or --drain")
    if action != "drain" and timeout is not None:
        raise UsageError("--timeout needs --drain")
    with SyncClient(address(data_dir)) as client:
        drained = True
        match action:
            case "pause":
                client.pause(name, reason, by=by)
            case "drain":
                try:
                    client.drain(name, reason, by=by, timeout=timeout)
                except TimeoutError:
                    drained = False
            case "resume":
                client.resume(name)
        show(client.queue(name), as_json=as_json)
    if not drained:
        raise SystemExit(1)
