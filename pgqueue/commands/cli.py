"""The ``pgqueue`` command."""

from __future__ import annotations

import sys
from typing import Any

import click

from pgqueue.errors import PgQueueError

_COMMANDS = {
    "api": "Serve the HTTP API.",
    "check": "Check that everything stored is consistent.",
    "doctor": "Find problems, and say how to fix them.",
    "keys": "Create, list and revoke API keys.",
    "migrate": "Bring the schema of the database up to date.",
    "psql": "Open psql on the queue's database.",
    "queue": "Show a queue; pause, drain or resume it.",
    "task": "Show a task, or why it waits.",
    "up": "Run PostgreSQL, API and worker in one terminal.",
    "users": "Add, list and disable users of the HTTP API.",
    "worker": "Run tasks.",
}


def _load(name: str) -> click.Command | None:  # noqa: C901, PLR0911  one for each command
    """Import one command: listing them imports none, and running one needs no other."""
    match name:
        case "api":
            from pgqueue_api.cli import command as api

            return api
        case "check":
            from pgqueue.commands.check import command as check

            return check
        case "doctor":
            from pgqueue.commands.doctor import command as doctor

            return doctor
        case "keys":
            from pgqueue.commands.keys import command as keys

            return keys
        case "migrate":
            from pgqueue.commands.migrate import command as migrate

            return migrate
        case "psql":
            from pgqueue.commands.psql import command as psql

            return psql
        case "queue":
            from pgqueue.commands.queue import command as queue

            return queue
        case "task":
            from pgqueue.commands.task import command as task

            return task
        case "up":
            from pgqueue.commands.up import command as up

            return up
        case "users":
            from pgqueue.commands.users import command as users

            return users
        case "worker":
            from pgqueue_worker.cli import command as worker

            return worker
    return None


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        return _load(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


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
