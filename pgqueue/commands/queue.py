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
@click.option("--pause", "action", flag_value="pause", help="let no task of it start")
@click.option("--drain", "action", flag_value="drain", help="pause it, and wait until none runs")
@click.option("--resume", "action", flag_value="resume", help="let its tasks start again")
@click.option("--reason", help="why, for everyone to see")
@click.option("--by", help="who asks  [default: the user of this shell]")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    help="how long a drain is waited for, in seconds  [default: until it is done]",
)
@click.option("--json", "as_json", is_flag=True, help="show it as JSON")
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
    """Show the queue NAME; pause, drain or resume it first, if asked to.

    A drain that takes longer than its timeout leaves the queue paused and ends with status 1.
    """
    if action not in ("pause", "drain") and (reason or by):
        raise UsageError("a reason and a name go with --pause or --drain")
    if action != "drain" and timeout is not None:
        raise UsageError("a timeout goes with --drain")
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
