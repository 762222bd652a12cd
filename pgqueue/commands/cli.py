"""The ``pgqueue`` command."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from pgqueue.errors import PgQueueError

# name → module of its click command, imported on use: the library needs neither API nor worker
_COMMANDS = {
    "api": ("pgqueue_api.cli", "Serve the HTTP API."),
    "check": ("pgqueue.commands.check", "Check that everything stored is consistent."),
    "doctor": ("pgqueue.commands.doctor", "Find problems, and say how to fix them."),
    "migrate": ("pgqueue.commands.migrate", "Bring the schema of the database up to date."),
    "psql": ("pgqueue.commands.psql", "Open psql on the queue's database."),
    "queue": ("pgqueue.commands.queue", "Show a queue; pause, drain or resume it."),
    "task": ("pgqueue.commands.task", "Show a task, or why it waits."),
    "up": ("pgqueue.commands.up", "Run PostgreSQL, API and worker in one terminal."),
    "worker": ("pgqueue_worker.cli", "Run tasks."),
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(_COMMANDS.items())])


@click.group(cls=_Commands)
@click.version_option(package_name="pgqueue")
def group() -> None:
    """A task queue that needs PostgreSQL and nothing else."""


def main() -> Any:
    """Run the command; an error is one line that says what to do, and exit status 1."""
    try:
        return group()
    except PgQueueError as error:
        click.echo(f"pgqueue: {error.message}", err=True)
        if error.hint:
            click.echo(f"  hint: {error.hint}", err=True)
        sys.exit(1)
