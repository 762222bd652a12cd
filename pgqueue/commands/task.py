"""``pgqueue task``."""

from __future__ import annotations

from pathlib import Path

import click

from pgqueue.client.sync.client import SyncClient
from pgqueue.commands.address import address, data_dir_option
from pgqueue.commands.output import show


@click.command("task")
@click.argument("id")
@click.option("--why", is_flag=True, help="show what keeps it from starting, and until when")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@data_dir_option
def command(*, id: str, why: bool, as_json: bool, data_dir: Path | None) -> None:
    """Show the task ID, or why it has not started."""
    with SyncClient(address(data_dir)) as client:
        if not why:
            show(client.get(id), as_json=as_json)
            return
        explanation = client.explain(id)
    if as_json:
        show(explanation, as_json=True)
        return
    for reason in explanation.reasons:
        click.echo(f"{reason.code}: {reason.message}")
    if not explanation.status.final and explanation.status != "active":
        earliest = explanation.earliest_start_at
        start = earliest.isoformat() if earliest else "unknown (it does not depend on time)"
        click.echo(f"earliest start: {start}")
